// A run that was kept: answers are the trace's own numbers, what it does not hold is said, and what asks the
// network is refused with the way to it.  And the textbook's network, which is made for each text.
#include "explore/stored.h"

#include <gtest/gtest.h>

#include <cmath>

#include "explore/test_helpers.h"
#include "explore/textbook.h"
#include "limpid/explain.h"
#include "limpid/trace.h"

namespace limpid::explore {
namespace {

class SubjectHost : public Host {
 public:
  explicit SubjectHost(std::map<std::string, Subject> subjects) : subjects_(std::move(subjects)) {}
  std::vector<std::string> models() const override {
    std::vector<std::string> out;
    for (const auto& [name, subject] : subjects_) out.push_back(name);
    return out;
  }
  Subject subject(const std::string& name) override { return subjects_.at(name); }

 private:
  std::map<std::string, Subject> subjects_;
};

struct AskingSubject {
  explicit AskingSubject(Subject subject, const std::string& text = "Life is short")
      : host({{"a.safetensors", std::move(subject)}, {"b", {builtin()}}}), explorer(host, text) {}
  Reply ask(const std::string& request) { return read_reply(explorer.answer(request)); }
  Reply told(const std::string& request) {
    Reply reply = ask(request);
    EXPECT_EQ(reply.error(), "") << request;
    return reply;
  }
  SubjectHost host;
  Explorer explorer;
};

Trace traced(const std::vector<std::string>& observe = {}, bool parameters = true,
             const std::vector<std::string>& edits = {}) {
  TraceOptions options;
  for (const std::string& text : observe) options.observe.push_back(observation_of(text));
  for (const std::string& text : edits) options.edits.push_back(edit_of(text));
  options.parameters = parameters;
  return builtin()->trace("Life is short", options);
}

// As a file gives it back.
Subject stored(const Trace& trace) {
  const std::string bytes = trace_bytes(trace);
  EXPECT_TRUE(is_trace(bytes_of(bytes)));
  return stored_subject(read_trace(bytes_of(bytes), "a.safetensors"));
}

TEST(Stored, AnswersAreThoseOfTheLiveRun) {
  AskingSubject asking(stored(traced()));
  Asking live;
  for (const char* request :
       {R"({"ask":"next","count":7})", R"({"ask":"next","position":0,"temperature":0.5,"top_k":9})",
        R"({"ask":"window","name":"blocks.0.attn.q","from":[0,1,2,0],"size":[1,2,1,8]})",
        R"({"ask":"window","name":"blocks.1.attn.pattern"})",
        R"({"ask":"window","name":"embed.W_E","size":[3,4]})",
        R"({"ask":"explain","cell":"blocks.0.attn.q[0,2,2,5]","depth":2})",
        R"({"ask":"explain","cell":"blocks.1.attn.scores[0,2,2,1]"})",
        R"({"ask":"tile","attention":"blocks.0.attn","head":3,"queries":[0,3],"keys":[0,3],"size":2})",
        R"({"ask":"tile","attention":"blocks.0.attn","stage":"scores","queries":[1,3],"keys":[0,2]})",
        R"({"ask":"losses"})", R"({"ask":"quiz","layer":1,"head":2})", R"({"ask":"figure","figure":"heads"})",
        R"({"ask":"figure","figure":"matrices","layer":1,"head":3})",
        R"({"ask":"figure","figure":"slides"})"}) {
    Reply a = asking.told(request), b = live.told(request);
    if (b.json.contains("cells"))  // one of the two was rebuilt for this answer
      for (Reply* each : {&a, &b})
        for (Json& cell : each->json["cells"]) cell.erase("rebuilt");
    ASSERT_EQ(a.arrays.size(), b.arrays.size()) << request;
    for (const auto& [name, array] : b.arrays)
      EXPECT_EQ(a.arrays.at(name).bytes, array.bytes) << request << name;
    EXPECT_EQ(a.json, b.json) << request;
  }
}

// Added up from the weights that are stored, where the live run adds as the fused kernel goes.
TEST(Stored, MapsAndEntropyAreOfTheStoredWeights) {
  AskingSubject asking(stored(traced()));
  Asking live;
  for (const char* request :
       {R"({"ask":"maps","size":2})", R"({"ask":"heads","measured":false,"attention":"blocks.1.attn"})"}) {
    const Reply a = asking.told(request), b = live.told(request);
    EXPECT_EQ(a.json, b.json) << request;
    ASSERT_EQ(a.arrays.size(), b.arrays.size()) << request;
    for (const auto& [name, array] : b.arrays)
      for (size_t i = 0; i < array.numbers.size(); ++i)
        EXPECT_NEAR(a.arrays.at(name).numbers.at(i), array.numbers[i], 1e-5) << request << name;
  }
}

TEST(Stored, OpenSaysWhatItIsAndWhatCanBeAsked) {
  AskingSubject asking(stored(traced()));
  const Json open = asking.told(R"({"ask":"tokens"})").json;
  EXPECT_EQ(open["stored"], "a.safetensors");
  EXPECT_EQ(open["text"], "Life is short");
  EXPECT_EQ(open["changes"], Json::array());
  EXPECT_EQ(open["model"]["hash"], builtin()->hash());
  EXPECT_EQ(open["model"]["layers"], layers_of(builtin()->config()));
  EXPECT_EQ(open["model"]["can_write"], false);
  const auto asks = open["asks"].get<std::vector<std::string>>();
  for (const char* question :
       {"window", "explain", "maps", "tile", "heads", "next", "quiz", "figure", "trace"})
    EXPECT_NE(std::find(asks.begin(), asks.end(), question), asks.end()) << question;
  for (const std::string question : {"compare", "lens", "attribution", "score_sources", "generate"}) {
    EXPECT_EQ(std::find(asks.begin(), asks.end(), question), asks.end()) << question;
    const Reply reply = asking.ask(R"({"ask":")" + question + "\"}");
    EXPECT_NE(reply.error().find("limpid explore a.safetensors --model MODEL"), std::string::npos)
        << reply.error();
    EXPECT_EQ(reply.kind(), "call");
  }
  for (const char* request : {R"({"ask":"open","text":"a b"})", R"({"ask":"open","tokens":[1]})",
                              R"({"ask":"open","swaps":[[0,1]]})", R"({"ask":"open","edits":["embed=zero"]})",
                              R"({"ask":"heads","measured":true})"})
    EXPECT_NE(asking.ask(request).error().find("--model MODEL"), std::string::npos) << request;
  EXPECT_EQ(asking.told(R"({"ask":"tokens"})").json, open);
}

TEST(Stored, AModelBesideItIsOpenedAndLeft) {
  AskingSubject asking(stored(traced()));
  EXPECT_FALSE(asking.told(R"({"ask":"open","model":"b","text":"Life is long"})").json.contains("stored"));
  asking.told(R"({"ask":"lens"})");
  EXPECT_FALSE(asking.told(R"({"ask":"stages"})").json["values"][0].contains("held"));
  EXPECT_EQ(asking.told(R"({"ask":"open","model":"a.safetensors"})").json["text"], "Life is short");
  expect_same(asking.told(R"({"ask":"window","name":"logits"})").arrays.at("numbers"),
              builtin()->trace("Life is short")["logits"].view(), "logits");
}

TEST(Stored, WhatItDoesNotHoldIsSaid) {
  AskingSubject asking(stored(traced(
      {"blocks.0.attn.pattern", "blocks.1.attn.pattern:map:2", "embed:summary", "blocks.0.attn.q:rows:1"},
      false)));
  std::map<std::string, std::string> held;
  const Json stages = asking.told(R"({"ask":"stages"})").json;
  for (const Json& value : stages["values"])
    held[value["name"].get<std::string>()] = value["held"].get<std::string>();
  EXPECT_EQ(held["blocks.0.attn.pattern"], "whole");
  EXPECT_EQ(held["blocks.1.attn.pattern"], "streamed");
  EXPECT_EQ(held["embed"], "summary");
  EXPECT_EQ(held["blocks.0.attn.q"], "rows");
  EXPECT_EQ(held["logits"], "none");
  EXPECT_EQ(held["embed.W_E"], "none");
  for (const Json& value : stages["values"]) {
    if (value["name"] == "logits") EXPECT_EQ(value["sizes"][1], 3);
  }
  const Reply maps = asking.told(R"({"ask":"maps"})");
  EXPECT_EQ(maps.arrays.size(), 2u);
  EXPECT_EQ(maps.arrays.at("blocks.1.attn").shape, (std::vector<int64_t>{8, 2, 2}));
  const Reply tile =
      asking.told(R"({"ask":"tile","attention":"blocks.1.attn","queries":[0,3],"keys":[0,3]})");
  EXPECT_EQ(tile.json["from"], "map");
  EXPECT_EQ(tile.arrays.at("query_edges").numbers, (std::vector<double>{0, 2, 3}));
  EXPECT_EQ(asking.told(R"({"ask":"heads"})").json["attentions"].size(), 1u);
  for (const auto& [request, words] : std::vector<std::pair<std::string, std::string>>{
           {R"({"ask":"window","name":"embed"})", "holds its summary"},
           {R"({"ask":"window","name":"logits"})", "--observe logits"},
           {R"({"ask":"window","name":"blocks.0.attn.q"})", "some of its rows"},
           {R"({"ask":"window","name":"embed.W_E"})", "--params"},
           {R"({"ask":"window","name":"blocks.1.attn.pattern"})", "gathered of its rows"},
           {R"({"ask":"next"})", "probs is not stored"},
           {R"({"ask":"explain","cell":"blocks.0.attn.pattern[0,0,1,1]"})", "--observe"},
           {R"({"ask":"tile","attention":"blocks.2.attn","queries":[0,1],"keys":[0,1]})", "is not stored"}}) {
    const Reply reply = asking.ask(request);
    EXPECT_NE(reply.error().find(words), std::string::npos) << request << "\n  " << reply.error();
    EXPECT_EQ(reply.kind(), "call");
  }
}

TEST(Stored, CellsThatWereNotKeptAreRebuiltWithTheSameBits) {
  AskingSubject asking(stored(traced({"blocks.0.attn.*"}, false)));
  const Trace kept =
      traced({"blocks.0.attn.q", "blocks.0.attn.k", "blocks.0.attn.v", "blocks.0.attn.z",
              "blocks.0.attn.rot_*", "blocks.0.attn.pattern.lse", "blocks.0.attn.pattern.lse_rest"},
             false);
  AskingSubject again(stored(kept));
  const std::string request = R"({"ask":"window","name":"blocks.0.attn.pattern"})";
  ASSERT_EQ(kept.values.count("blocks.0.attn.pattern"), 0u);
  EXPECT_EQ(again.told(request).arrays.at("numbers").bytes, asking.told(request).arrays.at("numbers").bytes);
}

TEST(Stored, AnEditedRunSaysSoAndHasNoOther) {
  const std::string edit = "blocks.0.attn.z[H=2]=zero";
  AskingSubject asking(stored(traced({}, true, {edit})));
  const Reply next = asking.told(R"({"ask":"next"})");
  EXPECT_EQ(next.json["edited"], Json({edit}));
  EXPECT_EQ(asking.told(R"({"ask":"explain","cell":"blocks.0.attn.z[0,1,2,3]"})").json["cells"][0]["edited"],
            edit);
  for (const char* request :
       {R"({"ask":"next","unedited":true})",
        R"({"ask":"tile","attention":"blocks.0.attn","queries":[0,1],"keys":[0,1],"unedited":true})"})
    EXPECT_NE(asking.ask(request).error().find("without its edits"), std::string::npos);
}

TEST(Stored, TheTraceComesBackAsItIs) {
  const Trace trace = traced({}, false);
  AskingSubject asking(stored(trace));
  EXPECT_EQ(asking.told(R"({"ask":"trace"})").arrays.at("file").bytes, trace_bytes(trace));
  const std::string part =
      asking.told(R"({"ask":"trace","observe":["blocks.*.attn.q"]})").arrays.at("file").bytes;
  EXPECT_EQ(read_trace(bytes_of(part), "part").values.size(),
            static_cast<size_t>(layers_of(builtin()->config())));
}

TEST(Stored, BytesThatAreNoTraceAreNone) {
  EXPECT_FALSE(is_trace(bytes_of("PK")));
  EXPECT_FALSE(is_trace(bytes_of("")));
  const std::string bytes = trace_bytes(traced({"probs"}, false));
  EXPECT_FALSE(is_trace(bytes_of(std::string_view(bytes).substr(0, bytes.size() - 1))));
  EXPECT_THROW(read_trace(bytes_of(std::string_view(bytes).substr(0, bytes.size() - 1)), "short"), Error);
}

TEST(Stored, ARunIsLiveWhereTheModelGivesTheSameNumbers) {
  EXPECT_EQ(why_another_run(*builtin(), traced()), "");
  EXPECT_EQ(why_another_run(*builtin(), traced({"*:summary", "probs"}, false, {"blocks.0.attn.z[H=2]=zero"})),
            "");
  Trace trace = traced({}, false);
  trace.values.at("blocks.2.attn.q").data<float>()[3] += 1e-6f;
  EXPECT_NE(why_another_run(*builtin(), trace).find("other numbers of blocks.2.attn.q"), std::string::npos);
  Trace other = traced({"probs"}, false);
  other.model_hash = "0123456789abcdef";
  EXPECT_NE(why_another_run(*builtin(), other).find("another model"), std::string::npos);
  Trace replaced = traced({"probs"}, false);
  replaced.edited = {"embed=replace"};
  EXPECT_NE(why_another_run(*builtin(), replaced), "");
  TraceOptions plain;
  plain.plain = true;
  EXPECT_NE(why_another_run(*builtin(), builtin()->trace("Life", plain)).find("reference"),
            std::string::npos);
}

// ---- the textbook's network
// -----------------------------------------------------------------------------------

TEST(TextbookNetwork, IsMadeForEachText) {
  Textbook of;
  of.config.positions = Positions::sinusoidal;
  of.config.add_norm = true;
  of.seed = 9;
  AskingSubject asking(textbook_subject(textbook_from_json(to_json(of))));
  for (const std::string text : {"Life is short", "a b a b"}) {
    asking.told(Json{{"ask", "open"}, {"text", text}}.dump());
    TraceOptions options;
    options.seed = 9;
    const Trace trace = textbook_of(of, text).trace(text, options);
    for (const char* name : {"embed", "blocks.0.attn.pattern", "probs"})
      expect_same(asking.told(Json{{"ask", "window"}, {"name", name}}.dump()).arrays.at("numbers"),
                  trace[name].view(), name);
    EXPECT_EQ(asking.told(R"({"ask":"next"})").json["predicts"], "next");
    EXPECT_EQ(asking.told(R"({"ask":"tokens"})").json["labels"].size(), trace.tokens.size());
    const std::string bytes = asking.told(R"({"ask":"trace"})").arrays.at("file").bytes;
    EXPECT_EQ(read_trace(bytes_of(bytes), "trace").numbers.at("seed"), 9);
  }
  for (const char* request :
       {R"({"ask":"stages"})", R"({"ask":"maps"})", R"({"ask":"heads","measured":false})",
        R"({"ask":"explain","cell":"probs[0,1,1]","depth":3})", R"({"ask":"quiz"})",
        R"({"ask":"tile","attention":"blocks.0.attn","queries":[0,4],"keys":[0,4]})",
        R"({"ask":"figure","figure":"matrices"})"})
    asking.told(request);
}

TEST(TextbookNetwork, TakesEditsSwapsAndPatches) {
  AskingSubject asking(textbook_subject({}));
  asking.told(R"({"ask":"open","text":"a b c","edits":["blocks.0.attn.z=scale:0.5"]})");
  EXPECT_FALSE(asking.told(R"({"ask":"compare"})").json["values"].empty());
  asking.told(R"({"ask":"open","edits":[],"swaps":[[0,2]]})");
  const Received first = asking.told(R"({"ask":"window","name":"embed"})").arrays.at("numbers");
  for (int64_t c = 0; c < 4; ++c) EXPECT_EQ(first.at({0, 0, c}), first.at({0, 2, c}));
  asking.told(
      R"({"ask":"open","swaps":[],"edits":[{"patch":"embed","text":"x y z","where":{"T":0},"at":{"T":1}}]})");
  const Trace other = textbook_of({}, "x y z").trace("x y z");
  const Received patched = asking.told(R"({"ask":"window","name":"embed"})").arrays.at("numbers");
  for (int64_t c = 0; c < 4; ++c) EXPECT_EQ(patched.at({0, 0, c}), other["embed"].at({0, 1, c}));
  const Json open = asking.told(R"({"ask":"tokens"})").json;
  const auto asks = open["asks"].get<std::vector<std::string>>();
  EXPECT_EQ(std::find(asks.begin(), asks.end(), "lens"), asks.end());
  EXPECT_NE(asking.ask(R"({"ask":"open","tokens":[1,2]})").error().find("words of its text"),
            std::string::npos);
  EXPECT_NE(asking.ask(R"({"ask":"open","text":" "})").error().find("white space"), std::string::npos);
}

}  // namespace
}  // namespace limpid::explore
