#include "core/number_text.h"
#include "files/csv_rows.h"
#include "limpid/files.h"

namespace limpid {

namespace {

std::string number(DType dtype, double value) {
  const bool small = dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16;
  return small ? number_text(static_cast<float>(value)) : number_text(value);
}

// 64-bit integers go beyond the doubles that at() gives.
std::string number(const ConstView& values, const Index& index) {
  if (values.dtype() != DType::i64) return number(values.dtype(), values.at(index));
  const auto array = values.as<int64_t>();
  return std::to_string(index.size() == 1 ? array(index[0]) : array(index[0], index[1]));
}

}  // namespace

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == text.npos && !text.empty()) return text;
  std::string out = "\"";
  for (char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string csv_bytes(const ConstView& values, const std::vector<std::string>& columns) {
  const Shape& shape = values.shape();
  if (shape.rank() != 1 && shape.rank() != 2)
    fail_call("csv: a table is [rows, columns] or [rows], not ", shape.text());
  const int64_t width = shape.rank() == 2 ? shape[1].size : 1;
  if (width == 0) fail_call("csv: the table ", shape.text(), " has no columns");
  if (!columns.empty() && static_cast<int64_t>(columns.size()) != width)
    fail_call("csv: ", columns.size(), " names given for the ", width, " columns of ", shape.text());
  std::string out;
  for (size_t i = 0; i < columns.size(); ++i) out += (i > 0 ? "," : "") + csv_field(columns[i]);
  if (!columns.empty()) out += '\n';
  for (int64_t row = 0; row < shape[0].size; ++row) {
    for (int64_t column = 0; column < width; ++column)
      out += (column > 0 ? "," : "") + number(values, shape.rank() == 2 ? Index{row, column} : Index{row});
    out += '\n';
  }
  return out;
}

void write_csv(const std::filesystem::path& path, const ConstView& values,
               const std::vector<std::string>& columns) {
  write_file_whole(path, csv_bytes(values, columns));
}

}  // namespace limpid
