// llama2.c (Karpathy 2023): Llama with interleaved rotary pairs, as a state dict or as the program's own
// file.
//
// The file (export.py, version 0): seven int32 (dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size,
// negative where the output table is its own, seq_len), then f32 tensors in the order of k_order, each of all
// layers together.
#include <cstring>

#include "core/json.h"
#include "files/mapped_file.h"
#include "files/tensor_list.h"
#include "model/families/tensors.h"
#include "model/foreign.h"

namespace limpid {

namespace {

struct Sizes {
  int64_t width = 0, hidden = 0, layers = 0, heads = 0, kv_heads = 0, vocabulary = 0, context = 0;
  bool tied = true;
};

constexpr double k_epsilon = 1e-5;

Architecture architecture_of(const Sizes& s) {
  const NormOptions norm = {Norm::rms, k_epsilon, false};
  BlockOptions block;
  block.norm = norm;
  block.attention.heads = s.heads;
  block.attention.kv_heads = s.kv_heads;
  block.attention.width = s.width / s.heads;
  block.attention.out_width = s.width;
  block.attention.mask = Mask::causal;
  block.attention.positions = Positions::rotary;
  block.attention.rotary = {block.attention.width, 10000, Pairing::interleaved};
  block.attention.each = "token";
  block.feed_forward = {s.hidden, Activation::silu, true, false};
  Architecture a;
  a.family = "llama2.c";
  a.inputs = {.vocabulary = s.vocabulary, .width = s.width, .context = s.context};
  a.stack = {.layers = s.layers, .blocks = {block}, .final_norm = norm};
  a.head.tied = s.tied;
  return a;
}

TensorTable table() {
  TensorTable t;
  t.prefixes = {"", "_orig_mod."};
  t.table("embed.W_E", "tok_embeddings.weight");
  t.norm("blocks.*.ln1", "layers.*.attention_norm");
  for (const auto& [ours, theirs] : {std::pair{"Q", "wq"}, {"K", "wk"}, {"V", "wv"}, {"O", "wo"}})
    t.projection("attn", ours, std::string("layers.*.attention.") + theirs);
  t.norm("blocks.*.ln2", "layers.*.ffn_norm");
  t.projection("mlp", "in", "layers.*.feed_forward.w1");
  t.projection("mlp", "up", "layers.*.feed_forward.w3");
  t.projection("mlp", "out", "layers.*.feed_forward.w2");
  t.norm("ln_final", "norm");
  t.linear("unembed.W_U", "output.weight");
  t.ignored.insert(t.ignored.end(), {"*freqs_cos", "*freqs_sin", "*output.weight"});
  return t;
}

void check(const Sizes& s, const std::string& path) {
  if (s.heads < 1 || s.kv_heads < 1 || s.width % s.heads != 0 || s.heads % s.kv_heads != 0)
    fail_work(path, ": ", s.heads, " heads and ", s.kv_heads, " key/value heads do not share a width of ",
              s.width);
}

ForeignModel model_of(const Sizes& s, const TensorSource& file) {
  check(s, file.name());
  ForeignModel model;
  const Architecture a = architecture_of(s);
  model.config = a;
  model.parameters = parameters_of(a, table(), file, file.name());
  model.title = file.name();
  return model;
}

// ---- the program's own file ----------------------------------------------------------------------

constexpr size_t k_header = 7 * sizeof(int32_t);

// How many numbers follow the header, or nothing for sizes that no such file has.
std::optional<uint64_t> numbers_of(const Sizes& s) {
  const auto most = [](int64_t size, int64_t limit) { return size >= 1 && size <= limit; };
  if (!most(s.width, 1 << 16) || !most(s.hidden, 1 << 18) || !most(s.layers, 1000) ||
      !most(s.heads, s.width) || !most(s.kv_heads, s.heads) || !most(s.vocabulary, 1 << 20) ||
      !most(s.context, 1 << 20) || s.width % s.heads != 0 || s.heads % s.kv_heads != 0)
    return {};
  const auto n = [](int64_t size) { return static_cast<uint64_t>(size); };
  const uint64_t kv = n(s.width / s.heads * s.kv_heads);
  uint64_t numbers =
      n(s.vocabulary) * n(s.width) * (s.tied ? 1 : 2) + n(s.width) + n(s.context) * n(s.width / s.heads);
  numbers += n(s.layers) * (2 * n(s.width) + 2 * n(s.width) * n(s.width) + 2 * n(s.width) * kv +
                            3 * n(s.width) * n(s.hidden));
  return numbers;
}

Sizes sizes_of(Bytes bytes) {
  int32_t header[7];
  std::memcpy(header, bytes.data(), k_header);
  const int64_t vocabulary = header[5];
  return {header[0], header[1],     header[2], header[3], header[4], std::abs(vocabulary),
          header[6], vocabulary > 0};
}

class Llama2cFile final : public TensorList {
 public:
  Llama2cFile(Bytes bytes, const std::string& path)
      : TensorList(path), bytes_(bytes), sizes(sizes_of(bytes)) {
    const Sizes& s = sizes;
    const int64_t kv = s.width / s.heads * s.kv_heads;
    place("tok_embeddings.weight", {s.vocabulary, s.width});
    place_all("attention_norm", {s.width});
    place_all("attention.wq", {s.width, s.width});
    place_all("attention.wk", {kv, s.width});
    place_all("attention.wv", {kv, s.width});
    place_all("attention.wo", {s.width, s.width});
    place_all("ffn_norm", {s.width});
    place_all("feed_forward.w1", {s.hidden, s.width});
    place_all("feed_forward.w2", {s.width, s.hidden});
    place_all("feed_forward.w3", {s.hidden, s.width});
    place("norm.weight", {s.width});
    at_ +=
        static_cast<size_t>(s.context * (s.width / s.heads)) * sizeof(float);  // angles, which are computed
    if (!s.tied) place("output.weight", {s.vocabulary, s.width});
  }

 private:
  void place(const std::string& name, const std::vector<int64_t>& sizes_of_axes) {
    Entry entry;
    entry.name = name;
    entry.shape = Shape::unnamed(sizes_of_axes);
    entry.file = this->name();
    places_[name] = at_;
    at_ += static_cast<size_t>(entry.shape.count()) * sizeof(float);
    add(std::move(entry));
  }
  void place_all(const std::string& part, const std::vector<int64_t>& sizes_of_axes) {
    for (int64_t layer = 0; layer < sizes.layers; ++layer)
      place(join("layers.", layer, ".", part, ".weight"), sizes_of_axes);
  }
  Tensor read_entry(const Entry& entry) const override {
    Tensor out(DType::f32, entry.shape);
    std::memcpy(out.raw(), bytes_.data() + places_.at(entry.name), out.bytes());
    return out;
  }

  Bytes bytes_;
  size_t at_ = k_header;
  std::map<std::string, size_t> places_;

 public:
  const Sizes sizes;
};

}  // namespace

bool is_llama2c(const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (name.ends_with("layers.0.attention.wq.weight")) return true;
  return false;
}

ForeignModel read_llama2c(const TensorSource& file) {
  const auto& metadata = file.metadata();
  auto found = metadata.find("config");
  if (found == metadata.end() || found->second.find("\"dim\"") == std::string::npos)
    found = metadata.find("model_args");
  if (found == metadata.end())
    fail_work(
        file.name(),
        ": its tensors are llama2.c's, but its metadata has no \"config\" or \"model_args\", which say ",
        "how many heads it has");
  const JsonSource source{file.name() + ": the configuration in the metadata cannot be read"};
  const Json document = parse_json(found->second, source);
  const JsonValue json(document, source);
  const auto size = [&](const char* key) { return json.at(key).integer(1, k_json_most_size); };
  const auto has = [&](const char* key) { return json.has(key) && !document.at(key).is_null(); };
  Sizes s;
  s.width = size("dim");
  s.layers = size("n_layers");
  s.heads = size("n_heads");
  s.kv_heads = has("n_kv_heads") ? size("n_kv_heads") : s.heads;
  s.vocabulary = size("vocab_size");
  s.context = has("max_seq_len") ? size("max_seq_len") : 2048;
  const TensorSource::Entry* wide = file.find("layers.0.feed_forward.w1.weight");
  if (!wide) wide = file.find("_orig_mod.layers.0.feed_forward.w1.weight");
  if (!wide || wide->shape.rank() != 2)
    fail_work(file.name(), ": tensor 'layers.0.feed_forward.w1.weight' is missing");
  s.hidden = wide->shape[0].size;
  s.tied = document.contains("tied_output") ? json.at("tied_output").boolean() : true;
  return model_of(s, file);
}

bool is_llama2c_file(const std::string& path) {
  const MappedFile file(path);
  if (file.bytes().size() < k_header) return false;
  const auto numbers = numbers_of(sizes_of(file.bytes()));
  return numbers && file.bytes().size() == k_header + *numbers * sizeof(float);
}

ForeignModel read_llama2c_file(const std::string& path) {
  const MappedFile mapped(path);
  const Llama2cFile file(mapped.bytes(), path);
  return model_of(file.sizes, file);
}

}  // namespace limpid
