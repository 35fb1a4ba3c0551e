// lens and attribution: what the model would say if it stopped early, and which parts a logit comes from.
#include "limpid/lens.h"

#include "core/label.h"
#include "explore/state.h"

namespace limpid::explore {

namespace {

// The run, in an answer, and the lens of its tokens.
Lens asked_lens(State& state, Request& request, Answer& answer) {
  LensOptions options;
  options.position = request.integer_or("position", -1, INT32_MIN, INT32_MAX);
  if (request.has("target")) options.target = request.integer("target", 0, INT32_MAX);
  Run& run = asked_run(state, request, answer);
  if (run.opened().tokens.empty()) fail_call(request.ask(), ": this model reads no tokens");
  state.host.check();
  options.edits = run.opened().edits;
  Lens seen = lens(run.model(), run.opened().swapped(), options);
  answer.fields["position"] = seen.position;
  answer.fields["target"] = seen.target;
  answer.fields["target_label"] = visible_line(seen.target_label);
  answer.fields["logit"] = number(seen.logit);
  answer.fields["probability"] = number(seen.probability);
  answer.fields["softcap"] = seen.softcap;
  return seen;
}

}  // namespace

void ask_lens(State& state, Request& request, Answer& answer) {
  const Lens seen = asked_lens(state, request, answer);
  Json &layers = answer.fields["layers"] = Json::array(), labels = Json::array();
  std::vector<int64_t> likeliest, ranks;
  std::vector<double> likeliest_probabilities, logits, probabilities;
  for (const LensLayer& layer : seen.layers) {
    layers.push_back(layer.name);
    labels.push_back(visible_line(layer.likeliest_label));
    likeliest.push_back(layer.likeliest);
    ranks.push_back(layer.rank);
    likeliest_probabilities.push_back(layer.likeliest_probability);
    logits.push_back(layer.logit);
    probabilities.push_back(layer.probability);
  }
  answer.fields["likeliest_labels"] = std::move(labels);
  answer.add("likeliest", likeliest, Axis::L);
  answer.add("likeliest_probabilities", likeliest_probabilities, Axis::L);
  answer.add("logits", logits, Axis::L);
  answer.add("probabilities", probabilities, Axis::L);
  answer.add("ranks", ranks, Axis::L);
}

void ask_attribution(State& state, Request& request, Answer& answer) {
  const Lens seen = asked_lens(state, request, answer);
  Json& parts = answer.fields["parts"] = Json::array();
  std::vector<double> logits;
  for (const LensPart& part : seen.parts) {
    parts.push_back(part.name);
    logits.push_back(part.logit);
  }
  answer.fields["sum"] = number(seen.sum);
  answer.add("logits", logits);
}

void ask_score_sources(State& state, Request& request, Answer& answer) {
  ScoreSourcesOptions options;
  options.layer = request.integer("layer", 0, INT32_MAX);
  options.head = request.integer("head", 0, INT32_MAX);
  options.query = request.integer_or("query", -1, INT32_MIN, INT32_MAX);
  options.key = request.integer("key", INT32_MIN, INT32_MAX);
  Run& run = asked_run(state, request, answer);
  if (run.opened().tokens.empty()) fail_call("score_sources: this model reads no tokens");
  state.host.check();
  options.edits = run.opened().edits;
  const ScoreSources seen = score_sources(run.model(), run.opened().swapped(), options);
  const size_t count = seen.sources.size();
  std::vector<double> of_query(count, 0), of_key(count, 0);
  for (size_t i = 0; i < seen.pairs.size(); ++i) {
    of_query[i / count] += seen.pairs[i];
    of_key[i % count] += seen.pairs[i];
  }
  answer.fields["attention"] = seen.attention;
  answer.fields["layer"] = seen.layer;
  answer.fields["head"] = seen.head;
  answer.fields["query"] = seen.query;
  answer.fields["key"] = seen.key;
  answer.fields["sources"] = seen.sources;
  answer.fields["score"] = number(seen.score);
  answer.fields["scaled"] = number(seen.scaled);
  answer.fields["sum"] = number(seen.sum);
  answer.fields["rest"] = number(seen.scaled - seen.sum);
  answer.fields["after"] = number(seen.score - seen.scaled);
  const auto side = static_cast<int64_t>(count);
  answer.add("pairs", Tensor::of<double>(Shape::unnamed({side, side}), seen.pairs));
  answer.add("query_parts", of_query);
  answer.add("key_parts", of_key);
}

}  // namespace limpid::explore
