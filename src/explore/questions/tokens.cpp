// tokens: what is open, and the tokens on axes T and S.
#include "core/label.h"
#include "explore/given_input.h"
#include "explore/state.h"
#include "trace/reading.h"

namespace limpid::explore {

namespace {

void tell_tokens(const std::vector<Token>& tokens, const std::string& before, Answer& answer) {
  std::vector<int64_t> ids;
  Tensor spans(DType::i64, {{Axis::T, static_cast<int64_t>(tokens.size())}, {Axis::none, 2}});
  Json labels = Json::array();
  for (size_t i = 0; i < tokens.size(); ++i) {
    ids.push_back(tokens[i].id);
    labels.push_back(visible_line(tokens[i].label));
    spans.data<int64_t>()[2 * i] = static_cast<int64_t>(tokens[i].begin);
    spans.data<int64_t>()[2 * i + 1] = static_cast<int64_t>(tokens[i].end);
  }
  answer.fields[before + "labels"] = std::move(labels);
  answer.add(before + "ids", ids, Axis::T);
  answer.add(before + "spans", std::move(spans));
}

// Of a stored run what its trace says of the model.
Json stored_model_json(const Trace& trace, const std::string& called) {
  const Reading reading(trace);
  const auto parameters = trace.numbers.find("parameters");
  return {{"name", called},
          {"title", visible_line(trace.title)},
          {"parameters", parameters == trace.numbers.end() ? 0 : parameters->second},
          {"hash", trace.model_hash},
          {"layers", reading.layers()},
          {"heads", reading.layers() > 0 ? reading.heads(0) : 0},
          {"vocabulary", trace.vocabulary.size()},
          {"can_write", false}};
}

Json model_json(State& state, const Run& run) {
  if (run.stored()) return stored_model_json(*run.stored(), state.opened.model_name);
  const Model& model = run.model();
  const NetworkConfig& config = model.config();
  if (state.hash.empty()) state.hash = model.hash();
  Json out = {{"name", state.opened.model_name},       {"title", model.title()},
              {"parameters", model.parameter_count()}, {"hash", state.hash},
              {"layers", layers_of(config)},           {"heads", heads_of(config)},
              {"vocabulary", vocabulary_of(config)},   {"can_write", model.can_extend()}};
  if (const int64_t context = context_of(config); context < INT64_MAX) out["context"] = context;
  return out;
}

// The fields of `open` that can be given of what is open, beside another model.
Json changes_of(const Opened& opened) {
  if (opened.subject.stored) return Json::array();
  Json out = {"edits"};
  const bool reads_text = opened.subject.input.count() == 0;
  if (reads_text && (opened.subject.made_for || opened.model().tokenizer())) out.push_back("text");
  if (reads_text && !opened.subject.made_for) out.push_back("tokens");
  if (!reads_text) out.push_back(kind_of_input(opened.model()));
  if (!opened.tokens.empty()) out.push_back("swaps");
  if (reads_source(opened.model().config())) out.push_back("target");
  return out;
}

Json asks_of(const State& state) {
  Json out = Json::array();
  for (const Question& each : questions())
    if (can_ask(state, each)) out.push_back(each.name);
  return out;
}

}  // namespace

void tell_open(State& state, Run& run, Answer& answer) {
  const Trace& trace = run.trace();
  answer.fields["text"] = trace.source_text.empty() ? trace.text : trace.source_text;
  answer.fields["model"] = model_json(state, run);
  answer.fields["reads"] = run.stored() ? "text" : kind_of_input(run.model());
  answer.fields["asks"] = asks_of(state);
  answer.fields["changes"] = changes_of(state.opened);
  if (run.stored()) answer.fields["stored"] = state.opened.model_name;
  answer.fields["models"] = state.host.models();
  if (const std::string title = state.host.training_title(); !title.empty())
    answer.fields["training"] = visible_line(title);
  answer.fields["token_word"] = trace.token_word;
  answer.fields["notes"] = trace.notes;
  answer.fields["swaps"] = Json::array();
  for (const auto& [place, id] : run.opened().swaps) answer.fields["swaps"].push_back({place, id});
  tell_tokens(trace.tokens, "", answer);
  if (!trace.source.empty()) tell_tokens(trace.source, "source_", answer);
}

void ask_tokens(State& state, Request& request, Answer& answer) {
  Run& run = asked_run(state, request, answer);
  tell_open(state, run, answer);
}

}  // namespace limpid::explore
