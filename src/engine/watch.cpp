#include "engine/watch.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace limpid {

namespace {

constexpr int64_t k_most_top = 64;       // of the kernel
constexpr int64_t k_most_map = 1 << 16;  // blocks a side: more than any sentence has tokens
constexpr int64_t k_most_queries = 256;  // in a row of the kernel's map

int64_t parts(int64_t total, int64_t part) { return part == 0 ? 0 : (total + part - 1) / part; }

// The block of queries that the kernel adds up: the map's own, or the largest part of it that the kernel
// takes.
int64_t kernel_queries(int64_t wanted) {
  for (int64_t part = (wanted + k_most_queries - 1) / k_most_queries; part > 1; ++part)
    if (wanted % part == 0) return wanted / part;
  return wanted;
}

// Queries and keys of a block of the map.
struct Blocks {
  int64_t queries, keys;
};
Blocks blocks_of(int64_t most, const Shape& weights) {
  const auto size = [&](int64_t total) { return std::max<int64_t>(1, parts(total, most)); };
  return {size(weights[2].size), size(weights[3].size)};
}

void set_once(int64_t& to, int64_t count, const std::string& name, const char* depth) {
  if (to != 0 && to != count)
    fail_call("observe: '", name, "' is asked for as ", depth, ":", to, " and as ", depth, ":", count,
              ", expected one of them");
  to = count;
}

// Is key a before key b among the largest weights?  As the kernel has it: a NaN before all numbers.
bool before(const float* row, int32_t a, int32_t b) {
  const bool a_nan = std::isnan(row[a]), b_nan = std::isnan(row[b]);
  if (a_nan || b_nan) return a_nan && (!b_nan || a < b);
  return row[a] > row[b] || (row[a] == row[b] && a < b);
}

}  // namespace

void add(Streamed& to, const Observation& o, const std::string& name) {
  if (o.depth == Depth::entropy) to.entropy = true;
  if (o.depth == Depth::top) set_once(to.top, o.count ? o.count : 8, name, "top");
  if (o.depth == Depth::map) set_once(to.map, o.count ? o.count : 64, name, "map");
  if (to.top < 0 || to.top > k_most_top)
    fail_call("observe: '", name, ":top:", to.top, "': expected 1 to ", k_most_top);
  if (to.map < 0 || to.map > k_most_map)
    fail_call("observe: '", name, ":map:", to.map, "': expected 1 to ", k_most_map, " blocks a side");
}

GroupWatch watch_room(const Streamed& wanted, const Shape& weights) {
  const Dim b = weights[0], h = weights[1], t = weights[2], s = weights[3];
  GroupWatch w;
  if (wanted.top > 0) {
    w.top = wanted.top;
    w.top_weights = Tensor(DType::f32, {b, h, t, {Axis::N, wanted.top}});
    w.top_keys = Tensor(DType::i32, {b, h, t, {Axis::N, wanted.top}});
  }
  if (wanted.entropy) w.entropy = Tensor(DType::f32, {b, h, t});
  if (wanted.map > 0) {
    const Blocks blocks = blocks_of(wanted.map, weights);
    w.block_queries = blocks.queries;
    w.map_queries = kernel_queries(blocks.queries);
    w.map_keys = blocks.keys;
    w.map = Tensor(DType::f32,
                   {b, h, {Axis::T, parts(t.size, w.map_queries)}, {Axis::S, parts(s.size, w.map_keys)}});
  }
  return w;
}

void watch_stored(GroupWatch& w, const ConstView& weights) {
  const Shape& shape = weights.shape();
  const int64_t keys = shape[3].size, rows = keys ? shape.count() / keys : 0, queries = shape[2].size;
  const Tensor numbers = Tensor::copy_of(weights).to(DType::f32);
  const int64_t columns = parts(keys, w.map_keys), map_rows = parts(queries, w.map_queries);
  if (w.map_keys > 0) std::fill_n(w.map.data<float>(), w.map.count(), 0.f);
  std::vector<int32_t> order(static_cast<size_t>(keys));
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = numbers.data<float>() + r * keys;
    if (w.top > 0) {
      std::iota(order.begin(), order.end(), 0);
      const int64_t found = std::min(w.top, keys);
      std::partial_sort(order.begin(), order.begin() + found, order.end(),
                        [&](int32_t a, int32_t b) { return before(row, a, b); });
      for (int64_t j = 0; j < w.top; ++j) {
        const bool any = j < found && !(row[order[static_cast<size_t>(j)]] <= 0);
        w.top_keys.data<int32_t>()[r * w.top + j] = any ? order[static_cast<size_t>(j)] : -1;
        w.top_weights.data<float>()[r * w.top + j] = any ? row[order[static_cast<size_t>(j)]] : 0;
      }
    }
    if (w.entropy.count() > 0) {
      double sum = 0;
      for (int64_t s = 0; s < keys; ++s)
        if (row[s] != 0) sum -= row[s] * std::log(static_cast<double>(row[s]));
      w.entropy.data<float>()[r] = static_cast<float>(sum);
    }
    if (w.map_keys > 0) {
      float* to = w.map.data<float>() + (r / queries * map_rows + r % queries / w.map_queries) * columns;
      for (int64_t s = 0; s < keys; ++s) to[s / w.map_keys] += row[s];
    }
  }
}

void hand_over(GroupWatch&& w, const std::string& name, const Shape& weights,
               std::map<std::string, Tensor>& values) {
  if (w.top > 0) {
    values[join(name, "@top", w.top, ".weight")] = std::move(w.top_weights);
    values[join(name, "@top", w.top, ".index")] = std::move(w.top_keys);
  }
  if (w.entropy.count() > 0) values[name + "@entropy"] = std::move(w.entropy);
  if (w.map_keys == 0) return;
  // Rows of the kernel's map that are one of the wanted, added; sums to means over the cells there are.
  const int64_t queries = weights[2].size, keys = weights[3].size, rows = w.map.shape()[2].size;
  const int64_t columns = w.map.shape()[3].size, heads = weights[0].size * weights[1].size;
  const int64_t block = w.block_queries;
  const int64_t each = block / w.map_queries, pooled = parts(rows, each);
  Tensor map(DType::f32, {weights[0], weights[1], {Axis::T, pooled}, {Axis::S, columns}});
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t r = 0; r < pooled; ++r)
      for (int64_t c = 0; c < columns; ++c) {
        double sum = 0;
        for (int64_t i = r * each; i < std::min(rows, (r + 1) * each); ++i)
          sum += w.map.data<float>()[(h * rows + i) * columns + c];
        const int64_t tall = std::min(queries, (r + 1) * block) - r * block;
        const int64_t wide = std::min(keys, (c + 1) * w.map_keys) - c * w.map_keys;
        map.data<float>()[(h * pooled + r) * columns + c] =
            static_cast<float>(sum / static_cast<double>(tall * wide));
      }
  values[name + "@map"] = std::move(map);
}

void require_weights(const Graph& graph, int value, const std::string& pattern) {
  const int stage = graph.value(value).stage;
  const int group = stage < 0 ? -1 : graph.stage(stage).group;
  if (group >= 0) {
    const GroupInfo& info = graph.groups()[static_cast<size_t>(group)];
    if (graph.value(value).name == info.name + ".pattern") return;
  }
  fail_call("observe: '", pattern,
            "' are no attention weights; top, entropy and map are of a pattern, such as ",
            "blocks.0.attn.pattern:entropy");
}

}  // namespace limpid
