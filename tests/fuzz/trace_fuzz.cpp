// The metadata of a trace; every value of its graph is given numbers of the shape that it says.
#include "fuzz.h"
#include "trace/metadata.h"

namespace {

using namespace limpid;

std::map<std::string, Tensor> values_of(const Graph& graph) {
  std::map<std::string, Tensor> out;
  for (const Value& value : graph.values()) {
    Shape shape = value.shape;
    double count = 1;
    for (int i = 0; i < shape.rank(); ++i) {
      if (shape[i].size < 0) shape[i].size = shape[i].axis == Axis::B ? 1 : 2;
      count *= static_cast<double>(shape[i].size);
    }
    if (count > 4096) continue;
    const bool real = value.dtype != DType::i64 && value.dtype != DType::boolean;
    out.emplace(value.name, Tensor(real ? DType::f32 : value.dtype, shape));
  }
  return out;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzzed(data, size, [](std::string_view text) {
    Trace trace = trace_of_metadata(text, "fuzz");
    place_values(trace, values_of(*trace.graph), "fuzz");
    to_json(trace);
    key_insight(trace);
    page(trace, {});
    token_page(trace, 0, 0, {0, 1}, {});
  });
}
