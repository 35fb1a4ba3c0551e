#include "network/build.h"

#include <algorithm>

#include "network/parts.h"

namespace limpid {

namespace {

// As many as the deepest that was published (DeepNet).  A graph has some 25 stages a layer, so a number in a
// file must not ask for billions of them.
constexpr int64_t k_most_layers = 1000;
constexpr int64_t k_most_width = 1 << 24;  // a thousand times what was published

void check(const TextbookConfig& c) {
  if (!c.vectors && c.vocabulary < 1)
    fail_call("textbook: vocabulary is ", c.vocabulary, ", expected at least 1");
  if (c.heads < 1 || c.width < 1 || c.width % c.heads != 0)
    fail_call("textbook: width ", c.width, " cannot be shared by ", c.heads, " heads; expected a multiple");
  if (c.positions == Positions::rotary && (c.width / c.heads) % 2 != 0)
    fail_call("textbook: rotary positions need an even head width, not ", c.width / c.heads);
  if ((c.head != Head::next_word || c.vectors) && c.outputs < 1)
    fail_call("textbook: outputs is ", c.outputs, ", expected how many classes or numbers the head gives");
  if (c.context < 1) fail_call("textbook: context is ", c.context, ", expected at least 1");
}

void check(const GptConfig& c) {
  if (c.vocabulary < 1) fail_call("gpt: vocabulary is ", c.vocabulary, ", expected at least 1");
  if (c.layers < 1 || c.layers > k_most_layers)
    fail_call("gpt: layers is ", c.layers, ", expected 1 to ", k_most_layers);
  if (c.context < 1) fail_call("gpt: context is ", c.context, ", expected at least 1");
  if (c.heads < 1 || c.width < 1 || c.width % c.heads != 0)
    fail_call("gpt: width ", c.width, " cannot be shared by ", c.heads, " heads; expected a multiple");
  if (c.kv_heads < 0 || (c.kv_heads > 0 && c.heads % c.kv_heads != 0))
    fail_call("gpt: ", c.heads, " heads cannot share ", c.kv_heads, " key/value heads; expected a divisor");
  if (c.positions == Positions::rotary && (c.width / c.heads) % 2 != 0)
    fail_call("gpt: rotary positions need an even head width, not ", c.width / c.heads);
  if (!(c.rotary_base > 0)) fail_call("gpt: rotary_base is ", c.rotary_base, ", expected more than 0");
  if (!(c.epsilon >= 0)) fail_call("gpt: epsilon is ", c.epsilon, ", expected at least 0");
  for (double rate : {c.dropout, c.attention_dropout})
    if (!(rate >= 0 && rate < 1))
      fail_call("gpt: dropout is ", rate, ", expected at least 0 and less than 1");
}

void check(const BlockOptions& o, const std::string& of, int64_t width) {
  const AttentionOptions& a = o.attention;
  // Products of a few sizes stay numbers of 64 bits.
  if (a.heads > k_most_width || a.width > k_most_width || a.heads * a.width > k_most_width ||
      o.feed_forward.width > k_most_width)
    fail_call(of, ": ", a.heads, " heads of width ", a.width, " and a feed-forward width of ",
              o.feed_forward.width, ", expected rows of at most ", k_most_width, " numbers");
  if (a.heads < 1 || a.width < 1)
    fail_call(of, ": ", a.heads, " heads of width ", a.width, ", expected at least 1 of at least 1");
  if (a.kv_heads < 0 || (a.kv_heads > 0 && a.heads % a.kv_heads != 0))
    fail_call(of, ": ", a.heads, " heads cannot share ", a.kv_heads, " key/value heads; expected a divisor");
  if (a.positions == Positions::rotary &&
      (a.rotary.width < 2 || a.rotary.width > a.width || a.rotary.width % 2 != 0))
    fail_call(of, ": rotary positions turn ", a.rotary.width, " of the ", a.width,
              " numbers of a head, expected an even number of them");
  if (a.out_width != width)
    fail_call(of, ": attention gives rows of ", a.out_width, ", expected the model's width ", width);
  const bool needs_feed_forward = o.parallel || o.norms != NormPlace::before;
  if (o.feed_forward.width < (needs_feed_forward ? 1 : 0))
    fail_call(of, ": the feed-forward width is ", o.feed_forward.width,
              ", expected at least 1 (0 for none, of a ", "block whose norms stand before)");
}

void check(const Architecture& a) {
  const std::string of = a.family.empty() ? "network" : a.family;
  if (a.patches) {
    const PatchInputs& p = *a.patches;
    if (p.channels > 4096 || p.size > 4096 || p.height > (1 << 16) || p.width > (1 << 16) || p.channels < 1 ||
        p.size < 1 || p.height < p.size || p.width < p.size || p.height % p.size != 0 ||
        p.width % p.size != 0)
      fail_call(of, ": images of ", p.channels, " channels, ", p.height, " by ", p.width,
                " pixels, in squares of ", p.size,
                ", expected a height and a width that the square's side divides");
    if (a.head.kind == Head::next_word || a.head.kind == Head::masked_word)
      fail_call(of, ": a network of images predicts no words");
  }
  if ((!a.patches && a.inputs.vocabulary < 1) || a.inputs.width < 1)
    fail_call(of, ": vocabulary ", a.inputs.vocabulary, " and width ", a.inputs.width,
              ", expected at least 1");
  if (a.stack.layers < 1 || a.stack.layers > k_most_layers)
    fail_call(of, ": layers is ", a.stack.layers, ", expected 1 to ", k_most_layers);
  const auto kinds = static_cast<int64_t>(a.stack.blocks.size());
  if (kinds == 0) fail_call(of, ": its stack has no block");
  for (int64_t which : a.stack.pattern)
    if (which < 0 || which >= kinds) fail_call(of, ": the pattern names block ", which, " of ", kinds);
  for (const BlockOptions& block : a.stack.blocks) {
    check(block, of, a.inputs.width);
    const AttentionOptions& o = block.attention;
    if (o.positions == Positions::patch_bias && (!a.patches || a.patches->tokens.size() != 1 ||
                                                 o.patch_lines != a.patches->height / a.patches->size ||
                                                 o.patch_columns != a.patches->width / a.patches->size))
      fail_call(of, ": a bias of ", o.patch_lines, " lines of ", o.patch_columns,
                " patches, expected those of its images, behind one token");
  }
  if (a.head.pool_attention)
    check(BlockOptions{.attention = *a.head.pool_attention, .feed_forward = a.head.pool_feed_forward},
          of + ": head", a.inputs.width);
  if (a.inputs.positions == Positions::learned && a.inputs.context < 1)
    fail_call(of, ": context is ", a.inputs.context, ", expected at least 1");
  const Head kind = a.head.kind;
  if ((kind == Head::classes || kind == Head::regression || kind == Head::token_classes) &&
      a.head.outputs < 1)
    fail_call(of, ": outputs is ", a.head.outputs, ", expected how many classes or numbers the head gives");
}

bool causal(const Architecture& a) {
  return std::all_of(a.stack.blocks.begin(), a.stack.blocks.end(),
                     [](const BlockOptions& block) { return block.attention.mask == Mask::causal; });
}

}  // namespace

Architecture without_dropout(Architecture a) {
  a.dropout = 0;
  for (BlockOptions& block : a.stack.blocks) block.attention.dropout = 0;
  return a;
}

void build_parts(Graph& graph, const Architecture& given, Purpose purpose) {
  const bool training = purpose == Purpose::train;
  Architecture a = training ? given : without_dropout(given);
  if (purpose == Purpose::extend) {
    if (!causal(a) || a.patches) fail_call(a.family, ": only a causal network of tokens can be extended");
    for (BlockOptions& block : a.stack.blocks) block.attention.appends = true;
  }
  const Scope in = graph.scope();
  const int64_t table_width = a.inputs.embedding_width ? a.inputs.embedding_width : a.inputs.width;
  Stage table;
  if (!a.patches)
    table = graph.parameter("embed.W_E", {{Axis::V, a.inputs.vocabulary}, {Axis::C, table_width}},
                            {Init::Kind::normal, 0.02, true});
  BlockContext context{.width = a.inputs.width, .dropout = a.dropout};
  context.out_init = a.stack.blocks[0].attention.out_init;
  Stage x = a.patches ? patch_inputs(in, *a.patches, a.inputs.width)
                      : token_inputs(in, a.inputs, table);  // [B,T,C]
  x = dropped(x, a.dropout);
  // A vector made of the last row must know which that is.
  const bool asks_lengths = !causal(a) || (a.head.kind == Head::embedding && purpose != Purpose::extend);
  if (asks_lengths && !a.patches)
    context.lengths = graph.input("lengths", {{Axis::B, k_symbolic}}, DType::i64);
  x = stack(in, x, a.stack, context);  // [B,T,C]
  graph.alias("last_hidden_state", x);
  head(in, x, a.head, table, a, context.lengths, training);  // "logits" [B,T,V], ...
}

void build(Graph& graph, const NetworkConfig& config, Purpose purpose) {
  if (const auto* textbook = std::get_if<TextbookConfig>(&config)) {
    check(*textbook);
    build_textbook(graph, *textbook, purpose);
    return;
  }
  if (const auto* gpt = std::get_if<GptConfig>(&config)) {
    check(*gpt);
    build_parts(graph, architecture_of(*gpt), purpose);
    return;
  }
  check(std::get<Architecture>(config));
  build_parts(graph, std::get<Architecture>(config), purpose);
}

int64_t context_of(const NetworkConfig& config) {
  if (const auto* gpt = std::get_if<GptConfig>(&config)) return gpt->context;
  if (const auto* parts = std::get_if<Architecture>(&config))
    return parts->patches              ? parts->patches->count()
           : parts->inputs.context > 0 ? parts->inputs.context
                                       : INT64_MAX;
  const auto& textbook = std::get<TextbookConfig>(config);
  return textbook.positions == Positions::learned ? textbook.context : INT64_MAX;
}

bool has_learned_positions(const NetworkConfig& config) {
  if (const auto* gpt = std::get_if<GptConfig>(&config)) return gpt->positions == Positions::learned;
  if (const auto* parts = std::get_if<Architecture>(&config))
    return parts->inputs.positions == Positions::learned;
  return std::get<TextbookConfig>(config).positions == Positions::learned;
}

int64_t vocabulary_of(const NetworkConfig& config) {
  if (const auto* gpt = std::get_if<GptConfig>(&config)) return gpt->vocabulary;
  if (const auto* parts = std::get_if<Architecture>(&config)) return parts->inputs.vocabulary;
  return std::get<TextbookConfig>(config).vocabulary;
}

void set_vocabulary(NetworkConfig& config, int64_t vocabulary) {
  if (auto* parts = std::get_if<Architecture>(&config)) parts->inputs.vocabulary = vocabulary;
  if (auto* gpt = std::get_if<GptConfig>(&config)) gpt->vocabulary = vocabulary;
  if (auto* textbook = std::get_if<TextbookConfig>(&config)) textbook->vocabulary = vocabulary;
}

bool reads_images(const NetworkConfig& config) {
  const auto* parts = std::get_if<Architecture>(&config);
  return parts && parts->patches;
}

int64_t layers_of(const NetworkConfig& config) {
  if (const auto* gpt = std::get_if<GptConfig>(&config)) return gpt->layers;
  if (const auto* parts = std::get_if<Architecture>(&config)) return parts->stack.layers;
  return 1;
}

int64_t heads_of(const NetworkConfig& config) {
  if (const auto* gpt = std::get_if<GptConfig>(&config)) return gpt->heads;
  if (const auto* parts = std::get_if<Architecture>(&config))
    return parts->stack.blocks.empty() ? 1 : parts->stack.blocks[0].attention.heads;
  return std::get<TextbookConfig>(config).heads;
}

bool predicts_next_token(const NetworkConfig& config) {
  if (const auto* textbook = std::get_if<TextbookConfig>(&config))
    return textbook->head == Head::next_word && !textbook->vectors;
  if (const auto* parts = std::get_if<Architecture>(&config))
    return parts->head.kind == Head::next_word && causal(*parts);
  return true;
}

}  // namespace limpid
