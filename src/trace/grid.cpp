#include "trace/grid.h"

#include <algorithm>
#include <cmath>

#include "core/width.h"
#include "trace/edits.h"
#include "trace/figures.h"
#include "trace/table.h"

namespace limpid {

namespace {

constexpr const char *k_masked = "·", *k_cut = "×";

// How a grid uses the page: the same for every band of heads.
struct Layout {
  std::vector<int64_t> rows, columns;  // positions
  int64_t left_out = 0;                // rows
  std::vector<std::string> labels;
  size_t first = 0;                 // where the first head begins
  size_t number = 0, mark = 0;      // a cell: the number, then a space and `mark` columns of bar
  size_t gap = 2;                   // before a cell
  size_t abreast = 1, between = 3;  // heads side by side
  const Edits* edits = nullptr;     // of the run
  size_t cell() const { return number + (mark ? mark + 1 : 0); }
  size_t head() const { return columns.size() * (gap + cell()); }
};

bool one_head(const Grid& grid) { return grid.heads.size() == 1; }

// Scores say themselves what is masked; a weight is masked where its score was.
bool is_masked(const Reading& reading, const Grid& grid, const Index& at) {
  if (grid.weights) return reading.masked(grid.layer, at[0], at[1], at[2]);
  const double score = grid.at(at[0], at[1], at[2]);
  return std::isinf(score) && score < 0;
}

Figures figures_of(const Reading& reading, const Grid& grid, const std::vector<int64_t>& rows,
                   const PageOptions& options) {
  std::vector<double> values;
  for (int64_t head : grid.heads)
    for (int64_t t : rows)
      for (int64_t s = 0; t != k_gap && s < grid.keys(); ++s)
        if (!is_masked(reading, grid, {head, t, s})) values.push_back(grid.at(head, t, s));
  return Figures(values, one_head(grid) ? options.decimals : std::min(options.decimals, 2));
}

ShownRows rows_of(const Grid& grid, const PageOptions& options) {
  return shown_rows(grid.cells.length, grid.cells.places, grid.cells.length, options.most_rows);
}

Layout layout(const Paper& paper, const Reading& reading, const Grid& grid, const PageOptions& options) {
  Layout at;
  const ShownRows shown = rows_of(grid, options);
  at.rows = shown.positions;
  at.left_out = shown.left_out;
  at.labels = row_labels(reading, Axis::T, at.rows, std::min<size_t>(16, paper.columns() / 5));
  at.first = k_indent + (at.labels.empty() ? 0 : display_width(at.labels[0])) + 1;
  const int64_t keys = grid.keys();
  const size_t room = paper.columns() - std::min(paper.columns(), at.first);
  at.number = figures_of(reading, grid, at.rows, options).width();
  size_t widest = 0;
  for (int64_t s = 0; s < std::min<int64_t>(keys, 64); ++s)
    widest = std::max(widest, display_width(reading.label(Axis::S, s)));
  if (grid.weights && !paper.pen().colour()) at.mark = 1;
  if (one_head(grid)) {
    const size_t each = room / static_cast<size_t>(std::max<int64_t>(keys, 1));
    if (at.mark && each >= at.gap + at.number + 1 + 4)
      at.mark = std::min<size_t>(10, each - at.gap - at.number - 1);
    const size_t wanted = std::min<size_t>(widest, 10);
    if (wanted > at.cell() && each >= at.gap + wanted) at.number += wanted - at.cell();
  }
  at.columns = kept(keys, static_cast<int64_t>(room / (at.gap + at.cell())));
  const auto abreast = [&] { return std::max<size_t>(1, (room + at.between) / (at.head() + at.between)); };
  at.abreast = abreast();
  if (grid.heads.size() > at.abreast) {  // closer together, if that brings another head beside them
    at.gap = 1;
    if (abreast() > at.abreast)
      at.abreast = abreast();
    else
      at.gap = 2;
  }
  while (!one_head(grid) &&
         at.cell() < std::min<size_t>(widest, 10)) {  // room for whole labels, if it costs no head its place
    const size_t before = at.abreast;
    ++at.number;
    const bool fits =
        at.head() + (std::min(before, grid.heads.size()) - 1) * (at.head() + at.between) <= room;
    if (!fits) {
      --at.number;
      break;
    }
  }
  at.abreast = abreast();
  return at;
}

// The columns that do not fit on the page.
void print_left_out(Line& line, const Layout& at) {
  const size_t end = line.width() + at.gap + at.cell();
  line.right("…", line.width() + (at.gap + at.cell() + 1) / 2, Ink::faint).to(end);
}

// What stands in one cell.
void print_cell(Line& line, const Reading& reading, const Grid& grid, const Layout& at,
                const Figures& figures, const Index& place) {
  const size_t end = line.width() + at.gap + at.cell();
  if (is_masked(reading, grid, place)) {
    const bool cut = at.edits && at.edits->is_cut(grid.layer, place[0], place[1], place[2]);
    line.right(cut ? k_cut : k_masked, end - (at.mark ? at.mark + 1 : 0), Ink::faint).to(end);
    return;
  }
  const double value = grid.at(place[0], place[1], place[2]);
  const std::string number = figures.text(value);
  if (grid.weights && line.pen().colour()) {
    // The ground fills the cell and its gap, so that neighbours touch.
    const size_t after = at.gap / 2, width = at.gap + at.cell() - after;
    line.shaded(std::string(width > number.size() ? width - number.size() : 0, ' ') + number +
                    std::string(after, ' '),
                value);
    return;
  }
  line.right(number, end - (at.mark ? at.mark + 1 : 0), Ink::weights);
  if (at.mark) line.skip(1).add(at.mark == 1 ? level(value) : bar(value, at.mark), Ink::weights);
  line.to(end);
}

void print_headings(Paper& paper, const Reading& reading, const Grid& grid, const Layout& at, size_t from,
                    size_t to) {
  if (grid.heads.size() > 1) {
    Line& line = paper.line();
    for (size_t h = from; h < to; ++h)
      line.to(at.first + (h - from) * (at.head() + at.between) + at.gap)
          .add(reading.label(Axis::H, grid.heads[h]), Ink::plain, true);
  }
  Line& line = paper.line();
  for (size_t h = from; h < to; ++h) {
    size_t begin = at.first + (h - from) * (at.head() + at.between);
    for (int64_t s : at.columns) {
      if (s == k_gap) {
        print_left_out(line.to(begin), at);
        begin += at.gap + at.cell();
        continue;
      }
      const std::string label = clip_to_width(reading.label(Axis::S, s), at.cell());
      // Over its number; a bar's label begins where the number does.
      const size_t width = display_width(label);
      const bool bars = at.mark > 1;
      const size_t end = bars || width > at.number
                             ? begin + at.gap + std::max(width, bars ? width : at.cell())
                             : begin + at.gap + at.number;
      line.right(label, end, Ink::faint);
      begin += at.gap + at.cell();
    }
  }
}

}  // namespace

size_t heads_abreast(const Paper& paper, const Reading& reading, const Grid& grid,
                     const PageOptions& options) {
  return layout(paper, reading, grid, options).abreast;
}

size_t print_grid(Paper& paper, const Reading& reading, const Grid& grid, const PageOptions& options,
                  size_t most_bands) {
  const Edits edits(reading.trace());
  Layout at = layout(paper, reading, grid, options);
  const Figures figures = figures_of(reading, grid, at.rows, options);
  at.edits = &edits;
  const size_t count = std::min(grid.heads.size(), at.abreast * most_bands);
  for (size_t from = 0; from < count; from += at.abreast) {
    const size_t to = std::min(count, from + at.abreast);
    if (from > 0) paper.blank();
    print_headings(paper, reading, grid, at, from, to);
    for (size_t i = 0; i < at.rows.size(); ++i) {
      if (at.rows[i] == k_gap) {
        print_gap(paper, reading, Axis::T, at.left_out);
        continue;
      }
      Line& line = paper.line(k_indent).add(at.labels[i]);
      for (size_t h = from; h < to; ++h) {
        line.to(at.first + (h - from) * (at.head() + at.between));
        for (int64_t s : at.columns) {
          if (s == k_gap)
            print_left_out(line, at);
          else
            print_cell(line, reading, grid, at, figures, {grid.heads[h], at.rows[i], s});
        }
      }
    }
  }
  const int64_t keys = grid.keys();
  bool any_masked = false;
  for (size_t h = 0; h < count; ++h)
    for (int64_t t : at.rows)
      for (int64_t s : at.columns)
        any_masked |= t != k_gap && s != k_gap && is_masked(reading, grid, {grid.heads[h], t, s});
  if (std::any_of(grid.heads.begin(), grid.heads.end(),
                  [&](int64_t head) { return !edits.cut(grid.layer, head).empty(); }))
    paper.line(k_indent).add("× cut: an edit took this edge away", Ink::alarm);
  if (any_masked)
    paper.line(k_indent).add(join(k_masked, " masked: this ", reading.thing(Axis::T), " may not look there"),
                             Ink::faint);
  if (static_cast<int64_t>(at.columns.size()) < keys)
    paper.line(k_indent).add(
        join("… ", at.columns.size() - 1, " of ", counted(keys, "column"), " fit on the page"), Ink::faint);
  return count;
}

void print_small_grid(Paper& paper, const Reading& reading, const Grid& grid, const PageOptions& options) {
  const ShownRows shown = rows_of(grid, options);
  const std::vector<int64_t>& rows = shown.positions;
  const std::vector<std::string> labels =
      row_labels(reading, Axis::T, rows, std::min<size_t>(16, paper.columns() / 5));
  const size_t first = k_indent + (labels.empty() ? 0 : display_width(labels[0])) + 2, between = 3;
  const size_t room = paper.columns() - std::min(paper.columns(), first);
  const std::vector<int64_t> columns = kept(grid.keys(), static_cast<int64_t>(room / 2));
  const size_t width = std::max<size_t>(2 * columns.size(), 7);
  const size_t abreast = std::max<size_t>(1, (room + between) / (width + between));
  for (size_t from = 0; from < grid.heads.size(); from += abreast) {
    const size_t to = std::min(grid.heads.size(), from + abreast);
    Line& heading = paper.line();
    for (size_t h = from; h < to; ++h)
      heading.to(first + (h - from) * (width + between))
          .add(reading.label(Axis::H, grid.heads[h]), Ink::faint);
    for (size_t i = 0; i < rows.size(); ++i) {
      if (rows[i] == k_gap) {
        print_gap(paper, reading, Axis::T, shown.left_out);
        continue;
      }
      Line& line = paper.line(k_indent).add(labels[i]);
      for (size_t h = from; h < to; ++h) {
        line.to(first + (h - from) * (width + between));
        for (int64_t s : columns) {
          if (s == k_gap || reading.masked(grid.layer, grid.heads[h], rows[i], s)) {
            line.add(s == k_gap ? " …" : " ·", Ink::faint);
            continue;
          }
          static const char* const k_shades[] = {"░░", "▒▒", "▓▓", "██"};
          const double weight = grid.at(grid.heads[h], rows[i], s);
          if (!std::isfinite(weight))
            line.add(" !", Ink::alarm);
          else if (paper.pen().colour())
            line.shaded("  ", weight);
          else
            line.add(k_shades[static_cast<int>(std::clamp(weight * 4, 0.0, 3.0))]);
        }
      }
    }
  }
}

}  // namespace limpid
