// Two arrays of one shape, number by number.
#pragma once

#include "trace/diff/align.h"

namespace limpid {

/// What two numbers may differ by: tolerance x max(|here|, scale of the stage).
class Allowance {
 public:
  Allowance(double tolerance, const Tensor& here, const Tensor& there);
  double operator()(double here) const;

 private:
  double tolerance_, scale_;
};

struct Comparison {
  double largest = 0;  // |here - there|
  double excess = 0;   // the largest difference as a share of what is allowed: above 1 they part
  int64_t beyond = 0;  // cells above 1
  int64_t worst = 0;   // the place of the largest share, flat
  bool agrees() const { return beyond == 0; }
};
/// Both f64, contiguous, of one count.  A NaN agrees with a NaN alone, an infinity with itself; -inf, which a
/// mask writes, also with the -10,000 and lower that other programs write.
Comparison compare(const Tensor& here, const Tensor& there, double tolerance);

StageDifference compare(const Pair&, double tolerance);

}  // namespace limpid
