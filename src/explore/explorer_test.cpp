// What an explorer tells of a run is what Model::trace holds, whatever was asked before.
#include "explore/explorer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "explore/test_helpers.h"
#include "limpid/trace.h"

namespace limpid::explore {
namespace {

TEST(Explorer, TellsWhatIsOpen) {
  Asking asking;
  const Reply reply = asking.told(R"({"id": "a", "ask": "tokens"})");
  const Trace trace = builtin()->trace("Life is short");
  EXPECT_EQ(reply.json["id"], "a");
  EXPECT_EQ(reply.json["text"], "Life is short");
  EXPECT_EQ(reply.json["model"]["hash"], builtin()->hash());
  EXPECT_EQ(reply.json["model"]["parameters"], builtin()->parameter_count());
  ASSERT_EQ(reply.json["labels"].size(), trace.tokens.size());
  for (size_t i = 0; i < trace.tokens.size(); ++i) {
    const auto t = static_cast<int64_t>(i);
    EXPECT_EQ(reply.json["labels"][i], trace.tokens[i].label);
    EXPECT_EQ(reply.arrays.at("ids").at({t}), trace.tokens[i].id);
    EXPECT_EQ(reply.arrays.at("spans").at({t, 0}), trace.tokens[i].begin);
    EXPECT_EQ(reply.arrays.at("spans").at({t, 1}), trace.tokens[i].end);
  }
}

TEST(Explorer, StagesAreTheGraphWithTheSizesOfTheRun) {
  Asking asking;
  const Reply reply = asking.told(R"({"ask": "stages"})");
  const Trace trace = builtin()->trace("Life is short");
  const Graph& graph = *trace.graph;
  ASSERT_EQ(reply.json["stages"].size(), graph.stages().size());
  for (size_t i = 0; i < graph.stages().size(); ++i) {
    const Json& stage = reply.json["stages"][i];
    EXPECT_EQ(stage["name"], graph.stages()[i].name);
    EXPECT_EQ(stage["equation"], graph.stages()[i].equation());
    EXPECT_EQ(stage["caption"], graph.stages()[i].caption());
    EXPECT_EQ(stage["inputs"].size(), graph.stages()[i].inputs.size());
  }
  ASSERT_EQ(reply.json["values"].size(), graph.values().size());
  for (const Json& value : reply.json["values"]) {
    const std::string name = value["name"].get<std::string>();
    if (!trace.values.count(name)) continue;
    const Shape& shape = trace.values.at(name).shape();
    ASSERT_EQ(value["sizes"].size(), static_cast<size_t>(shape.rank())) << name;
    for (int a = 0; a < shape.rank(); ++a)
      EXPECT_EQ(value["sizes"][static_cast<size_t>(a)], shape[a].size) << name;
  }
  const auto found = std::find_if(reply.json["stages"].begin(), reply.json["stages"].end(),
                                  [](const Json& s) { return s["name"] == "blocks.1.attn.pattern"; });
  ASSERT_NE(found, reply.json["stages"].end());
  EXPECT_EQ((*found)["block"], "blocks.1");
  EXPECT_EQ((*found)["group"], "blocks.1.attn");
}

// Every stage and every parameter, whole, in an order that is not the graph's.
TEST(Explorer, EveryWindowHoldsTheNumbersOfTheTrace) {
  Asking asking;
  const Trace trace = builtin()->trace("Life is short", {.parameters = true});
  size_t seen = 0;
  for (auto value = trace.values.rbegin(); value != trace.values.rend(); ++value, ++seen)
    expect_same(asking.told(R"({"ask": "window", "name": ")" + value->first + "\"}").arrays.at("numbers"),
                value->second.view(), value->first);
  EXPECT_GT(seen, 60u);
  for (const std::string name : {"blocks.0.attn.W_Q", "blocks.1.mlp.W_in", "ln_final.w"})
    expect_same(asking.told(R"({"ask": "window", "name": ")" + name + "\"}").arrays.at("numbers"),
                trace.parameters.at(name).view(), name);
}

TEST(Explorer, AWindowIsARectangle) {
  Asking asking;
  const Trace trace = builtin()->trace("Life is short");
  const Reply q =
      asking.told(R"({"ask":"window","name":"blocks.0.attn.q","from":[0,1,2,3],"size":[1,2,1,4]})");
  expect_same(q.arrays.at("numbers"),
              trace["blocks.0.attn.q"].view().window(1, 1, 2).window(2, 2, 1).window(3, 3, 4), "q");
  EXPECT_EQ(q.arrays.at("numbers").axes, "BTHD");
  const Reply scores = asking.told(
      R"({"ask":"window","name":"blocks.1.attn.hook_attn_scores","from":[0,2,1,0],"size":[1,3,2,2]})");
  EXPECT_EQ(scores.json["name"], "blocks.1.attn.scores");
  expect_same(scores.arrays.at("numbers"),
              trace["blocks.1.attn.scores"].view().window(1, 2, 3).window(2, 1, 2).window(3, 0, 2), "scores");
}

// A long text is read by rows, and its T x S stages cell by cell.
TEST(Explorer, WindowsOfALongTextHoldTheNumbersOfTheTrace) {
  std::string text;
  for (int i = 0; i < 120; ++i) text += "Life is short and art is long. ";
  Asking asking(builtin(), text);
  const Trace trace =
      builtin()->trace(text, {.observe = {{"blocks.0.attn.pattern"}, {"blocks.2.mlp.post"}, {"logits"}}});
  const int64_t length = static_cast<int64_t>(trace.tokens.size());
  ASSERT_GT(length, 256);
  for (const int64_t t : {int64_t{0}, length / 2, length - 5}) {
    const std::string at = std::to_string(t);
    expect_same(asking.told(R"({"ask":"window","name":"logits","from":[0,)" + at + R"(,10],"size":[1,5,40]})")
                    .arrays.at("numbers"),
                trace["logits"].view().window(1, t, 5).window(2, 10, 40), "logits");
    expect_same(
        asking
            .told(R"({"ask":"window","name":"blocks.2.mlp.post","from":[0,)" + at + R"(,3],"size":[1,3,9]})")
            .arrays.at("numbers"),
        trace["blocks.2.mlp.post"].view().window(1, t, 3).window(2, 3, 9), "mlp.post");
    expect_same(asking
                    .told(R"({"ask":"window","name":"blocks.0.attn.pattern","from":[0,1,)" + at +
                          R"(,7],"size":[1,2,4,33]})")
                    .arrays.at("numbers"),
                trace["blocks.0.attn.pattern"].view().window(1, 1, 2).window(2, t, 4).window(3, 7, 33),
                "pattern");
  }
}

TEST(Explorer, WhatIsAskedChangesNoBitOfWhatIsAnswered) {
  Asking first, second;
  const std::string next = R"({"ask": "next", "count": 50})";
  const Reply before = first.told(next);
  for (const char* other :
       {R"({"ask":"maps","size":2})", R"({"ask":"explain","cell":"blocks.3.attn.pattern[0,1,2,1]"})",
        R"({"ask":"heads","measured":false})", R"({"ask":"window","name":"logits"})"})
    second.told(other);
  EXPECT_EQ(before.arrays.at("probabilities").bytes, second.told(next).arrays.at("probabilities").bytes);
  EXPECT_EQ(before.arrays.at("probabilities").bytes, first.told(next).arrays.at("probabilities").bytes);
}

TEST(Explorer, AnotherTextIsAnotherRun) {
  Asking asking;
  asking.told(R"({"ask": "next"})");
  const Reply opened = asking.told(R"({"ask": "open", "text": "Once upon a time"})");
  EXPECT_EQ(opened.json["text"], "Once upon a time");
  const Trace trace = builtin()->trace("Once upon a time");
  const Reply window = asking.told(R"({"ask": "window", "name": "blocks.2.resid_post"})");
  expect_same(window.arrays.at("numbers"), trace["blocks.2.resid_post"].view(), "resid_post");
}

TEST(Explorer, ASwapIsTheRunOfTheOtherToken) {
  Asking asking;
  const Trace trace = builtin()->trace("Life is short");
  std::vector<int64_t> ids;
  for (const Token& token : trace.tokens) ids.push_back(token.id);
  ids[1] = 77;
  const Reply opened = asking.told(R"({"ask": "open", "swaps": [[1, 77]]})");
  EXPECT_EQ(opened.arrays.at("ids").at({1}), 77);
  EXPECT_EQ(opened.json["swaps"], Json::parse("[[1,77]]"));
  expect_same(asking.told(R"({"ask":"window","name":"logits"})").arrays.at("numbers"),
              builtin()->trace(ids)["logits"].view(), "logits");
  expect_same(asking.told(R"({"ask":"window","name":"logits","unedited":true})").arrays.at("numbers"),
              trace["logits"].view(), "unedited logits");
}

TEST(Explorer, AnEditIsTheRunThatTraceMakesWithIt) {
  Asking asking;
  TraceOptions options;
  options.edits = {edit_of("blocks.1.attn.z[H=2]=zero"), edit_of("blocks.0.attn.pattern=cut:2>0")};
  const Trace trace = builtin()->trace("Life is short", options);
  const Reply opened =
      asking.told(R"({"ask":"open","edits":["blocks.1.attn.z[H=2]=zero","blocks.0.attn.pattern=cut:2>0"]})");
  EXPECT_EQ(opened.json["edited"].size(), 2u);
  for (const std::string name :
       {"logits", "blocks.0.attn.pattern", "blocks.0.attn.scores", "blocks.1.attn.z"}) {
    const Reply window = asking.told(R"({"ask":"window","name":")" + name + "\"}");
    EXPECT_EQ(window.json["edited"].size(), 2u);
    expect_same(window.arrays.at("numbers"), trace[name].view(), name);
  }
  EXPECT_FALSE(asking.told(R"({"ask":"open","edits":[]})").json.contains("edited"));
  expect_same(asking.told(R"({"ask":"window","name":"logits"})").arrays.at("numbers"),
              builtin()->trace("Life is short")["logits"].view(), "logits");
}

TEST(Explorer, APatchPutsInTheNumbersOfTheOtherText) {
  Asking asking;
  const Trace other = builtin()->trace("Death is long");
  TraceOptions options;
  Edit edit;
  edit.action = Edit::Action::replace;
  edit.pattern = "blocks.1.resid_post";
  edit.where = {{Axis::T, 2}};
  edit.with = Tensor::copy_of(other["blocks.1.resid_post"].view().window(1, 1, 1));
  options.edits = {edit};
  asking.told(R"({"ask":"open","edits":[{"patch":"blocks.1.resid_post","where":{"T":2},
                  "text":"Death is long","at":{"T":1}}]})");
  expect_same(asking.told(R"({"ask":"window","name":"logits"})").arrays.at("numbers"),
              builtin()->trace("Life is short", options)["logits"].view(), "logits");
}

TEST(Explorer, ARunThatTakesTooLongEndsAndNothingIsLost) {
  Asking asking;
  asking.host.patience = asking.host.checks + 3;
  const Reply stopped = asking.ask(R"({"ask": "window", "name": "logits"})");
  EXPECT_EQ(stopped.kind(), "work");
  EXPECT_EQ(stopped.error(), "it took too long");
  asking.host.patience = -1;
  expect_same(asking.told(R"({"ask":"window","name":"logits"})").arrays.at("numbers"),
              builtin()->trace("Life is short")["logits"].view(), "logits");
}

}  // namespace
}  // namespace limpid::explore
