// A table of texts, however it is written: fields between separators, or a JSON object a line.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/content.h"
#include "limpid/data.h"

namespace limpid::data {

using Fields = std::vector<std::string>;

/// What a caller may say about how a table is written; empty: found out.
struct TableFormat {
  std::string separator;  // ",", "\t", ";", "jsonl", ...
  std::optional<bool> header, quotes;
};

class Table {
 public:
  /// What each_row calls: the fields that were wanted, in that order, and the line on which the row begins.
  using EachRow = std::function<void(Fields& fields, int64_t line)>;

  virtual ~Table() = default;

  const std::string& file() const { return file_.name; }
  /// Names; without a header "0", "1", ...
  const Fields& columns() const { return columns_; }
  bool has_header() const { return has_header_; }
  /// "fields are separated by ','", "an object a line": for a message.
  virtual std::string written() const = 0;

  /// Calls `each` for every sound row, and adds the others to `skipped`.
  virtual void each_row(const std::vector<size_t>& wanted, SkippedRows& skipped,
                        const EachRow& each) const = 0;

  /// "train.csv: line 17"
  std::string line_name(int64_t line) const { return join(file(), ": line ", line); }
  /// "'text', 'category'"
  std::string listed_columns() const;

 protected:
  explicit Table(DataFile file) : file_(std::move(file)) {}

  DataFile file_;
  Fields columns_;
  bool has_header_ = true;
};

/// `names_columns` says whether a first row names the columns, where the format does not.  Throws Error{work}
/// for a file that is empty or no text.
std::unique_ptr<Table> open_table(DataFile file, const TableFormat& format,
                                  const std::function<bool(const Fields& first)>& names_columns);

/// Throws Error{work}: the table has no row that can be used.
[[noreturn]] void fail_without_rows(const Table& table, const SkippedRows& skipped);

// The two kinds; open_table chooses.
std::unique_ptr<Table> open_separated(DataFile file, const TableFormat& format,
                                      const std::function<bool(const Fields& first)>& names_columns);
std::unique_ptr<Table> open_json_lines(DataFile file);

}  // namespace limpid::data
