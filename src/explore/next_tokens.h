// Which tokens come next in a run, and with what probability they are drawn.
#pragma once

#include <string>
#include <vector>

#include "explore/request.h"
#include "explore/run.h"

namespace limpid::explore {

/// temperature, top_k, top_p and min_p of a request; without them the model's own probabilities.
SampleOptions sample_options(Request&, double temperature);

struct NextTokens {
  std::vector<double> probabilities;  // of the run's stage probs
  std::vector<double> chosen;         // that each is drawn
};

/// At a place of the text (of a class: of the whole).  Throws Error{call} for a network without
/// probabilities.
NextTokens next_tokens(Run&, int64_t position, const SampleOptions&);
/// The row of `probs` there, and that of `logits`.
std::vector<double> next_probabilities(Run&, int64_t position);
std::vector<double> next_logits(Run&, int64_t position);
/// "next", "hidden" or "class": what the network's probabilities are of.
std::string predicted(const Run&);
/// Whether there are probabilities at each place.
bool predicts_each(const Run&);

/// The largest first, the lower place among equals.
std::vector<int64_t> largest(const std::vector<double>& numbers, int64_t count);
/// How the run's vocabulary calls it.
std::string label_of(const Run&, int64_t id);

}  // namespace limpid::explore
