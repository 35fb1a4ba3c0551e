// What numbers of rows hold to on every path, as a user runs them: losses of large logits, rows that are
// hidden or not finite, norms of rows with an offset or at the ends of the range of floats.
#include <cmath>
#include <limits>

#include "one_stage.h"

namespace limpid {
namespace {

using kernels::testing::Draw;
using testing::on_every_path;
using testing::SmallGraph;

constexpr float k_inf = std::numeric_limits<float>::infinity(),
                k_nan = std::numeric_limits<float>::quiet_NaN(), k_most = std::numeric_limits<float>::max();

Tensor rows_of(int64_t rows, int64_t width, const std::vector<float>& numbers) {
  return Tensor::of<float>({{Axis::T, rows}, {Axis::V, width}}, numbers);
}

// |ours - exact| <= by max(1, |exact|), cell by cell; NaN where it is NaN.
void expect_near(const Tensor& ours, const Tensor& exact, double by) {
  ASSERT_EQ(ours.count(), exact.count());
  for (int64_t i = 0; i < ours.count(); ++i) {
    const double a = ours.dtype() == DType::f64 ? ours.data<double>()[i] : ours.data<float>()[i],
                 b = exact.data<double>()[i];
    if (std::isnan(b)) {
      ASSERT_TRUE(std::isnan(a)) << i;
    } else if (a != b) {
      ASSERT_LE(std::abs(a - b), by * std::max(1., std::abs(b))) << i << ": " << a << ", expected " << b;
    }
  }
}

double largest(const Tensor& x) {
  double most = 0;
  for (int64_t i = 0; i < x.count(); ++i) most = std::max(most, std::abs(x.data<double>()[i]));
  return most;
}

// ---- losses --------------------------------------------------------------------------------------

// x - lse of large logits: the loss was 0.3132324.
TEST(CrossEntropyNumbers, LargeLogits) {
  const Tensor logits = rows_of(1, 2, {1000, 999}), target = Tensor::of<int64_t>({{Axis::T, 1}}, {0});
  on_every_path([&](const RunOptions& how) {
    SmallGraph g;
    const Stage z = g.parameter(logits), loss = cross_entropy(g / "loss", z, g.input(target));
    differentiate(g.graph, loss);
    const auto out = g.run({"loss", "in0.grad"}, how);
    EXPECT_NEAR(out.at("loss").at({}), 0.31326168751822286, 3e-8);
    EXPECT_NEAR(out.at("in0.grad").at({0, 0}), -0.2689414213699951, 6e-8);
    EXPECT_NEAR(out.at("in0.grad").at({0, 1}), 0.2689414213699951, 6e-8);
  });
}

TEST(CrossEntropyNumbers, RowsThatShareAnOffset) {
  on_every_path([&](const RunOptions& how) {
    Draw draw(1);
    for (double offset : {0., 12., -300., 1000., -30000., 1e6, -1e8, 1e30}) {
      for (int64_t width : {1, 2, 7, 33, 300}) {
        const int64_t rows = 5;
        std::vector<float> numbers;
        std::vector<int64_t> targets;
        for (int64_t i = 0; i < rows * width; ++i)
          numbers.push_back(static_cast<float>(offset + draw.real(-4, 4)));
        for (int64_t r = 0; r < rows; ++r) targets.push_back(draw.whole(0, width - 1));
        SmallGraph g;
        const Stage z = g.parameter(rows_of(rows, width, numbers)),
                    t = g.input(Tensor::of<int64_t>({{Axis::T, rows}}, targets));
        const Stage loss = cross_entropy(g / "loss", z, t), log = log_softmax(g / "log", z, Axis::V),
                    weights = softmax(g / "weights", z, Axis::V);
        differentiate(g.graph, loss);
        SCOPED_TRACE(join(width, " logits about ", offset));
        for (const char* name : {"loss", "loss.per_token", "log", "weights", "in0.grad"}) {
          SCOPED_TRACE(name);
          const Stage wanted = g.graph.handle(g.graph.require(name));
          expect_near(g.run(wanted, how), g.exact(wanted), 1e-6);
        }
        (void)log, (void)weights;
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  });
}

TEST(LogSoftmaxNumbers, GradientOfLargeLogits) {
  on_every_path([&](const RunOptions& how) {
    Draw draw(2);
    std::vector<float> numbers;
    for (int i = 0; i < 3 * 40; ++i) numbers.push_back(20000 + draw.real(-3, 3));
    SmallGraph g;
    const Stage z = g.parameter(rows_of(3, 40, numbers)), y = log_softmax(g / "y", z, Axis::V),
                dy = g.input(rows_of(3, 40, draw.reals(120)));
    differentiate(g.graph, {{y, dy}}, {z});
    const Stage dz = g.graph.handle(g.graph.require("in0.grad"));
    expect_near(g.run(dz, how), g.exact(dz), 1e-6);
  });
}

// ---- softmax -------------------------------------------------------------------------------------

TEST(SoftmaxNumbers, RowsThatAreHiddenOrNotFinite) {
  const int64_t width = 19;
  const auto row = [&](float rest, float first) {
    std::vector<float> numbers(static_cast<size_t>(width), rest);
    numbers[0] = first;
    return numbers;
  };
  struct Case {
    std::vector<float> numbers;
    float first, rest;
  };
  const float each = 1.f / width;
  const Case cases[] = {
      {row(-k_most, -k_most), each, each},  // the default mask of many a model
      {row(k_most, k_most), each, each},    //
      {row(-k_most, 3), 1, 0},              //
      {row(-k_most, k_most), 1, 0},         // their difference is not finite
      {row(-k_inf, -k_inf), 0, 0},          // nothing is seen
      {row(-k_inf, -k_most), 1, 0},         //
      {row(-k_inf, k_nan), k_nan, 0},       // what is hidden is not touched,
      {row(5, k_nan), k_nan, k_nan},        // what is seen is
      {row(-1000, k_nan), k_nan, k_nan},    //
      {row(k_inf, 0), k_nan, k_nan},        //
  };
  on_every_path([&](const RunOptions& how) {
    for (const Case& c : cases) {
      SmallGraph g;
      const Tensor y = g.run(softmax(g / "y", g.input(rows_of(1, width, c.numbers)), Axis::V), how);
      for (int64_t i = 0; i < width; ++i) {
        const float expected = i == 0 ? c.first : c.rest, got = y.data<float>()[i];
        if (std::isnan(expected))
          EXPECT_TRUE(std::isnan(got)) << c.numbers[0] << ", " << c.numbers[1] << ": " << i << " is " << got;
        else
          EXPECT_NEAR(got, expected, 1e-7) << c.numbers[0] << ", " << c.numbers[1] << ": " << i;
      }
    }
  });
}

// ---- norms ---------------------------------------------------------------------------------------

Tensor numbers_about(Draw& draw, const Shape& shape, float offset, float spread) {
  Tensor x(DType::f32, shape);
  for (int64_t i = 0; i < x.count(); ++i) x.data<float>()[i] = offset + spread * draw.real(-1, 1);
  return x;
}

struct NormNumbers {
  SmallGraph g;
  Stage y, dx, dw, db;
  NormNumbers(const std::string& kind, const Tensor& x, const Tensor& w, const Tensor& dy, double epsilon) {
    const Stage in = g.parameter(x), gain = g.parameter(w), given = g.input(dy);
    y = kind == "layer_norm" ? layer_norm(g / "y", in, gain, {}, epsilon)
                             : rms_norm(g / "y", in, gain, epsilon);
    differentiate(g.graph, {{y, given}}, {in, gain});
    dx = g.graph.handle(g.graph.require("in0.grad"));
    dw = g.graph.handle(g.graph.require("in1.grad"));
  }
};

// Width 4,096 and an offset of 1,000: the mean of a row needs more digits than a float has.
TEST(NormNumbers, RowsWithAnOffset) {
  on_every_path([&](const RunOptions& how) {
    Draw draw(3);
    for (const char* kind : {"layer_norm", "rms_norm"}) {
      for (float offset : {0.f, 10.f, 1000.f, -30000.f}) {
        for (int64_t width : {3, 17, 768, 4096}) {
          SCOPED_TRACE(join(kind, " of ", width, " about ", offset));
          const Shape shape = {{Axis::T, 6}, {Axis::C, width}}, row = {{Axis::C, width}};
          NormNumbers n(kind, numbers_about(draw, shape, offset, 2), numbers_about(draw, row, 0, 1),
                        numbers_about(draw, shape, 0, 1), 1e-5);
          const Tensor y = n.g.exact(n.y), dx = n.g.exact(n.dx), dw = n.g.exact(n.dw);
          expect_near(n.g.run(n.y, how), y, 1e-6);
          // The rms norm's gradient is a small difference of large numbers where the offset is large.
          const double units = kind[0] == 'r' ? 1 / std::max(1., std::abs(double{offset})) : 1;
          const double by = 1.2e-6 * std::max(units, largest(dx));
          const Tensor got = n.g.run(n.dx, how);
          for (int64_t i = 0; i < dx.count(); ++i)
            ASSERT_NEAR(got.data<float>()[i], dx.data<double>()[i], by) << i;
          expect_near(n.g.run(n.dw, how), dw, 3e-6);
          if (::testing::Test::HasFatalFailure()) return;
        }
      }
    }
  });
}

// A square that leaves the range of floats, of a row whose norm does not.
TEST(NormNumbers, TheEndsOfTheRange) {
  on_every_path([&](const RunOptions& how) {
    Draw draw(4);
    for (const char* kind : {"layer_norm", "rms_norm"}) {
      for (const auto& [spread, epsilon] : {std::pair{3e38f, 1e-5},
                                            {1e25f, 1e-5},
                                            {1e18f, 1e-5},
                                            {1e-18f, 0.},
                                            {1e-30f, 0.},
                                            {1e-30f, 1e-5}}) {
        SCOPED_TRACE(join(kind, " of numbers up to ", spread, ", epsilon ", epsilon));
        const Shape shape = {{Axis::T, 2}, {Axis::C, 45}}, row = {{Axis::C, 45}};
        // dy in the units of x: the gradient is of the order of 1.
        NormNumbers n(kind, numbers_about(draw, shape, 0, spread), numbers_about(draw, row, 0, 1),
                      numbers_about(draw, shape, 0, spread < 1e30f ? spread : 1), epsilon);
        expect_near(n.g.run(n.y, how), n.g.exact(n.y), 2e-6);
        expect_near(n.g.run(n.dx, how), n.g.exact(n.dx), 3e-6);
      }
      SmallGraph g;
      const Tensor x = Tensor::of<float>({{Axis::T, 1}, {Axis::C, 4}}, {3e38f, 3e38f, 3e38f, 3e38f});
      const Stage in = g.input(x);
      const Tensor y = g.run(kind[0] == 'l' ? layer_norm(g / "y", in) : rms_norm(g / "y", in), how);
      for (int64_t i = 0; i < 4; ++i) EXPECT_NEAR(y.data<float>()[i], kind[0] == 'l' ? 0 : 1, 1e-6);
    }
  });
}

}  // namespace
}  // namespace limpid
