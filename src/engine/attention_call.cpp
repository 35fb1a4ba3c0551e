#include "engine/attention_call.h"

#include <algorithm>

#include "limpid/ops.h"

namespace limpid {

kernels::HeadStrides strides_of(const ConstView& x) {  // [B,T,H,D]
  return {x.strides()[0], x.strides()[1], x.strides()[2]};
}

AttentionCall::AttentionCall(const GroupInfo& group, Inputs in, const RunContext& context) {
  const Shape &q = in[0].shape(), &k = in[1].shape(), &v = in[2].shape();
  args.shape = {q[0].size, q[1].size, k[1].size, q[2].size, k[2].size, q[3].size, v[3].size};
  args.q = in[0].raw();
  args.k = in[1].raw();
  args.v = in[2].raw();
  args.q_at = strides_of(in[0]);
  args.k_at = strides_of(in[1]);
  args.v_at = strides_of(in[2]);
  const Options& o = group.options;
  args.scale = static_cast<float>(o.real("scale", 1));
  args.softcap = static_cast<float>(o.real("softcap"));
  args.causal = o.flag("causal");
  args.window = o.integer("window");
  if (o.has("window_after")) args.window_after = o.integer("window_after");
  args.first_query = o.integer("first_query") + context.first_position;
  for (int64_t first : context.first_positions) firsts.push_back(o.integer("first_query") + first);
  if (!firsts.empty()) args.first_queries = firsts.data();
  size_t next = 3;
  if (o.flag("lengths")) set_lengths(in[next++]);
  if (o.flag("documents")) {
    args.query_documents = in[next++].data<int64_t>();
    args.key_documents = in[next++].data<int64_t>();
  }
  if (o.flag("relative_bias")) set_relative_bias(in[next++], o);
  if (o.flag("patch_bias")) set_patch_bias(in[next++], o);
  if (o.flag("bias")) {
    const ConstView& added = in[next++];  // [B,H,T,S]
    args.bias = added.data<float>();
    args.bias_at = {added.strides()[0], added.strides()[2], added.strides()[1]};
  }
  if (o.flag("sinks")) args.sinks = in[next++].data<float>();
  if (o.flag("alibi")) {
    for (int64_t h = 0; h < args.shape.heads; ++h)
      slopes.push_back(static_cast<float>(alibi_slope(h, args.shape.heads)));
    args.slopes = slopes.data();
  }
  args.dropout = o.real("dropout");
  args.drawn.batch = context.before(args.shape.batch);  // channels of a series are rows, too
  if (const RunContext::Part* of = args.shape.batch == 1 ? context.part_of(args.shape.queries) : nullptr)
    args.drawn = {0, of->first, 0, of->whole, 0};
  if (const RunContext::Part* of = args.shape.batch == 1 ? context.part_of(args.shape.keys) : nullptr)
    args.drawn.key = of->first, args.drawn.keys = of->whole;
  args.seed = context.seed;
  args.stream = static_cast<uint32_t>(o.integer("stream"));
  args.step = static_cast<uint32_t>(context.step);
}

void AttentionCall::set_lengths(const ConstView& given) {
  args.key_lengths = given.data<int64_t>();
  for (int64_t b = 0; b < args.shape.batch; ++b)
    if (args.key_lengths[b] < 0 || args.key_lengths[b] > args.shape.keys)
      fail_call("lengths[", b, "] is ", args.key_lengths[b], ", expected 0 to ", args.shape.keys,
                ", the number of keys");
}

// Where patches stand, so that how far apart two of them lie is the difference of their places.  The class
// token stands so far out, as a query and as a key, that its differences are nobody else's.
void AttentionCall::set_patch_bias(const ConstView& table, const Options& o) {
  const int64_t places = args.shape.keys, columns = o.integer("columns"), pitch = 2 * columns - 1,
                farthest = (places - 1) / columns * pitch - columns,  // of two patches
      rows = 2 * farthest + 1;
  for (int64_t patch = 0; patch < places - 1; ++patch)
    query_places.push_back(patch / columns * pitch + patch % columns);
  key_places = query_places;
  query_places.insert(query_places.begin(), 2 * farthest + 1);
  key_places.insert(key_places.begin(), -2 * farthest - 2);
  args.query_places = query_places.data(), args.key_places = key_places.data();
  args.least_distance = -farthest;
  for (int64_t i = 0; i < 5 * farthest + 4; ++i) table_rows.push_back(std::min(i, rows));
  std::fill(table_rows.begin() + 3 * farthest + 2, table_rows.end(), rows + 1);  // from the class token
  table_rows.back() = rows + 2;                                                  // to itself
  set_distances(table);
}

int64_t AttentionCall::least_first() const {
  return firsts.empty() ? *args.first_query : *std::min_element(firsts.begin(), firsts.end());
}

int64_t AttentionCall::largest_first() const {
  return firsts.empty() ? *args.first_query : *std::max_element(firsts.begin(), firsts.end());
}

// The bucket's number for every distance that there is, once, in place of every cell.
void AttentionCall::set_relative_bias(const ConstView& table, const Options& o) {
  const int64_t buckets = table.shape()[0].size,
                count = largest_first() - least_first() + args.shape.queries + args.shape.keys - 1;
  const RelativeBiasOptions options = {o.flag("bidirectional"), o.integer("max_distance", 128), 0};
  args.least_distance = least_first() - (args.shape.keys - 1);
  for (int64_t i = 0; i < count; ++i)
    table_rows.push_back(relative_bucket(-(args.least_distance + i), buckets, options));
  set_distances(table);
}

void AttentionCall::set_distances(const ConstView& table) {
  const int64_t heads = args.shape.heads, count = static_cast<int64_t>(table_rows.size());
  distances.resize(static_cast<size_t>(heads * count));
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < count; ++i)
      distances[static_cast<size_t>(h * count + i)] =
          table.data<float>()[table_rows[static_cast<size_t>(i)] * heads + h];
  args.distances = distances.data();
  args.distances_head = count;
}

bool has_table(const GroupInfo& group) {
  return group.options.flag("relative_bias") || group.options.flag("patch_bias");
}

size_t learned_inputs(const GroupInfo& group) {
  return size_t{has_table(group)} + size_t{group.options.flag("bias")} + size_t{group.options.flag("sinks")};
}

size_t extra_inputs(const GroupInfo& group) {
  const Options& o = group.options;
  return size_t{o.flag("lengths")} + 2 * size_t{o.flag("documents")} + learned_inputs(group);
}

}  // namespace limpid
