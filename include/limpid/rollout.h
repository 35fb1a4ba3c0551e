// Which tokens a row of the last layer draws on, through all layers.
//
//   Trace trace = with_rollout(model.trace("Life is short", options));   // reads rollout_reads(...)
//   const Tensor& rollout = trace["rollout"];                            // [B,T,S], rows sum to 1
//
// Attention rollout (Abnar and Zuidema 2020, "Quantifying attention flow in transformers", section 3, arXiv
// 2005.00928):
//
//   A_l = 0.5 mean_h W_l,h + 0.5 I            weights of layer l, and the residual path beside them
//   R_1 = A_1,  R_l = A_l R_(l-1)             rollout = R of the last layer
//
// with the rows of every mean scaled to the sum 1, which differs from it where a head has a sink.  It is a
// picture of who can have reached whom by attention, not of what was said: values, norms and feed-forward
// layers are not in it.
#pragma once

#include <vector>

#include "limpid/api.h"
#include "limpid/trace.h"

namespace LIMPID_API limpid {

/// The trace with the value `rollout`, f64 [B,T,S], of its layers blocks.N.attn.pattern (of an
/// encoder-decoder give a part_of).  Throws Error{call} where the trace lacks the weights of a layer, naming
/// it.
Trace with_rollout(const Trace&);

/// What with_rollout reads of a run over `length` tokens.  Throws Error{call} for a network without attention
/// and where the weights would be more numbers than 256 MiB hold.
std::vector<Observation> rollout_reads(const Graph&, int64_t length);

}  // namespace LIMPID_API limpid
