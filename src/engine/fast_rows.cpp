// Kernels of the stages between the products: each adapter reads the operation's options and shapes, and
// launches. Where a kernel does not cover a case (a softmax along another axis), the operation's own
// reference runs.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/threads.h"
#include "engine/fast.h"
#include "kernels/dropout.h"
#include "kernels/elementwise.h"
#include "kernels/kernel.h"
#include "kernels/norm.h"
#include "kernels/rows.h"
#include "kernels/softmax.h"

namespace limpid {

namespace {

using kernels::Function;
using kernels::launch;

float* written(const View& x) { return x.data<float>(); }
const float* read(const ConstView& x) { return x.data<float>(); }

// ---- number by number ----------------------------------------------------------------------------

void each(Function function, Inputs in, Outputs out, float alpha = 1) {
  kernels::Elementwise k;
  k.function = function;
  k.a = read(in[0]);
  k.b = in.size() > 1 ? read(in[1]) : nullptr;
  k.out = written(out[0]);
  k.count = out[0].shape().count();
  k.alpha = alpha;
  launch(k);
}

template <Function k_function>
void elementwise(const Operation&, Inputs in, Outputs out, const RunContext&) {
  each(k_function, in, out);
}

template <Function k_exact, Function k_tanh>
void gelu(const Operation& op, Inputs in, Outputs out, const RunContext&) {
  each(op.options().word("form", "exact") == "tanh" ? k_tanh : k_exact, in, out);
}

void add(const Operation& op, Inputs in, Outputs out, const RunContext& context) {
  if (in[0].shape().same_sizes(in[1].shape()))
    each(Function::add, in, out);
  else
    op.run(in, out, context);
}

void scale(const Operation& op, Inputs in, Outputs out, const RunContext&) {
  each(Function::scale, in, out, static_cast<float>(op.options().real("factor", 1)));
}

void dropout(const Operation& op, Inputs in, Outputs out, const RunContext& context) {
  const double rate = op.options().real("rate");
  launch(kernels::Dropout{.x = read(in[0]),
                          .y = written(out[0]),
                          .first = context.numbers_before(out[0].shape()),
                          .count = out[0].shape().count(),
                          .rate = rate,
                          .factor = static_cast<float>(1 / (1 - rate)),
                          .seed = context.seed,
                          .stream = static_cast<uint32_t>(op.options().integer("stream")),
                          .step = static_cast<uint32_t>(context.step)});
}

// ---- rows ----------------------------------------------------------------------------------------

template <kernels::Norm k_norm>
void norm(const Operation& op, Inputs in, Outputs out, const RunContext&) {
  kernels::NormForward k;
  k.norm = k_norm;
  k.x = read(in[0]);
  size_t next = 1;
  if (op.options().flag("gain")) k.w = read(in[next++]);
  if (op.options().flag("bias")) k.b = read(in[next++]);
  k.y = written(out[0]);
  k.scale = written(out[1]);
  k.rows = rows_of(in[0]);
  k.width = last_size(in[0]);
  k.epsilon = static_cast<float>(op.options().real("epsilon", 1e-5));
  launch(k);
}

// dy, x, scale, [w] -> dx, [dw], [db]
template <kernels::Norm k_norm>
void finished_norm_gradient(const Operation& op, Inputs in, Outputs out, const Finish& finish) {
  kernels::NormGradient k;
  k.norm = k_norm;
  k.dy = read(in[0]);
  k.x = read(in[1]);
  k.scale = read(in[2]);
  k.w = op.options().flag("gain") ? read(in[3]) : nullptr;
  k.dx = written(out[0]);
  k.rows = rows_of(in[1]);
  k.width = last_size(in[1]);
  k.residual = finish.residual.empty() ? nullptr : read(finish.residual);
  size_t next = 1;
  float* dw = op.options().flag("gain") ? written(out[next++]) : nullptr;
  float* db = op.options().flag("bias") ? written(out[next++]) : nullptr;
  kernels::norm_gradient(k, dw, db);
}

template <kernels::Norm k_norm>
void norm_gradient(const Operation& op, Inputs in, Outputs out, const RunContext&) {
  finished_norm_gradient<k_norm>(op, in, out, Finish());
}

bool along_last(const Operation& op, const ConstView& x, const char* otherwise) {
  const Axis axis = static_cast<Axis>(op.options().word("axis", otherwise).at(0));
  return x.shape().find(axis) == x.shape().rank() - 1;
}

// What softmax has beyond the kernel's where its weights are those of attention: hidden ones are minus zero
// (ops/scores.h), and lse comes with the rest that its rounding lost.  The largest weight is 1 / total.
void complete_attention(const kernels::Softmax& k, Outputs out) {
  float* rest = out.size() > 2 ? written(out[2]) : nullptr;
  constexpr float k_none = -std::numeric_limits<float>::infinity();
  for (int64_t r = 0; r < k.rows; ++r) {
    const float* x = k.x + r * k.width;
    float* y = k.y + r * k.width;
    int64_t top = 0;
    for (int64_t i = 0; i < k.width; ++i) {
      if (x[i] > x[top]) top = i;
      if (x[i] == k_none) y[i] = -0.f;
    }
    if (!rest) continue;
    const bool nothing = k.width == 0 || x[top] == k_none;
    const double log_total = nothing ? 0 : -std::log(static_cast<double>(y[top]));
    rest[r] = nothing ? 0 : static_cast<float>((static_cast<double>(x[top]) - k.lse[r]) + log_total);
  }
}

template <bool k_log>
void softmax(const Operation& op, Inputs in, Outputs out, const RunContext& context) {
  if (!along_last(op, in[0], "S") || in.size() > 1) return op.run(in, out, context);  // with sinks
  kernels::Softmax k;
  k.x = read(in[0]);
  k.y = written(out[0]);
  k.lse = out.size() > 1 ? written(out[1]) : nullptr;
  k.rows = rows_of(in[0]);
  k.width = last_size(in[0]);
  k.log = k_log;
  launch(k);
  if (!k_log && op.options().word("axis", "S") == "S") complete_attention(k, out);
}

bool in_range(const ConstView& ids, int64_t least, int64_t end) {
  const int64_t* id = ids.data<int64_t>();
  return std::all_of(id, id + ids.shape().count(), [&](int64_t i) { return i >= least && i < end; });
}

// A token out of range is the reference's to name.
void embedding(const Operation& op, Inputs in, Outputs out, const RunContext& context) {
  if (!in_range(in[0], 0, in[1].shape()[0].size)) return op.run(in, out, context);
  kernels::Gather k;
  k.ids = in[0].data<int64_t>();
  k.table = read(in[1]);
  k.y = written(out[0]);
  k.rows = in[0].shape().count();
  k.width = last_size(in[1]);
  launch(k);
}

// ids, dy, table (for its shape)
void embedding_gradient(const Operation& op, Inputs in, Outputs out, const RunContext& context) {
  if (!in_range(in[0], 0, out[0].shape()[0].size)) return op.run(in, out, context);
  kernels::GatherGradient k;
  k.dy = read(in[1]);
  k.table = written(out[0]);
  k.rows = in[0].shape().count();
  k.width = last_size(out[0]);
  k.entries = out[0].shape()[0].size;
  kernels::gather_gradient(k, in[0].data<int64_t>());
}

void linear_bias_gradient(const Operation&, Inputs in, Outputs out, const RunContext&) {
  kernels::ColumnSums k;
  k.x = read(in[0]);
  k.sums = written(out[0]);
  k.width = k.stride = out[0].shape().count();
  k.rows = k.width ? in[0].shape().count() / k.width : 0;
  launch(k);
}

template <bool k_back>
void rotary(const Operation& op, Inputs in, Outputs out, const RunContext& context) {
  const Shape& x = in[0].shape();
  const bool texts = in[1].shape().rank() == 3;  // every text has angles of its own
  if (in.size() > 3 || (!texts && in[1].shape()[0].size < x[1].size)) return op.run(in, out, context);
  std::vector<int64_t> positions(texts ? static_cast<size_t>(x[0].size * x[1].size) : 0);
  std::iota(positions.begin(), positions.end(), int64_t{0});
  kernels::Rotary k;
  if (texts) k.positions = positions.data();
  const auto at = [](const std::vector<int64_t>& strides) -> kernels::HeadStrides {
    return {strides[0], strides[1], strides[2]};
  };
  k.x = static_cast<const float*>(in[0].raw());
  k.y = static_cast<float*>(out[0].raw());
  k.x_at = at(in[0].strides());
  k.y_at = at(out[0].strides());
  k.cos = read(in[1]);
  k.sin = read(in[2]);
  k.batch = x[0].size;
  k.rows = x[1].size;
  k.heads = x[2].size;
  k.width = x[3].size;
  k.pairs = last_size(in[1]);
  k.interleaved = op.options().word("pairing", "halves") == "interleaved";
  k.back = k_back;
  launch(k);
}

// ---- the loss ------------------------------------------------------------------------------------

// The kernel's loss of every row, and what its gradient reads of each.
struct Losses {
  std::vector<float> loss, largest, total;
  int64_t counted = 0;
};
Losses losses(const ConstView& logits, const ConstView& targets, double smoothing) {
  const int64_t rows = rows_of(logits);
  const std::vector<float> none(static_cast<size_t>(rows));
  Losses l{none, none, none, 0};
  kernels::CrossEntropy k;
  k.logits = read(logits);
  k.targets = targets.data<int64_t>();
  k.loss = l.loss.data();
  k.largest = l.largest.data();
  k.total = l.total.data();
  k.rows = rows;
  k.width = last_size(logits);
  k.smoothing = smoothing;
  launch(k);
  for (int64_t r = 0; r < rows; ++r) l.counted += k.targets[r] >= 0;
  return l;
}

void cross_entropy(const Operation& op, Inputs in, Outputs out, const RunContext& context) {
  if (!in_range(in[1], INT64_MIN, last_size(in[0]))) return op.run(in, out, context);
  const Losses l = losses(in[0], in[1], op.options().real("smoothing", 0));
  double sum = 0;
  for (float loss : l.loss) sum += loss;
  written(out[0])[0] = l.counted ? static_cast<float>(sum / static_cast<double>(l.counted)) : 0.0f;
  std::copy(l.loss.begin(), l.loss.end(), written(out[1]));
}

// logits, targets, dloss
void cross_entropy_gradient(const Operation& op, Inputs in, Outputs out, const RunContext& context) {
  if (!in_range(in[1], INT64_MIN, last_size(in[0]))) return op.run(in, out, context);
  const double smoothing = op.options().real("smoothing", 0);
  const Losses l = losses(in[0], in[1], smoothing);
  kernels::CrossEntropyGradient k;
  k.logits = read(in[0]);
  k.targets = in[1].data<int64_t>();
  k.largest = l.largest.data();
  k.total = l.total.data();
  k.dlogits = written(out[0]);
  k.scale = l.counted ? read(in[2])[0] / static_cast<float>(l.counted) : 0.0f;
  k.rows = rows_of(in[0]);
  k.width = last_size(in[0]);
  k.smoothing = smoothing;
  launch(k);
}

}  // namespace

const std::map<std::string, StageKernel, std::less<>>& row_kernels() {
  using kernels::Norm;
  static const std::map<std::string, StageKernel, std::less<>> table = {
      {"add", add},
      {"gate", elementwise<Function::multiply>},
      {"scale", scale},
      {"gelu", gelu<Function::gelu, Function::gelu_tanh>},
      {"gelu_gradient", gelu<Function::gelu_gradient, Function::gelu_tanh_gradient>},
      {"relu", elementwise<Function::relu>},
      {"relu_gradient", elementwise<Function::relu_gradient>},
      {"silu", elementwise<Function::silu>},
      {"silu_gradient", elementwise<Function::silu_gradient>},
      {"tanh", elementwise<Function::tanh>},
      {"tanh_gradient", elementwise<Function::tanh_gradient>},
      {"dropout", dropout},
      {"dropout_gradient", dropout},
      {"layer_norm", norm<Norm::layer>},
      {"layer_norm_gradient", norm_gradient<Norm::layer>},
      {"rms_norm", norm<Norm::rms>},
      {"rms_norm_gradient", norm_gradient<Norm::rms>},
      {"softmax", softmax<false>},
      {"log_softmax", softmax<true>},
      {"embedding", embedding},
      {"embedding_gradient", embedding_gradient},
      {"linear_bias_gradient", linear_bias_gradient},
      {"rotary", rotary<false>},
      {"rotary_gradient", rotary<true>},
      {"cross_entropy", cross_entropy},
      {"cross_entropy_gradient", cross_entropy_gradient},
  };
  return table;
}

const std::map<std::string, FinishingKernel, std::less<>>& finishing_row_kernels() {
  using kernels::Norm;
  static const std::map<std::string, FinishingKernel, std::less<>> table = {
      {"layer_norm_gradient", finished_norm_gradient<Norm::layer>},
      {"rms_norm_gradient", finished_norm_gradient<Norm::rms>},
  };
  return table;
}

}  // namespace limpid
