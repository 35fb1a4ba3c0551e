// Whether a description is of a network that can be built: sizes, and parts that go together.
#include <algorithm>

#include "network/build.h"
#include "network/parts.h"

namespace limpid {

namespace {

// As many as the deepest that was published (DeepNet).  A graph has some 25 stages a layer, so a number in a
// file must not ask for billions of them.
constexpr int64_t k_most_layers = 1000;
constexpr int64_t k_most_width = 1 << 24;  // a thousand times what was published
constexpr int64_t k_most_experts = 4096;   // eight times what was published

void check_disentangled(const AttentionOptions& a, const std::string& of) {
  const DisentangledOptions o = a.disentangled.value_or(DisentangledOptions{});
  if (!o.content_to_position && !o.position_to_content)
    fail_call(of, ": disentangled positions without content_to_position and without position_to_content, ",
              "expected one of them, or positions none");
  if (a.kv_heads > 0 && a.kv_heads != a.heads)
    fail_call(of, ": disentangled positions with ", a.kv_heads, " key/value heads, expected ", a.heads);
  if (a.query_key_norm) fail_call(of, ": disentangled positions with a norm of queries and keys");
  options_of(position_buckets(options_of(o.buckets)));
}

void check(const FeedForwardOptions& o, const std::string& of) {
  if (!o.experts) return;
  const ExpertOptions& e = *o.experts;
  if (e.count < 1 || e.count > k_most_experts || e.chosen < 1 || e.chosen > e.count)
    fail_call(of, ": ", e.chosen, " of ", e.count, " experts for a token, expected at least 1 of 1 to ",
              k_most_experts);
}

void check(const BlockOptions& o, const std::string& of, int64_t width) {
  check(o.feed_forward, of);
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
  if (a.positions == Positions::disentangled) check_disentangled(a, of);
  if (a.out_width != width)
    fail_call(of, ": attention gives rows of ", a.out_width, ", expected the model's width ", width);
  const bool needs_feed_forward = o.parallel || o.norms != NormPlace::before;
  if (o.feed_forward.width < (needs_feed_forward ? 1 : 0))
    fail_call(of, ": the feed-forward width is ", o.feed_forward.width,
              ", expected at least 1 (0 for none, of a ", "block whose norms stand before)");
}

void check(const Stack& stack, const std::string& of, int64_t width) {
  if (stack.layers < 1 || stack.layers > k_most_layers)
    fail_call(of, ": layers is ", stack.layers, ", expected 1 to ", k_most_layers);
  constexpr int64_t k_widest = 4095;  // of a convolution
  if (stack.convolution &&
      (stack.convolution->size < 1 || stack.convolution->size % 2 == 0 || stack.convolution->size > k_widest))
    fail_call(of, ": a convolution of ", stack.convolution->size, " rows, expected an odd number from 1 to ",
              k_widest);
  const auto kinds = static_cast<int64_t>(stack.blocks.size());
  if (kinds == 0) fail_call(of, ": its stack has no block");
  for (int64_t which : stack.pattern)
    if (which < 0 || which >= kinds) fail_call(of, ": the pattern names block ", which, " of ", kinds);
  for (const BlockOptions& block : stack.blocks) {
    check(block, of, width);
    if (!block.cross) continue;
    BlockOptions cross = block;
    cross.attention = *block.cross;
    check(cross, of + ", cross-attention", width);
    if (block.parallel || (block.norms != NormPlace::before && block.norms != NormPlace::after))
      fail_call(of, ": a block with cross-attention has norms ", name(block.norms),
                block.parallel ? " and is parallel" : "", ", expected before or after");
    if (block.cross->positions != Positions::none || block.cross->mask != Mask::none || block.cross->window)
      fail_call(of, ": cross-attention has positions, a mask or a window, expected none of them");
  }
}

void check(const SeriesInputs& s, const std::string& of) {
  constexpr int64_t k_most_moments = 1 << 24;
  const bool sizes = s.channels >= 1 && s.channels <= k_most_moments && s.length <= k_most_moments &&
                     s.size >= 1 && s.size <= k_most_moments && s.stride >= 1 && s.apart >= 1 &&
                     s.apart <= k_most_moments;
  if (!sizes || s.length < s.extent())
    fail_call(of, ": series of ", s.channels, " channels and ", s.length, " moments, in patches of ", s.size,
              " moments, ", s.apart, " apart, one every ", s.stride,
              ", expected at least one patch of at least one moment");
}

// A row goes on where its patch ends only if there are as many patches as their moments lie apart.
void check_turns(const Architecture& a, const std::string& of) {
  if (!a.head.by_turns) return;
  if (a.head.kind != Head::forecast || a.head.flat || !a.series)
    fail_call(of, ": head: by_turns is of a forecast, and goes without flat");
  const SeriesInputs& s = *a.series;
  if (!s.tokens.empty() || s.stride != 1 || s.count() != s.apart)
    fail_call(of,
              ": head: by_turns needs as many patches as their moments lie apart, one every moment; here ",
              s.count(), " rows read moments ", s.apart, " apart, one every ", s.stride,
              ": expected stride 1 and a length of ", s.size * s.apart);
  if (a.head.outputs % s.apart != 0)
    fail_call(of, ": head: by_turns foretells as many moments in every row; ", a.head.outputs,
              " cannot be shared by ", s.apart, " rows");
}

void check_encoder(const Architecture& a, const std::string& of) {
  if (!a.encoder) {
    for (const BlockOptions& block : a.stack.blocks)
      if (block.cross) fail_call(of, ": its blocks have cross-attention, but there is no encoder");
    return;
  }
  if (a.patches) fail_call(of, ": a network of images with an encoder of tokens is none that limpid has");
  if (a.encoder->inputs.width != a.inputs.width)
    fail_call(of, ": the encoder's width is ", a.encoder->inputs.width, ", expected the decoder's ",
              a.inputs.width);
  if (a.encoder->inputs.positions == Positions::learned && a.encoder->inputs.context < 1)
    fail_call(of, ": the encoder's context is ", a.encoder->inputs.context, ", expected at least 1");
  check(a.encoder->stack, of + ", encoder", a.inputs.width);
  for (const BlockOptions& block : a.encoder->stack.blocks)
    if (block.cross) fail_call(of, ": the encoder's blocks have cross-attention, expected the decoder's");
  if (!causal(a.stack)) fail_call(of, ": the decoder sees tokens that are to come, expected a causal mask");
}

int64_t vector_width(const HeadOptions& head, int64_t width) { return head.outputs ? head.outputs : width; }

void check_towers(const Architecture& a, const std::string& of) {
  if (a.patches || a.series || a.encoder)
    fail_call(of, ": images beside texts go with no other input, and with no encoder");
  if (a.head.kind != Head::embedding || a.images->head.kind != Head::embedding)
    fail_call(of, ": images beside texts need a vector of both; their heads are ", name(a.images->head.kind),
              " and ", name(a.head.kind), ", expected embedding");
  const int64_t texts = vector_width(a.head, a.inputs.width),
                images = vector_width(a.images->head, a.images->width);
  if (texts != images)
    fail_call(of, ": vectors of texts have ", texts, " numbers and those of images ", images,
              ", expected as many");
  check(tower_of(a, Tower::images));
}

}  // namespace

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
  if (a.images) check_towers(a, of);
  if (a.series) check(*a.series, of);
  if (a.head.kind == Head::forecast && !a.series)
    fail_call(of, ": a forecast is of a series, and it reads none");
  if (a.series && (a.patches || a.encoder || (a.head.kind != Head::forecast && a.head.kind != Head::none)))
    fail_call(of, ": a network of series forecasts them, or has no head; it reads nothing else");
  if ((!a.patches && !a.series && a.inputs.vocabulary < 1) || a.inputs.width < 1)
    fail_call(of, ": vocabulary ", a.inputs.vocabulary, " and width ", a.inputs.width,
              ", expected at least 1");
  check_turns(a, of);
  check(a.stack, of, a.inputs.width);
  check_encoder(a, of);
  for (const BlockOptions& block : a.stack.blocks) {
    const AttentionOptions& o = block.attention;
    if (o.positions == Positions::patch_bias && (!a.patches || a.patches->tokens.size() != 1 ||
                                                 o.patch_lines != a.patches->height / a.patches->size ||
                                                 o.patch_columns != a.patches->width / a.patches->size))
      fail_call(of, ": a bias of ", o.patch_lines, " lines of ", o.patch_columns,
                " patches, expected those of its images, behind one token");
  }
  if (a.head.pool_attention && a.head.pool_attention->positions == Positions::disentangled)
    fail_call(of, ": the head's attention has disentangled positions, which a text has with itself alone");
  if (a.head.pool_attention)
    check(BlockOptions{.attention = *a.head.pool_attention, .feed_forward = a.head.pool_feed_forward},
          of + ": head", a.inputs.width);
  if (a.inputs.positions == Positions::learned && a.inputs.context < 1)
    fail_call(of, ": context is ", a.inputs.context, ", expected at least 1");
  const Head kind = a.head.kind;
  if ((kind == Head::classes || kind == Head::regression || kind == Head::token_classes ||
       kind == Head::forecast) &&
      a.head.outputs < 1)
    fail_call(of, ": outputs is ", a.head.outputs, ", expected how many classes or numbers the head gives");
  if (a.head.delta < 0)
    fail_call(of, ": head: delta is ", a.head.delta, ", expected a number above 0, or 0 for none");
  if (a.head.delta > 0 && kind != Head::regression && kind != Head::forecast)
    fail_call(of, ": head: delta is of numbers (regression, forecast), here the head is ", name(kind));
}

}  // namespace limpid
