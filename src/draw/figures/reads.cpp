// What each figure reads of a run, so that a run computes that and no more.
#include <algorithm>
#include <set>

#include "draw/figures/deck.h"
#include "limpid/draw.h"
#include "trace/reading.h"

namespace limpid {

namespace {

// Tokens up to which a figure reads T x S stages whole; from there on it reads pooled maps, the largest
// weights, and single rows.
constexpr int64_t k_whole = 512;
constexpr int64_t k_map = 128;  // blocks a side

void read(std::vector<Observation>& to, const Graph& graph, const std::string& name, Depth depth,
          int64_t count = 0, std::vector<int64_t> places = {}) {
  const int value = graph.find(name);
  if (value >= 0) to.push_back({graph.value(value).name, depth, count, std::move(places)});
}

void add(std::vector<Observation>& to, std::vector<Observation> more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

int64_t layers_of(const Graph& graph) {
  int64_t layers = 0;
  for (const Value& value : graph.values())
    layers = std::max<int64_t>(layers, Reading::layer_of(value.name) + 1);
  return layers;
}

std::string attention_of(int64_t layer) { return join("blocks.", layer, ".attn."); }

}  // namespace

std::vector<Observation> network_reads(const Graph&) { return {{"*", Depth::shape}}; }

std::vector<Observation> token_reads(const Graph& graph, int64_t length, const FigureOptions& o) {
  const int token = o.token < 0 ? static_cast<int>(length) - 1 : o.token;
  return token_page_reads(graph, o.layer, {token});
}

std::vector<Observation> matrices_reads(const Graph& graph, int64_t length, const FigureOptions& o) {
  const std::string attention = attention_of(o.layer);
  std::vector<Observation> out;
  std::set<std::string> inputs;
  for (const char* name : {"q", "k"})
    if (const int id = graph.find(attention + name); id >= 0 && graph.value(id).stage >= 0)
      inputs.insert(graph.value(graph.stage(graph.value(id).stage).inputs[0]).name);
  for (const std::string& name : inputs) read(out, graph, name, Depth::full);
  for (const char* name : {"q", "k", "v", "rot_q", "rot_k", "z"})
    read(out, graph, attention + name, Depth::full);
  if (length <= k_whole)
    for (const char* name : {"scores", "pattern"}) read(out, graph, attention + name, Depth::full);
  else
    read(out, graph, attention + "pattern", Depth::map, k_map);
  return out;
}

std::vector<Observation> heads_reads(const Graph& graph, int64_t length, const FigureOptions& o) {
  std::vector<Observation> out;
  for (int64_t layer = o.one_layer ? o.layer : 0; layer < (o.one_layer ? o.layer + 1 : layers_of(graph));
       ++layer)
    if (length <= k_whole)
      read(out, graph, attention_of(layer) + "pattern", Depth::full);
    else
      read(out, graph, attention_of(layer) + "pattern", Depth::map, k_map);
  return out;
}

std::vector<Observation> head_reads(const Graph& graph, int64_t length, const FigureOptions& o) {
  const std::string attention = attention_of(o.layer);
  std::vector<Observation> out;
  if (length <= k_whole) {
    for (const char* name : {"scores", "pattern"}) read(out, graph, attention + name, Depth::full);
  } else {
    read(out, graph, attention + "pattern", Depth::map, k_map);
    read(out, graph, attention + "pattern", Depth::top, 8);
  }
  return out;
}

std::vector<Observation> lecture_reads(const Graph& graph, int64_t length, const FigureOptions& o) {
  std::vector<Observation> out;
  if (length <= k_whole / 2) {  // everything
    for (const Value& value : graph.values())
      if (value.kind != Value::Kind::parameter) out.push_back({value.name, Depth::full});
    return out;
  }
  // A deck that was not told its layer chooses it by what it sees.
  FigureOptions of = o;
  const int told = draw::deck_layer(length, o);
  for (int64_t layer = std::max(told, 0); layer < (told < 0 ? layers_of(graph) : told + 1); ++layer) {
    of.layer = static_cast<int>(layer);
    add(out, token_reads(graph, length, of));
    add(out, matrices_reads(graph, length, of));
    add(out, head_reads(graph, length, of));
  }
  add(out, heads_reads(graph, length, o));
  // The insight and the quiz: where the last token and the chosen one look, in every head; what comes next;
  // and what attention added to the last row.
  const std::vector<int64_t> asked = {0, o.token, -1};
  for (int64_t layer = 0; layer < layers_of(graph); ++layer) {
    for (const char* name : {"raw_scores", "scaled_scores", "scores", "pattern"})
      read(out, graph, attention_of(layer) + name, Depth::rows, 0, asked);
    for (const char* name : {"resid_pre", "resid_mid", "attn_out", "attn.z"})
      read(out, graph, join("blocks.", layer, ".", name), Depth::rows, 0, {-1});
  }
  for (const char* name : {"logits", "probs"}) read(out, graph, name, Depth::rows, 0, asked);
  return out;
}

}  // namespace limpid
