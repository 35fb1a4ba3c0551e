// Whole networks: the gradient against central differences, the fast way against the plain one, and what
// attention promises (drawn inputs).
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "built_network.h"
#include "engine/plan.h"
#include "engine/reference.h"
#include "limpid/engine.h"
#include "networks.h"

namespace limpid {
namespace {

class EveryNetwork : public testing::TestWithParam<Named> {};
INSTANTIATE_TEST_SUITE_P(Networks, EveryNetwork, testing::ValuesIn(networks()),
                         [](const auto& network) { return network.param.name; });

// A setting that src/network/config.cpp forgets is lost when a model is saved.
TEST_P(EveryNetwork, ComesBackFromJson) {
  Graph given(operations()), again(operations());
  build(given, GetParam().config);
  build(again, network_from_json(to_json(GetParam().config)));
  EXPECT_EQ(to_json(again), to_json(given));
}

TEST_P(EveryNetwork, GradientMatchesCentralDifferences) {
  Built net(GetParam().config, Purpose::train, 2, 5, 11);
  differentiate(net.graph, net.graph.handle(net.graph.require("loss")));
  const std::vector<Tensor> values = run_all(net.graph, net.bound, DType::f64, {3, 1});
  std::mt19937_64 random(5);
  double worst = 0;
  for (const Value& value : std::vector<Value>(net.graph.values())) {
    if (value.kind != Value::Kind::parameter) continue;
    const Tensor& gradient = values[static_cast<size_t>(net.graph.require(value.name + ".grad"))];
    Tensor& parameter = net.bound.at(value.name);
    double largest = 0, error = 0;
    for (int64_t i = 0; i < gradient.count(); ++i)
      largest = std::max(largest, std::abs(gradient.data<double>()[i]));
    for (int n = 0; n < 12; ++n) {  // a dozen drawn numbers of each parameter
      const int64_t i = std::uniform_int_distribution<int64_t>(0, parameter.count() - 1)(random);
      double& x = parameter.data<double>()[i];
      const double at = x, step = 1e-5;
      x = at + step;
      const double above = net.value("loss");
      x = at - step;
      const double below = net.value("loss");
      x = at;
      error = std::max(error, std::abs((above - below) / (2 * step) - gradient.data<double>()[i]));
    }
    // The gradient of a key's bias is zero: adding the same number to all scores of a row changes nothing.
    const double scale = std::max(largest, 1e-4);
    EXPECT_LT(error, 1e-5 * scale) << value.name << ", largest " << largest;
    worst = std::max(worst, error / scale);
  }
  std::cout << GetParam().name << ": worst " << worst << " of the tensor's largest gradient\n";
}

TEST_P(EveryNetwork, FastFollowsPlain) {
  Built net(GetParam().config, Purpose::train, 3, 6, 12);
  differentiate(net.graph, net.graph.handle(net.graph.require("loss")));
  Engine engine(net.graph);
  RunOptions fast, plain;
  fast.context = plain.context = {3, 1};
  for (const Value& value : net.graph.values())
    if (value.name == "loss" || value.name == "logits" || value.name.find(".grad") != std::string::npos)
      if (value.shape.find(Axis::S) < 0 || value.shape.find(Axis::T) < 0) fast.keep.push_back(value.name);
  plain.keep = fast.keep;
  plain.real = DType::f64;
  const RunResult a = engine.run(net.views(), fast), b = engine.run(net.views(), plain);
  for (const std::string& name : fast.keep) {
    const Tensor &x = a[name], &y = b[name];
    double largest = 1e-2;  // a key's bias has a gradient of zero: rounding alone is left of it
    for (int64_t i = 0; i < y.count(); ++i) largest = std::max(largest, std::abs(y.data<double>()[i]));
    for (int64_t i = 0; i < y.count(); ++i)
      ASSERT_NEAR(x.data<float>()[i], y.data<double>()[i], 2e-5 * largest) << name << " element " << i;
  }
}

TEST_P(EveryNetwork, ObservingChangesNoBit) {  // law 2
  Built net(GetParam().config, Purpose::train, 2, 6, 13);
  differentiate(net.graph, net.graph.handle(net.graph.require("loss")));
  std::vector<std::string> outputs = {"loss"};
  for (const Value& value : net.graph.values())
    if (value.kind == Value::Kind::parameter) outputs.push_back(value.name + ".grad");
  const auto bits = [&](std::vector<Observation> observe, int seed) {
    Engine engine(net.graph);
    RunOptions options;
    options.context = {static_cast<uint64_t>(seed), 1};
    options.keep = outputs;
    options.observe = std::move(observe);
    std::vector<uint32_t> all;
    const RunResult result = engine.run(net.views(), options);
    for (const std::string& name : outputs) {
      const Tensor& t = result[name];
      for (int64_t i = 0; i < t.count(); ++i) all.push_back(std::bit_cast<uint32_t>(t.data<float>()[i]));
    }
    return all;
  };
  const auto alone = bits({}, 3);
  EXPECT_EQ(alone, bits({{"*", Depth::full}}, 3));
  EXPECT_EQ(alone, bits({{"*", Depth::summary}}, 3));
  EXPECT_EQ(alone, bits({{"*.pattern", Depth::full}, {"*.grad", Depth::summary}}, 3));
  const std::string weights = "*attn.pattern";
  EXPECT_EQ(alone, bits({{weights, Depth::top, 3}, {weights, Depth::entropy}, {weights, Depth::map, 4}}, 3));
  std::mt19937_64 random(1);
  for (int n = 0; n < 8; ++n) {  // any few
    std::vector<Observation> some;
    for (const Value& value : net.graph.values())
      if (random() % 5 == 0) some.push_back({value.name, random() % 2 ? Depth::full : Depth::summary});
    EXPECT_EQ(alone, bits(some, 3));
  }
}

// Stages joined into the pass of a product (or not: an edit wants the number in between) give the same bits,
// the numbers in between too, whether somebody asks for these or not.
TEST_P(EveryNetwork, JoinedStagesHaveTheBitsOfSingleOnes) {
  Built net(GetParam().config, Purpose::train, 2, 6, 21);
  differentiate(net.graph, net.graph.handle(net.graph.require("loss")));
  std::vector<std::string> all;
  std::set<int> outputs, edited;
  RunOptions joined, seen, single;
  joined.context = seen.context = single.context = {3, 1};
  joined.keep = outputs_of_training(net.graph);
  for (const std::string& name : joined.keep) outputs.insert(net.graph.require(name));
  for (int i = 0; i < static_cast<int>(net.graph.values().size()); ++i) {
    const Value& value = net.graph.value(i);
    if (value.stage < 0 || net.graph.stage(value.stage).group >= 0 || value.dtype != DType::f32) continue;
    edited.insert(i);
    seen.keep.push_back(value.name);
    single.edits.push_back({.action = Edit::Action::scale, .pattern = value.name, .factor = 1});
  }
  single.keep = seen.keep;
  single.keep.insert(single.keep.end(), joined.keep.begin(), joined.keep.end());
  size_t chains = 0;
  for (const Plan::Step& step : plan_of(net, outputs, {}).steps) chains += step.finish.size();
  if (std::holds_alternative<GptConfig>(GetParam().config)) {
    EXPECT_GT(chains, 0u);
  }
  for (const Plan::Step& step : plan_of(net, outputs, edited).steps) EXPECT_TRUE(step.finish.empty());

  Engine engine(net.graph);
  const RunResult a = engine.run(net.views(), joined), b = engine.run(net.views(), seen),
                  c = engine.run(net.views(), single);
  for (const std::string& name : joined.keep) EXPECT_TRUE(same_bits(a[name], c[name])) << name;
  for (const std::string& name : seen.keep) EXPECT_TRUE(same_bits(b[name], c[name])) << name;
  std::mt19937_64 random(2);
  for (int n = 0; n < 6; ++n) {  // any few
    RunOptions some = joined;
    for (const std::string& name : seen.keep)
      if (random() % 4 == 0) some.keep.push_back(name);
    const RunResult d = engine.run(net.views(), some);
    for (const std::string& name : some.keep) EXPECT_TRUE(same_bits(d[name], c[name])) << name;
  }
}

TEST_P(EveryNetwork, IntoTheCallersMemoryGoTheSameBits) {
  Built net(GetParam().config, Purpose::train, 2, 6, 22);
  differentiate(net.graph, net.graph.handle(net.graph.require("loss")));
  RunOptions keep;
  keep.context = {3, 1};
  for (const Value& value : net.graph.values())  // inside groups, views and parameters too
    if (value.dtype == DType::f32) keep.keep.push_back(value.name);
  Engine engine(net.graph);
  const RunResult kept = engine.run(net.views(), keep);
  for (size_t every : {1, 3, 5}) {
    std::map<std::string, Tensor> memory;
    RunOptions into;
    into.context = keep.context;
    for (size_t i = 0; i < keep.keep.size(); i += every) {
      const std::string& name = keep.keep[i];
      memory[name] = Tensor(DType::f32, kept[name].shape());
      into.into[name] = memory[name].view();
    }
    EXPECT_TRUE(engine.run(net.views(), into).values.empty());
    for (const auto& [name, tensor] : memory) EXPECT_TRUE(same_bits(tensor, kept[name])) << name;
  }
}

// The depths gathered while the weights stream by are those of the weights.
TEST_P(EveryNetwork, StreamedDepthsAreOfTheWeights) {
  Built net(GetParam().config, Purpose::predict, 2, 6, 19);
  Engine engine(net.graph);
  for (const bool plain : {false, true}) {
    RunOptions options;
    options.plain = plain;
    options.observe = {{"*attn.pattern"},
                       {"*attn.pattern", Depth::top, 2},
                       {"*attn.pattern", Depth::entropy},
                       {"*attn.pattern", Depth::map, 3}};
    const RunResult result = engine.run(net.views(), options);
    int patterns = 0;
    for (const auto& [name, pattern] : result.values) {
      if (name.find('@') != std::string::npos) continue;
      ++patterns;
      const Tensor &weight = result.values.at(name + "@top2.weight"),
                   &key = result.values.at(name + "@top2.index"),
                   &entropy = result.values.at(name + "@entropy"), &map = result.values.at(name + "@map");
      const int64_t keys = pattern.shape()[3].size, queries = pattern.shape()[2].size;
      const int64_t tall = (queries + 2) / 3, wide = (keys + 2) / 3, rows = (queries + tall - 1) / tall,
                    columns = (keys + wide - 1) / wide;
      ASSERT_EQ(map.shape()[2].size, rows);
      ASSERT_EQ(map.shape()[3].size, columns);
      std::vector<double> sums(static_cast<size_t>(map.count())), cells(sums.size());
      for (int64_t r = 0; r < pattern.count() / keys; ++r) {
        const float* row = pattern.data<float>() + r * keys;
        double sum = 0;
        for (int64_t s = 0; s < keys; ++s) {
          if (row[s] > 0) sum -= row[s] * std::log(row[s]);
          const auto cell =
              static_cast<size_t>((r / queries * rows + r % queries / tall) * columns + s / wide);
          sums[cell] += row[s], cells[cell] += 1;
        }
        EXPECT_NEAR(entropy.data<float>()[r], sum, 1e-5);
        const int64_t best = key.data<int32_t>()[2 * r];
        ASSERT_GE(best, 0);
        EXPECT_NEAR(row[best], *std::max_element(row, row + keys), 1e-6);
        EXPECT_NEAR(weight.data<float>()[2 * r], row[best], 1e-6);
        EXPECT_GE(weight.data<float>()[2 * r], weight.data<float>()[2 * r + 1]);
      }
      for (size_t i = 0; i < sums.size(); ++i) EXPECT_NEAR(map.data<float>()[i], sums[i] / cells[i], 1e-6);
    }
    EXPECT_GT(patterns, 0);
  }
}

// Scores by distance are a bias of the fused kernel, forward and backward, and no network falls back to its
// stages.
TEST(Disentangled, RunsFused) {
  for (const NetworkConfig& config : {NetworkConfig(small_deberta()), [] {
                                        GptConfig c = small_gpt();
                                        c.positions = Positions::disentangled;
                                        return NetworkConfig(c);
                                      }()}) {
    Built net(config, Purpose::train, 2, 6, 31);
    differentiate(net.graph, net.graph.handle(net.graph.require("loss")));
    std::set<int> wanted;
    for (const std::string& name : outputs_of_training(net.graph)) wanted.insert(net.graph.require(name));
    const FusedGroups fused = fused_groups(net.graph, plan_of(net, wanted, {}));
    EXPECT_EQ(fused.apart, "");
    EXPECT_EQ(fused.forward, 2);
    EXPECT_EQ(fused.backward, 2);
  }
}

// What is padded has no effect on what is not: neither distances, nor the convolution, nor dropped tokens.
TEST(Disentangled, PaddingChangesNothing) {
  Architecture a = small_deberta();
  a.inputs.token_dropout = TokenDropout{2, 0.2};
  Built batch(a, Purpose::predict, 2, 6, 32), alone(a, Purpose::predict, 1, 4, 32);
  batch.bound.at("tokens") =
      Tensor::of<int64_t>({{Axis::B, 2}, {Axis::T, 6}}, {1, 2, 3, 4, 2, 2, 6, 5, 4, 3, 2, 1});
  batch.bound.at("lengths") = Tensor::of<int64_t>({{Axis::B, 2}}, {4, 6});
  alone.bound.at("tokens") = Tensor::of<int64_t>({{Axis::B, 1}, {Axis::T, 4}}, {1, 2, 3, 4});
  alone.bound.at("lengths") = Tensor::of<int64_t>({{Axis::B, 1}}, {4});
  for (const char* name : {"token_types"}) {
    batch.bound.at(name) = Tensor(DType::i64, {{Axis::B, 2}, {Axis::T, 6}});
    alone.bound.at(name) = Tensor(DType::i64, {{Axis::B, 1}, {Axis::T, 4}});
  }
  for (const auto& [name, tensor] : alone.bound)
    if (alone.graph.value(alone.graph.require(name)).kind == Value::Kind::parameter)
      batch.bound.at(name) = tensor;
  const RunResult x = Engine(batch.graph).run(batch.views(), {.keep = {"logits"}}),
                  y = Engine(alone.graph).run(alone.views(), {.keep = {"logits"}});
  for (int64_t t = 0; t < 4; ++t)
    for (int64_t v = 0; v < 7; ++v) EXPECT_NEAR(x["logits"].at({0, t, v}), y["logits"].at({0, t, v}), 2e-6);
}

// A long text: distances that share buckets, blocks of tokens, and threads.
TEST(Disentangled, FastFollowsPlainInALongText) {
  Architecture a = small_deberta();
  a.stack.blocks[0].attention.disentangled->buckets = {.span = 32, .buckets = 32, .max_distance = 100};
  Built net(a, Purpose::train, 2, 150, 33);
  net.bound.at("lengths") = Tensor::of<int64_t>({{Axis::B, 2}}, {150, 97});
  differentiate(net.graph, net.graph.handle(net.graph.require("loss")));
  RunOptions fast, plain;
  for (const Value& value : net.graph.values())
    if (value.name == "logits" ||
        (value.kind == Value::Kind::parameter && value.name.find("W_") != std::string::npos))
      fast.keep.push_back(value.name + (value.name == "logits" ? "" : ".grad"));
  plain.keep = fast.keep;
  plain.real = DType::f64;
  const Engine engine(net.graph);
  const RunResult x = engine.run(net.views(), fast), y = engine.run(net.views(), plain);
  for (const std::string& name : fast.keep) {
    double largest = 1e-3;
    for (int64_t i = 0; i < y[name].count(); ++i)
      largest = std::max(largest, std::abs(y[name].data<double>()[i]));
    for (int64_t i = 0; i < y[name].count(); ++i)
      ASSERT_NEAR(x[name].data<float>()[i], y[name].data<double>()[i], 5e-5 * largest)
          << name << " element " << i;
  }
}

TEST(Disentangled, ImpossibleSettingsAreNamed) {
  const auto complaint = [](auto change) -> std::string {
    Architecture a = small_deberta();
    change(a.stack, a.stack.blocks[0].attention);
    Graph graph(operations());
    try {
      build(graph, a);
    } catch (const Error& error) {
      return error.kind() == Error::Kind::call ? error.what() : "of the wrong kind";
    }
    return "";
  };
  EXPECT_EQ(complaint([](Stack&, AttentionOptions&) {}), "");
  EXPECT_NE(complaint([](Stack&, AttentionOptions& o) {
              o.disentangled->content_to_position = o.disentangled->position_to_content = false;
            }).find("expected one of them"),
            std::string::npos);
  EXPECT_NE(
      complaint([](Stack&, AttentionOptions& o) { o.kv_heads = 1; }).find("1 key/value heads, expected 2"),
      std::string::npos);
  EXPECT_NE(
      complaint([](Stack&, AttentionOptions& o) { o.disentangled->buckets.span = 0; }).find("span is 0"),
      std::string::npos);
  EXPECT_NE(complaint([](Stack&, AttentionOptions& o) {
              o.disentangled->buckets.buckets = 1;
            }).find("buckets is 1"),
            std::string::npos);
  EXPECT_NE(complaint([](Stack&, AttentionOptions& o) {
              o.disentangled->buckets.max_distance = 3;
            }).find("max_distance is 3, expected 4 to"),
            std::string::npos);
  EXPECT_NE(
      complaint([](Stack& s, AttentionOptions&) { s.convolution->size = 2; }).find("a convolution of 2 rows"),
      std::string::npos);
}

TEST_P(EveryNetwork, RowsOfThePatternSumToOne) {
  Built net(GetParam().config, Purpose::predict, 2, 6, 14);
  Engine engine(net.graph);
  const RunResult result = engine.run(net.views(), {.observe = {{"*.pattern"}}});
  ASSERT_FALSE(result.values.empty());
  const RunResult lses = engine.run(net.views(), {.observe = {{"*.pattern.lse"}}});
  for (const auto& [name, pattern] : result.values) {
    const int64_t keys = pattern.shape().size(Axis::S);
    for (int64_t row = 0; row < pattern.count() / keys; ++row) {
      double sum = 0;
      for (int64_t s = 0; s < keys; ++s) sum += pattern.data<float>()[row * keys + s];
      const std::string sinks = name.substr(0, name.rfind('.')) + ".sinks";
      if (!net.bound.count(sinks)) {
        EXPECT_NEAR(sum, 1, 1e-6) << name;
        continue;
      }
      const int64_t heads = pattern.shape()[1].size,
                    queries = pattern.shape()[2].size;  // the sink has the rest
      const float lse = lses.values.at(name + ".lse").data<float>()[row];
      const double sink = net.bound.at(sinks).data<double>()[row / queries % heads];
      EXPECT_NEAR(sum + std::exp(sink - lse), 1, 1e-6) << name;
      EXPECT_LT(sum, 1);
    }
  }
}

// ---- properties of attention, over drawn networks ------------------------------------------------

uint32_t bits_of(float x) { return std::bit_cast<uint32_t>(x); }

RC_GTEST_PROP(Attention, ACausalRowNeverDependsOnLaterTokens, ()) {
  GptConfig c = small_gpt();
  c.positions = *rc::gen::element(Positions::learned, Positions::rotary, Positions::alibi);
  const int64_t length = *rc::gen::inRange<int64_t>(2, 7), cut = *rc::gen::inRange<int64_t>(1, length);
  Built net(c, Purpose::predict, 1, length, *rc::gen::arbitrary<uint32_t>());
  Engine engine(net.graph);
  const bool plain = *rc::gen::arbitrary<bool>();
  RunOptions options;
  options.plain = plain;
  options.keep = {"logits"};
  const RunResult before = engine.run(net.views(), options);
  for (int64_t t = cut; t < length; ++t) {  // other words, and their embedding is not a number
    net.bound.at("tokens").data<int64_t>()[t] = 6;
  }
  const RunResult words = engine.run(net.views(), options);
  std::map<std::string, ConstView> views = net.views();
  Edit nan;
  nan.pattern = "blocks.0.resid_mid";
  nan.action = Edit::Action::replace;
  nan.with = Tensor(DType::f32, {{Axis::B, 1}, {Axis::T, length}, {Axis::C, c.width}});
  const RunResult kept = engine.run(views, {.plain = plain, .keep = {"blocks.0.resid_mid", "logits"}});
  nan.with = kept["blocks.0.resid_mid"];
  for (int64_t i = cut * c.width; i < length * c.width; ++i) nan.with.data<float>()[i] = NAN;
  RunOptions edited = options;
  edited.edits = {nan};
  const RunResult nans = engine.run(views, edited);
  for (int64_t i = 0; i < cut * c.vocabulary; ++i) {
    RC_ASSERT(bits_of(before["logits"].data<float>()[i]) == bits_of(words["logits"].data<float>()[i]));
    RC_ASSERT(bits_of(before["logits"].data<float>()[i]) == bits_of(nans["logits"].data<float>()[i]));
  }
  RC_ASSERT(std::isnan(nans["logits"].data<float>()[cut * c.vocabulary]));  // and it is not swallowed
}

RC_GTEST_PROP(Attention, WithoutPositionsPermutingTokensPermutesOutputs, ()) {
  TextbookConfig c = small_textbook();
  c.heads = *rc::gen::element<int64_t>(1, 2);
  const int64_t length = *rc::gen::inRange<int64_t>(2, 7);
  Built net(c, Purpose::predict, 1, length, *rc::gen::arbitrary<uint32_t>());
  const std::vector<Tensor> before = run_all(net.graph, net.bound, DType::f64);
  std::vector<int64_t> order(static_cast<size_t>(length));
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(*rc::gen::arbitrary<uint32_t>()));
  const Tensor tokens = net.bound.at("tokens");
  for (int64_t t = 0; t < length; ++t)
    net.bound.at("tokens").data<int64_t>()[t] = tokens.data<int64_t>()[order[static_cast<size_t>(t)]];
  const std::vector<Tensor> after = run_all(net.graph, net.bound, DType::f64);
  const size_t logits = static_cast<size_t>(net.graph.require("logits"));
  for (int64_t t = 0; t < length; ++t)
    for (int64_t v = 0; v < c.vocabulary; ++v) {
      const double a = after[logits].at({0, t, v}),
                   b = before[logits].at({0, order[static_cast<size_t>(t)], v});
      RC_ASSERT(std::abs(a - b) < 1e-12 * std::max(1.0, std::abs(b)));
    }
}

RC_GTEST_PROP(Attention, AddingAConstantToAllScoresChangesNothing, ()) {
  const Shape shape = {{Axis::B, 1}, {Axis::H, 2}, {Axis::T, 3}, {Axis::S, 5}};
  Graph graph(operations());
  softmax(graph.scope("pattern"), graph.input("scores", shape), Axis::S);
  std::mt19937_64 random(*rc::gen::arbitrary<uint32_t>());
  Tensor scores = Built::drawn(shape, random, 0), shifted = scores;
  const double constant = static_cast<double>(*rc::gen::inRange(-500, 500));
  for (int64_t i = 0; i < shifted.count(); ++i) shifted.data<double>()[i] += constant;
  const Tensor a = run_all(graph, {{"scores", scores}}, DType::f64)[1],
               b = run_all(graph, {{"scores", shifted}}, DType::f64)[1];
  for (int64_t i = 0; i < a.count(); ++i)
    RC_ASSERT(std::abs(a.data<double>()[i] - b.data<double>()[i]) < 1e-12);
}

TEST(Attention, TheGradientOfAKeysBiasIsZero) {
  Built net(small_gpt(), Purpose::train, 2, 6, 21);
  differentiate(net.graph, net.graph.handle(net.graph.require("loss")));
  const std::vector<Tensor> values = run_all(net.graph, net.bound, DType::f64);
  for (const char* name : {"blocks.0.attn.b_K.grad", "blocks.1.attn.b_K.grad"}) {
    const Tensor& gradient = values[static_cast<size_t>(net.graph.require(name))];
    for (int64_t i = 0; i < gradient.count(); ++i) EXPECT_NEAR(gradient.data<double>()[i], 0, 1e-14) << name;
  }
  const Tensor& queries = values[static_cast<size_t>(net.graph.require("blocks.0.attn.b_Q.grad"))];
  double largest = 0;
  for (int64_t i = 0; i < queries.count(); ++i)
    largest = std::max(largest, std::abs(queries.data<double>()[i]));
  EXPECT_GT(largest, 1e-6);  // as the query's is not
}

}  // namespace
}  // namespace limpid
