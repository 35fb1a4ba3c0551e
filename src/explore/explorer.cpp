#include "explore/explorer.h"

#include <algorithm>
#include <variant>

#include "core/label.h"
#include "explore/open.h"
#include "explore/state.h"

namespace limpid::explore {

namespace {

const JsonSource k_source = {"request", Error::Kind::call};

std::string error_bytes(const Json& id, Error::Kind kind, const std::string& message) {
  constexpr size_t k_longest = 4000;  // a message may hold a name from the request
  Answer answer;
  if (!id.is_null()) answer.fields["id"] = id;
  answer.fields["error"] = {{"kind", kind == Error::Kind::call ? "call" : "work"},
                            {"message", visible_line(message.substr(0, k_longest))}};
  return answer.bytes();
}

// What the request calls itself by; null: nothing.
Json id_of(const JsonValue& root) {
  if (!root.has("id")) return nullptr;
  const JsonValue id = root.at("id");
  constexpr size_t k_longest = 64;
  if (id.json().is_string() && id.text().size() <= k_longest) return id.json();
  if (!id.json().is_number()) id.unexpected("a whole number, or a text of at most ", k_longest, " bytes");
  return id.integer();
}

const Question& question_named(const std::string& name) {
  std::string list;
  for (const Question& each : questions()) {
    if (each.name == name) return each;
    list += (list.empty() ? "" : ", ") + each.name;
  }
  fail_call("request: ask is ", in_quotes(name), ", expected one of ", list);
}

}  // namespace

const std::vector<Question>& questions() {
  using enum Needs;
  static const std::vector<Question> k_questions = {{"open", ask_open},
                                                    {"tokens", ask_tokens},
                                                    {"stages", ask_stages},
                                                    {"window", ask_window},
                                                    {"explain", ask_explain},
                                                    {"picture", ask_picture, image},
                                                    {"series", ask_series, series},
                                                    {"attended", ask_attended},
                                                    {"maps", ask_maps},
                                                    {"tile", ask_tile},
                                                    {"heads", ask_heads},
                                                    {"next", ask_next},
                                                    {"compare", ask_compare, network},
                                                    {"lens", ask_lens, residual_stream},
                                                    {"attribution", ask_attribution, residual_stream},
                                                    {"score_sources", ask_score_sources, residual_stream},
                                                    {"quiz", ask_quiz},
                                                    {"losses", ask_losses},
                                                    {"generate", ask_generate, network},
                                                    {"training", ask_training},
                                                    {"figure", ask_figure},
                                                    {"trace", ask_trace}};
  return k_questions;
}

bool can_ask(const State& state, const Question& question) {
  const Subject& subject = state.opened.subject;
  if (question.needs != Needs::nothing && subject.stored) return false;
  switch (question.needs) {
    case Needs::residual_stream:
      return !std::holds_alternative<TextbookConfig>(state.opened.model().config());
    case Needs::image:
      return reads_images(state.opened.model().config());
    case Needs::series:
      return reads_series(state.opened.model().config());
    case Needs::nothing:
    case Needs::network:
      break;
  }
  return true;
}

Run& asked_run(State& state, Request& request, Answer& answer) {
  const bool unedited = request.flag("unedited");
  request.finish();
  Run& run = state.runs.of(unedited ? state.opened.unedited() : state.opened);
  const Opened& opened = unedited ? state.opened.unedited() : state.opened;
  if (opened.changed()) answer.fields["edited"] = opened.edit_texts;
  return run;
}

int64_t batch_of(Request& request, const State& state) {
  const bool stored = state.opened.subject.stored != nullptr;
  const auto* network = stored ? nullptr : std::get_if<Architecture>(&state.opened.model().config());
  return request.integer_or("batch", 0, 0, network && network->series ? network->series->channels - 1 : 0);
}

struct Explorer::Impl {
  explicit Impl(Host& host) : state(host) {}
  State state;
};

Explorer::Explorer(Host& host, const std::string& text, const std::vector<int64_t>& tokens)
    : impl_(std::make_unique<Impl>(host)) {
  open_model(impl_->state, host.models().front());
  const Subject& subject = impl_->state.opened.subject;
  if (!tokens.empty())
    open_tokens(impl_->state, tokens);
  else if (!subject.stored && subject.input.count() == 0)
    open_text(impl_->state, text);
}

Explorer::~Explorer() = default;

std::string Explorer::answer(std::string_view text) {
  Json id;
  try {
    if (text.size() > k_most_request_bytes)
      k_source.fail("it has ", text.size(), " bytes, at most ", k_most_request_bytes, " are read");
    const Json json = parse_json(text, k_source);
    const JsonValue root(json, k_source);
    root.require_object();
    id = id_of(root);
    const Question& question = question_named(root.at("ask").text());
    if (question.needs != Needs::nothing) impl_->state.opened.model();  // says how a network is given
    Request request(json, question.name);
    Answer answer;
    if (!id.is_null()) answer.fields["id"] = id;
    answer.fields["ask"] = question.name;
    question.ask(impl_->state, request, answer);
    return answer.bytes();
  } catch (const Error& error) {
    return error_bytes(id, error.kind(), error.what());
  } catch (const std::bad_alloc&) {
    impl_->state.runs.clear();
    return error_bytes(id, Error::Kind::work, "there is not enough memory for this; ask for less");
  } catch (const std::exception& error) {
    return error_bytes(id, Error::Kind::work, error.what());
  }
}

}  // namespace limpid::explore
