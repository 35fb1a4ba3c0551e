// The choice of the next token.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "limpid/model.h"
#include "limpid/random.h"

namespace limpid {

/// Throws Error{call} naming a setting that is out of its range.
void check(const SampleOptions&);

/// The probability of one token, from the logits as the model gave them.
double probability(const std::vector<float>& logits, int64_t id);

/// Makes these tokens impossible; ids that the vocabulary does not have are passed over.
template <class Real>
void exclude(std::vector<Real>& logits, const std::vector<int64_t>& ids) {
  for (int64_t id : ids)
    if (id >= 0 && id < static_cast<int64_t>(logits.size()))
      logits[static_cast<size_t>(id)] = -std::numeric_limits<Real>::infinity();
}

/// The next token; `before` are the tokens of the text, for the penalty.
int64_t choose(std::vector<float> logits, const std::vector<int64_t>& before, const SampleOptions&, Random&);

/// The probability with which choose() takes each token.
std::vector<double> drawn_probabilities(std::vector<float> logits, const std::vector<int64_t>& before,
                                        const SampleOptions&);

/// Holds back what may be the beginning of a string at which the text ends.
class StopStrings {
 public:
  explicit StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {}
  /// Takes a piece, and gives what is safe to show of the text so far.
  std::string push(const std::string& piece);
  /// What was held back, at the end.
  std::string finish();
  /// Has a string been met?  Then nothing more is shown.
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace limpid
