#include "data/columns.h"

#include <algorithm>
#include <charconv>

#include "core/label.h"

namespace limpid::data {

namespace {

std::optional<size_t> as_number(const std::string& text) {
  size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The last part of "translation.en" is what it is called.
std::string plain_name(std::string_view column) {
  const size_t dot = column.rfind('.');
  return lower_case(trimmed(dot == column.npos ? column : column.substr(dot + 1)));
}

bool is_usual(const std::string& column, const WantedColumn& wanted) {
  return std::find(wanted.usual.begin(), wanted.usual.end(), plain_name(column)) != wanted.usual.end();
}

size_t asked_column(const Table& table, const WantedColumn& wanted) {
  if (const auto found = find_column(table, wanted.asked)) return *found;
  if (!table.has_header())
    fail_call(table.file(), ": no column ", in_quotes(wanted.asked), " for the ", wanted.what,
              ", expected a number from 0 to ", table.columns().size() - 1,
              " (its first row does not name the columns; ", table.written(), ")");
  fail_call(table.file(), ": no column ", in_quotes(wanted.asked), " for the ", wanted.what,
            ", expected one of ", table.listed_columns(), " (", table.written(), ")");
}

}  // namespace

std::optional<size_t> usual_or_asked(const Table& table, const WantedColumn& wanted) {
  if (!wanted.asked.empty()) return asked_column(table, wanted);
  if (!table.has_header()) return std::nullopt;
  for (const std::string_view usual : wanted.usual)
    for (size_t i = 0; i < table.columns().size(); ++i)
      if (plain_name(table.columns()[i]) == usual) return i;
  return std::nullopt;
}

bool names_columns(const Fields& first, const TwoWanted& wanted) {
  for (const WantedColumn& column : wanted) {
    if (!column.asked.empty() && !as_number(column.asked)) return true;
    if (std::any_of(first.begin(), first.end(), [&](const auto& field) { return is_usual(field, column); }))
      return true;
  }
  return false;
}

std::optional<size_t> find_column(const Table& table, const std::string& asked) {
  const Fields& columns = table.columns();
  const auto exact = std::find(columns.begin(), columns.end(), asked);
  if (exact != columns.end()) return static_cast<size_t>(exact - columns.begin());
  std::optional<size_t> found;
  for (size_t i = 0; i < columns.size(); ++i)
    if (lower_case(columns[i]) == lower_case(asked)) {
      if (found)
        fail_call(table.file(), ": ", in_quotes(asked), " may be ", in_quotes(columns[*found]), " or ",
                  in_quotes(columns[i]), "; write it as the file does");
      found = i;
    }
  if (found) return found;
  if (const auto number = as_number(asked); number && *number < columns.size()) return number;
  return std::nullopt;
}

void fail_to_guess(const Table& table, const WantedColumn& wanted) {
  const std::string question =
      join(table.file(), ": which column holds the ", wanted.what, "? Set ", wanted.option);
  if (table.has_header())
    fail_call(question, " to one of ", table.listed_columns(), " (", table.written(), ")");
  fail_call(question, " to its number, 0 to ", table.columns().size() - 1, ", or ", wanted.header,
            ", if the first row names the columns (", table.written(), ")");
}

std::optional<std::array<size_t, 2>> two_columns(const Table& table, const TwoWanted& wanted) {
  const size_t width = table.columns().size();
  if (width < 2)
    fail_call(table.file(), ": has one column (", table.written(), "), expected one of ", wanted[0].what,
              " and one of ", wanted[1].what);
  auto first = usual_or_asked(table, wanted[0]), second = usual_or_asked(table, wanted[1]);
  if (first && second && *first == *second) {  // what was asked for counts; a guess gives way
    if (!wanted[0].asked.empty() && !wanted[1].asked.empty())
      fail_call(table.file(), ": the ", wanted[0].what, " and the ", wanted[1].what,
                " cannot both be column ", in_quotes(table.columns()[*first]));
    (wanted[0].asked.empty() ? first : second).reset();
  }
  if (width == 2) {
    if (!first && !second) return std::nullopt;
    if (!first) first = 1 - *second;
    if (!second) second = 1 - *first;
  }
  if (!first) fail_to_guess(table, wanted[0]);
  if (!second) fail_to_guess(table, wanted[1]);
  return std::array{*first, *second};
}

}  // namespace limpid::data
