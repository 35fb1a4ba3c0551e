// next: the likeliest tokens, or classes, and how likely they are to be drawn under other settings.
#include "explore/next_tokens.h"
#include "explore/state.h"

namespace limpid::explore {

namespace {

std::vector<double> of(const std::vector<double>& numbers, const std::vector<int64_t>& places) {
  std::vector<double> out;
  for (const int64_t place : places) out.push_back(numbers[static_cast<size_t>(place)]);
  return out;
}

}  // namespace

void ask_next(State& state, Request& request, Answer& answer) {
  const int64_t count = request.integer_or("count", 10, 1, 1 << 20);
  const SampleOptions options = sample_options(request, 1);
  const int64_t given = request.integer_or("position", -1, INT32_MIN, INT32_MAX);
  Run& run = asked_run(state, request, answer);
  const int64_t length = run.length();
  if (given < -length || given >= length)
    fail_call("next: position is ", given, ", expected ", -length, " to ", length - 1);
  const int64_t position = given < 0 ? given + length : given;
  const NextTokens next = next_tokens(run, position, options);
  const std::vector<int64_t> ids = largest(next.probabilities, count);
  answer.fields["predicts"] = predicted(run);
  answer.fields["position"] = position;
  Json& labels = answer.fields["labels"] = Json::array();
  for (const int64_t id : ids) labels.push_back(label_of(run, id));
  answer.add("ids", ids, Axis::V);
  answer.add("probabilities", of(next.probabilities, ids), Axis::V);
  answer.add("chosen", of(next.chosen, ids), Axis::V);
}

}  // namespace limpid::explore
