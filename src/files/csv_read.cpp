// CSV: https://www.rfc-editor.org/rfc/rfc4180, and what people write besides.
#include <algorithm>
#include <functional>

#include "core/number_text.h"
#include "limpid/files.h"

namespace limpid {

namespace {

using Row = std::vector<std::string>;

// A field takes 32 bytes and more in memory where an empty one takes one in the file, and no table that
// people make has so many columns: a line of separators that never ends is another kind of file.
constexpr size_t k_most_columns = 1'000'000;

// A field in a message: short, and without anything a terminal would act on.
std::string shown(std::string_view field) {
  constexpr size_t k_most = 40;
  std::string out = "'";
  for (char c : field.substr(0, k_most)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out + (field.size() > k_most ? "...'" : "'");
}

// Takes a text apart into rows of fields.
class RowReader {
 public:
  RowReader(std::string_view text, std::string_view file, char separator)
      : text_(text), file_(file), separator_(separator) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
  }
  /// The next row that is not an empty line; false at the end.
  bool next(Row& row);
  /// The line on which the last row began, from 1.
  int64_t line() const { return row_line_; }

 private:
  bool at_end() const { return at_ == text_.size(); }
  bool at_line_end() const { return at_end() || text_[at_] == '\n' || text_[at_] == '\r'; }
  void end_line();
  std::string plain_field();
  std::string quoted_field(size_t column);

  std::string_view text_;
  std::string_view file_;
  char separator_;
  size_t at_ = 0;
  int64_t line_ = 1, row_line_ = 1;
};

// Past LF, CRLF or CR.
void RowReader::end_line() {
  if (at_end()) return;
  at_ += text_.substr(at_).starts_with("\r\n") ? 2 : 1;
  ++line_;
}

std::string RowReader::plain_field() {
  const size_t start = at_;
  while (!at_line_end() && text_[at_] != separator_) ++at_;
  return std::string(text_.substr(start, at_ - start));
}

std::string RowReader::quoted_field(size_t column) {
  const int64_t opened = line_;
  std::string field;
  ++at_;  // the opening quote
  for (;;) {
    const size_t quote = text_.find('"', at_);
    if (quote == text_.npos)
      fail_work(file_, ": line ", opened, ", column ", column, ": a quote is never closed");
    const std::string_view part = text_.substr(at_, quote - at_);
    line_ += std::count(part.begin(), part.end(), '\n');
    field += part;
    at_ = quote + 1;
    if (at_end() || text_[at_] != '"') break;
    field += '"';  // "" inside quotes
    ++at_;
  }
  if (!at_line_end() && text_[at_] != separator_)
    fail_work(file_, ": line ", line_, ", column ", column, ": ", shown(text_.substr(at_, 1)),
              " after a closing quote, expected ", shown({&separator_, 1}), " or the line's end");
  return field;
}

bool RowReader::next(Row& row) {
  while (!at_end() && at_line_end()) end_line();
  row.clear();
  row_line_ = line_;
  if (at_end()) return false;
  for (;;) {
    const bool quoted = !at_end() && text_[at_] == '"';
    if (row.size() == k_most_columns)
      fail_work(file_, ": line ", row_line_, " has more than ", k_most_columns, " fields");
    row.push_back(quoted ? quoted_field(row.size() + 1) : plain_field());
    if (at_line_end()) break;
    ++at_;  // the separator
  }
  end_line();
  return true;
}

bool is_number(const std::string& field) { return parse_number(field).has_value(); }

// Reads the header, then calls each(row, line) for the rows, all as long as the first; returns the header.
Row read_table(Bytes bytes, std::string_view file, const CsvOptions& options,
               const std::function<void(Row& row, int64_t line, const Row& header)>& each) {
  if (std::string_view("\"\r\n").find(options.separator) != std::string_view::npos)
    fail_call("csv: the separator cannot be a quote or a line end");
  RowReader reader({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file, options.separator);
  Row row, header;
  if (!reader.next(row)) fail_work(file, ": holds no table: it is empty");
  const int64_t first_line = reader.line();
  const size_t width = row.size();
  const bool named =
      options.header == CsvHeader::present ||
      (options.header == CsvHeader::automatic && std::none_of(row.begin(), row.end(), is_number));
  bool more = true;
  if (named) {
    header = row;
    more = reader.next(row);
  }
  for (; more; more = reader.next(row)) {
    if (row.size() != width)
      fail_work(file, ": line ", reader.line(), " has ", row.size(), row.size() == 1 ? " field" : " fields",
                ", expected ", width, " as in line ", first_line);
    each(row, reader.line(), header);
  }
  return header;
}

std::string listed(const Row& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + shown(name);
  return out;
}

// Which columns of the file to read, in which order.
std::vector<size_t> chosen_columns(const CsvOptions& options, const Row& header, size_t width,
                                   std::string_view file) {
  std::vector<size_t> chosen;
  if (options.columns.empty())
    for (size_t i = 0; i < width; ++i) chosen.push_back(i);
  for (const std::string& name : options.columns) {
    if (header.empty())
      fail_call(file, ": column ", shown(name), " asked for, but the first row names no columns");
    const auto found = std::find(header.begin(), header.end(), name);
    if (found == header.end())
      fail_call(file, ": no column ", shown(name), ", expected one of ", listed(header));
    chosen.push_back(static_cast<size_t>(found - header.begin()));
  }
  return chosen;
}

std::string where(std::string_view file, int64_t line, size_t column, const Row& header) {
  const std::string name = column < header.size() ? " (" + shown(header[column]) + ")" : "";
  return join(file, ": line ", line, ", column ", column + 1, name);
}

}  // namespace

CsvText read_csv_text(Bytes bytes, std::string_view name, const CsvOptions& options) {
  CsvText table;
  std::vector<size_t> chosen;
  table.columns = read_table(bytes, name, options, [&](Row& row, int64_t, const Row& header) {
    if (chosen.empty()) chosen = chosen_columns(options, header, row.size(), name);
    if (options.columns.empty()) {
      table.rows.push_back(std::move(row));
      return;
    }
    Row picked;
    for (size_t column : chosen) picked.push_back(row[column]);
    table.rows.push_back(std::move(picked));
  });
  if (!options.columns.empty()) {
    chosen_columns(options, table.columns, 0, name);  // a wrong name is an error in a table without rows too
    table.columns = options.columns;
  }
  return table;
}

CsvNumbers read_csv(Bytes bytes, std::string_view name, const CsvOptions& options) {
  std::vector<double> values;
  std::vector<size_t> chosen;
  int64_t rows = 0;
  Row header = read_table(bytes, name, options, [&](Row& row, int64_t line, const Row& names) {
    if (chosen.empty()) chosen = chosen_columns(options, names, row.size(), name);
    for (size_t column : chosen) {
      const auto value = parse_number(row[column]);
      if (!value) fail_work(where(name, line, column, names), ": ", shown(row[column]), " is not a number");
      values.push_back(*value);
    }
    ++rows;
  });
  if (rows == 0) chosen = chosen_columns(options, header, header.size(), name);
  CsvNumbers table;
  table.columns = options.columns.empty() ? std::move(header) : options.columns;
  table.values = Tensor::of(Shape::unnamed({rows, static_cast<int64_t>(chosen.size())}), values);
  return table;
}

CsvText read_csv_text(const std::filesystem::path& path, const CsvOptions& options) {
  return read_csv_text(bytes_of(read_file(path)), path.string(), options);
}

CsvNumbers read_csv(const std::filesystem::path& path, const CsvOptions& options) {
  return read_csv(bytes_of(read_file(path)), path.string(), options);
}

}  // namespace limpid
