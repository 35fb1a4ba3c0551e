// How a panel of B is brought into scratch, as the register tile reads it: columns side by side, cuts mended,
// 16-bit numbers made f32.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_MATMUL_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_MATMUL_PACK_INL_H_
#undef LIMPID_KERNELS_MATMUL_PACK_INL_H_
#else
#define LIMPID_KERNELS_MATMUL_PACK_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/math-inl.h"
#include "kernels/matmul.h"
#include "kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

/// A matrix as it is stored.
template <class T>
struct Stored {
  const T* data;
  int64_t ld;
  const Heads& heads;

  const T* at(int64_t r, int64_t c) const {
    const T* row =
        heads.rows ? data + r / heads.rows * heads.rows_apart + r % heads.rows * ld : data + r * ld;
    return heads.columns ? row + c / heads.columns * heads.columns_apart + c % heads.columns : row + c;
  }
  /// Whether rows [r, r + rows) x columns [c, c + columns) are one rectangle of pitch ld.
  bool whole(int64_t r, int64_t rows, int64_t c, int64_t columns) const {
    return (!heads.rows || r % heads.rows + rows <= heads.rows) &&
           (!heads.columns || c % heads.columns + columns <= heads.columns);
  }
};

/// f(r, rows, c, columns) for the largest rectangles within rows [r0, r0 + rows) x columns [c0, c0 + columns)
/// that are whole; r and c count from r0 and c0.
template <class F>
void for_pieces(const Heads& heads, int64_t r0, int64_t rows, int64_t c0, int64_t columns, F f) {
  for (int64_t r = 0, high; r < rows; r += high) {
    high = heads.rows ? std::min(rows - r, heads.rows - (r0 + r) % heads.rows) : rows;
    for (int64_t c = 0, wide; c < columns; c += wide) {
      wide = heads.columns ? std::min(columns - c, heads.columns - (c0 + c) % heads.columns) : columns;
      f(r, high, c, wide);
    }
  }
}

// ---- numbers as f32 ------------------------------------------------------------------------------

HWY_INLINE Vec load_f32(const float* from) { return hn::LoadU(k_f32, from); }
HWY_INLINE Vec load_f32(const bf16* from) {  // a bf16 is the upper half of an f32
  const hn::Rebind<uint16_t, F32> u16;
  const hn::Rebind<uint32_t, F32> u32;
  return hn::BitCast(
      k_f32, hn::ShiftLeft<16>(hn::PromoteTo(u32, hn::LoadU(u16, reinterpret_cast<const uint16_t*>(from)))));
}
HWY_INLINE Vec load_f32(const f16* from) {
  const hn::Rebind<hwy::float16_t, F32> half;
  return hn::PromoteTo(k_f32, hn::LoadU(half, reinterpret_cast<const hwy::float16_t*>(from)));
}

/// The first n numbers (all lanes if there are as many), then zeros.
template <class T>
HWY_INLINE Vec load_f32(const T* from, int64_t n) {
  if (n >= k_lanes) return load_f32(from);
  T part[k_lanes] = {};
  std::memcpy(static_cast<void*>(part), from, sizeof(T) * static_cast<size_t>(n));
  return load_f32(part);
}

template <class T>
void copy_rows(int64_t rows, int64_t columns, const T* HWY_RESTRICT from, int64_t pitch,
               float* HWY_RESTRICT to, int64_t to_pitch) {
  for (int64_t r = 0; r < rows; ++r, from += pitch, to += to_pitch) {
    int64_t c = 0;
    for (int64_t i = 0; i < columns; i += 16) {
      hwy::Prefetch(from + 8 * pitch + i);
      hwy::Prefetch(to + 8 * to_pitch + i);
    }
    for (; c + k_lanes <= columns; c += k_lanes) hn::StoreU(load_f32(from + c), k_f32, to + c);
    if (c < columns) store(load_f32(from + c, columns - c), to + c, columns - c);
  }
}

template <class T>
void transpose_rows(int64_t rows, int64_t columns, const T* HWY_RESTRICT from, int64_t pitch,
                    float* HWY_RESTRICT to, int64_t to_pitch) {
  // A few columns at a time: what is read and what is written stay in the first-level cache together.
  constexpr int64_t k_wide = 32, k_high = 16;
  for (int64_t c = 0; c < columns; c += k_wide, from += k_wide, to += k_wide * to_pitch) {
    const int64_t wide = std::min(k_wide, columns - c);
    for (int64_t i = 0; i < wide; ++i) {
      for (int64_t r = 0; r < rows; r += 16) hwy::Prefetch(to + i * to_pitch + r);
    }
    if constexpr (std::is_same_v<T, float>) {
      transpose(rows, wide, from, pitch, to, to_pitch);
    } else {
      HWY_ALIGN float part[k_high * k_wide];
      for (int64_t r = 0; r < rows; r += k_high) {
        const int64_t high = std::min(k_high, rows - r);
        copy_rows(high, wide, from + r * pitch, pitch, part, k_wide);
        transpose(high, wide, part, k_wide, to + r, to_pitch);
      }
    }
  }
}

// ---- B -------------------------------------------------------------------------------------------

/// Columns [n0, n0 + columns) of B, rows [k0, k0 + depth), as rows `pitch` apart, zeros beyond the last
/// column.
template <class T>
void pack_b(const Stored<T>& b, bool transposed, int64_t k0, int64_t depth, int64_t n0, int64_t columns,
            int64_t pitch, float* HWY_RESTRICT to) {
  if (transposed) {
    for_pieces(b.heads, n0, columns, k0, depth, [&](int64_t r, int64_t rows, int64_t c, int64_t wide) {
      transpose_rows(rows, wide, b.at(n0 + r, k0 + c), b.ld, to + c * pitch + r, pitch);
    });
  } else {
    for_pieces(b.heads, k0, depth, n0, columns, [&](int64_t r, int64_t rows, int64_t c, int64_t wide) {
      copy_rows(rows, wide, b.at(k0 + r, n0 + c), b.ld, to + r * pitch + c, pitch);
    });
  }
  for (int64_t p = 0; p < depth && columns < pitch; ++p)
    std::fill(to + p * pitch + columns, to + (p + 1) * pitch, 0.f);
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_MATMUL_PACK_INL_H_
