// Attention as a group: its options and shapes to the fused kernels' arguments.
#include <algorithm>

#include "engine/attention_call.h"
#include "engine/fast.h"
#include "kernels/attention.h"
#include "kernels/attention_documents.h"
#include "kernels/attention_window.h"
#include "kernels/kernel.h"

namespace limpid {

namespace {

using kernels::launch;

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
void put_heads_side_by_side(AttentionCall* call) {
  kernels::AttentionArgs& a = call->args;
  kernels::AttentionShape& shape = a.shape;
  const bool heads_differ = a.bias || a.slopes || a.distances || a.allowed || a.sinks;
  const bool other_bounds =
      a.window > 0 || a.window_after || a.key_lengths || a.query_documents || !a.first_query;
  if (shape.queries != 1 || shape.key_heads == 0 || shape.heads == shape.key_heads || heads_differ ||
      other_bounds || a.dropout > 0)
    return;
  if (a.causal) {
    for (int64_t first : call->firsts) call->lengths.push_back(std::clamp<int64_t>(first + 1, 0, shape.keys));
    shape.keys = std::clamp<int64_t>(call->largest_first() + 1, 0, shape.keys);
  }
  if (!call->lengths.empty()) a.key_lengths = call->lengths.data();
  a.first_queries = nullptr;
  a.causal = false;
  shape.queries = shape.heads / shape.key_heads;
  shape.heads = shape.key_heads;
  for (kernels::HeadStrides* at : {&a.q_at, &a.z_at}) {
    at->row = at->head;
    at->head *= shape.queries;
  }
}

// What is watched is told of the whole row of documents, not of each: it is computed once more, beside what
// the run keeps.
void watch_documents(AttentionCall& call, GroupWatch* watch) {
  const kernels::AttentionShape& s = call.args.shape;
  std::vector<float> z(static_cast<size_t>(s.batch * s.queries * s.heads * s.value_width)),
      lse(static_cast<size_t>(s.batch * s.heads * s.queries));
  call.args.z = z.data();
  call.args.z_at = {s.queries * s.heads * s.value_width, s.heads * s.value_width, s.value_width};
  call.args.lse = lse.data();
  call.args.lse_rest = nullptr;
  launch(kernels::AttentionForward(call.args, observation(watch)));
}

// q, k, v -> z, lse, lse_rest
void attention(const GroupInfo& group, Inputs in, Outputs out, const RunContext& context, GroupWatch* watch) {
  AttentionCall call(group, in, context);
  call.args.z = out[0].data<float>();
  call.args.z_at = strides_of(out[0]);
  call.args.lse = out[1].data<float>();
  call.args.lse_rest = out[2].data<float>();
  if (kernels::attends_by_document(call.args)) {
    kernels::launch_forward_by_document(call.args);
    if (watch) watch_documents(call, watch);
    return;
  }
  // Largest weights and entropies of a head's one row lie as those of a row of the heads together; a map does
  // not.
  if (!watch || watch->map_keys == 0) put_heads_side_by_side(&call);
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

// q, k, v, (lengths), (documents), (table), (bias), (sinks), z, lse, lse_rest, dz
// -> dq, dk, dv, (dtable), (dbias), (dsinks)
void attention_gradient(const GroupInfo& group, Inputs in, Outputs out, const RunContext& context,
                        GroupWatch*) {
  AttentionCall call(group, in, context);
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
  if (kernels::attends_by_document(call.args)) return kernels::launch_backward_by_document(call.args, g);
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

namespace {

// The stages of a group that have run fused which the kernel's cells are of; null: none of that name.
const kernels::AttentionStage* rebuilt_stage(std::string_view name) {
  using kernels::AttentionStage;
  static constexpr std::pair<std::string_view, AttentionStage> k_stages[] = {
      {"raw_scores", AttentionStage::raw_scores},
      {"scaled_scores", AttentionStage::scaled_scores},
      {"capped_scores", AttentionStage::capped_scores},
      {"scores", AttentionStage::scores},
      {"pattern", AttentionStage::pattern}};
  for (const auto& [known, stage] : k_stages)
    if (known == name) return &stage;
  return nullptr;
}

}  // namespace

bool rebuilds(const GroupInfo& group, std::string_view stage) {
  return group.options.flag("fused") && group_kernel(group) == attention && rebuilt_stage(stage);
}

bool rebuild(const GroupInfo& group, Inputs in, Outputs out, const RunContext& context,
             std::string_view stage, Queries queries, const View& to) {
  if (!rebuilds(group, stage)) return false;
  const int64_t heads = in[0].shape()[2].size, keys = in[1].shape()[1].size;
  return rebuild_range(group, in, out, context, stage, {{0, heads}, queries, {0, keys}}, to);
}

bool rebuild_range(const GroupInfo& group, Inputs in, Outputs out, const RunContext& context,
                   std::string_view stage, const CellRange& range, const View& to) {
  if (!rebuilds(group, stage)) return false;
  AttentionCall call(group, in, context);
  call.args.lse = out[1].data<float>();
  call.args.lse_rest = out[2].data<float>();
  kernels::AttentionCells cells;
  cells.stage = *rebuilt_stage(stage);
  cells.head0 = range.heads.first, cells.head1 = range.heads.end;
  cells.t0 = range.queries.first, cells.t1 = range.queries.end;
  cells.s0 = range.keys.first, cells.s1 = range.keys.end;
  cells.to = to.data<float>();
  const int64_t heads = cells.head1 - cells.head0, rows = cells.t1 - cells.t0, keys = cells.s1 - cells.s0;
  cells.to_at = {heads * rows * keys, keys, rows * keys};
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
