// The networks, one function each, and the ends they share.
#pragma once

#include "limpid/network.h"

namespace limpid {

void build_textbook(Graph&, const TextbookConfig&, Purpose);
void build_gpt(Graph&, const GptConfig&, Purpose);

/// x [B,T,C] -> "logits", "probs" [B,T,V]; when training, input "targets" [B,T] and "loss".  `tied` is the
/// embedding table, or empty for a table of its own, unembed.W_U [C,V].
void predict_words(const Scope& in, Stage x, Stage tied, int64_t vocabulary, bool training,
                   const std::string& each = "word");

}  // namespace limpid
