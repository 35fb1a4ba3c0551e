// Products of fewer rows than a register tile has: each number of B is used once or little more, so what
// counts is to read B at the speed of memory.  B is read where it is, whole rows at a time, the next ones
// asked for ahead; C waits in the first-level cache.
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

// C[kM, n] += A[kM, kSteps] B[kSteps, n], the steps in order.
template <int kM, int kSteps, class T>
void thin_steps(const float* a, int64_t a_row, int64_t a_step, const T* HWY_RESTRICT b, int64_t ldb,
                float* HWY_RESTRICT c, int64_t ldc, int64_t n, bool more) {
  Vec factor[kM][kSteps];
  for (int r = 0; r < kM; ++r) {
    for (int j = 0; j < kSteps; ++j) factor[r][j] = set(a[r * a_row + j * a_step]);
  }
  const auto columns = [&](int64_t i, auto load_b, auto load_c, auto store_c) {
    Vec sum[kM];
#pragma GCC unroll 5
    for (int r = 0; r < kM; ++r) sum[r] = load_c(c + r * ldc + i);
#pragma GCC unroll 8
    for (int j = 0; j < kSteps; ++j) {
      const Vec x = load_b(b + j * ldb + i);
#pragma GCC unroll 5
      for (int r = 0; r < kM; ++r) sum[r] = hn::MulAdd(factor[r][j], x, sum[r]);
    }
#pragma GCC unroll 5
    for (int r = 0; r < kM; ++r) store_c(sum[r], c + r * ldc + i);
  };
  int64_t i = 0;
  for (; i + k_lanes <= n; i += k_lanes) {
    if (more) {
#pragma GCC unroll 8
      for (int j = 0; j < kSteps; ++j) ask(b + (kSteps + j) * ldb + i);
    }
    columns(
        i, [](const T* p) { return load_f32(p); }, [](const float* p) { return hn::LoadU(k_f32, p); },
        [](Vec x, float* p) { hn::StoreU(x, k_f32, p); });
  }
  if (const int64_t left = n - i; left > 0) {
    columns(
        i, [=](const T* p) { return load_f32(p, left); }, [=](const float* p) { return load(p, left); },
        [=](Vec x, float* p) { store(x, p, left); });
  }
}

template <int kM, class T>
void thin_rows(const MatmulArgs& args, const float* a, const Stored<T>& b, const Part& part, float* c) {
  constexpr int k_steps = kM <= 2 ? 8 : 4;
  const int64_t a_row = args.transpose_a ? 1 : args.lda, a_step = args.transpose_a ? args.lda : 1;
  const T* from = b.at(0, part.n);
  int64_t p = 0;
  for (; p + k_steps <= args.k; p += k_steps) {
    thin_steps<kM, k_steps>(a + p * a_step, a_row, a_step, from + p * b.ld, b.ld, c, args.ldc, part.columns,
                            p + 2 * k_steps <= args.k);
  }
  for (; p < args.k; ++p) {
    thin_steps<kM, 1>(a + p * a_step, a_row, a_step, from + p * b.ld, b.ld, c, args.ldc, part.columns, false);
  }
}

/// Whether a part of C is for multiply_thin: few rows, nothing cut into heads, B stored as it is meant.
inline bool is_thin(const MatmulArgs& args, int64_t rows) {
  const auto cut = [](const Heads& h) { return h.rows || h.columns; };
  return rows < k_rows && !args.transpose_b && !cut(args.a_heads) && !cut(args.b_heads) && !cut(args.c_heads);
}

template <class T>
void multiply_thin(const MatmulArgs& args, const float* a, const Stored<T>& b, const Part& part) {
  float* c = args.c + part.item * args.batch_c + part.m * args.ldc + part.n;
  for (int64_t r = 0; r < part.rows && !args.accumulate; ++r)
    std::fill_n(c + r * args.ldc, part.columns, 0.f);
  switch (part.rows) {
    case 1:
      thin_rows<1>(args, a, b, part, c);
      break;
    case 2:
      thin_rows<2>(args, a, b, part, c);
      break;
    case 3:
      thin_rows<3>(args, a, b, part, c);
      break;
    case 4:
      thin_rows<4>(args, a, b, part, c);
      break;
    default:
      thin_rows<5>(args, a, b, part, c);
  }
  if (has_finish(args)) finish(args, part, c, args.ldc);
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_MATMUL_THIN_INL_H_
