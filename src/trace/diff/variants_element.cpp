#include <cmath>
#include <numbers>

#include "trace/diff/variant_helpers.h"

namespace limpid::variants {

namespace {

double exact_gelu(double x) { return x / 2 * std::erfc(-x / std::numbers::sqrt2); }
double tanh_gelu(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}
double silu(double x) { return x / (1 + std::exp(-x)); }

List activations() {
  List out;
  out.push_back(elementwise("GELU by its tanh form", tanh_gelu));
  out.push_back(elementwise("exact GELU (erf)", exact_gelu));
  out.push_back(
      elementwise("quick GELU, x sigmoid(1.702 x)", [](double x) { return x / (1 + std::exp(-1.702 * x)); }));
  out.push_back(elementwise("SiLU", silu));
  out.push_back(elementwise("ReLU", [](double x) { return x > 0 ? x : 0; }));
  out.push_back(elementwise("squared ReLU", [](double x) { return x > 0 ? x * x : 0; }));
  out.push_back(elementwise("tanh", [](double x) { return std::tanh(x); }));
  out.push_back(elementwise("a sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }));
  out.push_back(elementwise("no activation", [](double x) { return x; }));
  return out;
}

// input 0 and 1, which may lack input 0's leading axes, put together.
template <class F>
Variant both(const std::string& what, F f) {
  return after(what, [f](Tensor& y, const StageCall& c) {
    const Tensor &a = *c.in[0], &b = *c.in[1];
    if (a.count() != y.count() || b.count() == 0) fail_call("the sizes do not fit");
    for (int64_t i = 0; i < y.count(); ++i)
      y.data<double>()[i] = f(a.data<double>()[i], b.data<double>()[i % b.count()]);
  });
}

}  // namespace

List of_gelu(const StageCall& c) {
  const bool by_tanh = c.options().word("form", "exact") == std::string("tanh");
  List out = activations();
  out.erase(out.begin() + (by_tanh ? 0 : 1));
  for (Variant& each : out)
    each.what += by_tanh ? " in place of GELU's tanh form" : " in place of exact GELU";
  return out;
}

List of_other_activation(const StageCall& c) {
  List out = activations();
  for (Variant& each : out) each.what += " in place of " + c.stage.operation->label();
  return out;
}

List of_gate(const StageCall&) {
  List out;
  out.push_back(both("the gate is left out: the second factor alone", [](double, double b) { return b; }));
  out.push_back(both("the gate alone, without what it lets through", [](double a, double) { return a; }));
  out.push_back(both("the two are added in place of multiplied", [](double a, double b) { return a + b; }));
  return out;
}

List of_add(const StageCall&) {
  List out;
  out.push_back(both("the second summand is left out", [](double a, double) { return a; }));
  out.push_back(both("the first summand is left out", [](double, double b) { return b; }));
  out.push_back(both("the second summand is added twice", [](double a, double b) { return a + 2 * b; }));
  out.push_back(
      both("the second summand is taken away in place of added", [](double a, double b) { return a - b; }));
  return out;
}

List of_pool(const StageCall& c) {
  List out;
  for (const char* pick : {"first", "mean", "last"})
    if (c.options().word("pick", "mean") != pick)
      out.push_back(
          changed(join("the ", pick, c.options().word("pick", "mean") == std::string("mean") ? " row" : "",
                       " in place of the ", c.options().word("pick", "mean")),
                  "pick", std::string(pick)));
  return out;
}

}  // namespace limpid::variants
