// The networks, and the parts they are built of, one function each; a part's file has its name.
#pragma once

#include "limpid/network.h"

namespace limpid {

void build_textbook(Graph&, const TextbookConfig&, Purpose);
void build_parts(Graph&, const Architecture&, Purpose);
/// Images beside texts, whose vector is "embedding": "logits" [images,texts], and when training the loss of
/// pairs that stand in the same place of both lists.
void build_pairs(Graph&, const Architecture&, bool training);

/// Throws Error{call} where no such network can be built, naming what is wrong with the description.
void check(const TextbookConfig&);
void check(const GptConfig&);
void check(const Architecture&);
/// Does no row of it see what comes after?
bool causal(const Stack&);

/// Input `name` [B,T] -> x [B,T,C], what the first block under `in` reads; `table` [V,E]; `lengths` [B] or
/// none.  `packed`: several texts stand in a row, and where positions are added input in/places [B,T] says
/// where in its text a token stands.
Stage token_inputs(const Scope& in, const std::string& name, const TokenInputs&, Stage table,
                   Stage lengths = {}, bool packed = false);

/// pixels -> x [B,T,C].
Stage patch_inputs(const Scope& in, const PatchInputs&, int64_t width);

/// values [B,X,K] -> x [B K,T,C], and what a forecast is scaled back by, [B,K].
struct SeriesRows {
  Stage x, loc, scale;
};
SeriesRows series_inputs(const Scope& in, const SeriesInputs&, int64_t width);

/// What every block of a stack shares.
struct BlockContext {
  int64_t width = 0;       // of the model
  Stage lengths;           // [B], or none: see attention()
  Stage documents;         // [B,T], or none: see attention()
  Stage memory;            // [B,T,C], what cross-attention reads; none where its keys and values are given
  Stage memory_lengths;    // [B]
  Stage memory_documents;  // [B,S], or none
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

/// Disentangled attention: what distances add to the scores of x [B,T,C] with itself, scaled, [B,H,T,S];
/// stages in/k_pos, in/c2p, in/q_pos, in/p2c, in/position_scores, and once for all blocks rel_embed and
/// ln_rel.
Stage distance_scores(const Scope& in, Stage x, Stage q, Stage k, const AttentionOptions&);
/// How many products are added up to a score, what their sum is multiplied by, and that as a formula's end:
/// " / sqrt(3 D), D=8".
int score_terms(const AttentionOptions&);
double score_scale(const AttentionOptions&);
std::string text_of_score_scale(const AttentionOptions&);

/// The end of a network: "logits" and "probs" (words, classes), or "prediction" (numbers), or nothing; when
/// training, input "targets" and "loss".  `table` [V,E] is the embedding's.  `packed`: the texts stand one
/// behind another in x [1,T,C], and `lengths` [B] are theirs.
struct HeadInputs {
  Stage x, table, lengths;
  bool packed = false;
};
void head(const Scope& in, const HeadInputs&, const HeadOptions&, const Architecture&, bool training);
/// Of a series: "prediction" [B,outputs,K].
void forecast_head(const Scope& in, const SeriesRows&, const HeadOptions&, const SeriesInputs&,
                   bool training);

}  // namespace limpid
