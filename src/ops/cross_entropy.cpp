// Cross-entropy: how surprised the network is by what really came, -log(probability of the target), in nats.
// The loss is the mean over all places that count; a negative target does not count (padding).  With
// smoothing e (Szegedy 2016, section 7) e of what should come is shared by all classes alike.
#include <algorithm>

#include "core/number_text.h"
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// The target of row r, or -1 where it does not count.
int64_t target_at(Inputs in, int64_t r) {
  const int64_t target = in[1].data<int64_t>()[r], classes = in[0].shape()[in[0].shape().rank() - 1].size;
  if (target >= classes) {
    std::string place;
    for (int64_t i : unflatten(in[1].shape(), r)) place += join(place.empty() ? "" : ",", i);
    fail_call("targets[", place, "] is ", target, ", expected less than ", classes,
              ", the last size of the logits ", in[0].shape().text());
  }
  return target < 0 ? -1 : target;
}

int64_t counted(Inputs in) {
  int64_t count = 0;
  for (int64_t r = 0; r < in[1].shape().count(); ++r) count += target_at(in, r) >= 0;
  return count;
}

// log(sum exp z) in two parts, the largest and the log of the sum relative to it: added together they would
// lose the digits of a small loss of large logits.  A NaN in the row gives NaN.
struct LogSumExp {
  double largest, rest;
};
template <class R>
LogSumExp log_sum_exp(const R* z, int64_t classes) {
  R top = -std::numeric_limits<R>::infinity();
  for (int64_t v = 0; v < classes; ++v) top = std::fmax(top, z[v]);
  double sum = 0;
  for (int64_t v = 0; v < classes; ++v) sum += std::exp(z[v] - top);
  return {top, std::log(sum)};
}

void require_targets(const Shape& logits, const Shape& targets) {
  if (logits.rank() < 1) fail_call("logits are ", logits.text(), ", expected at least the axis V");
  const Shape rows = logits.part(0, logits.rank() - 1);
  if (!fit(targets, rows)) fail_call("targets are ", targets.text(), ", expected ", rows.text());
}

// What is said of each class, on average: the smoothed target's share of all.
template <class R>
double mean_of(const R* z, int64_t classes) {
  double sum = 0;
  for (int64_t v = 0; v < classes; ++v) sum += z[v];
  return sum / static_cast<double>(classes);
}

double smoothing_of(const Options& options) {
  const double smoothing = options.real("smoothing", 0);
  if (!(smoothing >= 0 && smoothing < 1))
    fail_call("smoothing is ", smoothing, ", expected at least 0 and less than 1");
  return smoothing;
}

class CrossEntropy final : public Operation {
 public:
  explicit CrossEntropy(const Options& options) : smoothing_(smoothing_of(options)) {}
  std::string label() const override { return "Cross-Entropy Loss"; }
  std::string equation() const override {
    return smoothing_ > 0
               ? join("loss = mean over t of log(sum_v exp(z[t,v])) - ", number_text(1 - smoothing_),
                      " z[t,target[t]] - ", number_text(smoothing_), " mean over v of z[t,v]")
               : "loss = mean over t of log(sum_v exp(z[t,v])) - z[t,target[t]]";
  }
  std::string caption() const override {
    return "How surprised the network is by the right answers: 0 when it was sure of every one.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_targets(in[0], in[1]);
    return {{"", Shape{}}, {"per_token", in[1]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t rows = in[1].shape().count(), classes = in[0].shape()[in[0].shape().rank() - 1].size;
      R* per_token = out[1].data<R>();
      double sum = 0;
      int64_t count = 0;
      for (int64_t r = 0; r < rows; ++r) {
        const R* z = in[0].data<R>() + r * classes;
        const int64_t target = target_at(in, r);
        const LogSumExp lse = target < 0 ? LogSumExp{} : log_sum_exp(z, classes);
        double loss = target < 0 ? 0 : lse.largest - z[target] + lse.rest;
        if (target >= 0 && smoothing_ > 0)
          loss = lse.largest - (1 - smoothing_) * z[target] - smoothing_ * mean_of(z, classes) + lse.rest;
        per_token[r] = static_cast<R>(loss);
        sum += loss;
        count += target >= 0;
      }
      out[0].data<R>()[0] = count ? static_cast<R>(sum / static_cast<double>(count)) : R(0);
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.grad(1)) fail_call("'per_token' is for looking at: only the mean has a gradient");
    if (g.wants(0)) g.give(0, g.apply("cross_entropy_gradient", options(), {g.in(0), g.in(1), g.grad()}));
  }

  // The mean takes each row's log(sum exp) as a number already known; per_token shows where it comes from.
  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    if (out.output == 1) return explain_token(in, flatten(in[1].shape(), out.index), true);
    std::vector<Expr> terms;
    for (int64_t r = 0; r < in[1].shape().count(); ++r)
      if (target_at(in, r) >= 0) terms.push_back(explain_token(in, r, false));
    return terms.empty() ? Expr(0) : Expr::sum(terms) / Expr(static_cast<double>(terms.size()));
  }

 private:
  // What the row says of the right answer, and a little of every other.
  Expr said_of(Inputs in, const Index& row, int last, int64_t target, int64_t classes) const {
    const Expr said = cell(in, 0, inserted(row, last, target));
    if (smoothing_ == 0) return said;
    std::vector<Expr> all;
    for (int64_t v = 0; v < classes; ++v) all.push_back(cell(in, 0, inserted(row, last, v)));
    return Expr(1 - smoothing_) * said +
           Expr(smoothing_) * (Expr::sum(all) / Expr(static_cast<double>(classes)));
  }

  Expr explain_token(Inputs in, int64_t r, bool whole) const {
    const int64_t target = target_at(in, r);
    if (target < 0) return Expr(0);
    const int last = in[0].shape().rank() - 1;
    const int64_t classes = in[0].shape()[last].size;
    const Index row = unflatten(in[1].shape(), r);
    const Expr said = said_of(in, row, last, target, classes);
    std::vector<double> z;
    for (int64_t v = 0; v < classes; ++v) z.push_back(in[0].at(inserted(row, last, v)));
    if (!whole) {
      const LogSumExp lse = log_sum_exp(z.data(), classes);
      return Expr(lse.largest) - said + Expr(lse.rest);
    }
    const double top = *std::max_element(z.begin(), z.end());
    std::vector<Expr> terms;
    for (int64_t v = 0; v < classes; ++v)
      terms.push_back(exp(cell(in, 0, inserted(row, last, v)) - Expr(top)));
    return Expr(top) - said + log(Expr::sum(terms));
  }

  double smoothing_ = 0;
};

// dz = (softmax(z) - 1 at the target) / count * dloss.  Inputs logits, targets, dloss.
class CrossEntropyGradient final : public Operation {
 public:
  explicit CrossEntropyGradient(const Options& options) : smoothing_(smoothing_of(options)) {}
  std::string label() const override { return "Cross-Entropy Gradient"; }
  std::string equation() const override {
    return smoothing_ > 0 ? join("dz[t,v] = (softmax(z[t])[v] - ", number_text(1 - smoothing_),
                                 " [v = target[t]] - ", number_text(smoothing_), " / V) / count * dloss")
                          : "dz[t,v] = (softmax(z[t])[v] - [v = target[t]]) / count * dloss";
  }
  std::string caption() const override {
    return "What the network said minus what was right: push the right answer up and the others down.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_targets(in[0], in[1]);
    require_rank(in[2], 0, "the loss's gradient", "a single number");
    return {{"", in[0]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t rows = in[1].shape().count(), classes = in[0].shape()[in[0].shape().rank() - 1].size;
      const R each = in[2].data<R>()[0] / static_cast<R>(counted(in));
      for (int64_t r = 0; r < rows; ++r) {
        const R* z = in[0].data<R>() + r * classes;
        R* dz = out[0].data<R>() + r * classes;
        const int64_t target = target_at(in, r);
        const LogSumExp lse = target < 0 ? LogSumExp{} : log_sum_exp(z, classes);
        for (int64_t v = 0; v < classes; ++v)
          dz[v] = target < 0
                      ? R(0)
                      : static_cast<R>(
                            (std::exp(z[v] - lse.largest - lse.rest) - wanted(v == target, classes)) * each);
      }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int last = in[0].shape().rank() - 1;
    const Index row = part(out.index, 0, last);
    const int64_t target = target_at(in, flatten(in[1].shape(), row));
    if (target < 0) return Expr(0);
    const int64_t classes = in[0].shape()[last].size;
    double top = -k_infinity;
    for (int64_t v = 0; v < classes; ++v) top = std::fmax(top, in[0].at(inserted(row, last, v)));
    std::vector<Expr> terms;
    for (int64_t v = 0; v < classes; ++v)
      terms.push_back(exp(cell(in, 0, inserted(row, last, v)) - Expr(top)));
    const Expr p = exp(cell(in, 0, out.index) - Expr(top)) / Expr::sum(terms);
    const double right = wanted(out.index.back() == target, classes);
    const Expr wrong = right > 0 ? p - Expr(right) : p;
    return wrong * cell(in, 2, {}) / Expr(static_cast<double>(counted(in)));
  }

 private:
  // What should be said of a class.
  double wanted(bool target, int64_t classes) const {
    return (target ? 1 - smoothing_ : 0) + smoothing_ / static_cast<double>(classes);
  }

  double smoothing_ = 0;
};

}  // namespace

Stage cross_entropy(const Scope& in, Stage logits, Stage targets, double smoothing) {
  Options options;
  if (smoothing > 0) options.set("smoothing", smoothing);
  return in.graph->add(in, "cross_entropy", options, {logits, targets});
}

void register_cross_entropy(Registry& all) {
  const Shape logits = {{Axis::B, 2}, {Axis::T, 3}, {Axis::V, 5}}, rows = {{Axis::B, 2}, {Axis::T, 3}};
  const Options smoothed = {{"smoothing", 0.1}};
  const Example::Input all_count = {rows, DType::i64, 0, 5}, some_count = {rows, DType::i64, -3, 5};
  const Example::Input one = {{}, DType::i64, 0, 5}, dloss = {{}, DType::f32, 0.5, 1};
  all.add<CrossEntropy>("cross_entropy", {{{}, {{logits}, all_count}},
                                          {{}, {{logits, DType::f32, -9, 9}, some_count}},
                                          {smoothed, {{logits}, some_count}},
                                          {{}, {{{{Axis::V, 5}}}, one}}});
  all.add<CrossEntropyGradient>("cross_entropy_gradient",
                                {{{}, {{logits}, all_count, dloss}},
                                 {smoothed, {{logits}, some_count, dloss}},
                                 {{}, {{logits, DType::f32, -9, 9}, some_count, dloss}}});
}

}  // namespace limpid
