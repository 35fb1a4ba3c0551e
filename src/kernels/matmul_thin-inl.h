// Products of few rows: each number of B is used so seldom that what counts is to read B at the speed of
// memory.  Some whole rows of B are read at a time, where they are; if they come from memory, the next ones
// are asked for meanwhile.  More rows of C than a register tile has are summed up in groups of tiles: the
// first group keeps a copy of a strip of B, in the first-level cache, for the others.  C waits in the caches.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_MATMUL_THIN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_MATMUL_THIN_INL_H_
#undef LIMPID_KERNELS_MATMUL_THIN_INL_H_
#else
#define LIMPID_KERNELS_MATMUL_THIN_INL_H_
#endif

#include "kernels/matmul_finish-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

/// Asks for a line of memory, to be kept in the second-level cache.
HWY_INLINE void ask(const void* line) { __builtin_prefetch(line, 0, 2); }

// C[kM, kV vectors] += A[kM, steps] B[steps, ...], the steps in order.
template <int kM, int kV, class LoadB, class LoadC, class StoreC>
HWY_INLINE void thin_tile(const float* HWY_RESTRICT a, int64_t a_row, int64_t a_step, int64_t steps,
                          LoadB load_b, LoadC load_c, StoreC store_c) {
  Vec sum[kM][kV];
#pragma GCC unroll 6
  for (int r = 0; r < kM; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) sum[r][v] = load_c(r, v);
  }
  for (int64_t p = 0; p < steps; ++p, a += a_step) {
    Vec column[kV];
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) column[v] = load_b(p, v);
#pragma GCC unroll 6
    for (int r = 0; r < kM; ++r) {
      const Vec row = hn::Set(k_f32, a[r * a_row]);
#pragma GCC unroll 4
      for (int v = 0; v < kV; ++v) sum[r][v] = hn::MulAdd(row, column[v], sum[r][v]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kM; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kV; ++v) store_c(sum[r][v], r, v);
  }
}

// What of B is asked for while some of its rows are read.
constexpr int64_t k_along = 256;  // bytes
enum class Ask {
  nothing,
  next,   // B's lines `ahead` numbers further on, all at once
  along,  // the lines of these rows that come soon, for once: past the second-level cache
};

// thin_tile for whole lines of columns, everything of A in registers: for so few rows that memory is waited
// for.  Returns how many columns it has done.
template <int kM, int kV, int kSteps, Ask kAsk, class T>
int64_t thin_lines(const float* a, int64_t a_row, int64_t a_step, const T* HWY_RESTRICT b, int64_t ldb,
                   float* HWY_RESTRICT c, int64_t ldc, int64_t n, int64_t ahead) {
  Vec factor[kM][kSteps];
  for (int r = 0; r < kM; ++r) {
    for (int j = 0; j < kSteps; ++j) factor[r][j] = set(a[r * a_row + j * a_step]);
  }
  int64_t i = 0;
  for (; i + kV * k_lanes <= n; i += kV * k_lanes) {
#pragma GCC unroll 8
    for (int j = 0; j < kSteps && kAsk == Ask::next; ++j) ask(b + ahead + j * ldb + i);
#pragma GCC unroll 8
    for (int j = 0; j < kSteps && kAsk == Ask::along; ++j)
      __builtin_prefetch(b + k_along / static_cast<int64_t>(sizeof(T)) + j * ldb + i, 0, 0);
    Vec sum[kM][kV];
#pragma GCC unroll 5
    for (int r = 0; r < kM; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kV; ++v) sum[r][v] = hn::LoadU(k_f32, c + r * ldc + i + v * k_lanes);
    }
#pragma GCC unroll 8
    for (int j = 0; j < kSteps; ++j) {
#pragma GCC unroll 4
      for (int v = 0; v < kV; ++v) {
        const Vec x = load_f32(b + j * ldb + i + v * k_lanes);
#pragma GCC unroll 5
        for (int r = 0; r < kM; ++r) sum[r][v] = hn::MulAdd(factor[r][j], x, sum[r][v]);
      }
    }
#pragma GCC unroll 5
    for (int r = 0; r < kM; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kV; ++v) hn::StoreU(sum[r][v], k_f32, c + r * ldc + i + v * k_lanes);
    }
  }
  return i;
}

// One row: eight rows of B are read side by side.  Near ones come fastest if they are not asked for (768 x
// 768 on one thread: 26 us; 32 us asked for).  Of far ones the next eight are asked for, which has more of
// them on the way than the hardware would (768 x 50304 on one thread: 5.0 ms; 6.2 ms not asked for).
constexpr int64_t k_row_steps = 8, k_long_row = 8192;

template <class T>
int64_t thin_row(const float* a, int64_t a_step, const T* b, int64_t ldb, float* c, int64_t n,
                 int64_t ahead) {
  constexpr int k_line = std::max(1, static_cast<int>(64 / (k_lanes * static_cast<int>(sizeof(T)))));
  constexpr int k_vecs = std::min(4, k_line);
  if (ahead == 0) return thin_lines<1, k_vecs, k_row_steps, Ask::nothing>(a, 0, a_step, b, ldb, c, 0, n, 0);
  // AVX2, long rows that do not meet in the first-level cache: 768 x 50304 5.8 ms, 7.0 asking for the next.
  if (HWY_TARGET == HWY_AVX2 && n >= k_long_row && ldb * static_cast<int64_t>(sizeof(T)) % 4096 != 0)
    return thin_lines<1, k_vecs, k_row_steps, Ask::along>(a, 0, a_step, b, ldb, c, 0, n, 0);
  return thin_lines<1, k_vecs, k_row_steps, Ask::next>(a, 0, a_step, b, ldb, c, 0, n, ahead);
}

// kM rows, n columns; the lines of B that are `ahead` numbers further on are asked for (0: none).
template <int kM, class T>
void thin_steps(const float* a, int64_t a_row, int64_t a_step, int64_t steps, const T* HWY_RESTRICT b,
                int64_t ldb, float* HWY_RESTRICT c, int64_t ldc, int64_t n, int64_t ahead) {
  constexpr int k_held = kM <= 2 ? 8 : 4;  // steps
  int64_t i = 0;
  if constexpr (kM == 1) {
    if (steps == k_row_steps) i = thin_row(a, a_step, b, ldb, c, n, ahead);
  } else if constexpr (HWY_TARGET == HWY_AVX3 && kM <= 4) {
    if (steps == k_held) i = thin_lines<kM, 1, k_held, Ask::next>(a, a_row, a_step, b, ldb, c, ldc, n, ahead);
  }
  const auto tile = [&](const auto& load_b) {
    thin_tile<kM, k_max_vecs>(
        a, a_row, a_step, steps, load_b,
        [&](int r, int v) { return hn::LoadU(k_f32, c + r * ldc + i + v * k_lanes); },
        [&](Vec x, int r, int v) { hn::StoreU(x, k_f32, c + r * ldc + i + v * k_lanes); });
  };
  for (; i + k_width <= n; i += k_width) {
    if (ahead > 0) {
      tile([&](int64_t p, int v) {
        const T* from = b + p * ldb + i + v * k_lanes;
        if (k_lanes * sizeof(T) >= 64 || v % (64 / (k_lanes * sizeof(T))) == 0) ask(from + ahead);
        return load_f32(from);
      });
    } else {
      tile([&](int64_t p, int v) { return load_f32(b + p * ldb + i + v * k_lanes); });
    }
  }
  for (; i < n; i += k_lanes) {
    const int64_t left = n - i;
    thin_tile<kM, 1>(
        a, a_row, a_step, steps, [&](int64_t p, int) { return load_f32(b + p * ldb + i, left); },
        [&](int r, int) { return load(c + r * ldc + i, left); },
        [&](Vec x, int r, int) { store(x, c + r * ldc + i, left); });
  }
}

template <class T>
void thin_rows(int64_t rows, const float* a, int64_t a_row, int64_t a_step, int64_t steps, const T* b,
               int64_t ldb, float* c, int64_t ldc, int64_t n, int64_t ahead) {
  switch (rows) {
    case 1:
      return thin_steps<1>(a, a_row, a_step, steps, b, ldb, c, ldc, n, ahead);
    case 2:
      return thin_steps<2>(a, a_row, a_step, steps, b, ldb, c, ldc, n, ahead);
    case 3:
      return thin_steps<3>(a, a_row, a_step, steps, b, ldb, c, ldc, n, ahead);
    case 4:
      return thin_steps<4>(a, a_row, a_step, steps, b, ldb, c, ldc, n, ahead);
    case 5:
      return thin_steps<5>(a, a_row, a_step, steps, b, ldb, c, ldc, n, ahead);
    default:
      return thin_steps<6>(a, a_row, a_step, steps, b, ldb, c, ldc, n, ahead);
  }
}

// ---- several groups of rows ------------------------------------------------------------------------------

constexpr int64_t k_strip_steps = 64;  // at most
constexpr int64_t k_soon_columns = 2 * k_width;
constexpr bool k_narrow = k_width <= 16;  // strips

// A strip of B, k_width columns: the first group of rows reads it from where it is, asks for the one that is
// `ahead` numbers further on, and keeps it in the first-level cache for the others.
template <class T>
struct Strip {
  const T* b;
  int64_t ldb, ahead;
  float* kept;
  bool first;
};

template <int kM, class T>
void strip_tile(const float* HWY_RESTRICT a, int64_t steps, const Strip<T>& strip, float* HWY_RESTRICT c,
                int64_t ldc) {
  const auto load_c = [&](int r, int v) { return hn::LoadU(k_f32, c + r * ldc + v * k_lanes); };
  const auto store_c = [&](Vec x, int r, int v) { hn::StoreU(x, k_f32, c + r * ldc + v * k_lanes); };
  float* HWY_RESTRICT kept = strip.kept;
  if (strip.first) {
    const T* HWY_RESTRICT b = strip.b;
    const int64_t ldb = strip.ldb, ahead = strip.ahead;
    const auto keep_b = [&](int64_t p, int v) {
      const T* from = b + p * ldb + v * k_lanes;
      if (k_lanes * sizeof(T) >= 64 || v % (64 / (k_lanes * sizeof(T))) == 0) ask(from + ahead);
      const Vec x = load_f32(from);
      hn::Store(x, k_f32, kept + p * k_width + v * k_lanes);
      return x;
    };
    thin_tile<kM, k_max_vecs>(a, k_strip_steps, 1, steps, keep_b, load_c, store_c);
  } else {
    const auto load_b = [&](int64_t p, int v) { return hn::Load(k_f32, kept + p * k_width + v * k_lanes); };
    thin_tile<kM, k_max_vecs>(a, k_strip_steps, 1, steps, load_b, load_c, store_c);
  }
}

template <class T>
void strip_rows(int64_t rows, const float* a, int64_t steps, const Strip<T>& strip, float* c, int64_t ldc) {
  static constexpr decltype(&strip_tile<1, T>) k_tiles[k_rows] = {strip_tile<1, T>, strip_tile<2, T>,
                                                                  strip_tile<3, T>, strip_tile<4, T>,
                                                                  strip_tile<5, T>, strip_tile<6, T>};
  k_tiles[rows - 1](a, steps, strip, c, ldc);
}

// A part of C while it is summed up, its rows in groups of at most `high`.
template <class T>
struct ThinPart {
  const float* a;
  int64_t a_row, a_step;
  const T* b;
  int64_t ldb;
  float* c;
  int64_t ldc;
  int64_t rows, high, columns;
};

// Narrow strips ask for the next but one of these rows, at the end for those of the next rows: lines close
// together, which the hardware goes on with.
inline int64_t strip_ahead(int64_t n, int64_t columns, int64_t ahead) {
  if (!k_narrow) return ahead;
  if (n + k_soon_columns < columns) return k_soon_columns;
  return ahead > 0 ? ahead + k_soon_columns - columns : 0;
}

// Steps [p, p + steps) of all rows, in whole strips; returns how many columns it has done.
template <class T>
int64_t thin_strips(const ThinPart<T>& part, int64_t p, int64_t steps, int64_t ahead) {
  HWY_ALIGN float kept[k_strip_steps * k_width], factors[k_most_thin * k_strip_steps];
  for (int64_t r = 0; r < part.rows; ++r) {
    const float* a = part.a + r * part.a_row + p * part.a_step;
    for (int64_t i = 0; i < steps; ++i) factors[r * k_strip_steps + i] = a[i * part.a_step];
  }
  int64_t n = 0;
  for (; n + k_width <= part.columns; n += k_width) {
    Strip<T> strip{part.b + p * part.ldb + n, part.ldb, strip_ahead(n, part.columns, ahead), kept, true};
    for (int64_t r = 0; r < part.rows; r += part.high, strip.first = false)
      strip_rows(std::min(part.high, part.rows - r), factors + r * k_strip_steps, steps, strip,
                 part.c + r * part.ldc + n, part.ldc);
  }
  return n;
}

// ---- a part of C -----------------------------------------------------------------------------------------

// How many rows of B at once: the more rows C has, the longer it is kept away from for each visit.
constexpr int64_t thin_steps_at_once(int64_t rows) {
  if (rows == 1) return k_row_steps;
  if (HWY_TARGET != HWY_AVX3) return rows <= k_few_thin ? 8 : 64;
  return rows <= 2 ? 8 : rows <= 4 ? 4 : rows <= k_few_thin ? 16 : 32;
}
static_assert(thin_steps_at_once(k_few_thin + 1) <= k_strip_steps &&
              thin_steps_at_once(k_most_thin) <= k_strip_steps);

template <class T>
void thin_sums(const ThinPart<T>& part, int64_t depth, bool far) {
  // Narrow strips always pay, wide ones where B is near (16 rows x 4096 x 4096: AVX2 6.7 ms with them, 10
  // without; AVX-512 7.0 and 5.9).
  const bool in_strips = part.rows > k_few_thin && (k_narrow || !far);
  for (int64_t p = 0, steps; p < depth; p += steps) {
    steps = std::min(thin_steps_at_once(part.rows), depth - p);
    const int64_t ahead = p + 2 * steps <= depth && (far || part.rows > 1) ? steps * part.ldb : 0;
    const int64_t n = in_strips ? thin_strips(part, p, steps, ahead) : 0;
    for (int64_t r = 0; r < part.rows && n < part.columns; r += part.high) {
      thin_rows(std::min(part.high, part.rows - r), part.a + r * part.a_row + p * part.a_step, part.a_row,
                part.a_step, steps, part.b + p * part.ldb + n, part.ldb, part.c + r * part.ldc + n, part.ldc,
                part.columns - n, ahead);
    }
  }
}

constexpr int64_t k_page = 4096;       // bytes
constexpr int64_t k_apart_steps = 64;  // fewer steps of K than these do not pay for a copy of C

// The first line of scratch half a page from b, counted within a page.
inline float* half_a_page_from(const void* b, float* scratch) {
  const uintptr_t way = reinterpret_cast<uintptr_t>(b) + k_page / 2 - reinterpret_cast<uintptr_t>(scratch);
  return scratch + way % k_page / 64 * 16;
}

/// A part of C of few rows (Matmul::Block::thin), step_k of K at once: nothing cut into heads, B stored as it
/// is meant.  far: B comes from memory.  scratch: thin_scratch numbers.
template <class T>
void multiply_thin(const MatmulArgs& args, const float* a, const Stored<T>& b, const Part& part,
                   int64_t step_k, bool far, float* scratch) {
  float* const whole = args.c + part.item * args.batch_c + part.m * args.ldc + part.n;
  const T* const from = b.at(0, part.n);
  // A load from where a store not yet done lies, but for a multiple of 4 KiB, waits for it: C is kept apart,
  // half a page from B's rows, while it is summed up (4 x 768 x 3072: 0.20 ms where it was 0.27 to 0.45,
  // depending on where C lay).
  const bool apart = args.k >= k_apart_steps || args.accumulate;
  float* const c = apart ? half_a_page_from(from, scratch) : whole;
  const int64_t ldc = apart ? thin_pitch(part.columns) : args.ldc;
  const int64_t a_row = args.transpose_a ? 1 : args.lda, a_step = args.transpose_a ? args.lda : 1;
  const int64_t groups = (part.rows + k_rows - 1) / k_rows, high = (part.rows + groups - 1) / groups;
  for (int64_t k = 0; k < std::max<int64_t>(1, args.k); k += step_k) {
    for (int64_t r = 0; r < part.rows; ++r) std::fill_n(c + r * ldc, part.columns, 0.f);
    const ThinPart<T> step{a + k * a_step, a_row, a_step,      from + k * b.ld, b.ld, c, ldc,
                           part.rows,      high,  part.columns};
    thin_sums(step, std::min(step_k, args.k - k), far);
    for (int64_t r = 0; r < part.rows && (k > 0 || args.accumulate); ++r)  // the steps before
      for (int64_t i = 0; i < part.columns; ++i) c[r * ldc + i] = whole[r * args.ldc + i] + c[r * ldc + i];
    for (int64_t r = 0; r < part.rows && k + step_k < args.k; ++r)
      std::copy_n(c + r * ldc, part.columns, whole + r * args.ldc);
  }
  if (has_finish(args)) finish(args, part, c, ldc);
  for (int64_t r = 0; r < part.rows && apart; ++r)
    std::copy_n(c + r * ldc, part.columns, whole + r * args.ldc);
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_MATMUL_THIN_INL_H_
