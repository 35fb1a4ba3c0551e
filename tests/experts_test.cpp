// A mixture of experts as a user runs it, on every path: the fast way beside the plain one, only chosen
// experts are read, a token's bits are its own.
#include <cmath>
#include <cstring>
#include <limits>

#include "one_stage.h"

namespace limpid {
namespace {

using kernels::testing::Draw;
using kernels::testing::on_every_isa;
using testing::on_every_path;
using testing::SmallGraph;

constexpr float k_nan = std::numeric_limits<float>::quiet_NaN();

struct Sizes {
  int64_t batch = 1, rows = 1, slots = 1, experts = 1, in = 1, out = 1;
};

Tensor drawn(Draw& draw, const Shape& shape) { return Tensor::of<float>(shape, draw.reals(shape.count())); }

Tensor chosen_of(Draw& draw, const Sizes& n) {
  Tensor ids(DType::i64, {{Axis::B, n.batch}, {Axis::T, n.rows}, {Axis::J, n.slots}});
  for (int64_t i = 0; i < ids.count(); i += n.slots)  // different ones for a row
    for (int64_t first = draw.whole(0, n.experts - 1), j = 0; j < n.slots; ++j)
      ids.data<int64_t>()[i + j] = (first + j) % n.experts;
  return ids;
}

void expect_near(const Tensor& ours, const Tensor& exact, double by) {
  ASSERT_EQ(ours.count(), exact.count());
  double largest = 1;
  for (int64_t i = 0; i < exact.count(); ++i) largest = std::max(largest, std::abs(exact.data<double>()[i]));
  for (int64_t i = 0; i < exact.count(); ++i)
    ASSERT_NEAR(ours.data<float>()[i], exact.data<double>()[i], by * largest) << i;
}

const Sizes k_sizes[] = {{1, 1, 1, 1, 1, 1},    {2, 5, 2, 4, 7, 9},     {1, 40, 3, 4, 33, 17},
                         {1, 1, 4, 32, 64, 48}, {2, 70, 1, 3, 16, 130}, {1, 0, 2, 4, 8, 8}};

// Rows before the experts, and rows of their own.
TEST(Experts, FastFollowsPlain) {
  for (const Sizes& n : k_sizes)
    for (const bool apart : {false, true})
      on_every_path([&](const RunOptions& how) {
        Draw draw(static_cast<uint64_t>(n.rows + n.in));
        Shape x = {{Axis::B, n.batch}, {Axis::T, n.rows}};
        if (apart) x.append({Axis::J, n.slots});
        x.append({Axis::C, n.in});
        SmallGraph g;
        const Stage in = g.parameter(drawn(draw, x)),
                    w = g.parameter(drawn(draw, {{Axis::M, n.experts}, {Axis::C, n.in}, {Axis::F, n.out}})),
                    b = g.parameter(drawn(draw, {{Axis::M, n.experts}, {Axis::F, n.out}})),
                    chosen = g.input(chosen_of(draw, n));
        const Stage y = expert_linear(g / "y", in, w, chosen, b);
        const Stage dy = g.input(drawn(draw, y.shape()));
        differentiate(g.graph, {{y, dy}}, {in, w, b});
        for (const Stage& wanted : {y, in, w, b}) {
          SCOPED_TRACE(wanted.name());
          const Stage each =
              wanted.value == y.value ? y : g.graph.handle(g.graph.require(wanted.name() + ".grad"));
          expect_near(g.run(each, how), g.exact(each), 1e-5);
        }
      });
}

// Matrices as files have them: the bits of the numbers that they stand for.
TEST(Experts, StoredMatricesHaveTheBitsOfTheirNumbers) {
  struct Kind {
    DType dtype;
    BlockType blocks;
    bool turned;
  };
  const Sizes n = {2, 9, 2, 5, 64, 48};
  for (const Kind& kind :
       {Kind{DType::bf16, BlockType::none, true}, Kind{DType::bf16, BlockType::none, false},
        Kind{DType::f16, BlockType::none, true}, Kind{DType::f32, BlockType::q8_0, true},
        Kind{DType::f32, BlockType::q4_0, true}, Kind{DType::f32, BlockType::mxfp4, true}})
    on_every_isa([&](const std::string& isa) {
      SCOPED_TRACE(join(isa, " ", name(kind.dtype), " ", name(kind.blocks), kind.turned ? " turned" : ""));
      Draw draw(5);
      const Shape shape = {{Axis::M, n.experts}, {Axis::C, n.in}, {Axis::F, n.out}};
      StoredMatrix w(kind.dtype, kind.blocks, shape, n.experts * (kind.turned ? n.out : n.in),
                     kind.turned ? n.in : n.out, kind.turned, n.experts);
      const size_t step = kind.blocks == BlockType::none ? 2 : size_of(kind.blocks).bytes;
      for (size_t i = 0; i < w.bytes(); ++i) {  // bits of small numbers
        w.row(0)[i] = static_cast<std::byte>(draw.whole(0, 255));
        const bool scale = kind.blocks == BlockType::mxfp4 ? i % step == 0 : i % step == 1;
        if (scale) w.row(0)[i] = static_cast<std::byte>(kind.blocks == BlockType::mxfp4 ? 120 : 0x38);
      }
      SmallGraph g;
      const Stage x = g.input(drawn(draw, {{Axis::B, n.batch}, {Axis::T, n.rows}, {Axis::C, n.in}})),
                  chosen = g.input(chosen_of(draw, n)), given = g.graph.parameter("w", shape, {}),
                  b = g.parameter(drawn(draw, {{Axis::M, n.experts}, {Axis::F, n.out}}));
      const Stage y = expert_linear(g / "y", x, given, chosen, b);
      const std::map<std::string, StorableMatrix> storable = storable_parameters(g.graph);
      ASSERT_EQ(storable.at("w").matrices, n.experts);
      const std::map<std::string, StoredMatrix> stored = {{"w", w}};
      RunOptions as_stored;
      as_stored.stored = &stored;
      const Tensor ours = g.run(y, as_stored);
      g.bind("w", w.to_tensor());
      const Tensor expanded = g.run(y, {});
      ASSERT_TRUE(std::isfinite(ours.data<float>()[0]));
      EXPECT_EQ(std::memcmp(ours.raw(), expanded.raw(), ours.bytes()), 0);
    });
}

TEST(Experts, ClampedGateFollowsPlain) {
  on_every_path([&](const RunOptions& how) {
    Draw draw(3);
    const int64_t count = 40001;
    SmallGraph g;
    std::vector<float> a = draw.reals(count, -12, 12), b = draw.reals(count, -12, 12);
    a[0] = 7, b[0] = 7, a[1] = 1e30f, b[1] = -1e30f, a[2] = -1e30f;
    const Shape shape = {{Axis::T, 1}, {Axis::F, count}};
    const Stage y =
        clamped_gate(g / "y", g.input(Tensor::of<float>(shape, a)), g.input(Tensor::of<float>(shape, b)));
    const Tensor ours = g.run(y, how), exact = g.exact(y);
    for (int64_t i = 0; i < count; ++i)
      ASSERT_NEAR(ours.data<float>()[i], exact.data<double>()[i],
                  4e-6 * std::max(1., std::abs(exact.data<double>()[i])))
          << i;
    EXPECT_EQ(exact.data<double>()[2], 0);
  });
}

TEST(Experts, ANaNOfTheGateStaysOne) {
  on_every_path([&](const RunOptions& how) {
    SmallGraph g;
    const Shape shape = {{Axis::F, 3}};
    const Stage y = clamped_gate(g / "y", g.input(Tensor::of<float>(shape, {k_nan, 1, 2})),
                                 g.input(Tensor::of<float>(shape, {1, k_nan, 2})));
    const Tensor out = g.run(y, how);
    EXPECT_TRUE(std::isnan(out.at({0})) && std::isnan(out.at({1})) && !std::isnan(out.at({2})));
  });
}

// An expert that nobody chose may hold anything.
TEST(Experts, OnlyThoseChosenAreRead) {
  on_every_path([&](const RunOptions& how) {
    SmallGraph g;
    Tensor w(DType::f32, {{Axis::M, 3}, {Axis::C, 2}, {Axis::F, 2}});
    for (int64_t i = 0; i < w.count(); ++i) w.data<float>()[i] = i < 4 ? 1.f : i < 8 ? k_nan : 2.f;
    const Stage x = g.input(Tensor::of<float>({{Axis::T, 2}, {Axis::C, 2}}, {1, 2, 3, 4}));
    const Stage logits = g.input(Tensor::of<float>({{Axis::T, 2}, {Axis::M, 3}}, {2, 0, 1, 0, -1, 5}));
    const Routed to = route(g / "weights", logits, {.count = 2});
    const Stage y = expert_sum(g / "y", expert_linear(g / "h", x, g.parameter(w), to.chosen), to);
    const Tensor out = g.run(y, how);
    const double first = 1 / (1 + std::exp(-1)), second = 1 / (1 + std::exp(-5));
    EXPECT_NEAR(out.at({0, 0}), first * 3 + (1 - first) * 6, 1e-5);
    EXPECT_NEAR(out.at({1, 1}), second * 14 + (1 - second) * 7, 1e-5);
    const Tensor weights = g.run(to.weights, how);
    EXPECT_EQ(weights.at({0, 1}), 0);
    EXPECT_NEAR(weights.at({0, 0}), first, 1e-6);
  });
}

TEST(Router, ChoosesTheLargestAndTheFirstAmongEquals) {
  on_every_path([&](const RunOptions& how) {
    constexpr float k_none = -std::numeric_limits<float>::infinity();
    SmallGraph g;
    const Stage logits =
        g.input(Tensor::of<float>({{Axis::T, 4}, {Axis::M, 4}}, {1, 3, 3, 3,                      //
                                                                 0, k_nan, 9, 2,                  //
                                                                 k_none, k_none, k_none, k_none,  //
                                                                 k_none, 1, k_none, k_none}));
    const Routed to = route(g / "weights", logits, {.count = 2});
    const auto out = g.run({to.weights.name(), to.chosen.name()}, how);
    const Tensor &w = out.at(to.weights.name()), &chosen = out.at(to.chosen.name());
    EXPECT_EQ(chosen.dtype(), DType::i64);
    const std::vector<int64_t> expected = {1, 2, 1, 2, 0, 1, 1, 0};
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(chosen.data<int64_t>()[i], expected[i]) << i;
    EXPECT_EQ(w.at({0, 1}), 0.5);
    EXPECT_EQ(w.at({0, 3}), 0);
    EXPECT_TRUE(std::isnan(w.at({1, 1})));  // not swallowed
    EXPECT_EQ(w.at({2, 0}), 0);             // no score at all
    EXPECT_EQ(w.at({3, 1}), 1);
  });
}

TEST(Router, SharesOfAllAddUpToLess) {
  SmallGraph g;
  const Stage logits = g.input(Tensor::of<float>({{Axis::T, 1}, {Axis::M, 3}}, {0, 0, 0}));
  const Routed to = route(g / "weights", logits, {.count = 2, .share_of_all = true});
  const Tensor w = g.exact(to.weights);
  EXPECT_DOUBLE_EQ(w.at({0, 0}), 1.0 / 3);
  EXPECT_DOUBLE_EQ(w.at({0, 1}), 1.0 / 3);
  EXPECT_EQ(w.at({0, 2}), 0);
}

std::string message(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Experts, SayWhatIsWrong) {
  on_every_path([&](const RunOptions& how) {
    for (const int64_t id : {int64_t{-1}, int64_t{3}, INT64_MAX}) {
      SmallGraph g;
      const Stage x = g.input(Tensor(DType::f32, {{Axis::T, 1}, {Axis::C, 2}})),
                  w = g.parameter(Tensor(DType::f32, {{Axis::M, 3}, {Axis::C, 2}, {Axis::F, 2}})),
                  chosen = g.input(Tensor::of<int64_t>({{Axis::T, 1}, {Axis::J, 1}}, {id}));
      const Stage y = expert_linear(g / "y", x, w, chosen);
      EXPECT_NE(message([&] { g.run(y, how); }).find("expected 0 to 2"), std::string::npos);
    }
  });
  SmallGraph g;
  const Stage logits = g.input(Tensor(DType::f32, {{Axis::T, 1}, {Axis::M, 3}}));
  EXPECT_NE(message([&] { route(g / "a", logits, {.count = 4}); }).find("none can choose 4"),
            std::string::npos);
  EXPECT_NE(message([&] { route(g / "b", logits, {.count = 0}); }).find("at least 1"), std::string::npos);
  EXPECT_NE(message([&] { clamped_gate(g / "c", logits, logits, {.limit = 0}); }).find("more than 0"),
            std::string::npos);
}

// ---- sinks ---------------------------------------------------------------------------------------

TEST(Sinks, TakeTheirShareOfARow) {
  on_every_path([&](const RunOptions& how) {
    SmallGraph g;
    const float none = -std::numeric_limits<float>::infinity();
    const Shape scores = {{Axis::B, 1}, {Axis::H, 2}, {Axis::T, 2}, {Axis::S, 2}};
    const Stage z = g.input(Tensor::of<float>(scores, {0, 0, none, none, 1000, 999, -1000, none}));
    const Stage sinks = g.input(Tensor::of<float>({{Axis::H, 2}}, {0, 1000}));
    const Stage weights = softmax_beside_sinks(g / "pattern", z, sinks);
    const auto out = g.run({weights.name(), weights.output("lse").name()}, how);
    const Tensor &a = out.at(weights.name()), &lse = out.at(weights.output("lse").name());
    EXPECT_NEAR(a.at({0, 0, 0, 0}), 1.0 / 3, 1e-7);
    EXPECT_EQ(a.at({0, 0, 1, 0}), 0);  // the sink takes all
    EXPECT_EQ(lse.at({0, 0, 1}), 0);
    const double e = std::exp(-1);
    EXPECT_NEAR(a.at({0, 1, 0, 0}), 1 / (2 + e), 1e-7);
    EXPECT_NEAR(a.at({0, 1, 0, 1}), e / (2 + e), 1e-7);
    EXPECT_EQ(a.at({0, 1, 1, 0}), 0);
    EXPECT_EQ(lse.at({0, 1, 1}), 1000);
  });
}

TEST(Sinks, SayWhatIsWrong) {
  SmallGraph g;
  const Stage z = g.input(Tensor(DType::f32, {{Axis::B, 1}, {Axis::H, 2}, {Axis::T, 2}, {Axis::S, 2}}));
  const Stage three = g.input(Tensor(DType::f32, {{Axis::H, 3}}));
  EXPECT_NE(message([&] { softmax_beside_sinks(g / "a", z, three); }).find("one for each head"),
            std::string::npos);
  EXPECT_NE(
      message([&] { g.graph.add(g / "b", "softmax", {{"sinks", true}}, {z, three}); }).find("log_sum_exp"),
      std::string::npos);
}

}  // namespace
}  // namespace limpid
