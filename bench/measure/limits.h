// What this machine can do at most.  A limit is measured in the same rounds as what is held against it, on
// the same instruction set and as many threads.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/measure/loops.h"

namespace limpid::bench {

struct LimitKey {
  enum class Kind {
    multiply_adds,  // f32 operations on registers
    bf16_products,  // operations on registers by bf16 products; f32 multiply-adds where there are none
    read,           // bytes read again and again, `bytes` of them together
    copy,           // bytes read and bytes written, `bytes` of them together
    convert,        // elements of a cache loaded from L1, converted, multiplied `queries` times
  };
  Kind kind = Kind::multiply_adds;
  int64_t bytes = 0;
  Stored stored = Stored::f32;
  int queries = 1;
  auto operator<=>(const LimitKey&) const = default;
};

struct Limit {
  std::string name;  // "multiply-adds", "read 32 KiB"
  std::string type;  // "f32", "bf16", ...
  std::string unit;  // of a second: "operations", "bytes", "elements"
  /// What one call of `run` is worth on so many threads.
  std::function<double(int threads)> amount;
  std::function<void()> run;  // on as many threads as core/threads.h says
};

/// To be called with the instruction set in use that the limit is for.
Limit make_limit(const LimitKey& key);

/// Half of each cache of this machine (of L1 and L2 in each thread), and a block that no cache holds.
struct Footprint {
  std::string name;  // "L1", "L2", "L3", "memory"
  int64_t bytes = 0;
  bool per_thread = false;
};
std::vector<Footprint> footprints();

/// "32 KiB", "1.5 GiB".
std::string bytes_text(int64_t bytes);

}  // namespace limpid::bench
