// What the operations on a token's chosen experts share: chosen [...,J] (i64), for each row of the text the
// numbers of its J experts, of M that there are.
#pragma once

#include "ops/loops.h"

namespace limpid {

/// An expert's number; throws Error{call} naming the place of one that does not exist.
inline int64_t expert_at(const ConstView& chosen, int64_t slot, int64_t experts) {
  const int64_t expert = chosen.data<int64_t>()[slot];
  if (expert < 0 || expert >= experts)
    fail_call("the chosen expert at place ", slot, " of ", chosen.shape().text(), " is ", expert,
              ", expected 0 to ", experts - 1);
  return expert;
}

/// Every row of `x` before its last axis is one of chosen's rows, or, `apart`, one of its places.
struct ChosenRows {
  bool apart = false;
  int64_t slots = 1;  // J

  /// Which row of x a place of chosen reads.
  int64_t row(int64_t slot) const { return apart ? slot : slot / slots; }
};

/// `what` is [..., K] with the leading axes of chosen [..., J], or with J too.
inline ChosenRows chosen_rows(const Shape& x, const Shape& chosen, const char* what) {
  if (chosen.rank() < 1) fail_call("chosen is ", chosen.text(), ", expected [...,J]");
  const bool apart = x.rank() == chosen.rank() + 1;
  if (!apart && x.rank() != chosen.rank())
    fail_call(what, " is ", x.text(), ", expected the rows of chosen ", chosen.text());
  for (int i = 0; i < x.rank() - 1; ++i) require_size(x, i, chosen[i].size, what, chosen);
  return {apart, chosen[chosen.rank() - 1].size};
}

}  // namespace limpid
