// Kinds of heads, held to weights that were made by hand and to networks whose heads are known.
#include <gtest/gtest.h>

#include <cmath>

#include "limpid/heads.h"
#include "limpid/threads.h"

namespace limpid {
namespace {

// Two texts that say a block twice, of 3 and of 4 tokens; the first has another token in front of each end.
const std::vector<std::vector<int64_t>> k_texts = {{8, 9, 1, 2, 3, 1, 2, 3}, {4, 5, 6, 7, 4, 5, 6, 7}};

// A pattern [B,1,T,S] that gives what `weight` says of a query and a key that it may see.
Tensor pattern_of(const std::function<double(size_t b, int64_t t, int64_t s)>& weight) {
  constexpr int64_t k_length = 8;
  Tensor out(DType::f32, {{Axis::B, 2}, {Axis::H, 1}, {Axis::T, k_length}, {Axis::S, k_length}});
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t t = 0; t < k_length; ++t)
      for (int64_t s = 0; s < k_length; ++s)
        out.view().set({b, 0, t, s}, s <= t ? weight(static_cast<size_t>(b), t, s) : 0);
  return out;
}

HeadScores scored(const std::function<double(size_t b, int64_t t, int64_t s)>& weight) {
  return head_scores(pattern_of(weight).view(), k_texts).at(0);
}

// Where the token of a query stood before, in the texts above.
int64_t earlier(size_t b, int64_t t) {
  const int64_t block = b == 0 ? 3 : 4;
  return t >= 8 - block ? t - block : -1;
}

TEST(Heads, WeightsOnThePreviousToken) {
  const HeadScores head =
      scored([](size_t, int64_t t, int64_t s) { return s == t - 1 ? 0.75 : 0.25 / double(t); });
  EXPECT_EQ(head.kind, HeadKind::previous);
  EXPECT_NEAR(head.previous.value(), 0.75, 1e-7);
  EXPECT_EQ(head.score, head.previous.value());
  EXPECT_GT(head.positional, 0.9);  // it is positional too, and has a better name
}

TEST(Heads, WeightsOnTheFirstTokenAndOnItself) {
  const HeadScores first = scored([](size_t, int64_t, int64_t s) { return s == 0 ? 1.0 : 0.0; });
  EXPECT_EQ(first.kind, HeadKind::first);
  EXPECT_DOUBLE_EQ(first.score, 1);
  EXPECT_EQ(first.entropy, 0);
  const HeadScores self = scored([](size_t, int64_t t, int64_t s) { return s == t ? 1.0 : 0.0; });
  EXPECT_EQ(self.kind, HeadKind::self);
  EXPECT_DOUBLE_EQ(self.self, 1);
  EXPECT_DOUBLE_EQ(self.positional, 1);
}

TEST(Heads, WeightsOnTheSameTokenAndBehindIt) {
  const HeadScores same =
      scored([](size_t b, int64_t t, int64_t s) { return s == earlier(b, t) ? 0.6 : 0.1; });
  EXPECT_EQ(same.kind, HeadKind::duplicate);
  EXPECT_NEAR(same.duplicate.value(), 0.6, 1e-7);
  const HeadScores behind =
      scored([](size_t b, int64_t t, int64_t s) { return s == earlier(b, t) + 1 ? 0.7 : 0.05; });
  EXPECT_EQ(behind.kind, HeadKind::induction);
  EXPECT_NEAR(behind.induction.value(), 0.7, 1e-7);
  // The blocks are of unlike lengths, so that a fixed distance is not taken for either.
  const HeadScores far = scored([](size_t, int64_t t, int64_t s) { return s == t - 3 ? 0.9 : 0.02; });
  EXPECT_NEAR(far.duplicate.value(), (3 * 0.9 + 4 * 0.02) / 7, 1e-6);
}

TEST(Heads, DistanceAloneOrNothing) {
  const HeadScores distance =
      scored([](size_t, int64_t t, int64_t s) { return t - s == 1 || t - s == 2 ? 0.35 : 0.05; });
  EXPECT_EQ(distance.kind, HeadKind::positional);
  EXPECT_NEAR(distance.positional, 1, 1e-9);
  EXPECT_EQ(distance.score, distance.positional);
  const HeadScores even = scored([](size_t, int64_t, int64_t) { return 0.125; });
  EXPECT_EQ(even.kind, HeadKind::mixed);
  EXPECT_EQ(even.positional, 0);  // all are alike: there is nothing to explain
  const HeadScores everywhere = scored([](size_t, int64_t t, int64_t) { return 1 / double(t + 1); });
  EXPECT_NEAR(everywhere.entropy, 1, 1e-6);
}

// The formula, worked out: weights 0.1 and 0.9 at distance 0, 0.4 and 0.4 at 1, 0 at 2.
TEST(Heads, PositionalIsTheExplainedShareOfTheVariance) {
  Tensor w(DType::f64, {{Axis::B, 1}, {Axis::H, 1}, {Axis::T, 3}, {Axis::S, 3}});
  const double cells[3][3] = {{1, 0, 0}, {0.4, 0.1, 0}, {0, 0.4, 0.9}};
  for (int64_t t = 0; t < 3; ++t)
    for (int64_t s = 0; s < 3; ++s) w.view().set({0, 0, t, s}, cells[t][s]);
  const HeadScores head = head_scores(w.view(), {{5, 6, 7}}).at(0);
  // Queries 1 and 2 (nothing stood before): 0.4, 0.1, 0, 0.4, 0.9.
  const double mean = 1.8 / 5;
  const double all =
      2 * std::pow(0.4 - mean, 2) + std::pow(0.1 - mean, 2) + std::pow(0.9 - mean, 2) + mean * mean;
  EXPECT_NEAR(head.positional, 1 - 2 * std::pow(0.4, 2) / all, 1e-12);
  EXPECT_FALSE(head.duplicate.has_value());
  EXPECT_FALSE(head.induction.has_value());
}

TEST(Heads, WeightsThatDoNotFitAreRefused) {
  const Tensor w = pattern_of([](size_t, int64_t, int64_t) { return 1; });
  EXPECT_THROW(head_scores(w.view(), {{1, 2}}), Error);
  EXPECT_THROW(head_scores(w.view(), {{1, 2}, {1}}), Error);
  EXPECT_THROW(head_scores(w.view(), {{1, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9}}), Error);
}

// ---- networks by construction ----------------------------------------------------------------------

Architecture decoder() {
  Architecture a;
  a.inputs = {.vocabulary = 40, .width = 40};
  BlockOptions block;
  block.attention = {
      .heads = 3, .width = 40, .out_width = 40, .mask = Mask::causal, .positions = Positions::relative_bias};
  block.attention.buckets = 32;
  block.feed_forward = {.width = 8};
  a.stack = {.layers = 1, .blocks = {block}};
  a.head = {.kind = Head::next_word, .tied = true};
  return a;
}

void fill(Tensor& tensor, double value) {
  for (int64_t i = 0; i < tensor.count(); ++i) tensor.data<float>()[i] = static_cast<float>(value);
}

// Head 0 has a bias for the token before, head 1 for itself; head 2 compares what tokens are.
Model known_heads() {
  Model model = Model::fresh(decoder(), nullptr, 1);
  std::map<std::string, Tensor>& p = model.parameters();
  for (const char* name : {"embed.W_E", "blocks.0.attn.W_Q", "blocks.0.attn.W_K", "blocks.0.attn.rel_bias"})
    fill(p.at(name), 0);
  for (int64_t i = 0; i < 40; ++i) {
    p.at("embed.W_E").view().set({i, i}, 1);
    p.at("blocks.0.attn.W_Q").view().set({i, 2, i}, 20);
    p.at("blocks.0.attn.W_K").view().set({i, 2, i}, 20);
  }
  p.at("blocks.0.attn.rel_bias").view().set({1, 0}, 20);
  p.at("blocks.0.attn.rel_bias").view().set({0, 1}, 20);
  p.at("blocks.0.attn.rel_bias").view().set({0, 2}, -1e4);
  return model;
}

TEST(Heads, OfANetworkByConstruction) {
  const HeadReport report = measure_heads(known_heads());
  ASSERT_EQ(report.heads.size(), 3U);
  EXPECT_EQ(report.read, "tokens");
  EXPECT_EQ(report.heads[0].kind, HeadKind::previous);
  EXPECT_GT(report.heads[0].score, 0.99);
  EXPECT_EQ(report.heads[1].kind, HeadKind::self);
  EXPECT_EQ(report.heads[2].kind, HeadKind::duplicate);
  EXPECT_GT(report.heads[2].score, 0.99);
  EXPECT_EQ(report.heads[2].attention, "blocks.0.attn");
  EXPECT_EQ(report.heads[2].head, 2);
}

TEST(Heads, TheSameBitsOnAnyNumberOfThreads) {
  const Model model = Model::fresh(
      GptConfig{.vocabulary = 50, .context = 32, .layers = 2, .heads = 2, .width = 16}, nullptr, 3);
  const int before = threads();
  set_threads(1);
  const std::string one = to_json(measure_heads(model));
  set_threads(3);
  const std::string three = to_json(measure_heads(model));
  set_threads(before);
  EXPECT_EQ(one, three);
  MeasureHeadsOptions other;
  other.seed = 2;
  EXPECT_NE(one, to_json(measure_heads(model, other)));
}

TEST(Heads, ShortContextsAndFewTokens) {
  const auto report = [](int64_t vocabulary, int64_t context) {
    return measure_heads(Model::fresh(
        GptConfig{.vocabulary = vocabulary, .context = context, .layers = 1, .heads = 1, .width = 4}, nullptr,
        1));
  };
  EXPECT_EQ(report(50, 9).block, 4);
  EXPECT_EQ(report(2, 64).block, 2);
  EXPECT_THROW(report(1, 64), Error);
  EXPECT_THROW(report(50, 3), Error);
}

TEST(Heads, OfAnEncoderDecoderBoth) {
  Architecture a = decoder();
  a.encoder = Encoder{a.inputs, a.stack};
  a.encoder->stack.blocks[0].attention.mask = Mask::none;
  a.stack.blocks[0].cross = AttentionOptions{.heads = 2, .width = 4, .out_width = 40};
  const HeadReport report = measure_heads(Model::fresh(a, nullptr, 1));
  ASSERT_EQ(report.heads.size(), 6U);
  EXPECT_EQ(report.heads.front().attention, "blocks.0.attn");
  EXPECT_EQ(report.heads.back().attention, "encoder.blocks.0.attn");
  EXPECT_TRUE(report.heads.back().induction.has_value());
}

TEST(Heads, OfImagesAndSeriesWhatMakesSense) {
  Architecture a = decoder();
  a.stack.blocks[0].attention.mask = Mask::none;
  a.stack.blocks[0].attention.positions = Positions::none;
  a.patches = PatchInputs{.channels = 1, .height = 8, .width = 12, .size = 4, .tokens = {"cls_token"}};
  a.head = {.kind = Head::classes, .outputs = 2};
  const HeadReport images = measure_heads(Model::fresh(a, nullptr, 1));
  EXPECT_EQ(images.read, "images");
  EXPECT_FALSE(images.heads[0].previous || images.heads[0].duplicate || images.heads[0].induction);
  EXPECT_TRUE(images.heads[0].first.has_value());
  EXPECT_GT(images.heads[0].entropy, 0.5);
  a.patches.reset();
  a.series = SeriesInputs{.channels = 2, .length = 32, .size = 8, .stride = 8};
  a.head = {.kind = Head::forecast, .outputs = 4};
  const HeadReport series = measure_heads(Model::fresh(a, nullptr, 1));
  EXPECT_EQ(series.read, "series");
  EXPECT_TRUE(series.heads[0].previous.has_value());
  EXPECT_FALSE(series.heads[0].induction.has_value());
}

TEST(Heads, ThePageFitsItsColumns) {
  const HeadReport report = measure_heads(known_heads());
  for (const bool all : {false, true}) {
    std::string line;
    for (const char c : page(report, {.columns = 80}, all)) {
      if (c != '\n') {
        line += c;
        continue;
      }
      EXPECT_LE(line.size(), 80U) << line;
      line.clear();
    }
  }
  EXPECT_NE(page(report, {.columns = 80}).find("looks at the token before"), std::string::npos);
  EXPECT_NE(page(report, {.columns = 80}).find("previous 1.00"), std::string::npos);
}

}  // namespace
}  // namespace limpid
