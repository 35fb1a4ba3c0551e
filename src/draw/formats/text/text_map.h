// From a scene's coordinates to lines and columns of letters: order is kept, room is given where it is
// needed.
//
// A scene has its layout already.  Letters are wider than its units, so distances cannot be kept; what is
// left of what stays so, and whatever does not overlap in the scene does not overlap in letters.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace limpid::draw {

class TextMap {
 public:
  /// From coordinate `from` to coordinate `to` there are at least `letters`.
  void need(double from, double to, int64_t letters);
  /// The fewest letters in all that give everything its room.
  void solve();
  /// Of a coordinate that was named; others lie at the last one named before them.
  int64_t at(double coordinate) const;
  /// Between the two that were named around it, in proportion: for curves.
  double between(double coordinate) const;
  int64_t size() const { return size_; }

 private:
  struct Need {
    double from, to;
    int64_t letters;
  };
  static double key(double coordinate);
  std::vector<Need> needs_;
  std::map<double, int64_t> places_;
  int64_t size_ = 0;
};

}  // namespace limpid::draw
