// An encoder-decoder in parts: each a trace of its own, under the names that every page and figure knows.
#include <algorithm>

#include "limpid/trace.h"

namespace limpid {

namespace {

constexpr std::string_view k_encoder = "encoder.", k_cross = ".cross_attn", k_attention = ".attn";
const std::pair<NetworkPart, std::string_view> k_parts[] = {
    {NetworkPart::decoder, "decoder"}, {NetworkPart::encoder, "encoder"}, {NetworkPart::cross, "cross"}};

// "blocks.0.cross_attn.q" and "blocks.0.cross_attn_out", but not "blocks.0.cross_attn" of another layer's
// name.
size_t cross_at(std::string_view name) {
  return name.starts_with("blocks.") ? name.find(k_cross) : std::string_view::npos;
}

// Whether a stage of that name is computed in the part.
bool is_in(NetworkPart part, std::string_view name) {
  const bool reads = name.starts_with(k_encoder);
  if (part == NetworkPart::encoder) return reads;
  return !reads && (part == NetworkPart::decoder || cross_at(name) != std::string_view::npos);
}

std::string name_in(NetworkPart part, const std::string& name) {
  if (part == NetworkPart::encoder) {
    if (name.starts_with(k_encoder)) return name.substr(k_encoder.size());
    if (name == "source") return "tokens";
    if (name == "source_lengths") return "lengths";
  }
  if (part == NetworkPart::cross)
    if (const size_t at = cross_at(name); at != std::string::npos)
      return name.substr(0, at) + std::string(k_attention) + name.substr(at + k_cross.size());
  return name;
}

// The part's stages; what they read of the others becomes an input.
class PartGraph {
 public:
  PartGraph(const Graph& whole, NetworkPart part)
      : whole_(whole), part_(part), graph_(std::make_shared<Graph>(whole.registry())) {
    for (const StageInfo& stage : whole.stages())
      if (is_in(part, stage.name)) add(stage);
    for (const auto& [old, now] : groups_) {
      const GroupInfo& group = whole.groups()[static_cast<size_t>(old)];
      graph_->set_group_inputs(now, all(group.inputs));
      std::vector<Stage> outputs;
      for (int id : all(group.outputs)) outputs.push_back(graph_->handle(id));
      graph_->set_group_outputs(now, outputs);
    }
    for (const auto& [alias, id] : whole.aliases())
      if (const auto found = values_.find(id); found != values_.end())
        if (const std::string name = name_in(part, alias); graph_->find(name) < 0)
          graph_->alias(name, graph_->handle(found->second));
  }

  std::shared_ptr<const Graph> graph() const { return graph_; }
  /// What the value is called in the part; empty where the part does not have it.
  std::string name_of(int whole_value) const {
    const auto found = values_.find(whole_value);
    return found == values_.end() ? "" : graph_->value(found->second).name;
  }
  /// What a value of the part is called in the whole.
  std::string whole_name(const std::string& name) const {
    const int id = graph_->find(name);
    const auto found =
        std::find_if(values_.begin(), values_.end(), [&](const auto& each) { return each.second == id; });
    return found == values_.end() ? "" : whole_.value(found->first).name;
  }

 private:
  int value(int id) {
    if (const auto found = values_.find(id); found != values_.end()) return found->second;
    const Value& v = whole_.value(id);
    const std::string name = name_in(part_, v.name);
    const Stage made = v.kind == Value::Kind::parameter ? graph_->parameter(name, v.shape, v.init)
                                                        : graph_->input(name, v.shape, v.dtype);
    return values_[id] = made.value;
  }
  std::vector<int> all(const std::vector<int>& ids) {
    std::vector<int> out;
    for (int id : ids) out.push_back(value(id));
    return out;
  }
  int group(int id) {
    if (id < 0) return -1;
    if (const auto found = groups_.find(id); found != groups_.end()) return found->second;
    const GroupInfo& g = whole_.groups()[static_cast<size_t>(id)];
    return groups_[id] = graph_->add_group({name_in(part_, g.name), g.kind, g.options, {}, {}});
  }
  void add(const StageInfo& stage) {
    std::vector<Stage> inputs;
    for (int id : all(stage.inputs)) inputs.push_back(graph_->handle(id));
    Scope scope = graph_->scope(name_in(part_, stage.name));
    scope.group = group(stage.group);
    scope.role = stage.role;
    scope.note = stage.note;
    const Stage first = graph_->add(scope, stage.operation->kind(), stage.operation->options(), inputs);
    const std::vector<int> made = graph_->stage(graph_->value(first.value).stage).outputs;
    for (size_t i = 0; i < made.size(); ++i) {
      graph_->rename(made[i], name_in(part_, whole_.value(stage.outputs[i]).name));
      values_[stage.outputs[i]] = made[i];
    }
  }

  const Graph& whole_;
  NetworkPart part_;
  std::shared_ptr<Graph> graph_;
  std::map<int, int> values_, groups_;  // of the whole -> of the part
};

void require_encoder(const Trace& trace, NetworkPart part) {
  if (!trace.graph) fail_call("trace: it has no graph, so there is nothing to show");
  if (has_encoder(*trace.graph)) return;
  fail_call("this network has no encoder and decoder, so there is no part '", name(part),
            "' of it; leave it out");
}

// The name without its depth, "blocks.0.attn.pattern@map", and the depth.
std::pair<std::string, std::string> parted(const std::string& name) {
  const size_t mark = std::min(name.find('@'), name.size());
  return {name.substr(0, mark), name.substr(mark)};
}

}  // namespace

std::string_view name(NetworkPart part) {
  for (const auto& [known, word] : k_parts)
    if (known == part) return word;
  return "?";
}

NetworkPart part_named(std::string_view given) {
  for (const auto& [part, word] : k_parts)
    if (word == given) return part;
  fail_call("'", given, "' is no part of a network; expected decoder, encoder or cross");
}

bool has_encoder(const Graph& graph) { return graph.find("source") >= 0 && graph.find("encoder.embed") >= 0; }

bool counts_source(std::string_view value, Axis axis) {
  if (axis != Axis::T && axis != Axis::S) return false;
  if (value == "source" || value.starts_with(k_encoder)) return true;
  return axis == Axis::S && cross_at(value) != std::string_view::npos;
}

Trace part_of(const Trace& trace, NetworkPart part) {
  require_encoder(trace, part);
  const PartGraph cut(*trace.graph, part);
  Trace out = trace;
  out.graph = cut.graph();
  out.values.clear();
  out.summaries.clear();
  out.parameters.clear();
  const auto kept_as = [&](const std::string& name) -> std::string {
    const auto [value, depth] = parted(name);
    const int id = trace.graph->find(value);
    // What the encoder computed is an input of the decoder, of other positions.
    if (id < 0 || (part == NetworkPart::decoder && value.starts_with(k_encoder))) return "";
    const std::string name_there = cut.name_of(id);
    return name_there.empty() ? "" : name_there + depth;
  };
  const auto take = [&](const auto& from, auto& to) {
    for (const auto& [name, value] : from)
      if (const std::string kept = kept_as(name); !kept.empty()) to.emplace(kept, value);
  };
  take(trace.values, out.values);
  take(trace.summaries, out.summaries);
  take(trace.parameters, out.parameters);
  if (part == NetworkPart::encoder) {
    out.tokens = trace.source;
    out.text = std::move(out.source_text);
    out.source.clear();
    out.source_text.clear();
    out.vocabulary.clear();
  }
  if (part == NetworkPart::cross) out.keys = trace.source;
  if (part == NetworkPart::decoder)
    for (auto it = out.values.begin(); it != out.values.end();)
      it = counts_source(it->first, Axis::S) ? out.values.erase(it) : std::next(it);
  out.title += join(", ", name(part), part == NetworkPart::cross ? "-attention" : "");
  return out;
}

std::vector<Observation> part_reads(const Trace& begun, NetworkPart part,
                                    const std::function<std::vector<Observation>(const Trace&)>& reads) {
  require_encoder(begun, part);
  const PartGraph cut(*begun.graph, part);
  std::vector<Observation> out;
  const auto take = [&](const Observation& asked, const std::string& value) {
    Observation whole = asked;
    whole.pattern = cut.whole_name(value);
    if (begun.graph->value(begun.graph->require(whole.pattern)).kind != Value::Kind::parameter)
      out.push_back(std::move(whole));
  };
  for (const Observation& asked : reads(part_of(begun, part))) {
    if (asked.pattern.find('*') == std::string::npos) {
      take(asked, cut.graph()->value(cut.graph()->require(asked.pattern)).name);
      continue;
    }
    for (const Value& value : cut.graph()->values())
      if (matches(asked.pattern, value.name)) take(asked, value.name);
  }
  return out;
}

}  // namespace limpid
