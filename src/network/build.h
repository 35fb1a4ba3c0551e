// The networks, and the parts they are built of, one function each; a part's file has its name.
#pragma once

#include "limpid/network.h"

namespace limpid {

void build_textbook(Graph&, const TextbookConfig&, Purpose);
void build_parts(Graph&, const Architecture&, Purpose);

/// tokens [B,T] -> x [B,T,C], what the first block reads; `table` [V,E].
Stage token_inputs(const Scope& in, const TokenInputs&, Stage table);

/// What every block of a stack shares.
struct BlockContext {
  int64_t width = 0;  // of the model
  Stage lengths;      // [B], or none: see attention()
  double dropout = 0;
  double out_init = 0.02;  // deviation of what writes to the residual stream, at the start
};
/// x [B,T,C] -> [B,T,C], stages in/attn..., in/mlp..., in/resid_mid, in/resid_post.
Stage block(const Scope& in, Stage x, const BlockOptions&, const BlockContext&);
Stage stack(const Scope& in, Stage x, const Stack&, const BlockContext&);

/// x [B,T,C] -> "logits", "probs" [B,T,V]; when training, input "targets" [B,T] and "loss".  `tied` is the
/// embedding table, or empty for a table of its own, unembed.W_U [C,V].
void predict_words(const Scope& in, Stage x, Stage tied, int64_t vocabulary, bool training,
                   const std::string& each = "word");
/// The end of a network: "logits" and "probs" (words, classes), or "prediction" (numbers), or nothing.
void head(const Scope& in, Stage x, const HeadOptions&, Stage table, const Architecture&, Stage lengths,
          bool training);

}  // namespace limpid
