#include "trace/diff/names.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

namespace limpid {

namespace {

// TransformerLens since 3 has a hook before and after every module; what stands at them here.
const std::map<std::string, std::vector<std::string>, std::less<>> k_module_hooks = {
    {"hook_in", {"resid_pre"}},
    {"hook_out", {"resid_post"}},
    {"ln1.hook_in", {"resid_pre"}},
    {"ln1.hook_out", {"ln1.normalized"}},
    {"ln2.hook_in", {"resid_mid"}},
    {"ln2.hook_out", {"ln2.normalized"}},
    {"ln1_post.hook_out", {"ln1_post.normalized"}},
    {"ln2_post.hook_out", {"ln2_post.normalized"}},
    {"attn.hook_in", {"ln1.normalized"}},
    {"attn.hook_out", {"attn_out"}},
    {"attn.q.hook_out", {"attn.q"}},
    {"attn.k.hook_out", {"attn.k"}},
    {"attn.v.hook_out", {"attn.v"}},
    {"attn.q_norm.hook_out", {"attn.q_norm.normalized"}},
    {"attn.k_norm.hook_out", {"attn.k_norm.normalized"}},
    {"attn.o.hook_in", {"attn.joined"}},
    {"attn.hook_z", {"attn.z"}},
    {"attn.o.hook_out", {"attn_out"}},
    {"mlp.hook_in", {"ln2.normalized"}},
    {"mlp.hook_out", {"mlp_out"}},
    {"mlp.gate.hook_out", {"mlp.pre"}},
    {"mlp.in.hook_out", {"mlp.up", "mlp.pre"}},
    {"mlp.hook_pre_linear", {"mlp.up"}},
    {"mlp.out.hook_in", {"mlp.post"}},
    {"mlp.out.hook_out", {"mlp_out"}},
};

const std::map<std::string, std::vector<std::string>, std::less<>> k_whole = {
    {"input_ids", {"tokens"}},
    {"token_type_ids", {"token_types"}},
    {"embed.hook_out", {"embed"}},
    {"pos_embed.hook_out", {"pos_embed"}},
    {"ln_final.hook_out", {"ln_final.normalized"}},
    {"ln_final.hook_in", {"last_resid"}},
    {"unembed.hook_in", {"last_hidden_state"}},
    {"unembed.hook_out", {"logits"}},
    {"prediction_logits", {"logits"}},
};

std::optional<int> place_number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// "hidden_states.3", "hidden_states_3", "hidden_states[3]": 3.
std::optional<int> numbered(std::string_view name, std::string_view what) {
  if (!name.starts_with(what)) return std::nullopt;
  name.remove_prefix(what.size());
  if (name.size() > 2 && name.front() == '[' && name.back() == ']')
    return place_number(name.substr(1, name.size() - 2));
  if (name.size() > 1 && (name.front() == '.' || name.front() == '_')) return place_number(name.substr(1));
  return std::nullopt;
}

std::string_view without_side(std::string_view name) {
  for (const std::string_view side : {"out.", "in.", "outputs.", "inputs."})
    if (name.starts_with(side) && name.size() > side.size()) return name.substr(side.size());
  return name;
}

std::string first_known(const Graph& graph, const std::string& prefix,
                        const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (graph.find(prefix + name) >= 0) return prefix + name;
  return "";
}

std::string hub_name(const Graph& graph, std::string_view name) {
  if (const auto found = k_whole.find(name); found != k_whole.end())
    return first_known(graph, "", found->second);
  for (const std::string_view word : {"hidden_states", "encoder_hidden_states"})
    if (const std::optional<int> n = numbered(name, word)) {
      const int layers = layers_of(graph);
      if (*n == layers) return "last_hidden_state";  // after the final norm
      return *n < layers ? join("blocks.", *n, ".resid_pre") : "";
    }
  for (const std::string_view word : {"attentions", "encoder_attentions"})
    if (const std::optional<int> n = numbered(name, word)) return join("blocks.", *n, ".attn.pattern");
  return "";
}

std::string module_hook(const Graph& graph, std::string_view name) {
  if (!name.starts_with("blocks.")) return "";
  const size_t dot = name.find('.', 7);
  if (dot == name.npos || !place_number(name.substr(7, dot - 7))) return "";
  const auto found = k_module_hooks.find(name.substr(dot + 1));
  return found == k_module_hooks.end()
             ? ""
             : first_known(graph, std::string(name.substr(0, dot + 1)), found->second);
}

}  // namespace

int layers_of(const Graph& graph) {
  int layers = 0;
  const auto see = [&](std::string_view name) {
    if (!name.starts_with("blocks.")) return;
    if (const std::optional<int> n = place_number(name.substr(7, name.find('.', 7) - 7)))
      layers = std::max(layers, *n < 1000000 ? *n + 1 : layers);
  };
  for (const Value& value : graph.values()) see(value.name);
  for (const auto& [alias, value] : graph.aliases()) see(alias);
  return layers;
}

NamedValue value_named(const Graph& graph, const std::string& given) {
  const std::string_view plain = without_side(given);
  for (const std::string_view name : {std::string_view(given), plain}) {
    std::string found = module_hook(graph, name);
    if (found.empty()) found = hub_name(graph, name);
    if (found.empty() && graph.find(name) >= 0) found = canonical_name(name);
    if (found.empty() || graph.find(found) < 0) continue;
    return {given, found, name.ends_with("hook_normalized")};
  }
  return {given, "", false};
}

}  // namespace limpid
