// The field's names (TransformerLens), with and without their hook_ prefix, and their shorthands.
#include <cctype>
#include <map>

#include "limpid/graph.h"

namespace limpid {

namespace {

// What a shorthand ("q", 6) stands for inside a block; names of the whole network stay as they are.
const std::map<std::string, std::string, std::less<>> k_in_block = {
    {"q", "attn.q"},
    {"k", "attn.k"},
    {"v", "attn.v"},
    {"z", "attn.z"},
    {"rot_q", "attn.rot_q"},
    {"rot_k", "attn.rot_k"},
    {"raw_scores", "attn.raw_scores"},
    {"scaled_scores", "attn.scaled_scores"},
    {"scores", "attn.scores"},
    {"attn_scores", "attn.scores"},
    {"pattern", "attn.pattern"},
    {"attn", "attn.pattern"},
    {"attn_out", "attn_out"},
    {"pre", "mlp.pre"},
    {"post", "mlp.post"},
    {"mlp_out", "mlp_out"},
    {"resid_pre", "resid_pre"},
    {"resid_mid", "resid_mid"},
    {"resid_post", "resid_post"},
};

std::string without_hooks(std::string_view name) {
  std::string out;
  for (size_t i = 0; i < name.size();) {
    const bool starts = i == 0 || name[i - 1] == '.';
    if (starts && name.substr(i, 5) == "hook_")
      i += 5;
    else
      out += name[i++];
  }
  return out;
}

void replace_tail(std::string& name, std::string_view tail, std::string_view with) {
  if (name.size() >= tail.size() && name.compare(name.size() - tail.size(), tail.size(), tail) == 0)
    name.replace(name.size() - tail.size(), tail.size(), with);
}

// ("q", 6) or q6: the letters and the layer, or nothing.
bool shorthand(std::string_view text, std::string& word, std::string& layer) {
  word.clear();
  layer.clear();
  if (text.find('.') != std::string_view::npos) return false;
  std::string plain;
  for (char c : text)
    if (!std::isspace(static_cast<unsigned char>(c)) && c != '"' && c != '\'' && c != '(' && c != ')')
      plain += c;
  const size_t digits = plain.find_last_not_of("0123456789");
  if (digits == std::string::npos || digits + 1 == plain.size()) return false;
  layer = plain.substr(digits + 1);
  word = plain.substr(0, digits + 1);
  if (word.back() == ',') word.pop_back();
  return true;
}

}  // namespace

std::string canonical_name(std::string_view given) {
  std::string word, layer;
  if (shorthand(given, word, layer)) {
    const auto found = k_in_block.find(without_hooks(word));
    if (found != k_in_block.end()) return join("blocks.", layer, ".", found->second);
  }
  std::string name = without_hooks(given);
  replace_tail(name, ".attn.attn_scores", ".attn.scores");
  return name;
}

bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.find('*') == std::string_view::npos) return canonical_name(pattern) == name;
  const std::string wild = without_hooks(pattern);
  // Greedy match with one place to come back to: the last star.
  size_t p = 0, n = 0, star = std::string::npos, mark = 0;
  while (n < name.size()) {
    if (p < wild.size() && wild[p] == '*') {
      star = p++;
      mark = n;
    } else if (p < wild.size() && wild[p] == name[n]) {
      ++p, ++n;
    } else if (star != std::string::npos) {
      p = star + 1;
      n = ++mark;
    } else {
      return false;
    }
  }
  while (p < wild.size() && wild[p] == '*') ++p;
  return p == wild.size();
}

}  // namespace limpid
