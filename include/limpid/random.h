// Random numbers, three ways, each for one purpose:
//
//   uniform(seed, stream, step, index)  a number that is a function of its place: dropout asks for the
//                                       number of element `index`, in any order, on any thread
//   Random                              numbers one after another: initial weights, batches, sampling
//   MersenneTwister                     NumPy's np.random.seed and np.random.rand, for the textbook walk
//
// The first two are counter based (Philox4x32-10: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011): no hidden state, so a checkpoint stores three integers.  All are
// integer arithmetic until the last step, so they give the same bits on every machine; normal() also calls
// log and cos, so there it is the same bits on every machine with the same C library.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "limpid/api.h"

namespace LIMPID_API limpid {

// ---- by place ------------------------------------------------------------------------------------

using PhiloxCounter = std::array<uint32_t, 4>;
using PhiloxKey = std::array<uint32_t, 2>;

/// Ten rounds of Philox4x32: 128 random bits for this counter and key.
PhiloxCounter philox(PhiloxCounter counter, PhiloxKey key);

/// The four 32-bit words behind uniform() of indices 4*block to 4*block + 3, for kernels that take four at
/// once: word i of the block belongs to index 4*block + i.
PhiloxCounter random_words(uint64_t seed, uint32_t stream, uint32_t step, uint64_t block);

/// A number in [0, 1), a multiple of 2^-32: always the same one for the same four arguments.  `stream` says
/// who asks (stream_named), `step` which training step, `index` which element.  Step 0xffffffff belongs to
/// Random.
double uniform(uint64_t seed, uint32_t stream, uint32_t step, uint64_t index);

/// The stream of a name ("blocks.0.attn.dropout"): its 32-bit FNV-1a hash.
uint32_t stream_named(std::string_view name);

// ---- one after another ---------------------------------------------------------------------------

/// A sequence of random numbers.  Its whole state is three integers: Random(r.state()) goes on as r does.
class Random {
 public:
  struct State {
    uint64_t seed = 0;
    uint32_t stream = 0;
    uint64_t position = 0;  // how many 64-bit numbers have been drawn
    bool operator==(const State&) const = default;
  };

  explicit Random(uint64_t seed, uint32_t stream = 0) : state_{seed, stream, 0} {}
  explicit Random(const State& state) : state_(state) {}
  const State& state() const { return state_; }

  /// 64 random bits.
  uint64_t bits();
  /// In [0, 1), a multiple of 2^-53.
  double uniform();
  /// Mean 0, standard deviation 1: sqrt(-2 ln u) cos(2 pi v), the first half of G. Box and M. Muller (1958).
  /// The second half is left unused: keeping it would be state.
  double normal();
  /// In [0, count), every value equally likely (no modulo bias).  Throws Error{call} unless count > 0.
  uint64_t below(uint64_t count);
  /// Puts the elements of a vector, span or array in random order (Fisher and Yates).
  template <class Range>
  void shuffle(Range& range) {
    for (size_t left = range.size(); left > 1; --left) {
      using std::swap;
      swap(range[left - 1], range[static_cast<size_t>(below(left))]);
    }
  }

 private:
  State state_;
};

// ---- as NumPy ------------------------------------------------------------------------------------

/// MT19937 (M. Matsumoto and T. Nishimura, 1998), seeded with the integer itself: the same numbers as NumPy's
/// np.random.seed(seed) and then np.random.rand, one call of uniform() for each number.
class MersenneTwister {
 public:
  explicit MersenneTwister(uint32_t seed);
  /// The next 32 bits.
  uint32_t bits();
  /// In [0, 1), a multiple of 2^-53, made of two outputs.
  double uniform();

 private:
  static constexpr size_t k_size = 624;
  void refill();

  std::array<uint32_t, k_size> words_;
  size_t next_ = k_size;
};

}  // namespace LIMPID_API limpid
