// Columns, and in each column an order and heights, so that lines are straight and do not cross.
#include <algorithm>
#include <cmath>
#include <map>

#include "draw/layout/layout.h"

namespace limpid::draw {

namespace {

// Moves each node right of what it takes; true if one moved.
bool relax(const std::vector<Edge>& edges, std::vector<int>& column) {
  bool moved = false;
  for (const Edge& e : edges) {
    int& to = column[static_cast<size_t>(e.to)];
    if (const int least = column[static_cast<size_t>(e.from)] + 1; to < least) to = least, moved = true;
  }
  return moved;
}

// The nodes of a group that take nothing from within it: queries, keys and values.
std::vector<int> entries(const Layout& l, const Framed& group) {
  const auto inside = [&](int node) {
    return std::find(group.nodes.begin(), group.nodes.end(), node) != group.nodes.end();
  };
  std::vector<int> list;
  for (int node : group.nodes)
    if (std::none_of(l.outline->edges.begin(), l.outline->edges.end(),
                     [&](const Edge& e) { return e.to == node && inside(e.from); }))
      list.push_back(node);
  return list;
}

// Inputs and constants stand just before who needs them.
void pull_sources(const std::vector<Edge>& edges, std::vector<int>& column) {
  for (size_t i = 0; i < column.size(); ++i) {
    const auto enters = [&](const Edge& e) { return e.to == static_cast<int>(i); };
    if (std::any_of(edges.begin(), edges.end(), enters)) continue;
    int first = -1;
    for (const Edge& e : edges)
      if (e.from == static_cast<int>(i) && (first < 0 || column[static_cast<size_t>(e.to)] < first))
        first = column[static_cast<size_t>(e.to)];
    if (first > 0) column[i] = first - 1;
  }
}

// A further input stands in a column of its own beside the stream, so that no residual path has to pass it:
// who takes it moves one column on.  True if one moved.
bool make_room(const Layout& l, std::vector<int>& column) {
  const std::vector<Edge>& edges = l.outline->edges;
  for (size_t i = 0; i < column.size(); ++i) {
    const int source = static_cast<int>(i);
    const auto enters = [&](const Edge& e) { return e.to == source; };
    if (l.node(source).kind != Node::Kind::input || std::any_of(edges.begin(), edges.end(), enters)) continue;
    int first = -1;
    for (const Edge& e : edges)
      if (e.from == source && (first < 0 || column[static_cast<size_t>(e.to)] < first))
        first = column[static_cast<size_t>(e.to)];
    const bool taken = std::any_of(edges.begin(), edges.end(), [&](const Edge& e) {
      return e.residual && (column[static_cast<size_t>(e.from)] == first - 1 ||
                            column[static_cast<size_t>(e.to)] == first - 1);
    });
    if (!taken) continue;
    for (const Edge& e : edges)
      if (e.from == source && column[static_cast<size_t>(e.to)] == first) ++column[static_cast<size_t>(e.to)];
    return true;
  }
  return false;
}

// The longest way to each node from a node without inputs; what enters a group enters it in one column.
std::vector<int> columns(const Layout& l) {
  std::vector<Edge> edges = l.outline->edges;
  for (const auto& [left, right] : l.outline->behind) edges.push_back({left, right});
  std::vector<int> longest(l.outline->nodes.size(), 0);
  while (relax(edges, longest)) continue;
  std::vector<int> column = longest;
  std::vector<std::vector<int>> entered;  // by group
  for (const Framed& group : l.outline->groups) entered.push_back(entries(l, group));
  bool settled = false;
  for (size_t pass = 0; pass <= l.outline->nodes.size() && !settled; ++pass) {
    settled = !make_room(l, column);
    for (const std::vector<int>& group : entered) {
      int last = 0;
      for (int node : group) last = std::max(last, column[static_cast<size_t>(node)]);
      for (int node : group)
        if (column[static_cast<size_t>(node)] < last)
          column[static_cast<size_t>(node)] = last, settled = false;
    }
    while (relax(edges, column)) settled = false;
  }
  if (!settled) column = longest;  // one entry leads to another: they cannot stand in one column
  pull_sources(edges, column);
  return column;
}

// Lanes: one item in each layer that an edge passes, shared by all edges of one value.
void add_lanes(Layout& l) {
  std::map<std::pair<int, int>, int> lanes;  // (source, layer) -> item
  l.chains.assign(static_cast<size_t>(l.edges()), {});
  for (int e = 0; e < l.edges(); ++e) {
    if (l.edge(e).residual) continue;
    std::vector<int>& chain = l.chains[static_cast<size_t>(e)];
    const int from = l.edge(e).from, to = l.edge(e).to;
    chain.push_back(from);
    for (int layer = l.item(from).layer + 1; layer < l.item(to).layer; ++layer) {
      const auto [lane, fresh] = lanes.try_emplace({from, layer}, static_cast<int>(l.items.size()));
      if (fresh) l.items.push_back({-1, from, layer, 0, 0, 0, 0});
      chain.push_back(lane->second);
    }
    chain.push_back(to);
  }
}

// Which items each item is joined to in the layer before and in the layer after.
struct Neighbours {
  std::vector<std::vector<int>> before, after;
  std::vector<std::vector<bool>> steady;  // beside `before`
};

Neighbours neighbours_of(const Layout& l) {
  Neighbours n;
  n.before.resize(l.items.size());
  n.after.resize(l.items.size());
  n.steady.resize(l.items.size());
  for (int e = 0; e < l.edges(); ++e) {
    const std::vector<int>& chain = l.chains[static_cast<size_t>(e)];
    for (size_t i = 0; i + 1 < chain.size(); ++i) {
      std::vector<int>& before = n.before[static_cast<size_t>(chain[i + 1])];
      if (std::find(before.begin(), before.end(), chain[i]) != before.end()) continue;
      before.push_back(chain[i]);
      n.steady[static_cast<size_t>(chain[i + 1])].push_back(l.edge(e).steady);
      n.after[static_cast<size_t>(chain[i])].push_back(chain[i + 1]);
    }
  }
  return n;
}

bool constant(const Layout& l, int item) {
  const int node = l.item(item).node;
  return node >= 0 && l.node(node).constant;
}

int written(const Layout& l, int item) {
  const Item& it = l.item(item);
  return l.node(it.node >= 0 ? it.node : it.source).order;
}

// ---- order ---------------------------------------------------------------------------------------

size_t crossings(const Layout& l, const Neighbours& n, const std::vector<double>& place) {
  size_t count = 0;
  for (const std::vector<int>& layer : l.layers)
    for (size_t a = 0; a < layer.size(); ++a)
      for (size_t b = a + 1; b < layer.size(); ++b)
        for (int x : n.before[static_cast<size_t>(layer[a])])
          for (int y : n.before[static_cast<size_t>(layer[b])])
            count += place[static_cast<size_t>(x)] > place[static_cast<size_t>(y)];
  return count;
}

void number(const std::vector<int>& layer, std::vector<double>& place) {
  for (size_t i = 0; i < layer.size(); ++i) place[static_cast<size_t>(layer[i])] = static_cast<double>(i);
}

double mean(const std::vector<int>& items, const std::vector<double>& place) {
  double sum = 0;
  for (int i : items) sum += place[static_cast<size_t>(i)];
  return sum / static_cast<double>(items.size());
}

// Sorts a layer by the mean place of its neighbours on one side (the other side where there are none).
void sort_layer(const Layout& l, const Neighbours& n, bool down, std::vector<int>& layer,
                std::vector<double>& place) {
  std::vector<std::pair<double, int>> keys;
  for (int i : layer) {
    const std::vector<int>&before = n.before[static_cast<size_t>(i)],
          &after = n.after[static_cast<size_t>(i)];
    const std::vector<int>& near = (down && !before.empty()) || after.empty() ? before : after;
    const double key = near.empty() ? place[static_cast<size_t>(i)] : mean(near, place);
    keys.emplace_back(key + (constant(l, i) ? 0.25 : 0), i);
  }
  std::stable_sort(keys.begin(), keys.end(), [&](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : written(l, a.second) < written(l, b.second);
  });
  for (size_t i = 0; i < layer.size(); ++i) layer[i] = keys[i].second;
  number(layer, place);
}

void order_layers(Layout& l, const Neighbours& n) {
  std::vector<double> place(l.items.size(), 0);
  for (std::vector<int>& layer : l.layers) {
    std::stable_sort(layer.begin(), layer.end(), [&](int a, int b) { return written(l, a) < written(l, b); });
    number(layer, place);
  }
  std::vector<std::vector<int>> best;
  size_t least = 0;
  for (int sweep = 0; sweep < 6; ++sweep) {
    const bool down = sweep % 2 == 0;
    for (size_t k = 0; k < l.layers.size(); ++k)
      sort_layer(l, n, down, l.layers[down ? k : l.layers.size() - 1 - k], place);
    const size_t count = crossings(l, n, place);
    if (best.empty() || count < least) best = l.layers, least = count;
    if (least == 0) break;
  }
  l.layers = best;
}

// ---- heights -------------------------------------------------------------------------------------

double apart(const Layout& l, int above, int below) {
  const Item &a = l.item(above), &b = l.item(below);
  const double half = (a.height + b.height) / 2;
  if (a.node < 0 && b.node < 0) return k_track + 4;
  if (a.node < 0 || b.node < 0) return half + k_lane_gap;
  return half + (constant(l, above) || constant(l, below) ? k_lane_gap : l.spacing.box_gap);
}

// Heights as near as can be to those wished (least squares by weight), in order and far enough apart: the
// pool of adjacent violators.
void settle(Layout& l, const std::vector<int>& layer, const std::vector<double>& wish,
            const std::vector<double>& weight) {
  struct Pool {
    double sum, weight;
    size_t count;
    double at() const { return sum / weight; }
  };
  std::vector<Pool> pools;
  std::vector<double> offset(layer.size(), 0);
  for (size_t i = 0; i < layer.size(); ++i) {
    if (i > 0) offset[i] = offset[i - 1] + apart(l, layer[i - 1], layer[i]);
    pools.push_back({(wish[i] - offset[i]) * weight[i], weight[i], 1});
    while (pools.size() > 1 && pools[pools.size() - 2].at() > pools.back().at()) {
      const Pool last = pools.back();
      pools.pop_back();
      pools.back() = {pools.back().sum + last.sum, pools.back().weight + last.weight,
                      pools.back().count + last.count};
    }
  }
  size_t i = 0;
  for (const Pool& pool : pools)
    for (size_t k = 0; k < pool.count; ++k, ++i) l.item(layer[i]).y = std::round(pool.at() + offset[i]);
}

// Where an item would like to be: level with the stream it goes on, else in the middle of what it takes.
double wished_height(const Layout& l, const Neighbours& n, int item) {
  const std::vector<int>& before = n.before[static_cast<size_t>(item)];
  double steady = 0, any = 0;
  int steady_count = 0, count = 0;
  for (size_t k = 0; k < before.size(); ++k) {
    if (constant(l, before[k])) continue;
    any += l.item(before[k]).y, ++count;
    if (n.steady[static_cast<size_t>(item)][k]) steady += l.item(before[k]).y, ++steady_count;
  }
  if (steady_count > 0) return steady / steady_count;
  if (count > 0) return any / count;
  double sum = 0;
  for (int next : n.after[static_cast<size_t>(item)]) sum += l.item(next).y;
  return n.after[static_cast<size_t>(item)].empty()
             ? 0
             : sum / static_cast<double>(n.after[static_cast<size_t>(item)].size());
}

void place_heights(Layout& l, const Neighbours& n) {
  for (int pass = 0; pass < 3; ++pass)
    for (const std::vector<int>& layer : l.layers) {
      std::vector<double> wish, weight;
      for (int i : layer) {
        wish.push_back(layer.size() == 1 ? 0 : wished_height(l, n, i));
        const bool aside =
            l.item(i).node >= 0 && (constant(l, i) || n.before[static_cast<size_t>(i)].empty());
        weight.push_back(l.item(i).node < 0 ? 100 : aside ? 0.001 : 1);
      }
      settle(l, layer, wish, weight);
    }
}

}  // namespace

void place_layers(Layout& l, const std::vector<Rect>& sizes) {
  const std::vector<int> column = columns(l);
  l.items.clear();
  for (size_t i = 0; i < column.size(); ++i)
    l.items.push_back({static_cast<int>(i), -1, column[i], sizes[i].width, sizes[i].height, 0, 0});
  add_lanes(l);
  int last = 0;
  for (const Item& item : l.items) last = std::max(last, item.layer);
  l.layers.assign(static_cast<size_t>(last) + 1, {});
  for (size_t i = 0; i < l.items.size(); ++i)
    l.layers[static_cast<size_t>(l.items[i].layer)].push_back(static_cast<int>(i));
  const Neighbours n = neighbours_of(l);
  order_layers(l, n);
  place_heights(l, n);
}

}  // namespace limpid::draw
