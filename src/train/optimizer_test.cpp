#include "limpid/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "limpid/ops.h"
#include "limpid/threads.h"

namespace limpid {
namespace {

using Tensors = std::map<std::string, Tensor>;

// Two parameters, of which one decays.
struct Made {
  Graph graph{operations()};
  Tensors parameters;

  Made() {
    graph.parameter("w", {{Axis::C, 3}}, {Init::Kind::zeros, 0, true});
    graph.parameter("b", {{Axis::C, 2}}, {Init::Kind::zeros, 0, false});
    parameters["w"] = Tensor::of<float>({{Axis::C, 3}}, {1, -2, 0.5f});
    parameters["b"] = Tensor::of<float>({{Axis::C, 2}}, {0.25f, 4});
  }
};

Tensors gradients_of(double scale) {
  Tensors g;
  g["w"] = Tensor(DType::f32, {{Axis::C, 3}});
  g["b"] = Tensor(DType::f32, {{Axis::C, 2}});
  for (int i = 0; i < 3; ++i) g["w"].data<float>()[i] = static_cast<float>(scale * (i - 1.5));
  for (int i = 0; i < 2; ++i) g["b"].data<float>()[i] = static_cast<float>(scale * (2 + i));
  return g;
}

template <class Call>
std::string refused(const Call& call) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Error::Kind::call);
    return e.what();
  }
  ADD_FAILURE() << "accepted";
  return "";
}

TEST(Optimizer, StepsAreTheFormulasInDouble) {
  Made made;
  AdamWOptions o{.beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-6, .weight_decay = 0.3, .clip = 2};
  AdamW adam(made.graph, made.parameters, o);
  std::map<std::string, std::vector<double>> p, m, v;
  for (const auto& [name, tensor] : made.parameters) {
    for (int64_t i = 0; i < tensor.count(); ++i) p[name].push_back(tensor.at({i}));
    m[name] = v[name] = std::vector<double>(p[name].size());
  }
  for (int n = 1; n <= 5; ++n) {
    const double rate = 0.1 / n;
    const Tensors g = gradients_of(n % 2 ? 1 : 0.1);  // clipped, and not
    double squares = 0;
    for (const auto& [name, tensor] : g)
      for (int64_t i = 0; i < tensor.count(); ++i) squares += tensor.at({i}) * tensor.at({i});
    const double norm = adam.step(made.parameters, g, rate);
    EXPECT_NEAR(norm, std::sqrt(squares), 1e-6);
    EXPECT_EQ(adam.steps, n);
    for (const auto& [name, tensor] : g)
      for (size_t i = 0; i < p[name].size(); ++i) {
        const double x = tensor.at({static_cast<int64_t>(i)}) * std::min(1.0, o.clip / norm);
        m[name][i] = o.beta1 * m[name][i] + (1 - o.beta1) * x;
        v[name][i] = o.beta2 * v[name][i] + (1 - o.beta2) * x * x;
        const double step = m[name][i] / (1 - std::pow(o.beta1, n)) /
                            (std::sqrt(v[name][i] / (1 - std::pow(o.beta2, n))) + o.epsilon);
        p[name][i] = p[name][i] * (name == "w" ? 1 - rate * o.weight_decay : 1) - rate * step;
        EXPECT_NEAR(made.parameters[name].at({static_cast<int64_t>(i)}), p[name][i], 1e-5)
            << name << "[" << i << "], step " << n;
      }
  }
}

TEST(Optimizer, StateGoesOnToTheSameBits) {
  Made one, two;
  AdamW straight(one.graph, one.parameters), before(two.graph, two.parameters);
  for (int n = 0; n < 4; ++n) straight.step(one.parameters, gradients_of(n + 1), 0.01);
  for (int n = 0; n < 2; ++n) before.step(two.parameters, gradients_of(n + 1), 0.01);
  AdamW after(two.graph, two.parameters);
  after.first = before.first, after.second = before.second, after.steps = before.steps;
  for (int n = 2; n < 4; ++n) after.step(two.parameters, gradients_of(n + 1), 0.01);
  for (const auto& [name, tensor] : one.parameters)
    for (int64_t i = 0; i < tensor.count(); ++i)
      EXPECT_EQ(tensor.at({i}), two.parameters.at(name).at({i})) << name << "[" << i << "]";
}

TEST(Optimizer, RefusesWhatDoesNotFitAndChangesNothing) {
  Made made;
  AdamW adam(made.graph, made.parameters);
  Tensors g = gradients_of(1);
  g["c"] = g["b"];
  EXPECT_NE(refused([&] { adam.step(made.parameters, g, 0.1); }).find("'c'"), std::string::npos);
  g.erase("c");
  g["w"] = Tensor(DType::f32, {{Axis::C, 4}});
  EXPECT_NE(refused([&] { adam.step(made.parameters, g, 0.1); }).find("[C=4], expected [C=3]"),
            std::string::npos);
  g["w"] = Tensor(DType::f64, {{Axis::C, 3}});
  EXPECT_NE(refused([&] { adam.step(made.parameters, g, 0.1); }).find("f64"), std::string::npos);
  EXPECT_NE(refused([&] { gradient_norm(g); }).find("f64"), std::string::npos);
  EXPECT_EQ(made.parameters["b"].at({1}), 4);
  EXPECT_EQ(adam.steps, 0);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const AdamWOptions& bad : {AdamWOptions{.beta1 = 1},
                                  {.beta2 = -0.1},
                                  {.epsilon = 0},
                                  {.weight_decay = -1},
                                  {.clip = -1},
                                  {.beta1 = nan}})
    refused([&] { AdamW(made.graph, made.parameters, bad); });
  Tensors strange;
  strange["strange"] = made.parameters["w"];
  refused([&] { AdamW(made.graph, strange); });
}

TEST(Optimizer, NormOfNoNumberIsNoNumber) {
  Tensors g = gradients_of(1);
  g["w"].data<float>()[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(gradient_norm(g)));
  EXPECT_EQ(gradient_norm({}), 0);
}

TEST(Optimizer, RateWarmsUpAndFalls) {
  const Schedule s{.highest = 1, .least = 0.1, .warm_up = 10, .steps = 110};
  EXPECT_DOUBLE_EQ(learning_rate(s, 0), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(s, 9), 1);
  EXPECT_DOUBLE_EQ(learning_rate(s, 10), 1);
  EXPECT_NEAR(learning_rate(s, 60), 0.55, 1e-12);
  EXPECT_NEAR(learning_rate(s, 110), 0.1, 1e-12);
  EXPECT_NEAR(learning_rate(s, 100000), 0.1, 1e-12);
  for (int64_t step = 11; step <= 110; ++step) EXPECT_LT(learning_rate(s, step), learning_rate(s, step - 1));
  EXPECT_DOUBLE_EQ(learning_rate({.highest = 0.5, .warm_up = 0, .steps = 0}, 0), 0.5);
}

TEST(Optimizer, SameBitsAtAnyThreadCount) {
  Graph graph(operations());
  const int64_t count = 1 << 17;
  graph.parameter("w", {{Axis::C, count}}, {Init::Kind::zeros, 0, true});
  Tensors results[2];
  for (int threads : {1, 3}) {
    const ScopedThreads scoped(threads);
    Tensors p, g;
    p["w"] = g["w"] = Tensor(DType::f32, {{Axis::C, count}});
    for (int64_t i = 0; i < count; ++i) {
      p["w"].data<float>()[i] = static_cast<float>(std::sin(static_cast<double>(i)));
      g["w"].data<float>()[i] = static_cast<float>(std::cos(static_cast<double>(i)));
    }
    AdamW adam(graph, p, {.clip = 1});
    for (int n = 0; n < 3; ++n) adam.step(p, g, 0.01);
    results[threads == 1 ? 0 : 1] = p;
  }
  const float *one = results[0].at("w").data<float>(), *three = results[1].at("w").data<float>();
  EXPECT_TRUE(std::equal(one, one + count, three));
}

}  // namespace
}  // namespace limpid
