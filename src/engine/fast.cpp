#include "engine/fast.h"

#include "kernels/attention.h"
#include "kernels/kernel.h"
#include "kernels/matmul.h"

namespace limpid {

namespace {

using kernels::launch;

int64_t last_size(const ConstView& x) { return x.shape()[x.shape().rank() - 1].size; }
int64_t rows_of(const ConstView& x) { return last_size(x) ? x.shape().count() / last_size(x) : 0; }

// ---- linear --------------------------------------------------------------------------------------

void linear(const Operation& op, Inputs in, Outputs out, const RunContext&) {
  kernels::MatmulArgs a;
  a.m = rows_of(in[0]);
  a.k = last_size(in[0]);
  a.n = a.k ? in[1].shape().count() / a.k : 0;
  a.transpose_b = op.options().flag("transposed");
  a.a = in[0].data<float>();
  a.b = in[1].data<float>();
  a.c = out[0].data<float>();
  a.bias = in.size() == 3 ? in[2].data<float>() : nullptr;
  a.lda = a.k;
  a.ldb = a.transpose_b ? a.k : a.n;
  a.ldc = a.n;
  launch(kernels::Matmul(a));
}

// dx [rows,in] = dy [rows,out] w^T; w is [in,out], or [out,in] when transposed
void linear_input_gradient(const Operation& op, Inputs in, Outputs out, const RunContext&) {
  kernels::MatmulArgs a;
  a.m = rows_of(out[0]);
  a.n = last_size(out[0]);
  a.k = a.n ? in[1].shape().count() / a.n : 0;
  a.transpose_b = !op.options().flag("transposed");
  a.a = in[0].data<float>();
  a.b = in[1].data<float>();
  a.c = out[0].data<float>();
  a.lda = a.k;
  a.ldb = a.transpose_b ? a.k : a.n;
  a.ldc = a.n;
  launch(kernels::Matmul(a));
}

// dw [in,out] = x^T dy, or [out,in] = dy^T x when transposed
void linear_weight_gradient(const Operation& op, Inputs in, Outputs out, const RunContext&) {
  const int64_t rows = rows_of(in[0]), width = last_size(in[0]),
                outputs = width ? out[0].shape().count() / width : 0;
  const bool transposed = op.options().flag("transposed");
  const float *x = in[0].data<float>(), *dy = in[1].data<float>();
  kernels::MatmulArgs a;
  a.m = transposed ? outputs : width;
  a.n = transposed ? width : outputs;
  a.k = rows;
  a.transpose_a = true;
  a.a = transposed ? dy : x;
  a.b = transposed ? x : dy;
  a.c = out[0].data<float>();
  a.lda = a.m;
  a.ldb = a.ldc = a.n;
  launch(kernels::Matmul(a));
}

// ---- attention -----------------------------------------------------------------------------------

kernels::HeadStrides strides_of(const ConstView& x) {  // [B,T,H,D], contiguous
  const Shape& s = x.shape();
  return {s[1].size * s[2].size * s[3].size, s[2].size * s[3].size, s[3].size};
}

kernels::AttentionArgs attention_args(const GroupInfo& group, Inputs in) {
  kernels::AttentionArgs a;
  const Shape &q = in[0].shape(), &k = in[1].shape(), &v = in[2].shape();
  a.shape = {q[0].size, q[1].size, k[1].size, q[2].size, k[2].size, q[3].size, v[3].size};
  a.q = in[0].data<float>();
  a.k = in[1].data<float>();
  a.v = in[2].data<float>();
  a.q_at = strides_of(in[0]);
  a.k_at = strides_of(in[1]);
  a.v_at = strides_of(in[2]);
  a.scale = static_cast<float>(group.options.real("scale", 1));
  a.softcap = static_cast<float>(group.options.real("softcap"));
  a.causal = group.options.flag("causal");
  a.window = group.options.integer("window");
  a.first_query = group.options.integer("first_query");
  return a;
}

// q, k, v -> z, lse
void attention(const GroupInfo& group, Inputs in, Outputs out) {
  kernels::AttentionArgs a = attention_args(group, in);
  a.z = out[0].data<float>();
  a.z_at = strides_of(out[0]);
  a.lse = out[1].data<float>();
  launch(kernels::AttentionForward(a));
}

// q, k, v, z, lse, dz -> dq, dk, dv
void attention_gradient(const GroupInfo& group, Inputs in, Outputs out) {
  kernels::AttentionArgs a = attention_args(group, in);
  a.z = const_cast<float*>(in[3].data<float>());  // read only, in the gradient
  a.z_at = strides_of(in[3]);
  a.lse = const_cast<float*>(in[4].data<float>());
  kernels::AttentionGradients g;
  g.dz = in[5].data<float>();
  g.dz_at = strides_of(in[5]);
  g.dq = out[0].data<float>();
  g.dk = out[1].data<float>();
  g.dv = out[2].data<float>();
  g.dq_at = strides_of(out[0]);
  g.dk_at = strides_of(out[1]);
  g.dv_at = strides_of(out[2]);
  launch(kernels::AttentionBackward(a, g));
}

}  // namespace

StageKernel stage_kernel(const Operation& op) {
  static const std::map<std::string, StageKernel, std::less<>> products = {
      {"linear", linear},
      {"linear_input_gradient", linear_input_gradient},
      {"linear_weight_gradient", linear_weight_gradient},
  };
  for (const auto* table : {&products, &row_kernels()})
    if (const auto found = table->find(op.kind()); found != table->end()) return found->second;
  return nullptr;
}

GroupKernel group_kernel(const GroupInfo& group) {
  // The kernels take the gradient of every input, or none: a group with a frozen one runs stage by stage.
  if (group.kind == "attention" && group.inputs.size() == 3 && group.outputs.size() == 2) return attention;
  if (group.kind == "attention_gradient" && group.inputs.size() == 6 && group.outputs.size() == 3)
    return attention_gradient;
  return nullptr;
}

}  // namespace limpid
