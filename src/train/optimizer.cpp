#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/kernel.h"
#include "kernels/optimizer.h"

namespace limpid {

namespace {

void require_range(bool fits, const char* option, double given, const char* expected) {
  if (!fits) fail_call("AdamW: ", option, " is ", given, ", expected ", expected);
}

}  // namespace

namespace {

std::map<std::string, bool> decays_of(const Graph& graph, const std::map<std::string, Tensor>& parameters) {
  std::map<std::string, bool> decays;
  for (const auto& [name, tensor] : parameters) decays[name] = graph.value(graph.require(name)).init.decays;
  return decays;
}

}  // namespace

AdamW::AdamW(const Graph& graph, const std::map<std::string, Tensor>& parameters, const AdamWOptions& options)
    : AdamW(parameters, decays_of(graph, parameters), options) {}

AdamW::AdamW(const std::map<std::string, Tensor>& parameters, const std::map<std::string, bool>& decays,
             const AdamWOptions& options)
    : options_(options), decays_(decays) {
  require_range(options.beta1 >= 0 && options.beta1 < 1, "beta1", options.beta1, "0 to below 1");
  require_range(options.beta2 >= 0 && options.beta2 < 1, "beta2", options.beta2, "0 to below 1");
  require_range(options.epsilon > 0, "epsilon", options.epsilon, "above 0");
  require_range(options.weight_decay >= 0, "weight_decay", options.weight_decay, "0 or more");
  require_range(options.clip >= 0, "clip", options.clip, "0 or more");
  for (const auto& [name, tensor] : parameters) {
    first[name] = Tensor(DType::f32, tensor.shape());
    second[name] = Tensor(DType::f32, tensor.shape());
    if (!decays_.count(name)) fail_call("AdamW: it is not said whether '", name, "' decays");
  }
}

double AdamW::step(std::map<std::string, Tensor>& parameters, const std::map<std::string, Tensor>& gradients,
                   double rate) {
  for (const auto& [name, gradient] : gradients) {
    const auto parameter = parameters.find(name);
    if (parameter == parameters.end() || !first.count(name))
      fail_call("AdamW: there is a gradient of '", name, "', which is not among the parameters",
                parameter == parameters.end() ? "" : " that this optimiser was made for");
    const Tensor& p = parameter->second;
    if (p.dtype() != DType::f32 || gradient.dtype() != DType::f32)
      fail_call("AdamW: '", name, "' is ", limpid::name(p.dtype()), " and its gradient ",
                limpid::name(gradient.dtype()), ", expected f32");
    if (!gradient.shape().same_sizes(p.shape()) || first.at(name).count() != p.count())
      fail_call("AdamW: the gradient of '", name, "' is ", gradient.shape().text(), ", expected ",
                p.shape().text());
  }
  const double norm = gradient_norm(gradients);
  if (!std::isfinite(norm)) return norm;
  ++steps;
  for (const auto& [name, gradient] : gradients) {
    kernels::AdamW k;
    k.parameters = parameters.at(name).data<float>();
    k.m = first.at(name).data<float>();
    k.v = second.at(name).data<float>();
    k.gradients = gradient.data<float>();
    k.count = gradient.count();
    k.rate = static_cast<float>(rate);
    k.beta1 = static_cast<float>(options_.beta1);
    k.beta2 = static_cast<float>(options_.beta2);
    k.epsilon = static_cast<float>(options_.epsilon);
    k.decay = decays_.at(name) ? static_cast<float>(options_.weight_decay) : 0.0f;
    k.gradient_scale =
        options_.clip > 0 && norm > options_.clip ? static_cast<float>(options_.clip / norm) : 1.0f;
    k.step = steps;
    kernels::launch(k);
  }
  return norm;
}

double gradient_norm(const std::map<std::string, Tensor>& gradients) {
  double squares = 0;
  for (const auto& [name, gradient] : gradients) {
    if (gradient.dtype() != DType::f32)
      fail_call("gradient_norm: '", name, "' is ", limpid::name(gradient.dtype()), ", expected f32");
    squares += kernels::sum_of_squares(gradient.data<float>(), gradient.count());
  }
  return std::sqrt(squares);
}

double learning_rate(const Schedule& s, int64_t step) {
  if (step < s.warm_up) return s.highest * static_cast<double>(step + 1) / static_cast<double>(s.warm_up);
  if (s.decay == Decay::constant) return s.highest;
  const auto falls = static_cast<int64_t>(s.cooldown * static_cast<double>(s.steps));
  const int64_t begin = s.decay == Decay::stable ? std::max(s.warm_up, s.steps - falls) : s.warm_up;
  const double span = std::max<double>(1, static_cast<double>(s.steps - begin));
  const double done = std::clamp(static_cast<double>(step - begin) / span, 0.0, 1.0);
  const double left = s.decay == Decay::cosine ? 0.5 * (1 + std::cos(std::numbers::pi * done)) : 1 - done;
  return s.least + left * (s.highest - s.least);
}

std::string_view name(Decay decay) {
  constexpr std::string_view k_names[] = {"cosine", "linear", "constant", "stable"};
  return k_names[static_cast<size_t>(decay)];
}

AdamWOptions adamw_of(const Recipe& r) { return {r.beta1, r.beta2, r.epsilon, r.weight_decay, r.clip}; }

Schedule schedule_of(const Recipe& r) {
  return {r.learning_rate, r.least_rate, r.warm_up, r.steps, r.schedule, r.cooldown};
}

}  // namespace limpid
