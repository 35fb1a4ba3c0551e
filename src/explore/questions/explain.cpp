// explain: the arithmetic behind one number, from the operation's own description.
#include "limpid/explain.h"

#include "core/label.h"
#include "engine/fast.h"
#include "explore/attentions.h"
#include "explore/state.h"
#include "trace/reading.h"

namespace limpid::explore {

namespace {

constexpr int64_t k_most_depth = 8;

// Whether some scores or weights that are read can only be had whole.
bool streamed(const Run& run) {
  for (const Attention& attention : attentions_of(run.graph()))
    if (limpid::rebuilds(run.graph().groups()[static_cast<size_t>(attention.group)], "pattern") &&
        !rebuilds(run, attention, "pattern"))
      return false;
  return true;
}

void read_for(Run& run, const std::string& name, int depth) {
  std::vector<Observation> reads;
  for (const std::string& each : values_explaining(run.graph(), name, depth, streamed(run))) {
    if (run.graph().value(run.graph().require(each)).kind == Value::Kind::parameter)
      run.parameter(each);
    else
      reads.push_back({each});
  }
  run.read(reads);
}

// ---- the tree as arrays --------------------------------------------------------------------------------

struct Nodes {
  std::vector<uint8_t> kind, function;
  std::vector<int64_t> parts, input;
  std::vector<double> value;
  std::vector<const Index*> index;
};

void flatten(const Expr& e, Nodes& to) {
  const bool cell = e.kind() == Expr::Kind::cell, call = e.kind() == Expr::Kind::function;
  to.kind.push_back(static_cast<uint8_t>(e.kind()));
  to.function.push_back(call ? static_cast<uint8_t>(e.function()) : 0);
  to.parts.push_back(static_cast<int64_t>(e.parts().size()));
  to.input.push_back(cell ? e.input() : -1);
  to.value.push_back(e.value());
  to.index.push_back(cell ? &e.index() : nullptr);
  for (const Expr& part : e.parts()) flatten(part, to);
}

Tensor index_table(const Nodes& nodes) {
  size_t axes = 0;
  for (const Index* index : nodes.index) axes = std::max(axes, index ? index->size() : 0);
  Tensor out(DType::i64,
             Shape::unnamed({static_cast<int64_t>(nodes.index.size()), static_cast<int64_t>(axes)}));
  int64_t* to = out.data<int64_t>();
  for (const Index* index : nodes.index)
    for (size_t i = 0; i < axes; ++i) *to++ = index && i < index->size() ? (*index)[i] : -1;
  return out;
}

Tensor bytes_of(const std::vector<uint8_t>& numbers) {
  return Tensor::of<uint8_t>(Shape::unnamed({static_cast<int64_t>(numbers.size())}), numbers);
}

void add_tree(const Explanation& why, const std::string& at, Answer& answer) {
  Nodes nodes;
  flatten(why.arithmetic, nodes);
  answer.add(at + "kind", bytes_of(nodes.kind));
  answer.add(at + "function", bytes_of(nodes.function));
  answer.add(at + "parts", nodes.parts);
  answer.add(at + "input", nodes.input);
  answer.add(at + "value", nodes.value);
  answer.add(at + "index", index_table(nodes));
}

// ---- what stands round it ------------------------------------------------------------------------------

std::string letter(const Shape& shape, int i) {
  return shape[i].axis == Axis::none ? std::to_string(i) : std::string(1, static_cast<char>(shape[i].axis));
}

Json cell_json(const Reading& reading, const Explanation& why) {
  static const char* const k_kinds[] = {"input", "parameter", "stage"};
  Json out = {
      {"name", why.name}, {"index", why.index}, {"value", number(why.value)}, {"computed", why.computed}};
  Json &places = out["places"] = Json::object(), words = Json::object();
  for (int i = 0; i < why.shape.rank(); ++i) {
    const int64_t place = why.index[static_cast<size_t>(i)];
    places[letter(why.shape, i)] = place;
    const std::string word = reading.label_in(why.name, why.shape[i].axis, place, why.shape[i].size);
    if (!word.empty()) words[letter(why.shape, i)] = visible_line(word);
  }
  out["words"] = std::move(words);
  out["sizes"] = sizes_of(why.shape);
  out["axes"] = letters_of(why.shape);
  if (!why.computed) return out;
  out["label"] = why.label;
  out["equation"] = why.equation;
  out["caption"] = why.caption;
  out["combined"] = number(why.arithmetic.value());
  out["edited"] = why.edited;
  out["edited_reads"] = why.edited_inputs;
  out["rebuilt"] = why.rebuilt;
  Json& reads = out["reads"] = Json::array();
  for (const Explanation::Input& input : why.inputs)
    reads.push_back({{"name", input.name},
                     {"kind", k_kinds[static_cast<int>(input.kind)]},
                     {"axes", letters_of(input.shape)},
                     {"sizes", sizes_of(input.shape)}});
  return out;
}

}  // namespace

void ask_explain(State& state, Request& request, Answer& answer) {
  const CellName cell = cell_named(request.text("cell"));
  const auto depth = static_cast<int>(request.integer_or("depth", 1, 1, k_most_depth));
  Run& run = asked_run(state, request, answer);
  if (!run.stored()) read_for(run, cell.name, depth);
  const Trace& trace = run.stored() ? *run.stored() : run.trace();
  const std::vector<Explanation> chain = explain(trace, cell, depth);
  const Reading reading(trace);
  Json& cells = answer.fields["cells"] = Json::array();
  for (size_t i = 0; i < chain.size(); ++i) {
    cells.push_back(cell_json(reading, chain[i]));
    if (chain[i].computed) add_tree(chain[i], std::to_string(i) + ".", answer);
  }
}

}  // namespace limpid::explore
