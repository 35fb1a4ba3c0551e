#include "train/watched.h"

#include <algorithm>
#include <set>

namespace limpid {

namespace {

constexpr int64_t k_most_numbers = 1 << 18;  // of the probabilities of all places

// Attention weights, and what they are computed from, by which explain() tells how.
std::vector<Observation> attention_of(const Graph& graph) {
  std::vector<Observation> out;
  for (const StageInfo& stage : graph.stages()) {
    const std::string& name = graph.value(stage.outputs[0]).name;
    if (!name.ends_with("attn.pattern")) continue;
    out.push_back({name, Depth::full});
    for (const int input : stage.inputs)
      if (graph.value(input).kind == Value::Kind::temporary)
        out.push_back({graph.value(input).name, Depth::full});
  }
  return out;
}

std::vector<Observation> watched_reads(const Trace& begun) {
  const Graph& graph = *begun.graph;
  std::vector<Observation> out = attention_of(graph);
  for (const char* name : {"logits", "probs"}) {
    const int value = graph.find(name);
    if (value < 0) continue;
    const Shape& shape = graph.value(value).shape;
    const int64_t each = std::max<int64_t>(1, shape[shape.rank() - 1].size);
    if (static_cast<int64_t>(begun.tokens.size()) * each <= k_most_numbers)
      out.push_back({graph.value(value).name, Depth::full});
    else
      out.push_back({graph.value(value).name, Depth::rows, 0, {-1}});
  }
  return out;
}

}  // namespace

Trace watched_trace(const Model& model, const std::string& text, const Epoch& report) {
  TraceOptions options;
  options.reads = watched_reads;
  options.longest = std::min<int64_t>(context_of(model.config()), 1024);
  Trace trace = model.trace(text, options);
  trace.numbers["step"] = report.step;
  trace.numbers["epoch"] = report.number;
  trace.metrics["training_loss"] = report.loss;
  if (report.validation) trace.metrics["held_out_loss"] = *report.validation;
  trace.metrics["accuracy"] = report.accuracy;
  return trace;
}

}  // namespace limpid
