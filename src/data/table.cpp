// Which way a table is written.
#include "data/table.h"

#include "core/label.h"

namespace limpid::data {

namespace {

// "train.jsonl.gz" -> "train.jsonl", in small letters.
std::string unpacked_name(const std::string& file) {
  std::string name = lower_case(file);
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  return name;
}

bool is_json_lines(const DataFile& file, const TableFormat& format) {
  if (!format.separator.empty()) return format.separator == "jsonl";
  const std::string name = unpacked_name(file.name);
  if (name.ends_with(".jsonl") || name.ends_with(".ndjson")) return true;
  if (name.ends_with(".csv") || name.ends_with(".tsv")) return false;
  const std::vector<std::string_view> lines =
      lines_of(std::string_view(file.content).substr(0, size_t{1} << 16));
  return !lines.empty() && trimmed(lines[0]).starts_with('{');
}

}  // namespace

std::string Table::listed_columns() const {
  constexpr size_t k_most = 20;  // a message is no list of a thousand columns
  std::string out;
  for (size_t i = 0; i < columns_.size() && i < k_most; ++i) out += (i ? ", " : "") + in_quotes(columns_[i]);
  return columns_.size() > k_most ? join(out, ", ... (", columns_.size(), " in all)") : out;
}

std::unique_ptr<Table> open_table(DataFile file, const TableFormat& format,
                                  const std::function<bool(const Fields& first)>& names_columns) {
  require_text(file, "a table of text (.csv, .tsv, .jsonl)");
  if (trimmed(without_mark(file.content)).empty()) fail_work(file.name, ": holds no table: it is empty");
  if (format.separator.empty() && unpacked_name(file.name).ends_with(".json") &&
      trimmed(file.content).starts_with('['))
    fail_work(file.name, " is one JSON list, expected an object a line: jq -c '.[]' FILE > FILE.jsonl");
  if (is_json_lines(file, format)) return open_json_lines(std::move(file));
  TableFormat separated = format;
  if (separated.separator.empty() && unpacked_name(file.name).ends_with(".tsv")) separated.separator = "\t";
  return open_separated(std::move(file), separated, names_columns);
}

void fail_without_rows(const Table& table, const SkippedRows& skipped) {
  if (skipped.count == 0)
    fail_work(table.file(), ": holds no rows", table.has_header() ? " below the names of its columns" : "");
  fail_work(table.file(), ": ", none_usable(skipped, "row", table.file()));
}

}  // namespace limpid::data
