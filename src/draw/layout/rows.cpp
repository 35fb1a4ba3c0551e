// Rows: where the network is cut.
#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "draw/layout/channels.h"

namespace limpid::draw {

namespace {

// One row less is worth a little more than the width asked for.
constexpr double k_stretch = 1.08;

int layer_count(const Layout& l) { return static_cast<int>(l.layers.size()); }

// The frames that stand within a row: groups, and blocks when they are not rows of their own.
std::vector<Span> spans(const Layout& l, bool blocks) {
  std::vector<Span> all;
  for (const Framed& frame : l.outline->groups) all.push_back(span_of(l, frame));
  if (blocks)
    for (const Framed& frame : l.outline->blocks) all.push_back(span_of(l, frame));
  return all;
}

// What it costs to start a new row before `layer`; nothing if it cannot be.  A result stays in the row that
// gives it, but where a block ends, whose frame holds whole rows.
std::optional<double> cut_cost(const Layout& l, int layer, const std::vector<Span>& frames,
                               bool of_block = false) {
  std::set<int> crossing;
  double pending = 0;
  for (int e = 0; e < l.edges(); ++e)
    if (l.item(l.edge(e).from).layer < layer && l.item(l.edge(e).to).layer >= layer && !l.edge(e).residual)
      crossing.insert(l.edge(e).from);
  if (crossing.empty()) return 0;  // what stands behind without taking anything
  if (crossing.size() != 1 || l.item(*crossing.begin()).layer != layer - 1) return std::nullopt;
  if (l.node(*crossing.begin()).kind == Node::Kind::words) return std::nullopt;
  for (int i : l.layers[static_cast<size_t>(layer)])
    if (!of_block && l.item(i).node >= 0 && l.node(l.item(i).node).kind == Node::Kind::result)
      return std::nullopt;
  for (const Span& span : frames)
    if (span.first < layer && layer <= span.last) return std::nullopt;
  for (int e = 0; e < l.edges(); ++e)
    if (l.edge(e).residual && l.item(l.edge(e).from).layer < layer && l.item(l.edge(e).to).layer >= layer)
      pending += l.edge(e).from == *crossing.begin() ? 0.1 : 1;
  return pending;
}

double entry_width(const std::vector<Gap>& gaps, int layer) {
  const Gap& gap = gaps[static_cast<size_t>(layer)];
  return layer == 0 ? 0 : 60 + gap.after + k_track * static_cast<double>(gap.tracks.size());
}

// The gaps with labels between the boxes, and with labels above them.
struct Choice {
  std::vector<Gap> beside, raised;
};

double row_width(const Layout& l, const std::vector<Gap>& gaps, int first, int last) {
  double width = entry_width(gaps, first) + column_width(l, first);
  for (int k = first + 1; k <= last; ++k) width += gaps[static_cast<size_t>(k)].width + column_width(l, k);
  if (last + 1 < layer_count(l)) width += gaps[static_cast<size_t>(last) + 1].before + 40;
  return width;
}

Row row_of_layers(const Layout& l, const Choice& gaps, int first, int last, double width) {
  Row row;
  row.first = first;
  row.last = last;
  row.raised = row_width(l, gaps.beside, first, last) > width * k_stretch;
  return row;
}

// The cheapest rows for the layers [first, end): few, then cut in good places, then even.
std::vector<Row> cut(const Layout& l, const Choice& gaps, int first, int end, double width,
                     const std::vector<Span>& frames) {
  const double never = std::numeric_limits<double>::infinity();
  const auto count = static_cast<size_t>(end - first);
  std::vector<double> cost(count + 1, never);
  std::vector<size_t> from(count + 1, 0);
  cost[0] = 0;
  for (size_t to = 1; to <= count; ++to)
    for (size_t start = 0; start < to; ++start) {
      const int a = first + static_cast<int>(start), b = first + static_cast<int>(to) - 1;
      const std::optional<double> here = start == 0 ? 0.0 : cut_cost(l, a, frames);
      if (!here || cost[start] == never) continue;
      const Row row = row_of_layers(l, gaps, a, b, width);
      const double room = row_width(l, row.raised ? gaps.raised : gaps.beside, a, b) / width;
      const double little = std::max(0.0, room - 1), much = std::max(0.0, room - k_stretch);
      const double total = cost[start] + *here + 4 + 30 * little + 1000 * much + (1 - room) * (1 - room);
      if (total < cost[to]) cost[to] = total, from[to] = start;
    }
  std::vector<Row> rows;
  for (size_t to = count; to > 0; to = from[to])
    rows.push_back(
        row_of_layers(l, gaps, first + static_cast<int>(from[to]), first + static_cast<int>(to) - 1, width));
  std::reverse(rows.begin(), rows.end());
  return rows;
}

Choice gaps_of(const Layout& l, const std::vector<Span>& frames) {
  Choice gaps = {{{}}, {{}}};
  for (int layer = 1; layer < layer_count(l); ++layer) {
    gaps.beside.push_back(gap_before(l, layer, frames, false));
    gaps.raised.push_back(gap_before(l, layer, frames, true));
  }
  return gaps;
}

void keep(Layout& l, const Choice& gaps) {
  l.gaps = gaps.beside;
  for (const Row& row : l.rows)
    for (int layer = row.first + 1; row.raised && layer <= row.last; ++layer)
      l.gaps[static_cast<size_t>(layer)] = gaps.raised[static_cast<size_t>(layer)];
}

// All in one row, if it fits.
bool one_row(Layout& l, double width) {
  const Choice gaps = gaps_of(l, spans(l, true));
  const Row row = row_of_layers(l, gaps, 0, layer_count(l) - 1, width);
  if (row_width(l, row.raised ? gaps.raised : gaps.beside, row.first, row.last) > width * k_stretch)
    return false;
  l.rows = {row};
  keep(l, gaps);
  return true;
}

// Blocks have rows of their own.
void several_rows(Layout& l, double width) {
  const std::vector<Span> frames = spans(l, false);
  const Choice gaps = gaps_of(l, frames);
  std::set<int> starts = {0, layer_count(l)};
  for (const Framed& block : l.outline->blocks) {
    const Span span = span_of(l, block);
    for (int layer : {span.first, span.last + 1})
      if (layer > 0 && layer < layer_count(l) && cut_cost(l, layer, frames, true)) starts.insert(layer);
  }
  for (const auto& [left, right] : l.outline->behind)
    if (const int layer = l.item(right).layer; layer > 0 && cut_cost(l, layer, frames)) starts.insert(layer);
  l.rows.clear();
  for (auto start = starts.begin(); std::next(start) != starts.end(); ++start)
    for (const Row& row : cut(l, gaps, *start, *std::next(start), width, frames)) l.rows.push_back(row);
  keep(l, gaps);
}

}  // namespace

void place_rows(Layout& l, double width) {
  choose_sides(l);
  const double room = width - 2 * k_margin;
  if (!one_row(l, room)) several_rows(l, room);
}

}  // namespace limpid::draw
