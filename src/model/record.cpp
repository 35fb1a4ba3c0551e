// From a run to a trace: what was seen, and everything needed to show it without the model.
#include "core/label.h"
#include "limpid/version.h"
#include "model/impl.h"

namespace limpid {

namespace {

// Numbers that all T x S stages of a run would hold together.
int64_t square_numbers(const Graph& graph, int64_t length, int64_t heads) {
  int64_t stages = 0;
  for (const Value& value : graph.values())
    if (value.shape.find(Axis::T) >= 0 && value.shape.find(Axis::S) >= 0) ++stages;
  return stages * heads * length * length;
}

constexpr int64_t k_most_numbers = 64 << 20;  // 256 MiB of f32: about a thousand tokens of the built-in model

// Attention weights, which have depths of their own.
bool is_weights(const Graph& graph, const Value& value) {
  const int group = value.stage < 0 ? -1 : graph.stage(value.stage).group;
  return group >= 0 && value.name == graph.groups()[static_cast<size_t>(group)].name + ".pattern";
}

// What to look at when nobody said: everything, unless the sentence is so long that the T x S stages would
// not fit.
std::vector<Observation> default_observations(const Graph& graph, int64_t length, int64_t heads,
                                              std::vector<std::string>& notes) {
  const bool squares = square_numbers(graph, length, heads) <= k_most_numbers;
  if (!squares)
    notes.push_back(join("the scores and weights of ", length,
                         " tokens are left out, but for the largest weights of each row, its entropy and a "
                         "pooled map; one in full: --observe blocks.0.attn.pattern"));
  std::vector<Observation> all;
  for (const Value& value : graph.values()) {
    const bool square = value.shape.find(Axis::T) >= 0 && value.shape.find(Axis::S) >= 0;
    if (value.kind != Value::Kind::parameter && (squares || !square))
      all.push_back({value.name, Depth::full});
    if (!squares && is_weights(graph, value))
      for (const Depth depth : {Depth::top, Depth::entropy, Depth::map}) all.push_back({value.name, depth});
  }
  return all;
}

std::string written(const Edit& edit) {
  static const char* const k_actions[] = {"zero", "mean", "scale", "replace", "cut"};
  std::string out = edit.pattern, where;
  for (const auto& [axis, index] : edit.where)
    where += join(where.empty() ? "" : ",", static_cast<char>(axis), "=", index);
  if (!where.empty()) out += "[" + where + "]";
  out += join("=", k_actions[static_cast<int>(edit.action)]);
  if (edit.action == Edit::Action::scale) out += join(":", edit.factor);
  for (size_t i = 0; i < edit.edges.size(); ++i)
    out += join(i ? "," : ":", edit.edges[i].first, ">", edit.edges[i].second);
  return out;
}

std::vector<std::string> vocabulary_labels(const Tokenizer* tokenizer) {
  std::vector<std::string> labels;
  for (int64_t id = 0; tokenizer && id < tokenizer->vocabulary(); ++id)
    labels.push_back(tokenizer->label(id));
  return labels;
}

std::string word_for_token(const Tokenizer* tokenizer) {
  if (!tokenizer) return "token";  // its id is all that is known of it
  if (tokenizer->kind() == "words") return "word";
  return tokenizer->kind() == "characters" ? "character" : "token";
}

// The same network with the loss of predicting each next token and its gradient; nothing is dropped out.
std::shared_ptr<Graph> with_gradients(const NetworkConfig& config) {
  NetworkConfig still = config;
  if (auto* gpt = std::get_if<GptConfig>(&still)) gpt->dropout = gpt->attention_dropout = 0;
  if (auto* parts = std::get_if<Architecture>(&still)) *parts = without_dropout(*parts);
  auto graph = std::make_shared<Graph>(operations());
  build(*graph, still, Purpose::train);
  differentiate(*graph, graph->handle(graph->require("loss")));
  return graph;
}

// Each place's target is the token after it; the last place has none.
Tensor next_tokens(const Tensor& tokens) {
  Tensor targets(DType::i64, tokens.shape());
  const int64_t count = tokens.count();
  for (int64_t i = 0; i < count; ++i)
    targets.data<int64_t>()[i] = i + 1 < count ? tokens.data<int64_t>()[i + 1] : -1;
  return targets;
}

}  // namespace

// What axis V counts: words, tokens, or the walk's own places; classes and numbers have no names.
std::vector<std::string> Model::Impl::candidates(const std::vector<Token>& tokens) const {
  const auto* textbook = std::get_if<TextbookConfig>(&config);
  if (textbook && textbook->head != Head::next_word) return {};
  const auto* parts = std::get_if<Architecture>(&config);
  const Head head = parts ? parts->head.kind : Head::none;
  if (head == Head::classes || head == Head::token_classes || head == Head::regression) {
    std::vector<std::string> labels;
    for (const std::string& each : tasks.classes) labels.push_back(visible_line(each));
    return labels;
  }
  if (tokenizer) return vocabulary_labels(tokenizer.get());
  std::vector<std::string> labels;
  // A word that stands several times is a candidate each time, called as --token calls it: "a", "a#2".
  std::map<std::string, int> times;
  for (const std::string& word : words) {
    const int time = ++times[word];
    labels.push_back(visible(word) + (time > 1 ? join("#", time) : ""));
  }
  if (vectors.count() > 0 && textbook && textbook->outputs == static_cast<int64_t>(tokens.size()))
    for (const Token& token : tokens) labels.push_back(token.label);
  return labels;
}

Trace Model::Impl::record(Recorded recorded, const TraceOptions& options) const {
  const Tensor& input = recorded.input;
  const bool in_double = !parameters.empty() && parameters.begin()->second.dtype() == DType::f64;
  RunOptions run;
  run.plain = options.plain;
  run.real = options.real.value_or(in_double ? DType::f64 : DType::f32);
  run.context.seed = options.seed;
  run.edits = options.edits;
  run.stored = &stored;
  Trace trace;
  std::shared_ptr<const Graph> shown = graph;
  Engine* runner = engine.get();
  std::unique_ptr<Engine> backward;
  Bound given = recorded.source.count() > 0 ? bindings(input, recorded.source) : bindings(input);
  std::map<std::string, ConstView>& bound = given.views;
  Tensor targets;
  if (options.gradients) {
    if (!predicts_next_token(config))
      fail_call("trace: gradients are of predicting the next token, which this network does not do");
    shown = with_gradients(config);
    backward = std::make_unique<Engine>(*shown);
    runner = backward.get();
    targets = next_tokens(input);
    bound["targets"] = targets;
  }
  const bool patches = reads_images(config) || reads_series(config);
  const int64_t length = patches ? context_of(config) : input.shape()[1].size;
  if (!std::holds_alternative<TextbookConfig>(config) && length > context_of(config))
    trace.notes.push_back(join("the text has ", length, " tokens; the model was trained on ",
                               context_of(config), " at a time, so expect less of it"));
  trace.notes.insert(trace.notes.end(), notes.begin(), notes.end());
  trace.engine_version = k_version;
  trace.text = std::move(recorded.text);
  trace.source_text = std::move(recorded.source_text);
  trace.source = std::move(recorded.source_tokens);
  trace.title = title;
  trace.tokens = std::move(recorded.tokens);
  trace.token_word = vectors.count() > 0 ? "vector"
                     : patches           ? "patch"
                     : words.empty()     ? word_for_token(tokenizer.get())
                                         : "word";
  if (options.identify) trace.model_hash = hash();
  trace.vocabulary = candidates(trace.tokens);
  trace.graph = shown;
  for (const Edit& edit : options.edits) trace.edited.push_back(written(edit));
  trace.numbers = {
      {"seed", static_cast<int64_t>(options.seed)}, {"plain", run.plain || in_double}, {"parameters", 0}};
  for (const auto& [name, tensor] : parameters) trace.numbers["parameters"] += tensor.count();
  for (const auto& [name, matrix] : stored) trace.numbers["parameters"] += matrix.count();

  if (options.reads)
    run.observe = options.reads(trace);
  else
    run.observe =
        options.observe.empty()
            ? default_observations(*shown, length,
                                   std::holds_alternative<TextbookConfig>(config) ? 1 : heads_of(config),
                                   trace.notes)
            : options.observe;
  if (options.reads || !options.observe.empty())
    for (const Observation& o : run.observe) trace.observed.push_back(to_text(o));
  run.progress = options.progress;
  RunResult result = runner->run(bound, run);
  trace.not_finite = first_not_finite(*runner, *shown, bound, run, length, result);
  if (trace.not_finite) trace.notes.push_back(note_on(*trace.not_finite));
  trace.values = std::move(result.values);
  trace.summaries = std::move(result.summaries);
  if (const auto loss = trace.values.find("loss"); loss != trace.values.end())
    trace.metrics["loss"] = loss->second.at({});
  if (options.parameters) {
    trace.parameters = parameters;
    for (const auto& [name, matrix] : stored) trace.parameters[name] = matrix.to_tensor();
  }
  trace.notes.insert(trace.notes.end(), result.notes.begin(), result.notes.end());
  return trace;
}

}  // namespace limpid
