// Rotary angles: how far each pair of numbers of a head turns at each position (Su 2021).  Pair i turns by
// t / base^(2 i / width): the first pairs fast, the last ones slowly, like the hands of a clock.  Scaled
// rotary positions turn by frequencies of their own.
#include <numbers>

#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// How many positions pass while pair i turns by one radian.
double pace(double base, int64_t i, int64_t width) {
  return std::pow(base, 2 * static_cast<double>(i) / static_cast<double>(width));
}

class RotaryAngles final : public Operation {
 public:
  explicit RotaryAngles(const Options& options)
      : width_(options.integer("width")),
        base_(options.real("base", 10000)),
        magnitude_(options.real("magnitude", 1)),
        dynamic_factor_(options.real("dynamic_factor")),
        dynamic_context_(options.integer("dynamic_context")),
        texts_(options.flag("texts")) {
    if (dynamic_factor_ != 0 && (!(dynamic_factor_ >= 1) || dynamic_context_ < 1 || width_ < 4))
      fail_call("dynamic_factor is ", dynamic_factor_, " and dynamic_context ", dynamic_context_,
                ", expected at least 1 each, and a width of at least 4");
    if (width_ < 2 || width_ % 2 != 0)
      fail_call("width is ", width_, ", expected an even number of at least 2");
    if (!(base_ > 0)) fail_call("base is ", base_, ", expected more than 0");
    if (!std::isfinite(magnitude_)) fail_call("magnitude is ", magnitude_, ", expected a finite number");
    if (!options.has("frequencies")) return;
    const OptionValue& given = options.all().at("frequencies");
    if (const auto* reals = std::get_if<std::vector<double>>(&given)) frequencies_ = *reals;
    if (const auto* whole = std::get_if<std::vector<int64_t>>(&given))
      frequencies_.assign(whole->begin(), whole->end());
    if (static_cast<int64_t>(frequencies_.size()) != width_ / 2)
      fail_call("frequencies are ", frequencies_.size(), " numbers, expected ", width_ / 2, ", one a pair");
    for (double each : frequencies_)
      if (!std::isfinite(each)) fail_call("a frequency is ", each, ", expected finite numbers");
  }
  std::string label() const override { return "Rotary Angles"; }
  std::string equation() const override {
    return frequencies_.empty() ? join("angle[t,i] = t / ", base_, "^(2 i / ", width_, ")")
                                : "angle[t,i] = t frequency[i]";
  }
  std::string caption() const override {
    return "The further on a token stands, the more its numbers turn: the first pairs fast, the last ones "
           "slowly.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 1, 1);
    if (in[0].rank() < 2) fail_call("x is ", in[0].text(), ", expected [B,T,...]");
    Shape angles = {{Axis::T, in[0][1].size}, {static_cast<Axis>('E'), width_ / 2}};
    if (texts_) angles = {in[0][0], angles[0], angles[1]};
    return {{"cos", angles}, {"sin", angles}};
  }

  // The angle is computed in double whatever the run's type: at far positions float would lose the turn.
  void run(Inputs in, Outputs out, const RunContext& context) const override {
    if (!texts_ && !context.first_positions.empty())
      fail_call("the texts begin at positions of their own, but the angles are the same for all");
    on_real(out[0], [&]<class R>() {
      const int64_t rows = in[0].shape()[1].size, pairs = width_ / 2;
      R *cos = out[0].data<R>(), *sin = out[1].data<R>();
      for (int64_t n = 0; n < out[0].shape().count() / pairs; ++n) {
        const int64_t first = context.first_of(n / rows);
        for (int64_t i = 0; i < pairs; ++i) {
          const double angle = angle_of(first + n % rows, i, first + rows);
          cos[n * pairs + i] = static_cast<R>(magnitude_ * std::cos(angle));
          sin[n * pairs + i] = static_cast<R>(magnitude_ * std::sin(angle));
        }
      }
    });
  }

  void gradient(GradientContext&) const override {}  // x is read for its length only

  Expr explain(Inputs in, const Cell& out, const RunContext& context) const override {
    const int64_t first = context.first_of(texts_ ? out.index[0] : 0), pair = out.index[texts_ ? 2 : 1];
    const Expr t(static_cast<double>(first + out.index[texts_ ? 1 : 0]));
    const Expr angle = frequencies_.empty()
                           ? t / Expr(pace(base_for(first + in[0].shape()[1].size), pair, width_))
                           : t * Expr(frequencies_[static_cast<size_t>(pair)]);
    const Expr turned = Expr::call(out.output == 0 ? Expr::Function::cos : Expr::Function::sin, {angle});
    return magnitude_ == 1 ? turned : Expr(magnitude_) * turned;
  }

 private:
  double base_for(int64_t length) const {
    if (dynamic_factor_ == 0 || length <= dynamic_context_) return base_;
    const double longer = static_cast<double>(length) / static_cast<double>(dynamic_context_);
    const double width = static_cast<double>(width_);
    return base_ * std::pow(dynamic_factor_ * longer - (dynamic_factor_ - 1), width / (width - 2));
  }
  double angle_of(int64_t t, int64_t i, int64_t length) const {
    return frequencies_.empty() ? static_cast<double>(t) / pace(base_for(length), i, width_)
                                : static_cast<double>(t) * frequencies_[static_cast<size_t>(i)];
  }

  int64_t width_;
  double base_, magnitude_, dynamic_factor_;
  int64_t dynamic_context_;
  bool texts_;  // every text has rows of its own: they may begin at different positions
  std::vector<double> frequencies_;
};

}  // namespace

Stage rotary_angles(const Scope& in, Stage x, const RotaryOptions& o, bool texts) {
  Options options = {{"width", o.width}, {"base", o.base}};
  if (!o.frequencies.empty()) options.set("frequencies", o.frequencies);
  if (o.magnitude != 1) options.set("magnitude", o.magnitude);
  if (o.dynamic_factor != 0) {
    options.set("dynamic_factor", o.dynamic_factor);
    options.set("dynamic_context", o.dynamic_context);
  }
  if (texts) options.set("texts", true);
  return in.graph->add(in, "rotary_angles", options, {x});
}

namespace {

// The pair that turns `turns` times within the original context.
double pair_of_turns(double turns, double context, const RotaryOptions& o) {
  return static_cast<double>(o.width) * std::log(context / (turns * 2 * std::numbers::pi)) /
         (2 * std::log(o.base));
}

double llama3_frequency(double frequency, const RotaryScalingOptions& s) {
  const double length = 2 * std::numbers::pi / frequency;
  const double low = s.original_context / s.low_frequency_factor,
               high = s.original_context / s.high_frequency_factor;
  if (length < high) return frequency;
  if (length > low) return frequency / s.factor;
  const double smooth = (s.original_context / length - s.low_frequency_factor) /
                        (s.high_frequency_factor - s.low_frequency_factor);
  return (1 - smooth) * frequency / s.factor + smooth * frequency;
}

}  // namespace

RotaryOptions scaled(RotaryOptions o, const RotaryScalingOptions& s) {
  if (!(s.factor > 0)) fail_call("rotary scaling: factor is ", s.factor, ", expected more than 0");
  const int64_t pairs = o.width / 2;
  double low = pair_of_turns(s.beta_fast, s.original_context, o),
         high = pair_of_turns(s.beta_slow, s.original_context, o);
  if (s.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(o.width - 1));
  if (low == high) high += 0.001;
  o.frequencies.clear();
  for (int64_t i = 0; i < pairs; ++i) {
    const double own = 1 / pace(o.base, i, o.width);
    double frequency = own / s.factor;
    if (s.kind == RotaryScaling::llama3) frequency = llama3_frequency(own, s);
    if (s.kind == RotaryScaling::yarn) {
      const double interpolated = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
      frequency = interpolated * own / s.factor + (1 - interpolated) * own;
    }
    o.frequencies.push_back(frequency);
  }
  if (s.kind == RotaryScaling::yarn)
    o.magnitude = s.attention_factor.value_or(s.factor <= 1 ? 1 : 0.1 * std::log(s.factor) + 1);
  return o;
}

void register_rotary_angles(Registry& all) {
  const Shape ids = {{Axis::B, 2}, {Axis::T, 5}}, x = {{Axis::B, 1}, {Axis::T, 300}, {Axis::C, 2}};
  const Example::Input tokens = {ids, DType::i64, 0, 9};
  all.add<RotaryAngles>(
      "rotary_angles",
      {{{{"width", int64_t{6}}}, {tokens}},
       {{{"width", int64_t{4}}, {"frequencies", std::vector<double>{0.5, 0.01}}, {"magnitude", 1.2}},
        {tokens}},
       {{{"width", int64_t{6}}, {"dynamic_factor", 2.0}, {"dynamic_context", int64_t{3}}}, {tokens}},
       {{{"width", int64_t{6}}, {"texts", true}}, {tokens}},
       {{{"width", int64_t{2}}, {"base", 500.0}}, {{x, DType::f32, -1, 1, false}}}});
}

}  // namespace limpid
