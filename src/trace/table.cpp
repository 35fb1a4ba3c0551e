#include "trace/table.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/width.h"
#include "trace/figures.h"

namespace limpid {

namespace {

constexpr size_t k_widest_heading = 12;

// A matrix seen as [rows, columns].
ConstView as_rows(const ConstView& numbers) {
  const Shape& shape = numbers.shape();
  if (shape.rank() == 2) return numbers;
  if (shape.rank() == 1) return numbers.reshaped({{Axis::none, 1}, shape[0]});
  return numbers.reshaped({{Axis::none, 1}, {Axis::none, 1}});
}

Figures figures_of(const ConstView& rows, const std::vector<int64_t>& places, int64_t columns, int decimals) {
  if (!is_floating(rows.dtype())) decimals = 0;
  std::vector<double> values;
  for (int64_t i : places)
    for (int64_t j = 0; i != k_gap && j < columns; ++j) values.push_back(rows.at({i, j}));
  return Figures(values, decimals);
}

// How a table uses the width of the page.
struct Layout {
  size_t first = 0;           // where the numbers begin
  size_t width = 0, gap = 3;  // of a column, and before it
  int64_t shown = 0;          // columns
};

size_t heading_width(const Reading& reading, Axis axis, int64_t columns) {
  size_t width = 0;
  for (int64_t j = 0; j < columns; ++j) width = std::max(width, display_width(reading.label(axis, j)));
  return std::min(width, k_widest_heading);
}

Layout layout(const Paper& paper, size_t labels, size_t width, int64_t columns) {
  Layout out = {k_indent + labels, width, 3, columns};
  const size_t room = paper.columns() - std::min(out.first, paper.columns());
  const auto fitting = [&](size_t gap) { return static_cast<int64_t>(room / (width + gap)); };
  if (fitting(3) < columns) out.gap = 2;
  out.shown = std::min(columns, fitting(out.gap));
  if (out.shown < columns)
    out.shown =
        std::max<int64_t>(1, static_cast<int64_t>((room - std::min<size_t>(room, 3)) / (width + out.gap)));
  return out;
}

void print_headings(Paper& paper, const Reading& reading, Axis axis, const Layout& at) {
  Line& line = paper.line();
  size_t end = at.first;
  for (int64_t j = 0; j < at.shown; ++j) {
    end += at.gap + at.width;
    line.right(clip_to_width(reading.label(axis, j), at.width), end, Ink::faint);
  }
}

}  // namespace

std::vector<std::string> row_labels(const Reading& reading, Axis axis, const std::vector<int64_t>& places,
                                    size_t most, int64_t of) {
  std::vector<std::string> labels;
  size_t width = 0;
  for (int64_t place : places) {
    labels.push_back(place == k_gap ? "⋮" : clip_to_width(reading.label(axis, place, of), most));
    width = std::max(width, display_width(labels.back()));
  }
  for (std::string& label : labels) label = pad_to_width(label, width);
  return labels;
}

void print_gap(Paper& paper, const Reading& reading, Axis axis, int64_t left_out) {
  const std::string thing = reading.thing(axis) == "number" ? "row" : reading.thing(axis);
  paper.line(k_indent).add("⋮ " + grouped(left_out) + " more " +
                               counted(left_out, thing).substr(counted(left_out, "").find(' ') + 1),
                           Ink::faint);
}

ShownRows shown_rows(int64_t size, const std::vector<int64_t>& places, int64_t length, int64_t most) {
  ShownRows out;
  if (places.empty()) length = size;
  out.left_out = length;
  for (const int64_t position : kept(length, most)) {
    int64_t index = position;
    if (position != k_gap && !places.empty()) {
      const auto at = std::lower_bound(places.begin(), places.end(), position);
      index = at != places.end() && *at == position ? at - places.begin() : k_gap;
    }
    if (index == k_gap && (out.index.empty() || out.index.back() == k_gap)) continue;
    out.index.push_back(index);
    out.positions.push_back(index == k_gap ? k_gap : position);
    out.left_out -= index != k_gap;
  }
  return out;
}

void print_table(Paper& paper, const Reading& reading, const ConstView& numbers, Ink ink,
                 const PageOptions& options, const std::vector<int64_t>& places) {
  const ConstView rows = as_rows(numbers);
  const Dim row = rows.shape()[0], column = rows.shape()[1];
  const ShownRows shown = shown_rows(row.size, places, reading.length(), options.most_rows);
  const std::vector<std::string> labels =
      row_labels(reading, row.axis, shown.positions, std::min<size_t>(20, paper.columns() / 4),
                 places.empty() ? row.size : 0);
  const bool named = !reading.label(column.axis, 0).empty();
  // As many columns as fit with the width that they need; those that are not shown widen none.
  Figures figures({}, options.decimals);
  Layout at;
  const int64_t most = std::min<int64_t>(column.size, 64);
  for (int64_t columns = most;; --columns) {
    figures = figures_of(rows, shown.index, columns, options.decimals);
    size_t width = figures.width();
    if (named) width = std::max(width, heading_width(reading, column.axis, columns));
    at = layout(paper, labels.empty() ? 0 : display_width(labels[0]), width, column.size);
    if (at.shown < columns && columns > 1) continue;
    if (columns < most) at.shown = columns;
    break;
  }
  if (named) print_headings(paper, reading, column.axis, at);
  for (size_t i = 0; i < shown.index.size(); ++i) {
    if (shown.index[i] == k_gap) {
      print_gap(paper, reading, row.axis, shown.left_out);
      continue;
    }
    Line& line = paper.line(k_indent).add(labels[i]);
    size_t end = at.first;
    for (int64_t j = 0; j < at.shown; ++j) {
      end += at.gap + at.width;
      line.right(figures.text(rows.at({shown.index[i], j})), end, ink);
    }
    if (at.shown < column.size) line.add(" …", Ink::faint);
  }
  if (at.shown < column.size)
    paper.line(k_indent).add(
        join("… the first ", at.shown, " of ", counted(column.size, reading.thing(column.axis))), Ink::faint);
}

namespace {

// The places of the largest numbers of a row, largest first; NaN comes first, so that nobody misses it.
std::vector<int64_t> largest_places(const ConstView& row, size_t most) {
  std::vector<int64_t> order(static_cast<size_t>(row.shape()[0].size));
  std::iota(order.begin(), order.end(), 0);
  std::vector<double> values;
  for (int64_t place : order) values.push_back(row.at({place}));
  const auto before = [&](int64_t a, int64_t b) {
    const double x = values[static_cast<size_t>(a)], y = values[static_cast<size_t>(b)];
    if (std::isnan(x) != std::isnan(y)) return std::isnan(x);
    return x != y && !std::isnan(x) ? x > y : a < b;
  };
  most = std::min(most, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(most), order.end(), before);
  order.resize(most);
  return order;
}

}  // namespace

void print_largest(Paper& paper, const Reading& reading, const ConstView& numbers, const PageOptions& options,
                   const std::vector<int64_t>& places) {
  const ConstView rows = as_rows(numbers);
  const Dim row = rows.shape()[0], column = rows.shape()[1];
  constexpr size_t k_candidates = 6;
  const ShownRows shown = shown_rows(row.size, places, reading.length(), options.most_rows);
  const std::vector<std::string> labels =
      row_labels(reading, row.axis, shown.positions, std::min<size_t>(20, paper.columns() / 4),
                 places.empty() ? row.size : 0);
  for (size_t i = 0; i < shown.index.size(); ++i) {
    if (shown.index[i] == k_gap) {
      print_gap(paper, reading, row.axis, shown.left_out);
      continue;
    }
    const ConstView one = rows.window(0, shown.index[i], 1).reshaped({column});
    const std::vector<int64_t> best = largest_places(one, k_candidates);
    std::vector<double> values;
    for (int64_t place : best) values.push_back(one.at({place}));
    const Figures figures(values, options.decimals);
    Line& line = paper.line(k_indent).add(labels[i]);
    for (int64_t place : best) {
      const std::string label = clip_to_width(reading.label(column.axis, place), k_widest_heading);
      const std::string number = figures.text(one.at({place}));
      if (!line.fits(label + " " + number, 5)) break;
      line.skip(3).add(label, Ink::faint).add(" " + number);
    }
    line.add(" …", Ink::faint);
  }
  paper.line(k_indent).add(
      join("… the largest of ", counted(column.size, reading.thing(column.axis)), " a row"), Ink::faint);
}

void print_bars(Paper& paper, const Reading& reading, const ConstView& row, const PageOptions& options,
                size_t most) {
  const std::vector<int64_t> best = largest_places(row, most);
  const std::vector<std::string> labels =
      row_labels(reading, row.shape()[0].axis, best, std::min<size_t>(24, paper.columns() / 3));
  std::vector<double> values;
  for (int64_t place : best) values.push_back(row.at({place}));
  const Figures figures(values, options.decimals);
  double top = 0;
  for (double value : values)
    if (std::isfinite(value)) top = std::max(top, value);
  const size_t used = k_indent + (labels.empty() ? 0 : display_width(labels[0])) + 3 + figures.width() + 1;
  const size_t room = std::min<size_t>(48, paper.columns() - std::min(paper.columns(), used));
  for (size_t i = 0; i < best.size(); ++i) {
    Line& line = paper.line(k_indent).add(labels[i]).skip(3);
    line.right(figures.text(values[i]), line.width() + figures.width()).skip(1);
    line.add(bar(top > 0 ? values[i] / top : 0, room));
  }
  const int64_t left = row.shape()[0].size - static_cast<int64_t>(best.size());
  if (left > 0) paper.line(k_indent).add("⋮ " + grouped(left) + " more, each less likely", Ink::faint);
}

}  // namespace limpid
