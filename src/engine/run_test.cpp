// Runs of one engine beside each other (also under ThreadSanitizer: preset tsan).
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

#include "core/threads.h"
#include "limpid/engine.h"
#include "limpid/ops.h"

namespace limpid {
namespace {

Tensor waves(Shape shape, double pace) {
  Tensor t(DType::f32, std::move(shape));
  for (int64_t i = 0; i < t.count(); ++i)
    t.data<float>()[i] = static_cast<float>(std::sin(pace * static_cast<double>(i + 1)));
  return t;
}

// x [B,T,C] -> norm -> linear -> gelu -> linear -> + x -> softmax, and the gradient of its squares.
struct Network {
  Graph graph{operations()};
  std::map<std::string, Tensor> parameters;

  Network() {
    const Scope top = graph.scope();
    const Stage x = graph.input("x", {{Axis::B, k_symbolic}, {Axis::T, k_symbolic}, {Axis::C, 64}});
    const Stage target = graph.input("target", {{Axis::B, k_symbolic}, {Axis::T, k_symbolic}, {Axis::C, 64}});
    const Stage in = graph.parameter("W_in", {{Axis::C, 64}, {Axis::F, 256}}, {});
    const Stage out = graph.parameter("W_out", {{Axis::F, 256}, {Axis::C, 64}}, {});
    const Stage inner = gelu(top / "post", linear(top / "pre", layer_norm(top / "ln", x), in));
    const Stage sum = add(top / "sum", x, linear(top / "out", inner, out));
    softmax(top / "shares", sum, Axis::C);
    differentiate(graph, mean_squared_error(top / "loss", sum, target));
    parameters["W_in"] = waves(graph.value(graph.require("W_in")).shape, 0.7);
    parameters["W_out"] = waves(graph.value(graph.require("W_out")).shape, 0.3);
  }

  RunResult run(const Engine& engine, int64_t rows, double pace) const {
    const Shape shape{{Axis::B, 1}, {Axis::T, rows}, {Axis::C, 64}};
    const Tensor x = waves(shape, pace), target = waves(shape, 2 * pace);
    std::map<std::string, ConstView> bound{{"x", x}, {"target", target}};
    for (const auto& [name, tensor] : parameters) bound[name] = tensor;
    return engine.run(bound, {.observe = {{"ln*"}, {"post", Depth::summary}},
                              .keep = {"shares", "loss", "W_in.grad", "W_out.grad"}});
  }
};

TEST(Run, BesideOthersOnOneEngineGivesTheBitsOfOneAlone) {
  const Network network;
  const Engine engine(network.graph);
  std::vector<RunResult> alone;
  for (int i = 0; i < 3; ++i) alone.push_back(network.run(engine, 20 + 30 * i, 0.1 + i));
  const Engine fresh(network.graph);  // plans are made while others run, too
  std::vector<int> wrong(3);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&, i] {
      const ScopedThreads scoped(2);
      for (int round = 0; round < 6; ++round) {
        const RunResult again = network.run(fresh, 20 + 30 * i, 0.1 + i);
        const RunResult& right = alone[static_cast<size_t>(i)];
        int& differ = wrong[static_cast<size_t>(i)];
        differ += again.values.size() != right.values.size() || again.summaries != right.summaries;
        for (const auto& [name, tensor] : right.values)
          differ += std::memcmp(again[name].raw(), tensor.raw(), tensor.bytes()) != 0;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(3));
  EXPECT_GT(fresh.arena_bytes(), 0u);
}

}  // namespace
}  // namespace limpid
