// losses: what training would have this text cost: of each token but the first how likely the model found
// it, and the loss.
#include <algorithm>
#include <cmath>

#include "explore/next_tokens.h"
#include "explore/state.h"

namespace limpid::explore {

namespace {

constexpr int64_t k_usual_places = 256, k_most_places = 1024;

// The negative logarithm of the probability that softmax gives the token, in double.
double loss_of(const std::vector<double>& logits, int64_t token) {
  const double most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const double logit : logits) sum += std::exp(logit - most);
  return most + std::log(sum) - logits[static_cast<size_t>(token)];
}

}  // namespace

void ask_losses(State& state, Request& request, Answer& answer) {
  const int64_t from = request.integer_or("from", 0, 0, INT32_MAX),
                count = request.integer_or("count", k_usual_places, 1, k_most_places);
  Run& run = asked_run(state, request, answer);
  if (run.graph().find("probs") < 0 || run.graph().find("tokens") < 0 || predicted(run) != "next")
    fail_call("losses: this network does not predict the next token, so a text has no loss");
  const int64_t last = run.length() - 1;  // that has a next one
  if (from >= last)
    fail_call("losses: from is ", from, ", and the text has ", run.length(),
              " tokens: expected a place with a token after it");
  const int64_t end = std::min(last, from + count);
  std::vector<int64_t> places;
  for (int64_t t = from; t < end; ++t) places.push_back(t);
  run.read({{"logits", Depth::rows, 0, places}, {"probs", Depth::rows, 0, places}});

  std::vector<int64_t> ids, likeliest;
  std::vector<double> probabilities, losses, likeliest_probabilities;
  Json &labels = answer.fields["labels"] = Json::array(), likeliest_labels = Json::array();
  double sum = 0;
  for (const int64_t t : places) {
    const int64_t id = run.trace().tokens[static_cast<size_t>(t + 1)].id;
    const std::vector<double> found = next_probabilities(run, t);
    if (id < 0 || id >= static_cast<int64_t>(found.size()))
      fail_call("losses: the network gives no probability to token ", id);
    const int64_t best = largest(found, 1).front();
    ids.push_back(id);
    labels.push_back(label_of(run, id));
    probabilities.push_back(found[static_cast<size_t>(id)]);
    losses.push_back(loss_of(next_logits(run, t), id));
    likeliest.push_back(best);
    likeliest_labels.push_back(label_of(run, best));
    likeliest_probabilities.push_back(found[static_cast<size_t>(best)]);
    sum += losses.back();
  }
  answer.fields["from"] = from;
  answer.fields["likeliest_labels"] = std::move(likeliest_labels);
  answer.fields["mean"] = number(sum / static_cast<double>(losses.size()));
  answer.add("ids", ids, Axis::T);
  answer.add("probabilities", probabilities, Axis::T);
  answer.add("losses", losses, Axis::T);
  answer.add("likeliest", likeliest, Axis::T);
  answer.add("likeliest_probabilities", likeliest_probabilities, Axis::T);
}

}  // namespace limpid::explore
