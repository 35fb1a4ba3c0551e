#include "engine/fast.h"

#include <algorithm>
#include <optional>
#include <set>

#include "kernels/kernel.h"
#include "kernels/matmul.h"

namespace limpid {

namespace {

using kernels::launch;

// ---- linear --------------------------------------------------------------------------------------

// [B,T,H,D] with each head's rows together, as the matrix [B T, H D].
kernels::Heads heads_of(const ConstView& x) {
  if (x.contiguous()) return {};
  const Shape& s = x.shape();
  return {s[1].size, x.strides()[0], s[3].size, x.strides()[2]};
}

// The activation that a product applies by itself, or whose gradient it does; or nothing.
std::optional<kernels::Activation> activation_of(const Operation& op) {
  using kernels::Activation;
  static const std::map<std::string, Activation, std::less<>> all = {
      {"relu", Activation::relu}, {"silu", Activation::silu}, {"tanh", Activation::tanh}};
  constexpr std::string_view k_gradient = "_gradient";
  std::string_view kind = op.kind();
  if (kind.ends_with(k_gradient)) kind.remove_suffix(k_gradient.size());
  if (kind == "gelu")
    return op.options().word("form", "exact") == "tanh" ? Activation::gelu_tanh : Activation::gelu;
  const auto found = all.find(kind);
  if (found == all.end()) return {};
  return found->second;
}

// C [rows, a->n], without gaps.
void add_finish(const Finish& finish, kernels::MatmulArgs* a) {
  if (finish.activation) a->activation = *activation_of(*finish.activation);
  const auto numbers = [](const ConstView& x) { return x.empty() ? nullptr : x.data<float>(); };
  a->gradient_at = numbers(finish.gradient_at);
  a->residual = numbers(finish.residual);
  a->before = finish.before.empty() ? nullptr : finish.before.data<float>();
  a->ld_gradient_at = a->ld_residual = a->ld_before = a->n;
}

// All but the weight.
kernels::MatmulArgs linear_args(Inputs in, Outputs out, const Finish& finish) {
  kernels::MatmulArgs a;
  a.m = rows_of(in[0]);
  a.k = last_size(in[0]);
  a.n = a.k ? in[1].shape().count() / a.k : 0;
  a.a = in[0].data<float>();
  a.c = static_cast<float*>(out[0].raw());
  a.bias = in.size() == 3 ? in[2].data<float>() : nullptr;
  a.lda = a.k;
  a.c_heads = heads_of(out[0]);
  a.ldc = a.c_heads.columns ? a.c_heads.columns : a.n;
  add_finish(finish, &a);
  return a;
}

void linear(const Operation& op, Inputs in, Outputs out, const Finish& finish) {
  kernels::MatmulArgs a = linear_args(in, out, finish);
  a.transpose_b = op.options().flag("transposed");
  a.b = in[1].data<float>();
  a.ldb = a.transpose_b ? a.k : a.n;
  launch(kernels::Matmul(a));
}

// A weight [in,out] that is stored turned is [out,in], and the other way round.
void linear_stored(const Operation& op, Inputs in, const StoredMatrix& w, Outputs out, const Finish& finish) {
  kernels::MatmulArgs a = linear_args(in, out, finish);
  a.transpose_b = op.options().flag("transposed") != w.turned();
  a.b = w.row(0);
  a.b_type = w.dtype();
  a.b_blocks = w.blocks();
  a.ldb = w.blocks() == BlockType::none ? w.columns() : static_cast<int64_t>(w.row_bytes());
  launch(kernels::Matmul(a));
}

// dx [rows,in] = dy [rows,out] w^T; w is [in,out], or [out,in] when transposed
void linear_input_gradient(const Operation& op, Inputs in, Outputs out, const Finish& finish) {
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
  add_finish(finish, &a);
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

template <FinishingKernel k_kernel>
void unfinished(const Operation& op, Inputs in, Outputs out, const RunContext&) {
  k_kernel(op, in, out, Finish());
}

struct Product {
  StageKernel kernel;
  FinishingKernel finishing;  // or null; keeps what was before
};

// The product that is this operation, or null.
const Product* product_of(const Operation& op) {
  static const std::map<std::string, Product, std::less<>> all = {
      {"linear", {unfinished<linear>, linear}},
      {"linear_input_gradient", {unfinished<linear_input_gradient>, linear_input_gradient}},
      {"linear_weight_gradient", {linear_weight_gradient, nullptr}},
  };
  const auto found = all.find(op.kind());
  return found == all.end() ? nullptr : &found->second;
}

// A token out of range is the reference's to name.
void embedding_stored(const Operation& op, Inputs in, const StoredMatrix& table, Outputs out, const Finish&) {
  const int64_t* ids = in[0].data<int64_t>();
  const int64_t count = in[0].shape().count();
  if (!std::all_of(ids, ids + count, [&](int64_t id) { return id >= 0 && id < table.rows(); })) {
    const Tensor expanded = table.to_tensor();
    const ConstView inputs[] = {in[0], expanded.view()};
    return op.run(inputs, out, {});
  }
  float* y = out[0].data<float>();
  for (int64_t n = 0; n < count; ++n) table.expand_row(ids[n], y + n * table.columns());
}

template <class Kernel>
Kernel kernel_in(const std::map<std::string, Kernel, std::less<>>& table, const Operation& op) {
  const auto found = table.find(op.kind());
  return found == table.end() ? nullptr : found->second;
}

}  // namespace

bool works_by_rows(const Operation& op) {
  // Of softmax and its like only those along what a row holds; attention's are inside a group.
  static const std::set<std::string, std::less<>> all = {
      "add",        "clamped_gate", "expert_linear", "expert_sum", "gate",     "gelu",
      "layer_norm", "linear",       "log_softmax",   "relu",       "rms_norm", "route",
      "scale",      "silu",         "softcap",       "softmax",    "tanh"};
  if (!all.contains(op.kind())) return false;
  if (!op.kind().ends_with("softmax")) return true;
  const std::string axis = op.options().word("axis", "S");
  return axis != "S" && axis != "T";
}

bool takes_heads(const Operation& op) {
  static const std::set<std::string, std::less<>> all = {"linear", "narrow", "position_scores", "rotary",
                                                         "widen"};
  return all.contains(op.kind());
}

StageKernel stage_kernel(const Operation& op) {
  const Product* product = product_of(op);
  if (product) return product->kernel;
  for (const auto* table : {&row_kernels(), &position_kernels(), &expert_kernels(), &narrow_kernels()})
    if (const StageKernel kernel = kernel_in(*table, op)) return kernel;
  return nullptr;
}

FinishingKernel finishing_kernel(const Operation& op) {
  const Product* product = product_of(op);
  return product ? product->finishing : kernel_in(finishing_row_kernels(), op);
}

StoredKernel stored_kernel(const Operation& op, const StoredMatrix& matrix) {
  if (op.kind() == "embedding") return matrix.turned() ? nullptr : embedding_stored;
  if (op.kind() == "expert_linear")
    return matrix.blocks() != BlockType::none && !matrix.turned() ? nullptr : expert_linear_stored;
  if (op.kind() != "linear") return nullptr;
  // Of blocks a row is an output's.
  const bool by_outputs = op.options().flag("transposed") != matrix.turned();
  return matrix.blocks() != BlockType::none && !by_outputs ? nullptr : linear_stored;
}

bool keeps_before(const Operation& op) {
  const Product* product = product_of(op);
  return product && product->finishing;
}

bool is_activation(const Operation& op) { return activation_of(op).has_value(); }

bool finishes(const Operation& first, const std::vector<const Operation*>& stages, const Operation& next,
              size_t slot) {
  if (!finishing_kernel(first)) return false;
  if (is_activation(next)) return keeps_before(first) && stages.empty() && slot == 0;
  return next.kind() == "add" && (stages.empty() || is_activation(*stages.back()));
}

}  // namespace limpid
