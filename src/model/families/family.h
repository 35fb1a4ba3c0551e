// A family of real models: how its config.json reads as an Architecture, and what its tensors are called.
//
// A family is one file here, FOO.cpp, that defines `Family family_FOO()`; the list in
// src/model/CMakeLists.txt is all that knows it (docs/adding-a-family.md).
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "limpid/architecture.h"

namespace limpid {

// ---- config.json ---------------------------------------------------------------------------------

/// The settings of a config.json.  A key that is null counts as not there.  Every getter throws Error{work}
/// naming the file, the key, what stands there and what was expected.
class HubConfig {
 public:
  HubConfig(const JsonValue& json, std::string path) : json_(json), path_(std::move(path)) {}

  bool has(const std::string& key) const { return json_.has(key) && !json_.json().at(key).is_null(); }
  /// A size, at least 1, that must be there (under one of these names), or `otherwise`.
  int64_t size(const std::string& key) const;
  int64_t size(const std::string& key, int64_t otherwise) const;
  /// How many layers: at least 1, and no more than any network has.
  int64_t layers(const std::string& key) const;
  int64_t layers(const std::string& key, int64_t otherwise) const {
    return has(key) ? layers(key) : otherwise;
  }
  double real(const std::string& key, double otherwise) const;
  bool flag(const std::string& key, bool otherwise) const;
  bool is_flag(const std::string& key) const { return has(key) && json_.json().at(key).is_boolean(); }
  std::string word(const std::string& key, const std::string& otherwise) const;
  /// "gelu", "gelu_new", "silu", "quick_gelu", ... as the hub calls them.
  Activation activation(const std::string& key, const std::string& otherwise) const;
  std::vector<std::string> words(const std::string& key) const;
  std::vector<int64_t> integers(const std::string& key) const;
  /// The same, where one may stand without a list.
  std::vector<int64_t> integers_or_one(const std::string& key) const;
  /// Of a list of lists, those that hold one number.
  std::vector<int64_t> single_integers(const std::string& key) const;
  /// Numbers: a list of them, or one.
  std::vector<double> reals(const std::string& key) const;
  /// The object under a key.
  HubConfig at(const std::string& key) const { return {json_.at(key), path_}; }
  /// A setting that limpid has no part for: an error unless it is absent, null, or false (0, "").
  void refuse(const std::string& key) const;
  [[noreturn]] void fail(const std::string& what) const;
  const Json& json() const { return json_.json(); }

  /// The first of "architectures": "LlamaForCausalLM"; empty where there is none.
  std::string architecture() const;
  bool is_for(std::string_view task) const { return architecture().ends_with(task); }
  /// How many classes a classifier tells apart: num_labels, or the entries of id2label.
  int64_t classes() const;
  /// Their names: id2label, else LABEL_0, LABEL_1, ...
  std::vector<std::string> class_names(int64_t count) const;
  /// Whether "architectures" names one of the library's classes (BertForMaskedLM, BertModel, ...).
  bool has_known_architecture() const;
  /// Whether the file holds a tensor of that name, where its names are known; else `otherwise`.
  bool holds(const std::string& tensor, bool otherwise) const {
    return tensors_.empty() ? otherwise : std::count(tensors_.begin(), tensors_.end(), tensor) > 0;
  }
  void know_tensors(std::vector<std::string> names) { tensors_ = std::move(names); }
  /// What architecture() gives from now on.
  void take_for(std::string architecture) { taken_for_ = std::move(architecture); }

 private:
  JsonValue json_;
  std::string path_, taken_for_;
  std::vector<std::string> tensors_;
};

/// Rotary positions: rope_parameters, or rope_theta and rope_scaling of older files; partial_rotary_factor.
/// `kind` is the layer's type where rope_parameters has an entry a type ("sliding_attention").
RotaryOptions rotary_of(const HubConfig&, int64_t head_width, const std::string& kind = "");
/// One attention kind a layer: "layer_types" ("sliding_attention", "full_attention"), or empty.
std::vector<std::string> layer_types(const HubConfig&);
/// A stack whose layers differ by layer_types: `make(type)` describes a block.
template <class Make>
void set_blocks(Stack& stack, const std::vector<std::string>& types, Make&& make) {
  std::vector<std::string> kinds;
  for (const std::string& type : types) {
    size_t which = 0;
    while (which < kinds.size() && kinds[which] != type) ++which;
    if (which == kinds.size()) {
      kinds.push_back(type);
      stack.blocks.push_back(make(type));
    }
    stack.pattern.push_back(static_cast<int64_t>(which));
  }
}

// ---- tensors -------------------------------------------------------------------------------------

/// A part of a joined tensor: its outputs are [outer, inner, width], and of inner the places [begin, end) are
/// meant.  Rows of q in a stack of q, k and v: {1, 3 C, 0, C, 1}; of heads with q, k, v side by side
/// (GPT-NeoX): {H, 3, 0, 1, D}.  inner = 0: the whole tensor.
struct Part {
  int64_t outer = 1, inner = 0, begin = 0, end = 0, width = 1;
};

/// One parameter of ours in their file.  A star stands for the layer's number in both names.
struct TensorRule {
  enum class Layout {
    as_is,   // the same numbers in the same order
    linear,  // stored [out,in]; ours is [in,out]
    vector,  // one axis; a part may be cut from it
    // Of every expert of a layer (expert_tensors.h), a part of whose outputs may be cut out:
    experts,         // stored [M,in,out], or a bias [M,out]
    turned_experts,  // stored [M,out,in] (GGUF)
    mxfp4_experts,   // numbers of 4 bits and their scales, stored [M,out,in]
    experts_apart,   // a tensor [out,in] for each: a # in the name stands for the expert's number
  };
  std::string ours, theirs;
  Layout layout = Layout::as_is;
  Part part = {};
  double offset = 0;      // added to every number
  int64_t skip_rows = 0;  // rows at the start that are left out
  bool of_words = false;  // of the head that predicts words: no other head takes it
};

class TensorTable {
 public:
  /// What may stand in front of all their names: the first under which a tensor of the table is found.
  std::vector<std::string> prefixes = {""};
  /// Tensors that are no parameters, or of heads that are not used; a star stands for anything.
  std::vector<std::string> ignored = {"*inv_freq", "*.position_ids", "*.masked_bias"};
  bool linear_in_first = false;  // linear weights are stored [in,out] (GPT-2)

  /// What is added from here on is of the head that predicts words (a file of classes may still hold it).
  bool of_words = false;

  void add(TensorRule rule) {
    rule.of_words = of_words;
    rules.push_back(std::move(rule));
  }
  void table(std::string ours, std::string theirs, int64_t skip_rows = 0) {
    add({std::move(ours), std::move(theirs), TensorRule::Layout::as_is, {}, 0, skip_rows});
  }
  void linear(std::string ours, std::string theirs, Part part = {}) {
    add({std::move(ours), std::move(theirs), TensorRule::Layout::linear, part});
  }
  void vector(std::string ours, std::string theirs, Part part = {}) {
    add({std::move(ours), std::move(theirs), TensorRule::Layout::vector, part});
  }
  void experts(std::string ours, std::string theirs, Part part = {}) {
    add({std::move(ours), std::move(theirs), TensorRule::Layout::experts, part});
  }
  /// The router and its experts, blocks.*.mlp: from ROUTER.weight, and EXPERTS.#.GATE.weight and so on.
  void experts_apart(const std::string& router, const std::string& experts, const std::string& gate,
                     const std::string& up, const std::string& down);
  /// OURS.w and .b from THEIRS.weight and .bias.
  void norm(const std::string& ours, const std::string& theirs, double offset = 0);
  /// "attn.W_Q", "b_Q": W and b of one projection, blocks.*.HERE.W_NAME, from THEIRS.weight and .bias.
  void projection(const std::string& here, const std::string& name, const std::string& theirs,
                  Part part = {});

  std::vector<TensorRule> rules;
};

/// The names that most have: self_attn.{q,k,v,o}_proj, mlp.{gate,up,down}_proj, input_layernorm,
/// post_attention_layernorm, norm, embed_tokens, lm_head.
TensorTable llama_tensors();
/// Norms of queries and keys, by self_attn.q_norm and k_norm.
void add_query_key_norms(TensorTable&);
/// Of Qwen's line: num_experts of which num_experts_per_tok are chosen, by shares of all unless
/// norm_topk_prob.
ExpertOptions experts_of(const HubConfig&, int64_t experts);
/// A block whose heads share the model's width; of BERT's line or GPT's, as the mask says.
BlockOptions block_of(int64_t width, int64_t heads, const NormOptions&, Mask, bool bias);
/// What BERT's line puts behind the last hidden state, as the class that config.json names says: hidden words
/// (`words`: the activation before them), classes of a text (`classes`: of the pooler) or of its tokens, or
/// nothing.
HeadOptions encoder_head(const HubConfig&, const NormOptions&, Activation words, Activation classes);
/// RoBERTa's names of the heads, and its positions, which count from the padding's id + 1.
void add_roberta_names(TensorTable&, const HubConfig&);
int64_t roberta_unused_positions(const HubConfig&);

/// BART's network and names, for those that differ in their norms' place and their positions.
Architecture bart_architecture(const HubConfig&, NormPlace);
TensorTable bart_tensors();

/// What the Llama-like families share; they change what differs.
Architecture llama_architecture(const HubConfig&);
/// GPT-J's, which CodeGen shares.
Architecture gptj_architecture(const HubConfig&);
TensorTable gptj_tensors();
/// image_size, patch_size and num_channels of a vision model.
PatchInputs patches_of(const HubConfig&, int64_t image_size, int64_t patch_size);
/// ViT's names, with this before them in a model with a head: "vit.".
TensorTable vit_tensors_named(const std::string& name);

/// CLIP's names of a tower's layers.
void add_clip_layers(TensorTable&);
/// Texts and images as one network, each under its first prefix; projections have none.
Architecture joined_towers(Architecture texts, const Architecture& images, bool sigmoid);
TensorTable joined_towers(const TensorTable& texts, const TensorTable& images);

/// BERT's and its descendants'.
Architecture bert_architecture(const HubConfig&);
/// `name` is what stands before "embeddings." in a model with a head: "bert.".
TensorTable bert_tensors(const std::string& name);

struct Family {
  std::string name;                    // model_type
  std::vector<std::string> also = {};  // other model_types that mean the same
  Architecture (*architecture)(const HubConfig&) = nullptr;
  TensorTable (*tensors)(const HubConfig&, const Architecture&) = nullptr;
  /// Which class of the library a model is of whose config.json names none, or one of its own, by its
  /// tensors; empty: of none with a head.
  std::string (*architecture_by_tensors)(const std::vector<std::string>& names) = nullptr;
  /// The table of positions is interpolated where the folder's image processor gives another size than
  /// config.json's image_size.
  bool interpolates_positions = false;
  /// How an architecture reads as a config.json, for families that limpid writes: what architecture() makes
  /// of it is compared with what was given, so that it need not check anything.
  Json (*config)(const Architecture&) = nullptr;
};

/// The hub's name of an activation: "gelu_new".
std::string hub_name(Activation);

/// All of this build.
const std::vector<Family>& families();
/// The family of a config.json; throws Error{work} naming a model_type that no family has, and those there
/// are.
const Family& family_of(const HubConfig&);

}  // namespace limpid
