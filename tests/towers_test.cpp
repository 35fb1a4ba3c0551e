// Networks of texts and images: what a user calls, held to what transformers computed (LIMPID_DATA:
// conformance/families/clip).
#include <cmath>

#include "family_test.h"
#include "limpid/tasks.h"

namespace limpid {
namespace {

class Pairs : public Families {
 protected:
  static TokenBatch texts(const std::map<std::string, Tensor>& from) {
    TokenBatch batch;
    const Tensor& ids = from.at("in.input_ids");
    for (int64_t b = 0; b < ids.shape()[0].size; ++b)
      batch.ids.push_back(from.count("in.attention_mask") ? seen_of(ids, from.at("in.attention_mask"), b)
                                                          : row_of(ids, b));
    return batch;
  }
  static void expect_outputs(const RunResult& got, const std::map<std::string, Tensor>& expected) {
    EXPECT_LE(difference(got["unit_embedding"], expected.at("out.text_embeds")), 2e-5);
    EXPECT_LE(difference(got["image.unit_embedding"], expected.at("out.image_embeds")), 2e-5);
    EXPECT_LE(difference(got["logits"], expected.at("out.logits_per_image")), 2e-5);
  }
};

const RunOptions k_all = {.keep = {"unit_embedding", "image.unit_embedding", "logits"}};

TEST_P(Pairs, GiveTheReferencesNumbers) {
  const Model m = model();
  expect_outputs(m.run(texts(golden), golden.at("in.pixel_values"), k_all), golden);
  expect_outputs(m.run(texts(golden2), golden2.at("in.pixel_values"), k_all), golden2);
}

// One text and two images: lists of different lengths, and the numbers of each pair as before.
TEST_P(Pairs, AreOfListsOfAnyLength) {
  const Model m = model();
  TokenBatch one = texts(golden2);
  one.ids.resize(1);
  const Tensor got = m.run(one, golden2.at("in.pixel_values"), k_all)["logits"];
  ASSERT_EQ(got.shape().sizes(), (std::vector<int64_t>{2, 1}));
  const Tensor all = m.run(texts(golden2), golden2.at("in.pixel_values"), k_all)["logits"];
  for (int64_t i = 0; i < 2; ++i) EXPECT_EQ(got.at({i, 0}), all.at({i, 0}));
}

TEST_P(Pairs, NeedOnlyWhatIsAskedFor) {
  const Model m = model();
  const RunResult images =
      m.run(TokenBatch{}, golden.at("in.pixel_values"), {.keep = {"image.unit_embedding"}});
  EXPECT_LE(difference(images["image.unit_embedding"], golden.at("out.image_embeds")), 2e-5);
  const RunResult words = m.run(texts(golden), Tensor(), {.keep = {"unit_embedding"}});
  EXPECT_LE(difference(words["unit_embedding"], golden.at("out.text_embeds")), 2e-5);
  EXPECT_THROW(m.run(TokenBatch{}, golden.at("in.pixel_values"), k_all), Error);
}

void expect_tower(const Trace& trace, const std::map<std::string, Tensor>& expected,
                  const std::string& name) {
  for (int layer = 0; layer < 2; ++layer) {
    EXPECT_LE(difference(trace[join("blocks.", layer, ".attn.pattern")],
                         expected.at(join("out.", name, ".attentions.", layer))),
              2e-5);
    EXPECT_LE(difference(trace[join("blocks.", layer, ".resid_pre")],
                         expected.at(join("out.", name, ".hidden_states.", layer))),
              2e-5);
  }
  EXPECT_LE(difference(trace["blocks.1.resid_post"], expected.at(join("out.", name, ".hidden_states.2"))),
            2e-5);
}

TEST_P(Pairs, AreTracedByTheirTowers) {
  Model m = model();
  const Trace words = m.trace(row_of(golden.at("in.input_ids"), 0));
  expect_tower(words, golden2, "text");
  EXPECT_EQ(words.token_word, "token");
  const Trace picture = m.trace(golden.at("in.pixel_values"));
  expect_tower(picture, golden2, "vision");
  EXPECT_EQ(picture.token_word, "patch");
  EXPECT_EQ(m.tower(Tower::images).parameter("patch_embed.W").count(),
            m.parameter("image.patch_embed.W").count());
  const Model taken = std::move(m).take_tower(Tower::texts);
  EXPECT_LE(difference(taken.trace(row_of(golden.at("in.input_ids"), 0))["ln_final.normalized"],
                       words["ln_final.normalized"]),
            0);
}

TEST_P(Pairs, AreSavedAsLimpidsOwn) {
  const Model m = model();
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / join("limpid-towers-", ::getpid(), ".safetensors");
  m.save(file.string());
  const Model again = Model::load(file.string());
  EXPECT_EQ(again.hash(), m.hash());
  expect_outputs(again.run(texts(golden), golden.at("in.pixel_values"), k_all), golden);
  std::filesystem::remove(file);
}

TEST_P(Pairs, SayWhatTheyCannotDo) {
  const Model m = model();
  EXPECT_THROW(m.session(), Error);
  EXPECT_THROW(m.evaluate(std::vector<int64_t>{3, 4, 5}), Error);
  EXPECT_FALSE(m.can_extend());
  EXPECT_THROW(match_texts(m, {image_file("no such file")}, {}), Error);
  EXPECT_THROW(m.tower(Tower::texts).tower(Tower::texts), Error);
}

INSTANTIATE_TEST_SUITE_P(Clip, Pairs, testing::Values(Case{"clip"}), name_of);

// ---- drawn networks: the loss of pairs -------------------------------------------------------------

Architecture small_pairs(bool sigmoid) {
  BlockOptions block;
  block.attention = {.heads = 2, .width = 4, .out_width = 8, .bias = true, .out_bias = true};
  block.feed_forward.width = 12;
  Architecture a;
  a.family = "pairs";
  a.inputs = {.vocabulary = 11, .width = 8, .positions = Positions::learned, .context = 6};
  a.stack = {.layers = 1, .blocks = {block}};
  a.stack.blocks[0].attention.mask = Mask::causal;
  a.head = {.kind = Head::embedding, .tied = false, .pool = Pool::last, .outputs = 5};
  ImageTower images;
  images.width = 8;
  images.patches = {.channels = 1, .height = 4, .width = 4, .size = 2, .tokens = {"cls_token"}};
  images.stack = {.layers = 1, .blocks = {block}};
  images.head = {.kind = Head::embedding, .tied = false, .outputs = 5};
  images.sigmoid = sigmoid;
  a.images = images;
  return a;
}

// Every parameter's gradient against quotients of differences, in double.
TEST(PairsLoss, HasTheGradientOfItsDifferences) {
  const Model m = Model::fresh(small_pairs(false), nullptr, 3);
  Graph graph(operations());
  build(graph, m.config(), Purpose::train);
  const Stage loss = graph.handle(graph.require("loss"));
  differentiate(graph, loss);
  Engine engine(graph);
  std::map<std::string, Tensor> parameters;
  for (const auto& [name, value] : m.parameters()) parameters[name] = value.to(DType::f64);
  parameters["pairs.log_scale"].data<double>()[0] = 0.7;
  const Tensor tokens =
                   Tensor::of<int64_t>({{Axis::B, 3}, {Axis::T, 4}}, {1, 2, 3, 0, 4, 5, 0, 0, 6, 7, 8, 9}),
               lengths = Tensor::of<int64_t>({{Axis::B, 3}}, {3, 2, 4}),
               targets = Tensor::of<int64_t>({{Axis::B, 3}}, {0, 1, 2});
  Tensor pixels(DType::f64, {{Axis::B, 3}, {Axis::K, 1}, {Axis::Y, 4}, {Axis::X, 4}});
  for (int64_t i = 0; i < pixels.count(); ++i) pixels.data<double>()[i] = std::sin(static_cast<double>(i));
  const auto bound = [&] {
    std::map<std::string, ConstView> all = {
        {"tokens", tokens}, {"lengths", lengths}, {"targets", targets}, {"pixels", pixels}};
    for (const auto& [name, value] : parameters) all[name] = value;
    return all;
  };
  std::vector<std::string> keep = {"loss"};
  for (const auto& [name, value] : parameters) keep.push_back(name + ".grad");
  const RunResult result = engine.run(bound(), {.real = DType::f64, .keep = keep});
  const auto loss_now = [&] {
    return engine.run(bound(), {.real = DType::f64, .keep = {"loss"}})["loss"].at({});
  };
  for (auto& [name, value] : parameters) {
    const Tensor& gradient = result[name + ".grad"];
    for (int64_t i = 0; i < value.count(); i += std::max<int64_t>(1, value.count() / 7)) {
      double& x = value.data<double>()[i];
      const double kept = x, h = 1e-5;
      x = kept + h;
      const double above = loss_now();
      x = kept - h;
      const double below = loss_now();
      x = kept;
      EXPECT_NEAR(gradient.data<double>()[i], (above - below) / (2 * h), 1e-7) << name << " " << i;
    }
  }
}

TEST(PairsLoss, IsNotThatOfPairsEachByItself) {
  Graph graph(operations());
  EXPECT_THROW(build(graph, small_pairs(true), Purpose::train), Error);
}

TEST(PairsDescription, IsCheckedAndReadBack) {
  for (const bool sigmoid : {false, true}) {
    const NetworkConfig config = small_pairs(sigmoid);
    EXPECT_EQ(to_json(network_from_json(to_json(config))), to_json(config));
  }
  Architecture a = small_pairs(false);
  a.images->head.outputs = 4;
  Graph graph(operations());
  EXPECT_THROW(build(graph, a), Error);
  a = small_pairs(false);
  a.head.kind = Head::next_word;
  EXPECT_THROW(build(graph, a), Error);
}

}  // namespace
}  // namespace limpid
