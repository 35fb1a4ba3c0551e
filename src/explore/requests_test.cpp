// Requests that are wrong: each is an error that repairs it, and nothing else changes.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "explore/request.h"
#include "explore/state.h"
#include "explore/test_helpers.h"

namespace limpid::explore {
namespace {

struct Wrong {
  std::string request, message;  // what the error holds
};

TEST(Requests, WhatIsWrongIsNamed) {
  Asking asking;
  const std::vector<Wrong> all = {
      {"", "it is not JSON"},
      {"{", "it is not JSON"},
      {"[1]", "expected an object"},
      {"3", "expected an object"},
      {std::string("{\"ask\":\"tokens\0\"}", 17), "zero"},
      {"\xff", "UTF-8"},
      {R"({"id":1})", "has no \"ask\""},
      {R"({"ask":7})", "expected a text"},
      {R"({"ask":"token"})", "expected one of open, tokens"},
      {R"({"ask":"tokens","ask":"next"})", "given twice"},
      {R"({"id":1.5,"ask":"tokens"})", "whole number"},
      {R"({"id":[1],"ask":"tokens"})", "expected a whole number, or a text"},
      {R"({"ask":"tokens","text":"x"})", "there is no field"},
      {R"({"ask":"window"})", "\"name\" is missing"},
      {R"({"ask":"window","name":"blocks.0.attn.qq"})", "blocks.0.attn.q"},
      {R"({"ask":"window","name":"logits","from":[0,0]})", "expected 3"},
      {R"({"ask":"window","name":"logits","from":[0,99,0]})", "is outside"},
      {R"({"ask":"window","name":"logits","size":[1,1,1e300]})", "whole number"},
      {R"({"ask":"window","name":"logits","size":[1,9007199254740992,1]})", "is outside"},
      {R"({"ask":"window","name":"logits","from":[0,-1,0]})", "whole number"},
      {R"({"ask":"window","name":"logits","size":"all"})", "expected a list"},
      {R"({"ask":"explain","cell":"logits"})", "which cell?"},
      {R"({"ask":"explain","cell":"logits[0,0,99999999]"})", "is outside"},
      {R"({"ask":"explain","cell":"logits[0,"})", "expected NAME[PLACES]"},
      {R"({"ask":"explain","cell":"logits[0,0,1]","depth":99})", "from 1 to 8"},
      {R"({"ask":"maps","size":0})", "from 1 to 512"},
      {R"({"ask":"tile","attention":"blocks.9.attn","queries":[0,1],"keys":[0,1]})",
       "is no attention; there are"},
      {R"({"ask":"tile","attention":"blocks.0.attn","queries":[1,1],"keys":[0,1]})",
       "an end after the first"},
      {R"({"ask":"tile","attention":"blocks.0.attn","queries":[0,1],"keys":[0]})", "expected [first, end]"},
      {R"({"ask":"tile","attention":"blocks.0.attn","head":8,"queries":[0,1],"keys":[0,1]})", "from -8 to 7"},
      {R"({"ask":"tile","attention":"blocks.0.attn","stage":"z","queries":[0,1],"keys":[0,1]})",
       "queries by keys"},
      {R"({"ask":"tile","attention":"blocks.0.attn","stage":"capped_scores","queries":[0,1],"keys":[0,1]})",
       "capped_scores"},
      {R"({"ask":"next","temperature":-1})", "temperature is -1"},
      {R"({"ask":"next","temperature":"warm"})", "expected a number"},
      {R"({"ask":"next","temperature":1e999})", "it is not JSON"},
      {R"({"ask":"next","temperature":NaN})", "it is not JSON"},
      {R"({"ask":"next","top_p":0})", "top_p is 0"},
      {R"({"ask":"next","position":77})", "position is 77"},
      {R"({"ask":"next","count":-1})", "whole number"},
      {R"({"ask":"open","text":""})", "empty"},
      {R"({"ask":"open","text":"a","tokens":[1]})", "give one of them"},
      {R"({"ask":"open","tokens":[]})", "at least one"},
      {R"({"ask":"open","tokens":[-1]})", "whole number from 0"},
      {R"({"ask":"open","tokens":[99999999]})", "whole number from 0"},
      {R"({"ask":"open","model":"gpt"})", "there is no model"},
      {R"({"ask":"open","target":"x"})", "writes beside no source"},
      {R"({"ask":"open","edits":["blocks.0.attn.z"]})", "NAME=ACTION"},
      {R"({"ask":"open","edits":["nothing=zero"]})", "nothing"},
      {R"({"ask":"open","edits":["blocks.0.attn.z[H=66]=zero"]})", "H=66 is outside"},
      {R"({"ask":"open","edits":["blocks.0.attn.pattern=cut:99>0"]})", "T=99 is outside"},
      {R"({"ask":"open","edits":["embed=replace:/etc/passwd"]})", "is not an action"},
      {R"({"ask":"open","edits":["embed=mean:/etc/passwd"]})", "after mean"},
      {R"({"ask":"open","edits":[{"patch":"embed"}]})", "has no \"text\""},
      {R"({"ask":"open","edits":[{"patch":"embed","text":"a","where":{"T":0},"at":{"T":88}}]})",
       "T=88 is outside"},
      {R"({"ask":"open","swaps":[[0]]})", "expected [place, token]"},
      {R"({"ask":"open","swaps":[[99,0]]})", "whole number from 0 to"},
      {R"({"ask":"lens","position":99})", "position 99"},
      {R"({"ask":"attribution","target":-4})", "whole number"},
      {R"({"ask":"score_sources","layer":0,"head":0})", "\"key\" is missing"},
      {R"({"ask":"score_sources","layer":44,"head":0,"key":0})", "layer 44"},
      {R"({"ask":"generate","back":1000})", "of which one stays"},
      {R"({"ask":"generate","token":1e9})", "whole number from 0"},
      {R"({"ask":"generate","tokens":65})", "from 0 to 64"},
      {R"({"ask":"figure","figure":"photo"})", "expected one of network"},
      {R"({"ask":"figure","figure":"network","format":"exe"})", "exe"},
      {R"({"ask":"figure","figure":"network","width":1e9})", "expected 100 to 20000"},
      {R"({"ask":"figure","figure":"token","token":99})", "99"},
      {R"({"ask":"trace","observe":["x:huge"]})", "not a depth"},
      {R"({"ask":"trace","observe":["nothing.at.all"]})", "nothing.at.all"},
      {R"({"ask":"training","step":3})", "not watched"},
      {R"({"ask":"quiz","layer":99})", "99"},
      {R"({"ask":"quiz","head":99})", "99"},
      {R"({"ask":"quiz","layer":-1})", "whole number"},
      {R"({"ask":"quiz","head":1e30})", "whole number"},
      {R"({"ask":"quiz","token":77})", "token is 77"},
      {R"({"ask":"quiz","token":"short"})", "expected a"},
      {R"({"ask":"quiz","answers":true})", "there is no field"},
      {R"({"ask":"losses","from":77})", "from is 77"},
      {R"({"ask":"losses","count":0})", "from 1 to 1024"},
      {R"({"ask":"losses","from":-1})", "whole number"},
  };
  const std::string before = asking.told(R"({"ask":"next"})").arrays.at("probabilities").bytes;
  for (const Wrong& wrong : all) {
    const Reply reply = asking.ask(wrong.request);
    EXPECT_NE(reply.error().find(wrong.message), std::string::npos)
        << wrong.request << "\n  " << reply.error();
    EXPECT_EQ(reply.kind(), "call") << wrong.request << reply.error();
    EXPECT_TRUE(reply.arrays.empty());
  }
  EXPECT_EQ(asking.told(R"({"ask":"next"})").arrays.at("probabilities").bytes, before);
}

TEST(Requests, TheirSizeAndDepthAreBounded) {
  Asking asking;
  std::string deep = R"({"ask":"tokens","x":)" + std::string(100000, '[') + std::string(100000, ']') + "}";
  EXPECT_NE(asking.ask(deep).error().find("nested"), std::string::npos);
  const std::string large = R"({"ask":")" + std::string(k_most_request_bytes, 'x') + "\"}";
  EXPECT_NE(asking.ask(large).error().find("at most"), std::string::npos);
  EXPECT_LT(asking.ask(R"({"ask":")" + std::string(900000, 'x') + "\"}").error().size(), 4100u);
  std::string many = R"({"ask":"open","edits":[)";
  for (int i = 0; i < 300; ++i) many += std::string(i ? "," : "") + "\"embed=zero\"";
  EXPECT_NE(asking.ask(many + "]}").error().find("at most 256"), std::string::npos);
}

TEST(Requests, AnAnswerThatWouldBeTooLargeIsAnError) {
  std::string text;
  for (int i = 0; i < 4000; ++i) text += "Life is short. ";
  Asking asking(builtin(), text);
  EXPECT_NE(asking.ask(R"({"ask":"window","name":"logits"})").error().find("ask for less"),
            std::string::npos);
  EXPECT_NE(asking.ask(R"({"ask":"window","name":"blocks.0.attn.pattern"})").error().find("ask for less"),
            std::string::npos);
}

TEST(Requests, IdsComeBack) {
  Asking asking;
  EXPECT_EQ(asking.ask(R"({"id":12,"ask":"next","count":1})").json["id"], 12);
  EXPECT_EQ(asking.ask(R"({"id":"x","ask":"nothing"})").json["id"], "x");
  EXPECT_FALSE(asking.ask(R"({"ask":"next"})").json.contains("id"));
}

// Bytes of requests that are right, changed at drawn places: an answer or an error, and the next right one as
// before.
TEST(Requests, ChangedBytesCrashNothing) {
  Asking asking;
  const std::vector<std::string> seeds = {
      R"({"id":1,"ask":"window","name":"blocks.0.attn.q","from":[0,1,2,3],"size":[1,2,1,4]})",
      R"({"ask":"explain","cell":"blocks.1.attn.scores[0,3,2,1]"})",
      R"({"ask":"tile","attention":"blocks.0.attn","head":3,"queries":[0,3],"keys":[0,2],"size":2})",
      R"({"ask":"open","edits":["blocks.1.attn.z[H=2]=zero","blocks.0.attn.pattern=cut:2>0"],"swaps":[[1,7]]})",
      R"({"ask":"next","count":4,"temperature":0.5,"top_k":3,"top_p":0.9,"min_p":0.1,"position":-1})",
      R"({"ask":"quiz","layer":1,"head":2,"token":-1})",
      R"({"ask":"losses","from":1,"count":2})",
      R"({"ask":"score_sources","layer":1,"head":2,"query":2,"key":1})"};
  std::mt19937 random(7);
  int errors = 0;
  for (int i = 0; i < 600; ++i) {
    std::string request = seeds[random() % seeds.size()];
    for (int changes = 1 + static_cast<int>(random() % 3); changes > 0; --changes) {
      const size_t at = random() % request.size();
      switch (random() % 4) {
        case 0:
          request[at] = static_cast<char>(random());
          break;
        case 1:
          request.erase(at, 1 + random() % 6);
          break;
        case 2:
          request.insert(at, 1, static_cast<char>("0123456789-e.,[]{}\":"[random() % 20]));
          break;
        default:
          request = request.substr(0, at) + seeds[random() % seeds.size()].substr(random() % 20);
      }
      if (request.empty()) request = " ";
    }
    errors += !asking.ask(request).error().empty();
  }
  EXPECT_GT(errors, 300);
  asking.told(R"({"ask":"open","text":"Life is short","edits":[],"swaps":[]})");
  expect_same(asking.told(R"({"ask":"window","name":"logits"})").arrays.at("numbers"),
              builtin()->trace("Life is short")["logits"].view(), "logits");
}

}  // namespace
}  // namespace limpid::explore
