#include "trace/check.h"

#include <string_view>

#include "core/label.h"
#include "trace/reading.h"

namespace limpid {

namespace {

// ---- shapes --------------------------------------------------------------------------------------

class Shapes {
 public:
  Shapes(const Trace& trace, const std::map<SizedAxis, int64_t>& sizes, const std::string& file)
      : graph_(*trace.graph), sizes_(sizes), file_(file) {
    for (const Value& value : graph_.values()) shapes_.push_back(bound(value.name, value.shape));
    for (const StageInfo& stage : graph_.stages()) run(stage);
    for (const auto* kept : {&trace.values, &trace.parameters})
      for (const auto& [name, tensor] : *kept)
        if (name.find('@') == std::string::npos)
          require(graph_.require(name), tensor.shape());
        else if (name.ends_with("@rows"))
          require_rows(trace, name, tensor.shape());
  }
  const Shape& operator[](int value) const { return shapes_[static_cast<size_t>(value)]; }
  const std::vector<Shape>& all() const { return shapes_; }

 private:
  template <class... Parts>
  [[noreturn]] void fail(const std::string& name, const Parts&... parts) const {
    fail_work("trace ", file_, ": '", visible(name), "' ", parts...);
  }

  Shape bound(const std::string& name, Shape shape) const {
    for (int i = 0; i < shape.rank(); ++i)
      if (const auto size = sizes_.find(sized_axis(name, shape, shape[i].axis));
          shape[i].size < 0 && size != sizes_.end())
        shape[i].size = size->second;
    return shape;
  }

  // What the operation makes of the sizes, instead of what it made of open ones, which fit anything.
  void run(const StageInfo& stage) {
    std::vector<Shape> inputs;
    for (int id : stage.inputs) inputs.push_back(shapes_[static_cast<size_t>(id)]);
    std::vector<Output> outputs;
    try {
      outputs = stage.operation->shape(inputs);
      for (const Output& output : outputs)
        if (!output.shape.symbolic()) output.shape.count();
    } catch (const std::exception& error) {
      fail(stage.name, "cannot be computed: ", visible_line(error.what()));
    }
    for (size_t i = 0; i < outputs.size() && i < stage.outputs.size(); ++i)
      shapes_[static_cast<size_t>(stage.outputs[i])] =
          bound(graph_.value(stage.outputs[i]).name, outputs[i].shape);
  }

  void require(int value, const Shape& stored) const {
    const Shape& expected = (*this)[value];
    bool right = stored.rank() == expected.rank();
    for (int i = 0; right && i < stored.rank(); ++i)
      right = expected[i].size < 0 || expected[i].size == stored[i].size;
    if (!right) fail(graph_.value(value).name, "is ", stored.text(), ", expected ", expected.text());
  }

  // Some rows of a value, beside their positions.
  void require_rows(const Trace& trace, const std::string& name, Shape stored) const {
    const int value = graph_.require(name.substr(0, name.find('@')));
    const auto index = trace.values.find(name + ".index");
    int axis = stored.find(Axis::T);
    if (axis < 0) axis = stored.find(Axis::S);
    if (axis < 0 || index == trace.values.end() || index->second.count() != stored[axis].size)
      fail(name, "is ", stored.text(), ", expected rows with as many positions in '", name, ".index'");
    const Shape& expected = (*this)[value];
    const int64_t last =
        index->second.count() ? static_cast<int64_t>(index->second.at({index->second.count() - 1})) : 0;
    if (axis < expected.rank() && expected[axis].size >= 0 && last >= expected[axis].size)
      fail(name, "has a row at position ", last, ", expected positions below ", expected[axis].size);
    if (axis < expected.rank()) stored[axis].size = expected[axis].size;
    require(value, stored);
  }

  const Graph& graph_;
  const std::map<SizedAxis, int64_t>& sizes_;
  const std::string& file_;
  std::vector<Shape> shapes_;
};

// ---- names ---------------------------------------------------------------------------------------

// The names of a layer that have one meaning everywhere, and their axes.
struct Known {
  std::string_view name, axes;
};
constexpr Known k_of_a_layer[] = {
    {"attn.q", "BTHD"},
    {"attn.k", "BSGD"},
    {"attn.v", "BSGE"},
    {"attn.rot_q", "BTHD"},
    {"attn.rot_k", "BSGD"},
    {"attn.raw_scores", "BHTS"},
    {"attn.scaled_scores", "BHTS"},
    {"attn.scores", "BHTS"},
    {"attn.pattern", "BHTS"},
    {"attn.z", "BTHE"},
    {"attn_out", "BTC"},
    {"resid_pre", "BTC"},
    {"resid_mid", "BTC"},
    {"resid_post", "BTC"},
};
constexpr char k_value_width = 'E';  // D as well, but values may be wider than keys

constexpr int64_t k_most_heads =
    4096;  // pages and figures go through them, whether their values are kept or not

// In one layer each letter has one size, and the key/value heads divide the heads.
void check_layer(const Graph& graph, const Shapes& shapes, int layer, const std::string& file) {
  std::map<char, std::pair<int64_t, std::string>> seen;
  for (const Known& known : k_of_a_layer) {
    const std::string name = join("blocks.", layer, ".", known.name);
    const int id = graph.find(name);
    if (id < 0) continue;
    const Shape& shape = shapes[id];
    const auto wrong = [&](const std::string& expected) {
      fail_work("trace ", file, ": '", name, "' is ", visible_line(shape.text()), ", expected ", expected);
    };
    bool right = shape.rank() == static_cast<int>(known.axes.size());
    for (int i = 0; right && i < shape.rank(); ++i) {
      const char letter = known.axes[static_cast<size_t>(i)];
      right = static_cast<char>(shape[i].axis) == (letter == k_value_width ? 'D' : letter);
    }
    if (!right) {
      std::string axes;
      for (char letter : known.axes)
        axes += join(axes.empty() ? "" : ",", letter == k_value_width ? 'D' : letter);
      wrong("[" + axes + "]");
    }
    for (int i = 0; i < shape.rank(); ++i) {
      if (shape[i].size < 0) continue;
      const auto [at, fresh] =
          seen.emplace(known.axes[static_cast<size_t>(i)], std::pair(shape[i].size, name));
      if (!fresh && at->second.first != shape[i].size)
        wrong(join(static_cast<char>(shape[i].axis), "=", at->second.first, " as in '", at->second.second,
                   "'"));
    }
  }
  const auto heads = seen.find('H'), groups = seen.find('G');
  if (heads != seen.end() && heads->second.first > k_most_heads)
    fail_work("trace ", file, ": '", heads->second.second, "' has ", heads->second.first, " heads, at most ",
              k_most_heads, " are read");
  if (heads != seen.end() && groups != seen.end() &&
      (groups->second.first < 1 || heads->second.first % groups->second.first != 0))
    fail_work("trace ", file, ": '", heads->second.second, "' has ", heads->second.first,
              " heads, which the ", groups->second.first, " of '", groups->second.second, "' do not divide");
}

}  // namespace

void check_graph(const Trace& trace, const std::map<SizedAxis, int64_t>& sizes, const std::string& file) {
  const Shapes shapes(trace, sizes, file);
  std::map<int, bool> layers;
  for (const Value& value : trace.graph->values())
    if (const int layer = Reading::layer_of(value.name); layer >= 0) layers[layer] = true;
  for (const auto& [alias, value] : trace.graph->aliases())
    if (const int layer = Reading::layer_of(alias); layer >= 0) layers[layer] = true;
  for (const auto& [layer, there] : layers) check_layer(*trace.graph, shapes, layer, file);
}

std::vector<Shape> shapes_in_run(const Trace& trace, const std::string& file) {
  std::map<SizedAxis, int64_t> sizes;
  for (const auto& [name, tensor] : trace.values) {
    const int id = name.find('@') == std::string::npos ? trace.graph->find(name) : -1;
    if (id < 0) continue;
    const Shape& open = trace.graph->value(id).shape;
    for (int i = 0; i < open.rank(); ++i)
      if (open[i].size < 0) sizes.emplace(sized_axis(name, open, open[i].axis), tensor.shape()[i].size);
  }
  const auto count = [&](const std::vector<Token>& tokens, Axis axis, bool source) {
    if (!tokens.empty()) sizes.emplace(SizedAxis{axis, source, false}, static_cast<int64_t>(tokens.size()));
  };
  sizes.emplace(SizedAxis{Axis::B, false, false}, 1);  // a trace is of one text
  count(trace.tokens, Axis::T, false);
  count(trace.source, Axis::T, true);
  count(trace.source, Axis::S, true);
  return Shapes(trace, sizes, file).all();
}

}  // namespace limpid
