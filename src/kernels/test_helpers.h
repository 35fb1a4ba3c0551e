// What the tests of this folder share: drawn numbers, every instruction set in turn, results compared by
// bits.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "core/threads.h"
#include "kernels/isa.h"
#include "kernels/kernel.h"

namespace limpid::kernels::testing {

/// A small generator of its own (SplitMix64), so that a case is named by its seed.
class Draw {
 public:
  explicit Draw(uint64_t seed) : state_(seed) {}
  uint64_t bits() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  /// In [low, high).
  float real(float low, float high) {
    return low + (high - low) * static_cast<float>(bits() >> 40) / static_cast<float>(1 << 24);
  }
  /// In [low, high].
  int64_t whole(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(bits() % static_cast<uint64_t>(high - low + 1));
  }
  std::vector<float> reals(int64_t count, float low = -1, float high = 1) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = real(low, high);
    return values;
  }

 private:
  uint64_t state_;
};

inline bool same_bits(const float* a, const float* b, int64_t count) {
  return std::memcmp(a, b, sizeof(float) * static_cast<size_t>(count)) == 0;
}
inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && same_bits(a.data(), b.data(), static_cast<int64_t>(a.size()));
}

/// Runs check(name) on every instruction set of this machine, on one thread (most cases are too small for
/// more), and goes back to the best.
template <class Check>
void on_every_isa(Check check) {
  const int before = threads();
  set_threads(1);
  for (const std::string& name : isa_names()) {
    force_isa(name);
    SCOPED_TRACE("instruction set " + name);
    check(name);
  }
  force_isa("");
  set_threads(before);
}

/// Runs work() with 1, 2 and 3 threads; work() returns all results; they must have the same bits.
template <class Work>
std::vector<float> at_any_threads(Work work) {
  const int before = threads();
  set_threads(1);
  const std::vector<float> one = work();
  for (int count : {2, 3}) {
    set_threads(count);
    EXPECT_TRUE(same_bits(one, work())) << "other bits with " << count << " threads";
  }
  set_threads(before);
  return one;
}

}  // namespace limpid::kernels::testing
