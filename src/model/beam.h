// Beam search: several texts written side by side, of which the likeliest stay.
#pragma once

#include <vector>

#include "limpid/model.h"

namespace limpid {

inline constexpr int64_t k_most_beams = 64;

struct BeamOptions {
  int64_t beams = 4;
  int64_t tokens = 256;  // at most so many
  double length_penalty = 1;
};

/// What was written, without the start token and the end.
struct BeamText {
  std::vector<int64_t> ids;
  double log_probability = 0;  // of all tokens, the end included
  double score = 0;            // log_probability / tokens^length_penalty, the end counted
  bool ended = false;          // by a token that ends a text, not by the limit
};

/// The best of `beams` texts beside a source, as transformers' generate(num_beams=...) finds it with
/// early_stopping False.  The model must be an encoder-decoder that can_extend().
BeamText beam_search(const Model&, const Writing&, const std::vector<int64_t>& source, const BeamOptions&);

}  // namespace limpid
