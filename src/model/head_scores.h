// Scores of heads from their weights, whatever the rows stand for.
#pragma once

#include "limpid/heads.h"

namespace limpid {

/// What the positions of a pattern are.
struct Places {
  std::vector<std::vector<int64_t>> tokens;  // of texts, a list a row; else empty
  int64_t learned = 0;                       // rows before the patches
  int64_t columns = 0;                       // patches side by side in an image; 0: not an image
};

/// One HeadScores a head; `attention` and `layer` are left to the caller.
std::vector<HeadScores> head_scores(const ConstView& pattern, const Places&);

}  // namespace limpid
