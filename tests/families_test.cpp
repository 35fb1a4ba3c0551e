// Families of real models: folders of the hub, read and run by what a user calls, held to what transformers
// computed for the same weights (LIMPID_DATA: conformance/families).
#include <algorithm>
#include <cstring>

#include "family_test.h"
#include "limpid/tasks.h"
#include "limpid/trace.h"

namespace limpid {
namespace {

std::string output_of(const Model& model) {
  return model.graph().find("logits") >= 0 ? "logits" : "last_hidden_state";
}

TEST_P(Families, GiveTheReferencesNumbers) {
  const Model m = model();
  const Trace trace = m.trace(row_of(golden.at("in.input_ids"), 0), {});
  EXPECT_LE(difference(trace[output_of(m)], golden.at("out.logits")), GetParam().logits);
  int layers = 0;
  for (; golden.count(join("out.attentions.", layers)); ++layers)
    EXPECT_LE(difference(trace[join("blocks.", layers, ".attn.pattern")],
                         golden.at(join("out.attentions.", layers))),
              2e-5)
        << "layer " << layers;
  EXPECT_EQ(layers, 2);
  for (int i = 0; i <= layers; ++i) {
    const std::string name = i == layers ? "last_hidden_state" : join("blocks.", i, ".resid_pre");
    EXPECT_LE(difference(trace[name], golden2.at(join("out.hidden_states.", i))), 2e-5) << name;
  }
}

TEST_P(Families, AreSavedAsLimpidsOwn) {
  const Model m = model();
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / join("limpid-family-", ::getpid(), ".safetensors");
  m.save(file.string());
  EXPECT_EQ(Model::load(file.string()).hash(), m.hash());
  std::filesystem::remove(file);
}

// What is padded, on either side, is a list of texts of different lengths here.
TEST_P(Families, RunABatchOfDifferentLengths) {
  const Model m = model();
  const Tensor &ids = golden2.at("in.input_ids"), &seen = golden2.at("in.attention_mask"),
               &expected = golden2.at("out.logits");
  TokenBatch batch;
  std::vector<int64_t> first;
  for (int64_t b = 0; b < 2; ++b) {
    int64_t begin = 0, end = ids.shape()[1].size;
    while (seen.at({b, begin}) == 0) ++begin;
    while (seen.at({b, end - 1}) == 0) --end;
    batch.ids.push_back(row_of(ids, b, begin, end));
    first.push_back(begin);
  }
  const RunResult result = m.run(batch, {.keep = {"logits"}});
  const Tensor& got = result["logits"];
  for (int64_t b = 0; b < 2; ++b) {
    const auto length = static_cast<int64_t>(batch.ids[static_cast<size_t>(b)].size());
    EXPECT_LE(difference(got.view().window(0, b, 1).window(1, 0, length),
                         expected.view().window(0, b, 1).window(1, first[static_cast<size_t>(b)], length)),
              GetParam().logits)
        << "text " << b;
    // Alone it has the same bits.
    const TokenBatch one = {{batch.ids[static_cast<size_t>(b)]}, {}};
    const Tensor alone = Tensor::copy_of(got.view().window(0, b, 1).window(1, 0, length));
    const RunResult again = m.run(one, {.keep = {"logits"}});
    EXPECT_EQ(std::memcmp(alone.raw(), again["logits"].raw(), alone.bytes()), 0) << "text " << b;
  }
  if (!golden2.count("in.pair.token_type_ids")) return;
  const TokenBatch pair = {{row_of(golden2.at("in.pair.input_ids"), 0)},
                           {row_of(golden2.at("in.pair.token_type_ids"), 0)}};
  const RunResult typed = m.run(pair, {.keep = {"last_hidden_state"}});
  const std::string last = m.graph().value(m.graph().require("last_hidden_state")).name;
  EXPECT_LE(difference(typed[last], golden2.at("out.pair.last_hidden_state")), 2e-5);
}

TEST_P(Families, WriteTheReferencesTokens) {
  if (!golden2.count("in.prompt_ids")) GTEST_SKIP() << "it writes no text";
  const Model m = model();
  GenerateOptions options;
  options.tokens = golden2.at("out.generated_ids").count();
  for (bool cache : {true, false}) {
    options.cache = cache;
    EXPECT_EQ(m.generate(row_of(golden2.at("in.prompt_ids"), 0), options),
              row_of(golden2.at("out.generated_ids"), 0))
        << (cache ? "keys and values kept" : "read anew");
  }
  if (!m.can_extend()) return;
  // Every step's logits have the bits of a run of the whole text.
  std::vector<int64_t> ids = row_of(golden2.at("in.prompt_ids"), 0);
  Session session = m.session();
  for (int64_t id : row_of(golden2.at("out.generated_ids"), 0)) {
    const Tensor kept =
        session.extend({ids.begin() + static_cast<std::ptrdiff_t>(session.length()), ids.end()});
    const RunResult whole = m.run(TokenBatch{{ids}, {}}, {.keep = {"logits"}});
    const Tensor& logits = whole["logits"];
    EXPECT_EQ(std::memcmp(logits.data<float>() + logits.count() - kept.count(), kept.raw(), kept.bytes()), 0)
        << "after " << ids.size() << " tokens";
    ids.push_back(id);
  }
}

TEST_P(Families, HaveTheReferencesGradients) {
  const std::filesystem::path file = folder / "golden_grad.safetensors";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "the reference has no gradients";
  const auto [content, expected] = gradients_of(file);
  const Tensor &ids = content.at("in.input_ids"), &labels = content.at("in.labels");
  const Model m = model();
  Graph graph(operations());
  build(graph, m.config(), Purpose::train);
  differentiate(graph, graph.handle(graph.require("loss")));
  const bool next = predicts_next_token(m.config());
  Tensor targets(DType::i64, ids.shape()), tokens = ids.to(DType::i64), types(DType::i64, ids.shape());
  const int64_t rows = ids.shape()[0].size, length = ids.shape()[1].size;
  for (int64_t b = 0; b < rows; ++b)
    for (int64_t t = 0; t < length; ++t) {
      const int64_t at = next ? t + 1 : t;
      targets.data<int64_t>()[b * length + t] = at < length ? static_cast<int64_t>(labels.at({b, at})) : -1;
      types.data<int64_t>()[b * length + t] = 0;
    }
  const Tensor lengths =
      Tensor::of<int64_t>({{Axis::B, rows}}, std::vector<int64_t>(static_cast<size_t>(rows), length));
  std::map<std::string, ConstView> bound = {{"tokens", tokens}, {"targets", targets}};
  if (graph.find("lengths") >= 0) bound["lengths"] = lengths;
  if (graph.find("token_types") >= 0) bound["token_types"] = types;
  expect_gradients(m, graph, bound, expected, content.at("loss").at({0}));
}

// A network of hidden words says what stands at a place; no page speaks of a next token.
TEST(HiddenWords, PredictNoNextToken) {
  Architecture a;
  a.inputs = {.vocabulary = 256, .width = 8};
  BlockOptions block;
  block.attention.heads = 2;
  block.attention.width = 4;
  block.attention.out_width = 8;
  block.feed_forward.width = 12;
  a.stack = {.layers = 1, .blocks = {block}};
  a.head.kind = Head::masked_word;
  const Trace trace = Model::fresh(a, byte_tokenizer(), 3).trace("Life");
  for (const std::string& said : {page(trace, {}), key_insight(trace)}) {
    EXPECT_EQ(said.find("next"), std::string::npos) << said;
    EXPECT_NE(said.find("t \"e\""), std::string::npos) << said;  // At "e", The likeliest at "e"
  }
}

// ---- images ----------------------------------------------------------------------------------------

class Images : public Families {};

TEST_P(Images, GiveTheReferencesNumbers) {
  const Model m = model();
  const Trace trace = m.trace(golden.at("in.pixel_values"));
  EXPECT_LE(difference(trace["logits"], golden.at("out.logits")), GetParam().logits);
  for (int layer = 0; layer < 2; ++layer) {
    EXPECT_LE(
        difference(trace[join("blocks.", layer, ".attn.pattern")], golden.at(join("out.attentions.", layer))),
        2e-5);
    EXPECT_LE(difference(trace[join("blocks.", layer, ".resid_pre")],
                         golden2.at(join("out.hidden_states.", layer))),
              2e-5);
  }
  EXPECT_LE(difference(trace["blocks.1.resid_post"], golden2.at("out.hidden_states.2")),
            2e-5);  // before the norm
  EXPECT_EQ(trace.tokens.front().label, "[CLS]");
  EXPECT_EQ(trace.tokens.back().label, "3,3");
  const std::string last = m.graph().value(m.graph().require("last_hidden_state")).name;
  const RunResult batch = m.run(golden2.at("in.pixel_values"), {.keep = {"logits", last}});
  EXPECT_LE(difference(batch["logits"], golden2.at("out.logits")), GetParam().logits);
  EXPECT_LE(difference(batch[last], golden2.at("out.last_hidden_state")), 2e-5);
}

TEST_P(Images, HaveTheReferencesGradients) {
  const std::filesystem::path file = folder / "golden_grad.safetensors";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "the reference has no gradients";
  const auto [content, expected] = gradients_of(file);
  const Model m = model();
  Graph graph(operations());
  build(graph, m.config(), Purpose::train);
  differentiate(graph, graph.handle(graph.require("loss")));
  const Tensor targets = content.at("in.labels").to(DType::i64);
  std::map<std::string, ConstView> bound = {{"pixels", content.at("in.pixel_values")}, {"targets", targets}};
  expect_gradients(m, graph, bound, expected, content.at("loss").at({0}));
}

TEST_P(Images, RefuseWhatIsNoImage) {
  const Model m = model();
  EXPECT_THROW(m.trace(std::vector<int64_t>{1, 2}), Error);
  EXPECT_THROW(m.trace("Life is short"), Error);
  EXPECT_THROW(m.trace(Tensor(DType::f32, Shape::unnamed({1, 3, 16, 15}))), Error);
}

// Digits: published networks of vit-pytorch, whose reference is what their author's own class gave.
struct DigitsCase {
  std::string name;
  int layers;
};
void PrintTo(const DigitsCase& c, std::ostream* out) { *out << c.name; }

class Digits : public testing::TestWithParam<DigitsCase> {
 protected:
  void SetUp() override {
    folder = data_folder("models/" + GetParam().name);
    if (folder.empty())
      GTEST_SKIP() << "no models/" << GetParam().name << " (LIMPID_DATA names the data folder)";
    golden = read_safetensors(folder / "golden.safetensors").tensors;
    images = read_safetensors(folder / "images.safetensors").tensors;
  }
  Tensor image(int64_t i) const {
    Tensor one = Tensor::copy_of(images.at("pixels").view().window(0, i, 1));
    one.reshape({{Axis::Y, 28}, {Axis::X, 28}, {Axis::K, 1}});
    return one;
  }

  std::filesystem::path folder;
  std::map<std::string, Tensor> golden, images;
};

TEST_P(Digits, GiveTheReferencesNumbers) {
  const Model m = Model::load(folder.string());
  const int64_t shown[] = {0, 4, 8};  // of these the reference has every layer
  for (int64_t n = 0; n < 3; ++n) {
    const Trace trace = m.trace(m.image_input(image(shown[n])));
    const auto expect = [&](const std::string& ours, const std::string& theirs) {
      EXPECT_LE(difference(trace[ours], golden.at(theirs).view().window(0, n, 1)), 1e-5)
          << ours << ", image " << n;
    };
    for (int layer = 0; layer < GetParam().layers; ++layer) {
      expect(join("blocks.", layer, ".attn.pattern"), join("out.attentions.", layer));
      expect(join("blocks.", layer, ".resid_pre"), join("out.hidden_states.", layer));
      expect(join("blocks.", layer, ".resid_post"), join("out.hidden_states.", layer + 1));
    }
  }
}

TEST_P(Digits, AreToldApart) {
  const Model m = Model::load(folder.string());
  std::vector<ImageSource> all;
  for (int64_t i = 0; i < 12; ++i) all.push_back({join("image ", i), [this, i] { return image(i); }});
  for (const int64_t batch : {1, 5, 32}) {
    const Classes classes = classify_images(m, all, {.batch = batch});
    for (int64_t i = 0; i < 12; ++i) {
      const Classified& one = classes.texts[static_cast<size_t>(i)];
      EXPECT_EQ(one.text, join("image ", i));
      EXPECT_EQ(one.classes[0].name, join(images.at("labels").at({i}))) << "image " << i;
      for (const ClassScore& score : one.classes)
        EXPECT_NEAR(score.logit, golden.at("out.logits").at({i, score.id}), 2e-5) << "image " << i;
    }
  }
  const Embeddings e = embed_images(m, all);
  EXPECT_EQ(e.pooling, Pooling::cls);
  EXPECT_EQ(e.vectors.shape()[0].size, 12);
}

TEST_P(Digits, AreSavedWithWhatTheirImagesGoThrough) {
  const Model m = Model::load(folder.string());
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / join("limpid-digits-", ::getpid(), ".safetensors");
  m.save(file.string());
  const Model again = Model::load(file.string());
  std::filesystem::remove(file);
  const Tensor before = m.image_input(image(3)), after = again.image_input(image(3));
  EXPECT_EQ(std::memcmp(before.raw(), after.raw(), before.bytes()), 0);
  EXPECT_EQ(again.tasks().classes, m.tasks().classes);
}

TEST(ImageInput, IsOfNetworksThatReadImages) {
  const Model words = Model::builtin();
  const Tensor image(DType::u8, {{Axis::Y, 2}, {Axis::X, 2}, {Axis::K, 1}});
  EXPECT_THROW(words.image_input(image), Error);
  EXPECT_THROW(classify_images(words, {{"a", [&] { return image; }}}), Error);
  EXPECT_THROW(embed_images(words, {}), Error);
}

INSTANTIATE_TEST_SUITE_P(VitPytorch, Digits,
                         testing::Values(DigitsCase{"vit-mnist-138k", 4}, DigitsCase{"vit-mnist-371", 1}),
                         [](const auto& info) {
                           std::string name = info.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// ---- series ----------------------------------------------------------------------------------------

class Series : public Families {};

TEST_P(Series, GiveTheReferencesNumbers) {
  const Model m = model();
  const Trace trace = m.trace(golden.at("in.past_values"));
  EXPECT_LE(difference(trace["prediction"], golden.at("out.prediction_outputs")), GetParam().logits);
  EXPECT_LE(difference(trace["scaled.loc"], golden.at("out.loc")), 1e-6);
  EXPECT_LE(difference(trace["scaled.scale"], golden.at("out.scale")), 1e-6);
  for (int layer = 0; layer < 2; ++layer) {
    EXPECT_LE(difference(trace[join("blocks.", layer, ".attn.pattern")],
                         golden2.at(join("out.attentions.", layer))),
              2e-5);
    EXPECT_LE(difference(trace[join("blocks.", layer, ".resid_pre")],
                         golden2.at(join("out.hidden_states.", layer))),
              2e-5);
  }
  EXPECT_EQ(trace.tokens.front().label, "0-7");
  EXPECT_EQ(trace.tokens.back().label, "24-31");
}

TEST_P(Series, LeaveOutWhatWasNotObserved) {
  const Model m = model();
  Graph graph(operations());
  build(graph, m.config());
  const Tensor observed = golden2.at("in.past_observed_mask").to(DType::i64);
  std::map<std::string, ConstView> bound = {{"values", golden2.at("in.past_values")}, {"observed", observed}};
  for (const auto& [name, tensor] : m.parameters()) bound[name] = tensor;
  const RunResult result = Engine(graph).run(bound, {.keep = {"prediction", "scaled.loc", "scaled.scale"}});
  EXPECT_LE(difference(result["prediction"], golden2.at("out.prediction_outputs")), GetParam().logits);
  EXPECT_LE(difference(result["scaled.loc"], golden2.at("out.loc")), 1e-6);
  EXPECT_LE(difference(result["scaled.scale"], golden2.at("out.scale")), 1e-6);
}

TEST_P(Series, RefuseWhatIsNoSeries) {
  const Model m = model();
  EXPECT_THROW(m.trace("Life is short"), Error);
  EXPECT_THROW(m.trace(std::vector<int64_t>{1, 2}), Error);
  EXPECT_THROW(m.trace(Tensor(DType::f32, Shape::unnamed({1, 31, 2}))), Error);
}

INSTANTIATE_TEST_SUITE_P(Forecasts, Series, testing::Values(Case{"patchtst"}), name_of);
INSTANTIATE_TEST_SUITE_P(Decoders, Families,
                         testing::Values(Case{"gpt2"}, Case{"gpt_neo"}, Case{"gptj"}, Case{"gpt_neox"},
                                         Case{"opt"}, Case{"bloom"}, Case{"llama"}, Case{"mistral"},
                                         Case{"qwen2"}, Case{"qwen3"}, Case{"gemma"}, Case{"gemma2"},
                                         Case{"gemma3_text"}, Case{"phi3"}, Case{"starcoder2"}),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Vision, Images, testing::Values(Case{"vit"}, Case{"deit"}), name_of);
INSTANTIATE_TEST_SUITE_P(Encoders, Families,
                         testing::Values(Case{"bert"}, Case{"distilbert"}, Case{"roberta"}, Case{"albert"},
                                         Case{"electra"}, Case{"mpnet"}),
                         name_of);

}  // namespace
}  // namespace limpid
