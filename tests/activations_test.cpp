// Activations that are kept in bf16: of every network the gradients lie near those of f32, with the same
// fused kernels and passes, and the arena of a step falls.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/activations.h"
#include "limpid/engine.h"
#include "networks.h"

namespace limpid {
namespace {

void differentiate_as(DType activations, Graph& graph) {
  const int first = static_cast<int>(graph.stages().size());
  differentiate(graph, graph.handle(graph.require("loss")));
  if (activations == DType::bf16) graph = with_bf16_activations(graph, first);
}

Built training_of(const NetworkConfig& config, DType activations) {
  Built net(config, Purpose::train, 3, 6, 12);
  differentiate_as(activations, net.graph);
  return net;
}

RunResult run(const Built& net, bool plain = false) {
  RunOptions options;
  options.context = {3, 1};
  options.plain = plain;
  options.keep = outputs_of_training(net.graph);
  return Engine(net.graph).run(net.views(), options);
}

std::vector<Named> all_networks() {
  std::vector<Named> all = networks();
  Architecture both = architecture_of(small_gpt());
  both.encoder = Encoder{};
  both.encoder->inputs = both.inputs;
  both.encoder->stack = both.stack;
  both.encoder->stack.blocks[0].attention.mask = Mask::none;
  both.stack.blocks[0].cross = both.encoder->stack.blocks[0].attention;
  both.stack.blocks[0].cross->positions = Positions::none;
  all.push_back({"encoder_decoder", both});
  Architecture images = architecture_of(small_gpt());
  images.stack.blocks[0].attention.mask = Mask::none;
  images.patches = PatchInputs{.channels = 1, .height = 8, .width = 12, .size = 4, .tokens = {"cls_token"}};
  images.head = {.kind = Head::classes, .bias = true, .pool = Pool::first, .outputs = 3};
  all.push_back({"images", images});
  return all;
}

class Bf16Activations : public testing::TestWithParam<Named> {};
INSTANTIATE_TEST_SUITE_P(Networks, Bf16Activations, testing::ValuesIn(all_networks()),
                         [](const auto& network) { return network.param.name; });

std::vector<std::string> gradients_of(const Graph& graph) {
  std::vector<std::string> names = outputs_of_training(graph);
  std::erase(names, "loss");
  return names;
}

double distance(const Tensor& a, const Tensor& b) {
  double squares = 0;
  for (int64_t i = 0; i < a.count(); ++i)
    squares += std::pow(static_cast<double>(a.data<float>()[i]) - b.data<float>()[i], 2);
  return std::sqrt(squares);
}

double norm_of(const Tensor& t) {
  double squares = 0;
  for (int64_t i = 0; i < t.count(); ++i) squares += std::pow(static_cast<double>(t.data<float>()[i]), 2);
  return std::sqrt(squares);
}

// A number of bf16 is off by 2^-9 of itself at most; a gradient goes through some dozens of them.  All
// numbers of the gradient together are off by 2^-7, those of one parameter by 2^-4, where many that are
// larger cancel out (a key's bias has no gradient).
TEST_P(Bf16Activations, GiveGradientsNearThoseOfF32) {
  const Built exact = training_of(GetParam().config, DType::f32),
              kept = training_of(GetParam().config, DType::bf16);
  const RunResult expected = run(exact);
  double all = 0;
  for (const std::string& name : gradients_of(exact.graph)) all = std::hypot(all, norm_of(expected[name]));
  for (const bool plain : {false, true}) {
    const RunResult found = run(kept, plain);
    EXPECT_TRUE(plain || same_bits(found["loss"], expected["loss"]));
    double all_apart = 0, worst = 0;
    for (const std::string& name : gradients_of(exact.graph)) {
      const double apart = distance(found[name], expected[name]), norm = norm_of(expected[name]) + 1e-5 * all;
      EXPECT_LE(apart, 0x1p-4 * norm) << name << (plain ? ", plain" : "");
      all_apart = std::hypot(all_apart, apart);
      worst = std::max(worst, apart / norm);
    }
    EXPECT_LE(all_apart, 0x1p-7 * all);
    EXPECT_GT(all_apart, 0);
    if (!plain) std::cout << GetParam().name << ": off by " << all_apart / all << ", worst " << worst << "\n";
  }
}

// What runs fused, and what runs in one pass: by the last value that a step writes.
std::set<std::string> joined_steps(const Graph& graph, const Plan& plan) {
  std::set<std::string> names;
  for (const Plan::Step& step : plan.steps) {
    const std::string group = step.group < 0 ? "" : graph.groups()[static_cast<size_t>(step.group)].name;
    if (!group.empty() && !group.ends_with(".again")) names.insert(group);
    if (!step.finish.empty()) names.insert(graph.value(last_value(graph, step)).name);
  }
  return names;
}

Plan plan_of_training(const Built& net) {
  std::set<int> wanted;
  for (const std::string& name : outputs_of_training(net.graph)) wanted.insert(net.graph.require(name));
  return plan_of(net, wanted, {});
}

TEST_P(Bf16Activations, ChangeNoFusedKernelAndNoPass) {
  const Built exact = training_of(GetParam().config, DType::f32),
              kept = training_of(GetParam().config, DType::bf16);
  EXPECT_EQ(joined_steps(kept.graph, plan_of_training(kept)),
            joined_steps(exact.graph, plan_of_training(exact)));
}

TEST(Bf16Activations, AreWhatLiesBetweenThePasses) {
  const Built net = training_of(small_gpt(), DType::bf16);
  const Plan plan = plan_of_training(net);
  const auto used = [&](const std::string& name) {
    const int value = net.graph.find(name);
    return value >= 0 && plan.places[static_cast<size_t>(value)].used;
  };
  for (const char* name : {"resid_post", "attn.q", "attn.k", "attn.v", "resid_mid", "ln1.normalized",
                           "ln2.normalized", "mlp.pre", "mlp.post"}) {
    const std::string value = join("blocks.0.", name);
    ASSERT_TRUE(used(value + ".narrow")) << value;
    EXPECT_EQ(net.graph.value(net.graph.require(value + ".narrow")).dtype, DType::bf16);
    EXPECT_TRUE(used(value + ".wide")) << value;
  }
  for (const char* name : {"logits", "blocks.1.attn.z", "blocks.1.attn.pattern", "blocks.1.ln1.scale"})
    EXPECT_FALSE(used(join(name, ".narrow"))) << name;
  EXPECT_TRUE(used("blocks.1.attn.z.again"));
  EXPECT_FALSE(used("blocks.1.attn.pattern.again"));                    // inside the fused kernel
  for (const char* name : {"blocks.0.attn.q", "blocks.0.attn.q.wide"})  // as attention reads them fastest
    EXPECT_TRUE(plan.places[static_cast<size_t>(net.graph.require(name))].heads) << name;
  // The backward pass reads nothing else of what has such a stage beside it.
  for (const StageInfo& stage : net.graph.stages())
    for (int input : stage.inputs)
      for (const char* suffix : {".narrow", ".again"})
        if (stage.name.find(".backward") != std::string::npos)
          EXPECT_LT(net.graph.find(net.graph.value(input).name + suffix), 0) << stage.name;
}

// GPT-2 124M and the like, 4 x 256 tokens: planned, not run.
size_t arena_of(const GptConfig& config, DType activations) {
  Graph graph(operations());
  build(graph, config, Purpose::train);
  differentiate_as(activations, graph);
  std::map<int, Shape> shapes;
  PlanRequest request;
  request.wanted.insert(graph.require("loss"));
  for (size_t i = 0; i < graph.values().size(); ++i) {
    const Value& value = graph.values()[i];
    if (value.kind == Value::Kind::temporary) continue;
    Shape& shape = shapes[static_cast<int>(i)] = value.shape;
    if (value.kind == Value::Kind::input) shape = {{Axis::B, 4}, {Axis::T, 256}};
    if (value.kind != Value::Kind::parameter) continue;
    const int gradient = graph.require(value.name + ".grad");
    request.wanted.insert(gradient);
    request.into.insert(gradient);
  }
  return make_plan(graph, bind_shapes(graph, shapes), request).arena_bytes;
}

TEST(Bf16Activations, TakeHalfOfTheArena) {
  GptConfig config;
  config.context = 256;
  config.width = 768;
  config.layers = config.heads = 12;
  for (const int64_t vocabulary : {512, 8192, 50257})
    for (const double dropout : {0.0, 0.1}) {
      config.vocabulary = vocabulary;
      config.dropout = config.attention_dropout = dropout;
      const auto f32 = static_cast<double>(arena_of(config, DType::f32)),
                 bf16 = static_cast<double>(arena_of(config, DType::bf16));
      std::cout << vocabulary << " tokens, dropout " << dropout << ": " << f32 / 1e6 << " MB, " << bf16 / 1e6
                << " MB, " << bf16 / f32 << "\n";
      // Of 50,257 words the logits and their gradient, 412 MB, are most of what is left.
      EXPECT_LE(bf16, vocabulary > 10000 ? 0.7 * f32 : 0.55 * f32);
    }
}

}  // namespace
}  // namespace limpid
