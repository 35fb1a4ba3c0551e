#include "model/sample.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

namespace limpid {

namespace {

constexpr float k_excluded = -std::numeric_limits<float>::infinity();

void penalize(std::vector<float>& logits, const std::vector<int64_t>& before, double penalty) {
  if (penalty == 1) return;
  for (int64_t id : std::set<int64_t>(before.begin(), before.end())) {
    if (id < 0 || id >= static_cast<int64_t>(logits.size())) continue;
    float& logit = logits[static_cast<size_t>(id)];
    logit = static_cast<float>(logit < 0 ? logit * penalty : logit / penalty);
  }
}

// Whoever ties with the last of the likeliest stays, too.
void keep_top_k(std::vector<float>& logits, int64_t count) {
  if (count <= 0 || count >= static_cast<int64_t>(logits.size())) return;
  std::vector<float> sorted = logits;
  std::nth_element(sorted.begin(), sorted.begin() + (count - 1), sorted.end(), std::greater<>());
  const float least = sorted[static_cast<size_t>(count - 1)];
  for (float& logit : logits)
    if (logit < least) logit = k_excluded;
}

std::vector<double> weights_of(const std::vector<float>& logits, double temperature) {
  const float most = *std::max_element(logits.begin(), logits.end());
  std::vector<double> weights;
  weights.reserve(logits.size());
  for (float logit : logits) weights.push_back(std::exp((static_cast<double>(logit) - most) / temperature));
  return weights;
}

// The fewest of the likeliest that have this share together.
void keep_top_p(std::vector<double>& weights, double share) {
  if (share >= 1) return;
  std::vector<size_t> order(weights.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return weights[a] > weights[b]; });
  const double wanted = share * std::accumulate(weights.begin(), weights.end(), 0.0);
  double sum = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && sum >= wanted) weights[order[i]] = 0;
    sum += weights[order[i]];
  }
}

}  // namespace

void check(const SampleOptions& o) {
  if (!(o.temperature >= 0)) fail_call("generate: temperature is ", o.temperature, ", expected 0 or more");
  if (o.top_k < 0) fail_call("generate: top_k is ", o.top_k, ", expected at least 1, or 0 for all");
  if (!(o.top_p > 0 && o.top_p <= 1))
    fail_call("generate: top_p is ", o.top_p, ", expected above 0 and at most 1");
  if (!(o.min_p >= 0 && o.min_p <= 1)) fail_call("generate: min_p is ", o.min_p, ", expected 0 to 1");
  if (!(o.repetition_penalty > 0))
    fail_call("generate: repetition_penalty is ", o.repetition_penalty,
              ", expected above 0; 1 changes nothing");
}

double probability(const std::vector<float>& logits, int64_t id) {
  const float most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float logit : logits) sum += std::exp(static_cast<double>(logit) - most);
  return std::exp(static_cast<double>(logits[static_cast<size_t>(id)]) - most) / sum;
}

namespace {

// What choose() draws by, of logits that are penalized already: not scaled to a sum of 1.
std::vector<double> drawn_weights(std::vector<float> logits, const SampleOptions& o) {
  keep_top_k(logits, o.top_k);
  std::vector<double> weights = weights_of(logits, o.temperature);
  keep_top_p(weights, o.top_p);
  for (double& weight : weights) weight = weight < o.min_p ? 0 : weight;  // the likeliest weighs 1
  return weights;
}

int64_t likeliest(const std::vector<float>& logits) {
  return std::max_element(logits.begin(), logits.end()) - logits.begin();
}

}  // namespace

int64_t choose(std::vector<float> logits, const std::vector<int64_t>& before, const SampleOptions& o,
               Random& random) {
  penalize(logits, before, o.repetition_penalty);
  const int64_t best = likeliest(logits);
  if (o.temperature <= 0) return best;
  const std::vector<double> weights = drawn_weights(std::move(logits), o);
  double left = random.uniform() * std::accumulate(weights.begin(), weights.end(), 0.0);
  for (size_t i = 0; i < weights.size(); ++i)
    if (weights[i] > 0 && (left -= weights[i]) < 0) return static_cast<int64_t>(i);
  return best;
}

std::vector<double> drawn_probabilities(std::vector<float> logits, const std::vector<int64_t>& before,
                                        const SampleOptions& o) {
  penalize(logits, before, o.repetition_penalty);
  if (o.temperature <= 0) {
    std::vector<double> one(logits.size(), 0);
    one[static_cast<size_t>(likeliest(logits))] = 1;
    return one;
  }
  std::vector<double> weights = drawn_weights(std::move(logits), o);
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= sum;
  return weights;
}

std::string StopStrings::push(const std::string& piece) {
  if (stopped_) return "";
  held_ += piece;
  size_t end = std::string::npos;
  for (const std::string& stop : stops_) end = std::min(end, held_.find(stop));
  if (end != std::string::npos) {
    stopped_ = true;
    std::string shown = held_.substr(0, end);
    held_.clear();
    return shown;
  }
  size_t keep = 0;  // the longest end that a stop begins with
  for (const std::string& stop : stops_)
    for (size_t size = std::min(stop.size() - 1, held_.size()); size > keep; --size)
      if (std::string_view(held_).ends_with(std::string_view(stop).substr(0, size))) keep = size;
  std::string shown = held_.substr(0, held_.size() - keep);
  held_.erase(0, shown.size());
  return shown;
}

std::string StopStrings::finish() { return std::exchange(held_, {}); }

}  // namespace limpid
