// Which tokens a row draws on through all layers, and which rows a prediction is read from.
#include "limpid/rollout.h"

#include <gtest/gtest.h>

#include <cmath>

#include "limpid/model.h"
#include "trace/prediction.h"

namespace limpid {
namespace {

Trace run(int64_t layers, int64_t heads, int64_t length) {
  GptConfig c;
  c.vocabulary = 11;
  c.context = 16;
  c.layers = layers;
  c.heads = heads;
  c.width = 4 * heads;
  std::vector<int64_t> tokens;
  for (int64_t i = 0; i < length; ++i) tokens.push_back(i * 7 % 11);
  TraceOptions options;
  options.reads = [&](const Trace& begun) { return rollout_reads(*begun.graph, length); };
  return Model::fresh(c, nullptr, 7).trace(tokens, options);
}

using HeadWeights = std::vector<std::vector<float>>;

Tensor weights(const std::vector<HeadWeights>& heads) {
  const auto H = static_cast<int64_t>(heads.size()), T = static_cast<int64_t>(heads[0].size());
  Tensor out(DType::f32, {{Axis::B, 1}, {Axis::H, H}, {Axis::T, T}, {Axis::S, T}});
  float* to = out.data<float>();
  for (const HeadWeights& head : heads)
    for (const auto& row : head) to = std::copy(row.begin(), row.end(), to);
  return out;
}

// By hand: layer 0 has the heads' mean [[1,0],[.5,.5]], so A0 = [[1,0],[.25,.75]]; layer 1 [[1,0],[.75,.25]],
// so A1 = [[1,0],[.375,.625]]; A1 A0 = [[1,0],[.375 + .625 * .25, .625 * .75]].
TEST(Rollout, IsTheProductOfHalfWeightsAndHalfThemselves) {
  Trace trace = run(2, 2, 2);
  trace.values["blocks.0.attn.pattern"] = weights({HeadWeights{{1, 0}, {1, 0}}, HeadWeights{{1, 0}, {0, 1}}});
  trace.values["blocks.1.attn.pattern"] =
      weights(std::vector<HeadWeights>(2, HeadWeights{{1, 0}, {0.75F, 0.25F}}));
  const Trace with = with_rollout(trace);
  const Tensor& rollout = with["rollout"];
  EXPECT_EQ(rollout.dtype(), DType::f64);
  EXPECT_DOUBLE_EQ(rollout.at({0, 0, 0}), 1);
  EXPECT_DOUBLE_EQ(rollout.at({0, 0, 1}), 0);
  EXPECT_DOUBLE_EQ(rollout.at({0, 1, 0}), 0.375 + 0.625 * 0.25);
  EXPECT_DOUBLE_EQ(rollout.at({0, 1, 1}), 0.625 * 0.75);
}

// A sink takes what a row lacks of 1: the row is scaled to it.
TEST(Rollout, ScalesRowsToTheSumOne) {
  Trace trace = run(1, 1, 2);
  trace.values["blocks.0.attn.pattern"] = weights({HeadWeights{{0.5F, 0}, {0.1F, 0.3F}}});
  const Trace with = with_rollout(trace);
  const Tensor& rollout = with["rollout"];
  EXPECT_DOUBLE_EQ(rollout.at({0, 0, 0}), 1);
  EXPECT_NEAR(rollout.at({0, 1, 0}), 0.125, 1e-7);
  EXPECT_NEAR(rollout.at({0, 1, 1}), 0.875, 1e-7);
}

TEST(Rollout, OfARunHasRowsThatAddUpToOne) {
  const Trace trace = with_rollout(run(3, 2, 9));
  const Tensor& rollout = trace["rollout"];
  EXPECT_TRUE(rollout.shape().same_sizes({{Axis::B, 1}, {Axis::T, 9}, {Axis::S, 9}}));
  for (int64_t t = 0; t < 9; ++t) {
    double sum = 0;
    for (int64_t s = 0; s < 9; ++s) {
      sum += rollout.at({0, t, s});
      EXPECT_TRUE(s <= t || rollout.at({0, t, s}) == 0) << "a token that comes after";
    }
    EXPECT_NEAR(sum, 1, 1e-12);
  }
}

TEST(Rollout, SaysWhatItLacks) {
  Trace trace = run(2, 1, 3);
  trace.values.erase("blocks.1.attn.pattern");
  try {
    with_rollout(trace);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("does not hold blocks.1.attn.pattern"), std::string::npos);
  }
  EXPECT_THROW(rollout_reads(*trace.graph, 1 << 20), Error);  // more than anybody keeps
}

// ---- which rows ----------------------------------------------------------------------------------

PredictionRows rows_of(const std::string& pool) {
  const std::string json =
      R"({"network":"parts","inputs":{"vocabulary":11,"width":8,"positions":"learned","context":16},
          "stack":{"layers":1,"blocks":[{"attention":{"heads":2,"width":4,"out_width":8},"feed_forward":{"width":8}}]},
          "head":{"kind":"classes","pool":")" +
      pool + R"(","outputs":3}})";
  const Trace trace =
      Model::fresh(network_from_json(json), nullptr, 1).trace(std::vector<int64_t>{1, 2, 3, 4, 5});
  return prediction_rows(Reading(trace), -1);
}

TEST(PredictionRows, AreThoseThatThePoolingReads) {
  const auto places = [](const PredictionRows& rows) { return std::pair(rows.first, rows.end); };
  EXPECT_EQ(places(rows_of("first")), std::pair(int64_t{0}, int64_t{1}));
  EXPECT_EQ(places(rows_of("last")), std::pair(int64_t{4}, int64_t{5}));
  EXPECT_EQ(places(rows_of("mean")), std::pair(int64_t{0}, int64_t{5}));
  EXPECT_EQ(places(rows_of("rest")), std::pair(int64_t{1}, int64_t{5}));
  EXPECT_NE(rows_of("mean").words.find("all 5 queries"), std::string::npos);
}

TEST(PredictionRows, OfWhatComesNextAreTheLastOrTheOneThatIsAsked) {
  const Trace trace = run(1, 1, 6);
  const Reading reading(trace);
  EXPECT_EQ(prediction_rows(reading, -1).first, 5);
  EXPECT_EQ(prediction_rows(reading, 2).first, 2);
  EXPECT_TRUE(prediction_rows(reading, 2).one());
  EXPECT_THROW(prediction_rows(reading, 6), Error);
}

}  // namespace
}  // namespace limpid
