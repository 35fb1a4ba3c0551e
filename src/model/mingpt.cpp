// minGPT's files: a state dict of nn.Linear weights [out,in], the configuration as JSON in the metadata.
#include "core/json.h"
#include "model/impl.h"

namespace limpid {

namespace {

class StateDict {
 public:
  StateDict(const std::map<std::string, Tensor>& tensors, const std::string& path)
      : tensors_(tensors), path_(path) {}

  Tensor read(const std::string& name, const std::vector<int64_t>& sizes) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail_work(path_, ": tensor '", name, "' is missing");
    if (found->second.shape().sizes() != sizes)
      fail_work(path_, ": tensor '", name, "' is ", found->second.shape().text(), ", expected ",
                Shape::unnamed(sizes).text());
    return found->second;
  }

  // [out,in] -> [in,out], shaped
  Tensor linear(const std::string& name, int64_t in, int64_t out, Shape shape) const {
    Tensor t = Tensor::copy_of(read(name, {out, in}).view().permuted({1, 0}));
    t.reshape(std::move(shape));
    return t;
  }

  // One of the three parts that c_attn joins: rows [part*C, (part+1)*C) of [3C,...].
  Tensor part(const Tensor& joined, int64_t part, int64_t width) const {
    return Tensor::copy_of(joined.view().window(0, part * width, width));
  }

 private:
  const std::map<std::string, Tensor>& tensors_;
  const std::string& path_;
};

void read_attention(const StateDict& file, const std::string& from, const std::string& to, const GptConfig& c,
                    std::map<std::string, Tensor>& out) {
  const Dim model = {Axis::C, c.width}, head = {Axis::D, c.width / c.heads}, heads = {Axis::H, c.heads},
            keys = {Axis::G, c.heads};
  const Tensor w = file.read(from + "c_attn.weight", {3 * c.width, c.width}),
               b = file.read(from + "c_attn.bias", {3 * c.width});
  const char* names[] = {"Q", "K", "V"};
  for (int i = 0; i < 3; ++i) {
    const Dim& these = i == 0 ? heads : keys;
    Tensor weight = Tensor::copy_of(file.part(w, i, c.width).view().permuted({1, 0}));
    weight.reshape({model, these, head});
    Tensor bias = file.part(b, i, c.width);
    bias.reshape({these, head});
    out[to + "W_" + names[i]] = std::move(weight);
    out[to + "b_" + names[i]] = std::move(bias);
  }
  out[to + "W_O"] = file.linear(from + "c_proj.weight", c.width, c.width, {heads, head, model});
  out[to + "b_O"] = file.read(from + "c_proj.bias", {c.width});
}

}  // namespace

bool is_mingpt(const std::map<std::string, Tensor>& tensors,
               const std::map<std::string, std::string>& metadata) {
  return metadata.count("config") && tensors.count("transformer.wte.weight") &&
         tensors.count("transformer.h.0.attn.c_attn.weight");
}

GptConfig mingpt_config(const std::string& text, const std::string& path) {
  constexpr int64_t k_most_size = (int64_t{1} << 31) - 1;
  const JsonSource source{path + ": the configuration in the metadata cannot be read"};
  const Json document = parse_json(text, source);
  const JsonValue json(document, source);
  GptConfig c;
  c.layers = json.at("n_layer").integer(1, k_most_size);
  c.heads = json.at("n_head").integer(1, k_most_size);
  c.width = json.at("n_embd").integer(1, k_most_size);
  if (c.width % c.heads != 0) json.at("n_head").unexpected("a divisor of n_embd, ", c.width);
  c.vocabulary = json.at("vocab_size").integer(1, k_most_size);
  c.context = json.at("block_size").integer(1, k_most_size);
  c.dropout = json.has("resid_pdrop") ? json.at("resid_pdrop").real() : 0;
  c.attention_dropout = json.has("attn_pdrop") ? json.at("attn_pdrop").real() : 0;
  c.activation = Activation::gelu_tanh;
  c.tied = false;
  return c;
}

std::map<std::string, Tensor> mingpt_parameters(const std::map<std::string, Tensor>& tensors,
                                                const GptConfig& c, const std::string& path) {
  const StateDict file(tensors, path);
  std::map<std::string, Tensor> out;
  out["embed.W_E"] = file.read("transformer.wte.weight", {c.vocabulary, c.width});
  out["pos_embed.W_pos"] = file.read("transformer.wpe.weight", {c.context, c.width});
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    const std::string from = join("transformer.h.", layer, "."), to = join("blocks.", layer, ".");
    out[to + "ln1.w"] = file.read(from + "ln_1.weight", {c.width});
    out[to + "ln1.b"] = file.read(from + "ln_1.bias", {c.width});
    out[to + "ln2.w"] = file.read(from + "ln_2.weight", {c.width});
    out[to + "ln2.b"] = file.read(from + "ln_2.bias", {c.width});
    read_attention(file, from + "attn.", to + "attn.", c, out);
    const int64_t wide = 4 * c.width;
    out[to + "mlp.W_in"] =
        file.linear(from + "mlp.c_fc.weight", c.width, wide, {{Axis::C, c.width}, {Axis::F, wide}});
    out[to + "mlp.b_in"] = file.read(from + "mlp.c_fc.bias", {wide});
    out[to + "mlp.W_out"] =
        file.linear(from + "mlp.c_proj.weight", wide, c.width, {{Axis::F, wide}, {Axis::C, c.width}});
    out[to + "mlp.b_out"] = file.read(from + "mlp.c_proj.bias", {c.width});
  }
  out["ln_final.w"] = file.read("transformer.ln_f.weight", {c.width});
  out["ln_final.b"] = file.read("transformer.ln_f.bias", {c.width});
  out["unembed.W_U"] =
      file.linear("lm_head.weight", c.width, c.vocabulary, {{Axis::C, c.width}, {Axis::V, c.vocabulary}});
  return out;
}

}  // namespace limpid
