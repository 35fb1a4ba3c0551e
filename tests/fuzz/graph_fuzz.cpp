#include <cstdlib>

#include "fuzz.h"
#include "limpid/ops.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return limpid::fuzzed(data, size, [](std::string_view text) {
    const limpid::Graph graph = limpid::graph_from_json(text, limpid::operations());
    for (const limpid::StageInfo& stage : graph.stages()) stage.label(), stage.equation(), stage.caption();
    const std::string once = limpid::to_json(graph);
    if (limpid::to_json(limpid::graph_from_json(once, limpid::operations())) != once) std::abort();
  });
}
