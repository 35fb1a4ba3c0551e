#include "engine/rooms.h"

#include <algorithm>

#include "engine/attention_call.h"
#include "kernels/attention_decode.h"
#include "kernels/cache.h"
#include "kernels/kernel.h"

namespace limpid {

namespace {

using kernels::launch;

kernels::Cache cache_of(const Room& room) {
  const Shape& s = room.rows.shape();
  const int64_t keys = s[1].size, heads = s[2].size, width = s[3].size;
  kernels::Cache cache;
  cache.type = room.rows.dtype();
  cache.data = room.rows.raw();
  cache.at = {keys * heads * width, heads * width, width};
  if (cache.type == DType::i8) {
    cache.scales = room.scales.data<float>();
    cache.scales_at = {keys * heads, heads, 1};
  }
  return cache;
}

void require_room(const Value& value, const Room& room) {
  require_room_type(join("run: the room '", value.name, "'").c_str(), room.rows.dtype());
  const Shape& shape = room.rows.shape();
  bool fits = shape.rank() == 4 && value.shape.rank() == 4 && room.rows.contiguous();
  for (int i = 0; fits && i < 4; ++i)
    fits = value.shape[i].size == k_symbolic || value.shape[i].size == shape[i].size;
  if (!fits)
    fail_call("run: the room '", value.name, "' is ", shape.text(), ", expected ", value.shape.text(),
              " without gaps");
  if (room.rows.dtype() != DType::i8) return;
  const Shape scales = {shape[0], shape[1], shape[2]};
  if (room.scales.dtype() != DType::f32 || !room.scales.shape().same_sizes(scales) ||
      !room.scales.contiguous())
    fail_call("run: the scales of the room '", value.name, "' are ", name(room.scales.dtype()), " ",
              room.scales.shape().text(), ", expected f32 ", scales.text(), " without gaps");
}

// Has the kernel of decode all the terms?
bool decodes(const kernels::AttentionArgs& a) {
  return !a.bias && !a.distances && !a.window_after && !a.symmetric_slopes && a.dropout == 0;
}

// Queries at once: rows of the cache are converted once for so many of them (and their heads), and what a
// task keeps of each stays small.
constexpr int64_t k_queries = 16;

void decode(const AttentionCall& call, const Room& keys, const Room& values, int64_t t0) {
  const kernels::AttentionArgs& a = call.args;
  const int64_t count = std::min(k_queries, a.shape.queries - t0), row = a.shape.heads * count;
  kernels::DecodeArgs d;
  d.shape = a.shape;
  d.shape.queries = count;
  d.q = static_cast<const float*>(a.q) + t0 * a.q_at.row;
  d.q_at = a.q_at;
  d.keys = cache_of(keys), d.values = cache_of(values);
  d.scale = a.scale, d.softcap = a.softcap;
  d.causal = a.causal, d.window = a.window;
  d.first_query = *a.first_query + t0;
  std::vector<int64_t> firsts = call.firsts;
  for (int64_t& first : firsts) first += t0;
  if (!firsts.empty()) d.first_queries = firsts.data();
  // Keys that nobody sees yet are no work: a row's bits depend on those it sees alone.
  if (a.causal) d.shape.keys = std::clamp<int64_t>(call.largest_first() + t0 + count, 0, a.shape.keys);
  d.key_lengths = a.key_lengths;
  d.slopes = a.slopes, d.sinks = a.sinks;
  d.z = static_cast<float*>(a.z) + t0 * a.z_at.row;
  d.z_at = a.z_at;
  std::vector<float> lse(static_cast<size_t>(2 * a.shape.batch * row)),
      partials(static_cast<size_t>(kernels::decode_partials(d.shape)));
  d.lse = lse.data(), d.lse_rest = d.lse + a.shape.batch * row;
  d.partials = partials.data();
  launch(kernels::AttentionDecode(d));
  launch(kernels::AttentionDecodeMerge(d));
  for (int64_t head = 0; head < a.shape.batch * a.shape.heads; ++head) {
    std::copy_n(d.lse + head * count, count, a.lse + head * a.shape.queries + t0);
    std::copy_n(d.lse_rest + head * count, count, a.lse_rest + head * a.shape.queries + t0);
  }
}

}  // namespace

void require_room_type(const char* what, DType type) {
  if (type != DType::f32 && type != DType::bf16 && type != DType::f16 && type != DType::i8)
    fail_call(what, " is of ", name(type), ", expected f32, bf16, f16 or i8");
}

std::map<int, const Room*> rooms_of(const Graph& graph, const RunOptions& options) {
  std::map<int, const Room*> rooms;
  if (options.rooms.empty()) return rooms;
  if (options.plain)
    fail_call("run: rooms of fewer bits than f32 are read by the kernels alone; bind them as f32 values");
  for (const auto& [name, room] : options.rooms) {
    const int value = graph.require(name);
    require_room(graph.value(value), room);
    for (const StageInfo& stage : graph.stages())
      if (std::count(stage.inputs.begin(), stage.inputs.end(), value) > 0 &&
          (!stage.operation->writes_in_place() || stage.inputs[0] != value))
        fail_call("run: '", name, "' is read by '", stage.name, "', expected a room that append() reads");
    rooms[value] = &room;
  }
  return rooms;
}

void append_to(const Room& room, const ConstView& rows, const RunContext& context) {
  const Shape& s = rows.shape();
  const int64_t capacity = room.rows.shape()[1].size;
  std::vector<int64_t> places;
  for (int64_t b = 0; b < s[0].size; ++b) {
    const int64_t first = places.emplace_back(context.first_of(b));
    if (first < 0 || first > capacity - s[1].size)
      fail_call("append: ", s[1].size, " rows from position ", first, " on, but the room has ", capacity,
                " rows; give one with place for more");
  }
  kernels::CacheWrite write;
  write.to = cache_of(room);
  write.from = static_cast<const float*>(rows.raw());
  write.from_at = strides_of(rows);
  write.batch = s[0].size, write.rows = s[1].size, write.heads = s[2].size, write.width = s[3].size;
  write.capacity = capacity;
  write.write_indices = places.data();
  launch(write);
}

Tensor rows_in(const Room& room, int64_t first, int64_t count) {
  Tensor out = Tensor::copy_of(room.rows.window(1, first, count)).to(DType::f32);
  if (room.rows.dtype() != DType::i8) return out;
  const Tensor scales = Tensor::copy_of(room.scales.window(1, first, count));
  const int64_t width = out.shape()[3].size;
  float* row = out.data<float>();
  for (int64_t i = 0; i < scales.count(); ++i, row += width)
    for (int64_t d = 0; d < width; ++d) row[d] *= scales.data<float>()[i];
  return out;
}

void attention_in_rooms(const GroupInfo& group, Inputs in, const Room& keys, const Room& values, Outputs out,
                        const RunContext& context) {
  AttentionCall call(group, in, context);
  kernels::AttentionArgs& a = call.args;
  a.z = out[0].data<float>();
  a.z_at = strides_of(out[0]);
  a.lse = out[1].data<float>();
  a.lse_rest = out[2].data<float>();
  if (decodes(a)) {
    for (int64_t t = 0; t < a.shape.queries; t += k_queries) decode(call, keys, values, t);
    return;
  }
  const int64_t seen =
      a.causal ? std::clamp<int64_t>(call.largest_first() + a.shape.queries, 0, a.shape.keys) : a.shape.keys;
  const Tensor k = rows_in(keys, 0, seen), v = rows_in(values, 0, seen);
  a.shape.keys = seen;
  a.k = k.raw(), a.v = v.raw();
  a.k_at = strides_of(k.view()), a.v_at = strides_of(v.view());
  launch(kernels::AttentionForward(a));
}

}  // namespace limpid
