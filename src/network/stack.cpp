// A stack of blocks, each reading what the one before left.
#include "network/build.h"
#include "network/parts.h"

namespace limpid {

const BlockOptions& Stack::block(int64_t layer) const {
  const int64_t which =
      pattern.empty() ? 0 : pattern[static_cast<size_t>(layer % static_cast<int64_t>(pattern.size()))];
  return blocks.at(static_cast<size_t>(which));
}

Stage stack(const Scope& in, Stage x, const Stack& o, const BlockContext& c) {
  for (int64_t layer = 0; layer < o.layers; ++layer) {
    const Scope here = in / join("blocks.", layer);
    if (layer > 0) in.graph->alias((here / "resid_pre").path, x);
    if (layer > 0 && o.shared) in.graph->share_parameters(here.path + ".", (in / "blocks.0.").path);
    x = block(here, x, o.block(layer), c);  // [B,T,C]
  }
  if (!o.final_norm) return x;
  const Note note = {"", "", "Brings every token's numbers to the same size before the prediction."};
  return normalize((in / "ln_final").saying(note), x, *o.final_norm);  // [B,T,C]
}

}  // namespace limpid
