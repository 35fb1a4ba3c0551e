// A network of one's own, trained: a row's class is whether more of its numbers are above zero than below.
//   c++ -std=c++20 train.cpp $(pkg-config --cflags --libs limpid) && ./a.out
#include <limpid/engine.h>
#include <limpid/ops.h>
#include <limpid/optimizer.h>
#include <limpid/random.h>

#include <cmath>
#include <iostream>

using namespace limpid;

// Rows of 9 numbers and the class of each.
struct Rows {
  Tensor x{DType::f32, {{Axis::B, 64}, {Axis::C, 9}}}, targets{DType::i64, {{Axis::B, 64}}};
  explicit Rows(Random& random) {
    for (int64_t row = 0; row < 64; ++row) {
      int64_t above = 0;
      for (int64_t i = 0; i < 9; ++i) {
        const double number = random.normal();
        above += number > 0;
        x.set({row, i}, number);
      }
      targets.set({row}, above > 4 ? 1 : 0);
    }
  }
};

int main() try {
  // Written once: x -> linear -> gelu -> linear -> logits, and the loss.
  Graph graph(operations());
  const Scope top = graph.scope();
  const auto weights = [&](const char* name, Shape shape, double deviation) {
    return graph.parameter(name, std::move(shape), {Init::Kind::normal, deviation, true});
  };
  const Stage x = graph.input("x", {{Axis::B, k_symbolic}, {Axis::C, 9}});
  const Stage targets = graph.input("targets", {{Axis::B, k_symbolic}}, DType::i64);
  const Stage in = weights("W_in", {{Axis::C, 9}, {Axis::F, 32}}, 0.3);
  const Stage bias = graph.parameter("b_in", {{Axis::F, 32}}, {});
  const Stage out = weights("W_out", {{Axis::F, 32}, {Axis::V, 2}}, 0.2);
  const Stage inner = gelu(top / "post", linear(top / "pre", x, in, bias));  // [B,F]
  const Stage logits = linear(top / "logits", inner, out);                   // [B,V]
  differentiate(graph, cross_entropy(top / "loss", logits, targets));        // W_in.grad, ...

  std::map<std::string, Tensor> parameters, gradients;
  Random random(7);
  for (const Value& value : graph.values()) {
    if (value.kind != Value::Kind::parameter) continue;
    Tensor& numbers = parameters[value.name] = Tensor(DType::f32, value.shape);
    for (int64_t i = 0; i < numbers.count(); ++i)
      numbers.data<float>()[i] = static_cast<float>(value.init.deviation * random.normal());
    gradients[value.name] = Tensor(DType::f32, value.shape);
  }

  const Engine engine(graph);
  const auto bound = [&](const Rows& rows) {
    std::map<std::string, ConstView> values{{"x", rows.x}, {"targets", rows.targets}};
    for (const auto& [name, numbers] : parameters) values[name] = numbers;
    return values;
  };
  AdamW adam(graph, parameters, {.clip = 1});
  const Schedule schedule{.highest = 1e-2, .least = 1e-3, .warm_up = 20, .steps = 400};
  for (int64_t step = 0; step < schedule.steps; ++step) {
    const Rows rows(random);
    RunOptions options{.keep = {"loss"}};
    for (auto& [name, gradient] : gradients) options.into[name + ".grad"] = gradient.view();
    const RunResult result = engine.run(bound(rows), options);
    adam.step(parameters, gradients, learning_rate(schedule, step));
    if (step % 100 == 0 || step + 1 == schedule.steps)
      std::cout << "step " << step << ": loss " << result["loss"].at({}) << "\n";
  }

  const Rows unseen(random);
  const RunResult result = engine.run(bound(unseen), {.keep = {"logits"}});
  int right = 0;
  for (int64_t row = 0; row < 64; ++row) {
    const bool says = result["logits"].at({row, 1}) > result["logits"].at({row, 0});
    right += says == (unseen.targets.at({row}) == 1);
  }
  std::cout << right << " of 64 unseen rows are right\n";
  return right > 48 ? 0 : 1;
} catch (const limpid::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
