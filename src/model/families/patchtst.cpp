// PatchTST (Nie 2023): patches of a series, channels apart, an encoder with batch norms, and a linear
// forecast.
#include "model/families/family.h"

namespace limpid {

namespace {

StandardizeOptions size_of_patchtst(const HubConfig& c) {
  if (!c.has("scaling")) return {.by = StandardizeOptions::By::nothing};
  // "std", "mean", or true for std; false, or no word, for none.
  const std::string by =
      c.is_flag("scaling") ? (c.flag("scaling", true) ? "std" : "") : c.word("scaling", "std");
  if (by == "std") return {.by = StandardizeOptions::By::deviation, .least = c.real("minimum_scale", 1e-5)};
  if (by == "mean") return {.by = StandardizeOptions::By::magnitude, .least = c.real("minimum_scale", 1e-10)};
  return {.by = StandardizeOptions::By::nothing};
}

Architecture architecture_of_patchtst(const HubConfig& c) {
  const int64_t width = c.size("d_model", 128), heads = c.size("num_attention_heads", 4);
  for (const char* option : {"channel_attention", "do_mask_input"}) c.refuse(option);
  if (!c.flag("share_embedding", true) || !c.flag("share_projection", true))
    c.fail(
        "'share_embedding' or 'share_projection' is false: channels with layers of their own are no part "
        "that limpid has");
  const std::string kind = c.word("norm_type", "batchnorm");
  if (kind != "batchnorm" && kind != "layernorm")
    c.fail(join("'norm_type' is '", kind, "', which limpid has no part for"));
  const NormOptions norm = {kind == "batchnorm" ? Norm::batch : Norm::layer, c.real("norm_eps", 1e-5)};
  const bool bias = c.flag("bias", true);
  BlockOptions block = block_of(width, heads, norm, Mask::none, bias);
  block.norms = c.flag("pre_norm", true) ? NormPlace::before : NormPlace::after;
  block.attention.each = "patch";
  block.feed_forward = {c.size("ffn_dim", 512), c.activation("activation_function", "gelu"), false, bias};
  Architecture a;
  a.inputs.width = width;
  a.each = "patch";
  a.series = SeriesInputs{.channels = c.size("num_input_channels", 1),
                          .length = c.size("context_length", 32),
                          .size = c.size("patch_length", 1),
                          .stride = c.size("patch_stride", 1),
                          .standardize = size_of_patchtst(c)};
  const bool token = c.flag("use_cls_token", false);
  if (token) a.series->tokens = {"cls_token"};
  a.stack = {.layers = c.layers("num_hidden_layers"), .blocks = {block}};
  a.head = {.kind = Head::none, .tied = false};
  if (c.is_for("ForPrediction")) {
    // Without a "loss" of its own the library draws from a distribution; what is drawn from is no part here.
    if (c.word("loss", "mse") != "mse")
      c.fail(join("'loss' is '", c.word("loss", ""),
                  "': limpid forecasts numbers, of 'mse', not distributions"));
    const std::string pool = c.has("pooling_type") ? c.word("pooling_type", "mean") : "";
    if (!token && pool == "max") c.fail("'pooling_type' is 'max', which limpid has no part for");
    a.head = {.kind = Head::forecast,
              .tied = false,
              .bias = true,
              .pool = token ? Pool::first : Pool::mean,
              .flat = !token && pool.empty(),
              .outputs = c.size("prediction_length", 24)};
  } else if (!c.is_for("Model")) {
    c.fail(join("'architectures' names '", c.architecture(),
                "', expected PatchTSTForPrediction or PatchTSTModel"));
  }
  return a;
}

void add_norm_of_patchtst(TensorTable& t, const std::string& ours, const std::string& theirs, bool batch) {
  const std::string name = batch ? theirs + ".batchnorm" : theirs;
  t.norm(ours, name);
  t.vector(ours + ".mean", name + ".running_mean");
  t.vector(ours + ".variance", name + ".running_var");
}

TensorTable tensors_of_patchtst(const HubConfig&, const Architecture& a) {
  const bool batch = a.stack.blocks[0].norm.kind == Norm::batch;
  TensorTable t;
  t.prefixes = {"model.", ""};
  t.linear("patch_embed.W", "encoder.embedder.input_embedding.weight");
  t.vector("patch_embed.b", "encoder.embedder.input_embedding.bias");
  t.table("cls_token.w", "encoder.positional_encoder.cls_token");
  t.table("pos_embed.W_pos", "encoder.positional_encoder.position_enc");
  add_norm_of_patchtst(t, "blocks.*.ln1", "encoder.layers.*.norm_sublayer1", batch);
  for (const auto& [name, project] :
       {std::pair{"Q", "q_proj"}, {"K", "k_proj"}, {"V", "v_proj"}, {"O", "out_proj"}})
    t.projection("attn", name, std::string("encoder.layers.*.self_attn.") + project);
  add_norm_of_patchtst(t, "blocks.*.ln2", "encoder.layers.*.norm_sublayer3", batch);
  t.projection("mlp", "in", "encoder.layers.*.ff.0");
  t.projection("mlp", "out", "encoder.layers.*.ff.3");
  t.linear("unembed.W_U", "head.projection.weight");
  t.vector("unembed.b_U", "head.projection.bias");
  t.ignored.push_back("*.num_batches_tracked");
  return t;
}

}  // namespace

Family family_patchtst() { return {"patchtst", {}, architecture_of_patchtst, tensors_of_patchtst}; }

}  // namespace limpid
