// Numbers as they stand in a table: all of one table alike, so that they align and compare.
#pragma once

#include <string>
#include <vector>

#include "limpid/tensor.h"

namespace limpid {

class Figures {
 public:
  /// For numbers like these: `decimals` after the point, more if all of them are small, an exponent if some
  /// are huge.
  Figures(const std::vector<double>& values, int decimals);
  /// Whole numbers.
  static Figures whole(const std::vector<double>& values) { return Figures(values, 0); }
  /// "1.348"; "NaN", "inf", "-inf" for what is not finite; "0" for zero, "<0.001" or ">-0.001" for what is
  /// smaller than these digits can show.
  std::string text(double value) const;
  /// The widest of the numbers it was made for.
  size_t width() const { return width_; }

 private:
  int decimals_;
  bool exponent_ = false;
  size_t width_ = 0;
};

/// A bar of eighths of a column: `share` (0 to 1) of `columns`.
std::string bar(double share, size_t columns);
/// One column high as `share`: ▁ to █; a space for (nearly) nothing.
std::string level(double share);

/// The places to show of `count` in `most` lines (at least 2): all, or the first and the last with k_gap
/// between.
inline constexpr int64_t k_gap = -1;
std::vector<int64_t> kept(int64_t count, int64_t most);

/// 1,234,567
std::string grouped(int64_t number);
/// "heads", "classes", "patches"
std::string plural(const std::string& word);
/// "1 head", "4 heads"; "1 class", "2 classes"
std::string counted(int64_t count, const std::string& word);

}  // namespace limpid
