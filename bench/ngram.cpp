#include "bench/ngram.h"

#include <algorithm>
#include <cmath>

#include "limpid/error.h"

namespace limpid::bench {

namespace {

uint64_t edge(int32_t node, int64_t token) {
  return static_cast<uint64_t>(node) << 32 | static_cast<uint64_t>(token);
}

// Chen and Goodman's equation 17, from how many n-grams have a() = 1, 2, 3, 4.
NGram::Discounts estimated(const std::array<int64_t, 4>& of) {
  const auto n = [&](size_t i) { return static_cast<double>(of[i - 1]); };
  NGram::Discounts d = {0.5, 1, 1.5};
  if (of[0] == 0 || of[1] == 0) return d;
  const double y = n(1) / (n(1) + 2 * n(2));
  for (size_t i = 1; i <= 3; ++i) {
    if (of[i] == 0) continue;  // D_i reads n_{i+1}
    const double found = static_cast<double>(i) - static_cast<double>(i + 1) * y * n(i + 1) / n(i);
    if (found >= 0 && found <= static_cast<double>(i)) d[i - 1] = found;
  }
  return d;
}

size_t kind_of(int64_t adjusted) { return static_cast<size_t>(std::min<int64_t>(adjusted, 3) - 1); }

}  // namespace

NGram::NGram(int order, int64_t vocabulary, std::span<const std::vector<int64_t>> texts)
    : order_(order), vocabulary_(vocabulary), nodes_(1), parents_(1, -1), lengths_(1, 0) {
  if (order < 1) fail_call("n-gram: order is ", order, ", expected 1 or more");
  if (vocabulary < 1) fail_call("n-gram: vocabulary is ", vocabulary, ", expected 1 or more");
  for (const auto& text : texts) count(text);
  finish();
}

void NGram::count(const std::vector<int64_t>& text) {
  // context[k]: the n-gram of the k tokens before this one; at a text's start there are fewer.
  std::vector<int32_t> context = {0};
  for (int64_t token : text) {
    if (token < 0 || token >= vocabulary_)
      fail_call("n-gram: token ", token, " in the text, expected 0 to ", vocabulary_ - 1);
    std::vector<int32_t> next = {0};
    for (size_t k = 0; k < context.size() && static_cast<int>(k) < order_; ++k) {
      const auto [found, fresh] =
          children_.try_emplace(edge(context[k], token), static_cast<int32_t>(nodes_.size()));
      if (fresh) {
        nodes_.emplace_back();
        parents_.push_back(context[k]);
        lengths_.push_back(static_cast<int32_t>(k) + 1);
        // One more token is known to stand before the same n-gram without its first.
        if (k > 0) ++nodes_[static_cast<size_t>(next.back())].adjusted;
      }
      next.push_back(found->second);
      if (static_cast<int>(k) + 1 == order_) ++nodes_[static_cast<size_t>(found->second)].adjusted;
    }
    if (static_cast<int>(next.size()) > order_) next.pop_back();  // too long to be anybody's context
    context = std::move(next);
  }
}

void NGram::finish() {
  std::vector<std::array<int64_t, 4>> of(static_cast<size_t>(order_));
  for (size_t i = 1; i < nodes_.size(); ++i) {
    const int64_t adjusted = nodes_[i].adjusted;
    if (adjusted == 0) continue;  // stands at a text's start only: no token before it
    Node& parent = nodes_[static_cast<size_t>(parents_[i])];
    parent.total += adjusted;
    ++parent.with[kind_of(adjusted)];
    if (adjusted <= 4) ++of[static_cast<size_t>(lengths_[i] - 1)][static_cast<size_t>(adjusted - 1)];
  }
  for (const auto& counts : of) discounts_.push_back(estimated(counts));
}

int32_t NGram::child(int32_t node, int64_t token) const {
  const auto found = children_.find(edge(node, token));
  return found == children_.end() ? -1 : found->second;
}

double NGram::probability(std::span<const int64_t> context, int64_t token) const {
  if (token < 0 || token >= vocabulary_)
    fail_call("n-gram: token ", token, ", expected 0 to ", vocabulary_ - 1);
  double p = 1 / static_cast<double>(vocabulary_);
  // From the empty context up to the longest that was seen: a context never seen changes nothing, and neither
  // does any longer one.
  const size_t longest = std::min(context.size(), static_cast<size_t>(order_ - 1));
  for (size_t length = 0; length <= longest; ++length) {
    int32_t node = 0;
    for (int64_t seen : context.last(length)) {
      node = child(node, seen);
      if (node < 0) return p;
    }
    const Node& c = nodes_[static_cast<size_t>(node)];
    if (c.total == 0) continue;
    const Discounts& d = discounts_[length];
    double left = 0;
    for (size_t i = 0; i < 3; ++i) left += d[i] * static_cast<double>(c.with[i]);
    const int32_t whole = child(node, token);
    const int64_t adjusted = whole < 0 ? 0 : nodes_[static_cast<size_t>(whole)].adjusted;
    const double own = adjusted == 0 ? 0 : static_cast<double>(adjusted) - d[kind_of(adjusted)];
    p = (own + left * p) / static_cast<double>(c.total);
  }
  return p;
}

double negative_log_likelihood(const NGram& model, std::span<const int64_t> before,
                               std::span<const int64_t> text, size_t first) {
  std::vector<int64_t> all(before.begin(), before.end());
  all.insert(all.end(), text.begin(), text.end());
  double sum = 0;
  for (size_t i = before.size() + first; i < all.size(); ++i)
    sum -= std::log(model.probability(std::span(all).first(i), all[i]));
  return sum;
}

}  // namespace limpid::bench
