// The lens, held to the network's own logits and to an attribution that adds up.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "limpid/lens.h"

namespace limpid {
namespace {

Architecture decoder(Norm norm, NormPlace place, bool parallel) {
  Architecture a;
  a.family = "small";
  a.inputs = {.vocabulary = 19, .width = 12};
  a.stack.layers = 3;
  BlockOptions block;
  block.norms = place;
  block.norm = {.kind = norm};
  block.parallel = parallel;
  block.shared_norm = parallel;
  block.attention = {.heads = 3, .width = 4, .out_width = 12, .mask = Mask::causal};
  block.attention.bias = block.attention.out_bias = norm == Norm::layer;
  block.feed_forward = {.width = 20, .activation = Activation::gelu, .bias = norm == Norm::layer};
  a.stack.blocks = {block};
  a.stack.final_norm = block.norm;
  a.head = {.kind = Head::next_word, .tied = false};
  return a;
}

Model drawn(const Architecture& a) {
  Model model = Model::fresh(a, nullptr, 1);
  for (auto& [name, tensor] : model.parameters()) {
    std::mt19937_64 random(std::hash<std::string>()(name));
    for (int64_t i = 0; i < tensor.count(); ++i)
      tensor.data<float>()[i] =
          static_cast<float>((name.ends_with(".w") ? 1 : 0) + std::normal_distribution<>(0, 0.3)(random));
  }
  return model;
}

const std::vector<int64_t> k_tokens = {4, 1, 18, 7, 7};

std::vector<Architecture> all() {
  std::vector<Architecture> out = {
      decoder(Norm::layer, NormPlace::before, false), decoder(Norm::rms, NormPlace::before, false),
      decoder(Norm::layer, NormPlace::before, true),  decoder(Norm::rms, NormPlace::both, false),
      decoder(Norm::layer, NormPlace::both, false),   decoder(Norm::rms, NormPlace::output, false),
      decoder(Norm::layer, NormPlace::before, false)};
  out[0].inputs.positions = Positions::learned;
  out[0].inputs.context = 8;
  out[0].head = {.kind = Head::next_word, .tied = true, .bias = true};
  out[1].stack.blocks[0].residual_scale = 0.3;
  out[1].inputs.scale = 3;
  out[1].head.scale = 0.5;
  out[3].head.softcap = 4;
  out[4].inputs.norm = NormOptions{};
  out[6].stack.blocks[0].norm = {.bias = false, .gain = false};
  out[6].stack.final_norm = out[6].stack.blocks[0].norm;
  out[6].stack.blocks[0].attention.clip = 0.05;
  return out;
}

TEST(Lens, PartsAddUpToTheLogitOfTheRun) {
  for (const Architecture& a : all()) {
    const Model model = drawn(a);
    const Trace trace = model.trace(k_tokens);
    for (const int64_t position : {-1, 2}) {
      const Lens seen = lens(model, k_tokens, {.position = position, .target = 11});
      const int64_t t = position < 0 ? 4 : position;
      const double shown = trace["logits"].at({0, t, 11});
      const double logit = a.head.softcap != 0 ? a.head.softcap * std::atanh(shown / a.head.softcap) : shown;
      EXPECT_NEAR(seen.logit, logit, 1e-4) << seen.parts.size();
      EXPECT_NEAR(seen.sum, logit, 1e-4);
      EXPECT_NEAR(seen.probability, trace["probs"].at({0, t, 11}), 1e-5);
      ASSERT_EQ(seen.layers.size(), 4u);
      for (const LensLayer& layer : seen.layers) EXPECT_TRUE(trace.has(layer.name)) << layer.name;
      size_t heads = 0;
      for (const LensPart& part : seen.parts) heads += part.name.find("attn.z[H=") != std::string::npos;
      EXPECT_EQ(heads, 9u);
      for (size_t i = 1; i < seen.parts.size(); ++i)
        EXPECT_GE(std::fabs(seen.parts[i - 1].logit), std::fabs(seen.parts[i].logit));
    }
  }
}

// A head switched off by an edit leaves, with the norms' scales held, what its part says: without a final
// norm nothing needs to be held.
TEST(Lens, APartIsWhatSwitchingItOffTakesAway) {
  Architecture a = decoder(Norm::rms, NormPlace::before, false);
  a.stack.layers = 1;
  a.stack.final_norm = {};
  a.stack.blocks[0].parallel = true;  // nothing else reads the head
  const Model model = drawn(a);
  const Lens seen = lens(model, k_tokens, {.target = 3});
  TraceOptions off;
  off.edits = {edit_of("blocks.0.attn.z[H=1]=zero")};
  const double before = model.trace(k_tokens)["logits"].at({0, 4, 3}),
               after = model.trace(k_tokens, off)["logits"].at({0, 4, 3});
  bool found = false;
  for (const LensPart& part : seen.parts)
    if (part.name == "blocks.0.attn.z[H=1]") {
      EXPECT_NEAR(part.logit, before - after, 1e-5);
      found = true;
    }
  EXPECT_TRUE(found);
}

TEST(Lens, TheTargetIsTheModelsOwnNextToken) {
  const Model model = drawn(all()[0]);
  const Lens seen = lens(model, k_tokens);
  EXPECT_EQ(seen.target, model.generate(k_tokens, {.tokens = 1, .on_slide = {}}).front());
  EXPECT_EQ(seen.layers.back().rank, 0);
  EXPECT_EQ(seen.layers.back().likeliest, seen.target);
  EXPECT_NE(page(seen, {}).find("the rest, "), std::string::npos);
}

TEST(Lens, RefusesByName) {
  const auto message = [](const std::function<void()>& f) {
    try {
      f();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  Architecture after = decoder(Norm::layer, NormPlace::after, false);
  EXPECT_NE(message([&] { lens(drawn(after), k_tokens); }).find("norms after each sum"), std::string::npos);
  Architecture encoder = decoder(Norm::layer, NormPlace::before, false);
  encoder.stack.blocks[0].attention.mask = Mask::none;
  EXPECT_NE(message([&] { lens(drawn(encoder), k_tokens); }).find("expected a decoder"), std::string::npos);
  const Model model = drawn(all()[0]);
  EXPECT_NE(message([&] { lens(model, k_tokens, {.position = 5}); }).find("position 5"), std::string::npos);
  EXPECT_NE(message([&] { lens(model, k_tokens, {.target = 19}); }).find("target 19"), std::string::npos);
  EXPECT_NE(message([&] { lens(model, {}); }).find("no tokens"), std::string::npos);
}

// Rotary positions, key heads shared by query heads, norms of queries and keys.
Architecture turned(bool joined) {
  Architecture a = decoder(Norm::rms, NormPlace::before, false);
  AttentionOptions& o = a.stack.blocks[0].attention;
  o = {.heads = 4, .kv_heads = 2, .width = 6, .out_width = 12, .mask = Mask::causal};
  o.positions = Positions::rotary;
  o.rotary.width = 6;
  o.query_key_norm = NormOptions{.kind = joined ? Norm::rms : Norm::layer};
  o.query_key_norm_joins_heads = joined;
  return a;
}

TEST(ScoreSources, PairsAddUpToTheScoreOfTheRun) {
  std::vector<Architecture> networks = all();
  networks.pop_back();  // cuts its queries and keys off, which is no sum
  networks.push_back(turned(false));
  networks.push_back(turned(true));
  for (const Architecture& a : networks) {
    const Model model = drawn(a);
    const Trace trace = model.trace(k_tokens);
    for (const int64_t layer : {0, 2})
      for (const int64_t key : {0, 3, -2}) {
        const ScoreSources seen =
            score_sources(model, k_tokens, {.layer = layer, .head = 2, .query = -1, .key = key});
        const std::string name = join("blocks.", layer, ".attn");
        const int64_t s = key < 0 ? key + 5 : key;
        EXPECT_EQ(seen.query, 4);
        EXPECT_EQ(seen.key, s);
        EXPECT_EQ(seen.scaled, trace[name + ".scaled_scores"].at({0, 2, 4, s}));
        EXPECT_EQ(seen.score, trace[name + ".scores"].at({0, 2, 4, s}));
        ASSERT_EQ(seen.pairs.size(), seen.sources.size() * seen.sources.size());
        double sum = 0;
        for (const double pair : seen.pairs) sum += pair;
        EXPECT_EQ(sum, seen.sum);
        EXPECT_NEAR(seen.sum, seen.scaled, 1e-4 * std::max(1.0, std::fabs(seen.scaled)))
            << name << " " << key;
        EXPECT_GT(seen.sources.size(), layer == 0 ? 1u : 7u);
      }
  }
}

// Without a norm between the stream and the query nothing needs to be held: what a feed-forward layer's pairs
// say is what the score loses without it.
TEST(ScoreSources, APartIsWhatSwitchingItOffTakesAway) {
  const Model model = drawn(decoder(Norm::rms, NormPlace::output, false));
  const ScoreSourcesOptions asked = {.layer = 1, .head = 1, .query = 4, .key = 2};
  const ScoreSources seen = score_sources(model, k_tokens, asked);
  ScoreSourcesOptions off = asked;
  off.edits = {edit_of("blocks.0.mlp_out[T=4]=zero")};
  const double lost = seen.scaled - score_sources(model, k_tokens, off).scaled;
  const auto found = std::find(seen.sources.begin(), seen.sources.end(), "blocks.0.mlp_out");
  ASSERT_NE(found, seen.sources.end());
  const size_t row = static_cast<size_t>(found - seen.sources.begin()), count = seen.sources.size();
  double said = 0;
  for (size_t k = 0; k < count; ++k) said += seen.pairs[row * count + k];
  EXPECT_GT(std::fabs(lost), 1e-3);
  EXPECT_NEAR(said, lost, 1e-4);
}

// What is no sum stays visible: `sum` is not made to fit.
TEST(ScoreSources, WhatIsCutOffIsLeftOver) {
  Architecture a = all().back();
  a.stack.blocks[0].attention.clip = 0.01;
  const ScoreSources seen = score_sources(drawn(a), k_tokens, {.layer = 1, .head = 0, .query = 4, .key = 1});
  EXPECT_GT(std::fabs(seen.sum - seen.scaled), 2 * std::fabs(seen.scaled));
}

TEST(ScoreSources, RefusesByName) {
  const Model model = drawn(all()[0]);
  const auto message = [&](const ScoreSourcesOptions& options) {
    try {
      score_sources(model, k_tokens, options);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(message({.layer = 3}).find("layer 3 is not there, expected 0 to 2"), std::string::npos);
  EXPECT_NE(message({.head = -1}).find("head -1"), std::string::npos);
  EXPECT_NE(message({.query = 5}).find("query 5"), std::string::npos);
  EXPECT_NE(message({.key = -6}).find("key -6"), std::string::npos);
}

TEST(Lens, SeesTheEditedRun) {
  const Model model = drawn(all()[1]);
  const std::vector<Edit> edits = {edit_of("blocks.1.attn.z[H=0]=zero")};
  TraceOptions options;
  options.edits = edits;
  const Lens seen = lens(model, k_tokens, {.target = 6, .edits = edits});
  EXPECT_NEAR(seen.logit, model.trace(k_tokens, options)["logits"].at({0, 4, 6}), 1e-4);
  EXPECT_NEAR(seen.sum, seen.logit, 1e-4);
  for (const LensPart& part : seen.parts)
    if (part.name == "blocks.1.attn.z[H=0]") EXPECT_EQ(part.logit, 0);
}

}  // namespace
}  // namespace limpid
