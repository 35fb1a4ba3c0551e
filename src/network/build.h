// The networks, and the parts they are built of, one function each; a part's file has its name.
#pragma once

#include "limpid/network.h"

namespace limpid {

void build_textbook(Graph&, const TextbookConfig&, Purpose);
void build_parts(Graph&, const Architecture&, Purpose);

/// Input `name` [B,T] -> x [B,T,C], what the first block under `in` reads; `table` [V,E].
Stage token_inputs(const Scope& in, const std::string& name, const TokenInputs&, Stage table);

/// pixels -> x [B,T,C].
Stage patch_inputs(const Scope& in, const PatchInputs&, int64_t width);

/// values [B,X,K] -> x [B K,T,C], and what a forecast is scaled back by, [B,K].
struct SeriesRows {
  Stage x, loc, scale;
};
SeriesRows series_inputs(const Scope& in, const SeriesInputs&, int64_t width);

/// What every block of a stack shares.
struct BlockContext {
  int64_t width = 0;     // of the model
  Stage lengths;         // [B], or none: see attention()
  Stage memory;          // [B,T,C], what cross-attention reads; none where its keys and values are given
  Stage memory_lengths;  // [B]
  double dropout = 0;
  double out_init = 0.02;  // deviation of what writes to the residual stream, at the start
};
/// x [B,T,C] -> [B,T,C], stages in/attn..., in/mlp..., in/resid_mid, in/resid_post.
Stage block(const Scope& in, Stage x, const BlockOptions&, const BlockContext&);
Stage stack(const Scope& in, Stage x, const Stack&, const BlockContext&);

struct KeysAndValues {
  Stage k, v;  // [B,S,G,D]
};
/// What attention() makes of memory [B,S,C]: stages in/k and in/v.
KeysAndValues keys_and_values(const Scope& in, Stage memory, const AttentionOptions&);

/// The end of a network: "logits" and "probs" (words, classes), or "prediction" (numbers), or nothing; when
/// training, input "targets" and "loss".  `table` [V,E] is the embedding's.
void head(const Scope& in, Stage x, const HeadOptions&, Stage table, const Architecture&, Stage lengths,
          bool training);
/// Of a series: "prediction" [B,outputs,K].
void forecast_head(const Scope& in, const SeriesRows&, const HeadOptions&, const SeriesInputs&,
                   bool training);

}  // namespace limpid
