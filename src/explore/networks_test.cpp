// Networks of every kind: an encoder-decoder, a classifier, one without a fused kernel, one of images, one
// without a tokenizer; and what is not run again.
#include <gtest/gtest.h>

#include <cmath>

#include "explore/run.h"
#include "explore/test_helpers.h"

namespace limpid::explore {
namespace {

std::shared_ptr<const Model> fresh(const std::string& json,
                                   std::shared_ptr<const Tokenizer> tokenizer = byte_tokenizer()) {
  return std::make_shared<const Model>(Model::fresh(network_from_json(json), std::move(tokenizer), 3));
}

constexpr const char* k_inputs =
    R"("inputs":{"vocabulary":256,"width":8,"positions":"learned","context":512})";

std::string block(const std::string& more) {
  return R"({"attention":{"heads":2,"width":4,"out_width":8)" + more + R"(},"feed_forward":{"width":8}})";
}

std::string stack(const std::string& blocks) { return R"("stack":{"layers":2,"blocks":[)" + blocks + "]}"; }

// Every value of the run but those of images, whole.
void expect_windows(Asking& asking, const Trace& trace) {
  for (const auto& [name, value] : trace.values)
    expect_same(asking.told(R"({"ask":"window","name":")" + name + "\"}").arrays.at("numbers"), value.view(),
                name);
}

TEST(Networks, AnEncoderDecoderReadsTheTargetThatIsGiven) {
  const std::string cross = R"({"attention":{"heads":2,"width":4,"out_width":8,"mask":"causal"},
      "cross":{"heads":2,"width":4,"out_width":8},"feed_forward":{"width":8}})";
  Model begun = Model::fresh(
      network_from_json(std::string(R"({"network":"parts",)") + k_inputs + R"(,"encoder":{)" + k_inputs +
                        "," + stack(block("")) + "}," + stack(cross) + R"(,"head":{"kind":"next_word"}})"),
      byte_tokenizer(), 3);
  ModelTasks tasks = begun.tasks();
  tasks.writing.emplace();
  tasks.writing->ends = {0};
  begun.set_tasks(tasks);
  const auto model = std::make_shared<const Model>(std::move(begun));
  Asking asking(model, "ein Hund");
  const Reply opened = asking.told(R"({"ask":"open","target":"a dog"})");
  EXPECT_EQ(opened.json["source_labels"].size(), 8u);
  EXPECT_EQ(opened.json["labels"].size(), 6u);  // with the token that begins it
  EXPECT_EQ(opened.json["text"], "ein Hund");
  TraceOptions options;
  options.target = {0, 'a', ' ', 'd', 'o', 'g'};
  const Trace trace = model->trace("ein Hund", options);
  expect_windows(asking, trace);
  const Reply tile = asking.told(
      R"({"ask":"tile","attention":"blocks.1.cross_attn","head":1,"queries":[0,6],"keys":[0,8]})");
  expect_same(tile.arrays.at("cells"), trace["blocks.1.cross_attn.pattern"].view().window(1, 1, 1), "cross");
  const Reply one = asking.told(R"({"ask":"generate","tokens":1})");
  EXPECT_EQ(one.json["labels"].size(), 7u);
  EXPECT_EQ(one.json["source_labels"].size(), 8u);
  EXPECT_EQ(one.json["text"], "ein Hund");
  EXPECT_EQ(asking.told(R"({"ask":"generate","back":2})").json["labels"].size(), 5u);
  const Reply other = asking.told(R"({"ask":"open","text":"ein Haus"})");  // which is written anew
  EXPECT_EQ(other.json["text"], "ein Haus");
}

TEST(Networks, AClassifierNamesItsClasses) {
  const auto model = fresh(std::string(R"({"network":"parts",)") + k_inputs + "," + stack(block("")) +
                           R"(,"head":{"kind":"classes","outputs":3,"pool":"mean"}})");
  Asking asking(model, "abc");
  const Trace trace = model->trace("abc");
  expect_windows(asking, trace);
  const Reply next = asking.told(R"({"ask":"next"})");
  EXPECT_EQ(next.json["predicts"], "class");
  ASSERT_EQ(next.arrays.at("ids").numbers.size(), 3u);
  for (int64_t i = 0; i < 3; ++i)
    EXPECT_EQ(next.arrays.at("probabilities").at({i}),
              trace["probs"].at({0, static_cast<int64_t>(next.arrays.at("ids").at({i}))}));
  EXPECT_NE(asking.ask(R"({"ask":"generate"})").error().find("does not predict"), std::string::npos);
  EXPECT_NE(asking.ask(R"({"ask":"lens"})").error().find("expected a decoder"), std::string::npos);
}

// What a bias adds is a stage that the kernel has no cells of, beside others that it has.
TEST(Networks, EveryStageOfAttentionIsThereWhateverItAdds) {
  for (const std::string more : {R"("positions":"alibi")", R"("positions":"relative_bias")", R"("softcap":2)",
                                 R"("sinks":true)", R"("window":3)", R"("kv_heads":1)"}) {
    const auto model =
        fresh(std::string(R"({"network":"parts","inputs":{"vocabulary":256,"width":8},)") +
              stack(block(R"(,"mask":"causal",)" + more)) + R"(,"head":{"kind":"next_word"}})");
    Asking asking(model, "abcabcabc");
    const Trace trace = model->trace("abcabcabc");
    expect_windows(asking, trace);
    for (const std::string stage :
         {"raw_scores", "scaled_scores", "capped_scores", "biased_scores", "scores", "pattern"}) {
      const std::string name = "blocks.1.attn." + stage;
      if (!trace.values.count(name)) continue;
      const Reply why = asking.told(R"({"ask":"explain","cell":")" + name + R"([0,1,7,6]"})");
      EXPECT_NEAR(why.json["cells"][0]["combined"].get<double>(), trace[name].at({0, 1, 7, 6}), 1e-5)
          << more << stage;
      const Reply tile = asking.told(
          R"({"ask":"tile","attention":"blocks.1.attn","head":1,"queries":[3,9],"keys":[2,8],"stage":")" +
          stage + "\"}");
      expect_same(tile.arrays.at("cells"), trace[name].view().window(1, 1, 1).window(2, 3, 6).window(3, 2, 6),
                  more + stage);
    }
  }
}

// Relative keys have no fused kernel: the layer runs stage by stage, and its cells are kept whole.
TEST(Networks, AttentionWithoutAKernelHasTilesToo) {
  const auto model = fresh(std::string(R"({"network":"parts",)") + k_inputs + "," +
                           stack(block(R"(,"mask":"causal","positions":"relative_keys")")) +
                           R"(,"head":{"kind":"next_word"}})");
  Asking asking(model, "abcabcabc");
  const Trace trace = model->trace("abcabcabc");
  expect_windows(asking, trace);
  const Reply why = asking.told(R"({"ask":"explain","cell":"blocks.0.attn.pattern[0,1,5,2]"})");
  EXPECT_NEAR(why.json["cells"][0]["combined"].get<double>(), trace["blocks.0.attn.pattern"].at({0, 1, 5, 2}),
              1e-6);
  const Reply tile = asking.told(
      R"({"ask":"tile","attention":"blocks.1.attn","head":1,"stage":"scores","queries":[2,9],"keys":[0,5],"size":9})");
  expect_same(tile.arrays.at("cells"),
              trace["blocks.1.attn.scores"].view().window(1, 1, 1).window(2, 2, 7).window(3, 0, 5), "scores");
  asking.told(R"({"ask":"maps","size":4})");
  EXPECT_EQ(asking.told(R"({"ask":"heads"})").arrays.at("first_token").numbers.size(), 4u);
}

class ImageHost final : public TestHost {
 public:
  ImageHost(std::shared_ptr<const Model> model, Tensor pixels)
      : TestHost({{"images", model}}), model_(model), pixels_(std::move(pixels)) {}
  Subject subject(const std::string&) override { return {model_, pixels_, "a picture"}; }

 private:
  std::shared_ptr<const Model> model_;
  Tensor pixels_;
};

TEST(Networks, AnImageIsReadAsItIs) {
  const auto model = fresh(R"({"network":"parts","inputs":{"width":8},
      "patches":{"channels":1,"height":8,"width":8,"size":4,"tokens":["cls_token"]},)" +
                               stack(block("")) + R"(,"head":{"kind":"classes","outputs":3,"pool":"first"}})",
                           nullptr);
  Tensor pixels(DType::f32, {{Axis::B, 1}, {Axis::K, 1}, {Axis::Y, 8}, {Axis::X, 8}});
  for (int64_t i = 0; i < 64; ++i) pixels.data<float>()[i] = std::sin(static_cast<float>(i));
  ImageHost host(model, pixels);
  Explorer explorer(host, "");
  const auto told = [&](const std::string& request) {
    Reply reply = read_reply(explorer.answer(request));
    EXPECT_EQ(reply.error(), "") << request;
    return reply;
  };
  EXPECT_EQ(told(R"({"ask":"tokens"})").json["labels"], Json::parse(R"(["[CLS]","0,0","0,1","1,0","1,1"])"));
  const Trace trace = model->trace(pixels, {}, "a picture");
  for (const std::string name : {"blocks.1.attn.pattern", "probs", "blocks.0.resid_pre"})
    expect_same(told(R"({"ask":"window","name":")" + name + "\"}").arrays.at("numbers"), trace[name].view(),
                name);
  EXPECT_NE(
      read_reply(explorer.answer(R"({"ask":"open","text":"a"})")).error().find("reads images, no texts"),
      std::string::npos);
  EXPECT_NE(read_reply(explorer.answer(R"({"ask":"open","swaps":[[0,1]]})")).error().find("reads none"),
            std::string::npos);
}

// What a run has computed is not computed again, and of a long text one run serves most questions.
TEST(Networks, WhatIsHeldIsNotRunAgain) {
  Asking asking;
  asking.told(R"({"ask":"next"})");
  asking.told(R"({"ask":"explain","cell":"blocks.1.attn.q[0,1,2,3]"})");
  const int64_t checks = asking.host.checks;
  asking.told(R"({"ask":"next","temperature":0.3})");
  asking.told(R"({"ask":"window","name":"blocks.1.attn.q"})");
  asking.told(R"({"ask":"stages"})");
  EXPECT_LE(asking.host.checks, checks + 2);  // sizes alone are a run of nothing

  const auto model =
      fresh(std::string(R"({"network":"parts",)") + R"("inputs":{"vocabulary":256,"width":8},)" +
            stack(block(R"(,"mask":"causal","rotary":{"width":4},"positions":"rotary")")) +
            R"(,"head":{"kind":"next_word"}})");
  Asking long_text(model, std::string(5000, 'x') + "y");
  long_text.told(R"({"ask":"maps"})");
  const int64_t after = long_text.host.checks;
  long_text.told(R"({"ask":"next"})");
  long_text.told(R"({"ask":"heads","measured":false})");
  long_text.told(R"({"ask":"maps","size":8})");
  EXPECT_EQ(long_text.host.checks, after);
  long_text.told(
      R"({"ask":"tile","attention":"blocks.0.attn","head":0,"queries":[4000,4100],"keys":[10,90]})");
  EXPECT_LE(long_text.host.checks, after + 4);
}

// However much that is: what is asked beside it makes room of itself alone.
TEST(Networks, WhatALongTextKeepsIsNotForgotten) {
  const auto model =
      fresh(std::string(R"({"network":"parts",)") + R"("inputs":{"vocabulary":256,"width":8},)" +
            stack(block(R"(,"mask":"causal","rotary":{"width":4},"positions":"rotary")")) +
            R"(,"head":{"kind":"next_word"}})");
  TestHost host({{"m", model}});
  Opened opened;
  opened.subject = host.subject("m");
  opened.tokens.assign(5000, 'x');
  explore::Run run(opened, host, 0);
  const std::vector<Observation> map = {{"blocks.0.attn.pattern", Depth::map, run.kept_map()}};
  run.read(map);
  const int64_t after = host.checks;
  run.read({{"blocks.0.attn.pattern", Depth::shape}});
  run.read(map);
  run.read("blocks.0.attn.rot_q");
  EXPECT_LE(host.checks, after + 2);  // sizes alone are a run of nothing

  run.read("blocks.0.attn_out");
  run.read("blocks.0.mlp_out");
  EXPECT_EQ(run.trace().values.count("blocks.0.attn_out"), 0u) << "it made room";
  EXPECT_EQ(run.trace().values.count("blocks.0.mlp_out"), 1u);
  const int64_t computed = host.checks;
  run.read(map);
  run.read("blocks.0.attn.rot_q");
  run.read({{"probs", Depth::rows, 0, {-1}}});
  EXPECT_EQ(host.checks, computed);
  run.read("blocks.0.attn_out");
  EXPECT_GT(host.checks, computed);
}

}  // namespace
}  // namespace limpid::explore
