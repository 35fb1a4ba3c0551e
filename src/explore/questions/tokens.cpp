// tokens: what is open, and the tokens on axes T and S.
#include "core/label.h"
#include "explore/given_input.h"
#include "explore/state.h"

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

Json model_json(State& state, const Model& model) {
  const NetworkConfig& config = model.config();
  if (state.hash.empty()) state.hash = model.hash();
  Json out = {{"name", state.opened.model_name},       {"title", model.title()},
              {"parameters", model.parameter_count()}, {"hash", state.hash},
              {"layers", layers_of(config)},           {"heads", heads_of(config)},
              {"vocabulary", vocabulary_of(config)},   {"can_write", model.can_extend()}};
  if (const int64_t context = context_of(config); context < INT64_MAX) out["context"] = context;
  return out;
}

}  // namespace

void tell_open(State& state, Run& run, Answer& answer) {
  const Trace& trace = run.trace();
  answer.fields["text"] = trace.source_text.empty() ? trace.text : trace.source_text;
  answer.fields["model"] = model_json(state, run.model());
  answer.fields["reads"] = kind_of_input(run.model());
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
