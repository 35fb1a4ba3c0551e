// The ONNX standard's own cases for the operators that are also ours, as a user runs them: Engine::run of a
// small graph, by the kernels of every instruction set and plain, in float.  ONNX names no axes and
// normalises over any trailing ones, so a case is first put in our terms: reshaped, its axes named, its batch
// axes made one.  shared/data/conformance/onnx/SOURCE.txt tells how the cases are stored.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iostream>

#include "limpid/ops.h"
#include "one_stage.h"
#include "onnx_cases.h"

namespace limpid {
namespace {

using onnx::cases_file;
using onnx::OnnxCase;
using onnx::read_cases;
using onnx::worst;

// ---- saying a case in our terms ------------------------------------------------------------------

Tensor reshaped(Tensor t, const Shape& shape) {
  t.reshape(shape);
  return t;
}

// The same numbers with their axes in another order.
Tensor permuted(const Tensor& t, const std::vector<int>& order) {
  return Tensor::copy_of(t.view().permuted(order));
}

// Sizes from `first` on, multiplied.
int64_t width_from(const Tensor& t, int first) {
  int64_t n = 1;
  for (int i = first; i < t.shape().rank(); ++i) n *= t.shape()[i].size;
  return n;
}

int axis_of(const OnnxCase& c, const Tensor& x) {
  const int64_t axis = c.integer("axis", -1);
  return static_cast<int>(axis < 0 ? axis + x.shape().rank() : axis);
}

// A graph for one case; inputs are bound as they are added.  Run as a user runs it: Engine::run.
class Run : public testing::SmallGraph {
 public:
  explicit Run(const RunOptions& how) : how_(how) {}
  Tensor operator()(Stage wanted) { return run(wanted, how_); }

 private:
  RunOptions how_;
};

// Our results beside ONNX's; the same operator may be ours in several ways.
using Results = std::vector<std::pair<Tensor, Tensor>>;

Results normalization(const OnnxCase& c, const RunOptions& how) {
  const Tensor& x = c.in("X");
  const int64_t width = width_from(x, axis_of(c, x));
  const Shape rows = {{Axis::T, x.count() / width}, {Axis::C, width}}, row = {{Axis::C, width}};
  const double epsilon = c.real("epsilon", 1e-5);
  Run run(how);
  const Stage in = run.input(reshaped(x, rows)), w = run.input(reshaped(c.in("W"), row));
  if (c.op == "RMSNormalization") return {{run(rms_norm(run / "y", in, w, epsilon)), c.outputs.at("Y")}};
  const Stage y = layer_norm(run / "y", in, w, run.input(reshaped(c.in("B"), row)), epsilon);
  Tensor inverse = run(y.output("scale"));
  for (int64_t i = 0; i < inverse.count(); ++i) inverse.data<float>()[i] = 1 / inverse.data<float>()[i];
  // "Mean" is no output of ours: Y and the deviation cannot be right without it.
  return {{run(y), c.outputs.at("Y")}, {inverse, c.outputs.at("InvStdDev")}};
}

Results softmaxes(const OnnxCase& c, const RunOptions& how) {
  static constexpr Axis letters[] = {Axis::B, Axis::H, Axis::T, Axis::S};
  Shape shape = c.in("x").shape();
  for (int i = 0; i < shape.rank(); ++i) shape[i].axis = letters[i];
  const Axis axis = letters[axis_of(c, c.in("x"))];
  Run run(how);
  const Stage x = run.input(reshaped(c.in("x"), shape));
  return {{run(c.op == "Softmax" ? softmax(run / "y", x, axis) : log_softmax(run / "y", x, axis)),
           c.outputs.at("y")}};
}

Results gelus(const OnnxCase& c, const RunOptions& how) {
  Run run(how);
  const Gelu form = c.attributes.value("approximate", "none") == "tanh" ? Gelu::tanh : Gelu::exact;
  return {{run(gelu(run / "y", run.input(c.in("x")), form)), c.outputs.at("y")}};
}

// x / (1 + exp(-alpha x)) is silu(alpha x) / alpha.
Results swish(const OnnxCase& c, const RunOptions& how) {
  Run run(how);
  const double alpha = c.real("alpha", 1);
  const Stage inner = silu(run / "silu", scale(run / "times", run.input(c.in("x")), alpha));
  return {{run(scale(run / "y", inner, 1 / alpha)), c.outputs.at("y")}};
}

// ONNX keeps heads before places; without position ids its caches hold one row for each place of the batch.
Results rotary_embedding(const OnnxCase& c, const RunOptions& how) {
  Tensor x = c.in("input"), expected = c.outputs.at("output");
  if (x.shape().rank() == 3) {
    const int64_t heads = c.integer("num_heads", 1), B = x.shape()[0].size, T = x.shape()[1].size;
    for (Tensor* t : {&x, &expected}) t->reshape(Shape::unnamed({B, T, heads, t->shape()[2].size / heads}));
  } else {
    for (Tensor* t : {&x, &expected}) *t = permuted(*t, {0, 2, 1, 3});
  }
  const int64_t B = x.shape()[0].size, T = x.shape()[1].size, H = x.shape()[2].size, D = x.shape()[3].size;
  RotaryOptions options;
  options.width = c.integer("rotary_embedding_dim", 0);
  if (options.width == 0) options.width = D;
  options.pairing = c.integer("interleaved", 0) ? Pairing::interleaved : Pairing::halves;

  Tensor positions(DType::i64, {{Axis::B, B}, {Axis::T, T}});
  for (int64_t i = 0; i < B * T; ++i)
    positions.data<int64_t>()[i] = c.has("position_ids") ? c.in("position_ids").data<int64_t>()[i] : i;
  const Shape cache = {{Axis::P, c.in("cos_cache").count() * 2 / options.width},
                       {Axis::none, options.width / 2}};
  Run run(how);
  const Stage in = run.input(reshaped(x, {{Axis::B, B}, {Axis::T, T}, {Axis::H, H}, {Axis::D, D}}));
  const Stage cos = run.input(reshaped(c.in("cos_cache"), cache)),
              sin = run.input(reshaped(c.in("sin_cache"), cache));
  return {{run(rotary(run / "y", in, cos, sin, options, run.input(positions))), expected}};
}

// ---- products ------------------------------------------------------------------------------------

// The matrices of t with their batch axes broadcast to `batch` and made one: [batch, rows, columns].
Tensor matrices(const Tensor& t, const std::vector<int64_t>& batch) {
  const int rank = t.shape().rank(), missing = static_cast<int>(batch.size()) - (rank - 2);
  const int64_t rows = t.shape()[rank - 2].size, columns = t.shape()[rank - 1].size;
  const int64_t count = Shape::unnamed(batch).count();
  Tensor out(DType::f32, Shape::unnamed({count, rows, columns}));
  for (int64_t n = 0; n < count; ++n) {
    int64_t rest = n, from = 0, stride = 1;
    for (int i = static_cast<int>(batch.size()) - 1; i >= missing; --i) {
      const int64_t place = rest % batch[static_cast<size_t>(i)], size = t.shape()[i - missing].size;
      from += (size == 1 ? 0 : place) * stride;
      stride *= size;
      rest /= batch[static_cast<size_t>(i)];
    }
    std::copy_n(t.data<float>() + from * rows * columns, rows * columns,
                out.data<float>() + n * rows * columns);
  }
  return out;
}

// Every product of ours that fits: linear for one matrix, and those of attention, one head for each batch
// element.
Results matrix_product(const OnnxCase& c, const RunOptions& how) {
  Tensor a = c.in("a"), b = c.in("b");
  const Tensor& expected = c.outputs.at("c");
  if (a.shape().rank() == 1) a.reshape(Shape::unnamed({1, a.count()}));  // a row
  if (b.shape().rank() == 1) b.reshape(Shape::unnamed({b.count(), 1}));  // a column
  const size_t axes = static_cast<size_t>(std::max(a.shape().rank(), b.shape().rank()) - 2);
  std::vector<int64_t> batch(axes, 1);
  for (const Tensor* t : {&a, &b})
    for (int i = t->shape().rank() - 3, j = static_cast<int>(axes) - 1; i >= 0; --i, --j)
      batch[static_cast<size_t>(j)] = std::max(batch[static_cast<size_t>(j)], t->shape()[i].size);
  const Tensor left = matrices(a, batch), right = matrices(b, batch);
  const int64_t B = left.shape()[0].size, M = left.shape()[1].size, K = left.shape()[2].size,
                N = right.shape()[2].size;

  Results results;
  Run run(how);
  const Stage pattern = run.input(reshaped(left, {{Axis::B, B}, {Axis::H, 1}, {Axis::T, M}, {Axis::S, K}}));
  const Stage v = run.input(reshaped(right, {{Axis::B, B}, {Axis::S, K}, {Axis::G, 1}, {Axis::D, N}}));
  results.push_back({run(weighted_sum(run / "weighted_sum", pattern, v)), expected});

  const Stage q = run.input(reshaped(left, {{Axis::B, B}, {Axis::T, M}, {Axis::H, 1}, {Axis::D, K}}));
  const Stage k = run.input(
      reshaped(permuted(right, {0, 2, 1}), {{Axis::B, B}, {Axis::S, N}, {Axis::G, 1}, {Axis::D, K}}));
  results.push_back({run(raw_scores(run / "raw_scores", q, k)), expected});

  if (b.shape().rank() == 2)
    results.push_back({run(linear(run / "linear", run.input(a), run.input(b))), expected});
  return results;
}

Results gemm(const OnnxCase& c, const RunOptions& how) {
  Run run(how);
  const Tensor a = c.integer("transA", 0) ? permuted(c.in("a"), {1, 0}) : c.in("a");
  LinearOptions options;
  options.transposed = c.integer("transB", 0) != 0;
  Stage y = scale(run / "alpha", linear(run / "product", run.input(a), run.input(c.in("b")), {}, options),
                  c.real("alpha", 1));
  if (c.has("c")) {
    // What is the same for every row loses its leading sizes of 1: [1,N] is [N], [1] is a single number.
    std::vector<int64_t> sizes = c.in("c").shape().sizes();
    while (!sizes.empty() && sizes.front() == 1) sizes.erase(sizes.begin());
    const Stage bias = run.input(reshaped(c.in("c"), Shape::unnamed(sizes)));
    y = add(run / "y", y, scale(run / "beta", bias, c.real("beta", 1)));
  }
  return {{run(y), c.outputs.at("y")}};
}

const std::map<std::string, std::function<Results(const OnnxCase&, const RunOptions&)>> k_operators = {
    {"LayerNormalization", normalization},
    {"RMSNormalization", normalization},
    {"Softmax", softmaxes},
    {"LogSoftmax", softmaxes},
    {"Gelu", gelus},
    {"Swish", swish},
    {"RotaryEmbedding", rotary_embedding},
    {"MatMul", matrix_product},
    {"Gemm", gemm},
};

// How many cases of each operator there are, and how many agree.
struct Count {
  std::map<std::string, int> cases;
  int total = 0, agree = 0;
  double most = 0;  // of the tolerance
};

Count run_cases(const std::vector<OnnxCase>& cases, const RunOptions& how) {
  Count count;
  for (const OnnxCase& c : cases) {
    const auto run = k_operators.find(c.op);
    if (run == k_operators.end())
      continue;  // Attention and TensorScatter are groups and state, not operations
    SCOPED_TRACE(c.name);
    ++count.cases[c.op];
    ++count.total;
    bool good = true;
    for (const auto& [ours, expected] : run->second(c, how)) {
      EXPECT_EQ(ours.count(), expected.count());
      const double off = worst(ours, expected);
      EXPECT_LE(off, 1);
      good &= off <= 1;
      count.most = std::max(count.most, off);
    }
    count.agree += good;
  }
  return count;
}

TEST(Onnx, EveryCaseOfOurOperatorsAgrees) {
  const std::filesystem::path path = cases_file();
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no " << path << " (LIMPID_DATA names the data folder)";
  const std::vector<OnnxCase> cases = read_cases(read_safetensors(path));
  testing::on_every_path([&](const RunOptions& how) {
    const Count count = run_cases(cases, how);
    std::cout << "ONNX, " << (how.plain ? "plain" : kernels::isa_name()) << ": " << count.agree << " of "
              << count.total << " cases of " << count.cases.size() << " operators agree, none left out"
              << " (the worst uses " << std::lround(100 * count.most) << "% of the tolerance)\n";
    EXPECT_EQ(count.cases, (std::map<std::string, int>{{"LayerNormalization", 14},
                                                       {"RMSNormalization", 14},
                                                       {"Softmax", 5},
                                                       {"LogSoftmax", 7},
                                                       {"Gelu", 4},
                                                       {"Swish", 1},
                                                       {"RotaryEmbedding", 6},
                                                       {"MatMul", 7},
                                                       {"Gemm", 11}}));
  });
}

}  // namespace
}  // namespace limpid
