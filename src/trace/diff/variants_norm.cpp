#include <cmath>

#include "trace/diff/variant_helpers.h"

namespace limpid::variants {

namespace {

constexpr double k_epsilons[] = {1e-3, 1e-5, 1e-6, 1e-7, 1e-8, 1e-12, 0};

Variant without(const std::string& what, const std::string& flag, size_t input) {
  return {what, 0, [flag, input](const StageCall& c) {
            Tensors in = c.in;
            in.erase(in.begin() + static_cast<std::ptrdiff_t>(input));
            return c.run(c.stage.operation->kind(), with(c.options(), flag, false), in);
          }};
}

Variant gain_plus(const std::string& what, double more) {
  return before(what, 1, [more](Tensor& w, const StageCall&) {
    for (int64_t i = 0; i < w.count(); ++i) w.data<double>()[i] += more;
  });
}

// The other norm: of the inputs x, w, b what it takes.
Variant other_norm(const std::string& what, const std::string& kind, bool gain) {
  return {what, 0, [kind, gain](const StageCall& c) {
            Tensors in = {c.in[0]};
            if (gain) in.push_back(c.in[1]);
            return c.run(kind, {{"gain", gain}, {"epsilon", c.options().real("epsilon", 1e-5)}}, in);
          }};
}

// (x - mean) / (deviation + epsilon), deviation over count - less.
Variant own_deviation(const std::string& what, int64_t less, bool epsilon_outside) {
  return {what, 0, [less, epsilon_outside](const StageCall& c) {
            std::vector<Tensor> out = c.run();
            const Tensor& x = *c.in[0];
            const int64_t width = x.shape()[x.shape().rank() - 1].size;
            const bool gain = c.options().flag("gain"), bias = c.options().flag("bias");
            const double epsilon = c.options().real("epsilon", 1e-5);
            for (int64_t r = 0; width > less && r < x.count() / width; ++r) {
              const double* row = x.data<double>() + r * width;
              double mean = 0, squares = 0;
              for (int64_t i = 0; i < width; ++i) mean += row[i] / static_cast<double>(width);
              for (int64_t i = 0; i < width; ++i) squares += (row[i] - mean) * (row[i] - mean);
              const double variance = squares / static_cast<double>(width - less);
              const double scale =
                  epsilon_outside ? std::sqrt(variance) + epsilon : std::sqrt(variance + epsilon);
              for (int64_t i = 0; i < width; ++i)
                out[0].data<double>()[r * width + i] =
                    (row[i] - mean) / scale * (gain ? c.in[1]->data<double>()[i] : 1) +
                    (bias ? c.in.back()->data<double>()[i] : 0);
              out[1].data<double>()[r] = scale;
            }
            return out;
          }};
}

}  // namespace

namespace {

List of_any_norm(const StageCall& c) {
  List out;
  const double epsilon = c.options().real("epsilon", 1e-5);
  for (const double each : k_epsilons)
    if (each != epsilon)
      out.push_back(changed(join("epsilon ", short_number(each), " in place of ", short_number(epsilon)),
                            "epsilon", each));
  if (c.options().flag("gain")) {
    out.push_back(gain_plus("the gain is 1 + w in place of w", 1));
    out.push_back(gain_plus("the gain is w where it is 1 + w here", -1));
    out.push_back(without("the gain w is left out", "gain", 1));
  }
  if (c.options().flag("bias")) out.push_back(without("the bias b is left out", "bias", c.in.size() - 1));
  return out;
}

}  // namespace

List of_layer_norm(const StageCall& c) {
  List out = of_any_norm(c);
  out.push_back(other_norm("an RMS norm in place of a layer norm: the mean is not taken away", "rms_norm",
                           c.options().flag("gain")));
  out.push_back(own_deviation("the variance is divided by C - 1 in place of C", 1, false));
  out.push_back(own_deviation("epsilon is added to the deviation in place of the variance", 0, true));
  return out;
}

List of_rms_norm(const StageCall& c) {
  List out = of_any_norm(c);
  out.push_back(other_norm("a layer norm in place of an RMS norm: the mean is taken away", "layer_norm",
                           c.options().flag("gain")));
  return out;
}

}  // namespace limpid::variants
