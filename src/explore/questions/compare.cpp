// compare: the run as it is edited, beside the same text without its edits.
#include <algorithm>

#include "core/label.h"
#include "explore/next_tokens.h"
#include "explore/state.h"
#include "trace/before_after.h"

namespace limpid::explore {

namespace {

// A trace with these of its values alone.
Trace only(const Trace& trace, const std::vector<Observation>& kept) {
  Trace out;
  out.tokens = trace.tokens;
  out.source = trace.source;
  out.vocabulary = trace.vocabulary;
  out.token_word = trace.token_word;
  out.graph = trace.graph;
  out.numbers = trace.numbers;
  out.edited = trace.edited;
  for (const Observation& each : kept)
    if (const auto found = trace.values.find(each.pattern); found != trace.values.end())
      out.values.insert(*found);
  return out;
}

void tell_values(Run& before, Run& after, const std::vector<std::string>& chosen, Answer& answer) {
  const std::vector<Observation> reads = compared(after.trace(), chosen);
  const Trace a = only(before.read(reads), reads), b = only(after.read(reads), reads);
  const JsonSource source = {"compare", Error::Kind::work};
  answer.fields["values"] = parse_json(before_after_json(a, b), source).at("values");
}

void add_pairs(const char* name, const std::vector<double>& numbers, const std::vector<int64_t>& ids,
               Answer& answer) {
  std::vector<double> out;
  for (const int64_t id : ids) out.push_back(numbers[static_cast<size_t>(id)]);
  answer.add(name, out, Axis::V);
}

void tell_next(Run& before, Run& after, int64_t count, const SampleOptions& options, Answer& answer) {
  const int64_t last = after.length() - 1;
  const NextTokens a = next_tokens(before, last, options), b = next_tokens(after, last, options);
  std::vector<int64_t> ids = largest(b.probabilities, count);
  for (const int64_t id : largest(a.probabilities, count))
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  std::stable_sort(ids.begin(), ids.end(), [&](int64_t i, int64_t k) {
    return b.probabilities[static_cast<size_t>(i)] > b.probabilities[static_cast<size_t>(k)];
  });
  Json& labels = answer.fields["labels"] = Json::array();
  for (const int64_t id : ids) labels.push_back(label_of(after, id));
  answer.fields["predicts"] = predicted(after);
  answer.add("ids", ids, Axis::V);
  add_pairs("before", a.probabilities, ids, answer);
  add_pairs("after", b.probabilities, ids, answer);
  add_pairs("chosen_before", a.chosen, ids, answer);
  add_pairs("chosen_after", b.chosen, ids, answer);
}

}  // namespace

void ask_compare(State& state, Request& request, Answer& answer) {
  constexpr size_t k_most_patterns = 64;
  const int64_t count = request.integer_or("count", 10, 1, 1 << 16);
  const SampleOptions options = sample_options(request, 1);
  std::vector<std::string> chosen;
  if (request.has("values")) chosen = request.texts("values", k_most_patterns);
  request.finish();
  if (!state.opened.changed())
    fail_call(
        "compare: nothing is edited; open with edits or swaps, such as \"edits\": "
        "[\"blocks.0.attn.z[H=2]=zero\"]");
  answer.fields["edited"] = state.opened.edit_texts;
  Run& after = state.runs.of(state.opened);
  for (const std::string& pattern : chosen) values_named(after.graph(), pattern);
  Run& before = state.runs.of(state.opened.unedited());
  if (before.length() != after.length())
    fail_work("compare: the two runs have ", before.length(), " and ", after.length(), " tokens");
  if (after.graph().find("probs") >= 0) tell_next(before, after, count, options, answer);
  tell_values(before, after, chosen, answer);
}

}  // namespace limpid::explore
