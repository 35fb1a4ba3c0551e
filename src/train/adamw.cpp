#include "train/adamw.h"

#include <algorithm>
#include <cmath>

#include "kernels/kernel.h"
#include "kernels/optimizer.h"

namespace limpid {

AdamW::AdamW(const Recipe& recipe, const Graph& graph, const std::map<std::string, Tensor>& parameters)
    : recipe_(recipe) {
  for (const auto& [name, tensor] : parameters) {
    first[name] = Tensor(DType::f32, tensor.shape());
    second[name] = Tensor(DType::f32, tensor.shape());
    decays_[name] = graph.value(graph.require(name)).init.decays;
  }
}

double AdamW::step(std::map<std::string, Tensor>& parameters, const std::map<std::string, Tensor>& gradients,
                   int64_t number, double rate) {
  double squares = 0;
  for (const auto& [name, gradient] : gradients)
    squares += kernels::sum_of_squares(gradient.data<float>(), gradient.count());
  const double norm = std::sqrt(squares);
  if (!std::isfinite(norm)) return norm;
  for (const auto& [name, gradient] : gradients) {
    kernels::AdamW k;
    k.parameters = parameters.at(name).data<float>();
    k.m = first.at(name).data<float>();
    k.v = second.at(name).data<float>();
    k.gradients = gradient.data<float>();
    k.count = gradient.count();
    k.rate = static_cast<float>(rate);
    k.beta1 = static_cast<float>(recipe_.beta1);
    k.beta2 = static_cast<float>(recipe_.beta2);
    k.epsilon = static_cast<float>(recipe_.epsilon);
    k.decay = decays_.at(name) ? static_cast<float>(recipe_.weight_decay) : 0.0f;
    k.gradient_scale =
        recipe_.clip > 0 && norm > recipe_.clip ? static_cast<float>(recipe_.clip / norm) : 1.0f;
    k.step = number;
    kernels::launch(k);
  }
  return norm;
}

double learning_rate(const Recipe& r, int64_t step) {
  if (step < r.warm_up)
    return r.learning_rate * static_cast<double>(step + 1) / static_cast<double>(r.warm_up);
  const double span = std::max<double>(1, static_cast<double>(r.steps - r.warm_up));
  const double done = std::min(1.0, static_cast<double>(step - r.warm_up) / span);
  return r.least_rate + 0.5 * (1 + std::cos(M_PI * done)) * (r.learning_rate - r.least_rate);
}

}  // namespace limpid
