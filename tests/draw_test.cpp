// The network figure over many networks: nothing overlaps, nothing is cut off, every line ends on its boxes
// and crosses no other.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "draw_helpers.h"

namespace limpid {
namespace {

// ---- many networks -------------------------------------------------------------------------------

constexpr Positions k_positions[] = {Positions::none,         Positions::learned, Positions::sinusoidal,
                                     Positions::rotary,       Positions::alibi,   Positions::relative_bias,
                                     Positions::relative_keys};

std::vector<std::string> labels_of(const Scene& scene) {
  std::vector<std::string> out;
  for (const SceneBox& box : scene.boxes) {
    std::string label;
    for (const SceneText& text : box.texts) label += (label.empty() ? "" : " ") + text.text;
    out.push_back(label);
  }
  return out;
}

bool has_label(const Scene& scene, const std::string& label) {
  const std::vector<std::string> all = labels_of(scene);
  return std::find(all.begin(), all.end(), label) != all.end();
}

TEST(DrawTest, TextbookWithEveryOption) {
  for (Positions positions : k_positions)
    for (Head head : {Head::next_word, Head::classes, Head::regression})
      for (int options = 0; options < 64; ++options) {
        TextbookConfig c = textbook();
        c.positions = positions;
        c.head = head;
        c.outputs = 5;
        c.heads = options & 1 ? 2 : 1;
        c.add_norm = options & 2;
        c.mask = options & 4 ? Mask::causal : Mask::none;
        c.vectors = options & 8;
        c.join = options & 16;
        const SceneOptions said = options & 32 ? sentence({"Life", "is", "short"}) : SceneOptions{};
        const Scene scene = scene_of(c, said);
        ASSERT_EQ(faults(scene), "") << to_json(NetworkConfig(c)) << " with words: " << (options & 32);
        ASSERT_GE(printed_size(scene), 7)
            << to_json(NetworkConfig(c)) << scene.width << " x " << scene.height;
      }
}

TEST(DrawTest, GptWithEveryOption) {
  for (Positions positions : k_positions)
    for (Activation activation : {Activation::gelu, Activation::swiglu})
      for (int64_t layers : {1, 2, 12})
        for (int options = 0; options < 32; ++options) {
          GptConfig c = gpt(layers);
          c.positions = positions;
          c.activation = activation;
          c.kv_heads = options & 1 ? 4 : 0;
          c.norm = options & 2 ? Norm::rms : Norm::layer;
          c.dropout = c.attention_dropout = options & 4 ? 0.1 : 0;
          SceneOptions said;
          if (options & 8) said = sentence(std::vector<std::string>(1024, "token"));
          said.parameters = options & 16;
          const Scene scene = scene_of(c, said, options & 4 ? Purpose::train : Purpose::predict);
          ASSERT_EQ(faults(scene), "") << to_json(NetworkConfig(c)) << options;
          ASSERT_GE(printed_size(scene), 7) << to_json(NetworkConfig(c)) << options;
        }
}

TEST(DrawTest, BlocksCollapse) {
  const Scene one = scene_of(gpt(1)), two = scene_of(gpt(2)), many = scene_of(gpt(96));
  EXPECT_EQ(one.boxes.size(), two.boxes.size());
  EXPECT_EQ(two.boxes.size(), many.boxes.size());
  EXPECT_EQ(two.width, many.width);
  EXPECT_EQ(two.height, many.height);
  ASSERT_EQ(many.frames.size(), 2u);
  EXPECT_EQ(many.frames[0].title.text, "Block \xc3\x97 96");
  EXPECT_EQ(many.frames[0].repeats, 96);
  EXPECT_EQ(many.frames[1].title.text, "Self-Attention, 12 heads");
  EXPECT_EQ(one.frames.size(), 1u);
}

TEST(DrawTest, BlocksThatDifferAreNotCollapsed) {
  // Two blocks of one kind, then two of another: x -> scale a -> scale a -> scale b -> scale b.
  Graph graph(operations());
  Stage x = graph.input("tokens", {{Axis::B, k_symbolic}, {Axis::T, k_symbolic}, {Axis::C, 4}});
  for (int i = 0; i < 4; ++i)
    x = relu(graph.scope(join("blocks.", i, ".bend")),
             scale(graph.scope(join("blocks.", i, ".scaled")), x, i < 2 ? 0.5 : 2));
  const Scene scene = network_scene(graph);
  ASSERT_EQ(scene.frames.size(), 2u);
  EXPECT_EQ(scene.frames[0].repeats, 2);
  EXPECT_EQ(scene.frames[1].repeats, 2);
  EXPECT_EQ(faults(scene), "");
}

TEST(DrawTest, AlternatingBlocksCollapseInPairs) {
  Graph graph(operations());
  Stage x = graph.input("tokens", {{Axis::B, k_symbolic}, {Axis::T, k_symbolic}, {Axis::C, 4}});
  for (int i = 0; i < 8; ++i) x = scale(graph.scope(join("blocks.", i, ".scaled")), x, i % 2 ? 0.5 : 2);
  const Scene scene = network_scene(graph);
  ASSERT_EQ(scene.frames.size(), 1u);
  EXPECT_EQ(scene.frames[0].title.text, "2 Blocks \xc3\x97 4");
  EXPECT_EQ(faults(scene), "");
}

// ---- networks to come ----------------------------------------------------------------------------

AttentionOptions two_heads(Mask mask = Mask::none) {
  AttentionOptions o;
  o.heads = 2;
  o.width = 4;
  o.out_width = 8;
  o.mask = mask;
  return o;
}

Stage linear_to(const Scope& in, Stage x, Dim from, Dim to) {
  return linear(in, x, in.graph->parameter(in.path + "_W", {from, to}, {}));
}

Stage add_and_norm(const Scope& block, const std::string& number, Stage x, Stage y) {
  const Stage sum = add(block / ("resid" + number), x, y);
  return layer_norm(block / ("ln" + number), sum);
}

Stage feed_forward(const Scope& block, Stage x) {
  const Stage wide =
      gelu(block / "mlp" / "post", linear_to(block / "mlp" / "pre", x, {Axis::C, 8}, {Axis::F, 32}));
  return linear_to(block / "mlp_out", wide, {Axis::F, 32}, {Axis::C, 8});
}

Stage rows_of(Graph& graph, const std::string& name, Axis axis) {
  return graph.input(name, {{Axis::B, k_symbolic}, {axis, k_symbolic}, {Axis::C, 8}});
}

// The lengths of a batch's texts are an input of the group, but nothing that is attended to; nor are the rows
// of distances that disentangled attention reads.
TEST(DrawTest, AnEncodersAttentionIsSelfAttention) {
  for (const Positions positions : {Positions::none, Positions::disentangled}) {
    Architecture a = architecture_of(gpt(1, 2, 16));
    a.stack.blocks[0].attention.mask = Mask::none;
    a.stack.blocks[0].attention.positions = positions;
    a.head.kind = Head::masked_word;
    Graph graph(operations());
    build(graph, a);
    const Scene scene = network_scene(graph);
    ASSERT_GE(scene.frames.size(), 1u);
    bool found = false;
    for (const SceneFrame& frame : scene.frames)
      found = found || frame.title.text == "Self-Attention, 2 heads";
    EXPECT_TRUE(found) << name(positions);
    const Scene inside = attention_scene(graph);
    // Queries and keys both go into three products, which no plane has room for without a crossing.
    if (positions == Positions::none) {
      EXPECT_EQ(faults(scene), "");
      EXPECT_EQ(faults(inside), "");
    }
    EXPECT_TRUE(has_label(inside, "Lengths")) << name(positions);
    EXPECT_FALSE(has_label(inside, "Memory")) << name(positions);
  }
}

TEST(DrawTest, WhatLeavesTheLastBlockIsTheLastHiddenState) {
  Architecture a = architecture_of(gpt(3, 2, 16));
  a.stack.blocks[0].norms = NormPlace::after;
  a.stack.final_norm = {};
  a.head.kind = Head::none;
  Graph graph(operations());
  build(graph, a);
  const Scene scene = network_scene(graph);
  EXPECT_TRUE(has_label(scene, "last hidden state"));
  EXPECT_FALSE(has_label(scene, "ln2.normalized"));
}

TEST(DrawTest, CrossAttentionHasTwoInputs) {
  Graph graph(operations());
  const Stage x = rows_of(graph, "tokens", Axis::T), memory = rows_of(graph, "memory", Axis::S);
  add_and_norm(graph.scope("block"), "1", x, attention(graph.scope("block.attn"), x, memory, two_heads()));
  const Scene scene = network_scene(graph);
  EXPECT_EQ(faults(scene), "");
  ASSERT_EQ(scene.frames.size(), 1u);
  EXPECT_EQ(scene.frames[0].title.text, "Cross-Attention, 2 heads");
}

TEST(DrawTest, NormsAfterwardsAndDecodersWithASource) {
  for (bool decoder : {false, true}) {
    Graph graph(operations());
    Stage x = rows_of(graph, "tokens", Axis::T);
    const Stage source = decoder ? rows_of(graph, "source", Axis::S) : Stage{};
    for (int i = 0; i < 6; ++i) {
      const Scope block = graph.scope(join("layers.", i));
      x = add_and_norm(block, "1", x, attention(block / "attn", x, x, two_heads(Mask::causal)));
      if (decoder)
        x = add_and_norm(block, "2", x, attention(block / "cross" / "attn", x, source, two_heads()));
      x = add_and_norm(block, "3", x, feed_forward(block, x));
    }
    linear_to(graph.scope("logits"), x, {Axis::C, 8}, {Axis::V, 100});
    const Scene scene = network_scene(graph);
    EXPECT_EQ(faults(scene), "");
    ASSERT_EQ(scene.frames.size(), decoder ? 3u : 2u);
    EXPECT_EQ(scene.frames[0].title.text, "Layer \xc3\x97 6");
  }
}

// ---- blocks opened and closed, parameters --------------------------------------------------------

// An encoder-decoder: the encoder first, its output again as what the decoder is given, and each block called
// after its side.
TEST(DrawTest, EncodersAndDecoders) {
  Architecture a;
  BlockOptions block;
  block.attention = {.heads = 2, .width = 4, .out_width = 8};
  block.feed_forward.width = 12;
  a.inputs = {.vocabulary = 20, .width = 8};
  a.encoder = Encoder{a.inputs, {.layers = 3, .blocks = {block}}};
  a.encoder->inputs.vocabulary = 0;
  block.cross = block.attention;
  block.attention.mask = Mask::causal;
  a.stack = {.layers = 6, .blocks = {block}};
  Graph graph(operations());
  build(graph, a);
  const Scene scene = network_scene(graph);
  EXPECT_EQ(faults(scene), "");
  std::vector<std::string> titles;
  for (const SceneFrame& frame : scene.frames) titles.push_back(frame.title.text);
  for (const char* title :
       {"Encoder block \xc3\x97 3", "Decoder block \xc3\x97 6", "Cross-Attention, 2 heads"})
    EXPECT_EQ(std::count(titles.begin(), titles.end(), title), 1) << title;
  EXPECT_EQ(std::count(titles.begin(), titles.end(), "Self-Attention, 2 heads"), 2);
  const std::vector<std::string> labels = labels_of(scene);
  EXPECT_EQ(std::count(labels.begin(), labels.end(), "Encoder output"), 1);
}

// Every letter on an edge is explained.
TEST(DrawTest, TheLegendHasExpertsAndDistances) {
  Architecture a = architecture_of(gpt(1, 2, 16));
  a.stack.blocks[0].feed_forward.experts = ExpertOptions{.count = 5, .chosen = 2};
  a.stack.blocks[0].attention.mask = Mask::none;
  a.stack.blocks[0].attention.positions = Positions::disentangled;
  a.head.kind = Head::masked_word;
  Graph graph(operations());
  build(graph, a);
  std::string all;
  const Scene scene = network_scene(graph);
  for (const SceneText& text : scene.texts)
    if (text.kind == SceneText::Kind::legend) all += text.text + "\n";
  for (const char* words : {"M experts (5)", "J experts for a token (2)", "N buckets of distance"})
    EXPECT_NE(all.find(words), std::string::npos) << words << " in\n" << all;
}

TEST(DrawTest, BlocksOpenAndClose) {
  for (int64_t layers : {1, 2, 3, 12, 96})
    for (int64_t open : {int64_t{-1}, int64_t{0}, layers / 2, layers - 1})
      for (bool parameters : {false, true}) {
        SceneOptions options = sentence({"Life", "is", "short"});
        options.parameters = parameters;
        options.open = {open < 0 ? "none" : join("blocks.", open)};
        const Scene scene = scene_of(gpt(layers), options);
        ASSERT_EQ(faults(scene), "") << layers << " layers, open " << open;
        ASSERT_GE(printed_size(scene), 7) << layers << " layers, open " << open;
        if (layers > 1) {
          EXPECT_EQ(scene.frames.size(), open < 0 ? 0u : 2u);
        }
      }
  SceneOptions closed;
  closed.open = {"none"};
  EXPECT_TRUE(has_label(scene_of(gpt(12), closed), "Block \xc3\x97 12"));
  SceneOptions third;
  third.open = {"blocks.3"};
  const Scene scene = scene_of(gpt(12), third);
  EXPECT_TRUE(has_label(scene, "Block \xc3\x97 3"));
  EXPECT_TRUE(has_label(scene, "Block \xc3\x97 8"));
  EXPECT_EQ(scene.frames[0].title.text, "Block 3");
  third.open = {"blocks.12"};
  EXPECT_THROW(scene_of(gpt(12), third), Error);
}

TEST(DrawTest, ParametersAreCounted) {
  SceneOptions options;
  options.parameters = true;
  options.open = {"none"};
  // GPT-2: 124.4 million in all, 85.1 of them in the blocks.
  const Scene scene = scene_of(gpt(12), options);
  EXPECT_TRUE(has_label(scene, "Block \xc3\x97 12 85.1M parameters"));
  EXPECT_TRUE(has_label(scene, "Embedding Layer 38.6M parameters"));
  for (const SceneBox& box : scene.boxes)
    for (const SceneText& text : box.texts)
      EXPECT_EQ(text.kind == SceneText::Kind::count, text.text.find("parameter") != std::string::npos);
}

// ---- the inside of attention ---------------------------------------------------------------------

TEST(DrawTest, AttentionOfEveryNetwork) {
  for (Positions positions : k_positions)
    for (int options = 0; options < 16; ++options) {
      GptConfig c = gpt(2, options & 1 ? 1 : 12);
      c.positions = positions;
      c.kv_heads = options & 2 ? 1 : 0;
      c.attention_dropout = options & 4 ? 0.1 : 0;
      Graph graph(operations());
      build(graph, c, options & 4 ? Purpose::train : Purpose::predict);
      const Scene scene =
          attention_scene(graph, 1, options & 8 ? sentence({"Life", "is", "short"}) : SceneOptions{});
      ASSERT_EQ(faults(scene), "") << to_json(NetworkConfig(c)) << options;
      ASSERT_GE(printed_size(scene), 7) << to_json(NetworkConfig(c)) << options;
      for (const char* label : {"Input X", "Linear Transform (Q)", "Linear Transform (K)",
                                "Linear Transform (V)", "Dot Product", "Softmax", "Weighted Sum", "output"})
        EXPECT_TRUE(has_label(scene, label)) << label;
      EXPECT_FALSE(has_label(scene, "GELU"));
    }
  Graph graph(operations());
  build(graph, gpt(2));
  // One head needs no joining: the view that stands in its place is not drawn, its name is.
  Graph one_head(operations());
  build(one_head, textbook());
  EXPECT_TRUE(has_label(attention_scene(one_head), "output"));
  EXPECT_THROW(attention_scene(graph, 2), Error);
  EXPECT_THROW(attention_scene(graph, -1), Error);
}

TEST(DrawTest, AttentionToAnotherSequenceHasTwoInputs) {
  Graph graph(operations());
  const Stage x = rows_of(graph, "tokens", Axis::T), memory = rows_of(graph, "source", Axis::S);
  add_and_norm(graph.scope("block"), "1", x, attention(graph.scope("block.attn"), x, memory, two_heads()));
  const Scene scene = attention_scene(graph);
  EXPECT_EQ(faults(scene), "");
  EXPECT_TRUE(has_label(scene, "Input memory"));
  const auto sequence = [](const SceneBox& box) { return box.name == "X (words)"; };  // goes straight into Q
  EXPECT_EQ(std::count_if(scene.boxes.begin(), scene.boxes.end(), sequence), 1);
  ASSERT_EQ(scene.frames.size(), 1u);
  EXPECT_EQ(scene.frames[0].title.text, "Cross-Attention, 2 heads");
}

// ---- drawn configurations ------------------------------------------------------------------------

RC_GTEST_PROP(DrawTest, AnyGpt, ()) {
  GptConfig c = gpt(*rc::gen::inRange<int64_t>(1, 97));
  c.heads = *rc::gen::element<int64_t>(1, 2, 3, 8, 12, 16, 64);
  c.kv_heads = *rc::gen::element<int64_t>(0, 1, c.heads);
  c.width = c.heads * 2 * *rc::gen::inRange<int64_t>(1, 129);
  c.positions = *rc::gen::elementOf(std::vector<Positions>(std::begin(k_positions), std::end(k_positions)));
  c.activation = *rc::gen::element(Activation::gelu, Activation::relu, Activation::silu, Activation::swiglu);
  c.norm = *rc::gen::element(Norm::layer, Norm::rms);
  c.tied = *rc::gen::arbitrary<bool>();
  c.bias = *rc::gen::arbitrary<bool>();
  const int64_t length = *rc::gen::inRange<int64_t>(0, 513);
  const std::string word(*rc::gen::inRange<size_t>(1, 40), 'w');
  SceneOptions options = sentence(std::vector<std::string>(static_cast<size_t>(length), word));
  if (length == 0) options.sizes.clear();
  options.parameters = *rc::gen::arbitrary<bool>();
  if (c.layers > 1 && *rc::gen::arbitrary<bool>())
    options.open = {join("blocks.", *rc::gen::inRange<int64_t>(0, c.layers))};
  const Scene scene = scene_of(c, options);
  RC_ASSERT(faults(scene) == "");
  RC_ASSERT(printed_size(scene) >= 7);
}

RC_GTEST_PROP(DrawTest, AnyWidth, ()) {
  SceneOptions options;
  options.width = *rc::gen::inRange(300, 3000);
  RC_ASSERT(faults(scene_of(gpt(3), options)) == "");
}

// Layouts must hold for graphs nobody has seen: chains with side ways of any length.
RC_GTEST_PROP(DrawTest, AnySmallGraphKeepsItsBoxesApart, ()) {
  Graph graph(operations());
  std::vector<Stage> values = {
      graph.input("tokens", {{Axis::B, k_symbolic}, {Axis::T, k_symbolic}, {Axis::C, 4}})};
  const int count = *rc::gen::inRange(1, 14);
  for (int i = 0; i < count; ++i) {
    const Stage a =
        values[*rc::gen::inRange<size_t>(values.size() > 4 ? values.size() - 4 : 0, values.size())];
    const Stage b = values[*rc::gen::inRange<size_t>(0, values.size())];
    values.push_back(*rc::gen::arbitrary<bool>() ? relu(graph.scope(join("s", i)), a)
                                                 : add(graph.scope(join("s", i)), a, b));
  }
  const Scene scene = network_scene(graph);
  std::string bad;
  for (auto* check : {box_faults, frame_faults})
    for (const std::string& fault : check(scene)) bad += fault + "\n";
  RC_ASSERT(bad == "");
}

}  // namespace
}  // namespace limpid
