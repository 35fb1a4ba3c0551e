// Products of very few rows of A with B stored [N,K], in plain numbers or in blocks: every number of B is
// used once or a few times, so B is read where it is, at the speed of memory, and expanded in registers.
//
// The lanes of a vector are rows of B (columns of C), so that a cell's sum is the chain over k that every
// other way of multiplying makes.  16 bytes of as many rows as a vector has lanes become four vectors of
// dwords, dword j of each row in vector j: two rounds of interleaving within 128-bit blocks, of which block i
// holds rows 4 i to 4 i + 3.  Two such vectors of rows go side by side, for the chains' sake.
//
// Rows are 16 (AVX2) or 32 (AVX-512) at a time, one piece of memory: the next such piece is asked for while
// this one is read.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_MATMUL_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_MATMUL_ROWS_INL_H_
#undef LIMPID_KERNELS_MATMUL_ROWS_INL_H_
#else
#define LIMPID_KERNELS_MATMUL_ROWS_INL_H_
#endif

#include "kernels/matmul_blocks-inl.h"
#include "kernels/matmul_finish-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

using U32 = hn::RebindToUnsigned<F32>;
using I32 = hn::RebindToSigned<F32>;
using Dwords = hn::Vec<U32>;
constexpr U32 k_u32{};
constexpr I32 k_i32{};

constexpr int k_row_vecs = 2;
constexpr int64_t k_row_group = k_row_vecs * k_lanes;  // rows of B at a time

// ---- 16 bytes of k_lanes rows ----------------------------------------------------------------------

struct Quads {
  Dwords q[4];
};

#if HWY_TARGET == HWY_SCALAR
inline Quads quads(const std::byte* at, int64_t) {
  uint32_t words[4];
  std::memcpy(words, at, sizeof words);
  return {{hn::Set(k_u32, words[0]), hn::Set(k_u32, words[1]), hn::Set(k_u32, words[2]),
           hn::Set(k_u32, words[3])}};
}
#else
// Rows 0, 4, 8, ... of those at `at`, a row a 128-bit block.
HWY_INLINE Dwords every_fourth(const std::byte* at, int64_t row) {
  const hn::FixedTag<uint8_t, 16> bytes;
  const hn::FixedTag<uint32_t, 4> quarter;
  const auto load = [&](int64_t r) {
    return hn::BitCast(quarter, hn::LoadU(bytes, reinterpret_cast<const uint8_t*>(at + r * row)));
  };
#if HWY_TARGET == HWY_AVX3
  const hn::FixedTag<uint32_t, 8> half;
  return hn::Combine(k_u32, hn::Combine(half, load(12), load(8)), hn::Combine(half, load(4), load(0)));
#elif HWY_TARGET == HWY_AVX2
  return hn::Combine(k_u32, load(4), load(0));
#else
  static_assert(k_lanes == 4);
  return load(0);
#endif
}

HWY_INLINE Quads quads(const std::byte* at, int64_t row) {
  const hn::Repartition<uint64_t, F32> pairs;
  const auto r0 = every_fourth(at, row), r1 = every_fourth(at + row, row);
  const auto r2 = every_fourth(at + 2 * row, row), r3 = every_fourth(at + 3 * row, row);
  const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(k_u32, r0, r1));
  const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(k_u32, r2, r3));
  const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(k_u32, r0, r1));
  const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(k_u32, r2, r3));
  return {{hn::BitCast(k_u32, hn::InterleaveLower(pairs, low01, low23)),
           hn::BitCast(k_u32, hn::InterleaveUpper(pairs, low01, low23)),
           hn::BitCast(k_u32, hn::InterleaveLower(pairs, high01, high23)),
           hn::BitCast(k_u32, hn::InterleaveUpper(pairs, high01, high23))}};
}
#endif

// The first dword of each row.
HWY_INLINE Dwords first_dwords(const std::byte* at, int64_t row) {
#if HWY_TARGET == HWY_SCALAR
  return quads(at, row).q[0];
#else
  const hn::Repartition<uint64_t, F32> pairs;
  const auto r01 = hn::InterleaveLower(k_u32, every_fourth(at, row), every_fourth(at + row, row));
  const auto r23 =
      hn::InterleaveLower(k_u32, every_fourth(at + 2 * row, row), every_fourth(at + 3 * row, row));
  return hn::BitCast(k_u32, hn::InterleaveLower(pairs, hn::BitCast(pairs, r01), hn::BitCast(pairs, r23)));
#endif
}

// Byte j of each dword as a signed number, times 2^24.
HWY_INLINE Vec byte_of(Dwords x, int j) {
  const auto top = hn::Set(k_u32, 0xff000000u);
  if (j == 3) return hn::ConvertTo(k_f32, hn::BitCast(k_i32, hn::And(x, top)));
#if HWY_TARGET == HWY_SCALAR
  return hn::ConvertTo(k_f32, hn::BitCast(k_i32, hn::And(hn::ShiftLeftSame(x, 24 - 8 * j), top)));
#else
  HWY_ALIGN static constexpr uint8_t k_from[3][16] = {
      {128, 128, 128, 0, 128, 128, 128, 4, 128, 128, 128, 8, 128, 128, 128, 12},
      {128, 128, 128, 1, 128, 128, 128, 5, 128, 128, 128, 9, 128, 128, 128, 13},
      {128, 128, 128, 2, 128, 128, 128, 6, 128, 128, 128, 10, 128, 128, 128, 14}};
  const hn::Repartition<uint8_t, F32> bytes;
  const auto moved = hn::TableLookupBytesOr0(hn::BitCast(bytes, x), hn::LoadDup128(bytes, k_from[j]));
  return hn::ConvertTo(k_f32, hn::BitCast(k_i32, moved));
#endif
}
constexpr float k_byte_unit = 1.f / 16777216;

// ---- a chain of sums -------------------------------------------------------------------------------

struct Sums {
  Vec at[k_row_vecs];
};

HWY_INLINE void add(Sums& sums, float a, Vec w0, Vec w1) {
  const Vec factor = hn::Set(k_f32, a);
  sums.at[0] = hn::MulAdd(factor, w0, sums.at[0]);
  sums.at[1] = hn::MulAdd(factor, w1, sums.at[1]);
}

// The lower and the upper half of each dword, an f16, as a float.
HWY_INLINE Vec as_floats(Dwords halves) {  // at most 0xffff
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
  HWY_ALIGN uint32_t bits[k_lanes];
  HWY_ALIGN float wide[k_lanes];
  hn::Store(halves, k_u32, bits);
  for (int64_t i = 0; i < k_lanes; ++i) wide[i] = to_float(f16{static_cast<uint16_t>(bits[i])});
  return hn::Load(k_f32, wide);
#else
  const hn::Rebind<uint16_t, F32> u16;
  const hn::Rebind<hwy::float16_t, F32> f16s;
  return hn::PromoteTo(k_f32, hn::BitCast(f16s, hn::DemoteTo(u16, hn::BitCast(k_i32, halves))));
#endif
}
HWY_INLINE Vec low_half(Dwords x) { return as_floats(hn::And(x, hn::Set(k_u32, 0xffffu))); }
HWY_INLINE Vec high_half(Dwords x) { return as_floats(hn::ShiftRight<16>(x)); }

// ---- plain numbers: 16 bytes a piece ---------------------------------------------------------------

template <class T>
struct PlainRows {
  static constexpr int64_t k_numbers = 16 / static_cast<int64_t>(sizeof(T)), k_bytes = 16;

  // Steps [0, k_numbers) of the rows at `at`.
  static HWY_INLINE void piece(const float* a, const std::byte* at, int64_t row, Sums& sums) {
    const Quads x = quads(at, row), y = quads(at + k_lanes * row, row);
#pragma GCC unroll 8
    for (int i = 0; i < k_numbers; ++i) add(sums, a[i], number(x, i), number(y, i));
  }

 private:
  static HWY_INLINE Vec number(const Quads& x, int i) {
    if constexpr (sizeof(T) == 4) {
      return hn::BitCast(k_f32, x.q[i]);
    } else if constexpr (std::is_same_v<T, f16>) {
      return i % 2 == 0 ? low_half(x.q[i / 2]) : high_half(x.q[i / 2]);
    } else {  // bf16: the upper half of an f32
      const Dwords pair = x.q[i / 2];
      return hn::BitCast(k_f32,
                         i % 2 == 0 ? hn::ShiftLeft<16>(pair) : hn::And(pair, hn::Set(k_u32, 0xffff0000u)));
    }
  }
};

// ---- blocks ----------------------------------------------------------------------------------------

// 16 steps: the bytes of x and y, signed, times a scale each; or a scale each and something added.
HWY_INLINE void sixteen(const float* a, const Quads& x, const Quads& y, const Vec* scale, Sums& sums) {
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j)
      add(sums, a[4 * q + j], hn::Mul(byte_of(x.q[q], j), scale[0]), hn::Mul(byte_of(y.q[q], j), scale[1]));
  }
}
HWY_INLINE void sixteen(const float* a, const Quads& x, const Quads& y, const Vec* scale, const Vec* least,
                        Sums& sums) {
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j)
      add(sums, a[4 * q + j], hn::MulAdd(byte_of(x.q[q], j), scale[0], least[0]),
          hn::MulAdd(byte_of(y.q[q], j), scale[1], least[1]));
  }
}

HWY_INLINE Quads low_nibbles(Quads x) {
  for (Dwords& q : x.q) q = hn::And(q, hn::Set(k_u32, 0x0f0f0f0fu));
  return x;
}
HWY_INLINE Quads high_nibbles(Quads x) {
  for (Dwords& q : x.q) q = hn::And(hn::ShiftRight<4>(q), hn::Set(k_u32, 0x0f0f0f0fu));
  return x;
}
// Bytes 0 to 15 less 8, signed.
HWY_INLINE Quads less_eight(Quads x) {
#if HWY_TARGET == HWY_SCALAR
  // Setting bit 7 before keeps each byte's borrow to itself, and flipping it is its sign.
  for (Dwords& q : x.q)
    q = hn::Xor(hn::Sub(hn::Or(q, hn::Set(k_u32, 0x80808080u)), hn::Set(k_u32, 0x08080808u)),
                hn::Set(k_u32, 0x80808080u));
#else
  HWY_ALIGN static constexpr uint8_t k_less[16] = {0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff,
                                                   0,    1,    2,    3,    4,    5,    6,    7};
  const hn::Repartition<uint8_t, F32> bytes;
  const auto table = hn::LoadDup128(bytes, k_less);
  for (Dwords& q : x.q) q = hn::BitCast(k_u32, hn::TableLookupBytes(table, hn::BitCast(bytes, q)));
#endif
  return x;
}

// What the nibbles of MXFP4 stand for, signed.
HWY_INLINE Quads mxfp4_numbers(Quads x) {
#if HWY_TARGET == HWY_SCALAR
  static constexpr int8_t k_numbers[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  for (Dwords& q : x.q) {
    const uint32_t nibbles = hn::GetLane(q);
    uint32_t out = 0;
    for (int i = 0; i < 32; i += 8)
      out |= static_cast<uint32_t>(static_cast<uint8_t>(k_numbers[nibbles >> i & 15])) << i;
    q = hn::Set(k_u32, out);
  }
#else
  HWY_ALIGN static constexpr uint8_t k_numbers[16] = {0, 1,    2,    3,    4,    6,    8,    12,
                                                      0, 0xff, 0xfe, 0xfd, 0xfc, 0xfa, 0xf8, 0xf4};
  const hn::Repartition<uint8_t, F32> bytes;
  const auto table = hn::LoadDup128(bytes, k_numbers);
  for (Dwords& q : x.q) q = hn::BitCast(k_u32, hn::TableLookupBytes(table, hn::BitCast(bytes, q)));
#endif
  return x;
}

template <BlockType kBlocks>
struct BlockRows;

template <>
struct BlockRows<BlockType::q8_0> {
  static constexpr int64_t k_numbers = 32, k_bytes = 34;
  static HWY_INLINE void piece(const float* a, const std::byte* at, int64_t row, Sums& sums) {
    const std::byte* other = at + k_lanes * row;
    const Vec unit = hn::Set(k_f32, k_byte_unit);
    const Vec scale[2] = {hn::Mul(low_half(first_dwords(at, row)), unit),
                          hn::Mul(low_half(first_dwords(other, row)), unit)};
    sixteen(a, quads(at + 2, row), quads(other + 2, row), scale, sums);
    sixteen(a + 16, quads(at + 18, row), quads(other + 18, row), scale, sums);
  }
};

template <>
struct BlockRows<BlockType::q4_0> {
  static constexpr int64_t k_numbers = 32, k_bytes = 18;
  static HWY_INLINE void piece(const float* a, const std::byte* at, int64_t row, Sums& sums) {
    const std::byte* other = at + k_lanes * row;
    const Vec unit = hn::Set(k_f32, k_byte_unit);
    const Vec scale[2] = {hn::Mul(low_half(first_dwords(at, row)), unit),
                          hn::Mul(low_half(first_dwords(other, row)), unit)};
    const Quads x = quads(at + 2, row), y = quads(other + 2, row);
    sixteen(a, less_eight(low_nibbles(x)), less_eight(low_nibbles(y)), scale, sums);
    sixteen(a + 16, less_eight(high_nibbles(x)), less_eight(high_nibbles(y)), scale, sums);
  }
};

template <>
struct BlockRows<BlockType::mxfp4> {
  static constexpr int64_t k_numbers = 32, k_bytes = 17;
  static HWY_INLINE void piece(const float* a, const std::byte* at, int64_t row, Sums& sums) {
    const std::byte* other = at + k_lanes * row;
    const Vec scale[2] = {scale_of(first_dwords(at, row)), scale_of(first_dwords(other, row))};
    const Quads x = quads(at + 1, row), y = quads(other + 1, row);
    sixteen(a, mxfp4_numbers(low_nibbles(x)), mxfp4_numbers(low_nibbles(y)), scale, sums);
    sixteen(a + 16, mxfp4_numbers(high_nibbles(x)), mxfp4_numbers(high_nibbles(y)), scale, sums);
  }

 private:
  // mxfp4_scale of the first byte, of at least k_least_mxfp4_scale, times the unit of bytes: no factor of it
  // is lost below the least float.
  static HWY_INLINE Vec scale_of(Dwords x) {
    const auto byte = hn::And(x, hn::Set(k_u32, 0xffu));
    const auto exponent = hn::ShiftLeft<23>(hn::Sub(byte, hn::Set(k_u32, 1)));
    return hn::Mul(hn::BitCast(k_f32, exponent), hn::Set(k_f32, k_byte_unit));
  }
};

template <>
struct BlockRows<BlockType::q4_1> {
  static constexpr int64_t k_numbers = 32, k_bytes = 20;
  static HWY_INLINE void piece(const float* a, const std::byte* at, int64_t row, Sums& sums) {
    const std::byte* other = at + k_lanes * row;
    const Vec unit = hn::Set(k_f32, k_byte_unit);
    const Dwords d[2] = {first_dwords(at, row), first_dwords(other, row)};
    const Vec scale[2] = {hn::Mul(low_half(d[0]), unit), hn::Mul(low_half(d[1]), unit)};
    const Vec least[2] = {high_half(d[0]), high_half(d[1])};
    const Quads x = quads(at + 4, row), y = quads(other + 4, row);
    sixteen(a, low_nibbles(x), low_nibbles(y), scale, least, sums);
    sixteen(a + 16, high_nibbles(x), high_nibbles(y), scale, least, sums);
  }
};

template <>
struct BlockRows<BlockType::q4_k> {
  static constexpr int64_t k_numbers = 256, k_bytes = 144;
  static HWY_INLINE void piece(const float* a, const std::byte* at, int64_t row, Sums& sums) {
    HWY_ALIGN float scales[8 * k_row_group], mins[8 * k_row_group];
    for (int64_t r = 0; r < k_row_group; ++r) {
      const auto* block = reinterpret_cast<const unsigned char*>(at + r * row);
      for (int sub = 0; sub < 8; ++sub) {
        const ScaleAndMin pair = scale_of_q4_k(block + 4, sub);
        scales[sub * k_row_group + r] = pair.scale;
        mins[sub * k_row_group + r] = pair.min;
      }
    }
    const std::byte* other = at + k_lanes * row;
    const Vec unit = hn::Set(k_f32, k_byte_unit);
    const Dwords both[2] = {first_dwords(at, row), first_dwords(other, row)};
    const Vec d[2] = {hn::Mul(low_half(both[0]), unit), hn::Mul(low_half(both[1]), unit)};
    const Vec dmin[2] = {high_half(both[0]), high_half(both[1])};
    for (int sub = 0; sub < 8; ++sub) {
      Vec scale[2], least[2];
      for (int v = 0; v < 2; ++v) {
        scale[v] = hn::Mul(d[v], hn::Load(k_f32, scales + sub * k_row_group + v * k_lanes));
        least[v] = hn::Neg(hn::Mul(dmin[v], hn::Load(k_f32, mins + sub * k_row_group + v * k_lanes)));
      }
      for (int half = 0; half < 2; ++half) {
        const int64_t from = 16 + 32 * (sub / 2) + 16 * half;
        const Quads x = quads(at + from, row), y = quads(other + from, row);
        const float* factors = a + 32 * sub + 16 * half;
        if (sub % 2 == 0)
          sixteen(factors, low_nibbles(x), low_nibbles(y), scale, least, sums);
        else
          sixteen(factors, high_nibbles(x), high_nibbles(y), scale, least, sums);
      }
    }
  }
};

// ---- rows ------------------------------------------------------------------------------------------

template <class T>
struct RowsAs {
  using Type = PlainRows<T>;
};
template <BlockType kBlocks>
struct RowsAs<InBlocks<kBlocks>> {
  using Type = BlockRows<kBlocks>;
};

// What is asked for while rows are read: `bytes` of the next ones, from `next` on.
struct NextRows {
  const std::byte* next = nullptr;
  int64_t bytes = 0;
};

// Columns [n, n + k_row_group) of row m of C, which begin at c: the sums of one step of K, added to what c
// holds.
template <class T>
void rows_step(const float* a, const Stored<T>& b, int64_t n, int64_t k0, int64_t depth, NextRows soon,
               Sums& sums) {
  using Rows = typename RowsAs<T>::Type;
  const int64_t row = b.ld * static_cast<int64_t>(sizeof(T));
  const std::byte* first = reinterpret_cast<const std::byte*>(b.data) + n * row;
  const std::byte* at = first + k0 / Rows::k_numbers * Rows::k_bytes;
  constexpr int64_t k_each = (Rows::k_bytes * k_row_group + 63) / 64;  // lines that a piece reads
  int64_t k = 0;
  for (; k + Rows::k_numbers <= depth; k += Rows::k_numbers, at += Rows::k_bytes) {
    for (int64_t i = 0; i < k_each && soon.bytes > 0; ++i, soon.next += 64, soon.bytes -= 64)
      __builtin_prefetch(soon.next, 0, 2);
    Rows::piece(a + k, at, row, sums);
  }
  if constexpr (Rows::k_numbers <= 8) {  // plain numbers that fill no piece
    for (; k < depth; ++k) {
      HWY_ALIGN float numbers[k_row_group];
      for (int64_t r = 0; r < k_row_group; ++r) {
        T each;
        std::memcpy(static_cast<void*>(&each), first + r * row + (k0 + k) * static_cast<int64_t>(sizeof(T)),
                    sizeof each);
        if constexpr (sizeof(T) == 4)
          numbers[r] = each;
        else
          numbers[r] = to_float(each);
      }
      add(sums, a[k], hn::Load(k_f32, numbers), hn::Load(k_f32, numbers + k_lanes));
    }
  }
}

constexpr int64_t k_near_rows =
    192 * 1024;  // bytes of a group of rows that may wait in the second-level cache

/// A part of C of few rows (Matmul::Block::by_rows), step_k of K at once: nothing cut into heads, A stored
/// as it is meant, B transposed and of at least k_row_group rows.
template <class T>
void multiply_by_rows(const MatmulArgs& args, const float* a, const Stored<T>& b, const Part& part,
                      int64_t step_k) {
  float* const c = args.c + part.item * args.batch_c + part.m * args.ldc + part.n;
  const int64_t group_bytes = k_row_group * b.ld * static_cast<int64_t>(sizeof(T));
  for (int64_t i = 0; i < part.columns; i += k_row_group) {
    // The last rows of B may be too few: then some before them are read once more, and dropped.
    const int64_t n = std::min(part.n + i, args.n - k_row_group), skipped = part.n + i - n;
    const int64_t columns = std::min(k_row_group - skipped, part.columns - i);
    NextRows soon;
    if (group_bytes <= k_near_rows && i + 2 * k_row_group <= part.columns)
      soon = {reinterpret_cast<const std::byte*>(b.data) + (n + k_row_group) * (group_bytes / k_row_group),
              group_bytes};
    for (int64_t r = 0; r < part.rows; ++r, soon = {}) {
      float* const to = c + r * args.ldc + i;
      HWY_ALIGN float total[k_row_group];
      if (args.accumulate) std::copy_n(to, columns, total + skipped);
      NextRows left = soon;
      for (int64_t k = 0; k < args.k; k += step_k) {
        Sums sums{{hn::Zero(k_f32), hn::Zero(k_f32)}};
        const int64_t depth = std::min(step_k, args.k - k);
        left.bytes = soon.bytes * depth / std::max<int64_t>(1, args.k);
        rows_step(a + r * args.lda + k, b, n, k, depth, left, sums);
        left.next += left.bytes;
        for (int v = 0; v < k_row_vecs; ++v) {
          float* const whole = total + v * k_lanes;
          if (k > 0 || args.accumulate) sums.at[v] = hn::Add(hn::Load(k_f32, whole), sums.at[v]);
          hn::Store(sums.at[v], k_f32, whole);
        }
      }
      if (args.k == 0 && !args.accumulate) std::fill_n(total, k_row_group, 0.f);
      std::copy_n(total + skipped, columns, to);
    }
  }
  if (has_finish(args)) finish(args, part, c, args.ldc);
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_MATMUL_ROWS_INL_H_
