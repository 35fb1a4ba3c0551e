#include "model/beam.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "model/sample.h"
#include "model/session.h"

namespace limpid {

namespace {

struct Beam {
  std::vector<int64_t> ids;  // without the start token
  double sum = 0;            // of the tokens' log probabilities
};

struct Candidate {
  int64_t beam = 0, id = 0;
  double sum = 0;
};

bool is_better(const BeamText& a, const BeamText& b) { return a.score > b.score; }

// The natural logarithm of each token's probability.  Throws Error{work} where the model says NaN.
std::vector<double> log_probabilities(std::span<const float> logits) {
  if (std::any_of(logits.begin(), logits.end(), [](float x) { return std::isnan(x); }))
    fail_work(
        "what the model says of the next token holds a NaN; `limpid trace` of the same text names the first "
        "stage that has one");
  const double most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float logit : logits) sum += std::exp(logit - most);
  std::vector<double> out;
  out.reserve(logits.size());
  for (float logit : logits) out.push_back(logit - most - std::log(sum));
  return out;
}

class BeamSearch {
 public:
  BeamSearch(const Model& model, const Writing& writing, const std::vector<int64_t>& source,
             const BeamOptions& o)
      : writing_(writing),
        o_(o),
        state_(model, o.beams, source),
        beams_(static_cast<size_t>(o.beams), Beam{{}, k_nothing}) {
    beams_[0].sum = 0;  // the others say the same until they part
  }

  BeamText run() {
    std::vector<int64_t> latest(beams_.size(), writing_.start);
    for (int64_t n = 0; n < o_.tokens; ++n) {
      step(latest, n);
      if (beams_.empty() || done(n + 1)) break;
      latest.clear();
      for (const Beam& beam : beams_) latest.push_back(beam.ids.back());
    }
    // The likeliest of those that were not ended is as good as its score.
    if (!beams_.empty() && !done(o_.tokens)) {
      const Beam& best = beams_[0];
      finish({best.ids, best.sum, score(best.sum, best.ids.size()), false});
    }
    return *std::min_element(finished_.begin(), finished_.end(), is_better);
  }

 private:
  static constexpr double k_nothing = -1e9;

  double score(double sum, size_t tokens) const {
    return sum / std::pow(static_cast<double>(std::max<size_t>(tokens, 1)), o_.length_penalty);
  }

  // Can none of the texts that go on become better than those that have ended?
  bool done(int64_t tokens) const {
    if (static_cast<int64_t>(finished_.size()) < o_.beams) return false;
    const double best = score(beams_[0].sum, static_cast<size_t>(tokens)),
                 worst = std::max_element(finished_.begin(), finished_.end(), is_better)->score;
    return worst >= best;
  }

  // Keeps the best `beams` texts that have ended.
  void finish(BeamText text) {
    finished_.push_back(std::move(text));
    if (static_cast<int64_t>(finished_.size()) > o_.beams)
      finished_.erase(std::max_element(finished_.begin(), finished_.end(), is_better));
  }

  // The likeliest next tokens of all beams, two for each, so that enough stay when some end.
  std::vector<Candidate> candidates(const std::vector<int64_t>& latest, int64_t n) {
    const Tensor logits =
        state_.extend(Tensor::of<int64_t>({{Axis::B, o_.beams}, {Axis::T, 1}}, latest));  // [B,V]
    const int64_t vocabulary = logits.shape()[1].size;
    const auto wanted = static_cast<size_t>(std::min(2 * o_.beams, o_.beams * vocabulary));
    std::vector<Candidate> all;
    for (int64_t b = 0; b < o_.beams; ++b) {
      std::vector<double> each =
          log_probabilities({logits.data<float>() + b * vocabulary, static_cast<size_t>(vocabulary)});
      if (n == 0 && writing_.first) {
        each.assign(each.size(), -std::numeric_limits<double>::infinity());
        each.at(static_cast<size_t>(*writing_.first)) = 0;
      }
      exclude(each, writing_.never);
      std::vector<int64_t> order(each.size());
      std::iota(order.begin(), order.end(), int64_t{0});
      const size_t kept = std::min(order.size(), wanted);
      const auto likelier = [&](int64_t x, int64_t y) {
        const double a = each[static_cast<size_t>(x)], c = each[static_cast<size_t>(y)];
        return a != c ? a > c : x < y;
      };
      std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                        likelier);
      for (size_t i = 0; i < kept; ++i)
        all.push_back(
            {b, order[i], beams_[static_cast<size_t>(b)].sum + each[static_cast<size_t>(order[i])]});
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const Candidate& a, const Candidate& b) { return a.sum > b.sum; });
    all.resize(std::min(all.size(), wanted));
    return all;
  }

  bool ends(int64_t id) const { return std::count(writing_.ends.begin(), writing_.ends.end(), id) > 0; }

  void step(const std::vector<int64_t>& latest, int64_t n) {
    std::vector<Beam> next;
    std::vector<int64_t> from;
    const std::vector<Candidate> all = candidates(latest, n);
    for (size_t rank = 0; rank < all.size() && next.size() < beams_.size(); ++rank) {
      const Candidate& c = all[rank];
      const Beam& beam = beams_[static_cast<size_t>(c.beam)];
      if (ends(c.id)) {
        // One that ranks behind the beams is no better than what goes on.
        if (rank < beams_.size()) finish({beam.ids, c.sum, score(c.sum, beam.ids.size() + 1), true});
        continue;
      }
      next.push_back({beam.ids, c.sum});
      next.back().ids.push_back(c.id);
      from.push_back(c.beam);
    }
    // A vocabulary of nothing but ends: fewer go on than there were, and their rows repeat the first.
    while (!next.empty() && next.size() < beams_.size()) {
      next.push_back({next[0].ids, k_nothing});
      from.push_back(from[0]);
    }
    beams_ = std::move(next);
    if (!beams_.empty()) state_.take_rows(from);
  }

  const Writing& writing_;
  const BeamOptions& o_;
  SessionState state_;
  std::vector<Beam> beams_;  // the likeliest first
  std::vector<BeamText> finished_;
};

}  // namespace

BeamText beam_search(const Model& model, const Writing& writing, const std::vector<int64_t>& source,
                     const BeamOptions& options) {
  return BeamSearch(model, writing, source, options).run();
}

}  // namespace limpid
