// Sums of many terms, as a user runs them: their error grows no faster than the root of the number of terms.
#include <cmath>
#include <functional>

#include "one_stage.h"

namespace limpid {
namespace {

using kernels::testing::Draw;
using testing::on_every_path;
using testing::SmallGraph;

constexpr double k_rounding = 0x1p-24;  // of a float, at most

// Terms that are all alike, whose errors all fall to one side, and drawn ones.
std::vector<float> terms(Draw& draw, int64_t count, bool alike) {
  if (alike) return std::vector<float>(static_cast<size_t>(count), 0.1f);
  return draw.reals(count, 0, 1);
}

// Every number of ours within so many times root(n) roundings of the exact one, a sum of n terms above 0.
void expect_root(const Tensor& ours, const Tensor& exact, int64_t n, double times) {
  ASSERT_EQ(ours.count(), exact.count());
  for (int64_t i = 0; i < ours.count(); ++i) {
    const double b = exact.data<double>()[i];
    ASSERT_NEAR(ours.data<float>()[i], b,
                times * k_rounding * std::sqrt(static_cast<double>(n)) * std::abs(b))
        << i << " of a sum of " << n;
  }
}

// wanted(graph, terms of each sum): the sums.
void check(const std::function<Stage(SmallGraph&, Draw&, int64_t, bool)>& wanted, double times = 2) {
  on_every_path([&](const RunOptions& how) {
    for (int64_t n : {1000, 4096, 65536, 262144}) {
      for (bool alike : {true, false}) {
        Draw draw(5);
        SmallGraph g;
        const Stage sums = wanted(g, draw, n, alike);
        expect_root(g.run(sums, how), g.exact(sums), n, times);
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  });
}

Tensor rows(Draw& draw, int64_t count, int64_t width, bool alike) {
  return Tensor::of<float>({{Axis::B, 1}, {Axis::T, count}, {Axis::C, width}},
                           terms(draw, count * width, alike));
}

TEST(LongSums, BiasGradient) {
  check([](SmallGraph& g, Draw& draw, int64_t n, bool alike) {
    const Stage x = g.input(rows(draw, n, 1, alike)), dy = g.input(rows(draw, n, 3, alike));
    const Stage w = g.input(Tensor::of<float>({{Axis::C, 1}, {Axis::F, 3}}, {1, 1, 1})),
                b = g.parameter(Tensor::of<float>({{Axis::F, 3}}, {0, 0, 0}));
    const Stage y = linear(g / "y", x, w, b);
    differentiate(g.graph, {{y, dy}}, {b});
    return g.graph.handle(g.graph.require(b.name() + ".grad"));
  });
}

// A product sums chains of some 1,024 terms (kernels/matmul.h): what those lose does not grow with K.
constexpr double k_times_of_products = 8;

TEST(LongSums, WeightGradientAndProduct) {
  check(
      [](SmallGraph& g, Draw& draw, int64_t n, bool alike) {
        const Stage x = g.input(rows(draw, n, 2, alike)), dy = g.input(rows(draw, n, 3, alike));
        const Stage w = g.parameter(Tensor(DType::f32, {{Axis::C, 2}, {Axis::F, 3}}));
        const Stage y = linear(g / "y", x, w);
        differentiate(g.graph, {{y, dy}}, {w});
        return g.graph.handle(g.graph.require(w.name() + ".grad"));
      },
      k_times_of_products);
  for (int64_t count : {1, 5, 20}) {  // few rows go a way of their own
    SCOPED_TRACE(count);
    check(
        [count](SmallGraph& g, Draw& draw, int64_t n, bool alike) {
          const Stage x = g.input(rows(draw, count, n, alike));
          const Stage w = g.input(Tensor::of<float>({{Axis::C, n}, {Axis::F, 3}}, terms(draw, n * 3, alike)));
          return linear(g / "y", x, w);
        },
        k_times_of_products);
  }
}

TEST(LongSums, EmbeddingGradient) {
  check([](SmallGraph& g, Draw& draw, int64_t n, bool alike) {
    Tensor ids(DType::i64, {{Axis::B, 1}, {Axis::T, n}});
    std::fill_n(ids.data<int64_t>(), n, int64_t{1});  // a text of one word
    const Stage table = g.parameter(Tensor(DType::f32, {{Axis::V, 3}, {Axis::C, 2}}));
    const Stage y = embedding(g / "y", g.input(ids), table), dy = g.input(rows(draw, n, 2, alike));
    differentiate(g.graph, {{y, dy}}, {table});
    return g.graph.handle(g.graph.require(table.name() + ".grad"));
  });
}

TEST(LongSums, NormParameters) {
  check([](SmallGraph& g, Draw& draw, int64_t n, bool alike) {
    const Stage x = g.input(rows(draw, n, 2, false)), dy = g.input(rows(draw, n, 2, alike));
    const Stage w = g.input(Tensor::of<float>({{Axis::C, 2}}, {1, 1})),
                b = g.parameter(Tensor::of<float>({{Axis::C, 2}}, {0, 0}));
    const Stage y = layer_norm(g / "y", x, w, b);
    differentiate(g.graph, {{y, dy}}, {b});
    return g.graph.handle(g.graph.require(b.name() + ".grad"));
  });
}

TEST(LongSums, MeansOfRows) {
  check([](SmallGraph& g, Draw& draw, int64_t n, bool alike) {
    return pool(g / "y", g.input(rows(draw, n, 3, alike)), Pool::mean);
  });
}

TEST(LongSums, LossOfManyRows) {
  check([](SmallGraph& g, Draw& draw, int64_t n, bool alike) {
    Tensor targets(DType::i64, {{Axis::B, 1}, {Axis::T, n}});
    return cross_entropy(g / "y", g.input(rows(draw, n, 2, alike)), g.input(targets));
  });
}

TEST(LongSums, SoftmaxOfWideRows) {
  check([](SmallGraph& g, Draw& draw, int64_t n, bool alike) {
    Tensor x = rows(draw, 1, n, alike);
    x.data<float>()[0] = 2.4f;  // one above the others: their weights are no whole numbers
    return softmax(g / "y", g.input(x), Axis::C);
  });
}

}  // namespace
}  // namespace limpid
