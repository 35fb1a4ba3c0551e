// What comes next, where it comes from, texts that grow, files: each question, held to what the library says
// by itself.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "explore/run.h"
#include "explore/test_helpers.h"
#include "limpid/draw.h"
#include "limpid/lens.h"

namespace limpid::explore {
namespace {

// ---- what comes next -----------------------------------------------------------------------------

TEST(Questions, NextIsTheStageProbs) {
  Asking asking;
  const Trace trace = builtin()->trace("Life is short");
  const Tensor& probs = trace["probs"];
  for (const int64_t position : {-1, 0}) {
    const Reply reply = asking.told(join(R"({"ask":"next","count":12,"position":)", position, "}"));
    const int64_t t = position < 0 ? probs.shape()[1].size - 1 : 0;
    EXPECT_EQ(reply.json["predicts"], "next");
    ASSERT_EQ(reply.arrays.at("ids").numbers.size(), 12u);
    double before = 2;
    for (int64_t i = 0; i < 12; ++i) {
      const auto id = static_cast<int64_t>(reply.arrays.at("ids").at({i}));
      const double p = reply.arrays.at("probabilities").at({i});
      EXPECT_EQ(p, probs.at({0, t, id}));
      EXPECT_NEAR(reply.arrays.at("chosen").at({i}), p, 1e-6);  // at temperature 1, of all
      EXPECT_EQ(reply.json["labels"][static_cast<size_t>(i)], trace.vocabulary[static_cast<size_t>(id)]);
      EXPECT_LE(p, before);
      before = p;
    }
  }
}

TEST(Questions, SettingsChangeWhatIsDrawnAndNotTheModel) {
  Asking asking;
  const Reply plain = asking.told(R"({"ask":"next","count":40})");
  const Reply cold = asking.told(R"({"ask":"next","count":40,"temperature":0.5,"top_k":3})");
  EXPECT_EQ(plain.arrays.at("probabilities").bytes, cold.arrays.at("probabilities").bytes);
  const std::vector<double>&p = plain.arrays.at("probabilities").numbers,
        &c = cold.arrays.at("chosen").numbers;
  const double sum = p[0] * p[0] + p[1] * p[1] + p[2] * p[2];  // squares: a temperature of a half
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(c[i], p[i] * p[i] / sum, 1e-5);
  for (size_t i = 3; i < c.size(); ++i) EXPECT_EQ(c[i], 0);
  const Reply narrow = asking.told(R"({"ask":"next","count":40,"top_p":0.3})");
  double held = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    EXPECT_EQ(narrow.arrays.at("chosen").numbers[i] > 0, held < 0.3) << i;
    held += p[i];
  }
  const Reply greedy = asking.told(R"({"ask":"next","temperature":0})");
  EXPECT_EQ(greedy.arrays.at("chosen").numbers[0], 1);
  EXPECT_EQ(greedy.arrays.at("chosen").numbers[1], 0);
}

TEST(Questions, CompareIsBothRuns) {
  Asking asking;
  EXPECT_NE(asking.ask(R"({"ask":"compare"})").error().find("nothing is edited"), std::string::npos);
  asking.told(R"({"ask":"open","edits":["blocks.1.attn.z[H=2]=zero"]})");
  TraceOptions options;
  options.edits = {edit_of("blocks.1.attn.z[H=2]=zero")};
  const Trace before = builtin()->trace("Life is short"), after = builtin()->trace("Life is short", options);
  const Reply reply = asking.told(R"({"ask":"compare","count":8,"values":["blocks.3.resid_post"]})");
  const int64_t last = before["probs"].shape()[1].size - 1;
  for (size_t i = 0; i < reply.arrays.at("ids").numbers.size(); ++i) {
    const auto id = static_cast<int64_t>(reply.arrays.at("ids").numbers[i]);
    EXPECT_EQ(reply.arrays.at("before").numbers[i], before["probs"].at({0, last, id}));
    EXPECT_EQ(reply.arrays.at("after").numbers[i], after["probs"].at({0, last, id}));
  }
  const Json& first = reply.json["values"][0];
  EXPECT_EQ(first["name"], "blocks.1.attn.z");
  Index cell;
  for (const Json& place : first["cell"]) cell.push_back(place.get<int64_t>());
  EXPECT_EQ(first["before"], before["blocks.1.attn.z"].at(cell));
  EXPECT_EQ(first["after"], 0);
  bool asked = false;
  for (const Json& value : reply.json["values"]) asked |= value["name"] == "blocks.3.resid_post";
  EXPECT_TRUE(asked);
}

// ---- where it comes from -------------------------------------------------------------------------

TEST(Questions, LensAndAttributionAreThoseOfTheCommand) {
  Asking asking;
  const Lens seen = lens(*builtin(), builtin()->encode("Life is short"), {.position = 1, .target = 40});
  const Reply layers = asking.told(R"({"ask":"lens","position":1,"target":40})");
  const Reply parts = asking.told(R"({"ask":"attribution","position":1,"target":40})");
  EXPECT_EQ(layers.json["logit"], seen.logit);
  ASSERT_EQ(layers.json["layers"].size(), seen.layers.size());
  for (size_t i = 0; i < seen.layers.size(); ++i) {
    EXPECT_EQ(layers.json["layers"][i], seen.layers[i].name);
    EXPECT_EQ(layers.arrays.at("logits").numbers[i], seen.layers[i].logit);
    EXPECT_EQ(layers.arrays.at("ranks").numbers[i], seen.layers[i].rank);
    EXPECT_EQ(layers.arrays.at("likeliest").numbers[i], seen.layers[i].likeliest);
  }
  ASSERT_EQ(parts.json["parts"].size(), seen.parts.size());
  EXPECT_EQ(parts.json["sum"], seen.sum);
  for (size_t i = 0; i < seen.parts.size(); ++i) {
    EXPECT_EQ(parts.json["parts"][i], seen.parts[i].name);
    EXPECT_EQ(parts.arrays.at("logits").numbers[i], seen.parts[i].logit);
  }
}

TEST(Questions, SourcesOfAScoreAddUpToIt) {
  Asking asking;
  const Trace trace = builtin()->trace("Life is short");
  const int64_t last = static_cast<int64_t>(trace.tokens.size()) - 1;
  const Reply reply = asking.told(R"({"ask":"score_sources","layer":3,"head":1,"key":0})");
  const double score = trace["blocks.3.attn.scores"].at({0, 1, last, 0});
  EXPECT_EQ(reply.json["score"], score);
  const std::vector<double>& pairs = reply.arrays.at("pairs").numbers;
  const double sum = std::accumulate(pairs.begin(), pairs.end(), 0.0);
  EXPECT_NEAR(sum + reply.json["rest"].get<double>() + reply.json["after"].get<double>(), score, 1e-9);
  EXPECT_LT(std::fabs(reply.json["rest"].get<double>()), 1e-4);
  EXPECT_EQ(reply.json["sources"].size() * reply.json["sources"].size(), pairs.size());
  const std::vector<double>& rows = reply.arrays.at("query_parts").numbers;
  EXPECT_NEAR(std::accumulate(rows.begin(), rows.end(), 0.0), sum, 1e-9);
}

// ---- generating ----------------------------------------------------------------------------------

TEST(Questions, GenerateWritesWhatTheModelWrites) {
  Asking asking;
  const std::vector<int64_t> given = builtin()->encode("Once upon a time");
  const std::vector<int64_t> expected = builtin()->generate(given, {.tokens = 5, .stop_at_end = false});
  asking.told(R"({"ask":"open","text":"Once upon a time"})");
  const Reply three = asking.told(R"({"ask":"generate","tokens":3})");
  const Reply two = asking.told(R"({"ask":"generate","tokens":2})");
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(three.arrays.at("new_ids").numbers[i], expected[i]);
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(two.arrays.at("new_ids").numbers[i], expected[3 + i]);
  EXPECT_EQ(two.arrays.at("ids").numbers.size(), given.size() + 5);
  const Reply back = asking.told(R"({"ask":"generate","back":4})");
  EXPECT_EQ(back.arrays.at("ids").numbers.size(), given.size() + 1);
  const Reply chosen = asking.told(R"({"ask":"generate","token":17})");
  EXPECT_EQ(chosen.arrays.at("ids").numbers.back(), 17);
  std::vector<int64_t> ids = given;
  ids.insert(ids.end(), {expected[0], 17});
  expect_same(asking.told(R"({"ask":"window","name":"logits"})").arrays.at("numbers"),
              builtin()->trace(ids)["logits"].view(), "logits");
}

TEST(Questions, GenerateDrawsWhatTheModelDraws) {
  Asking asking;
  const std::vector<int64_t> given = builtin()->encode("Life is short");
  const std::vector<int64_t> expected = builtin()->generate(
      given, {.tokens = 6, .sample = {.temperature = 0.9, .top_k = 20}, .seed = 5, .stop_at_end = false});
  std::vector<int64_t> seen;
  for (int i = 0; i < 6; ++i)
    seen.push_back(
        static_cast<int64_t>(asking.told(R"({"ask":"generate","temperature":0.9,"top_k":20,"seed":5})")
                                 .arrays.at("new_ids")
                                 .numbers[0]));
  EXPECT_EQ(seen, expected);
}

TEST(Questions, GenerateShowsWhereItLooksAndHeedsEdits) {
  Asking asking;
  const Reply watched = asking.told(R"({"ask":"generate","watch":2})");
  const Trace trace = builtin()->trace("Life is short");
  const int64_t last = static_cast<int64_t>(trace.tokens.size()) - 1;
  ASSERT_EQ(watched.json["looks"].size(), 40u);
  const auto key = static_cast<int64_t>(watched.arrays.at("look_keys").at({0, 9, 0}));
  EXPECT_NEAR(watched.arrays.at("look_weights").at({0, 9, 0}),
              trace["blocks.1.attn.pattern"].at({0, 1, last, key}), 1e-6);

  Asking edited;
  edited.told(R"({"ask":"open","edits":["blocks.3.mlp_out=zero","blocks.2.mlp_out=zero"]})");
  const Reply next = edited.told(R"({"ask":"next","count":1})");
  const Reply one = edited.told(R"({"ask":"generate"})");
  EXPECT_EQ(one.arrays.at("new_ids").numbers[0], next.arrays.at("ids").numbers[0]);
  EXPECT_NEAR(one.arrays.at("probabilities").numbers[0], next.arrays.at("probabilities").numbers[0], 1e-6);
}

// ---- files ---------------------------------------------------------------------------------------

TEST(Questions, FiguresAreThoseOfTheEngine) {
  Asking asking;
  FigureOptions options;
  options.layer = 2;
  options.head = 1;
  TraceOptions reads;
  reads.reads = [&](const Trace& begun) { return head_reads(*begun.graph, 3, options); };
  const Reply reply = asking.told(R"({"ask":"figure","figure":"head","layer":2,"head":1})");
  EXPECT_EQ(reply.json["media"], "image/svg+xml");
  EXPECT_EQ(reply.arrays.at("file").bytes,
            to_svg(head_scene(builtin()->trace("Life is short", reads), options)));
  for (const char* figure : {"network", "attention", "token", "matrices", "heads", "attention-on-text"}) {
    const Reply each = asking.told(R"({"ask":"figure","figure":")" + std::string(figure) + "\"}");
    EXPECT_NE(each.arrays.at("file").bytes.find("<svg"), std::string::npos) << figure;
  }
  EXPECT_EQ(asking.told(R"({"ask":"figure","figure":"slides","format":"pptx"})")
                .arrays.at("file")
                .bytes.substr(0, 2),
            "PK");
  EXPECT_NE(asking.ask(R"({"ask":"figure","figure":"head","layer":9})").error().find("9"), std::string::npos);
}

TEST(Questions, TheTraceIsTheFileOfTheCommand) {
  Asking asking;
  const Trace trace = builtin()->trace("Life is short");
  EXPECT_EQ(asking.told(R"({"ask":"trace"})").arrays.at("file").bytes, trace_bytes(trace));
  const Trace part = builtin()->trace("Life is short", {.observe = {{"blocks.*.attn.pattern"}}});
  EXPECT_EQ(asking.told(R"({"ask":"trace","observe":["blocks.*.attn.pattern"]})").arrays.at("file").bytes,
            trace_bytes(part));
}

}  // namespace
}  // namespace limpid::explore
