// Learned numbers by distance (T5's and MPNet's relative bias, BEiT's of patches): attention that adds them
// learns them in its fused kernel, in memory that grows with T.
#include <gtest/gtest.h>

#include "built_network.h"
#include "kernels/test_helpers.h"
#include "limpid/engine.h"

namespace limpid {
namespace {

struct WithTable {
  std::string name;
  NetworkConfig config;
  int64_t attentions = 2;  // groups of the network
};
void PrintTo(const WithTable& n, std::ostream* out) { *out << n.name; }

BlockOptions biased_block(Mask mask, const std::string& table) {
  BlockOptions block;
  block.norm = {Norm::rms, 1e-6, false};
  AttentionOptions& attention = block.attention;
  attention.heads = 2, attention.width = 4, attention.out_width = 8;
  attention.mask = mask, attention.scale = 1;
  attention.positions = Positions::relative_bias;
  attention.buckets = 8, attention.bias_distance = 20, attention.bias_table = table;
  block.feed_forward = {.width = 12, .activation = Activation::relu, .bias = false};
  return block;
}

// An encoder and a decoder, each with one table for all its layers; nothing is added between them.
Architecture small_t5() {
  const BlockOptions reads = biased_block(Mask::none, "encoder.rel_bias");
  BlockOptions writes = biased_block(Mask::causal, "rel_bias");
  writes.cross = reads.attention;
  writes.cross->positions = Positions::none;
  writes.cross->bias_table = "";
  Architecture a;
  a.inputs = {.vocabulary = 7, .width = 8};
  a.encoder = Encoder{a.inputs, {.layers = 2, .blocks = {reads}, .final_norm = reads.norm}};
  a.encoder->inputs.vocabulary = 0;
  a.stack = {.layers = 2, .blocks = {writes}, .final_norm = reads.norm};
  return a;
}

// A table a layer, of how far patches lie apart in lines and in columns.
Architecture small_beit(int64_t lines, int64_t columns) {
  BlockOptions block = biased_block(Mask::none, "");
  block.attention.positions = Positions::patch_bias;
  block.attention.patch_lines = lines, block.attention.patch_columns = columns;
  Architecture a;
  a.inputs.width = 8;
  a.patches = PatchInputs{.height = 2 * lines, .width = 2 * columns, .size = 2, .positions = false};
  a.patches->tokens = {"cls_token"};
  a.stack = {.layers = 2, .blocks = {block}};
  a.head = {.kind = Head::classes, .tied = false, .bias = true, .pool = Pool::rest, .outputs = 3};
  return a;
}

std::vector<WithTable> with_tables() {
  GptConfig gpt = small_gpt();
  gpt.positions = Positions::relative_bias;
  Architecture shared = small_t5();
  shared.encoder.reset();
  shared.stack.blocks = {biased_block(Mask::none, "rel_bias")};
  shared.head.kind = Head::masked_word;
  return {
      {"a_table_a_layer", gpt},   {"a_table_for_all_layers", shared},        {"t5", small_t5(), 6},
      {"beit", small_beit(3, 4)}, {"one_line_of_patches", small_beit(1, 5)}, {"one_patch", small_beit(1, 1)}};
}

Built training(const NetworkConfig& config, int64_t batch, int64_t length, uint64_t seed) {
  Built net(config, Purpose::train, batch, length, seed);
  for (const char* name : {"lengths", "source_lengths"}) {
    const auto found = net.bound.find(name);
    if (found == net.bound.end()) continue;
    for (int64_t b = 0; b < batch; ++b) found->second.data<int64_t>()[b] = length - b % 2 * length / 3;
  }
  if (const auto found = net.bound.find("targets"); found != net.bound.end())
    for (int64_t i = 0; i < found->second.count(); ++i) found->second.data<int64_t>()[i] %= 3;
  differentiate(net.graph, net.graph.handle(net.graph.require("loss")));
  return net;
}

class BiasTables : public testing::TestWithParam<WithTable> {};
INSTANTIATE_TEST_SUITE_P(Networks, BiasTables, testing::ValuesIn(with_tables()),
                         [](const auto& network) { return network.param.name; });

TEST_P(BiasTables, LearnInTheFusedKernel) {
  const Built net = training(GetParam().config, 2, 6, 31);
  std::set<int> wanted;
  for (const std::string& name : outputs_of_training(net.graph)) wanted.insert(net.graph.require(name));
  const FusedGroups fused = fused_groups(net.graph, plan_of(net, wanted, {}));
  EXPECT_EQ(fused.apart, "");
  EXPECT_EQ(fused.forward, GetParam().attentions);
  EXPECT_EQ(fused.backward, GetParam().attentions);
}

// Across the blocks of the kernel, distances that share a bucket, and rows of different lengths.
TEST_P(BiasTables, FastFollowsPlain) {
  NetworkConfig config = GetParam().config;
  if (GetParam().name == "beit") config = small_beit(9, 17);
  if (auto* gpt = std::get_if<GptConfig>(&config)) gpt->context = 150;
  const Built net = training(config, 2, 150, 33);
  kernels::testing::on_every_isa([&](const std::string& isa) {
    SCOPED_TRACE(isa);
    RunOptions fast, plain;
    fast.keep = plain.keep = outputs_of_training(net.graph);
    plain.real = DType::f64;
    const Engine engine(net.graph);
    const RunResult x = engine.run(net.views(), fast), y = engine.run(net.views(), plain);
    int64_t tables = 0;
    for (const std::string& name : fast.keep) {
      double largest = 1e-3;
      for (int64_t i = 0; i < y[name].count(); ++i)
        largest = std::max(largest, std::abs(y[name].data<double>()[i]));
      tables += name.find("rel_bias") != std::string::npos && largest > 1e-3;
      for (int64_t i = 0; i < y[name].count(); ++i)
        ASSERT_NEAR(x[name].data<float>()[i], y[name].data<double>()[i], 5e-5 * largest)
            << name << " element " << i;
    }
    if (GetParam().name != "one_patch") {
      EXPECT_GE(tables, 1);
    }
  });
}

TEST_P(BiasTables, LearnTheSameBitsAtAnyThreads) {
  NetworkConfig config = GetParam().config;
  if (auto* gpt = std::get_if<GptConfig>(&config)) gpt->context = 150;
  const Built net = training(config, 3, 150, 34);
  const Engine engine(net.graph);
  kernels::testing::at_any_threads([&] {
    RunOptions options;
    options.keep = outputs_of_training(net.graph);
    const RunResult result = engine.run(net.views(), options);
    std::vector<float> all;
    for (const std::string& name : options.keep) {
      const Tensor& t = result[name];
      all.insert(all.end(), t.data<float>(), t.data<float>() + t.count());
    }
    return all;
  });
}

// Law 5: a step of training keeps no T x S matrix.
TEST(BiasTables, LearnInMemoryThatGrowsWithT) {
  const auto bytes = [](int64_t length) {
    GptConfig c = small_gpt();
    c.positions = Positions::relative_bias;
    c.context = length;
    const Built net = training(c, 1, length, 35);
    std::set<int> wanted;
    for (const std::string& name : outputs_of_training(net.graph)) wanted.insert(net.graph.require(name));
    return static_cast<double>(plan_of(net, wanted, {}).arena_bytes);
  };
  EXPECT_LT(bytes(2048), 2.1 * bytes(1024));
}

}  // namespace
}  // namespace limpid
