// State dicts of TransformerLens (HookedTransformer.state_dict()): blocks.0.attn.W_Q [H,C,D] ...  The names
// are ours, since ours follow them; a layout differs, sizes are read off the shapes, and what TransformerLens
// keeps outside the state dict (the activation) is an option.
#include <algorithm>

#include "core/label.h"
#include "model/foreign.h"

namespace limpid {

namespace {

class HookedStates {
 public:
  explicit HookedStates(const TensorSource& file) : file_(file) {}

  bool has(const std::string& name) const { return file_.find(name) != nullptr; }

  Shape shape(const std::string& name, int rank) const {
    const TensorSource::Entry* entry = file_.find(name);
    if (!entry) fail_work(file_.name(), ": tensor '", name, "' is missing");
    if (entry->shape.rank() != rank)
      fail_work(file_.name(), ": tensor '", name, "' is ", entry->shape.text(), ", expected ", rank, " axes");
    return entry->shape;
  }

  // The numbers in f32, of these sizes.
  Tensor take(const std::string& name, const std::vector<int64_t>& sizes) {
    const TensorSource::Entry* entry = file_.find(name);
    if (!entry) fail_work(file_.name(), ": tensor '", name, "' is missing");
    if (entry->shape.sizes() != sizes)
      fail_work(file_.name(), ": tensor '", name, "' is ", entry->shape.text(), ", expected ",
                Shape::unnamed(sizes).text());
    const Tensor stored = file_.read(name);
    if (!is_floating(stored.dtype()))
      fail_work(file_.name(), ": tensor '", name, "' holds ", limpid::name(stored.dtype()),
                " numbers, expected floating ones");
    taken_.push_back(name);
    return stored.to(DType::f32);
  }

  // The causal mask and the number it writes lie in the state dict too.
  void refuse_rest() const {
    for (const std::string& name : file_.names())
      if (std::find(taken_.begin(), taken_.end(), name) == taken_.end() && !name.ends_with(".attn.mask") &&
          !name.ends_with(".attn.IGNORE"))
        fail_work(file_.name(), ": tensor '", visible_line(name),
                  "' is no part of the networks of TransformerLens that limpid reads");
  }
  const std::string& path() const { return file_.name(); }

 private:
  const TensorSource& file_;
  std::vector<std::string> taken_;
};

void refuse_what_is_not_described(const HookedStates& file) {
  const auto refuse = [&](const char* name, const char* why) {
    if (file.has(name)) fail_work(file.path(), ": it has '", name, "', ", why);
  };
  refuse(
      "blocks.0.attn.rotary_sin",
      "rotary positions, whose base and pairing the file does not say; load the model that it was made from");
  refuse("blocks.0.mlp.W_gate", "a gated feed-forward layer; load the model that it was made from");
  refuse("blocks.0.attn._W_K", "grouped heads; load the model that it was made from");
  refuse("blocks.0.mlp.ln.w", "a norm inside the feed-forward layer (SoLU), which limpid has no part for");
  if (!file.has("blocks.0.mlp.W_in"))
    fail_work(file.path(), ": it has no 'blocks.0.mlp.W_in'; limpid has no blocks of attention alone");
  if (!file.has("pos_embed.W_pos"))
    fail_work(file.path(), ": it has no 'pos_embed.W_pos', and nothing else that says where tokens stand");
}

Architecture hooked_architecture(const HookedStates& file, const LoadOptions& options,
                                 std::vector<std::string>& notes) {
  refuse_what_is_not_described(file);
  const Shape table = file.shape("embed.W_E", 2), positions = file.shape("pos_embed.W_pos", 2),
              queries = file.shape("blocks.0.attn.W_Q", 3), wide = file.shape("blocks.0.mlp.W_in", 2);
  BlockOptions block;
  block.norm = {Norm::layer, 1e-5, true};
  AttentionOptions& attention = block.attention;
  attention.heads = queries[0].size;
  attention.width = queries[2].size;
  attention.out_width = table[1].size;
  attention.mask = Mask::causal;
  attention.bias = attention.out_bias = true;
  attention.each = "token";
  block.feed_forward = {wide[1].size, options.activation.value_or(Activation::gelu_tanh)};
  Architecture a;
  a.family = "transformer_lens";
  a.inputs = {.vocabulary = table[0].size,
              .width = table[1].size,
              .positions = Positions::learned,
              .context = positions[0].size};
  int64_t layers = 0;
  while (file.has(join("blocks.", layers, ".attn.W_Q"))) ++layers;
  a.stack = {.layers = layers, .blocks = {block}, .final_norm = block.norm};
  a.head = {.kind = Head::next_word, .tied = false, .bias = true};
  if (!options.activation)
    notes.push_back(
        "a state dict of TransformerLens does not say the activation: it is taken to be GELU's tanh form "
        "(gelu_new); --activation gelu is the exact one");
  if (!file.has("ln_final.w"))
    notes.push_back("its norms were folded into the weights behind them: gains are 1, biases 0");
  return a;
}

Tensor filled(const std::vector<int64_t>& sizes, float value) {
  Tensor out(DType::f32, Shape::unnamed(sizes));
  std::fill_n(out.data<float>(), out.count(), value);
  return out;
}

class HookedReader {
 public:
  HookedReader(HookedStates& file, const Architecture& a)
      : file_(file), a_(a), width_(a.inputs.width), attention_(a.stack.blocks[0].attention) {}

  std::map<std::string, Tensor> all() {
    same("embed.W_E", {a_.inputs.vocabulary, width_});
    same("pos_embed.W_pos", {a_.inputs.context, width_});
    for (int64_t layer = 0; layer < a_.stack.layers; ++layer) {
      const std::string block = join("blocks.", layer, ".");
      norm(block + "ln1");
      attend(block + "attn.");
      norm(block + "ln2");
      feed_forward(block + "mlp.", a_.stack.blocks[0].feed_forward);
    }
    norm("ln_final");
    same("unembed.W_U", {width_, a_.inputs.vocabulary});
    same("unembed.b_U", {a_.inputs.vocabulary});
    file_.refuse_rest();
    return std::move(out_);
  }

 private:
  void same(const std::string& name, const std::vector<int64_t>& sizes) {
    out_[name] = file_.take(name, sizes);
  }

  void norm(const std::string& name) {
    const bool folded = !file_.has(name + ".w");
    out_[name + ".w"] = folded ? filled({width_}, 1) : file_.take(name + ".w", {width_});
    out_[name + ".b"] = folded ? filled({width_}, 0) : file_.take(name + ".b", {width_});
  }

  void attend(const std::string& at) {
    const int64_t heads = attention_.heads, each = attention_.width;
    for (const char* letter : {"Q", "K", "V"}) {
      const Tensor w = file_.take(at + "W_" + letter, {heads, width_, each});  // ours is [C,H,D]
      out_[at + "W_" + letter] = Tensor::copy_of(w.view().permuted({1, 0, 2}));
      same(at + "b_" + letter, {heads, each});
    }
    same(at + "W_O", {heads, each, width_});
    same(at + "b_O", {width_});
  }

  void feed_forward(const std::string& at, const FeedForwardOptions& o) {
    same(at + "W_in", {width_, o.width});
    same(at + "b_in", {o.width});
    same(at + "W_out", {o.width, width_});
    same(at + "b_out", {width_});
  }

  HookedStates& file_;
  const Architecture& a_;
  int64_t width_;
  const AttentionOptions& attention_;
  std::map<std::string, Tensor> out_;
};

}  // namespace

bool is_transformer_lens(const std::vector<std::string>& names) {
  const auto has = [&](const char* name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  return has("embed.W_E") && has("blocks.0.attn.W_Q") && has("unembed.W_U");
}

ForeignModel read_transformer_lens(const TensorSource& source, const LoadOptions& options) {
  if (options.heads)
    fail_call(source.name(), ": the file says itself how many heads it has; leave --heads out");
  HookedStates file(source);
  ForeignModel model;
  const Architecture a = hooked_architecture(file, options, model.notes);
  model.config = a;
  model.parameters = HookedReader(file, a).all();
  model.title = source.name();
  return model;
}

}  // namespace limpid
