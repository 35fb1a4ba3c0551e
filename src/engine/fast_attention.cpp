// Attention as a group: its options and shapes to the fused kernels' arguments.
#include <algorithm>

#include "engine/fast.h"
#include "kernels/attention.h"
#include "kernels/attention_window.h"
#include "kernels/kernel.h"
#include "limpid/ops.h"
#include "limpid/random.h"

namespace limpid {

namespace {

using kernels::launch;

kernels::HeadStrides strides_of(const ConstView& x) {  // [B,T,H,D]
  return {x.strides()[0], x.strides()[1], x.strides()[2]};
}

// The arguments, and what they point to.
struct Call {
  kernels::AttentionArgs args;
  std::vector<float> slopes, distances;
  std::vector<int64_t> table_rows;  // of a bias table [N,H]: the row of every distance
  std::vector<int64_t> query_places, key_places;

  Call(const GroupInfo& group, Inputs in, const RunContext& context) {
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
    const int64_t first = o.integer("first_query") + context.first_position;
    args.first_query = first;
    size_t next = 3;
    if (o.flag("lengths")) set_lengths(in[next++]);
    if (o.flag("relative_bias")) set_relative_bias(in[next++], o, first);
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
    args.seed = context.seed;
    args.stream = static_cast<uint32_t>(o.integer("stream"));
    args.step = static_cast<uint32_t>(context.step);
  }

 private:
  void set_lengths(const ConstView& lengths) {
    args.key_lengths = lengths.data<int64_t>();
    for (int64_t b = 0; b < args.shape.batch; ++b)
      if (args.key_lengths[b] < 0 || args.key_lengths[b] > args.shape.keys)
        fail_call("lengths[", b, "] is ", args.key_lengths[b], ", expected 0 to ", args.shape.keys,
                  ", the number of keys");
  }

  // Where patches stand, so that how far apart two of them lie is the difference of their places.  The class
  // token stands so far out, as a query and as a key, that its differences are nobody else's.
  void set_patch_bias(const ConstView& table, const Options& o) {
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

  // The bucket's number for every distance that there is, once, in place of every cell.
  void set_relative_bias(const ConstView& table, const Options& o, int64_t first) {
    const int64_t buckets = table.shape()[0].size;
    const RelativeBiasOptions options = {o.flag("bidirectional"), o.integer("max_distance", 128), first};
    args.least_distance = first - (args.shape.keys - 1);
    for (int64_t i = 0; i < args.shape.queries + args.shape.keys - 1; ++i)
      table_rows.push_back(relative_bucket(-(args.least_distance + i), buckets, options));
    set_distances(table);
  }

  void set_distances(const ConstView& table) {
    const int64_t heads = args.shape.heads, count = static_cast<int64_t>(table_rows.size());
    distances.resize(static_cast<size_t>(heads * count));
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t i = 0; i < count; ++i)
        distances[static_cast<size_t>(h * count + i)] =
            table.data<float>()[table_rows[static_cast<size_t>(i)] * heads + h];
    args.distances = distances.data();
    args.distances_head = count;
  }
};

// A learned number for every distance: relative_bias, patch_bias.
bool has_table(const GroupInfo& group) {
  return group.options.flag("relative_bias") || group.options.flag("patch_bias");
}

// Inputs of a group after q, k and v that have a gradient, and all.
size_t learned_inputs(const GroupInfo& group) {
  return size_t{has_table(group)} + size_t{group.options.flag("bias")} + size_t{group.options.flag("sinks")};
}
size_t extra_inputs(const GroupInfo& group) {
  return size_t{group.options.flag("lengths")} + learned_inputs(group);
}

kernels::AttentionObservation observation(GroupWatch* watch) {
  kernels::AttentionObservation o;
  if (!watch) return o;
  if (watch->top > 0) {
    o.top = watch->top;
    o.top_weights = watch->top_weights.data<float>();
    o.top_keys = watch->top_keys.data<int32_t>();
  }
  if (watch->entropy.count() > 0) o.entropy = watch->entropy.data<float>();
  if (watch->map_keys > 0) {
    o.map = watch->map.data<float>();
    o.map_queries = watch->map_queries;
    o.map_keys = watch->map_keys;
  }
  return o;
}

// Of one query the heads that share keys go side by side, as queries of one head that all see the same keys:
// lanes are queries, and one lane of eight would be used.  Each has the bits that it has alone (SmolLM2, nine
// heads on three, 560 keys: a token's attention takes a third of the time).
void put_heads_side_by_side(kernels::AttentionArgs* a) {
  kernels::AttentionShape& shape = a->shape;
  const bool heads_differ = a->bias || a->slopes || a->distances || a->allowed || a->sinks;
  const bool other_bounds = a->window > 0 || a->window_after || a->key_lengths || a->first_queries ||
                            a->query_documents || !a->first_query;
  if (shape.queries != 1 || shape.key_heads == 0 || shape.heads == shape.key_heads || heads_differ ||
      other_bounds || a->dropout > 0)
    return;
  if (a->causal) shape.keys = std::clamp<int64_t>(*a->first_query + 1, 0, shape.keys);
  a->causal = false;
  shape.queries = shape.heads / shape.key_heads;
  shape.heads = shape.key_heads;
  for (kernels::HeadStrides* at : {&a->q_at, &a->z_at}) {
    at->row = at->head;
    at->head *= shape.queries;
  }
}

// q, k, v -> z, lse, lse_rest
void attention(const GroupInfo& group, Inputs in, Outputs out, const RunContext& context, GroupWatch* watch) {
  Call call(group, in, context);
  call.args.z = out[0].data<float>();
  call.args.z_at = strides_of(out[0]);
  call.args.lse = out[1].data<float>();
  call.args.lse_rest = out[2].data<float>();
  // Largest weights and entropies of a head's one row lie as those of a row of the heads together; a map does
  // not.
  if (!watch || watch->map_keys == 0) put_heads_side_by_side(&call.args);
  launch(kernels::AttentionForward(call.args, observation(watch)));
}

// [H,distances] -> dtable [N,H]: a row learns from every distance that has it.
void add_up_rows(const std::vector<float>& ddistances, const std::vector<int64_t>& rows, const View& dtable) {
  const int64_t heads = dtable.shape()[1].size, count = static_cast<int64_t>(rows.size());
  std::vector<double> sums(static_cast<size_t>(dtable.shape().count()));
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < count; ++i)
      sums[static_cast<size_t>(rows[static_cast<size_t>(i)] * heads + h)] +=
          ddistances[static_cast<size_t>(h * count + i)];
  std::copy(sums.begin(), sums.end(), dtable.data<float>());
}

// q, k, v, (lengths), (table), (bias), (sinks), z, lse, lse_rest, dz
// -> dq, dk, dv, (dtable), (dbias), (dsinks)
void attention_gradient(const GroupInfo& group, Inputs in, Outputs out, const RunContext& context,
                        GroupWatch*) {
  Call call(group, in, context);
  const size_t z = 3 + extra_inputs(group);
  call.args.z = const_cast<float*>(in[z].data<float>());  // read only, in the gradient
  call.args.z_at = strides_of(in[z]);
  call.args.lse = const_cast<float*>(in[z + 1].data<float>());
  call.args.lse_rest = const_cast<float*>(in[z + 2].data<float>());
  kernels::AttentionGradients g;
  g.dz = in[z + 3].data<float>();
  g.dz_at = strides_of(in[z + 3]);
  g.dq = out[0].data<float>();
  g.dk = out[1].data<float>();
  g.dv = out[2].data<float>();
  g.dq_at = strides_of(out[0]);
  g.dk_at = strides_of(out[1]);
  g.dv_at = strides_of(out[2]);
  const bool table = has_table(group);
  std::vector<float> ddistances(table ? call.distances.size() : 0);
  if (table) {
    g.ddistances = ddistances.data();
    g.distances = call.args.distances_head;
  }
  if (group.options.flag("bias")) {
    const View& dbias = out[table ? 4 : 3];
    g.dbias = dbias.data<float>();
    g.dbias_at = {dbias.strides()[0], dbias.strides()[2], dbias.strides()[1]};
  }
  if (group.options.flag("sinks")) g.dsinks = out.back().data<float>();
  launch(kernels::AttentionBackward(call.args, g));
  if (table) add_up_rows(ddistances, call.table_rows, out[3]);
}

}  // namespace

bool rebuild(const GroupInfo& group, Inputs in, Outputs out, const RunContext& context,
             std::string_view stage, Queries queries, const View& to) {
  using kernels::AttentionStage;
  static constexpr std::pair<std::string_view, AttentionStage> k_stages[] = {
      {"raw_scores", AttentionStage::raw_scores},
      {"scaled_scores", AttentionStage::scaled_scores},
      {"capped_scores", AttentionStage::capped_scores},
      {"scores", AttentionStage::scores},
      {"pattern", AttentionStage::pattern}};
  const auto* found = std::find_if(std::begin(k_stages), std::end(k_stages),
                                   [&](const auto& named) { return named.first == stage; });
  if (found == std::end(k_stages) || group_kernel(group) != attention) return false;
  Call call(group, in, context);
  call.args.lse = out[1].data<float>();
  call.args.lse_rest = out[2].data<float>();
  const kernels::AttentionShape& shape = call.args.shape;
  kernels::AttentionCells cells;
  cells.stage = found->second;
  cells.head1 = shape.heads, cells.t0 = queries.first, cells.t1 = queries.end, cells.s1 = shape.keys;
  cells.to = to.data<float>();
  const int64_t count = queries.end - queries.first;
  cells.to_at = {shape.heads * count * shape.keys, shape.keys, count * shape.keys};
  launch(kernels::AttentionWindow(call.args, cells));
  return true;
}

GroupKernel group_kernel(const GroupInfo& group) {
  // The kernels take the gradient of every input, or none: a group with a frozen one runs stage by stage.
  const size_t inputs = 3 + extra_inputs(group);
  if (group.kind == "attention" && group.inputs.size() == inputs && group.outputs.size() == 3)
    return attention;
  if (group.kind == "attention_gradient" && group.inputs.size() == inputs + 4 &&
      group.outputs.size() == 3 + learned_inputs(group))
    return attention_gradient;
  return nullptr;
}

}  // namespace limpid
