// Encoder-decoders: folders of the hub, read and run by what a user calls, held to what transformers computed
// for the same weights (LIMPID_DATA: conformance/families).
#include <cstring>

#include "family_test.h"
#include "limpid/trace.h"

namespace limpid {
namespace {

class EncoderDecoders : public Families {
 protected:
  double tolerance() const { return GetParam().logits; }
};

TEST_P(EncoderDecoders, GiveTheReferencesNumbers) {
  const Model m = model();
  TraceOptions options;
  options.target = row_of(golden.at("in.decoder_input_ids"), 0);
  const Trace trace = m.trace(row_of(golden.at("in.input_ids"), 0), options);
  EXPECT_EQ(trace.source.size(), 11u);
  EXPECT_EQ(trace.tokens.size(), 5u);
  EXPECT_LE(difference(trace["logits"], golden.at("out.logits")), tolerance());
  EXPECT_LE(difference(trace["encoder.last_hidden_state"], golden.at("out.encoder_last_hidden_state")), 2e-5);
  const std::pair<const char*, const char*> maps[] = {{"encoder.blocks.", "encoder"}, {"blocks.", "decoder"}};
  for (int layer = 0; layer < 2; ++layer) {
    for (const auto& [ours, theirs] : maps) {
      EXPECT_LE(difference(trace[join(ours, layer, ".attn.pattern")],
                           golden.at(join("out.", theirs, "_attentions.", layer))),
                2e-5)
          << theirs << layer;
      EXPECT_LE(difference(trace[join(ours, layer, ".resid_pre")],
                           golden2.at(join("out.", theirs, "_hidden_states.", layer))),
                2e-5)
          << theirs << layer;
    }
    EXPECT_LE(difference(trace[join("blocks.", layer, ".cross_attn.pattern")],
                         golden.at(join("out.cross_attentions.", layer))),
              2e-5);
  }
  EXPECT_LE(difference(trace["last_hidden_state"], golden2.at("out.decoder_hidden_states.2")), 2e-5);
  EXPECT_LE(difference(trace["encoder.last_hidden_state"], golden2.at("out.encoder_hidden_states.2")), 2e-5);
}

// Sources of different lengths, padded in the reference.
TEST_P(EncoderDecoders, RunABatchOfDifferentLengths) {
  const Model m = model();
  const Tensor &ids = golden2.at("in.input_ids"), &seen = golden2.at("in.attention_mask"),
               &written = golden2.at("in.decoder_input_ids"), &expected = golden2.at("out.logits");
  TokenBatch batch;
  for (int64_t b = 0; b < 2; ++b) {
    batch.sources.push_back(seen_of(ids, seen, b));
    batch.ids.push_back(row_of(written, b));
  }
  const RunResult result = m.run(batch, {.keep = {"logits"}});
  EXPECT_LE(difference(result["logits"], expected), tolerance());
  for (size_t b = 0; b < 2; ++b) {  // alone it has the same bits
    const RunResult alone = m.run(TokenBatch{{batch.ids[b]}, {}, {batch.sources[b]}}, {.keep = {"logits"}});
    const Tensor own = Tensor::copy_of(result["logits"].view().window(0, static_cast<int64_t>(b), 1));
    EXPECT_EQ(std::memcmp(own.raw(), alone["logits"].raw(), own.bytes()), 0) << b;
  }
}

TEST_P(EncoderDecoders, WriteTheReferencesTokens) {
  const Model m = model();
  ASSERT_TRUE(m.tasks().writing);
  EXPECT_EQ(m.tasks().writing->start, static_cast<int64_t>(golden2.at("in.decoder_start_token_id").at({0})));
  const Tensor &ids = golden2.at("in.input_ids"), &seen = golden2.at("in.attention_mask");
  GenerateOptions options;
  options.tokens = golden2.at("out.generated_ids").shape()[1].size;
  options.stop_at_end = false;
  for (int64_t b = 0; b < 2; ++b) {
    const std::vector<int64_t> source = seen_of(ids, seen, b),
                               expected = row_of(golden2.at("out.generated_ids"), b);
    for (bool cache : {true, false}) {
      options.cache = cache;
      EXPECT_EQ(m.generate(source, options), expected) << (cache ? "kept" : "read anew");
    }
    // Every step's logits have the bits of a run of the whole text.
    Session session = m.session(source);
    std::vector<int64_t> text = {m.tasks().writing->start};
    for (int64_t id : expected) {
      const Tensor kept = session.extend({text.back()});
      const RunResult whole = m.run(TokenBatch{{text}, {}, {source}}, {.keep = {"logits"}});
      const Tensor& logits = whole["logits"];
      EXPECT_EQ(std::memcmp(logits.data<float>() + logits.count() - kept.count(), kept.raw(), kept.bytes()),
                0)
          << "after " << text.size() << " tokens";
      text.push_back(id);
    }
  }
}

TEST_P(EncoderDecoders, HaveTheReferencesGradients) {
  const std::filesystem::path file = folder / "golden_grad.safetensors";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "the reference has no gradients";
  const auto [content, expected] = gradients_of(file);
  const Model m = model();
  Graph graph(operations());
  build(graph, m.config(), Purpose::train);
  differentiate(graph, graph.handle(graph.require("loss")));
  const Tensor source = content.at("in.input_ids").to(DType::i64),
               targets = content.at("in.labels").to(DType::i64);
  const int64_t rows = targets.shape()[0].size, length = targets.shape()[1].size;
  Tensor tokens(DType::i64, targets.shape());  // the labels behind the start token
  for (int64_t b = 0; b < rows; ++b)
    for (int64_t t = 0; t < length; ++t)
      tokens.data<int64_t>()[b * length + t] =
          t == 0 ? m.tasks().writing->start : targets.data<int64_t>()[b * length + t - 1];
  const Tensor lengths = Tensor::of<int64_t>(
      {{Axis::B, rows}}, std::vector<int64_t>(static_cast<size_t>(rows), source.shape()[1].size));
  expect_gradients(
      m, graph, {{"tokens", tokens}, {"targets", targets}, {"source", source}, {"source_lengths", lengths}},
      expected, content.at("loss").at({0}));
}

TEST_P(EncoderDecoders, AreSavedAsLimpidsOwn) {
  const Model m = model();
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / join("limpid-beside-", ::getpid(), ".safetensors");
  m.save(file.string());
  const Model again = Model::load(file.string());
  std::filesystem::remove(file);
  EXPECT_EQ(again.hash(), m.hash());
  const std::vector<int64_t> source = row_of(golden.at("in.input_ids"), 0);
  EXPECT_EQ(again.generate(source, {.tokens = 6}), m.generate(source, {.tokens = 6}));
}

TEST_P(EncoderDecoders, SayWhatTheyNeed) {
  const Model m = model();
  const auto said = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing";
  };
  EXPECT_NE(said([&] { m.run(TokenBatch{{{5, 6}}, {}}, {}); }).find("source"), std::string::npos);
  EXPECT_NE(said([&] { m.run(golden.at("in.input_ids"), {}); }).find("source"), std::string::npos);
  EXPECT_NE(said([&] { m.session(); }).find("source"), std::string::npos);
  EXPECT_NE(said([&] { m.session({}); }).find("at least one"), std::string::npos);
  EXPECT_NE(said([&] { Model::builtin().session({1}); }).find("no encoder"), std::string::npos);
  EXPECT_NE(said([&] { Model::builtin().run(TokenBatch{{{1}}, {}, {{1}}}, {}); }).find("no encoder"),
            std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Hub, EncoderDecoders,
                         testing::Values(Case{"t5", 3e-5}, Case{"bart"}, Case{"marian"}), name_of);

}  // namespace
}  // namespace limpid
