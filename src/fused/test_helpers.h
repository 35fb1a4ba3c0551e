// What the tests of the public fused attention share.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#include "limpid/attention.h"

namespace limpid::testing {

inline constexpr Axis B = Axis::B, T = Axis::T, S = Axis::S, H = Axis::H, G = Axis::G, D = Axis::D,
                      N = Axis::N;

/// Numbers in [-1, 1), the same for the same seed.
inline Tensor drawn(Shape shape, uint32_t seed, DType type = DType::f32) {
  Tensor t(DType::f32, std::move(shape));
  for (int64_t i = 0; i < t.count(); ++i) {
    seed = seed * 1664525u + 1013904223u;
    t.data<float>()[i] = static_cast<float>(seed >> 8) * 0x1p-23f - 1;
  }
  return t.to(type);
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

/// A small attention.
struct Case {
  Tensor q = drawn({{B, 2}, {T, 9}, {H, 6}, {D, 12}}, 1), k = drawn({{B, 2}, {S, 14}, {G, 2}, {D, 12}}, 2),
         v = drawn({{B, 2}, {S, 14}, {G, 2}, {D, 7}}, 3), dz = drawn({{B, 2}, {T, 9}, {H, 6}, {D, 7}}, 4);
  fused::Attention call() const { return {.q = q, .k = k, .v = v, .causal = true, .window = 8}; }
};

}  // namespace limpid::testing
