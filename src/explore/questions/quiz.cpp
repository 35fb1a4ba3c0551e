// quiz: questions about this run, each with its answer and the cells that say why (src/trace/quiz.h).
#include "trace/quiz.h"

#include "core/label.h"
#include "explore/state.h"

namespace limpid::explore {

namespace {

// Scores and weights of longer texts are not kept whole: what is asked of them is left out.
constexpr int64_t k_longest_asked = 1024;

std::vector<Observation> reads_of(const Trace& begun, const QuizOptions& o) {
  const Graph& graph = *begun.graph;
  const bool is_long = static_cast<int64_t>(begun.tokens.size()) > k_longest_asked;
  std::vector<Observation> out;
  const std::string layer = join("blocks.", o.layer, ".attn.");
  for (const char* stage :
       {"q", "k", "v", "rot_q", "rot_k", "raw_scores", "scaled_scores", "scores", "pattern"}) {
    const int id = graph.find(layer + stage);
    if (id < 0) continue;
    const Shape& shape = graph.value(id).shape;
    const bool square = shape.find(Axis::T) >= 0 && shape.find(Axis::S) >= 0;
    if (!square || !is_long) out.push_back({graph.value(id).name, Depth::full});
  }
  for (const char* name : {"logits", "probs"}) {
    const int id = graph.find(name);
    if (id < 0) continue;
    const bool rows = is_long && graph.value(id).shape.find(Axis::T) >= 0;
    out.push_back(rows ? Observation{name, Depth::rows, 0, {o.token}} : Observation{name, Depth::full});
  }
  return out;
}

// The run as the questions read it: of an encoder-decoder its decoder.
Trace asked_trace(const Run& run, const QuizOptions& o) {
  const auto reads = [&](const Trace& begun) { return reads_of(begun, o); };
  if (!has_encoder(run.graph())) return run.alone(reads, false);
  return part_of(
      run.alone([&](const Trace& begun) { return part_reads(begun, NetworkPart::decoder, reads); }, false),
      NetworkPart::decoder);
}

// "blocks.0.attn.pattern[0,0,2,1] %.2f": the cell, and not its format.
std::string cell_of(const std::string& source) { return source.substr(0, source.rfind(' ')); }

Json json_of(const limpid::Question& question, bool cells) {
  Json facts = Json::object(), choices = Json::array(), named = Json::array();
  for (const auto& [key, value] : question.facts) facts[key] = visible_line(value);
  for (const std::string& choice : question.choices) choices.push_back(visible_line(choice));
  if (cells)
    for (const std::string& source : question.sources) named.push_back(cell_of(source));
  return {{"kind", question.kind},
          {"facts", std::move(facts)},
          {"text", visible_line(question.text)},
          {"choices", std::move(choices)},
          {"choice_kinds", question.choice_kinds},
          {"right", question.right},
          {"explanation", visible_line(question.explanation)},
          {"cells", std::move(named)}};
}

}  // namespace

void ask_quiz(State& state, Request& request, Answer& answer) {
  QuizOptions options;
  options.layer = static_cast<int>(request.integer_or("layer", 0, 0, INT32_MAX));
  options.head = static_cast<int>(request.integer_or("head", 0, 0, INT32_MAX));
  options.stages = true;
  const int64_t given = request.integer_or("token", -1, INT32_MIN, INT32_MAX);
  const Run& run = asked_run(state, request, answer);
  const int64_t length = run.length();
  if (given < -length || given >= std::max<int64_t>(length, 1))
    fail_call("quiz: token is ", given, ", expected ", -length, " to ", length - 1);
  options.token = static_cast<int>(given < 0 ? given + length : given);
  const Trace trace = asked_trace(run, options);
  const bool whole = !has_encoder(run.graph());  // the decoder by itself has other names for its cells
  answer.fields["layer"] = options.layer;
  answer.fields["head"] = options.head;
  answer.fields["token"] = options.token;
  Json& questions = answer.fields["questions"] = Json::array();
  for (const limpid::Question& question : quiz(trace, options)) questions.push_back(json_of(question, whole));
}

}  // namespace limpid::explore
