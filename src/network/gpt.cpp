// gpt: a decoder of pre-norm blocks, in parts.
#include "network/parts.h"

namespace limpid {

Architecture architecture_of(const GptConfig& c) {
  const NormOptions norm = {c.norm, c.epsilon, c.bias};
  AttentionOptions attention;
  attention.heads = c.heads;
  attention.kv_heads = c.kv_heads;
  attention.width = c.heads > 0 ? c.width / c.heads : 0;
  attention.out_width = c.width;
  attention.mask = Mask::causal;
  attention.bias = attention.out_bias = c.bias;
  attention.positions = c.positions;
  attention.rotary = {attention.width, c.rotary_base, c.pairing};
  // GPT-2: the residual stream keeps its size.
  attention.out_init = 0.02 / std::sqrt(2.0 * static_cast<double>(c.layers));
  attention.dropout = c.attention_dropout;
  attention.each = "token";
  BlockOptions block;
  block.norm = norm;
  block.attention = attention;
  block.feed_forward = {c.feed_forward ? c.feed_forward : 4 * c.width, c.activation,
                        c.activation == Activation::swiglu, c.bias};
  Architecture a;
  a.family = "gpt";
  a.inputs = {.vocabulary = c.vocabulary, .width = c.width, .positions = c.positions, .context = c.context};
  a.stack = {.layers = c.layers, .blocks = {block}, .final_norm = norm};
  a.head.tied = c.tied;
  a.dropout = c.dropout;
  return a;
}

}  // namespace limpid
