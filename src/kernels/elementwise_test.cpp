#include "kernels/elementwise.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "kernels/test_helpers.h"

namespace limpid::kernels {
namespace {

using testing::at_any_threads;
using testing::Draw;
using testing::on_every_isa;
using testing::same_bits;

constexpr float k_nan = std::numeric_limits<float>::quiet_NaN();
constexpr float k_inf = std::numeric_limits<float>::infinity();

double phi(double x) { return 0.5 * std::erfc(-x * std::sqrt(0.5)); }
double density(double x) { return std::exp(-0.5 * x * x) * 0.3989422804014327; }
double inner(double x) { return 0.7978845608028654 * (x + 0.044715 * x * x * x); }
double logistic(double x) { return 1 / (1 + std::exp(-x)); }

struct Known {
  Function function;
  std::function<double(double, double)> meaning;
  double absolute, relative;  // error bounds, beside the rounding of a product
};

const std::vector<Known>& known() {
  static const std::vector<Known> all = {
      {Function::add, [](double a, double b) { return 0.75 * a - 0.5 * b; }, 1e-6, 0},
      {Function::multiply, [](double a, double b) { return a * b; }, 0, 1e-7},
      {Function::scale, [](double a, double) { return 0.75 * a; }, 0, 1e-7},
      {Function::gelu, [](double a, double) { return a * phi(a); }, 1e-7, 3e-6},
      {Function::gelu_gradient, [](double a, double b) { return a * (phi(b) + b * density(b)); }, 3e-6, 2e-6},
      {Function::gelu_tanh, [](double a, double) { return 0.5 * a * (1 + std::tanh(inner(a))); }, 1e-7, 3e-6},
      {Function::gelu_tanh_gradient,
       [](double a, double b) {
         const double u = std::tanh(inner(b));
         return a * (0.5 * (1 + u) + 0.5 * b * (1 - u * u) * 0.7978845608028654 * (1 + 3 * 0.044715 * b * b));
       },
       1e-5, 2e-6},
      {Function::relu, [](double a, double) { return a > 0 ? a : 0; }, 0, 0},
      {Function::relu_gradient, [](double a, double b) { return b > 0 ? a : 0; }, 0, 0},
      {Function::silu, [](double a, double) { return a * logistic(a); }, 1e-7, 1e-6},
      {Function::silu_gradient,
       [](double a, double b) { return a * (logistic(b) + b * logistic(b) * (1 - logistic(b))); }, 3e-6,
       1e-6},
      {Function::tanh, [](double a, double) { return std::tanh(a); }, 0, 4 * 1.2e-7},
      {Function::tanh_gradient, [](double a, double b) { return a * (1 - b * b); }, 1e-6, 2e-7},
      {Function::exp, [](double a, double) { return std::exp(a); }, 1e-44, 2 * 1.2e-7},
  };
  return all;
}

TEST(Elementwise, EveryFunctionAtEveryTail) {
  on_every_isa([](const std::string&) {
    Draw draw(21);
    for (const Known& f : known()) {
      for (int64_t count : {0, 1, 3, 8, 15, 16, 17, 33, 1000}) {
        const bool is_tanh = f.function == Function::tanh_gradient;
        std::vector<float> a = draw.reals(count, -6, 6),
                           b = draw.reals(count, is_tanh ? -1 : -6, is_tanh ? 1 : 6);
        std::vector<float> out(static_cast<size_t>(count) + 1, 7.f);
        launch(Elementwise{f.function, a.data(), b.data(), out.data(), count, 0.75f, -0.5f});
        for (int64_t i = 0; i < count; ++i) {
          const size_t at = static_cast<size_t>(i);
          const double want = f.meaning(a[at], b[at]);
          ASSERT_NEAR(out[at], want, f.absolute + f.relative * std::abs(want))
              << "function " << static_cast<int>(f.function) << " of " << a[at] << ", " << b[at];
        }
        EXPECT_EQ(out.back(), 7.f);
      }
    }
  });
}

// A fine walk over the whole line: exp within 2 ulp, tanh within 4, gelu's tail in proportion.
TEST(Elementwise, StatedErrors) {
  on_every_isa([](const std::string&) {
    std::vector<float> x;
    for (double v = -110; v < 92; v += 0.00371) x.push_back(static_cast<float>(v));
    std::vector<float> out(x.size());
    const auto worst_ulp = [&](Function f, double (*meaning)(double), double low) {
      launch(Elementwise{f, x.data(), nullptr, out.data(), static_cast<int64_t>(x.size())});
      double worst = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double want = meaning(x[i]);
        const float near = static_cast<float>(want);
        if (x[i] < low || std::isinf(near)) continue;
        const double ulp = std::nextafter(std::abs(near), k_inf) - std::abs(near);
        worst = std::max(worst, std::abs(out[i] - want) / ulp);
      }
      return worst;
    };
    EXPECT_LE(worst_ulp(Function::exp, [](double v) { return std::exp(v); }, -200), 2);
    EXPECT_LE(worst_ulp(Function::tanh, [](double v) { return std::tanh(v); }, -200), 4);
    EXPECT_LE(worst_ulp(Function::gelu, [](double v) { return v * phi(v); }, -8), 40);
  });
}

TEST(Elementwise, Extremes) {
  on_every_isa([](const std::string&) {
    const std::vector<float> x = {-k_inf, -1e30f, -200, 0, 200, 1e30f, k_inf, k_nan};
    const auto run = [&](Function f) {
      std::vector<float> ones(x.size(), 1), out(x.size());
      const bool gradient = f == Function::gelu_gradient || f == Function::gelu_tanh_gradient ||
                            f == Function::silu_gradient || f == Function::relu_gradient;
      launch(Elementwise{f, gradient ? ones.data() : x.data(), x.data(), out.data(), 8});
      return out;
    };
    const auto expect = [&](Function f, size_t from, const std::vector<float>& want) {
      const std::vector<float> got = run(f);
      for (size_t i = 0; i < want.size(); ++i)
        EXPECT_EQ(got[from + i], want[i]) << static_cast<int>(f) << " " << i;
      if (f != Function::relu_gradient) {
        EXPECT_TRUE(std::isnan(got[7])) << static_cast<int>(f);
      }
    };
    expect(Function::exp, 0, {0, 0, 0, 1, k_inf, k_inf, k_inf});
    expect(Function::tanh, 0, {-1, -1, -1, 0, 1, 1, 1});
    expect(Function::relu, 0, {0, 0, 0, 0, 200, 1e30f, k_inf});
    expect(Function::gelu, 1, {-0.f, -0.f, 0, 200, 1e30f, k_inf});
    expect(Function::silu, 1, {-0.f, -0.f, 0, 200, 1e30f, k_inf});
    expect(Function::gelu_gradient, 1, {0, 0, 0.5f, 1, 1});
    expect(Function::silu_gradient, 1, {0, 0, 0.5f, 1, 1});
    expect(Function::gelu_tanh, 2, {-0.f, 0, 200});
    expect(Function::gelu_tanh_gradient, 2, {0, 0.5f, 1});
  });
}

// Law 3: the last, incomplete vector computes as the whole ones do.
TEST(Elementwise, PlaceAndThreadsChangeNoBit) {
  on_every_isa([](const std::string&) {
    Draw draw(22);
    const std::vector<float> a = draw.reals(40000, -4, 4), b = draw.reals(40000, -4, 4);
    for (const Known& f : known()) {
      const std::vector<float> whole = at_any_threads([&] {
        std::vector<float> out(a.size());
        launch(Elementwise{f.function, a.data(), b.data(), out.data(), 40000, 0.75f, -0.5f});
        return out;
      });
      for (int64_t i : {0, 1, 17, 39999}) {
        float one = 0;
        launch(Elementwise{f.function, a.data() + i, b.data() + i, &one, 1, 0.75f, -0.5f});
        EXPECT_TRUE(same_bits(&one, &whole[static_cast<size_t>(i)], 1)) << static_cast<int>(f.function);
      }
    }
  });
}

}  // namespace
}  // namespace limpid::kernels
