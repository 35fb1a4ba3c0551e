// GPT-J (Wang 2021): attention and feed-forward side by side behind one norm; rotary pairs interleaved.
#include "model/families/family.h"

namespace limpid {

Architecture gptj_architecture(const HubConfig& c) {
  const int64_t width = c.size("n_embd"), heads = c.size("n_head");
  const NormOptions norm = {Norm::layer, c.real("layer_norm_epsilon", 1e-5)};
  BlockOptions block = block_of(width, heads, norm, Mask::causal, false);
  block.parallel = block.shared_norm = true;
  block.attention.positions = Positions::rotary;
  block.attention.rotary = {c.size("rotary_dim", block.attention.width), 10000, Pairing::interleaved};
  block.feed_forward = {c.size("n_inner", 4 * width), c.activation("activation_function", "gelu_new")};
  Architecture a;
  a.inputs = {.vocabulary = c.size("vocab_size"), .width = width, .context = c.size("n_positions", 2048)};
  a.stack = {.layers = c.layers("n_layer"), .blocks = {block}, .final_norm = norm};
  a.head.tied = c.flag("tie_word_embeddings", false);
  a.head.bias = true;
  if (c.is_for("Model")) a.head.kind = Head::none;
  return a;
}

TensorTable gptj_tensors() {
  TensorTable t;
  t.prefixes = {"transformer.", ""};
  t.table("embed.W_E", "wte.weight");
  t.norm("blocks.*.ln1", "h.*.ln_1");
  t.projection("attn", "Q", "h.*.attn.q_proj");
  t.projection("attn", "K", "h.*.attn.k_proj");
  t.projection("attn", "V", "h.*.attn.v_proj");
  t.projection("attn", "O", "h.*.attn.out_proj");
  t.projection("mlp", "in", "h.*.mlp.fc_in");
  t.projection("mlp", "out", "h.*.mlp.fc_out");
  t.norm("ln_final", "ln_f");
  t.linear("unembed.W_U", "lm_head.weight");
  t.vector("unembed.b_U", "lm_head.bias");
  t.ignored.insert(t.ignored.end(), {"*h.*.attn.bias", "*h.*.attn.embed_positions"});
  return t;
}

namespace {

TensorTable tensors_of_gptj(const HubConfig&, const Architecture&) { return gptj_tensors(); }

}  // namespace

Family family_gptj() { return {"gptj", {}, gptj_architecture, tensors_of_gptj}; }

}  // namespace limpid
