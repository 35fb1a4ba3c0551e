// What a plan joins into one pass, and the memory of the caller's that a run reads and writes.
#include <gtest/gtest.h>

#include <cstring>

#include "built_network.h"
#include "limpid/engine.h"

namespace limpid {
namespace {

// What a block of GPT-2 runs in one pass: feed-forward with its activation, projections with their residual.
TEST(Plan, JoinsWhatFollowsAProduct) {
  Built net(small_gpt(), Purpose::train, 2, 6, 23);
  differentiate(net.graph, net.graph.handle(net.graph.require("loss")));
  std::set<int> wanted;
  for (const std::string& name : outputs_of_training(net.graph)) wanted.insert(net.graph.require(name));
  const Plan plan = plan_of(net, wanted, {});
  std::map<std::string, std::string> joined;  // what a step writes last: what it begins with
  for (const Plan::Step& step : plan.steps)
    if (!step.finish.empty())
      joined[net.graph.value(last_value(net.graph, step)).name] =
          net.graph.value(net.graph.stage(step.stage).outputs[0]).name;
  EXPECT_EQ(joined["blocks.0.mlp.post"], "blocks.0.mlp.pre");
  EXPECT_EQ(joined["blocks.0.resid_mid"], "blocks.0.attn_out");
  EXPECT_EQ(joined["blocks.0.resid_post"], "blocks.0.mlp_out");
  EXPECT_EQ(joined["blocks.0.mlp.pre.grad"], "blocks.0.mlp.post.grad");
  EXPECT_EQ(joined["blocks.0.resid_mid.grad"], "blocks.0.resid_mid.grad.via.blocks.0.ln2");
  const auto used = [&](const char* name) {
    return plan.places[static_cast<size_t>(net.graph.require(name))].used;
  };
  EXPECT_TRUE(used("blocks.0.mlp.pre"));  // the gradient reads it
  EXPECT_FALSE(used("blocks.0.mlp_out"));
  EXPECT_FALSE(used("blocks.0.mlp.post.grad"));
}

// The last rows of the logits alone: the norm, the product and the probabilities of no other row are
// computed, and the bits are those of the whole.
TEST(Plan, ComputesTheRowsThatAreReadWhereStagesWorkByRows) {
  const Built net(small_gpt(), Purpose::predict, 2, 6, 26);
  const Engine engine(net.graph);
  const RunResult whole = engine.run(net.views(), {.keep = {"logits", "probs", "blocks.0.resid_post"}});
  RunOptions options;
  options.observe = {
      {"logits", Depth::rows, 0, {-1, 3}}, {"probs", Depth::rows, 0, {1}}, {"ln_final.*", Depth::shape}};
  const RunResult some = engine.run(net.views(), options);
  const int logits = net.graph.require("logits"), attended = net.graph.require("blocks.0.attn.z");
  PlanRequest request;
  request.rows[logits] = {3, 5};
  std::map<int, Shape> shapes;
  for (const auto& [name, tensor] : net.bound) shapes[net.graph.require(name)] = tensor.shape();
  const Plan plan = make_plan(net.graph, bind_shapes(net.graph, shapes), request);
  EXPECT_EQ(plan.shapes[static_cast<size_t>(logits)][1].size, 2);
  EXPECT_TRUE(plan.sliced.count(net.graph.require("ln_final.normalized")));
  EXPECT_EQ(plan.shapes[static_cast<size_t>(attended)][1].size, 6);
  EXPECT_EQ(some.summaries.at("ln_final.normalized").shape,
            (Shape{{Axis::B, 2}, {Axis::T, 6}, {Axis::C, 8}}));
  for (const auto& [name, places] : {std::pair{"logits", std::vector<int64_t>{3, 5}}, {"probs", {1}}}) {
    const Tensor &all = whole[name], &rows = some[std::string(name) + "@rows"];
    ASSERT_EQ(rows.shape()[1].size, static_cast<int64_t>(places.size()));
    for (int64_t b = 0; b < 2; ++b)
      for (size_t i = 0; i < places.size(); ++i)
        for (int64_t v = 0; v < all.shape()[2].size; ++v)
          ASSERT_EQ(rows.at({b, static_cast<int64_t>(i), v}), all.at({b, places[i], v})) << name;
  }
  // Who reads all rows, or edits, gets all rows.
  options.observe.push_back({"ln_final.normalized", Depth::summary});
  options.edits = {edit_of("logits=scale:2")};
  const RunResult edited = engine.run(net.views(), options);
  EXPECT_EQ(edited.summaries.at("ln_final.normalized").count, 2 * 6 * 8);
  EXPECT_EQ(edited["logits@rows"].at({1, 1, 4}), 2 * whole["logits"].at({1, 5, 4}));
}

// What a run with this memory says of it; nothing if it fits.
std::string complaint(const Built& net, const std::map<std::string, View>& into) {
  RunOptions options;
  options.into = into;
  try {
    Engine(net.graph).run(net.views(), options);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::call);
    return error.what();
  }
  return "";
}

TEST(Run, MemoryForAValueMustFit) {
  const Built net(small_gpt(), Purpose::train, 2, 6, 24);
  Tensor wrong(DType::f32, Shape::unnamed({2, 6, 9})), right(DType::f32, Shape::unnamed({2, 6, 8}));
  const auto message = [&](const std::string& name, const View& view) {
    return complaint(net, {{name, view}});
  };
  EXPECT_EQ(
      message("blocks.0.resid_mid", wrong.view()),
      "run: the memory for 'blocks.0.resid_mid' is f32 [2,6,9], expected f32 [B=2,T=6,C=8] without gaps");
  EXPECT_NE(message("blocks.0.resid_mid", View()), "");
  EXPECT_EQ(message("blocks.0.resid_mid", right.view()), "");
  EXPECT_NE(message("blocks.0.nothing", right.view()), "");
}

// Silently wrong numbers once: the gradient of a weight was computed over the weight itself.
TEST(Run, MemoryForAValueMustNotBeThatOfAParameter) {
  Built net(small_gpt(), Purpose::train, 2, 6, 25);
  differentiate(net.graph, net.graph.handle(net.graph.require("loss")));
  const std::string name = "blocks.0.mlp.W_in", gradient = name + ".grad";
  const std::string expected = "run: the memory for '" + gradient + "' overlaps what is given as '" + name +
                               "'; give '" + gradient + "' memory of its own";
  Tensor& doubles = net.bound.at(name);  // which the run converts first
  const Tensor before = doubles;
  const View first_half(DType::f32, doubles.shape(), doubles.raw());
  EXPECT_EQ(complaint(net, {{gradient, first_half}}), expected);
  EXPECT_TRUE(same_bits(doubles, before));  // nothing was written

  Tensor& floats = net.bound.at(name);
  floats = before.to(DType::f32);
  const Tensor as_floats = floats;
  EXPECT_EQ(complaint(net, {{gradient, floats.view()}}), expected);
  EXPECT_EQ(complaint(net, {{name, floats.view()}}), "run: the memory for '" + name +
                                                         "' overlaps what is given as '" + name +
                                                         "'; give '" + name + "' memory of its own");
  EXPECT_TRUE(same_bits(floats, as_floats));

  // One number of the two is the same; then they lie side by side.
  const int64_t count = floats.count();
  Tensor room(DType::f32, Shape::unnamed({2 * count}));
  const auto part = [&](int64_t first) {
    return View(DType::f32, as_floats.shape(), room.data<float>() + first);
  };
  RunOptions options;
  options.into[gradient] = part(0);
  std::map<std::string, ConstView> views = net.views();
  views[name] = part(count - 1);
  EXPECT_THROW(Engine(net.graph).run(views, options), Error);
  copy(as_floats, part(count));
  views[name] = part(count);
  Engine(net.graph).run(views, options);
  const RunResult kept = Engine(net.graph).run(net.views(), {.keep = {gradient}});
  EXPECT_EQ(0, std::memcmp(room.raw(), kept[gradient].raw(), kept[gradient].bytes()));
}

TEST(Run, MemoryForAValueMustNotBeThatOfAnother) {
  const Built net(small_gpt(), Purpose::train, 2, 6, 26);
  constexpr int64_t count = 2 * 6 * 8;
  Tensor room(DType::f32, Shape::unnamed({2 * count}));
  const auto part = [&](int64_t first) {
    return View(DType::f32, Shape::unnamed({2, 6, 8}), room.data<float>() + first);
  };
  const auto message = [&](int64_t a, int64_t b) {
    return complaint(net, {{"blocks.0.resid_mid", part(a)}, {"blocks.0.resid_post", part(b)}});
  };
  for (const auto& [a, b] : {std::pair<int64_t, int64_t>{0, 0}, {0, count - 1}, {count - 1, 0}, {3, 2}}) {
    const std::string said = message(a, b);
    EXPECT_EQ(said,
              "run: the memory for 'blocks.0.resid_mid' overlaps the memory for 'blocks.0.resid_post'; give "
              "'blocks.0.resid_mid' memory of its own")
        << a << ", " << b;
  }
  for (int64_t i = 0; i < 2 * count; ++i) ASSERT_EQ(room.data<float>()[i], 0);  // nothing was written
  EXPECT_EQ(message(0, count), "");
  EXPECT_EQ(message(count, 0), "");
}

TEST(Run, AValueGoesIntoOnePlace) {
  const Built net(small_gpt(), Purpose::train, 2, 6, 27);
  Tensor a(DType::f32, Shape::unnamed({2, 6, 8})), b = a;
  EXPECT_EQ(
      complaint(net, {{"blocks.0.resid_post", a.view()}, {"blocks.1.resid_pre", b.view()}}),
      "run: 'blocks.0.resid_post' and 'blocks.1.resid_pre' are one value, 'blocks.0.resid_post', with two "
      "places to go into; give it one and copy from there");
  EXPECT_EQ(complaint(net, {{"blocks.1.resid_pre", b.view()}}), "");
}

TEST(Run, WhatIsGivenMustHaveNumbers) {
  const Built net(small_gpt(), Purpose::predict, 1, 6, 28);
  std::map<std::string, ConstView> views = net.views();
  const ConstView whole = views.at("blocks.0.mlp.W_in");
  views["blocks.0.mlp.W_in"] = ConstView(DType::f32, whole.shape(), nullptr);
  try {
    Engine(net.graph).run(views, {.keep = {"logits"}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::call);
    EXPECT_EQ(std::string(error.what()),
              "run: 'blocks.0.mlp.W_in' is [C=8,F=32] and has no numbers (its pointer is null)");
  }
}

}  // namespace
}  // namespace limpid
