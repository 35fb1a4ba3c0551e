// What the pages of a trace read, so that a run computes that and no more.
#include <algorithm>
#include <set>

#include "limpid/trace.h"
#include "trace/figures.h"
#include "trace/reading.h"

namespace limpid {

namespace {

constexpr int64_t k_first_rows = 24;  // a line of single numbers shows more of them than a table has rows
constexpr int64_t k_long =
    2048;  // tokens: from there on whole rows of weights say less than the largest of them

bool is_square(const Value& value) {
  return value.shape.find(Axis::T) >= 0 && value.shape.find(Axis::S) >= 0;
}

// blocks.3.attn.pattern, of any layer, but not a gradient.
bool is_pattern(const Value& value) { return value.name.ends_with(".attn.pattern"); }

std::vector<Observation> everything(const Graph& graph) {
  std::vector<Observation> out;
  for (const Value& value : graph.values())
    if (value.kind != Value::Kind::parameter) out.push_back({value.name, Depth::full});
  return out;
}

}  // namespace

std::vector<Observation> page_reads(const Graph& graph, int64_t length, const PageOptions& options) {
  if (length <= std::max<int64_t>(options.most_rows, k_first_rows)) return everything(graph);
  std::vector<int64_t> first_and_last = kept(length, options.most_rows);
  std::erase(first_and_last, k_gap);
  for (int64_t i = 0; i < k_first_rows; ++i) first_and_last.push_back(i);
  first_and_last.push_back(-1);

  std::vector<Observation> out;
  const int layer = std::max(options.layer, 0);
  int layers = 0;
  for (const Value& value : graph.values()) {
    if (value.kind == Value::Kind::parameter) continue;
    const int of = Reading::layer_of(value.name);
    layers = std::max(layers, of + 1);
    const bool in_detail = of < 0 || of == layer;
    if (!in_detail && !is_pattern(value) && !value.name.ends_with(".attn.scores")) continue;
    out.push_back({value.name, Depth::rows, 0, first_and_last});
    if (!in_detail) continue;
    if (!is_square(value) && is_floating(value.dtype)) out.push_back({value.name, Depth::summary});
    if (is_pattern(value) && length > k_long)
      for (const Depth depth : {Depth::top, Depth::entropy}) out.push_back({value.name, depth});
  }
  // How much each layer adds to the last row, and whether a number there is none.
  for (int l = 0; l < layers; ++l)
    for (const char* name : {"resid_pre", "attn_out", "attn.z", "resid_mid", "mlp_out", "resid_post"}) {
      const int value = graph.find(join("blocks.", l, ".", name));
      if (value < 0) continue;
      const std::string& known = graph.value(value).name;
      out.push_back({known, Depth::rows, 0, {-1}});
      if (l != layer && std::string_view(name) == "resid_post") out.push_back({known, Depth::summary});
    }
  return out;
}

std::vector<Observation> token_page_reads(const Graph& graph, int layer,
                                          const std::vector<int>& token_positions) {
  const std::vector<int64_t> places(token_positions.begin(), token_positions.end());
  std::vector<Observation> out;
  for (const Value& value : graph.values()) {
    if (value.kind == Value::Kind::parameter || Reading::layer_of(value.name) != layer) continue;
    if (value.name.find(".attn.") == std::string::npos || value.name.find(".grad") != std::string::npos)
      continue;
    if (value.shape.find(Axis::T) >= 0)
      out.push_back({value.name, Depth::rows, 0, places});
    else
      out.push_back({value.name, Depth::full});
  }
  return out;
}

}  // namespace limpid
