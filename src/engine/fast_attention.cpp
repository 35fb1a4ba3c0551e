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
  std::vector<float> slopes;

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
    args.first_query = o.integer("first_query");
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
};

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

// q, k, v -> z, lse, lse_rest
void attention(const GroupInfo& group, Inputs in, Outputs out, const RunContext& context, GroupWatch* watch) {
  Call call(group, in, context);
  call.args.z = out[0].data<float>();
  call.args.z_at = strides_of(out[0]);
  call.args.lse = out[1].data<float>();
  call.args.lse_rest = out[2].data<float>();
  launch(kernels::AttentionForward(call.args, observation(watch)));
}

// q, k, v, z, lse, lse_rest, dz -> dq, dk, dv
void attention_gradient(const GroupInfo& group, Inputs in, Outputs out, const RunContext& context,
                        GroupWatch*) {
  Call call(group, in, context);
  call.args.z = const_cast<float*>(in[3].data<float>());  // read only, in the gradient
  call.args.z_at = strides_of(in[3]);
  call.args.lse = const_cast<float*>(in[4].data<float>());
  call.args.lse_rest = const_cast<float*>(in[5].data<float>());
  kernels::AttentionGradients g;
  g.dz = in[6].data<float>();
  g.dz_at = strides_of(in[6]);
  g.dq = out[0].data<float>();
  g.dk = out[1].data<float>();
  g.dv = out[2].data<float>();
  g.dq_at = strides_of(out[0]);
  g.dk_at = strides_of(out[1]);
  g.dv_at = strides_of(out[2]);
  launch(kernels::AttentionBackward(call.args, g));
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
  if (group.kind == "attention" && group.inputs.size() == 3 && group.outputs.size() == 3) return attention;
  if (group.kind == "attention_gradient" && group.inputs.size() == 7 && group.outputs.size() == 3)
    return attention_gradient;
  return nullptr;
}

}  // namespace limpid
