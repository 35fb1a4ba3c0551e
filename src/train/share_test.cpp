// Parts of a batch: every example is in one of them, and together they give the whole batch's loss and
// gradients.
#include "train/share.h"

#include <gtest/gtest.h>

#include <cmath>

#include "train/evaluate.h"
#include "train/test_helpers.h"

namespace limpid {
namespace {

BlockOptions block() {
  BlockOptions b;
  b.attention = {.heads = 2, .width = 8, .out_width = 16, .dropout = 0.2};
  b.feed_forward = {.width = 24};
  return b;
}

Architecture encoder() {
  Architecture a;
  a.family = "shared";
  a.inputs = {.width = 16, .positions = Positions::learned, .context = 32};
  a.stack = {.layers = 2, .blocks = {block()}, .final_norm = NormOptions{}};
  a.head = {.kind = Head::classes, .bias = true, .pool = Pool::mean};
  a.dropout = 0.2;
  return a;
}

constexpr MadeTexts k_texts_of_7 = {.batch = 7, .longest = 9};

PreparedTask classes() { return k_texts_of_7.classes(encoder()); }

PreparedTask translation() {
  Architecture a = encoder();
  a.encoder = Encoder{};
  a.encoder->inputs = a.inputs;
  a.encoder->stack = a.stack;
  a.stack.blocks[0].attention.mask = Mask::causal;
  a.stack.blocks[0].cross = block().attention;
  a.head = {.kind = Head::next_word, .tied = true};
  return k_texts_of_7.translation(a);
}

struct Sums {
  double loss = 0;
  std::map<std::string, Tensor> gradients;
};

// What ranks come to: `ready` must have told of every gradient, when all of its numbers were there.
Sums sums_of(const PreparedTask& task, bool packed, int size) {
  Graph graph(operations());
  build_training(graph, task.recipe.network, packed);
  const Model model = Model::fresh(task.recipe.network, task.tokenizer, 7);
  const Engine engine(graph);
  Sums sums;
  std::map<std::string, Tensor> own;
  for (const auto& [name, tensor] : model.parameters()) {
    sums.gradients[name] = Tensor(DType::f32, tensor.shape());
    std::fill_n(sums.gradients[name].data<float>(), tensor.count(), 0.0f);
    own[name] = Tensor(DType::f32, tensor.shape());
  }
  for (int64_t step = 0; step < 3; ++step)
    for (int rank = 0; rank < size; ++rank) {
      Share share = share_of(task.data->batch(step, packed), rank, size);
      if (share.weight == 0) continue;
      RunOptions options;
      options.context = {3, static_cast<uint64_t>(step)};
      options.context.first_row = share.first_row;
      options.context.rows = share.batch.examples;
      options.context.parts = share.parts;
      options.keep = {"loss"};
      for (auto& [name, tensor] : own) options.into[name + ".grad"] = tensor.view();
      int told = 0;
      std::map<std::string, Tensor> at_ready;
      options.ready = [&](const std::string& name) {
        at_ready[name.substr(0, name.size() - 5)] = own.at(name.substr(0, name.size() - 5));
        ++told;
      };
      sums.loss +=
          share.weight * engine.run(bindings(graph, model.parameters(), share.batch), options)["loss"].at({});
      EXPECT_EQ(told, static_cast<int>(own.size()));
      for (const auto& [name, tensor] : own)
        for (int64_t i = 0; i < tensor.count(); ++i) {
          EXPECT_EQ(at_ready.at(name).data<float>()[i], tensor.data<float>()[i]) << name;
          sums.gradients[name].data<float>()[i] += static_cast<float>(share.weight) * tensor.data<float>()[i];
        }
    }
  return sums;
}

void expect_parts_make_the_whole(const PreparedTask& task, bool packed) {
  const Sums whole = sums_of(task, packed, 1);
  for (const int size : {2, 3, 5, 9}) {
    const Sums parts = sums_of(task, packed, size);
    EXPECT_NEAR(parts.loss, whole.loss, 1e-5) << size;
    for (const auto& [name, x] : whole.gradients) {
      double largest = 0, apart = 0;
      for (int64_t i = 0; i < x.count(); ++i) {
        const double a = x.data<float>()[i], b = parts.gradients.at(name).data<float>()[i];
        largest = std::max(largest, std::abs(a));
        apart = std::max(apart, std::abs(a - b));
      }
      EXPECT_LE(apart, 1e-5 * largest + 1e-8) << name << ", " << size << " ranks";
    }
  }
}

TEST(Share, RowsWithDropout) {
  expect_parts_make_the_whole(classes(), false);
  expect_parts_make_the_whole(translation(), false);
}
TEST(Share, TextsOneBehindAnotherWithDropout) {
  expect_parts_make_the_whole(classes(), true);
  expect_parts_make_the_whole(translation(), true);
}

TEST(Share, EveryExampleOnce) {
  const PreparedTask task = translation();
  for (const bool packed : {false, true})
    for (const int size : {1, 2, 3, 7, 20}) {
      const Batch whole = task.data->batch(1, packed);
      int64_t next = 0;
      double weight = 0;
      for (int rank = 0; rank < size; ++rank) {
        const Share share = share_of(whole, rank, size);
        EXPECT_EQ(share.first_row, next);
        next += share.batch.examples;
        weight += share.weight;
      }
      EXPECT_EQ(next, whole.examples);
      EXPECT_NEAR(weight, 1, 1e-12);
    }
}

// Ranks within one process: a sum stays as it is until wait(), and then is `times` as much.
class Slow final : public Ranks {
 public:
  int size() const override { return 2; }
  void begin_sum(float* at, int64_t count) override { begun.emplace_back(at, count); }
  void begin_sum(double* at, int64_t count) override { told.emplace_back(at, count); }
  void wait() override {
    for (const auto& [at, count] : begun)
      for (int64_t i = 0; i < count; ++i) at[i] *= 2;
    for (const auto& [at, count] : told)
      for (int64_t i = 0; i < count; ++i) at[i] *= 2;
    told.clear();
  }
  std::vector<std::pair<float*, int64_t>> begun;
  std::vector<std::pair<double*, int64_t>> told;
};

TEST(GradientSums, BeginInTheirOrderHoweverTheyCome) {
  std::map<std::string, Tensor> gradients;
  const int64_t large = int64_t{1} << 18;
  for (const auto& [name, count] :
       {std::pair{"a", large}, {"b", int64_t{3}}, {"c", large}, {"d", int64_t{2}}}) {
    gradients[name] = Tensor(DType::f32, {{Axis::N, count}});
    std::fill_n(gradients[name].data<float>(), count, 1.0f);
  }
  Slow ranks;
  GradientSums sums(ranks, {"d", "c", "b", "a"}, gradients);  // buckets: d and c, b and a
  sums.begin();
  sums.add("a", gradients["a"], 0.5);
  sums.add("b", gradients["b"], 0.25);
  EXPECT_TRUE(ranks.begun.empty());  // its turn is the second
  sums.add("d", gradients["d"], 1);
  EXPECT_TRUE(ranks.begun.empty());
  sums.add("c", gradients["c"], 1);
  ASSERT_EQ(ranks.begun.size(), 2u);
  EXPECT_EQ(ranks.begun[0].second, large + 2);
  EXPECT_EQ(sums.finish({1.5, 0})[0], 3);
  sums.take(gradients);
  EXPECT_EQ(gradients["a"].data<float>()[large - 1], 1.0f);
  EXPECT_EQ(gradients["b"].data<float>()[2], 0.5f);
  EXPECT_EQ(gradients["c"].data<float>()[0], 2.0f);

  ranks.begun.clear();
  sums.begin();
  sums.add("c", gradients["c"], 1);
  sums.finish({0, 0});  // of a rank that had nothing to compute
  sums.take(gradients);
  EXPECT_EQ(ranks.begun.size(), 2u);
  EXPECT_EQ(gradients["a"].data<float>()[5], 0.0f);
  EXPECT_EQ(gradients["c"].data<float>()[5], 4.0f);
}

}  // namespace
}  // namespace limpid
