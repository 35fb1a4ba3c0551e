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

TEST(Optimizer, OtherSchedules) {
  Schedule s{.highest = 1, .least = 0.1, .warm_up = 10, .steps = 110, .decay = Decay::linear};
  EXPECT_NEAR(learning_rate(s, 35), 0.775, 1e-12);
  EXPECT_NEAR(learning_rate(s, 110), 0.1, 1e-12);
  s.decay = Decay::constant;
  EXPECT_DOUBLE_EQ(learning_rate(s, 4), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(s, 109), 1);
  s.decay = Decay::stable;
  s.cooldown = 0.2;  // of 110 steps 22
  EXPECT_DOUBLE_EQ(learning_rate(s, 88), 1);
  EXPECT_NEAR(learning_rate(s, 99), 0.55, 1e-12);
  EXPECT_NEAR(learning_rate(s, 110), 0.1, 1e-12);
}

// The formulas of Muon in double, on a matrix that is higher than wide, one that is wider, and a square.
TEST(Muon, StepsAreTheFormulasInDouble) {
  using Rows = std::vector<std::vector<double>>;
  const auto product = [](const Rows& a, const Rows& b) {
    Rows out(a.size(), std::vector<double>(b[0].size()));
    for (size_t i = 0; i < a.size(); ++i)
      for (size_t j = 0; j < b[0].size(); ++j)
        for (size_t k = 0; k < b.size(); ++k) out[i][j] += a[i][k] * b[k][j];
    return out;
  };
  const auto turned = [](const Rows& a) {
    Rows out(a[0].size(), std::vector<double>(a.size()));
    for (size_t i = 0; i < a.size(); ++i)
      for (size_t j = 0; j < a[0].size(); ++j) out[j][i] = a[i][j];
    return out;
  };
  for (const auto [rows, columns] : {std::pair{5, 3}, {3, 5}, {4, 4}}) {
    const Shape shape = {{Axis::C, rows}, {Axis::N, columns}};
    Tensors parameters, gradients;
    parameters["w"] = Tensor(DType::f32, shape);
    gradients["w"] = Tensor(DType::f32, shape);
    Rows w(static_cast<size_t>(rows), std::vector<double>(static_cast<size_t>(columns))), m = w;
    for (int64_t i = 0; i < rows * columns; ++i)
      parameters["w"].data<float>()[i] = static_cast<float>(std::cos(static_cast<double>(i)));
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        w[static_cast<size_t>(i)][static_cast<size_t>(j)] = parameters["w"].at({i, j});
    const MuonOptions o{.momentum = 0.9, .weight_decay = 0.2};
    Muon muon({{"w", {rows, columns}}}, o);
    for (int n = 1; n <= 3; ++n) {
      const double rate = 0.05 / n;
      Rows x = m;
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) {
          const auto g = static_cast<float>(std::sin(static_cast<double>(7 * i + 3 * j + n)) + (i == j));
          gradients["w"].data<float>()[i * columns + j] = g;
          double& moment = m[static_cast<size_t>(i)][static_cast<size_t>(j)];
          moment = o.momentum * moment + (1 - o.momentum) * g;
          x[static_cast<size_t>(i)][static_cast<size_t>(j)] = o.momentum * moment + (1 - o.momentum) * g;
        }
      double squares = 0;
      for (const auto& row : x)
        for (const double each : row) squares += each * each;
      for (auto& row : x)
        for (double& each : row) each /= std::sqrt(squares) + 1e-7;
      for (int round = 0; round < 5; ++round) {  // X <- a X + b X X^T X + c (X X^T)^2 X
        const Rows gram = product(x, turned(x)), once = product(gram, x), twice = product(gram, once);
        for (size_t i = 0; i < x.size(); ++i)
          for (size_t j = 0; j < x[0].size(); ++j)
            x[i][j] = 3.4445 * x[i][j] - 4.7750 * once[i][j] + 2.0315 * twice[i][j];
      }
      muon.step(parameters, gradients, rate);
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) {
          double& p = w[static_cast<size_t>(i)][static_cast<size_t>(j)];
          p = p * (1 - rate * o.weight_decay) - rate * 0.2 * std::sqrt(std::max(rows, columns)) *
                                                    x[static_cast<size_t>(i)][static_cast<size_t>(j)];
          EXPECT_NEAR(parameters["w"].at({i, j}), p, 1e-5) << rows << " x " << columns << ", step " << n;
        }
    }
  }
}

TEST(Muon, RefusesWhatDoesNotFitAndChangesNothing) {
  Made made;
  Muon muon({{"w", {1, 3}}});
  EXPECT_NE(refused([&] { muon.step(made.parameters, gradients_of(1), 0.1); }).find("'b'"),
            std::string::npos);
  EXPECT_EQ(made.parameters["w"].at({0}), 1);
  Tensors g;
  g["w"] = Tensor(DType::f32, {{Axis::C, 4}});
  EXPECT_NE(refused([&] { muon.step(made.parameters, g, 0.1); }).find("1 x 3"), std::string::npos);
  EXPECT_NE(refused([] { Muon({}, {.momentum = 1}); }).find("momentum"), std::string::npos);
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
