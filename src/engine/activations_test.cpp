// Activations of few binary digits lose nothing in bf16; what is inside a group stays as it is.
#include "engine/activations.h"

#include <gtest/gtest.h>

#include <cstring>

#include "limpid/engine.h"
#include "limpid/ops.h"

namespace limpid {
namespace {

Tensor whole_numbers(Shape shape, int64_t most) {
  Tensor t(DType::f32, std::move(shape));
  for (int64_t i = 0; i < t.count(); ++i)
    t.data<float>()[i] = static_cast<float>(i * 7 % (2 * most + 1) - most);
  return t;
}

// x [B,T,C] -> linear -> relu -> linear -> + -> mean squared error, with the gradient.
struct WholeNetwork {
  Graph graph{operations()};
  std::map<std::string, Tensor> values;

  explicit WholeNetwork(bool narrow) {
    const Scope top = graph.scope();
    const Shape row = {{Axis::B, k_symbolic}, {Axis::T, k_symbolic}, {Axis::C, 5}};
    const Stage x = graph.input("x", row), target = graph.input("target", row);
    const Stage in = graph.parameter("W_in", {{Axis::C, 5}, {Axis::F, 9}}, {});
    const Stage out = graph.parameter("W_out", {{Axis::F, 9}, {Axis::C, 5}}, {});
    const Stage again = graph.parameter("W_again", {{Axis::C, 5}, {Axis::C, 5}}, {});
    const Stage inner = relu(top / "post", linear(top / "pre", x, in));
    const Stage sum = linear(top / "again", add(top / "sum", x, linear(top / "out", inner, out)), again);
    const Stage loss = mean_squared_error(top / "loss", sum, target);
    const int first = static_cast<int>(graph.stages().size());
    differentiate(graph, loss);
    if (narrow) graph = with_bf16_activations(graph, first);
    values["W_in"] = whole_numbers(graph.value(graph.require("W_in")).shape, 1);
    values["W_out"] = whole_numbers(graph.value(graph.require("W_out")).shape, 1);
    values["W_again"] = whole_numbers(graph.value(graph.require("W_again")).shape, 2);
    const Shape rows = {{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 5}};
    values["x"] = whole_numbers(rows, 2);
    values["target"] = whole_numbers(rows, 3);
  }
  RunResult run(bool plain) const {
    std::map<std::string, ConstView> bound;
    for (const auto& [name, tensor] : values) bound[name] = tensor;
    return Engine(graph).run(bound,
                             {.plain = plain, .keep = {"loss", "W_in.grad", "W_out.grad", "W_again.grad"}});
  }
};

bool same_bits(const RunResult& a, const RunResult& b) {
  return std::all_of(a.values.begin(), a.values.end(), [&](const auto& named) {
    return std::memcmp(named.second.raw(), b[named.first].raw(), named.second.bytes()) == 0;
  });
}

TEST(Activations, ThatBf16HoldsGiveTheBitsOfF32) {
  const WholeNetwork f32(false), bf16(true);
  for (const char* name : {"pre.narrow", "post.narrow", "sum.narrow"})
    EXPECT_GE(bf16.graph.find(name), 0) << name;
  for (const bool plain : {false, true}) EXPECT_TRUE(same_bits(f32.run(plain), bf16.run(plain)));
}

TEST(Activations, ThatItDoesNotHoldGiveOthers) {
  WholeNetwork f32(false), bf16(true);
  for (WholeNetwork* each : {&f32, &bf16}) each->values["x"].data<float>()[0] += 0x1p-12f;
  const RunResult a = f32.run(false), b = bf16.run(false);
  EXPECT_FALSE(same_bits(a, b));
  EXPECT_EQ(a["loss"].at({}), b["loss"].at({}));
}

// What comes back to a rounded number is handed on as it is.
TEST(Activations, NarrowAndWidenPassTheirGradient) {
  const auto gradient = [](bool narrow) {
    Graph graph(operations());
    const Scope top = graph.scope();
    const Shape row = {{Axis::T, 3}, {Axis::C, 5}};
    const Stage x = graph.input("x", row), target = graph.input("target", row);
    Stage y = linear(top / "y", x, graph.parameter("W", {{Axis::C, 5}, {Axis::C, 5}}, {}));
    if (narrow) y = graph.add(top / "wide", "widen", {}, {graph.add(top / "narrow", "narrow", {}, {y})});
    differentiate(graph, mean_squared_error(top / "loss", y, target));
    const Tensor rows = whole_numbers(row, 2), others = whole_numbers(row, 3),
                 w = whole_numbers({{Axis::C, 5}, {Axis::C, 5}}, 1);
    return Engine(graph).run({{"x", rows}, {"target", others}, {"W", w}}, {.keep = {"W.grad"}});
  };
  const RunResult exact = gradient(false), rounded = gradient(true);
  EXPECT_NE(exact["W.grad"].at({0, 0}), 0);
  EXPECT_TRUE(same_bits(exact, rounded));
}

}  // namespace
}  // namespace limpid
