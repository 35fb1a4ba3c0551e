#include "draw/formats/text/text_map.h"

#include <algorithm>
#include <cmath>

namespace limpid::draw {

// Coordinates that differ by rounding are one.
double TextMap::key(double coordinate) { return std::round(coordinate * 100) / 100; }

void TextMap::need(double from, double to, int64_t letters) {
  if (key(to) <= key(from)) to = from + 0.01;
  needs_.push_back({key(from), key(to), letters});
  places_[key(from)] = 0;
  places_[key(to)] = 0;
}

void TextMap::solve() {
  std::sort(needs_.begin(), needs_.end(), [](const Need& a, const Need& b) { return a.to < b.to; });
  size_t next = 0;
  int64_t last = 0;
  for (auto& [coordinate, place] : places_) {
    place = last;
    for (; next < needs_.size() && needs_[next].to <= coordinate; ++next)
      place = std::max(place, places_.at(needs_[next].from) + needs_[next].letters);
    last = place;
  }
  size_ = last + 1;
}

int64_t TextMap::at(double coordinate) const {
  const auto after = places_.upper_bound(key(coordinate));
  return after == places_.begin() ? 0 : std::prev(after)->second;
}

double TextMap::between(double coordinate) const {
  const auto after = places_.lower_bound(key(coordinate));
  if (after == places_.end()) return static_cast<double>(size_ - 1);
  if (after == places_.begin()) return static_cast<double>(after->second);
  const auto before = std::prev(after);
  const double share = (coordinate - before->first) / (after->first - before->first);
  return static_cast<double>(before->second) + share * static_cast<double>(after->second - before->second);
}

}  // namespace limpid::draw
