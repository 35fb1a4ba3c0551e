#include "train/adamw.h"

#include <algorithm>
#include <cmath>

#include "core/threads.h"

namespace limpid {

namespace {

constexpr int64_t k_block = 1 << 14;  // numbers a task updates; a fixed size, so that sums do not depend on threads

// Sum of squares in double: each block in order, then the blocks in order.
double sum_of_squares(const Tensor& t) {
  const int64_t blocks = (t.count() + k_block - 1) / k_block;
  std::vector<double> sums(static_cast<size_t>(blocks), 0);
  const float* x = t.data<float>();
  parallel_for(blocks, [&](int64_t b, int) {
    double sum = 0;
    for (int64_t i = b * k_block; i < std::min(t.count(), (b + 1) * k_block); ++i) sum += double{x[i]} * double{x[i]};
    sums[static_cast<size_t>(b)] = sum;
  });
  double total = 0;
  for (double sum : sums) total += sum;
  return total;
}

struct Update {
  float rate, decay, beta1, beta2, epsilon, clip;  // gradients are multiplied by clip
  float correct1, correct2;                        // 1 / (1 - beta^t)
};

void update(float* w, float* m, float* v, const float* g, int64_t count, const Update& u) {
  for (int64_t i = 0; i < count; ++i) {
    const float d = g[i] * u.clip;
    m[i] = u.beta1 * m[i] + (1 - u.beta1) * d;
    v[i] = u.beta2 * v[i] + (1 - u.beta2) * d * d;
    w[i] -= u.rate * (m[i] * u.correct1 / (std::sqrt(v[i] * u.correct2) + u.epsilon) + u.decay * w[i]);
  }
}

}  // namespace

AdamW::AdamW(const Recipe& recipe, const Graph& graph, const std::map<std::string, Tensor>& parameters) : recipe_(recipe) {
  for (const auto& [name, tensor] : parameters) {
    first[name] = Tensor(DType::f32, tensor.shape());
    second[name] = Tensor(DType::f32, tensor.shape());
    decays_[name] = graph.value(graph.require(name)).init.decays;
  }
}

double AdamW::step(std::map<std::string, Tensor>& parameters, const std::map<std::string, const Tensor*>& gradients, int64_t number,
                   double rate) {
  double squares = 0;
  for (const auto& [name, gradient] : gradients) squares += sum_of_squares(*gradient);
  const double norm = std::sqrt(squares);
  Update u{};
  u.rate = static_cast<float>(rate);
  u.beta1 = static_cast<float>(recipe_.beta1);
  u.beta2 = static_cast<float>(recipe_.beta2);
  u.epsilon = static_cast<float>(recipe_.epsilon);
  u.clip = recipe_.clip > 0 && norm > recipe_.clip ? static_cast<float>(recipe_.clip / norm) : 1.0f;
  u.correct1 = static_cast<float>(1 / (1 - std::pow(recipe_.beta1, static_cast<double>(number))));
  u.correct2 = static_cast<float>(1 / (1 - std::pow(recipe_.beta2, static_cast<double>(number))));
  for (const auto& [name, gradient] : gradients) {
    Tensor &w = parameters.at(name), &m = first.at(name), &v = second.at(name);
    u.decay = decays_.at(name) ? static_cast<float>(recipe_.weight_decay) : 0.0f;
    const int64_t blocks = (w.count() + k_block - 1) / k_block;
    float *pw = w.data<float>(), *pm = m.data<float>(), *pv = v.data<float>();
    const float* pg = gradient->data<float>();
    parallel_for(blocks, [&](int64_t b, int) {
      const int64_t at = b * k_block, count = std::min(k_block, w.count() - at);
      update(pw + at, pm + at, pv + at, pg + at, count, u);
    });
  }
  return norm;
}

double learning_rate(const Recipe& r, int64_t step) {
  if (step < r.warm_up) return r.learning_rate * static_cast<double>(step + 1) / static_cast<double>(r.warm_up);
  const double span = std::max<double>(1, static_cast<double>(r.steps - r.warm_up));
  const double done = std::min(1.0, static_cast<double>(step - r.warm_up) / span);
  return r.least_rate + 0.5 * (1 + std::cos(M_PI * done)) * (r.learning_rate - r.least_rate);
}

}  // namespace limpid
