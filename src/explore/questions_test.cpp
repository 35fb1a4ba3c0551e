// The arithmetic of cells, maps, tiles, heads: each question, held to what the library says by itself.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "explore/attentions.h"
#include "explore/run.h"
#include "explore/test_helpers.h"
#include "limpid/explain.h"
#include "limpid/heads.h"

namespace limpid::explore {
namespace {

std::string long_text(int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += "Life is short and art is long. ";
  return text;
}

// ---- explain -------------------------------------------------------------------------------------

// The tree that an answer's arrays hold, worked out from its leaves.
double worked_out(const Reply& reply, const std::string& at, size_t& node) {
  const size_t own = node++;
  const auto kind = static_cast<int>(reply.arrays.at(at + "kind").numbers[own]);
  const auto parts = static_cast<size_t>(reply.arrays.at(at + "parts").numbers[own]);
  if (parts == 0) return reply.arrays.at(at + "value").numbers[own];
  std::vector<double> of;
  for (size_t i = 0; i < parts; ++i) of.push_back(worked_out(reply, at, node));
  if (kind == 2) return std::accumulate(of.begin(), of.end(), 0.0);
  if (kind == 3) return std::accumulate(of.begin(), of.end(), 1.0, std::multiplies<>());
  if (kind == 4) return of[0] / of[1];
  switch (static_cast<int>(reply.arrays.at(at + "function").numbers[own])) {
    case 0:
      return std::exp(of[0]);
    case 1:
      return std::log(of[0]);
    case 2:
      return std::sqrt(of[0]);
    case 3:
      return std::tanh(of[0]);
    case 4:
      return std::erf(of[0]);
    case 5:
      return std::cos(of[0]);
    case 6:
      return std::sin(of[0]);
    default:
      return *std::max_element(of.begin(), of.end());
  }
}

TEST(Questions, ExplainTellsTheArithmeticOfTheCell) {
  Asking asking;
  const Trace trace = builtin()->trace("Life is short", {.parameters = true});
  for (const std::string cell :
       {"embed[0,1,3]", "blocks.0.ln1.normalized[0,2,5]", "blocks.0.attn.q[0,2,1,3]",
        "blocks.2.attn.rot_k[0,1,0,4]", "blocks.1.attn.scores[0,3,2,1]", "blocks.1.attn.pattern[0,3,2,1]",
        "blocks.3.attn.z[0,2,4,2]", "blocks.0.attn_out[0,1,9]", "blocks.2.mlp.post[0,0,7]",
        "blocks.3.resid_post[0,2,1]", "logits[0,2,100]", "probs[T=short,V=100]"}) {
    const Explanation expected = limpid::explain(trace, cell).front();
    const Reply reply = asking.told(R"({"ask":"explain","cell":")" + cell + "\"}");
    const Json& told = reply.json["cells"][0];
    EXPECT_EQ(told["name"], expected.name);
    EXPECT_EQ(told["value"], expected.value) << cell;
    EXPECT_EQ(told["combined"], expected.arithmetic.value()) << cell;
    EXPECT_EQ(told["equation"], expected.equation);
    EXPECT_EQ(told["caption"], expected.caption);
    ASSERT_EQ(told["reads"].size(), expected.inputs.size());
    size_t node = 0;
    EXPECT_NEAR(worked_out(reply, "0.", node), expected.value,
                1e-4 * std::max(1.0, std::fabs(expected.value)))
        << cell;
    EXPECT_EQ(node, reply.arrays.at("0.kind").numbers.size());
    // Each leaf is the number that stands in the place it names.
    const Received& index = reply.arrays.at("0.index");
    size_t cells = 0;
    for (size_t i = 0; i < node; ++i) {
      if (reply.arrays.at("0.kind").numbers[i] != 1) continue;
      const auto input = static_cast<size_t>(reply.arrays.at("0.input").numbers[i]);
      const std::string name = told["reads"][input]["name"].get<std::string>();
      const Tensor& read = trace.values.count(name) ? trace.values.at(name) : trace.parameters.at(name);
      Index place;
      for (int a = 0; a < read.shape().rank(); ++a)
        place.push_back(static_cast<int64_t>(index.at({static_cast<int64_t>(i), a})));
      ASSERT_EQ(reply.arrays.at("0.value").numbers[i], read.at(place)) << cell << " reads " << name;
      ++cells;
    }
    EXPECT_GT(cells, 0u) << cell;
  }
}

TEST(Questions, ExplainGoesDeeperAndSaysWhatWasEdited) {
  Asking asking;
  const Reply chain =
      asking.told(R"({"ask":"explain","cell":"blocks.1.attn.scaled_scores[0,1,2,0]","depth":3})");
  EXPECT_EQ(chain.json["cells"].size(), 3u);
  asking.told(R"({"ask":"open","edits":["blocks.0.attn.pattern[H=1]=scale:0.5"]})");
  const Reply reply = asking.told(R"({"ask":"explain","cell":"blocks.0.attn.pattern[0,1,2,0]"})");
  EXPECT_EQ(reply.json["cells"][0]["edited"], "blocks.0.attn.pattern[H=1]=scale:0.5");
  EXPECT_NEAR(reply.json["cells"][0]["value"].get<double>(),
              0.5 * reply.json["cells"][0]["combined"].get<double>(), 1e-6);
}

// ---- maps and tiles ------------------------------------------------------------------------------

TEST(Questions, MapsAreTheStreamedMaps) {
  Asking asking(builtin(), long_text(20));
  const Reply reply = asking.told(R"({"ask":"maps","size":16})");
  const Trace trace =
      builtin()->trace(long_text(20), {.observe = {{"blocks.*.attn.pattern", Depth::map, 16}}});
  ASSERT_EQ(reply.json["attentions"].size(), 5u);
  for (const Json& attention : reply.json["attentions"]) {
    const std::string name = attention["name"].get<std::string>();
    expect_same(reply.arrays.at(name), trace.values.at(name + ".pattern@map").view(), name);
    EXPECT_EQ(reply.arrays.at(name).axes, "HTS");
  }
}

// The mean of a block, from the whole pattern.
double block_mean(const Tensor& pattern, int64_t head, double t0, double t1, double s0, double s1) {
  double sum = 0, count = 0;
  for (auto t = static_cast<int64_t>(t0); t < static_cast<int64_t>(t1); ++t)
    for (auto s = static_cast<int64_t>(s0); s < static_cast<int64_t>(s1); ++s) {
      const double cell = pattern.at({0, head, t, s});
      if (cell == -INFINITY) continue;
      sum += cell;
      ++count;
    }
  return count == 0 ? -INFINITY : sum / count;
}

TEST(Questions, TilesAreMeansOfExactCells) {
  Asking asking(builtin(), long_text(30));
  const Trace trace =
      builtin()->trace(long_text(30), {.observe = {{"blocks.1.attn.pattern"}, {"blocks.1.attn.scores"}}});
  const int64_t length = static_cast<int64_t>(trace.tokens.size());
  for (const std::string stage : {"pattern", "scores"})
    for (const auto& [first, end, size] :
         std::vector<std::array<int64_t, 3>>{{0, length, 7}, {40, 71, 16}, {100, 104, 8}}) {
      const Reply tile = asking.told(join(R"({"ask":"tile","attention":"blocks.1.attn","head":3,"stage":")",
                                          stage, R"(","queries":[)", first, ",", end, R"(],"keys":[)",
                                          first / 2, ",", end, R"(],"size":)", size, "}"));
      EXPECT_EQ(tile.json["from"], "cells");
      const Received &cells = tile.arrays.at("cells"), &rows = tile.arrays.at("query_edges"),
                     &columns = tile.arrays.at("key_edges");
      EXPECT_EQ(rows.numbers.front(), first);
      EXPECT_EQ(rows.numbers.back(), end);
      EXPECT_EQ(columns.numbers.front(), first / 2);
      EXPECT_LE(cells.shape[0], size);
      for (int64_t r = 0; r < cells.shape[0]; ++r)
        for (int64_t c = 0; c < cells.shape[1]; ++c) {
          const double mean = block_mean(trace["blocks.1.attn." + stage], 3, rows.at({r}), rows.at({r + 1}),
                                         columns.at({c}), columns.at({c + 1}));
          if (std::isinf(mean))
            ASSERT_EQ(cells.at({r, c}), mean);
          else
            ASSERT_NEAR(cells.at({r, c}), mean, 1e-6 * std::max(1.0, std::fabs(mean)))
                << stage << r << " " << c;
        }
    }
  // A block of one cell is that cell, to the bit.
  const Reply one = asking.told(
      R"({"ask":"tile","attention":"blocks.1.attn","head":3,"queries":[100,104],"keys":[96,104],"size":8})");
  expect_same(one.arrays.at("cells"),
              trace["blocks.1.attn.pattern"].view().window(1, 3, 1).window(2, 100, 4).window(3, 96, 8),
              "cells");
}

// From so many cells on a tile is cut from the streamed map, along the edges of its blocks.
TEST(Questions, ALargeTileIsCutFromTheMap) {
  GptConfig config;
  config.vocabulary = 256;
  config.layers = 1;
  config.heads = 4;
  config.kv_heads = 2;
  config.width = 32;
  config.positions = Positions::rotary;
  const std::shared_ptr<const Tokenizer> bytes = byte_tokenizer();
  Asking asking(std::make_shared<const Model>(Model::fresh(config, bytes, 3)),
                std::string(8300, 'a') + "bcd");
  const Reply tile = asking.told(
      R"({"ask":"tile","attention":"blocks.0.attn","head":2,"queries":[100,8303],"keys":[0,8300],"size":6})");
  EXPECT_EQ(tile.json["from"], "map");
  const std::vector<double>&rows = tile.arrays.at("query_edges").numbers,
        &columns = tile.arrays.at("key_edges").numbers;
  EXPECT_LE(rows.front(), 100);
  EXPECT_EQ(rows.back(), 8303);
  ASSERT_LE(rows.size(), 8u);
  for (size_t r = 0; r + 1 < rows.size(); ++r)
    for (size_t c = 0; c + 1 < columns.size(); c += 2) {
      const Reply exact = asking.told(
          join(R"({"ask":"tile","attention":"blocks.0.attn","head":2,"size":1,"queries":[)", rows[r], ",",
               rows[r + 1], R"(],"keys":[)", columns[c], ",", columns[c + 1], "]}"));
      EXPECT_EQ(exact.json["from"], "cells");
      const double mean = exact.arrays.at("cells").numbers[0];
      EXPECT_NEAR(tile.arrays.at("cells").at({static_cast<int64_t>(r), static_cast<int64_t>(c)}), mean,
                  1e-5 * mean);
    }
  const Reply maps = asking.told(R"({"ask":"maps","size":16})");
  const Received& map = maps.arrays.at("blocks.0.attn");
  EXPECT_LE(map.shape[1], 16);
  const Json& blocks = maps.json["attentions"][0];
  const Reply block =
      asking.told(join(R"({"ask":"tile","attention":"blocks.0.attn","head":1,"size":1,"queries":[)",
                       blocks["queries"].get<int64_t>(), ",", 2 * blocks["queries"].get<int64_t>(),
                       R"(],"keys":[0,)", blocks["keys"].get<int64_t>(), "]}"));
  EXPECT_NEAR(map.at({1, 1, 0}), block.arrays.at("cells").numbers[0], 1e-5 * map.at({1, 1, 0}));
}

// An edit inside the attention is in its tiles.
TEST(Questions, TilesAreOfTheEditedRun) {
  Asking asking;
  TraceOptions options;
  options.edits = {edit_of("blocks.0.attn.scores=cut:2>1")};
  const Trace trace = builtin()->trace("Life is short", options);
  asking.told(R"({"ask":"open","edits":["blocks.0.attn.scores=cut:2>1"]})");
  const int64_t length = static_cast<int64_t>(trace.tokens.size());
  const std::string all = join("[0,", length, "]");
  const Reply tile = asking.told(R"({"ask":"tile","attention":"blocks.0.attn.pattern","head":4,"queries":)" +
                                 all + R"(,"keys":)" + all + "}");
  expect_same(tile.arrays.at("cells"), trace["blocks.0.attn.pattern"].view().window(1, 4, 1), "cells");
  EXPECT_EQ(tile.arrays.at("cells").at({2, 1}), 0);
}

// ---- heads ---------------------------------------------------------------------------------------

TEST(Questions, HeadsAreTheMeasuredOnes) {
  Asking asking;
  const HeadReport report = measure_heads(*builtin());
  const Reply reply = asking.told(R"({"ask":"heads","attention":"blocks.2.attn"})");
  ASSERT_EQ(reply.json["kinds"].size(), report.heads.size());
  for (size_t i = 0; i < report.heads.size(); ++i) {
    const auto h = static_cast<int64_t>(i);
    EXPECT_EQ(reply.json["kinds"][i]["kind"], name(report.heads[i].kind));
    EXPECT_EQ(reply.json["kinds"][i]["score"], report.heads[i].score);
    EXPECT_EQ(reply.arrays.at("scores").at({h, 0}), *report.heads[i].previous);
    EXPECT_EQ(reply.arrays.at("scores").at({h, 4}), *report.heads[i].induction);
    EXPECT_EQ(reply.arrays.at("scores").at({h, 6}), report.heads[i].entropy);
  }
  const Trace trace = builtin()->trace("Life is short");
  const Tensor& pattern = trace["blocks.2.attn.pattern"];
  const int64_t length = pattern.shape()[2].size;
  const int64_t heads = pattern.shape()[1].size;
  for (int64_t h = 0; h < heads; ++h) {
    double first = 0, entropy = 0;
    for (int64_t t = 0; t < length; ++t) {
      first += pattern.at({0, h, t, 0}) / static_cast<double>(length);
      double row = 0;
      for (int64_t s = 0; s <= t; ++s) {
        const double w = pattern.at({0, h, t, s});
        if (w > 0) row -= w * std::log(w);
      }
      EXPECT_NEAR(reply.arrays.at("row_entropy").at({h, t}), row, 1e-4);
      entropy += row / static_cast<double>(length);
    }
    EXPECT_NEAR(reply.arrays.at("first_token").at({2 * heads + h}), first, 1e-6);
    EXPECT_NEAR(reply.arrays.at("entropy").at({2 * heads + h}), entropy, 1e-4);
  }
}

}  // namespace
}  // namespace limpid::explore
