// maps: the weights of every head, pooled as they streamed by.
#include <algorithm>

#include "explore/attentions.h"
#include "explore/maps.h"
#include "explore/state.h"

namespace limpid::explore {

Map map_of(Run& run, const Attention& attention, int64_t size) {
  const std::string& pattern = run.graph().value(attention.pattern).name;
  const bool kept = !run.stored() && run.length() >= k_long_text;
  const int64_t count = kept ? run.kept_map() : size;
  const Trace& trace = run.read({{pattern, Depth::map, count}, {pattern, Depth::shape}});
  const Shape& shape = trace.summaries.at(pattern).shape;
  const Tensor& means = trace.values.at(pattern + "@map");  // of a stored run it may have other blocks
  const auto block = [&](int axis) {
    const int64_t blocks = std::max<int64_t>(1, means.shape()[axis].size);
    return std::max<int64_t>(1, (shape[axis].size + blocks - 1) / blocks);
  };
  return {&means, shape, block(2), block(3)};
}

namespace {

// The mean of the cells that `queries` by `keys` blocks of a map cover, of one head.
float pooled(const Map& map, int64_t head, Span queries, Span keys) {
  const Shape& blocks = map.means->shape();
  const float* of =
      map.means->data<float>() + (map.batch * blocks[1].size + head) * blocks[2].size * blocks[3].size;
  double sum = 0, cells = 0;
  for (int64_t t = queries.first; t < queries.end; ++t)
    for (int64_t s = keys.first; s < keys.end; ++s) {
      const double count = static_cast<double>(map.cells_of(2, t) * map.cells_of(3, s));
      sum += static_cast<double>(of[t * blocks[3].size + s]) * count;
      cells += count;
    }
  return static_cast<float>(sum / cells);
}

}  // namespace

Tensor coarser(const Map& map, int64_t head, int64_t times_queries, int64_t times_keys) {
  const Shape& blocks = map.means->shape();
  const auto parts = [](int64_t total, int64_t each) { return (total + each - 1) / each; };
  const int64_t rows = parts(blocks[2].size, times_queries), columns = parts(blocks[3].size, times_keys);
  Tensor out(DType::f32, {{Axis::T, rows}, {Axis::S, columns}});
  for (int64_t t = 0; t < rows; ++t)
    for (int64_t s = 0; s < columns; ++s)
      out.data<float>()[t * columns + s] =
          pooled(map, head, {t * times_queries, std::min((t + 1) * times_queries, blocks[2].size)},
                 {s * times_keys, std::min((s + 1) * times_keys, blocks[3].size)});
  return out;
}

namespace {

struct Means {
  Tensor of;                      // f32 [H,T',S']
  int64_t queries = 1, keys = 1;  // of a block
};

// Where each block is one cell: the weights, rebuilt as those of a window are.
Means single_cells(const SquareCells& cells, int64_t batch) {
  const Shape& shape = cells.shape();
  return {cells.window({0, shape[1].size}, {0, shape[2].size}, {0, shape[3].size}, batch)};
}

Means blocks_of(Run& run, const Attention& attention, int64_t size, int64_t batch) {
  Map map = map_of(run, attention, size);
  map.batch = batch;
  const Shape& blocks = map.means->shape();
  const auto times = [&](int axis) { return (blocks[axis].size + size - 1) / size; };
  Tensor means(DType::f32, {{Axis::H, attention.heads},
                            {Axis::T, (blocks[2].size + times(2) - 1) / times(2)},
                            {Axis::S, (blocks[3].size + times(3) - 1) / times(3)}});
  const int64_t each = means.count() / attention.heads;
  for (int64_t h = 0; h < attention.heads; ++h) {
    const Tensor one = coarser(map, h, times(2), times(3));
    std::copy_n(one.data<float>(), each, means.data<float>() + h * each);
  }
  return {std::move(means), map.queries * times(2), map.keys * times(3)};
}

// No run is needed for what is rebuilt from what the run keeps.
bool is_rebuilt(Run& run, const Attention& attention, int64_t size) {
  return run.is_short() && rebuilds(run, attention, "pattern") &&
         std::max(run.trace().tokens.size(), run.trace().source.size()) <= static_cast<size_t>(size);
}

}  // namespace

void ask_maps(State& state, Request& request, Answer& answer) {
  const int64_t size = request.integer_or("size", 64, 1, 512);
  const int64_t batch = batch_of(request, state);
  Run& run = asked_run(state, request, answer);
  const std::vector<Attention> all = attentions_of(run, Depth::map);
  int64_t heads = 0;
  for (const Attention& each : all) heads += each.heads;
  const int64_t side = std::min(size, std::max<int64_t>(run.length(), 1));
  require_room("maps", heads * side * side, DType::f32);
  if (run.stored() || run.length() < k_long_text) {
    std::vector<Observation> reads;
    for (const Attention& each : all)
      if (!is_rebuilt(run, each, size))
        reads.push_back({run.graph().value(each.pattern).name, Depth::map, size});
    run.read(reads);
  }
  Json& names = answer.fields["attentions"] = Json::array();
  for (const Attention& attention : all) {
    Means means = is_rebuilt(run, attention, size)
                      ? single_cells(SquareCells(run, attention, "pattern"), batch)
                      : blocks_of(run, attention, size, batch);
    names.push_back({{"name", attention.name},
                     {"heads", attention.heads},
                     {"queries", means.queries},
                     {"keys", means.keys}});
    answer.add(attention.name, std::move(means.of));
  }
}

}  // namespace limpid::explore
