// What the operations on scores [B,H,T,S] share: one number for every query (t) and key (s), in every head
// (h) of every sequence (b).  Grouped heads: query head h reads key/value head h / (H / G).
#pragma once

#include <algorithm>

#include "ops/loops.h"

namespace limpid {

/// Calls f(b, h, t, s) for every cell, row by row.
template <class F>
void each_cell(const Shape& scores, F&& f) {
  for (int64_t b = 0; b < scores[0].size; ++b)
    for (int64_t h = 0; h < scores[1].size; ++h)
      for (int64_t t = 0; t < scores[2].size; ++t)
        for (int64_t s = 0; s < scores[3].size; ++s) f(b, h, t, s);
}

inline Shape scores_shape(int64_t b, int64_t h, int64_t t, int64_t s) {
  return {{Axis::B, b}, {Axis::H, h}, {Axis::T, t}, {Axis::S, s}};
}

inline void require_scores(const Shape& scores) { require_rank(scores, 4, "scores", "[B,H,T,S]"); }

/// q and k (or v) belong together: the same sequences, and H a multiple of G.
inline void require_groups(const Shape& q, int64_t heads, const Shape& k, const char* what) {
  const int64_t groups = k[2].size;
  if (heads < 0 || groups < 0) return;
  if (groups == 0 || heads % groups != 0)
    fail_call(what, " is ", k.text(), ": its ", groups, " heads do not divide the ", heads, " of ", q.text());
}

/// The weight of a key that its query may not see is minus zero: what it would be multiplied with is not
/// read, NaN and infinity included.  A weight that is visible and rounds to 0 is plus zero, and 0 times
/// infinity is NaN: what is seen touches.
template <class R>
constexpr R hidden_weight() {
  return -R(0);
}
template <class R>
bool hides(R weight) {
  return weight == 0 && std::signbit(weight);
}

/// How many query heads read one key/value head.
inline int64_t heads_per_group(int64_t heads, int64_t groups) { return groups > 0 ? heads / groups : 1; }

/// The query's position in an equation: "t", "t + 3", in brackets where asked for.
inline std::string text_of_query(const std::string& t, int64_t first_query, bool brackets = false) {
  if (first_query == 0) return t;
  const std::string number =
      std::to_string(first_query);  // not negated: the least of its type has no negative
  const std::string sum = first_query > 0 ? t + " + " + number : t + " - " + number.substr(1);
  return brackets ? "(" + sum + ")" : sum;
}

}  // namespace limpid
