#include "engine/fast.h"

#include "kernels/kernel.h"
#include "kernels/matmul.h"

namespace limpid {

namespace {

using kernels::launch;

int64_t last_size(const ConstView& x) { return x.shape()[x.shape().rank() - 1].size; }
int64_t rows_of(const ConstView& x) { return last_size(x) ? x.shape().count() / last_size(x) : 0; }

// ---- linear --------------------------------------------------------------------------------------

// [B,T,H,D] with each head's rows together, as the matrix [B T, H D].
kernels::Heads heads_of(const ConstView& x) {
  if (x.contiguous()) return {};
  const Shape& s = x.shape();
  return {s[1].size, x.strides()[0], s[3].size, x.strides()[2]};
}

void linear(const Operation& op, Inputs in, Outputs out, const RunContext&) {
  kernels::MatmulArgs a;
  a.m = rows_of(in[0]);
  a.k = last_size(in[0]);
  a.n = a.k ? in[1].shape().count() / a.k : 0;
  a.transpose_b = op.options().flag("transposed");
  a.a = in[0].data<float>();
  a.b = in[1].data<float>();
  a.c = static_cast<float*>(out[0].raw());
  a.bias = in.size() == 3 ? in[2].data<float>() : nullptr;
  a.lda = a.k;
  a.ldb = a.transpose_b ? a.k : a.n;
  a.c_heads = heads_of(out[0]);
  a.ldc = a.c_heads.columns ? a.c_heads.columns : a.n;
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

}  // namespace

bool takes_heads(const Operation& op) { return op.kind() == "linear" || op.kind() == "rotary"; }

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

}  // namespace limpid
