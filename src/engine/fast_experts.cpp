// Kernels of the stages of chosen experts: the rows of a text that went to one expert, gathered, are one
// product with its matrix.  A row's bits are those that it has alone (kernels/matmul.h), whoever else chose
// that expert.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/threads.h"
#include "engine/fast.h"
#include "kernels/elementwise.h"
#include "kernels/kernel.h"
#include "kernels/matmul.h"
#include "limpid/ops.h"

namespace limpid {

namespace {

using kernels::launch;

// The places of chosen [...,J] by the expert that stands there, in the order of the text.
std::vector<std::vector<int64_t>> by_expert(const ConstView& chosen, int64_t experts) {
  std::vector<std::vector<int64_t>> out(static_cast<size_t>(experts));
  const int64_t* id = chosen.data<int64_t>();
  for (int64_t n = 0; n < chosen.shape().count(); ++n) out[static_cast<size_t>(id[n])].push_back(n);
  return out;
}

// An expert that there is not is the reference's to name.
bool all_exist(const ConstView& chosen, int64_t experts) {
  const int64_t* id = chosen.data<int64_t>();
  return std::all_of(id, id + chosen.shape().count(), [&](int64_t m) { return m >= 0 && m < experts; });
}

// How many places of chosen read one row of x.
int64_t sharing(const ConstView& x, const ConstView& chosen) {
  return x.shape().rank() == chosen.shape().rank() ? last_size(chosen) : 1;
}

// Rows of `from`, one after the other: that of each place, of rows that so many places share.
const float* gathered(const float* from, int64_t width, const std::vector<int64_t>& places, int64_t share,
                      std::vector<float>* room) {
  if (places.size() == 1) return from + places[0] / share * width;
  room->resize(places.size() * static_cast<size_t>(width));
  for (size_t i = 0; i < places.size(); ++i)
    std::copy_n(from + places[i] / share * width, width, room->data() + i * static_cast<size_t>(width));
  return room->data();
}

// The products of the rows at an expert's places with its matrix, C rows to `to` at these places.
struct Products {
  int64_t in, out, share;  // numbers of a row of x and of C; places that share a row of x
  bool transpose_b;
  std::vector<float> rows, results;
  kernels::MatmulArgs stored =
      {};  // of a matrix that is no f32: its type, its blocks and their rows' distance

  void run(const float* x, const void* w, const float* bias, const std::vector<int64_t>& places, float* to) {
    kernels::MatmulArgs a = stored;
    a.m = static_cast<int64_t>(places.size());
    a.k = a.lda = in;
    a.n = a.ldc = out;
    a.a = gathered(x, in, places, share, &rows);
    a.b = w;
    a.transpose_b = transpose_b;
    if (a.ldb == 0) a.ldb = transpose_b ? in : out;
    a.bias = bias;
    const bool one = places.size() == 1;
    if (!one) results.resize(places.size() * static_cast<size_t>(out));
    a.c = one ? to + places[0] * out : results.data();
    launch(kernels::Matmul(a));
    if (!one)
      for (size_t i = 0; i < places.size(); ++i)
        std::copy_n(results.data() + i * static_cast<size_t>(out), out, to + places[i] * out);
  }
};

// x, w, chosen, (b)
void expert_linear(const Operation& op, Inputs in, Outputs out, const RunContext& context) {
  const Shape& w = in[1].shape();
  const int64_t experts = w[0].size, each = w[1].size * w[2].size;
  if (!all_exist(in[2], experts)) return op.run(in, out, context);
  const float* bias = in.size() == 4 ? in[3].data<float>() : nullptr;
  Products products{w[1].size, w[2].size, sharing(in[0], in[2]), false, {}, {}};
  const auto places = by_expert(in[2], experts);
  for (int64_t m = 0; m < experts; ++m)
    if (const auto& here = places[static_cast<size_t>(m)]; !here.empty())
      products.run(in[0].data<float>(), in[1].data<float>() + m * each,
                   bias ? bias + m * products.out : nullptr, here, out[0].data<float>());
}

// dy, w, chosen, x (for its shape)
void expert_linear_input_gradient(const Operation& op, Inputs in, Outputs out, const RunContext& context) {
  const Shape& w = in[1].shape();
  const int64_t experts = w[0].size, each = w[1].size * w[2].size, count = in[2].shape().count();
  if (!all_exist(in[2], experts)) return op.run(in, out, context);
  const int64_t share = sharing(in[3], in[2]), width = w[1].size;
  Products products{w[2].size, width, 1, true, {}, {}};
  std::vector<float> apart(share == 1 ? 0 : static_cast<size_t>(count * width));
  float* dx = out[0].data<float>();
  float* to = share == 1 ? dx : apart.data();
  const auto places = by_expert(in[2], experts);
  for (int64_t m = 0; m < experts; ++m)
    if (const auto& here = places[static_cast<size_t>(m)]; !here.empty())
      products.run(in[0].data<float>(), in[1].data<float>() + m * each, nullptr, here, to);
  if (share == 1) return;
  for (int64_t r = 0; r < count / share; ++r)
    for (int64_t k = 0; k < width; ++k) {
      float sum = 0;
      for (int64_t n = r * share; n < (r + 1) * share; ++n) sum += to[n * width + k];
      dx[r * width + k] = sum;
    }
}

// x, dy, chosen, w (for its shape)
void expert_linear_weight_gradient(const Operation& op, Inputs in, Outputs out, const RunContext& context) {
  const Shape& w = in[3].shape();
  const int64_t experts = w[0].size, each = w[1].size * w[2].size;
  if (!all_exist(in[2], experts)) return op.run(in, out, context);
  const int64_t share = sharing(in[0], in[2]);
  std::vector<float> x_rows, dy_rows;
  const auto places = by_expert(in[2], experts);
  for (int64_t m = 0; m < experts; ++m) {
    const auto& here = places[static_cast<size_t>(m)];
    kernels::MatmulArgs a;
    a.m = a.lda = w[1].size;
    a.n = a.ldb = a.ldc = w[2].size;
    a.k = static_cast<int64_t>(here.size());  // 0: the product is 0
    a.transpose_a = true;
    if (!here.empty()) {
      a.a = gathered(in[0].data<float>(), a.m, here, share, &x_rows);
      a.b = gathered(in[1].data<float>(), a.n, here, 1, &dy_rows);
    }
    a.c = out[0].data<float>() + m * each;
    if (here.empty())
      std::fill_n(a.c, each, 0.f);
    else
      launch(kernels::Matmul(a));
  }
}

// a, b: slope a through the kernel of silu, which is slope a sigmoid(slope a).
void clamped_gate(const Operation& op, Inputs in, Outputs out, const RunContext&) {
  constexpr int64_t k_task = 1 << 14;
  const ClampedGateOptions plain;
  const float limit = static_cast<float>(op.options().real("limit", plain.limit)),
              slope = static_cast<float>(op.options().real("slope", plain.slope));
  const float *a = in[0].data<float>(), *b = in[1].data<float>();
  float* y = out[0].data<float>();
  const int64_t count = out[0].shape().count(), tasks = (count + k_task - 1) / k_task;
  const auto each = [&](auto&& f) {
    parallel_for(tasks, [&](int64_t task, int) {
      for (int64_t i = task * k_task; i < std::min(count, (task + 1) * k_task); ++i) f(i);
    });
  };
  each([&](int64_t i) { y[i] = slope * (limit < a[i] ? limit : a[i]); });
  kernels::Elementwise silu;
  silu.function = kernels::Function::silu;
  silu.a = silu.out = y;
  silu.count = count;
  launch(silu);
  each([&](int64_t i) {
    const float low = limit < b[i] ? limit : b[i];
    y[i] = ((low < -limit ? -limit : low) + 1) * (y[i] / slope);
  });
}

}  // namespace

void expert_linear_stored(const Operation& op, Inputs in, const StoredMatrix& w, Outputs out, const Finish&) {
  const int64_t experts = w.matrices(), rows = w.rows() / experts;
  if (!all_exist(in[2], experts)) {
    const Tensor expanded = w.to_tensor();
    std::vector<ConstView> inputs(in.begin(), in.end());
    inputs[1] = expanded.view();
    return op.run(inputs, out, {});
  }
  const int64_t width = w.turned() ? w.columns() : rows, outputs = w.turned() ? rows : w.columns();
  const float* bias = in.size() == 4 ? in[3].data<float>() : nullptr;
  Products products{width, outputs, sharing(in[0], in[2]), w.turned(), {}, {}};
  products.stored.b_type = w.dtype();
  products.stored.b_blocks = w.blocks();
  products.stored.ldb = w.blocks() == BlockType::none ? w.columns() : static_cast<int64_t>(w.row_bytes());
  const auto places = by_expert(in[2], experts);
  for (int64_t m = 0; m < experts; ++m)
    if (const auto& here = places[static_cast<size_t>(m)]; !here.empty())
      products.run(in[0].data<float>(), w.row(m * rows), bias ? bias + m * outputs : nullptr, here,
                   out[0].data<float>());
}

const std::map<std::string, StageKernel, std::less<>>& expert_kernels() {
  static const std::map<std::string, StageKernel, std::less<>> table = {
      {"expert_linear", expert_linear},
      {"expert_linear_input_gradient", expert_linear_input_gradient},
      {"expert_linear_weight_gradient", expert_linear_weight_gradient},
      {"clamped_gate", clamped_gate},
  };
  return table;
}

}  // namespace limpid
