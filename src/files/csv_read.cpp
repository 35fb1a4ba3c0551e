// CSV: https://www.rfc-editor.org/rfc/rfc4180, and what people write besides.
#include <algorithm>
#include <functional>

#include "core/number_text.h"
#include "files/csv_rows.h"
#include "limpid/files.h"

namespace limpid {

namespace {

using Row = CsvRow;

bool is_number(const std::string& field) { return parse_number(field).has_value(); }

std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// Where the numbers stand in a table, beside its names.
struct Layout {
  char separator = ',';
  bool header = false;        // the first row names the columns
  bool labels = false;        // the first column names the rows
  bool short_header = false;  // the header has no field for the column of labels
  size_t width = 0;           // fields of a row
  int64_t width_line = 1;     // the line that tells it
};

Layout find_layout(Bytes bytes, std::string_view file, const CsvOptions& options, bool numbers) {
  if (std::string_view("\"\r\n").find(options.separator) != std::string_view::npos)
    fail_call("csv: the separator cannot be a quote or a line end");
  Layout layout;
  layout.separator = options.separator == k_csv_separator_automatic ? found_separator(text_of(bytes), numbers)
                                                                    : options.separator;
  CsvRows reader(text_of(bytes), file, layout.separator);
  Row first, row;
  if (!reader.next(first)) fail_work(file, ": holds no table: it is empty");
  layout.width = first.size();
  layout.width_line = reader.line();
  const bool may_label = numbers && options.labels != CsvLabels::absent;
  const bool only_names = std::none_of(first.begin(), first.end(), is_number);
  const bool corner = may_label && first.size() > 1 && first[0].empty() &&
                      std::any_of(first.begin() + 1, first.end(), [](const auto& f) { return !f.empty(); });
  layout.header = options.header == CsvHeader::present ||
                  (options.header == CsvHeader::automatic && (only_names || corner));
  bool more = reader.next(row);
  if (more && may_label && layout.header && row.size() == first.size() + 1) {
    layout.short_header = true;
    layout.width = row.size();
    layout.width_line = reader.line();
  }
  if (!may_label || layout.width < 2) return layout;
  layout.labels = options.labels == CsvLabels::present || layout.short_header || (layout.header && corner);
  if (layout.labels) return layout;
  const auto names = [](const Row& r) { return !r[0].empty() && !is_number(r[0]); };
  layout.labels = (layout.header || names(first)) && (more || !layout.header);
  for (; more && layout.labels; more = reader.next(row)) layout.labels = names(row);
  return layout;
}

// Reads the header, then calls each(row, line, header) for the rows, all of one width; returns the header.
Row read_table(Bytes bytes, std::string_view file, const Layout& layout,
               const std::function<void(Row& row, int64_t line, const Row& header)>& each) {
  CsvRows reader(text_of(bytes), file, layout.separator);
  Row row, header;
  bool more = reader.next(row);
  if (layout.header) {
    header = row;
    if (layout.short_header) header.insert(header.begin(), "");
    more = reader.next(row);
  }
  for (; more; more = reader.next(row)) {
    if (row.size() != layout.width)
      fail_work(file, ": line ", reader.line(), " has ", row.size(), row.size() == 1 ? " field" : " fields",
                ", expected ", layout.width, " as in line ", layout.width_line, " (separated by ",
                shown_separator(layout.separator), ")");
    each(row, reader.line(), header);
  }
  return header;
}

std::string listed(const Row& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + shown_field(name);
  return out;
}

// Which columns of the file to read, in which order.
std::vector<size_t> chosen_columns(const CsvOptions& options, const Row& header, size_t width,
                                   std::string_view file, bool labels = false) {
  std::vector<size_t> chosen;
  if (options.columns.empty())
    for (size_t i = labels ? 1 : 0; i < width; ++i) chosen.push_back(i);
  for (const std::string& name : options.columns) {
    if (header.empty())
      fail_call(file, ": column ", shown_field(name), " asked for, but the first row names no columns");
    const auto found = std::find(header.begin(), header.end(), name);
    if (found == header.end())
      fail_call(file, ": no column ", shown_field(name), ", expected one of ", listed(header));
    chosen.push_back(static_cast<size_t>(found - header.begin()));
  }
  return chosen;
}

// "1,5" is a number where decimals have a comma.
bool has_decimal_comma(std::string field) {
  const size_t comma = field.find(',');
  if (comma == field.npos) return false;
  field[comma] = '.';
  return parse_number(field).has_value();
}

std::string where(std::string_view file, int64_t line, size_t column, const Row& header) {
  const std::string name = column < header.size() ? " (" + shown_field(header[column]) + ")" : "";
  return join(file, ": line ", line, ", column ", column + 1, name);
}

}  // namespace

CsvText read_csv_text(Bytes bytes, std::string_view name, const CsvOptions& options) {
  CsvText table;
  std::vector<size_t> chosen;
  const Layout layout = find_layout(bytes, name, options, false);
  table.columns = read_table(bytes, name, layout, [&](Row& row, int64_t, const Row& header) {
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
  const Layout layout = find_layout(bytes, name, options, true);
  CsvNumbers table;
  std::vector<double> values;
  std::vector<size_t> chosen;
  int64_t rows = 0;
  Row header = read_table(bytes, name, layout, [&](Row& row, int64_t line, const Row& names) {
    if (chosen.empty()) chosen = chosen_columns(options, names, row.size(), name, layout.labels);
    for (size_t column : chosen) {
      const auto value = parse_number(row[column]);
      if (!value)
        fail_work(
            where(name, line, column, names), ": ", shown_field(row[column]), " is not a number",
            row.size() == 1 ? join(" (fields are separated by ", shown_separator(layout.separator), ")") : "",
            has_decimal_comma(row[column]) ? "; a decimal is written with a point" : "");
      values.push_back(*value);
    }
    if (layout.labels) table.labels.push_back(std::move(row[0]));
    ++rows;
  });
  if (rows == 0) chosen = chosen_columns(options, header, header.size(), name, layout.labels);
  if (layout.labels && !header.empty()) header.erase(header.begin());
  if (options.columns.empty())
    table.columns = std::move(header);
  else
    table.columns = options.columns;
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
