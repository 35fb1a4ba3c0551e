// The attention of a sentence at one report of a training run.
#pragma once

#include "limpid/train.h"

namespace limpid {

/// The sentence's tokens, attention weights and the scores that they are made of, and what comes next (of a
/// large vocabulary after the last token alone), with the report's numbers.
Trace watched_trace(const Model&, const std::string& text, const Epoch&);

}  // namespace limpid
