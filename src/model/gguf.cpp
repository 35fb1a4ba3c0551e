// llama.cpp's files: their metadata and names are read as the config.json and the names of the same family's
// folder on the hub, so that a family is described once.
#include "limpid/gguf.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/json.h"
#include "files/tensor_list.h"
#include "model/families/tensors.h"
#include "model/foreign.h"

namespace limpid {

namespace {

struct Key {
  const char *theirs, *ours;
};

// What a family calls in GGUF, and how the hub calls it.  A star in a tensor's name is the layer's number.
struct GgufFamily {
  const char* architecture;
  const char* model_type;
  std::vector<Key> settings, tensors;
  bool interleaved = false;  // q and k are stored in the order of interleaved rotary pairs
  bool gains_whole = false;  // gains that the hub stores less 1 are stored as they are
};

const std::vector<Key> k_llama_settings = {{"context_length", "max_position_embeddings"},
                                           {"embedding_length", "hidden_size"},
                                           {"block_count", "num_hidden_layers"},
                                           {"feed_forward_length", "intermediate_size"},
                                           {"attention.head_count", "num_attention_heads"},
                                           {"attention.head_count_kv", "num_key_value_heads"},
                                           {"attention.key_length", "head_dim"},
                                           {"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
                                           {"attention.sliding_window", "sliding_window"},
                                           {"rope.freq_base", "rope_theta"},
                                           {"vocab_size", "vocab_size"}};
const std::vector<Key> k_llama_tensors = {
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight"},
    {"blk.*.attn_norm.weight", "model.layers.*.input_layernorm.weight"},
    {"blk.*.attn_q.weight", "model.layers.*.self_attn.q_proj.weight"},
    {"blk.*.attn_q.bias", "model.layers.*.self_attn.q_proj.bias"},
    {"blk.*.attn_k.weight", "model.layers.*.self_attn.k_proj.weight"},
    {"blk.*.attn_k.bias", "model.layers.*.self_attn.k_proj.bias"},
    {"blk.*.attn_v.weight", "model.layers.*.self_attn.v_proj.weight"},
    {"blk.*.attn_v.bias", "model.layers.*.self_attn.v_proj.bias"},
    {"blk.*.attn_output.weight", "model.layers.*.self_attn.o_proj.weight"},
    {"blk.*.attn_q_norm.weight", "model.layers.*.self_attn.q_norm.weight"},
    {"blk.*.attn_k_norm.weight", "model.layers.*.self_attn.k_norm.weight"},
    {"blk.*.attn_qkv.weight", "model.layers.*.self_attn.qkv_proj.weight"},
    {"blk.*.ffn_gate.weight", "model.layers.*.mlp.gate_proj.weight"},
    {"blk.*.ffn_up.weight", "model.layers.*.mlp.up_proj.weight"},
    {"blk.*.ffn_down.weight", "model.layers.*.mlp.down_proj.weight"},
    {"blk.*.ffn_norm.weight", "model.layers.*.post_attention_layernorm.weight"}};
const std::vector<Key> k_gpt2_settings = {
    {"context_length", "n_positions"},  {"embedding_length", "n_embd"},
    {"block_count", "n_layer"},         {"feed_forward_length", "n_inner"},
    {"attention.head_count", "n_head"}, {"attention.layer_norm_epsilon", "layer_norm_epsilon"},
    {"vocab_size", "vocab_size"}};
const std::vector<Key> k_gpt2_tensors = {{"token_embd.weight", "wte.weight"},
                                         {"position_embd.weight", "wpe.weight"},
                                         {"output_norm.weight", "ln_f.weight"},
                                         {"output_norm.bias", "ln_f.bias"},
                                         {"output.weight", "lm_head.weight"},
                                         {"blk.*.attn_norm.weight", "h.*.ln_1.weight"},
                                         {"blk.*.attn_norm.bias", "h.*.ln_1.bias"},
                                         {"blk.*.attn_qkv.weight", "h.*.attn.c_attn.weight"},
                                         {"blk.*.attn_qkv.bias", "h.*.attn.c_attn.bias"},
                                         {"blk.*.attn_output.weight", "h.*.attn.c_proj.weight"},
                                         {"blk.*.attn_output.bias", "h.*.attn.c_proj.bias"},
                                         {"blk.*.ffn_norm.weight", "h.*.ln_2.weight"},
                                         {"blk.*.ffn_norm.bias", "h.*.ln_2.bias"},
                                         {"blk.*.ffn_up.weight", "h.*.mlp.c_fc.weight"},
                                         {"blk.*.ffn_up.bias", "h.*.mlp.c_fc.bias"},
                                         {"blk.*.ffn_down.weight", "h.*.mlp.c_proj.weight"},
                                         {"blk.*.ffn_down.bias", "h.*.mlp.c_proj.bias"}};

std::vector<Key> with(std::vector<Key> keys, const std::vector<Key>& more) {
  keys.insert(keys.begin(), more.begin(), more.end());  // the first that fits counts
  return keys;
}

const std::vector<GgufFamily>& gguf_families() {
  const std::vector<Key> caps = {{"attn_logit_softcapping", "attn_logit_softcapping"},
                                 {"final_logit_softcapping", "final_logit_softcapping"}};
  const std::vector<Key> around = {
      {"blk.*.post_attention_norm.weight", "model.layers.*.post_attention_layernorm.weight"},
      {"blk.*.ffn_norm.weight", "model.layers.*.pre_feedforward_layernorm.weight"},
      {"blk.*.post_ffw_norm.weight", "model.layers.*.post_feedforward_layernorm.weight"}};
  const std::vector<Key> experts = {{"expert_count", "num_local_experts"},
                                    {"expert_used_count", "num_experts_per_tok"}};
  static const std::vector<GgufFamily> all = {
      {"llama", "llama", k_llama_settings, k_llama_tensors, true},
      {"qwen2", "qwen2", k_llama_settings, k_llama_tensors},
      {"qwen3", "qwen3", k_llama_settings, k_llama_tensors},
      {"gemma", "gemma", k_llama_settings, k_llama_tensors, false, true},
      {"gemma2", "gemma2", with(k_llama_settings, caps), with(k_llama_tensors, around), false, true},
      {"gemma3", "gemma3_text", with(k_llama_settings, caps), with(k_llama_tensors, around), false, true},
      {"gpt-oss", "gpt_oss", with(k_llama_settings, experts),
       with(k_llama_tensors,
            {{"blk.*.post_attention_norm.weight", "model.layers.*.post_attention_layernorm.weight"},
             {"blk.*.attn_output.bias", "model.layers.*.self_attn.o_proj.bias"},
             {"blk.*.attn_sinks.weight", "model.layers.*.self_attn.sinks"}})},
      {"phi3", "phi3", k_llama_settings,
       with(k_llama_tensors, {{"blk.*.ffn_up.weight", "model.layers.*.mlp.gate_up_proj.weight"}})},
      {"gpt2", "gpt2", k_gpt2_settings, k_gpt2_tensors},
  };
  return all;
}

const GgufFamily& family_of(const GgufInfo& info) {
  const std::string architecture = info.text("general.architecture").value_or("");
  std::string list;
  for (const GgufFamily& family : gguf_families()) {
    if (family.architecture == architecture) return family;
    list += join(list.empty() ? "" : ", ", family.architecture);
  }
  fail_work(info.file, ": general.architecture is '", architecture,
            "', which limpid does not read; it reads ", list);
}

// A layer's experts, in one tensor a matrix; and the router.
void add_experts(TensorTable& t) {
  for (const auto& [ours, theirs] : {std::pair{"in", "gate"}, {"up", "up"}, {"out", "down"}}) {
    const std::string name = std::string("blk.*.ffn_") + theirs + "_exps";
    t.add({std::string("blocks.*.mlp.experts.W_") + ours, name + ".weight",
           TensorRule::Layout::turned_experts});
    t.experts(std::string("blocks.*.mlp.experts.b_") + ours, name + ".bias");
  }
  t.linear("blocks.*.mlp.W_router", "blk.*.ffn_gate_inp.weight");
  t.vector("blocks.*.mlp.b_router", "blk.*.ffn_gate_inp.bias");
}

// The metadata as the hub's config.json has it.
Json config_of(const GgufInfo& info, const GgufFamily& family) {
  Json config = {{"model_type", family.model_type}};
  const std::string prefix = std::string(family.architecture) + ".";
  for (const auto& [theirs, ours] : family.settings) {
    const auto found = info.metadata.find(prefix + theirs);
    if (found == info.metadata.end()) continue;
    if (found->second.array)
      fail_work(info.file, ": ", prefix, theirs, " is a list, one a layer, which limpid does not read");
    if (const double* real = std::get_if<double>(&found->second.value))
      config[ours] = *real;
    else
      config[ours] = info.integer(prefix + theirs).value();
  }
  for (const char* needed : {"embedding_length", "block_count", "attention.head_count"})
    if (!info.metadata.count(prefix + needed)) fail_work(info.file, ": '", prefix, needed, "' is missing");
  if (const auto width = info.integer(prefix + "expert_feed_forward_length"))
    config["intermediate_size"] = *width;
  const GgufInfo::Entry* table = info.find("token_embd.weight");
  if (!table || table->shape.rank() != 2) fail_work(info.file, ": tensor 'token_embd.weight' is missing");
  config["vocab_size"] = table->shape[0].size;
  config["tie_word_embeddings"] = info.find("output.weight") == nullptr;
  if (info.find("blk.0.attn_output.bias")) config["attention_bias"] = true;
  const std::string scaling = info.text(prefix + "rope.scaling.type").value_or("none");
  if (scaling == "linear")
    config["rope_scaling"] = {{"rope_type", "linear"},
                              {"factor", info.number(prefix + "rope.scaling.factor").value_or(1)}};
  else if (scaling == "yarn")
    config["rope_scaling"] = {{"rope_type", "yarn"},
                              {"factor", info.number(prefix + "rope.scaling.factor").value_or(1)},
                              {"original_max_position_embeddings",
                               info.integer(prefix + "rope.scaling.original_context_length").value_or(4096)}};
  if (scaling == "yarn" && config["model_type"] == "gpt_oss") config["rope_scaling"]["truncate"] = false;
  if (scaling != "none" && scaling != "linear" && scaling != "yarn")
    fail_work(info.file, ": ", prefix, "rope.scaling.type is '", scaling, "', which limpid does not read");
  return config;
}

// The file's tensors under the hub's names.
class GgufTensors final : public TensorList {
 public:
  GgufTensors(const GgufReader& reader, const GgufFamily& family)
      : TensorList(reader.info().file), reader_(reader) {
    for (const GgufInfo::Entry& each : reader.info().entries) {
      if (each.name == "rope_freqs.weight") continue;  // read with the settings
      Entry entry;
      entry.name = hub_name(family, each.name);
      entry.shape = each.shape;
      entry.dtype = block_of(each.type).dtype;
      entry.file = name();
      if (!block_of(each.type).readable)
        entry.unreadable = join("limpid does not read ", limpid::name(each.type));
      theirs_[entry.name] = each.name;
      add(std::move(entry));
    }
  }

 private:
  // blk.3.attn_q.weight -> model.layers.3.self_attn.q_proj.weight; others keep their name, and are left over.
  static std::string hub_name(const GgufFamily& family, const std::string& given) {
    for (const auto& [theirs, ours] : family.tensors)
      if (const auto star = star_of(theirs, given)) return with_star(ours, *star);
    return given;
  }

  Tensor read_entry(const Entry& entry) const override { return reader_.read(theirs_.at(entry.name)); }

  // Row after row of one tensor is asked for: the last one is kept.
  const GgufInfo::Entry& theirs(std::string_view name) const {
    if (last_name_ != name) {
      last_name_ = name;
      last_ = reader_.info().find(theirs_.at(last_name_));
    }
    return *last_;
  }

 public:
  std::optional<Rows> rows_of(std::string_view name) const override {
    const GgufInfo::Entry& entry = theirs(name);
    const GgufBlock& block = block_of(entry.type);
    if (!block.readable || entry.shape.rank() < 2 || entry.shape.count() == 0) return {};
    Rows rows;
    rows.rows = entry.shape[0].size;
    rows.columns = entry.shape.count() / rows.rows;
    rows.blocks = kept_blocks(entry.type);
    if (block.numbers == 1 && block.dtype != DType::bf16 && block.dtype != DType::f16) return {};
    if (entry.type == GgufType::mxfp4 && !large_scales(entry)) rows.blocks = BlockType::none;  // as bf16
    if (block.numbers == 1) rows.dtype = block.dtype;
    rows.bytes = rows.blocks == BlockType::none
                     ? static_cast<size_t>(rows.columns) * 2
                     : static_cast<size_t>(rows.columns / block.numbers) * block.bytes;
    return rows;
  }

  void copy_row(std::string_view name, int64_t r, std::byte* to) const override {
    const GgufInfo::Entry& entry = theirs(name);
    const GgufBlock& block = block_of(entry.type);
    const int64_t columns = entry.shape.count() / entry.shape[0].size;
    const size_t bytes = static_cast<size_t>(columns / block.numbers) * block.bytes;
    const Bytes row = reader_.raw(entry.name).subspan(static_cast<size_t>(r) * bytes, bytes);
    const bool small = entry.type == GgufType::mxfp4 && !large_scales(entry);
    if (block.numbers == 1 || (kept_blocks(entry.type) != BlockType::none && !small)) {
      std::memcpy(to, row.data(), bytes);
      if (entry.type == GgufType::mxfp4) without_minus_zero(to, bytes);
      return;
    }
    numbers_.resize(static_cast<size_t>(columns));
    dequantize(entry.type, row, numbers_);
    for (size_t i = 0; i < numbers_.size(); ++i) {
      const bf16 rounded = to_bf16(numbers_[i]);
      std::memcpy(to + 2 * i, &rounded.bits, sizeof rounded.bits);
    }
  }

  void forget(std::string_view name) const override { reader_.forget(theirs_.at(std::string(name))); }

 private:
  // Of MXFP4: is every scale one that is multiplied as it is (limpid/stored.h)?
  bool large_scales(const GgufInfo::Entry& entry) const {
    const auto [found, is_new] = large_.try_emplace(entry.name);
    if (is_new) {
      const Bytes raw = reader_.raw(entry.name);
      const size_t step = block_of(entry.type).bytes;
      found->second = true;
      for (size_t i = 0; i < raw.size() && found->second; i += step)
        found->second = static_cast<uint8_t>(raw[i]) >= k_least_mxfp4_scale;
    }
    return found->second;
  }
  // ggml's table has none.
  static void without_minus_zero(std::byte* blocks, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) {
      if (i % 17 == 0) continue;  // the scale
      auto q = static_cast<unsigned>(blocks[i]);
      if ((q & 15) == 8) q &= 0xf0;
      if (q >> 4 == 8) q &= 0x0f;
      blocks[i] = static_cast<std::byte>(q);
    }
  }

  static BlockType kept_blocks(GgufType type) {
    switch (type) {
      case GgufType::q8_0:
        return BlockType::q8_0;
      case GgufType::q4_0:
        return BlockType::q4_0;
      case GgufType::q4_1:
        return BlockType::q4_1;
      case GgufType::q4_k:
        return BlockType::q4_k;
      case GgufType::mxfp4:
        return BlockType::mxfp4;
      default:
        return BlockType::none;
    }
  }

  const GgufReader& reader_;
  std::map<std::string, std::string> theirs_;
  mutable std::string last_name_;
  mutable const GgufInfo::Entry* last_ = nullptr;
  mutable std::vector<float> numbers_;  // of a row
  mutable std::map<std::string, bool> large_;
};

// Llama 3's scaled rotary positions stand in the file as a number that each frequency is divided by.
void divide_frequencies(const GgufReader& reader, Architecture& a) {
  if (!reader.info().find("rope_freqs.weight")) return;
  const Tensor by = reader.read("rope_freqs.weight").to(DType::f32);
  for (BlockOptions& block : a.stack.blocks) {
    RotaryOptions& rotary = block.attention.rotary;
    if (by.count() != rotary.width / 2)
      fail_work(reader.info().file, ": tensor 'rope_freqs.weight' is ", by.shape().text(), ", expected [",
                rotary.width / 2, "]");
    rotary.frequencies.clear();
    for (int64_t i = 0; i < by.count(); ++i)
      rotary.frequencies.push_back(
          std::pow(rotary.base, -2 * static_cast<double>(i) / static_cast<double>(rotary.width)) /
          by.data<float>()[i]);
  }
}

std::shared_ptr<const Tokenizer> tokenizer_of(const GgufReader& reader) {
  const GgufInfo& info = reader.info();
  const std::string prefix = "tokenizer.ggml.";
  const auto has = [&](const char* key) { return info.metadata.count(prefix + key) > 0; };
  const auto id = [&](const char* key) { return info.integer(prefix + key); };
  if (!has("model") || !has("tokens")) return nullptr;
  GgufTokenizerParts parts;
  parts.model = info.text(prefix + "model").value_or("");
  parts.pre = info.text(prefix + "pre").value_or("");
  parts.tokens = reader.strings(prefix + "tokens");
  if (has("scores"))
    for (double score : reader.numbers(prefix + "scores")) parts.scores.push_back(static_cast<float>(score));
  if (has("token_type"))
    for (int64_t type : reader.integers(prefix + "token_type"))
      parts.types.push_back(static_cast<int32_t>(type));
  if (has("merges")) parts.merges = reader.strings(prefix + "merges");
  parts.special = {.bos = id("bos_token_id"),
                   .eos = id("eos_token_id"),
                   .unk = id("unknown_token_id"),
                   .sep = id("seperator_token_id"),
                   .pad = id("padding_token_id"),
                   .cls = id("cls_token_id"),
                   .mask = id("mask_token_id")};
  parts.add_bos = info.boolean(prefix + "add_bos_token");
  parts.add_eos = info.boolean(prefix + "add_eos_token");
  parts.add_space_prefix = info.boolean(prefix + "add_space_prefix");
  parts.remove_extra_whitespaces = info.boolean(prefix + "remove_extra_whitespaces");
  return gguf_tokenizer(parts, info.file);
}

}  // namespace

bool runs_gguf_architecture(std::string_view architecture) {
  const auto& all = gguf_families();
  return std::any_of(all.begin(), all.end(),
                     [&](const GgufFamily& family) { return family.architecture == architecture; });
}

ForeignModel read_gguf(const std::string& path, Weights weights) {
  const GgufReader reader(path);
  const GgufInfo& info = reader.info();
  const GgufFamily& theirs = family_of(info);
  const JsonSource source{path};
  const Json document = config_of(info, theirs);
  const HubConfig config(JsonValue(document, source), path);
  const Family& family = limpid::family_of(config);
  Architecture a = family.architecture(config);
  a.family = family.name;
  if (theirs.interleaved)
    for (BlockOptions& block : a.stack.blocks) block.attention.rotary.pairing = Pairing::interleaved;
  divide_frequencies(reader, a);
  TensorTable table = family.tensors(config, a);
  table.linear_in_first = false;
  add_experts(table);
  if (theirs.gains_whole)
    for (TensorRule& rule : table.rules) rule.offset = 0;
  const GgufTensors file(reader, theirs);
  ForeignModel model;
  model.parameters =
      parameters_of(a, table, file, path, nullptr, weights == Weights::f32 ? nullptr : &model.stored);
  model.config = std::move(a);
  model.tokenizer = tokenizer_of(reader);
  model.title = info.text("general.name").value_or(path);
  model.tasks.chat_template = info.text("tokenizer.chat_template").value_or("");
  return model;
}

}  // namespace limpid
