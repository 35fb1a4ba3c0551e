#include "trace/diff/variants.h"

#include <cmath>
#include <map>

#include "trace/diff/variant_helpers.h"

namespace limpid::variants {

namespace {

// What each operation is usually got wrong by.  An operation that stands here not has the general ones alone.
const std::map<std::string, List (*)(const StageCall&), std::less<>> k_of = {
    {"layer_norm", of_layer_norm},
    {"rms_norm", of_rms_norm},
    {"rotary_angles", of_rotary_angles},
    {"rotary", of_rotary},
    {"learned_positions", of_learned_positions},
    {"sinusoidal_positions", of_sinusoidal_positions},
    {"alibi", of_alibi},
    {"relative_bias", of_relative_bias},
    {"raw_scores", of_raw_scores},
    {"scale", of_scale},
    {"softcap", of_softcap},
    {"mask", of_mask},
    {"softmax", of_softmax},
    {"weighted_sum", of_weighted_sum},
    {"linear", of_linear},
    {"embedding", of_embedding},
    {"split_heads", of_heads},
    {"merge_heads", of_heads},
    {"gelu", of_gelu},
    {"relu", of_other_activation},
    {"silu", of_other_activation},
    {"tanh", of_other_activation},
    {"gate", of_gate},
    {"add", of_add},
    {"pool", of_pool},
};

// ---- of every stage ------------------------------------------------------------------------------

// "sqrt(32)", where the factor is that of one of the stage's sizes.
std::string size_named(double factor, const Shape& shape) {
  for (const Dim& dim : shape) {
    const auto n = static_cast<double>(dim.size);
    if (dim.size < 2) continue;
    const auto is = [&](double value) { return std::fabs(std::fabs(factor) - value) < 1e-4 * value; };
    const std::string axis(1, dim.axis == Axis::none ? '?' : static_cast<char>(dim.axis));
    if (is(std::sqrt(n))) return join(", sqrt(", axis, "), ", axis, "=", dim.size);
    if (is(1 / std::sqrt(n))) return join(", 1 / sqrt(", axis, "), ", axis, "=", dim.size);
    if (is(n)) return join(", ", axis);
    if (is(1 / n)) return join(", 1 / ", axis);
  }
  return "";
}

Variant times(const std::string& what, double factor, int output, int rank) {
  return {what, rank, [factor, output](const StageCall& c) {
            std::vector<Tensor> out = c.run();
            Tensor& y = out.at(static_cast<size_t>(output));
            for (int64_t i = 0; i < y.count(); ++i) y.data<double>()[i] *= factor;
            return out;
          }};
}

// The factor by which B's numbers are this stage's, read off where they are largest; 0 where there is none.
double fitted_factor(const Tensor& y, const Tensor& wanted) {
  int64_t at = -1;
  for (int64_t i = 0; i < y.count(); ++i)
    if (std::isfinite(y.data<double>()[i]) &&
        (at < 0 || std::fabs(y.data<double>()[i]) > std::fabs(y.data<double>()[at])))
      at = i;
  if (at < 0 || y.data<double>()[at] == 0) return 0;
  const double factor = wanted.data<double>()[at] / y.data<double>()[at];
  return std::isfinite(factor) ? factor : 0;
}

List of_every(const StageCall& c, const std::vector<Tensor>& own) {
  List out;
  const Tensor& y = own.at(0);
  if (y.dtype() != DType::f64) return out;
  const bool same = !c.in.empty() && c.in[0]->dtype() == DType::f64 && c.in[0]->count() == y.count();
  if (same && !c.stage.operation->is_view())
    out.push_back(
        {join("the whole stage is left out: ", c.stage.operation->label()), 1, [](const StageCall& call) {
           std::vector<Tensor> given = call.run();
           Tensor x = *call.in[0];
           x.reshape(given[0].shape());
           given[0] = std::move(x);
           return given;
         }});
  if (c.wanted) {
    const Tensor& target = own.at(static_cast<size_t>(c.wanted_output));
    if (target.count() == c.wanted->count())
      if (const double factor = fitted_factor(target, *c.wanted); factor != 0 && std::fabs(factor - 1) > 1e-6)
        out.push_back(
            times(join("all numbers times ", short_number(factor), size_named(factor, target.shape())),
                  factor, c.wanted_output, 2));
    return out;
  }
  for (const Dim& dim : y.shape())
    if ((dim.axis == Axis::C || dim.axis == Axis::D) && dim.size > 1)
      for (const double power : {0.5, -0.5})
        out.push_back(times(join("all numbers times ", power > 0 ? "sqrt(" : "1 / sqrt(", dim.size, ")"),
                            std::pow(static_cast<double>(dim.size), power), 0, 2));
  return out;
}

}  // namespace

}  // namespace limpid::variants

namespace limpid {

std::vector<Tensor> StageCall::run(const std::string& kind, const Options& options,
                                   const Tensors& inputs) const {
  const auto operation = graph.registry().make(kind, options);
  std::vector<Shape> shapes;
  std::vector<ConstView> views;
  for (const Tensor* x : inputs) {
    shapes.push_back(x->shape());
    views.push_back(x->view());
  }
  std::vector<Tensor> out;
  for (const Output& output : operation->shape(shapes))
    out.emplace_back(output.dtype == DType::f32 ? DType::f64 : output.dtype, output.shape);
  std::vector<View> places;
  for (Tensor& tensor : out) places.push_back(tensor.view());
  operation->run(views, places, context);
  return out;
}

std::vector<Variant> variants_of(const StageCall& c) {
  using namespace variants;
  List out;
  if (const auto found = k_of.find(c.stage.operation->kind()); found != k_of.end()) out = found->second(c);
  for (Variant& each : of_every(c, c.run())) out.push_back(std::move(each));
  return out;
}

}  // namespace limpid
