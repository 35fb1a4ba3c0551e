// State dicts of minGPT, nanoGPT and GPT-2 (transformers): transformer.h.0.attn.c_attn.weight ...
//
// What the file does not say is told by the shapes; what shapes do not tell either (how many heads) by the
// caller.
//   prefixes   module. (DataParallel) and _orig_mod. (torch.compile) are dropped, transformer. may be missing
//   linear     [out,in] in minGPT and nanoGPT, [in,out] in GPT-2 of transformers; the shape of c_attn tells
//   tied       no lm_head, or one that holds the embedding's numbers
//   bias       none at all in a nanoGPT trained so
//   GELU       the tanh form in minGPT and GPT-2, exact in nanoGPT
#include <cstring>

#include "core/json.h"
#include "model/foreign.h"

namespace limpid {

namespace {

using Tensors = std::map<std::string, Tensor>;

// ---- names ---------------------------------------------------------------------------------------------

bool drop_prefix(std::string& name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return false;
  name.erase(0, prefix.size());
  return true;
}

// The name as minGPT's own program has it, without "transformer.".
std::string plain_name(std::string name) {
  while (drop_prefix(name, "module.") || drop_prefix(name, "_orig_mod.")) {
  }
  drop_prefix(name, "transformer.");
  return name;
}

// The causal mask, which older programs keep beside the parameters.
bool is_mask(const std::string& name) {
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias");
}

class StateDict {
 public:
  StateDict(Tensors tensors, const std::string& path) : path_(path) {
    for (auto& [name, tensor] : tensors) {
      std::string plain = plain_name(name);
      if (is_mask(plain)) continue;
      if (!tensors_.emplace(plain, std::move(tensor)).second)
        fail_work(path, ": '", plain, "' is there twice, under two names");
    }
  }

  bool has(const std::string& name) const { return tensors_.count(name) > 0; }

  const Tensor& at(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail_work(path_, ": tensor '", name, "' is missing");
    return found->second;
  }

  // The tensor, which no other parameter takes; what is left over at the end belongs to no such model.
  Tensor take(const std::string& name, const std::vector<int64_t>& sizes) {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail_work(path_, ": tensor '", name, "' is missing");
    if (found->second.shape().sizes() != sizes)
      fail_work(path_, ": tensor '", name, "' is ", found->second.shape().text(), ", expected ",
                Shape::unnamed(sizes).text());
    Tensor out = std::move(found->second);
    tensors_.erase(found);
    return out;
  }

  // The weight of a linear layer as [in,out], whichever way it is stored.
  Tensor linear(const std::string& name, int64_t in, int64_t out) {
    if (in_first) return take(name, {in, out});
    return Tensor::copy_of(take(name, {out, in}).view().permuted({1, 0}));
  }

  void drop(const std::string& name) { tensors_.erase(name); }
  void refuse_rest() const {
    if (!tensors_.empty())
      fail_work(path_, ": tensor '", tensors_.begin()->first,
                "' is part of no minGPT, nanoGPT or GPT-2 model");
  }
  const std::string& path() const { return path_; }

  bool in_first = false;  // linear weights are [in,out]

 private:
  Tensors tensors_;
  const std::string& path_;
};

// ---- the configuration ---------------------------------------------------------------------------------

int64_t count_layers(const StateDict& file) {
  int64_t layers = 0;
  while (file.has(join("h.", layers, ".attn.c_attn.weight"))) ++layers;
  return layers;
}

const Tensor& matrix(const StateDict& file, const std::string& name) {
  const Tensor& t = file.at(name);
  if (t.shape().rank() != 2)
    fail_work(file.path(), ": tensor '", name, "' is ", t.shape().text(), ", expected a matrix");
  return t;
}

// lm_head is the embedding again, or is not there.
bool is_tied(const StateDict& file) {
  if (!file.has("lm_head.weight")) return true;
  const Tensor &head = file.at("lm_head.weight"), &table = file.at("wte.weight");
  return head.dtype() == table.dtype() && head.shape().sizes() == table.shape().sizes() &&
         std::memcmp(head.raw(), table.raw(), head.bytes()) == 0;
}

GptConfig config_of_shapes(StateDict& file) {
  const Tensor &table = matrix(file, "wte.weight"), &positions = matrix(file, "wpe.weight"),
               &joined = matrix(file, "h.0.attn.c_attn.weight"), &wide = matrix(file, "h.0.mlp.c_fc.weight");
  GptConfig c;
  c.layers = count_layers(file);
  c.vocabulary = table.shape()[0].size;
  c.width = table.shape()[1].size;
  c.context = positions.shape()[0].size;
  c.heads = 0;  // not told
  file.in_first = joined.shape()[0].size == c.width && joined.shape()[1].size == 3 * c.width;
  c.feed_forward = wide.shape()[file.in_first ? 1 : 0].size;
  c.bias = file.has("ln_f.bias");
  c.tied = is_tied(file);
  return c;
}

// A setting that the configuration gives and the shapes too.
void check_setting(const JsonValue& json, const char* key, int64_t shapes, const std::string& path) {
  if (!json.has(key)) return;
  const int64_t said = json.at(key).integer(0, k_json_most_size);
  if (said != shapes)
    fail_work(path, ": its configuration has ", key, " ", said, ", but the tensors make it ", shapes);
}

// The exact GELU is nanoGPT's, and told by what only nanoGPT has: no biases, tied tables, settings of its
// names.
Activation activation_of(const JsonValue& json, const GptConfig& c, bool in_first, std::string& why) {
  if (json.has("activation_function") && json.at("activation_function").json().is_string())
    return json.at("activation_function").text() == "gelu" ? Activation::gelu : Activation::gelu_tanh;
  if (in_first) return Activation::gelu_tanh;  // GPT-2's
  for (const char* key : {"resid_pdrop", "attn_pdrop", "embd_pdrop"})
    if (json.has(key)) return Activation::gelu_tanh;
  for (const char* key : {"bias", "dropout"})
    if (json.has(key)) return Activation::gelu;
  if (!json.json().empty()) return Activation::gelu_tanh;  // minGPT's own, with nothing but sizes
  const bool nano = c.tied || !c.bias;
  why = nano ? join("read as nanoGPT's (", c.bias ? "tied tables" : "no biases",
                    "), with the exact GELU; if it "
                    "was trained with the tanh form: --activation gelu_tanh")
             : join(
                   "read as minGPT's (an output table of its own), with the tanh form of GELU; if it was "
                   "trained "
                   "with the exact one: --activation gelu");
  return nano ? Activation::gelu : Activation::gelu_tanh;
}

GptConfig config_of(StateDict& file, const std::map<std::string, std::string>& metadata,
                    const LoadOptions& options, std::vector<std::string>& notes) {
  const JsonSource source{file.path() + ": the configuration in the metadata cannot be read"};
  auto found = metadata.find("config");
  if (const auto args = metadata.find("model_args"); args != metadata.end())
    found = args;  // nanoGPT's checkpoint
  const Json document = found == metadata.end() ? Json(Json::object()) : parse_json(found->second, source);
  const JsonValue json(document, source);
  if (!document.is_object()) json.unexpected("an object");
  for (const char* key : {"n_layer", "n_head", "n_embd", "vocab_size", "block_size"})
    if (json.has(key)) json.at(key).integer(1, k_json_most_size);
  GptConfig c = config_of_shapes(file);
  std::string why;
  check_setting(json, "n_layer", c.layers, file.path());
  check_setting(json, "n_embd", c.width, file.path());
  check_setting(json, "vocab_size", c.vocabulary, file.path());
  check_setting(json, "block_size", c.context, file.path());
  const auto rate = [&](const char* key, double otherwise) {
    return json.has(key) ? json.at(key).real() : otherwise;
  };
  c.heads = json.has("n_head") ? json.at("n_head").integer(0, k_json_most_size) : 0;
  const double dropout = rate("dropout", 0);
  c.dropout = rate("resid_pdrop", dropout);
  c.attention_dropout = rate("attn_pdrop", dropout);
  c.activation = options.activation ? *options.activation : activation_of(json, c, file.in_first, why);
  if (!why.empty() && !options.activation) notes.push_back(why);
  if (options.heads && c.heads > 0 && *options.heads != c.heads)
    fail_call(file.path(), ": it has ", c.heads, " heads, as its configuration says, not ", *options.heads,
              "; leave --heads out");
  if (options.heads) c.heads = *options.heads;
  if (c.heads == 0)
    fail_call(file.path(),
              ": how many heads it has is not in the file, and its shapes do not tell; give --heads N "
              "(nanoGPT calls it n_head; it divides the width, ",
              c.width, ")");
  if (c.heads < 1 || c.width % c.heads != 0)
    fail_call(file.path(), ": ", c.heads, " heads do not share a width of ", c.width,
              "; give --heads N that divides it");
  return c;
}

// ---- the parameters ------------------------------------------------------------------------------------

void read_norm(StateDict& file, const std::string& from, const std::string& to, const GptConfig& c,
               Tensors& out) {
  out[to + ".w"] = file.take(from + ".weight", {c.width});
  if (c.bias) out[to + ".b"] = file.take(from + ".bias", {c.width});
}

// Column `part` of three: [in,3C] -> [in,C]; [3C] -> [C].
Tensor third(const Tensor& joined, int axis, int64_t part, int64_t width) {
  return Tensor::copy_of(joined.view().window(axis, part * width, width));
}

void read_attention(StateDict& file, const std::string& from, const std::string& to, const GptConfig& c,
                    Tensors& out) {
  const Dim model = {Axis::C, c.width}, head = {Axis::D, c.width / c.heads}, heads = {Axis::H, c.heads},
            keys = {Axis::G, c.heads};
  const Tensor w = file.linear(from + "c_attn.weight", c.width, 3 * c.width);
  Tensor b;
  if (c.bias) b = file.take(from + "c_attn.bias", {3 * c.width});
  const char* names[] = {"Q", "K", "V"};
  for (int i = 0; i < 3; ++i) {
    const Dim& these = i == 0 ? heads : keys;
    Tensor weight = third(w, 1, i, c.width);
    weight.reshape({model, these, head});
    out[to + "W_" + names[i]] = std::move(weight);
    if (!c.bias) continue;
    Tensor bias = third(b, 0, i, c.width);
    bias.reshape({these, head});
    out[to + "b_" + names[i]] = std::move(bias);
  }
  Tensor join_heads = file.linear(from + "c_proj.weight", c.width, c.width);
  join_heads.reshape({heads, head, model});
  out[to + "W_O"] = std::move(join_heads);
  if (c.bias) out[to + "b_O"] = file.take(from + "c_proj.bias", {c.width});
}

void read_feed_forward(StateDict& file, const std::string& from, const std::string& to, const GptConfig& c,
                       Tensors& out) {
  out[to + "W_in"] = file.linear(from + "c_fc.weight", c.width, c.feed_forward);
  out[to + "W_out"] = file.linear(from + "c_proj.weight", c.feed_forward, c.width);
  if (!c.bias) return;
  out[to + "b_in"] = file.take(from + "c_fc.bias", {c.feed_forward});
  out[to + "b_out"] = file.take(from + "c_proj.bias", {c.width});
}

Tensors parameters_of(StateDict& file, const GptConfig& c) {
  Tensors out;
  if (c.tied)
    file.drop("lm_head.weight");
  else  // [V,C] in all of them
    out["unembed.W_U"] =
        Tensor::copy_of(file.take("lm_head.weight", {c.vocabulary, c.width}).view().permuted({1, 0}));
  out["embed.W_E"] = file.take("wte.weight", {c.vocabulary, c.width});
  out["pos_embed.W_pos"] = file.take("wpe.weight", {c.context, c.width});
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    const std::string from = join("h.", layer, "."), to = join("blocks.", layer, ".");
    read_norm(file, from + "ln_1", to + "ln1", c, out);
    read_attention(file, from + "attn.", to + "attn.", c, out);
    read_norm(file, from + "ln_2", to + "ln2", c, out);
    read_feed_forward(file, from + "mlp.", to + "mlp.", c, out);
  }
  read_norm(file, "ln_f", "ln_final", c, out);
  file.refuse_rest();
  return out;
}

}  // namespace

bool is_mingpt(const std::vector<std::string>& names) {
  bool table = false, attention = false;
  for (const std::string& name : names) {
    const std::string plain = plain_name(name);
    table |= plain == "wte.weight";
    attention |= plain == "h.0.attn.c_attn.weight";
  }
  return table && attention;
}

ForeignModel read_mingpt(TensorFile content, const std::string& path, const LoadOptions& options) {
  StateDict file(std::move(content.tensors), path);
  ForeignModel model;
  const GptConfig config = config_of(file, content.metadata, options, model.notes);
  model.config = config;
  model.parameters = parameters_of(file, config);
  model.title = path;
  return model;
}

}  // namespace limpid
