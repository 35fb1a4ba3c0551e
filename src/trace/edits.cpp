#include "trace/edits.h"

#include <algorithm>
#include <cstdio>

#include "core/label.h"

namespace limpid {

namespace {

constexpr size_t k_edges_named = 8, k_values_named = 4;

std::string edges_words(const Edit& edit) {
  std::string out = edit.edges.size() == 1 ? "edge cut: " : "edges cut: ";
  for (size_t i = 0; i < std::min(edit.edges.size(), k_edges_named); ++i)
    out += join(i ? ", " : "", edit.edges[i].first, ">", edit.edges[i].second);
  if (edit.edges.size() > k_edges_named) out += join(" and ", edit.edges.size() - k_edges_named, " more");
  return out;
}

std::string factor_words(double factor) {
  char text[40];
  std::snprintf(text, sizeof text, "%g", factor);
  return text;
}

std::string action_words(const Edit& edit) {
  switch (edit.action) {
    case Edit::Action::zero:
      return "set to 0";
    case Edit::Action::mean:
      return "set to the mean";
    case Edit::Action::scale:
      return "multiplied by " + factor_words(edit.factor);
    case Edit::Action::replace:
      return "replaced";
    case Edit::Action::cut:
      return edges_words(edit);
  }
  return "edited";
}

// "NAME=mean:positions (...)" and "NAME=mean:FILE (...)", which an edit holds as the numbers that were put
// in; empty for any other.
std::string mean_words(const std::string& text) {
  constexpr std::string_view k_mean = "=mean:";
  const size_t at = text.find(k_mean);
  if (at == std::string::npos) return "";
  const size_t begin = at + k_mean.size();
  return "set to the mean over " + visible_line(text.substr(begin, text.find(" (", begin) - begin));
}

// A trace says "NAME=replace" without the file, which edit_of asks for.
Edit parsed(const std::string& text) {
  std::string file;
  return edit_of(text.ends_with("=replace") ? text + ":file" : text, &file);
}

std::vector<int> values_of(const Graph& graph, const Edit& edit) {
  std::vector<int> found;
  if (edit.pattern.find('*') == std::string::npos) {
    if (const int id = graph.find(edit.pattern); id >= 0) found.push_back(id);
  } else {
    for (int i = 0; i < static_cast<int>(graph.values().size()); ++i)
      if (matches(edit.pattern, graph.value(i).name)) found.push_back(i);
    for (const auto& [alias, value] : graph.aliases())
      if (matches(edit.pattern, alias)) found.push_back(value);
  }
  if (edit.action == Edit::Action::cut)  // of a pattern: it is the masked scores that change
    for (int& id : found) {
      const std::string& name = graph.value(id).name;
      constexpr std::string_view k_pattern = ".pattern";
      if (!name.ends_with(k_pattern)) continue;
      const int scores = graph.find(name.substr(0, name.size() - k_pattern.size()) + ".scores");
      if (scores >= 0) id = scores;
    }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace

Edits::Edits(const Trace& trace) : trace_(trace) {
  for (const std::string& text : trace.edited) add(text);
}

void Edits::add(const std::string& text) {
  One one;
  try {
    one.edit = parsed(text);
    one.action = mean_words(text).empty() ? action_words(one.edit) : mean_words(text);
    if (one.edit.action == Edit::Action::cut && trace_.words_of_pieces) one.action += " (of tokens)";
    if (trace_.graph) one.values = values_of(*trace_.graph, one.edit);
  } catch (const Error&) {
    one.values.clear();
  }
  if (one.values.empty()) {
    said_.push_back(visible_line(text));
  } else {
    std::string names;
    for (size_t i = 0; i < std::min(one.values.size(), k_values_named); ++i)
      names += (i ? ", " : "") + visible_line(trace_.graph->value(one.values[i]).name);
    if (one.values.size() > k_values_named)
      names += join(" and ", one.values.size() - k_values_named, " more");
    const std::string part = part_words(one, -1);
    if (!part.empty()) names += ", " + part;
    const bool cut = one.edit.action == Edit::Action::cut;
    said_.push_back(names + (cut || !part.empty() ? ": " : " ") + one.action);
  }
  all_.push_back(std::move(one));
}

std::string Edits::line() const {
  std::string out;
  for (const std::string& each : said_) out += (out.empty() ? "Edited run: " : "; ") + each;
  return out.empty() ? "" : out + ".";
}

bool Edits::concerns(const One& one, int value, const Scope& scope) const {
  if (std::find(one.values.begin(), one.values.end(), value) == one.values.end()) return false;
  const bool cut = one.edit.action == Edit::Action::cut;
  if (cut && !scope.cuts) return false;
  if (scope.row >= 0) {
    const auto found = one.edit.where.find(Axis::T);
    if (found != one.edit.where.end() && found->second != scope.row) return false;
    if (cut && std::none_of(one.edit.edges.begin(), one.edit.edges.end(),
                            [&](const auto& edge) { return edge.first == scope.row; }))
      return false;
  }
  const int64_t head = scope.head;
  if (head < 0 || !trace_.graph) return true;
  const auto is = [&](Axis axis, int64_t place) {
    const auto found = one.edit.where.find(axis);
    return found == one.edit.where.end() || found->second == place;
  };
  const Shape& shape = trace_.graph->value(value).shape;
  if (shape.find(Axis::H) >= 0 && !is(Axis::H, head)) return false;
  const int shared = shape.find(Axis::G);
  if (shared < 0) return true;
  // The key head that this query head reads: of the layer's queries, as many after one another as share it.
  const std::string& name = trace_.graph->value(value).name;
  const int q = trace_.graph->find(name.substr(0, name.rfind('.')) + ".q");
  const int axis = q < 0 ? -1 : trace_.graph->value(q).shape.find(Axis::H);
  const int64_t heads = axis < 0 ? shape[shared].size : trace_.graph->value(q).shape[axis].size;
  return is(Axis::G, head * shape[shared].size / std::max<int64_t>(heads, 1));
}

std::string Edits::part_words(const One& one, int64_t head) const {
  std::string out;
  for (const auto& [axis, place] : one.edit.where) {
    const bool of_heads = axis == Axis::H || axis == Axis::G;
    if (of_heads && head >= 0) continue;
    std::string word = join(static_cast<char>(axis), "=", place);
    if (axis == Axis::H) word = join("head ", place);
    if (axis == Axis::G) word = join("key head ", place);
    if ((axis == Axis::T || axis == Axis::S) && place >= 0 &&
        place < static_cast<int64_t>(trace_.tokens.size()) && !trace_.words_of_pieces)
      word = join(visible_line(trace_.token_word), " ", place, " \"",
                  visible_line(trace_.tokens[static_cast<size_t>(place)].label), "\"");
    out += (out.empty() ? "" : ", ") + word;
  }
  return out;
}

std::string Edits::of(int value, const Scope& scope) const {
  std::string out;
  for (const One& one : all_) {
    if (!concerns(one, value, scope)) continue;
    const std::string part = part_words(one, scope.head);
    out += (out.empty() ? "" : "; ") + (part.empty() ? "" : part + ": ") + one.action;
  }
  return out;
}

std::string Edits::of(const std::string& value, const Scope& scope) const {
  if (!trace_.graph || all_.empty()) return "";
  const int id = trace_.graph->find(value);
  return id < 0 ? "" : of(id, scope);
}

std::vector<std::pair<int64_t, int64_t>> Edits::cut(int64_t layer, int64_t head) const {
  std::vector<std::pair<int64_t, int64_t>> out;
  if (!trace_.graph || trace_.words_of_pieces) return out;
  for (const char* name : {"raw_scores", "scaled_scores", "scores"}) {
    const int id = trace_.graph->find(join("blocks.", layer, ".attn.", name));
    for (const One& one : all_)
      if (id >= 0 && one.edit.action == Edit::Action::cut && concerns(one, id, {head, -1, true}))
        out.insert(out.end(), one.edit.edges.begin(), one.edit.edges.end());
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

bool Edits::is_cut(int64_t layer, int64_t head, int64_t query, int64_t key) const {
  for (const auto& [t, s] : cut(layer, head))
    if (t == query && s == key) return true;
  return false;
}

}  // namespace limpid
