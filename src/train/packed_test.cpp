// Texts one behind another give the loss and the gradients of the same texts side by side.
#include <gtest/gtest.h>

#include <cmath>

#include "limpid/train.h"
#include "train/evaluate.h"
#include "train/task_data.h"
#include "train/test_helpers.h"

namespace limpid {
namespace {

struct Gradients {
  double loss = 0;
  std::map<std::string, Tensor> gradients;
};

Gradients gradients_of(const PreparedTask& task, bool packed, bool fused) {
  Graph graph(operations());
  build_training(graph, task.recipe.network, packed);
  const Model model = Model::fresh(task.recipe.network, task.tokenizer, 7);
  Batch batch = task.data->batch(0, packed);
  RunOptions options;
  options.keep = {"loss"};
  for (const auto& [name, tensor] : model.parameters()) options.keep.push_back(name + ".grad");
  options.plain = !fused;
  const RunResult result = Engine(graph).run(bindings(graph, model.parameters(), batch), options);
  Gradients out;
  out.loss = result["loss"].at({});
  for (const auto& [name, tensor] : model.parameters()) out.gradients[name] = result[name + ".grad"];
  return out;
}

void expect_alike(const Gradients& a, const Gradients& b) {
  EXPECT_NEAR(a.loss, b.loss, 1e-6 * std::abs(a.loss));
  for (const auto& [name, x] : a.gradients) {
    const Tensor& y = b.gradients.at(name);
    double largest = 0, apart = 0;
    for (int64_t i = 0; i < x.count(); ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(x.data<float>()[i])));
      apart = std::max(apart, std::abs(static_cast<double>(x.data<float>()[i]) - y.data<float>()[i]));
    }
    EXPECT_LE(apart, 1e-5 * largest + 1e-9) << name;
    EXPECT_GT(largest, 0) << name;
  }
}

BlockOptions block(const AttentionOptions& attention) {
  BlockOptions b;
  b.attention = attention;
  b.attention.heads = 4, b.attention.kv_heads = 2, b.attention.width = 8, b.attention.out_width = 32;
  b.attention.rotary.width = 8;
  b.feed_forward = {.width = 48};
  return b;
}

constexpr MadeTexts k_texts_of_13 = {.batch = 13, .longest = 20};

Architecture encoder(Positions positions, const AttentionOptions& attention, Pool pool) {
  Architecture a;
  a.family = "packed";
  a.inputs = {.width = 32, .positions = positions, .context = 32};
  a.stack = {.layers = 2, .blocks = {block(attention)}, .final_norm = NormOptions{}};
  a.head = {.kind = Head::classes, .bias = true, .pool = pool};
  return a;
}

Architecture encoder_decoder() {
  Architecture a = encoder(Positions::sinusoidal, {.mask = Mask::causal}, Pool::mean);
  a.encoder = Encoder{};
  a.encoder->inputs = {.width = 32, .positions = Positions::learned, .context = 32};
  a.encoder->stack = {.layers = 2, .blocks = {block({})}, .final_norm = NormOptions{}};
  a.stack.blocks[0].cross = block({}).attention;
  a.head = {.kind = Head::next_word, .tied = true};
  return a;
}

TEST(Packed, ClassesOfTexts) {
  AttentionOptions rotary{.positions = Positions::rotary},
      alibi{.mask = Mask::causal, .positions = Positions::alibi},
      bias{.positions = Positions::relative_bias, .buckets = 8}, window{.window = 4, .window_after = 2};
  window.sinks = true;
  const Architecture networks[] = {
      encoder(Positions::none, {}, Pool::mean),        encoder(Positions::learned, {}, Pool::first),
      encoder(Positions::sinusoidal, {}, Pool::last),  encoder(Positions::none, rotary, Pool::mean),
      encoder(Positions::none, alibi, Pool::last),     encoder(Positions::none, bias, Pool::mean),
      encoder(Positions::learned, window, Pool::first)};
  for (const Architecture& network : networks) {
    SCOPED_TRACE(to_json(NetworkConfig(network)));
    ASSERT_TRUE(packs(network));
    const PreparedTask task = k_texts_of_13.classes(network);
    const Gradients padded = gradients_of(task, false, true);
    expect_alike(padded, gradients_of(task, true, true));
    expect_alike(padded, gradients_of(task, true, false));
  }
}

TEST(Packed, Translation) {
  const Architecture network = encoder_decoder();
  ASSERT_TRUE(packs(network));
  const PreparedTask task = k_texts_of_13.translation(network);
  const Gradients padded = gradients_of(task, false, true);
  expect_alike(padded, gradients_of(task, true, true));
  expect_alike(padded, gradients_of(task, true, false));
}

TEST(Packed, NothingIsComputedForPadding) {
  const PreparedTask task = k_texts_of_13.classes(encoder(Positions::learned, {}, Pool::mean));
  const Batch padded = task.data->batch(0, false), packed = task.data->batch(0, true);
  EXPECT_EQ(packed.positions, padded.positions);
  EXPECT_EQ(packed.inputs.at("tokens").count(), packed.positions);
  EXPECT_GT(padded.inputs.at("tokens").count(), padded.positions);
}

TEST(Packed, WhereATextWouldSeeAnotherItIsNot) {
  Architecture shaw = encoder(Positions::none, {.positions = Positions::relative_keys}, Pool::mean);
  EXPECT_FALSE(packs(shaw));
  Graph graph(operations());
  EXPECT_THROW(build(graph, k_texts_of_13.classes(shaw).recipe.network, Purpose::train_packed), Error);
  EXPECT_FALSE(packs(TextbookConfig{}));
}

}  // namespace
}  // namespace limpid
