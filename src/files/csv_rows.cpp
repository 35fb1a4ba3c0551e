#include "files/csv_rows.h"

#include <algorithm>

#include "limpid/error.h"

namespace limpid {

namespace {

constexpr std::string_view k_byte_order_mark = "\xef\xbb\xbf";

}  // namespace

std::string shown_field(std::string_view field) {
  constexpr size_t k_most = 40;
  std::string out = "'";
  for (char c : field.substr(0, k_most)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out + (field.size() > k_most ? "...'" : "'");
}

std::string shown_separator(char separator) {
  if (separator == ' ') return "blanks";
  return separator == '\t' ? "tabs" : shown_field({&separator, 1});
}

char found_separator(std::string_view text, bool blanks) {
  size_t at = text.starts_with(k_byte_order_mark) ? k_byte_order_mark.size() : 0;
  at = std::min(text.find_first_not_of("\r\n", at), text.size());
  bool quoted = false;
  std::string seen;
  for (; at < text.size() && (quoted || (text[at] != '\n' && text[at] != '\r')); ++at) {
    if (text[at] == '"') quoted = !quoted;
    if (!quoted) seen += text[at];
  }
  for (const char separator : {'\t', ';', ','})
    if (seen.find(separator) != seen.npos) return separator;
  const size_t first = seen.find_first_not_of(' '), last = seen.find_last_not_of(' ');
  const bool inner = first != seen.npos && seen.find(' ', first) < last;
  return blanks && inner ? ' ' : ',';
}

CsvRows::CsvRows(std::string_view text, std::string_view file, char separator, bool quotes)
    : text_(text), file_(file), separator_(separator), quotes_(quotes) {
  if (text_.starts_with(k_byte_order_mark)) text_.remove_prefix(k_byte_order_mark.size());
}

// Past LF, CRLF or CR.
void CsvRows::end_line() {
  if (at_end()) return;
  at_ += text_.substr(at_).starts_with("\r\n") ? 2 : 1;
  ++line_;
}

std::string CsvRows::plain_field() {
  const size_t start = at_;
  while (!at_line_end() && !at_separator()) ++at_;
  return std::string(text_.substr(start, at_ - start));
}

std::string CsvRows::quoted_field(size_t column, std::string& fault) {
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
  if (!at_line_end() && !at_separator()) {
    fault = join("line ", line_, ", column ", column, ": ", shown_field(text_.substr(at_, 1)),
                 " after a closing quote, expected ", shown_field({&separator_, 1}), " or the line's end");
    while (!at_line_end()) ++at_;
  }
  return field;
}

bool CsvRows::next(CsvRow& row) {
  std::string fault;
  const bool more = next(row, fault);
  if (!fault.empty()) fail_work(file_, ": ", fault);
  return more;
}

bool CsvRows::next(CsvRow& row, std::string& fault) {
  fault.clear();
  skip_blanks();
  while (!at_end() && at_line_end()) {
    end_line();
    skip_blanks();
  }
  row.clear();
  row_line_ = line_;
  if (at_end()) return false;
  for (;;) {
    const bool quoted = quotes_ && !at_end() && text_[at_] == '"';
    if (row.size() == k_most_columns)
      fail_work(file_, ": line ", row_line_, " has more than ", k_most_columns, " fields");
    row.push_back(quoted ? quoted_field(row.size() + 1, fault) : plain_field());
    skip_blanks();
    if (at_line_end()) break;
    if (separator_ == ' ') continue;
    ++at_;  // the separator
  }
  end_line();
  return true;
}

}  // namespace limpid
