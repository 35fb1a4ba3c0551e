// CodeGen (Nijkamp 2022): GPT-J whose queries, values and keys are joined, a quarter of the heads at a time.
#include "model/families/family.h"

namespace limpid {

namespace {

constexpr int64_t k_shares = 4;  // of the machines that it was trained on

Architecture architecture_of_codegen(const HubConfig& c) {
  Architecture a = gptj_architecture(c);
  if (a.inputs.width % k_shares != 0)
    c.fail(join("'n_embd' is ", a.inputs.width, ", expected a multiple of ", k_shares,
                ": its q, v and k are joined in as many shares"));
  a.stack.blocks[0].attention.rotary.width = c.size("rotary_dim", 64);
  return a;
}

TensorTable tensors_of_codegen(const HubConfig&, const Architecture& a) {
  TensorTable t = gptj_tensors();
  for (const auto& [name, part] : {std::pair{"Q", 0}, {"V", 1}, {"K", 2}})
    t.projection("attn", name, "h.*.attn.qkv_proj", {k_shares, 3, part, part + 1, a.inputs.width / k_shares});
  t.ignored.push_back("*h.*.attn.causal_mask");
  return t;
}

}  // namespace

Family family_codegen() { return {"codegen", {}, architecture_of_codegen, tensors_of_codegen}; }

}  // namespace limpid
