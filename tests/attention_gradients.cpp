// Attention's results and gradients for a program in another language (tests/pytorch_gradients.py):
//
//   attention_gradients IN.safetensors OUT.safetensors
//
// IN: q and dz [B,H,T,D], k and v [B,H,S,D], of one type; scale 1 / sqrt(D).  OUT: z, dq, dk, dv, f32.
#include <iostream>
#include <map>
#include <string>

#include "limpid/attention.h"
#include "limpid/error.h"
#include "limpid/files.h"

namespace {

using limpid::Axis;
using limpid::Tensor;

Tensor named(const limpid::TensorFile& file, const std::string& name, Axis row, Axis head) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end() || found->second.shape().rank() != 4)
    limpid::fail_call("attention_gradients: ", name, " is missing, expected four axes");
  const limpid::Shape& s = found->second.shape();
  Tensor tensor = Tensor::copy_of(found->second);
  tensor.reshape({{Axis::B, s[0].size}, {head, s[1].size}, {row, s[2].size}, {Axis::D, s[3].size}});
  return tensor;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) limpid::fail_call("attention_gradients IN.safetensors OUT.safetensors");
  const limpid::TensorFile file = limpid::read_safetensors(argv[1]);
  const Tensor q = named(file, "q", Axis::T, Axis::H), k = named(file, "k", Axis::S, Axis::G),
               v = named(file, "v", Axis::S, Axis::G), dz = named(file, "dz", Axis::T, Axis::H);
  const limpid::fused::Attention call{.q = q, .k = k, .v = v};
  const limpid::fused::Attended out = limpid::fused::forward(call);
  const limpid::fused::Gradients d =
      limpid::fused::gradient(call, {.z = out.z, .lse = out.lse, .lse_rest = out.lse_rest, .dz = dz});
  limpid::TensorFile results;
  const std::map<std::string, const Tensor*> all = {
      {"z", &out.z}, {"dq", &d.dq}, {"dk", &d.dk}, {"dv", &d.dv}};
  for (const auto& [name, tensor] : all)  // [B,rows,heads,D] to [B,heads,rows,D]
    results.tensors[name] = Tensor::copy_of(tensor->view().permuted({0, 2, 1, 3})).to(limpid::DType::f32);
  limpid::write_safetensors(argv[2], results);
} catch (const limpid::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
