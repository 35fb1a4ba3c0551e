#include <algorithm>
#include <cmath>
#include <limits>

#include "trace/diff/variant_helpers.h"

namespace limpid::variants {

namespace {

// The key/value heads of input 1 [B,S,G,D], repeated to one a query head, as `group(h)` says.
template <class Group>
std::vector<Tensor> with_groups(const StageCall& c, int64_t heads, Group group) {
  const Tensor& x = *c.in[1];
  Shape shape = x.shape();
  const int64_t groups = shape[2].size, width = shape[3].size, rows = shape[0].size * shape[1].size;
  shape[2].size = heads;
  Tensor all(DType::f64, shape);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t h = 0; h < heads; ++h)
      std::copy_n(x.data<double>() + (r * groups + group(h, groups)) * width, width,
                  all.data<double>() + (r * heads + h) * width);
  return c.run(c.stage.operation->kind(), c.options(), {c.in[0], &all});
}

// `axis`: where input 0 has its heads.
List of_groups(const StageCall& c, int axis) {
  const int64_t heads = c.in[0]->shape()[axis].size, groups = c.in[1]->shape()[2].size;
  if (heads == groups || groups < 2) return {};
  return {{"query head h reads key/value head h mod G (tiled) in place of h / (H/G)", 0,
           [=](const StageCall& call) {
             return with_groups(call, heads, [](int64_t h, int64_t g) { return h % g; });
           }}};
}

// The factor of the scale that made this stage's input, else 1.
double factor_before(const StageCall& c) {
  const int made_by = c.graph.value(c.stage.inputs[0]).stage;
  if (made_by < 0) return 1;
  const Options& options = c.graph.stage(made_by).operation->options();
  return options.has("factor") ? options.real("factor", 1) : 1;
}

// The cap for which cap tanh(x / cap) gives B's number where x is largest, or 0.
double fitted_cap(const Tensor& x, const Tensor& wanted) {
  int64_t at = -1;
  for (int64_t i = 0; i < x.count(); ++i)
    if (std::isfinite(x.data<double>()[i]) && std::isfinite(wanted.data<double>()[i]) &&
        (at < 0 || std::fabs(x.data<double>()[i]) > std::fabs(x.data<double>()[at])))
      at = i;
  if (at < 0) return 0;
  const double in = std::fabs(x.data<double>()[at]), out = std::fabs(wanted.data<double>()[at]);
  if (!(out < in) || !(out > 0)) return 0;
  double low = out, high = 1e9;  // more cap, more comes through
  for (int step = 0; step < 200; ++step) {
    const double cap = std::sqrt(low * high);
    (cap * std::tanh(in / cap) < out ? low : high) = cap;
  }
  return high < 1e8 ? high : 0;
}

Variant capped_before(const std::string& what, double cap) {
  return before(what, 0, [cap](Tensor& x, const StageCall&) {
    for (int64_t i = 0; i < x.count(); ++i) {
      double& v = x.data<double>()[i];
      if (std::isfinite(v)) v = cap * std::tanh(v / cap);
    }
  });
}

List of_missing_cap(const StageCall& c) {
  List out;
  if (c.wanted && c.wanted->count() == c.in[0]->count())
    if (const double cap = fitted_cap(*c.in[0], *c.wanted); cap > 0)
      out.push_back(capped_before(join("a soft cap of ", short_number(std::round(cap * 1e4) / 1e4),
                                       ", which is not here, comes first"),
                                  cap));
  return out;
}

}  // namespace

List of_raw_scores(const StageCall& c) { return of_groups(c, 2); }

List of_weighted_sum(const StageCall& c) { return of_groups(c, 1); }

List of_scale(const StageCall& c) {
  const double factor = c.options().real("factor", 1);
  List out;
  out.push_back(changed(join("the factor ", short_number(factor), " is left out"), "factor", 1.0));
  out.push_back(
      changed(join("the factor ", short_number(factor), " is applied twice"), "factor", factor * factor));
  out.push_back(
      changed(join("divided by ", short_number(factor), " in place of multiplied"), "factor", 1 / factor));
  if (factor > 0)
    out.push_back(changed(
        join("the factor is ", short_number(std::sqrt(factor)), ", the root of ", short_number(factor)),
        "factor", std::sqrt(factor)));
  for (Variant& each : of_missing_cap(c)) out.push_back(std::move(each));
  return out;
}

List of_softcap(const StageCall& c) {
  const double cap = c.options().real("cap", 1), factor = factor_before(c);
  List out;
  out.push_back(
      elementwise(join("the soft cap of ", short_number(cap), " is left out"), [](double x) { return x; }));
  if (factor != 1 && factor != 0)
    out.push_back(elementwise("the soft cap is applied before the scale",
                              [=](double x) { return factor * cap * std::tanh(x / factor / cap); }));
  out.push_back(elementwise("tanh(x / cap), not multiplied by the cap again",
                            [=](double x) { return std::tanh(x / cap); }));
  out.push_back(
      elementwise("clipped at the cap in place of tanh", [=](double x) { return std::clamp(x, -cap, cap); }));
  for (const double each : {15.0, 20.0, 30.0, 50.0, 100.0})
    if (each != cap)
      out.push_back(changed(join("a soft cap of ", short_number(each), " in place of ", short_number(cap)),
                            "cap", each));
  if (c.wanted)
    if (const double found = fitted_cap(*c.in[0], *c.wanted); found > 0) {
      out.push_back(changed(join("a soft cap of ", short_number(std::round(found * 1e4) / 1e4),
                                 " in place of ", short_number(cap)),
                            "cap", found));
      out.back().rank = 2;  // read off B's numbers: a way that needs no number of B's is named first
    }
  return out;
}

List of_mask(const StageCall& c) {
  const Options& own = c.options();
  const std::string kind = c.stage.operation->kind();
  const bool causal = own.word("kind", "causal") == std::string("causal");
  const int64_t first = own.integer("first_query"), window = own.integer("window"),
                keys = c.in[0]->shape()[3].size;
  List out;
  const auto add = [&](const std::string& what, const Options& options) {
    out.push_back(other(what, kind, options));
  };
  if (causal) {
    Options open = with(own, "kind", std::string("none"));
    add("no causal mask", open);
    add("the mask is off by one: a query sees one key more", with(own, "first_query", first + 1));
    add("the mask is off by one: a query does not see its own key", with(own, "first_query", first - 1));
  } else {
    add("a causal mask, which is not here", with(own, "kind", std::string("causal")));
  }
  if (window > 0) {
    add(join("no window (", window, " here)"), with(own, "window", int64_t{0}));
    add(join("the window is off by one: ", window + 1, " in place of ", window),
        with(own, "window", window + 1));
    if (window > 1)
      add(join("the window is off by one: ", window - 1, " in place of ", window),
          with(own, "window", window - 1));
    if (causal) add("a window without a causal mask", with(own, "kind", std::string("none")));
  } else {
    for (int64_t each = 1; each < std::min<int64_t>(keys, 64); ++each)
      add(join("a window of ", each, ", which is not here"), with(own, "window", each));
  }
  if (own.has("window_after")) {
    const int64_t after = own.integer("window_after");
    add(join("the window is off by one: ", after + 1, " keys after in place of ", after),
        with(own, "window_after", after + 1));
    if (after > 0)
      add(join("the window is off by one: ", after - 1, " keys after in place of ", after),
          with(own, "window_after", after - 1));
  }
  for (Variant& each : of_missing_cap(c)) out.push_back(std::move(each));
  return out;
}

List of_softmax(const StageCall& c) {
  List out;
  const bool sinks = c.options().flag("sinks");
  if (sinks) {
    Options without = c.options();
    without.set("sinks", false);
    out.push_back({"the sinks are left out", 0, [without](const StageCall& call) {
                     return call.run(call.stage.operation->kind(), without, {call.in[0]});
                   }});
  }
  if (c.in[0]->shape().rank() == 4 && !sinks)
    out.push_back(changed("softmax over the queries in place of the keys", "axis", std::string("T")));
  out.push_back(after("softmax with 1 more in the denominator", [](Tensor& y, const StageCall& call) {
    const int64_t width = y.shape()[y.shape().rank() - 1].size;
    const double* x = call.in[0]->data<double>();
    for (int64_t r = 0; width > 0 && r < y.count() / width; ++r) {
      double sum = 1;
      for (int64_t i = 0; i < width; ++i) sum += std::exp(x[r * width + i]);
      for (int64_t i = 0; i < width; ++i) y.data<double>()[r * width + i] = std::exp(x[r * width + i]) / sum;
    }
  }));
  for (Variant& each : of_missing_cap(c)) out.push_back(std::move(each));
  return out;
}

}  // namespace limpid::variants
