#include "model/look.h"

#include <string_view>

namespace limpid {

namespace {

// The attentions that a text is written by; what an encoder looks at is the same at every step.
std::vector<std::string> attentions(const Graph& graph) {
  std::vector<std::string> names;
  for (const GroupInfo& group : graph.groups())
    if (graph.find(group.name + ".pattern") >= 0 && !group.name.starts_with("encoder."))
      names.push_back(group.name);
  return names;
}

}  // namespace

void observe_looks(const Graph& graph, int64_t watch, std::vector<Observation>& to) {
  for (const std::string& name : attentions(graph)) {
    to.push_back({name + ".pattern", Depth::top, watch});
    to.push_back({name + ".pattern", Depth::entropy});
  }
}

std::vector<HeadLook> looks_of(const Graph& graph, const RunResult& result, int64_t watch, int64_t first) {
  std::vector<HeadLook> looks;
  for (const std::string& name : attentions(graph)) {
    const std::string top = join(name, ".pattern@top", watch);
    const Tensor &weights = result[top + ".weight"], &keys = result[top + ".index"],
                 &entropy = result[name + ".pattern@entropy"];
    const int64_t heads = weights.shape()[1].size, last = weights.shape()[2].size - 1,
                  count = weights.shape()[3].size;
    const bool cross = std::string_view(name).ends_with("cross_attn");
    for (int64_t h = 0; h < heads; ++h) {
      HeadLook look{name, h, entropy.at({0, h, last}), {}, {}};
      for (int64_t i = 0; i < count; ++i) {
        const auto key = static_cast<int64_t>(keys.at({0, h, last, i}));
        if (key < 0) break;  // the row sees fewer
        look.keys.push_back(key + (cross ? 0 : first));
        look.weights.push_back(weights.at({0, h, last, i}));
      }
      looks.push_back(std::move(look));
    }
  }
  return looks;
}

}  // namespace limpid
