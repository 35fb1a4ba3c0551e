// A stack of blocks, each reading what the one before left.
#include "network/build.h"
#include "network/parts.h"

namespace limpid {

const BlockOptions& Stack::block(int64_t layer) const {
  const int64_t which =
      pattern.empty() ? 0 : pattern[static_cast<size_t>(layer % static_cast<int64_t>(pattern.size()))];
  return blocks.at(static_cast<size_t>(which));
}

namespace {

// norm(x + act(conv(x0)))
Stage convolved(const Scope& in, Stage x0, Stage x, const ConvolutionOptions& o, Stage lengths) {
  const Note sum = {"Add", "x + convolution", "Adds what stands beside a token to what the block left."};
  const Note note = {"Convolution", "y = W x[t - 1, t, t + 1] + b",
                     "What a token and its neighbours are together."};
  const Stage rows = neighbours(in / "rows", x0, o.size, lengths);  // [B,T,C size]
  const Stage pre = project((in / "pre").saying(note), rows, in.path + ".W", {x.shape()[2]},
                            {.bias = true, .bias_name = in.path + ".b"});  // [B,T,C]
  const Stage added = add((in / "sum").saying(sum), x, activate(in / "post", pre, o.activation));
  return normalize(in / "ln", added, o.norm);
}

}  // namespace

Stage stack(const Scope& in, Stage x, const Stack& o, const BlockContext& c) {
  const Stage read = x;
  for (int64_t layer = 0; layer < o.layers; ++layer) {
    const Scope here = in / join("blocks.", layer);
    if (layer > 0) in.graph->alias((here / "resid_pre").path, x);
    if (layer > 0 && o.shared) in.graph->share_parameters(here.path + ".", (in / "blocks.0.").path);
    x = block(here, x, o.block(layer), c);  // [B,T,C]
    if (layer == 0 && o.convolution) x = convolved(here / "conv", read, x, *o.convolution, c.lengths);
  }
  if (!o.final_norm) return x;
  const Note note = {"", "", "Brings every token's numbers to the same size before the prediction."};
  return normalize((in / "ln_final").saying(note), x, *o.final_norm);  // [B,T,C]
}

}  // namespace limpid
