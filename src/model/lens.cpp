#include "limpid/lens.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/reference.h"
#include "limpid/network.h"
#include "model/residual.h"

namespace limpid {

namespace {

// The stages behind the last block, for one row of the residual stream.
class HeadRun {
 public:
  HeadRun(const Model& model, const std::string& residual)
      : graph_(model.graph()), from_(graph_.require(residual)), to_(graph_.require("logits")) {
    std::map<int, bool> behind = {{from_, true}};
    for (const StageInfo& stage : graph_.stages()) {
      if (!std::any_of(stage.inputs.begin(), stage.inputs.end(),
                       [&](int id) { return behind.count(id) > 0; }))
        continue;
      for (const int id : stage.outputs) behind[id] = true;
      stages_.push_back(&stage);
      for (const int id : stage.inputs)
        if (graph_.value(id).kind == Value::Kind::parameter && !parameters_.count(id))
          parameters_[id] = model.parameter(graph_.value(id).name).to(DType::f64);
      if (behind.count(to_)) break;
    }
  }

  Row logits(const Row& residual) const {
    std::map<int, Tensor> made;
    made[from_] = Tensor::of<double>(
        {{Axis::B, 1}, {Axis::T, 1}, {Axis::C, static_cast<int64_t>(residual.size())}}, residual);
    for (const StageInfo* stage : stages_) {
      std::vector<ConstView> in;
      std::vector<Shape> shapes;
      for (const int id : stage->inputs) {
        const Tensor& x = made.count(id) ? made.at(id) : parameters_.at(id);
        in.push_back(x.view());
        shapes.push_back(x.shape());
      }
      std::vector<Tensor> out;
      for (const Output& output : stage->operation->shape(shapes)) out.emplace_back(DType::f64, output.shape);
      std::vector<View> places;
      for (Tensor& x : out) places.push_back(x.view());
      run_stage(*stage, in, places, {});
      for (size_t i = 0; i < out.size(); ++i) made[stage->outputs[i]] = std::move(out[i]);
    }
    const Tensor& last = made.at(to_);
    return {last.data<double>(), last.data<double>() + last.count()};
  }

 private:
  const Graph& graph_;
  int from_, to_;
  std::vector<const StageInfo*> stages_;
  std::map<int, Tensor> parameters_;
};

LensLayer layer_of(const std::string& name, const Row& logits, std::optional<int64_t> target) {
  LensLayer out;
  out.name = name;
  out.likeliest = std::max_element(logits.begin(), logits.end()) - logits.begin();
  const double most = logits[static_cast<size_t>(out.likeliest)];
  double sum = 0;
  for (const double each : logits) sum += std::exp(each - most);
  out.likeliest_probability = 1 / sum;
  out.logit = logits[static_cast<size_t>(target.value_or(out.likeliest))];
  out.probability = std::exp(out.logit - most) / sum;
  out.rank = std::count_if(logits.begin(), logits.end(), [&](double each) { return each > out.logit; });
  return out;
}

// ---- attribution ---------------------------------------------------------------------------------

double dot(const Row& a, const Row& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

class Attribution {
 public:
  Attribution(const Model& model, const Architecture& a, const PositionRows& rows, int64_t target)
      : model_(model), a_(a), rows_(rows) {
    Row to = column(target);
    for (double& each : to) each *= a.head.scale;
    if (a.head.bias) add("unembed.b_U", number("unembed.b_U", target) * a.head.scale);
    const Row residual = a.stack.final_norm ? before_norm("ln_final", *a.stack.final_norm, to) : to;
    for (int64_t layer = a.stack.layers - 1; layer >= 0; --layer) block(layer, residual);
    inputs(residual);
  }

  std::vector<LensPart> parts;

 private:
  void add(const std::string& name, double logit) { parts.push_back({name, logit}); }

  Row parameter(const std::string& name) const {
    const Tensor x = model_.parameter(name).to(DType::f64);
    return {x.data<double>(), x.data<double>() + x.count()};
  }
  double number(const std::string& name, int64_t at) const { return model_.parameter(name).at({at}); }
  bool has(const std::string& name) const { return model_.graph().find(name) >= 0; }

  // What the last matrix reads for this token.
  Row column(int64_t target) const {
    const char* const name = a_.head.tied ? "embed.W_E" : "unembed.W_U";
    const auto stored = model_.stored().find(name);
    if (stored != model_.stored().end() && stored->second.turned() != a_.head.tied) {
      std::vector<float> row(static_cast<size_t>(stored->second.columns()));
      stored->second.expand_row(target, row.data());
      return {row.begin(), row.end()};
    }
    const Tensor copied = model_.stored().empty() ? Tensor() : model_.parameter(name);
    const Tensor& w = model_.stored().empty() ? model_.parameters().at(name) : copied;
    Row out(static_cast<size_t>(w.shape()[a_.head.tied ? 1 : 0].size));
    for (size_t c = 0; c < out.size(); ++c) {
      const auto i = static_cast<int64_t>(c);
      out[c] = w.at(a_.head.tied ? Index{target, i} : Index{i, target});
    }
    return out;
  }

  // The direction before a norm whose scale is held: what a number before it adds to the logit.
  Row before_norm(const std::string& name, const NormOptions& o, Row to) {
    if (has(name + ".b")) add(name + ".b", dot(parameter(name + ".b"), to));
    const double scale = rows_.row(name + ".scale").at(0);
    const Row w = has(name + ".w") ? parameter(name + ".w") : Row(to.size(), 1);
    double mean = 0;
    for (size_t c = 0; c < to.size(); ++c) {
      to[c] *= w[c] / scale;
      mean += to[c] / static_cast<double>(to.size());
    }
    if (o.kind == Norm::layer)  // the mean of what goes in is taken away
      for (double& each : to) each -= mean;
    return to;
  }

  void block(int64_t layer, const Row& residual) {
    const BlockOptions& o = a_.stack.block(layer);
    const std::string in = join("blocks.", layer, ".");
    const bool inside = !o.parallel && (o.norms == NormPlace::both || o.norms == NormPlace::output);
    const std::string after = o.norms == NormPlace::both ? "_post" : "";
    const auto branch = [&](const std::string& norm) {
      Row to = residual;
      for (double& each : to) each *= o.residual_scale;
      return inside ? before_norm(in + norm + after, o.norm, std::move(to)) : to;
    };
    feed_forward(in, branch("ln2"));
    heads(in, o.attention, branch("ln1"));
  }

  void feed_forward(const std::string& in, const Row& to) {
    double all = dot(rows_.row(in + "mlp_out"), to);
    if (has(in + "mlp.b_out")) {
      const double bias = dot(parameter(in + "mlp.b_out"), to);
      add(in + "mlp.b_out", bias);
      all -= bias;
    }
    add(in + "mlp_out", all);
  }

  // Each head's z W_O.
  void heads(const std::string& in, const AttentionOptions& o, const Row& to) {
    const Row z = rows_.row(in + "attn.z"), w = parameter(in + "attn.W_O");  // [H,D], [H,D,C]
    const size_t width = to.size(), per_head = z.size() / static_cast<size_t>(o.heads);
    for (size_t h = 0; h < static_cast<size_t>(o.heads); ++h) {
      double sum = 0;
      for (size_t i = h * per_head; i < (h + 1) * per_head; ++i)
        for (size_t c = 0; c < width; ++c) sum += z[i] * w[i * width + c] * to[c];
      add(join(in, "attn.z[H=", h, "]"), sum);
    }
    if (has(in + "attn.b_O")) add(in + "attn.b_O", dot(parameter(in + "attn.b_O"), to));
  }

  void inputs(const Row& to) {
    const bool sum =
        a_.inputs.positions == Positions::learned || a_.inputs.positions == Positions::sinusoidal;
    const double all = dot(rows_.row("blocks.0.resid_pre"), to);
    if (a_.inputs.norm || !sum || a_.inputs.embedding_width) return add("embed", all);
    const double position = dot(rows_.row("pos_embed"), to);
    add("pos_embed", position);
    add("embed", all - position);
  }

  const Model& model_;
  const Architecture& a_;
  const PositionRows& rows_;
};

std::vector<std::string> names_read(const Architecture& a) {
  std::vector<std::string> out = {join("blocks.", a.stack.layers - 1, ".resid_post")};
  for (int64_t layer = 0; layer < a.stack.layers; ++layer) {
    const BlockOptions& o = a.stack.block(layer);
    const std::string in = join("blocks.", layer, ".");
    for (const char* name : {"resid_pre", "attn.z", "mlp_out"}) out.push_back(in + name);
    if (o.parallel || o.norms == NormPlace::before) continue;
    const std::string after = o.norms == NormPlace::both ? "_post.scale" : ".scale";
    out.push_back(in + "ln1" + after);
    out.push_back(in + "ln2" + after);
  }
  if (a.stack.final_norm) out.emplace_back("ln_final.scale");
  if (a.inputs.positions == Positions::learned || a.inputs.positions == Positions::sinusoidal)
    out.emplace_back("pos_embed");
  return out;
}

}  // namespace

Lens lens(const Model& model, const std::vector<int64_t>& tokens, const LensOptions& options) {
  const Architecture a = residual_decoder(model, "lens");
  const auto length = static_cast<int64_t>(tokens.size());
  if (length == 0) fail_call("lens: no tokens given; give at least one");
  Lens out;
  const auto label = [&](int64_t id) {
    return model.tokenizer() ? model.tokenizer()->label(id) : std::to_string(id);
  };
  for (const int64_t id : tokens) out.tokens.push_back(label(id));
  const int64_t given = options.position.value_or(-1);
  out.position = given < 0 ? given + length : given;
  if (out.position < 0 || out.position >= length)
    fail_call("lens: position ", given, " is not there, expected ", -length, " to ", length - 1);
  const int64_t words = a.inputs.vocabulary;
  if (options.target && (*options.target < 0 || *options.target >= words))
    fail_call("lens: target ", *options.target, " is no token, expected 0 to ", words - 1);
  const PositionRows rows(model, tokens, {out.position}, names_read(a), options.edits);
  const std::string last = join("blocks.", a.stack.layers - 1, ".resid_post");
  const HeadRun head(model, last);
  const Row whole = head.logits(rows.row(last));
  out.target = options.target.value_or(std::max_element(whole.begin(), whole.end()) - whole.begin());
  out.target_label = label(out.target);
  for (int64_t layer = 0; layer <= a.stack.layers; ++layer) {
    const std::string name = layer < a.stack.layers ? join("blocks.", layer, ".resid_pre") : last;
    out.layers.push_back(
        layer_of(name, layer < a.stack.layers ? head.logits(rows.row(name)) : whole, out.target));
    out.layers.back().likeliest_label = label(out.layers.back().likeliest);
  }
  out.probability = out.layers.back().probability;
  out.softcap = a.head.softcap;
  const double shown = out.layers.back().logit;
  out.logit = a.head.softcap != 0 ? a.head.softcap * std::atanh(shown / a.head.softcap) : shown;
  out.parts = Attribution(model, a, rows, out.target).parts;
  std::stable_sort(out.parts.begin(), out.parts.end(), [](const LensPart& x, const LensPart& y) {
    return std::fabs(x.logit) > std::fabs(y.logit);
  });
  for (const LensPart& part : out.parts) out.sum += part.logit;
  return out;
}

}  // namespace limpid
