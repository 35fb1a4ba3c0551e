// A table of numbers, one row a moment.
#include <algorithm>
#include <cmath>

#include "core/label.h"
#include "core/number_text.h"
#include "data/columns.h"
#include "data/gaps.h"
#include "data/readers.h"

namespace limpid {

namespace data {

namespace {

constexpr std::string_view k_time_names[] = {"date",  "time", "datetime", "timestamp",
                                             "month", "year", "day",      "ds"};

bool is_time_name(const std::string& column) {
  return std::find(std::begin(k_time_names), std::end(k_time_names), lower_case(trimmed(column))) !=
         std::end(k_time_names);
}

bool is_finite_number(std::string_view field) {
  const auto number = parse_number(trimmed(field));
  return number && std::isfinite(*number);
}

bool names_series(const Fields& first, const SeriesOptions& options) {
  const auto is_name = [](const std::string& asked) { return !asked.empty() && !is_finite_number(asked); };
  return is_time_name(first[0]) || std::none_of(first.begin(), first.end(), is_finite_number) ||
         is_name(options.time) || std::any_of(options.columns.begin(), options.columns.end(), is_name);
}

// What a first look at every row shows: which columns hold a number.  The table is read twice, because its
// cells as text take many times the memory of its numbers.
struct Overview {
  size_t rows = 0;
  Fields first;
  std::vector<bool> holds_number;
};

Overview look_over(const Table& table, SkippedRows& skipped) {
  std::vector<size_t> all(table.columns().size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  Overview seen;
  seen.holds_number.resize(all.size());
  table.each_row(all, skipped, [&](Fields& fields, int64_t) {
    if (seen.rows++ == 0) seen.first = fields;
    for (size_t i = 0; i < all.size(); ++i)
      if (!seen.holds_number[i]) seen.holds_number[i] = is_finite_number(fields[i]);
  });
  if (seen.rows == 0) fail_without_rows(table, skipped);
  return seen;
}

size_t named_column(const Table& table, const std::string& asked) {
  if (const auto found = find_column(table, asked)) return *found;
  fail_call(table.file(), ": no column ", in_quotes(asked), ", expected one of ", table.listed_columns(),
            " (", table.written(), ")");
}

std::optional<size_t> time_column(const Table& table, const Overview& seen, const SeriesOptions& options) {
  if (!options.time.empty()) return named_column(table, options.time);
  if (table.has_header() && is_time_name(table.columns()[0])) return 0;
  if (table.columns().size() > 1 && !seen.holds_number[0]) return 0;
  return std::nullopt;
}

std::vector<size_t> value_columns(const Table& table, const Overview& seen, const SeriesOptions& options,
                                  const std::optional<size_t>& time, std::vector<std::string>& left_out) {
  std::vector<size_t> chosen;
  for (const std::string& asked : options.columns) {
    const size_t column = named_column(table, asked);
    if (std::find(chosen.begin(), chosen.end(), column) != chosen.end())
      fail_call(table.file(), ": the column ", in_quotes(asked), " is asked for twice");
    if (!seen.holds_number[column])
      fail_work(table.file(), ": the column ", in_quotes(asked), " holds no number; its first row has ",
                in_quotes(seen.first[column]));
    chosen.push_back(column);
  }
  for (size_t i = 0; i < table.columns().size() && options.columns.empty(); ++i) {
    if (time == i) continue;
    if (seen.holds_number[i])
      chosen.push_back(i);
    else
      left_out.push_back(table.columns()[i]);
  }
  if (chosen.empty())
    fail_work(table.file(),
              ": no column holds numbers, expected one row of numbers a moment; its first row has ",
              in_quotes(seen.first.back()), " in its last column (", table.written(), ")");
  return chosen;
}

// Whether a comes before b: by value where both are numbers, by bytes where they are equally long
// (2016-07-01); nothing is known of other times.
std::optional<int> compared_times(const std::string& a, const std::string& b) {
  const auto x = parse_number(a), y = parse_number(b);
  if (x && y) return *x < *y ? -1 : *x > *y;
  const bool years = a.size() > 4 && a.size() == b.size() &&
                     std::all_of(a.begin(), a.begin() + 4, [](char c) { return c >= '0' && c <= '9'; });
  if (!years) return std::nullopt;
  return a < b ? -1 : a > b;
}

// A table with the latest moment first would teach a network to tell the past from the future.
void require_forwards(const Table& table, const std::vector<std::string>& times) {
  if (times.size() < 3) return;
  for (size_t i = 1; i < times.size(); ++i)
    if (const auto order = compared_times(times[i - 1], times[i]); !order || *order <= 0) return;
  fail_work(table.file(), ": its times run backwards, from ", in_quotes(times.front()), " to ",
            in_quotes(times.back()), "; sort its rows, the earliest first");
}

}  // namespace

SeriesTable series_table(DataFile file, const SeriesOptions& options) {
  const auto table = open_table(std::move(file), {options.separator, options.header, std::nullopt},
                                [&](const Fields& first) { return names_series(first, options); });
  SeriesTable out;
  const Overview seen = look_over(*table, out.skipped);
  const auto time = time_column(*table, seen, options);
  std::vector<size_t> columns = value_columns(*table, seen, options, time, out.left_out);
  for (const size_t column : columns) out.columns.push_back(table->columns()[column]);
  const size_t width = columns.size();
  out.values =
      Tensor(DType::f64, Shape::unnamed({static_cast<int64_t>(seen.rows), static_cast<int64_t>(width)}));
  double* next = out.values.data<double>();
  GapCounter gaps(out, options.gaps == Gaps::refuse);
  SkippedRows counted_already;
  if (time) columns.push_back(*time);
  table->each_row(columns, counted_already, [&](Fields& fields, int64_t line) {
    for (size_t i = 0; i < width; ++i)
      *next++ = gaps.value(fields[i], [&] {
        return join(table->line_name(line), ", column ", columns[i] + 1, " (", in_quotes(out.columns[i]),
                    ")");
      });
    if (time) out.times.emplace_back(trimmed(fields[width]));
  });
  require_forwards(*table, out.times);
  fill_gaps(out.values, options.gaps);
  return out;
}

}  // namespace data

SeriesTable read_series(const std::filesystem::path& path, const SeriesOptions& options) {
  SeriesTable out = data::series_table(data::read_data_file(path), options);
  std::filesystem::path about = path;
  if (about.extension() == ".gz") about.replace_extension();
  about.replace_extension(".names");
  std::error_code none;
  if (about != path && std::filesystem::is_regular_file(about, none)) {
    try {
      const auto lines = read_lines(about);
      if (!lines.empty()) out.about = data::trimmed(lines[0]);
    } catch (const Error&) {
      out.about.clear();  // a description that cannot be read is none
    }
  }
  return out;
}

}  // namespace limpid
