// What a model file says of its model: our own description, or another program's configuration (after a '#').
#include "fuzz.h"
#include "model/description.h"
#include "model/foreign.h"
#include "model/impl.h"

namespace {

using namespace limpid;

Tensor zeros(const std::vector<int64_t>& sizes) {
  Shape shape;
  for (const int64_t size : sizes) shape.append({Axis::none, size});
  return Tensor(DType::f32, shape);
}

// The state dict of a minGPT of one layer, width 4, 5 tokens and 6 positions, with `config` in its metadata.
TensorFile state_dict(std::string config) {
  TensorFile file;
  file.metadata["config"] = std::move(config);
  for (const auto& [name, shape] :
       std::map<std::string, std::vector<int64_t>>{{"wte.weight", {5, 4}},
                                                   {"wpe.weight", {6, 4}},
                                                   {"ln_f.weight", {4}},
                                                   {"ln_f.bias", {4}},
                                                   {"lm_head.weight", {5, 4}},
                                                   {"h.0.ln_1.weight", {4}},
                                                   {"h.0.ln_1.bias", {4}},
                                                   {"h.0.ln_2.weight", {4}},
                                                   {"h.0.ln_2.bias", {4}},
                                                   {"h.0.attn.c_attn.weight", {12, 4}},
                                                   {"h.0.attn.c_attn.bias", {12}},
                                                   {"h.0.attn.c_proj.weight", {4, 4}},
                                                   {"h.0.attn.c_proj.bias", {4}},
                                                   {"h.0.mlp.c_fc.weight", {16, 4}},
                                                   {"h.0.mlp.c_fc.bias", {16}},
                                                   {"h.0.mlp.c_proj.weight", {4, 16}},
                                                   {"h.0.mlp.c_proj.bias", {4}}})
    file.tensors.emplace(name, zeros(shape));
  return file;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzzed(data, size, [](std::string_view text) {
    constexpr size_t k_tensors = 30;  // of the file; a network has no more layers
    const NetworkConfig config = text.starts_with('#')
                                     ? read_mingpt(state_dict(std::string(text.substr(1))), "fuzz", {}).config
                                     : describe_model(std::string(text), "fuzz").config;
    check_layers(config, k_tensors, "fuzz");
    Graph graph(operations());
    build(graph, config);
    storable_parameters(graph);
  });
}
