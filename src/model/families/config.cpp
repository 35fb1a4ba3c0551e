// Reading a config.json.
#include <algorithm>
#include <set>

#include "core/label.h"
#include "model/families/family.h"

namespace limpid {

namespace {

constexpr int64_t k_most_layers = 1000;  // as network/build.cpp

}  // namespace

void HubConfig::fail(const std::string& what) const { fail_work(path_, ": ", what); }

int64_t HubConfig::size(const std::string& key) const {
  if (!has(key)) fail("'" + key + "' is missing, expected a number from 1 on");
  return json_.at(key).integer(1, k_json_most_size);
}

int64_t HubConfig::size(const std::string& key, int64_t otherwise) const {
  return has(key) ? json_.at(key).integer(0, k_json_most_size) : otherwise;
}

int64_t HubConfig::layers(const std::string& key) const {
  if (!has(key)) fail("'" + key + "' is missing, expected a number from 1 on");
  return json_.at(key).integer(1, k_most_layers);
}

double HubConfig::real(const std::string& key, double otherwise) const {
  return has(key) ? json_.at(key).real() : otherwise;
}

bool HubConfig::flag(const std::string& key, bool otherwise) const {
  return has(key) ? json_.at(key).boolean() : otherwise;
}

std::string HubConfig::word(const std::string& key, const std::string& otherwise) const {
  return has(key) ? json_.at(key).text() : otherwise;
}

namespace {

// Of several names of one the first is written.
const std::vector<std::pair<std::string, Activation>>& activations() {
  static const std::vector<std::pair<std::string, Activation>> all = {
      {"gelu", Activation::gelu},
      {"gelu_python", Activation::gelu},
      {"gelu_new", Activation::gelu_tanh},
      {"gelu_fast", Activation::gelu_tanh},
      {"gelu_pytorch_tanh", Activation::gelu_tanh},
      {"gelu_accurate", Activation::gelu_tanh},
      {"quick_gelu", Activation::quick_gelu},
      {"relu", Activation::relu},
      {"relu2", Activation::relu_squared},
      {"silu", Activation::silu},
      {"swish", Activation::silu},
      {"tanh", Activation::tanh}};
  return all;
}

}  // namespace

std::string hub_name(Activation wanted) {
  for (const auto& [name, activation] : activations())
    if (activation == wanted) return name;
  return std::string(name(wanted));
}

Activation HubConfig::activation(const std::string& key, const std::string& otherwise) const {
  const std::string given = word(key, otherwise);
  std::string list;
  for (const auto& [name, activation] : activations()) {
    if (name == given) return activation;
    list += (list.empty() ? "" : ", ") + name;
  }
  fail(join("'", key, "' is '", visible_line(given), "', an activation that limpid does not have; it has ",
            list));
}

std::vector<std::string> HubConfig::words(const std::string& key) const {
  std::vector<std::string> out;
  if (has(key)) json_.at(key).each_item([&](const JsonValue& item) { out.push_back(item.text()); });
  return out;
}

std::vector<int64_t> HubConfig::integers(const std::string& key) const {
  std::vector<int64_t> out;
  if (has(key))
    json_.at(key).each_item([&](const JsonValue& item) { out.push_back(item.integer(0, k_json_most_size)); });
  return out;
}

std::vector<int64_t> HubConfig::integers_or_one(const std::string& key) const {
  if (has(key) && !json_.at(key).json().is_array()) return {json_.at(key).integer(0, k_json_most_size)};
  return integers(key);
}

std::vector<int64_t> HubConfig::single_integers(const std::string& key) const {
  std::vector<int64_t> out;
  json_.at(key).each_item([&](const JsonValue& list) {
    if (list.json().is_array() && list.json().size() == 1)
      out.push_back(list.at(size_t{0}).integer(0, k_json_most_size));
  });
  return out;
}

std::vector<double> HubConfig::reals(const std::string& key) const {
  std::vector<double> out;
  if (!has(key)) return out;
  const JsonValue value = json_.at(key);
  if (value.json().is_number()) return {value.real()};
  value.each_item([&](const JsonValue& item) { out.push_back(item.real()); });
  return out;
}

void HubConfig::refuse(const std::string& key) const {
  if (!has(key)) return;
  const Json& value = json_.json().at(key);
  if (value == false || value == 0 || value == "" || value.empty()) return;
  fail(join("'", key, "' is ", shown(value), ", which limpid has no part for"));
}

std::string HubConfig::architecture() const {
  if (!taken_for_.empty()) return taken_for_;
  const std::vector<std::string> all = words("architectures");
  return all.empty() ? "" : all[0];
}

int64_t HubConfig::classes() const {
  if (has("num_labels")) return size("num_labels");
  if (has("id2label")) return static_cast<int64_t>(json_.at("id2label").json().size());
  return 2;  // the library's
}

std::vector<std::string> HubConfig::class_names(int64_t count) const {
  if (!has("id2label") && has("labels"))
    if (const std::vector<std::string> listed = words("labels"); static_cast<int64_t>(listed.size()) == count)
      return listed;
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) {
    const std::string key = std::to_string(i);
    const bool named = has("id2label") && json_.at("id2label").has(key);
    names.push_back(named ? json_.at("id2label").at(key).text() : "LABEL_" + key);
  }
  return names;
}

bool HubConfig::has_known_architecture() const {
  const std::string name = architecture();
  return name.ends_with("Model") || name.find("For") != name.npos;
}

BlockOptions block_of(int64_t width, int64_t heads, const NormOptions& norm, Mask mask, bool bias) {
  BlockOptions block;
  block.norm = norm;
  block.attention.heads = heads;
  block.attention.width = width / heads;
  block.attention.out_width = width;
  block.attention.mask = mask;
  block.attention.bias = block.attention.out_bias = bias;
  block.attention.each = "token";
  return block;
}

// ---- rotary positions ----------------------------------------------------------------------------

namespace {

RotaryOptions with_scaling(const HubConfig& c, const HubConfig& rope, RotaryOptions rotary) {
  const std::string kind = rope.word("rope_type", rope.word("type", "default"));
  if (kind == "default") return rotary;
  RotaryScalingOptions s;
  s.factor = rope.real("factor", 1);
  s.original_context =
      rope.real("original_max_position_embeddings",
                c.real("original_max_position_embeddings", c.real("max_position_embeddings", 2048)));
  static const std::vector<std::pair<std::string, RotaryScaling>> kinds = {
      {"linear", RotaryScaling::linear}, {"llama3", RotaryScaling::llama3}, {"yarn", RotaryScaling::yarn}};
  const auto found =
      std::find_if(kinds.begin(), kinds.end(), [&](const auto& known) { return known.first == kind; });
  if (kind == "dynamic") {
    rotary.dynamic_factor = s.factor;
    rotary.dynamic_context = c.size("max_position_embeddings", 2048);
    return rotary;
  }
  if (found == kinds.end())
    c.fail(join("rotary scaling '", visible_line(kind),
                "' is not known; limpid has linear, dynamic, llama3 and yarn"));
  s.kind = found->second;
  if (s.kind == RotaryScaling::llama3) {
    s.low_frequency_factor = rope.real("low_freq_factor", 1);
    s.high_frequency_factor = rope.real("high_freq_factor", 4);
  }
  if (s.kind == RotaryScaling::yarn) {
    rope.refuse("mscale");
    rope.refuse("mscale_all_dim");
    s.beta_fast = rope.real("beta_fast", 32);
    s.beta_slow = rope.real("beta_slow", 1);
    s.truncate = rope.flag("truncate", true);
    if (rope.has("attention_factor")) s.attention_factor = rope.real("attention_factor", 1);
    if (!rope.has("factor"))
      s.factor = c.real("max_position_embeddings", s.original_context) / s.original_context;
  }
  return scaled(rotary, s);
}

}  // namespace

RotaryOptions rotary_of(const HubConfig& c, int64_t head_width, const std::string& kind) {
  double base = c.real("rope_theta", c.real("rotary_emb_base", 10000));
  double share = c.real("partial_rotary_factor", c.real("rotary_pct", 1));
  std::optional<HubConfig> rope;
  if (c.has("rope_parameters")) {
    rope = c.at("rope_parameters");
    if (!kind.empty() && rope->has(kind)) rope = rope->at(kind);
  } else if (c.has("rope_scaling")) {
    rope = c.at("rope_scaling");
  }
  if (rope) {
    base = rope->real("rope_theta", base);
    share = rope->real("partial_rotary_factor", share);
  }
  const int64_t width = static_cast<int64_t>(static_cast<double>(head_width) * share) / 2 * 2;
  if (width < 2 || width > head_width)
    c.fail(join("rotary positions turn ", width, " of the ", head_width, " numbers of a head"));
  const RotaryOptions plain = {width, base, Pairing::halves};
  return rope ? with_scaling(c, *rope, plain) : plain;
}

std::vector<std::string> layer_types(const HubConfig& c) { return c.words("layer_types"); }

// ---- which family --------------------------------------------------------------------------------

const Family& family_of(const HubConfig& c) {
  const std::string type = c.word("model_type", "");
  std::set<std::string> known;
  for (const Family& family : families()) {
    if (family.name == type || std::count(family.also.begin(), family.also.end(), type)) return family;
    known.insert(family.name);
    known.insert(family.also.begin(), family.also.end());
  }
  std::string list;
  for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
  c.fail(type.empty()
             ? "'model_type' is missing, so it is not said what kind of model this is"
             : join("model_type '", visible_line(type), "' is no family that limpid knows; it knows ", list,
                    " (docs/adding-a-family.md adds one)"));
}

}  // namespace limpid
