// An attention score as a sum over pairs of sources.
//
// With every norm's scale held, the way from the residual stream to a query (norm, projection, norm of
// queries, rotation) is affine: q = constant + sum over sources of A source.  The stages on that way run by
// their reference in double, on one row a source beside a row of none.
#include <algorithm>
#include <map>
#include <set>

#include "engine/reference.h"
#include "limpid/lens.h"
#include "limpid/network.h"
#include "model/residual.h"

namespace limpid {

namespace {

struct Source {
  std::string name;
  Row vector;  // what it added to the residual stream
};

std::string in_block(int64_t layer, const std::string& name) { return join("blocks.", layer, ".", name); }

// ---- what was added to the residual stream below a layer -------------------------------------------------

class Sources {
 public:
  Sources(const Model& model, const Architecture& a, const PositionRows& rows)
      : model_(model), a_(a), rows_(rows) {}

  static std::vector<std::string> reads(const Architecture& a, int64_t layer) {
    std::vector<std::string> out = {"blocks.0.resid_pre", in_block(layer, "resid_pre")};
    if (adds_positions(a)) out.emplace_back("pos_embed");
    for (int64_t l = 0; l < layer; ++l) {
      out.push_back(in_block(l, "attn.z"));
      out.push_back(in_block(l, "mlp_out"));
      for (const char* norm : {"ln1", "ln2"})
        if (const std::string after = norm_after(a, l, norm); !after.empty()) out.push_back(after + ".scale");
    }
    return out;
  }

  std::vector<Source> below(int64_t layer, int64_t position) const {
    std::vector<Source> out = inputs(position);
    for (int64_t l = 0; l < layer; ++l) {
      heads(l, position, out);
      feed_forward(l, position, out);
    }
    return out;
  }

 private:
  static bool adds_positions(const Architecture& a) {
    const bool sum = a.inputs.positions == Positions::learned || a.inputs.positions == Positions::sinusoidal;
    return sum && !a.inputs.norm && !a.inputs.embedding_width;
  }
  // The norm that a branch goes through before it is added, or "".
  static std::string norm_after(const Architecture& a, int64_t layer, const std::string& norm) {
    const BlockOptions& o = a.stack.block(layer);
    if (o.parallel || (o.norms != NormPlace::both && o.norms != NormPlace::output)) return "";
    return in_block(layer, norm + (o.norms == NormPlace::both ? "_post" : ""));
  }

  bool has(const std::string& name) const { return model_.graph().find(name) >= 0; }
  Row parameter(const std::string& name) const {
    const Tensor x = model_.parameter(name).to(DType::f64);
    return {x.data<double>(), x.data<double>() + x.count()};
  }

  std::vector<Source> inputs(int64_t position) const {
    Row all = rows_.row("blocks.0.resid_pre", position);
    if (!adds_positions(a_)) return {{"embed", std::move(all)}};
    const Row places = rows_.row("pos_embed", position);
    for (size_t c = 0; c < all.size(); ++c) all[c] -= places[c];
    return {{"embed", std::move(all)}, {"pos_embed", places}};
  }

  // What a branch's part becomes on its way into the stream; `constant` is that of the norm, once a branch.
  void add(const std::string& name, Row part, int64_t layer, const std::string& norm, int64_t position,
           std::vector<Source>& to) const {
    const BlockOptions& o = a_.stack.block(layer);
    const std::string after = norm_after(a_, layer, norm);
    if (!after.empty()) {
      const double scale = rows_.row(after + ".scale", position).at(0);
      const Row w = has(after + ".w") ? parameter(after + ".w") : Row(part.size(), 1);
      double mean = 0;
      for (const double each : part) mean += each / static_cast<double>(part.size());
      for (size_t c = 0; c < part.size(); ++c)
        part[c] = (part[c] - (o.norm.kind == Norm::layer ? mean : 0)) / scale * w[c];
    }
    for (double& each : part) each *= o.residual_scale;
    to.push_back({name, std::move(part)});
  }
  void add_norm_bias(int64_t layer, const std::string& norm, std::vector<Source>& to) const {
    const std::string after = norm_after(a_, layer, norm);
    if (after.empty() || !has(after + ".b")) return;
    Row b = parameter(after + ".b");
    for (double& each : b) each *= a_.stack.block(layer).residual_scale;
    to.push_back({after + ".b", std::move(b)});
  }

  void heads(int64_t layer, int64_t position, std::vector<Source>& to) const {
    const auto count = static_cast<size_t>(a_.stack.block(layer).attention.heads);
    const std::string bias = in_block(layer, "attn.b_O");
    const Row z = rows_.row(in_block(layer, "attn.z"), position),
              w = parameter(in_block(layer, "attn.W_O"));  // [H,D], [H,D,C]
    const size_t width = w.size() / z.size(), each = z.size() / count;
    for (size_t h = 0; h < count; ++h) {
      Row part(width, 0);
      for (size_t i = h * each; i < (h + 1) * each; ++i)
        for (size_t c = 0; c < width; ++c) part[c] += z[i] * w[i * width + c];
      add(join(in_block(layer, "attn.z[H="), h, "]"), std::move(part), layer, "ln1", position, to);
    }
    if (has(bias)) add(bias, parameter(bias), layer, "ln1", position, to);
    add_norm_bias(layer, "ln1", to);
  }

  void feed_forward(int64_t layer, int64_t position, std::vector<Source>& to) const {
    const std::string name = in_block(layer, "mlp_out"), bias = in_block(layer, "mlp.b_out");
    Row all = rows_.row(name, position);
    const Row b = has(bias) ? parameter(bias) : Row();
    for (size_t c = 0; c < b.size(); ++c) all[c] -= b[c];
    add(name, std::move(all), layer, "ln2", position, to);
    if (!b.empty()) add(bias, b, layer, "ln2", position, to);
    add_norm_bias(layer, "ln2", to);
  }

  const Model& model_;
  const Architecture& a_;
  const PositionRows& rows_;
};

// ---- from the residual stream to a query or a key --------------------------------------------------------

// The stages between a layer's residual stream and what its scores are products of.
class Way {
 public:
  Way(const Model& model, const Architecture& a, int64_t layer, int value) : model_(model) {
    const Graph& graph = model.graph();
    from_ = graph.require(in_block(layer, "resid_pre"));
    to_ = value;
    block_ = &a.stack.block(layer);
    std::set<int> reached = {from_};
    std::vector<const StageInfo*> behind;
    for (const StageInfo& stage : graph.stages()) {
      if (std::none_of(stage.inputs.begin(), stage.inputs.end(),
                       [&](int id) { return reached.count(id) > 0; }))
        continue;
      for (const int id : stage.outputs) reached.insert(id);
      behind.push_back(&stage);
      if (reached.count(to_)) break;
    }
    std::set<int> wanted = {to_};
    for (auto stage = behind.rbegin(); stage != behind.rend(); ++stage) {
      const std::vector<int>& outputs = (*stage)->outputs;
      if (std::none_of(outputs.begin(), outputs.end(), [&](int id) { return wanted.count(id) > 0; }))
        continue;
      if (!carries(**stage)) continue;
      wanted.insert((*stage)->inputs.begin(), (*stage)->inputs.end());
      stages_.insert(stages_.begin(), *stage);
    }
  }

  // Values of the run that it reads besides: scales of norms, angles of rotations.
  std::vector<std::string> reads() const {
    const Graph& graph = model_.graph();
    std::vector<std::string> out;
    for (const StageInfo* stage : stages_) {
      if (const int scale = scale_of(*stage); scale >= 0) out.push_back(graph.value(scale).name);
      for (const int id : stage->inputs)
        if (!is_row(graph.value(id)) && graph.value(id).kind != Value::Kind::parameter)
          out.push_back(graph.value(id).name);
    }
    return out;
  }

  /// The constant, and what each source becomes: rows [1 + sources, ...] of the last value.
  std::vector<Row> carry(const std::vector<Source>& sources, const PositionRows& rows,
                         int64_t position) const {
    const auto count = static_cast<int64_t>(sources.size()) + 1,
               width = static_cast<int64_t>(sources[0].vector.size());
    std::map<int, Tensor> made;
    Tensor& start = made[from_] = Tensor(DType::f64, {{Axis::B, count}, {Axis::T, 1}, {Axis::C, width}});
    for (int64_t i = 1; i < count; ++i)
      std::copy_n(sources[static_cast<size_t>(i) - 1].vector.data(), width, start.data<double>() + i * width);
    for (const StageInfo* stage : stages_) {
      if (scale_of(*stage) >= 0)
        hold_norm(*stage, rows, position, made);
      else
        run(*stage, rows, position, made);
    }
    const Tensor& last = made.at(to_);
    const int64_t each = last.count() / count;
    std::vector<Row> out;
    for (int64_t i = 0; i < count; ++i) {
      out.emplace_back(last.data<double>() + i * each, last.data<double>() + (i + 1) * each);
      if (i > 0)
        for (size_t d = 0; d < out.back().size(); ++d) out.back()[d] -= out.front()[d];
    }
    return out;
  }

 private:
  // A row a position and text, and not a table that all texts share.
  static bool is_row(const Value& value) { return value.shape.find(Axis::B) >= 0; }
  bool carries(const StageInfo& stage) const { return is_row(model_.graph().value(stage.outputs[0])); }

  // The scale that a norm has beside its output, or -1: it is no norm.
  int scale_of(const StageInfo& stage) const {
    const int id = stage.outputs.size() == 2 ? stage.outputs[1] : -1;
    return id >= 0 && model_.graph().value(id).name == stage.name + ".scale" ? id : -1;
  }
  const NormOptions& options_of(const StageInfo& stage) const {
    const bool own = stage.name.ends_with("q_norm") || stage.name.ends_with("k_norm");
    return own && block_->attention.query_key_norm ? *block_->attention.query_key_norm : block_->norm;
  }

  // (x - mean) / scale * w + b with the run's scale, one for each of the rows that a position has.
  void hold_norm(const StageInfo& stage, const PositionRows& rows, int64_t position,
                 std::map<int, Tensor>& made) const {
    const Graph& graph = model_.graph();
    const Tensor& x = made.at(stage.inputs[0]);
    const Row scales = rows.row(graph.value(scale_of(stage)).name, position);
    const int64_t width = x.shape()[x.shape().rank() - 1].size;
    Tensor out(DType::f64, x.shape());
    Tensor w, b;
    if (stage.inputs.size() > 1) w = parameter(stage.inputs[1]);
    if (stage.inputs.size() > 2) b = parameter(stage.inputs[2]);
    for (int64_t r = 0; r < x.count() / width; ++r) {
      const double* from = x.data<double>() + r * width;
      double mean = 0;
      if (options_of(stage).kind == Norm::layer)
        for (int64_t c = 0; c < width; ++c) mean += from[c] / static_cast<double>(width);
      const double scale = scales[static_cast<size_t>(r) % scales.size()];
      for (int64_t c = 0; c < width; ++c)
        out.data<double>()[r * width + c] = (from[c] - mean) / scale * (w.count() ? w.data<double>()[c] : 1) +
                                            (b.count() ? b.data<double>()[c] : 0);
    }
    made[stage.outputs[0]] = std::move(out);
  }

  Tensor parameter(int id) const { return model_.parameter(model_.graph().value(id).name).to(DType::f64); }

  // A parameter, or of a table with a row a position that row.
  Tensor beside(int id, const PositionRows& rows, int64_t position) const {
    const Value& value = model_.graph().value(id);
    if (value.kind == Value::Kind::parameter) return parameter(id);
    Shape shape = value.shape;
    for (int i = 0; i < shape.rank(); ++i)
      if (shape[i].size == k_symbolic) shape[i].size = 1;
    return Tensor::of<double>(shape, rows.row(value.name, position));
  }

  void run(const StageInfo& stage, const PositionRows& rows, int64_t position,
           std::map<int, Tensor>& made) const {
    std::vector<ConstView> in;
    std::vector<Shape> shapes;
    for (const int id : stage.inputs) {
      if (!made.count(id)) made[id] = beside(id, rows, position);
      in.push_back(std::as_const(made.at(id)).view());
      shapes.push_back(in.back().shape());
    }
    std::vector<Tensor> out;
    for (const Output& output : stage.operation->shape(shapes)) out.emplace_back(DType::f64, output.shape);
    std::vector<View> places;
    for (Tensor& x : out) places.push_back(x.view());
    run_stage(stage, in, places, {});
    for (size_t i = 0; i < out.size(); ++i) made[stage.outputs[i]] = std::move(out[i]);
  }

  const Model& model_;
  const BlockOptions* block_ = nullptr;
  int from_ = -1, to_ = -1;
  std::vector<const StageInfo*> stages_;
};

int64_t place_from(int64_t given, int64_t length, const char* what) {
  const int64_t place = given < 0 ? given + length : given;
  if (place < 0 || place >= length)
    fail_call("score_sources: ", what, " ", given, " is not there, expected ", -length, " to ", length - 1);
  return place;
}

// Of one head, one vector a source: the constant's last.
std::vector<Row> of_head(const std::vector<Row>& carried, int64_t head, int64_t heads) {
  std::vector<Row> out;
  for (size_t i = 1; i <= carried.size(); ++i) {
    const Row& all = carried[i % carried.size()];
    const auto width = static_cast<std::ptrdiff_t>(all.size()) / heads;
    out.emplace_back(all.begin() + head * width, all.begin() + (head + 1) * width);
  }
  return out;
}

void pair_up(const std::vector<Row>& queries, const std::vector<Row>& keys, double scale, ScoreSources& to) {
  for (const Row& q : queries)
    for (const Row& k : keys) {
      double sum = 0;
      for (size_t d = 0; d < q.size(); ++d) sum += q[d] * k[d];
      to.pairs.push_back(sum * scale);
      to.sum += to.pairs.back();
    }
}

}  // namespace

ScoreSources score_sources(const Model& model, const std::vector<int64_t>& tokens,
                           const ScoreSourcesOptions& options) {
  const Architecture a = residual_decoder(model, "score_sources");
  const auto length = static_cast<int64_t>(tokens.size());
  if (length == 0) fail_call("score_sources: no tokens given; give at least one");
  ScoreSources out;
  out.layer = options.layer, out.head = options.head;
  if (out.layer < 0 || out.layer >= a.stack.layers)
    fail_call("score_sources: layer ", out.layer, " is not there, expected 0 to ", a.stack.layers - 1);
  const int64_t heads = a.stack.block(out.layer).attention.heads;
  if (out.head < 0 || out.head >= heads)
    fail_call("score_sources: head ", out.head, " is not there, expected 0 to ", heads - 1);
  out.query = place_from(options.query, length, "query");
  out.key = place_from(options.key, length, "key");

  const Graph& graph = model.graph();
  out.attention = in_block(out.layer, "attn");
  const Value& raw = graph.value(graph.require(out.attention + ".raw_scores"));
  const StageInfo& product = graph.stage(raw.stage);
  const int query = product.inputs[0], key = product.inputs[1];
  const Way to_query(model, a, out.layer, query), to_key(model, a, out.layer, key);
  const std::string scaled = out.attention + ".scaled_scores", score = out.attention + ".scores";
  std::vector<std::string> names = Sources::reads(a, out.layer);
  for (const Way* way : {&to_query, &to_key})
    for (const std::string& name : way->reads()) names.push_back(name);
  names.insert(names.end(), {scaled, score});
  const PositionRows rows(model, tokens, {out.query, out.key}, names, options.edits);

  const Sources sources(model, a, rows);
  const std::vector<Source> of_query = sources.below(out.layer, out.query),
                            of_key = sources.below(out.layer, out.key);
  for (const Source& source : of_query) out.sources.push_back(source.name);
  out.sources.emplace_back("constant");
  const int64_t key_heads = graph.value(key).shape[2].size;
  pair_up(of_head(to_query.carry(of_query, rows, out.query), out.head, heads),
          of_head(to_key.carry(of_key, rows, out.key), out.head / (heads / key_heads), key_heads),
          graph.groups()[static_cast<size_t>(graph.stage(raw.stage).group)].options.real("scale", 1), out);
  const auto cell = static_cast<size_t>(out.head * length + out.key);
  out.scaled = rows.row(scaled, out.query).at(cell);
  out.score = rows.row(score, out.query).at(cell);
  return out;
}

}  // namespace limpid
