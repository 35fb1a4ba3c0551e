#include "bench/ngram.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "limpid/error.h"

namespace limpid::bench {
namespace {

using Tokens = std::vector<int64_t>;
using Texts = std::vector<Tokens>;

constexpr NGram::Discounts k_discounts = {0.5, 1, 1.5};

// a a b a b, and a c that never stands there; worked out by hand.
//   aa once, ab twice, ba once; before a stand two different tokens, before b one.
//   p(a) = (2 - 1)/3 + (0.5 + 1)/3 / 3,  p(b) = (1 - 0.5)/3 + 0.5/3,  p(c) = 0.5/3
//   p(a|a) = (1 - 0.5)/3 + (0.5 + 1)/3 p(a),  p(b|a) = (2 - 1)/3 + 0.5 p(b),  ...
TEST(NGram, WorkedByHand) {
  const Texts texts = {{0, 0, 1, 0, 1}};
  NGram model(2, 3, texts);
  model.set_discounts(k_discounts);
  const Tokens a = {0}, b = {1}, c = {2}, ca = {2, 0};
  const auto p = [&](const Tokens& context, int64_t token) { return model.probability(context, token); };
  EXPECT_DOUBLE_EQ(p({}, 0), 1.0 / 2);
  EXPECT_DOUBLE_EQ(p({}, 1), 1.0 / 3);
  EXPECT_DOUBLE_EQ(p({}, 2), 1.0 / 6);
  EXPECT_DOUBLE_EQ(p(a, 0), 5.0 / 12);
  EXPECT_DOUBLE_EQ(p(a, 1), 1.0 / 2);
  EXPECT_DOUBLE_EQ(p(a, 2), 1.0 / 12);
  EXPECT_DOUBLE_EQ(p(b, 0), 3.0 / 4);
  EXPECT_DOUBLE_EQ(p(b, 1), 1.0 / 6);
  EXPECT_DOUBLE_EQ(p(c, 0), 1.0 / 2);   // never seen: as after nothing
  EXPECT_DOUBLE_EQ(p(ca, 1), 1.0 / 2);  // only the last token counts
  EXPECT_EQ(model.size(), 2 + 3);
}

// Four tokens stand once, two twice, one three times, one four times:
//   Y = 4/8, D1 = 1 - 2Y 2/4, D2 = 2 - 3Y 1/2, D3 = 3 - 4Y 1/1
TEST(NGram, DiscountsFromTheCounts) {
  const Texts texts = {{0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 7, 7, 7, 7}};
  const NGram model(1, 8, texts);
  EXPECT_DOUBLE_EQ(model.discounts(1)[0], 0.5);
  EXPECT_DOUBLE_EQ(model.discounts(1)[1], 1.25);
  EXPECT_DOUBLE_EQ(model.discounts(1)[2], 1.0);
}

TEST(NGram, RejectsWhatItCannotCount) {
  const Texts texts = {{0, 3}};
  EXPECT_THROW(NGram(2, 3, texts), Error);
  EXPECT_THROW(NGram(0, 4, texts), Error);
  EXPECT_THROW(NGram(1, 4, texts).probability({}, 4), Error);
}

TEST(NGram, LikelihoodGoesOnFromWhatStandsBefore) {
  const Texts texts = {{0, 0, 1, 0, 1}};
  NGram model(2, 3, texts);
  model.set_discounts(k_discounts);
  const Tokens before = {1}, text = {0, 1, 1};
  EXPECT_NEAR(negative_log_likelihood(model, before, text, 0),
              -std::log(3.0 / 4) - std::log(1.0 / 2) - std::log(1.0 / 6), 1e-12);
  EXPECT_NEAR(negative_log_likelihood(model, before, text, 1), -std::log(1.0 / 2) - std::log(1.0 / 6), 1e-12);
}

// The definition, over all n-grams listed out.
class Plain {
 public:
  Plain(int order, int64_t vocabulary, const Texts& texts) : order_(order), vocabulary_(vocabulary) {
    for (const Tokens& text : texts)
      for (size_t length = 1; length <= static_cast<size_t>(order); ++length)
        for (size_t i = 0; i + length <= text.size(); ++i)
          ++seen_[Tokens(text.begin() + static_cast<std::ptrdiff_t>(i),
                         text.begin() + static_cast<std::ptrdiff_t>(i + length))];
  }

  double probability(Tokens context, int64_t token) const {
    if (static_cast<int>(context.size()) >= order_)
      context.erase(context.begin(), context.end() - (order_ - 1));
    const Tokens shorter(context.empty() ? context.begin() : context.begin() + 1, context.end());
    const double lower =
        context.empty() ? 1.0 / static_cast<double>(vocabulary_) : probability(shorter, token);
    double total = 0, left = 0;
    for (int64_t w = 0; w < vocabulary_; ++w) {
      const int64_t a = adjusted(context, w);
      total += static_cast<double>(a);
      if (a > 0) left += k_discounts[static_cast<size_t>(std::min<int64_t>(a, 3)) - 1];
    }
    if (total == 0) return lower;
    const int64_t a = adjusted(context, token);
    const double own =
        a == 0 ? 0 : static_cast<double>(a) - k_discounts[static_cast<size_t>(std::min<int64_t>(a, 3)) - 1];
    return own / total + left / total * lower;
  }

 private:
  int64_t adjusted(const Tokens& context, int64_t token) const {
    Tokens whole = context;
    whole.push_back(token);
    if (static_cast<int>(whole.size()) == order_) return seen_.count(whole) ? seen_.at(whole) : 0;
    std::set<int64_t> before;
    for (const auto& [tokens, times] : seen_)
      if (tokens.size() == whole.size() + 1 && std::equal(whole.begin(), whole.end(), tokens.begin() + 1))
        before.insert(tokens[0]);
    return static_cast<int64_t>(before.size());
  }

  int order_;
  int64_t vocabulary_;
  std::map<Tokens, int64_t> seen_;
};

RC_GTEST_PROP(NGram, IsItsDefinitionAndSumsToOne, ()) {
  const int order = *rc::gen::inRange(1, 5);
  const int64_t vocabulary = *rc::gen::inRange(1, 5);
  const auto token = rc::gen::inRange<int64_t>(0, vocabulary);
  const Texts texts = *rc::gen::container<Texts>(rc::gen::container<Tokens>(token));
  NGram model(order, vocabulary, texts);
  model.set_discounts(k_discounts);
  const Plain plain(order, vocabulary, texts);
  const Tokens context = *rc::gen::container<Tokens>(token);
  double sum = 0;
  for (int64_t w = 0; w < vocabulary; ++w) {
    const double p = model.probability(context, w);
    RC_ASSERT(p > 0);
    RC_ASSERT(std::abs(p - plain.probability(context, w)) < 1e-12);
    sum += p;
  }
  RC_ASSERT(std::abs(sum - 1) < 1e-12);
}

// With the discounts that the counts give, too.
RC_GTEST_PROP(NGram, SumsToOneWithItsOwnDiscounts, ()) {
  const auto token = rc::gen::inRange<int64_t>(0, 12);
  const Texts texts = {*rc::gen::container<Tokens>(300, token)};
  const NGram model(3, 12, texts);
  const Tokens context = *rc::gen::container<Tokens>(2, token);
  double sum = 0;
  for (int64_t w = 0; w < 12; ++w) sum += model.probability(context, w);
  RC_ASSERT(std::abs(sum - 1) < 1e-12);
}

}  // namespace
}  // namespace limpid::bench
