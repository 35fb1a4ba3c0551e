// What a model file says of its model: our own description, or another program's configuration (after a '#').
#include "fuzz.h"
#include "model/description.h"
#include "model/impl.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace limpid;
  return fuzzed(data, size, [](std::string_view text) {
    constexpr size_t k_tensors = 30;  // of the file; a network has no more layers
    const bool foreign = text.starts_with('#');
    if (foreign) text.remove_prefix(1);
    const NetworkConfig config =
        foreign ? mingpt_config(std::string(text), "fuzz") : describe_model(std::string(text), "fuzz").config;
    check_layers(config, k_tensors, "fuzz");
    Graph graph(operations());
    build(graph, config);
    std::map<std::string, Tensor> parameters;
    set_parameters(graph, parameters, {}, "fuzz");
  });
}
