// The baseline a language model must beat: n-grams with modified Kneser-Ney smoothing, interpolated
// (S. Chen and J. Goodman, "An empirical study of smoothing techniques for language modeling", 1998, section
// 3.6), the strongest of the classical ones.  For a token w after the tokens c:
//
//   p(w | c) = max(0, a(cw) - D(a(cw))) / sum over w' of a(cw')  +  gamma(c) p(w | c without its first token)
//
// a(cw) is how often cw stands in the texts for the highest order, and for the lower ones how many different
// tokens stand before it there; D is one of three discounts, for a = 1, 2, and 3 or more; gamma(c) is what
// the discounts took away, so that the probabilities after c sum to 1.  Below order 1 every token is as
// likely.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace limpid::bench {

class NGram {
 public:
  using Discounts = std::array<double, 3>;

  /// Counts every n-gram of up to `order` tokens (1 or more) in the texts; none crosses from one to the next.
  /// Tokens are 0 .. vocabulary-1.  Each order's discounts come from its counts (Chen and Goodman's formula);
  /// a discount that they cannot give (a small text) is 0.5, 1, 1.5.  Throws Error{call} for another token.
  NGram(int order, int64_t vocabulary, std::span<const std::vector<int64_t>> texts);

  int order() const { return order_; }
  /// The probability of a token after `context`, of which the last order-1 tokens are looked at.
  double probability(std::span<const int64_t> context, int64_t token) const;
  /// The discounts of the n-grams of `length` tokens.
  const Discounts& discounts(int length) const { return discounts_[static_cast<size_t>(length - 1)]; }
  /// Instead of those from the counts, the same for every length; d[i] is at most i + 1.
  void set_discounts(const Discounts& d) { discounts_.assign(discounts_.size(), d); }
  /// How many different n-grams there are, of all lengths.
  int64_t size() const { return static_cast<int64_t>(nodes_.size()) - 1; }

 private:
  // One n-gram, and what follows it.  nodes_[0] is the empty one.
  struct Node {
    int64_t adjusted = 0;           // a() above
    int64_t total = 0;              // of the n-grams one token longer: the sum of a()
    std::array<int64_t, 3> with{};  // of these, how many have a() = 1, 2, 3 or more
  };
  void count(const std::vector<int64_t>& text);
  void finish();
  int32_t child(int32_t node, int64_t token) const;  // -1: never seen

  int order_;
  int64_t vocabulary_;
  std::vector<Node> nodes_;
  std::vector<int32_t> parents_, lengths_;
  std::unordered_map<uint64_t, int32_t> children_;  // (node, token) -> node
  std::vector<Discounts> discounts_;                // by length - 1
};

/// The sum of -ln p over the tokens of `text` from number `first` on, each after all that stands before it:
/// `before`, then the text.
double negative_log_likelihood(const NGram& model, std::span<const int64_t> before,
                               std::span<const int64_t> text, size_t first);

}  // namespace limpid::bench
