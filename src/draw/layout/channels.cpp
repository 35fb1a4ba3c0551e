#include "draw/layout/channels.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "draw/scene/text.h"

namespace limpid::draw {

int Layout::row_of(int layer) const {
  for (size_t r = 0; r < rows.size(); ++r)
    if (layer >= rows[r].first && layer <= rows[r].last) return static_cast<int>(r);
  return 0;
}

double Layout::approach(int e) const {
  const std::vector<int>& chain = chains[static_cast<size_t>(e)];
  return item(chain[chain.size() - 2]).y;
}

bool can_rise(const Layout& l, int e) {
  const Item &from = l.item(l.edge(e).from), &to = l.item(l.edge(e).to);
  return l.node(from.node).kind == Node::Kind::stage && l.chains[static_cast<size_t>(e)].size() == 2 &&
         from.y == to.y && from.height == to.height;
}

Span span_of(const Layout& l, const Framed& frame) {
  Span span = {std::numeric_limits<int>::max(), -1};
  for (int node : frame.nodes) {
    span.first = std::min(span.first, l.item(node).layer);
    span.last = std::max(span.last, l.item(node).layer);
  }
  return span;
}

double column_width(const Layout& l, int layer) {
  double width = 0;
  for (int i : l.layers[static_cast<size_t>(layer)]) width = std::max(width, l.item(i).width);
  return width;
}

namespace {

// ---- sides ---------------------------------------------------------------------------------------

// Whether the way of `source`'s value from height `from` straight into the middle of `node`, from above or
// below, is free.
bool way_is_free(const Layout& l, int node, int source, double from) {
  const Item& box = l.item(node);
  const double low = std::min(from, box.y), high = std::max(from, box.y);
  for (int i : l.layers[static_cast<size_t>(box.layer)])
    if (const Item& other = l.item(i); i != node && other.source != source &&
                                       other.y + other.height / 2 > low - 8 &&
                                       other.y - other.height / 2 < high + 8)
      return false;
  return true;
}

void spread(Layout& l, const std::vector<int>& edges, Side side, double step) {
  for (size_t i = 0; i < edges.size(); ++i)
    l.joins[static_cast<size_t>(edges[i])] = {
        side, (static_cast<double>(i) - (static_cast<double>(edges.size()) - 1) / 2) * step};
}

// What comes from well above or below a box that takes several values enters it by its top or bottom; all
// else by its left.
void choose_sides_of(Layout& l, int node) {
  std::vector<int> in, top, bottom, left, residual;
  for (int e = 0; e < l.edges(); ++e)
    if (l.edge(e).to == node) (l.edge(e).residual ? residual : in).push_back(e);
  std::stable_sort(in.begin(), in.end(), [&](int a, int b) { return l.approach(a) < l.approach(b); });
  const Item& box = l.item(node);
  for (int e : in) {
    const double y = l.approach(e), away = std::abs(y - box.y) - box.height / 2;
    const bool bent = in.size() > 1 && away >= 18 && way_is_free(l, node, l.edge(e).from, y);
    (!bent ? left : y < box.y ? top : bottom).push_back(e);
  }
  spread(l, left, Side::left,
         left.size() > 1 ? std::min(22.0, box.height / static_cast<double>(left.size() + 1)) : 0);
  const auto step = [&](const std::vector<int>& list) {
    return std::min(16.0, box.width / static_cast<double>(list.size() + 1));
  };
  std::reverse(top.begin(), top.end());  // the nearest lane turns first
  spread(l, top, Side::top, step(top));
  bottom.insert(bottom.end(), residual.begin(), residual.end());
  spread(l, bottom, Side::bottom, step(bottom));
}

// ---- gaps ----------------------------------------------------------------------------------------

// Where an edge's step into layer `layer` ends: the height of the port or lane.
double step_end(const Layout& l, int e, size_t step) {
  const std::vector<int>& chain = l.chains[static_cast<size_t>(e)];
  const Join& join = l.joins[static_cast<size_t>(e)];
  const Item& to = l.item(chain[step + 1]);
  if (step + 2 < chain.size()) return to.y;
  return join.side == Side::left ? to.y + join.offset : l.item(chain[step]).y;
}

double words_width(const EdgeWords& words, double size) {
  double width = text_width(words.above, size);
  if (!words.below.empty())
    for (const std::string& line : wrapped(words.below, size, k_name_width))
      width = std::max(width, text_width(line, size));
  return width;
}

// The room a value's words need before whatever else stands in the gap, when it leaves `node` for the next
// layer.
double words_need(const Layout& l, int node, bool raised) {
  const EdgeWords& words = l.words[static_cast<size_t>(node)];
  const double text = words_width(words, l.spacing.small);
  if (text == 0) return 0;
  double need = 0;
  for (int e = 0; e < l.edges(); ++e) {
    if (l.edge(e).from != node || l.edge(e).residual) continue;
    const std::vector<int>& chain = l.chains[static_cast<size_t>(e)];
    const Item& next = l.item(chain[1]);
    const double column = column_width(l, next.layer);
    const bool last = chain.size() == 2;
    if (!last && next.y == l.item(node).y) continue;  // a lane: the words stand along it
    if (last && l.joins[static_cast<size_t>(e)].side != Side::left)
      need = std::max(need, text + 16 - (column / 2 + l.joins[static_cast<size_t>(e)].offset));
    else if (raised && can_rise(l, e) && words.below.empty())
      need = std::max(need, text + 8 - (l.item(node).width + next.width) / 2 + 24);
    else
      need = std::max(need, text + 12);
  }
  return need;
}

// Left to right, the order of the lines that change height in a gap with the fewest crossings.
void order_tracks(const Layout& l, int layer, std::vector<int>& tracks) {
  struct Net {
    std::vector<double> in, out;
    double low() const {
      return std::min(*std::min_element(in.begin(), in.end()), *std::min_element(out.begin(), out.end()));
    }
    double high() const {
      return std::max(*std::max_element(in.begin(), in.end()), *std::max_element(out.begin(), out.end()));
    }
  };
  if (tracks.size() < 2 || tracks.size() > 6) return;
  const auto net_of = [&](int node) {
    Net net;
    for (int e = 0; e < l.edges(); ++e) {
      const std::vector<int>& chain = l.chains[static_cast<size_t>(e)];
      for (size_t i = 0; i + 1 < chain.size(); ++i)
        if (l.edge(e).from == node && l.item(chain[i + 1]).layer == layer) {
          net.in.push_back(l.item(chain[i]).y);
          net.out.push_back(step_end(l, e, i));
        }
    }
    return net;
  };
  const auto cost = [&](const std::vector<int>& order) {
    size_t count = 0;
    for (size_t a = 0; a < order.size(); ++a)
      for (size_t b = a + 1; b < order.size(); ++b) {
        const Net left = net_of(order[a]), right = net_of(order[b]);
        for (double y : left.out) count += y >= right.low() && y <= right.high();
        for (double y : right.in) count += y >= left.low() && y <= left.high();
      }
    return count;
  };
  std::vector<int> order = tracks;
  size_t least = cost(tracks);
  while (std::next_permutation(order.begin(), order.end()))
    if (const size_t count = cost(order); count < least) least = count, tracks = order;
}

}  // namespace

void choose_sides(Layout& l) {
  l.joins.assign(static_cast<size_t>(l.edges()), {});
  for (size_t i = 0; i < l.outline->nodes.size(); ++i) choose_sides_of(l, static_cast<int>(i));
}

Gap gap_before(const Layout& l, int layer, const std::vector<Span>& frames, bool raised) {
  Gap gap;
  for (const Span& span : frames) {
    if (span.last == layer - 1) gap.before += k_frame_pad;
    if (span.first == layer) gap.after += k_frame_pad;
  }
  std::set<int> moving;
  for (int e = 0; e < l.edges(); ++e) {
    const std::vector<int>& chain = l.chains[static_cast<size_t>(e)];
    for (size_t i = 0; i + 1 < chain.size(); ++i)
      if (l.item(chain[i + 1]).layer == layer && step_end(l, e, i) != l.item(chain[i]).y)
        moving.insert(l.edge(e).from);
  }
  gap.tracks.assign(moving.begin(), moving.end());
  order_tracks(l, layer, gap.tracks);
  for (int i : l.layers[static_cast<size_t>(layer - 1)])
    if (l.item(i).node >= 0) gap.label = std::max(gap.label, words_need(l, i, raised));
  const double tracks = moving.empty() ? 0 : 12 + k_track * static_cast<double>(moving.size() - 1) + k_arrow;
  const double rest = gap.after + tracks;
  gap.label = std::max(gap.label, k_least_gap - tracks);
  if (gap.after > 0 && tracks == 0) gap.after += k_arrow;
  gap.width = std::ceil(gap.before + gap.label + std::max(rest, gap.after + tracks));
  return gap;
}

}  // namespace limpid::draw
