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
    for (; c + k_lanes <= columns;
         c += k_lanes) {  // asking in here also keeps GCC from calling memmove for each row
      hwy::Prefetch(from + 8 * pitch + c);
      hwy::Prefetch(to + 8 * to_pitch + c);
      hn::StoreU(load_f32(from + c), k_f32, to + c);
    }
    if (c < columns) store(load_f32(from + c, columns - c), to + c, columns - c);
  }
}

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
// A square of whole vectors, in registers: every line is read once and written once.  Four rows at a time
// become columns within 128-bit blocks, then the blocks change places.
HWY_INLINE void transpose_square(const float* HWY_RESTRICT from, int64_t pitch, float* HWY_RESTRICT to,
                                 int64_t to_pitch) {
  constexpr int k_groups = static_cast<int>(k_lanes / 4);
  const hn::Repartition<double, F32> pairs;
  Vec x[k_groups][4];  // [rows 4g .. 4g + 3][j], block b: column 4b + j
#pragma GCC unroll 4
  for (int g = 0; g < k_groups; ++g) {
    const float* row = from + 4 * g * pitch;
    const Vec r0 = hn::LoadU(k_f32, row), r1 = hn::LoadU(k_f32, row + pitch);
    const Vec r2 = hn::LoadU(k_f32, row + 2 * pitch), r3 = hn::LoadU(k_f32, row + 3 * pitch);
    for (int i = 0; i < 4; ++i) hwy::Prefetch(row + i * pitch + 8 * k_lanes);
    const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(k_f32, r0, r1));
    const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(k_f32, r2, r3));
    const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(k_f32, r0, r1));
    const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(k_f32, r2, r3));
    x[g][0] = hn::BitCast(k_f32, hn::InterleaveLower(pairs, low01, low23));
    x[g][1] = hn::BitCast(k_f32, hn::InterleaveUpper(pairs, low01, low23));
    x[g][2] = hn::BitCast(k_f32, hn::InterleaveLower(pairs, high01, high23));
    x[g][3] = hn::BitCast(k_f32, hn::InterleaveUpper(pairs, high01, high23));
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
#if HWY_TARGET == HWY_AVX2
    hn::StoreU(hn::ConcatLowerLower(k_f32, x[1][j], x[0][j]), k_f32, to + j * to_pitch);
    hn::StoreU(hn::ConcatUpperUpper(k_f32, x[1][j], x[0][j]), k_f32, to + (4 + j) * to_pitch);
#else
    const auto put = [&](Vec a, Vec b,
                         int column) {  // blocks (a0, a1, c0, c1), (b0, b1, d0, d1) of groups a..d
      hn::StoreU(hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b), a), k_f32, to + column * to_pitch);
      hn::StoreU(hn::OddEvenBlocks(b, hn::SwapAdjacentBlocks(a)), k_f32, to + (column + 4) * to_pitch);
    };
    put(hn::ConcatLowerLower(k_f32, x[2][j], x[0][j]), hn::ConcatLowerLower(k_f32, x[3][j], x[1][j]), j);
    put(hn::ConcatUpperUpper(k_f32, x[2][j], x[0][j]), hn::ConcatUpperUpper(k_f32, x[3][j], x[1][j]), 8 + j);
#endif
  }
}
#endif

// to[c * to_pitch + r] = from[r * pitch + c].  Few rows at a time, each to its end: more of them, a power of
// two apart, would drive each other out of the first-level cache.
inline void transpose_f32(int64_t rows, int64_t columns, const float* HWY_RESTRICT from, int64_t pitch,
                          float* HWY_RESTRICT to, int64_t to_pitch) {
  int64_t r = 0;
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
  for (; r + k_lanes <= rows; r += k_lanes, from += k_lanes * pitch, to += k_lanes) {
    int64_t c = 0;
    for (; c + k_lanes <= columns; c += k_lanes) {
      for (int64_t i = 0; i < k_lanes; ++i) hwy::Prefetch(to + (c + k_lanes + i) * to_pitch);
      transpose_square(from + c, pitch, to + c * to_pitch, to_pitch);
    }
    for (; c < columns; ++c) {
      for (int64_t i = 0; i < k_lanes; ++i) to[c * to_pitch + i] = from[i * pitch + c];
    }
  }
#endif
  if (r < rows) transpose(rows - r, columns, from, pitch, to, to_pitch);
}

template <class T>
void transpose_rows(int64_t rows, int64_t columns, const T* HWY_RESTRICT from, int64_t pitch,
                    float* HWY_RESTRICT to, int64_t to_pitch) {
  if constexpr (std::is_same_v<T, float>) {
    transpose_f32(rows, columns, from, pitch, to, to_pitch);
  } else {  // a few at a time through a corner of the first-level cache
    constexpr int64_t k_high = 16, k_wide = 64;
    HWY_ALIGN float part[k_high * k_wide];
    for (int64_t c = 0; c < columns; c += k_wide) {
      const int64_t wide = std::min(k_wide, columns - c);
      for (int64_t r = 0; r < rows; r += k_high) {
        const int64_t high = std::min(k_high, rows - r);
        copy_rows(high, wide, from + r * pitch + c, pitch, part, k_wide);
        transpose_f32(high, wide, part, k_wide, to + c * to_pitch + r, to_pitch);
      }
    }
  }
}

// ---- A and B -----------------------------------------------------------------------------------------

// Two overlapping loads: GCC 12 makes a call of a memcpy of 24 bytes in a loop.
HWY_INLINE void copy_six(const float* from, float* to) {
  static_assert(k_rows == 6);
#if HWY_TARGET == HWY_SCALAR
  for (int i = 0; i < 6; ++i) to[i] = from[i];
#else
  const hn::FixedTag<float, 4> four;
  const auto head = hn::LoadU(four, from), tail = hn::LoadU(four, from + 2);
  hn::StoreU(head, four, to);
  hn::StoreU(tail, four, to + 2);
#endif
}

/// Rows [m0, m0 + m), steps [k0, k0 + depth) of A stored [K,M] and not cut: tile after tile of k_rows rows,
/// each [depth, k_rows], so that a tile's broadcasts walk through memory one after the other.
inline void pack_a_columns(const Stored<float>& a, int64_t m0, int64_t m, int64_t k0, int64_t depth,
                           float* HWY_RESTRICT to) {
  // Eight rows at once: a line that is read serves two or three tiles on end, what is written is whole lines.
  for (int64_t p = 0, high; p < depth; p += high) {
    high = std::min<int64_t>(8, depth - p);
    const float* HWY_RESTRICT from = a.at(k0 + p, m0);
    int64_t r = 0;
    for (; r + k_rows <= m; r += k_rows) {
      float* out = to + r * depth + p * k_rows;
      for (int64_t i = 0; i < high; ++i) {
        hwy::Prefetch(from + (8 + i) * a.ld + r);
        copy_six(from + i * a.ld + r, out + i * k_rows);
      }
    }
    for (int64_t i = 0; i < high && r < m; ++i) {
      std::copy_n(from + i * a.ld + r, m - r, to + r * depth + (p + i) * k_rows);
    }
  }
}

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
