// A table taken apart into rows of fields, as RFC 4180 has it and as people write it besides.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace limpid {

using CsvRow = std::vector<std::string>;

// A field takes 32 bytes and more in memory where an empty one takes one in the file, and no table that
// people make has so many columns: a line of separators that never ends is another kind of file.
inline constexpr size_t k_most_columns = 1'000'000;

/// A field as a file has it: in quotes where it would not read back without them.
std::string csv_field(const std::string& text);

/// A field in a message: short, in quotes, without anything a terminal would act on.
std::string shown_field(std::string_view field);

/// "','", "tabs", "blanks": what stands between fields, for a message.
std::string shown_separator(char separator);

/// The separator of the first line that is not empty: see k_csv_separator_automatic; `blanks`: whether they
/// may be one.
char found_separator(std::string_view text, bool blanks);

class CsvRows {
 public:
  /// `text` and `file` (for messages) outlive it.  `quotes`: whether "a ""b""" is a quoted field; otherwise a
  /// quote is a character like others.
  CsvRows(std::string_view text, std::string_view file, char separator, bool quotes = true);

  /// The next row that is not an empty line; false at the end.  Throws Error{work} naming the place where a
  /// quote is never closed, something stands behind a closing quote, or there are k_most_columns fields.
  bool next(CsvRow& row);
  /// The same, but where something stands behind a closing quote: `fault` says so, and the next row is that
  /// of the next line.  `fault` is empty for a sound row.
  bool next(CsvRow& row, std::string& fault);

  /// The line on which the last row began, from 1.
  int64_t line() const { return row_line_; }

 private:
  bool at_end() const { return at_ == text_.size(); }
  bool at_line_end() const { return at_end() || text_[at_] == '\n' || text_[at_] == '\r'; }
  bool at_separator() const { return text_[at_] == separator_ || (separator_ == ' ' && text_[at_] == '\t'); }
  // Blanks separate as one, however many; at a line's ends they separate nothing.
  void skip_blanks() {
    while (separator_ == ' ' && !at_line_end() && at_separator()) ++at_;
  }
  void end_line();
  std::string plain_field();
  std::string quoted_field(size_t column, std::string& fault);

  std::string_view text_;
  std::string_view file_;
  char separator_;
  bool quotes_;
  size_t at_ = 0;
  int64_t line_ = 1, row_line_ = 1;
};

}  // namespace limpid
