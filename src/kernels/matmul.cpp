#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul.cpp"
#include "hwy/foreach_target.h"
//
#include <algorithm>
#include <cstring>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/isa.h"
#include "kernels/math-inl.h"
#include "kernels/matmul.h"
#include "kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

// A panel of B (step_k x k_width) stays in the first-level cache while a block of A passes over it: 32 KiB
// of 48 with AVX-512, 16 KiB of 32 elsewhere.
constexpr int64_t k_step_k = HWY_TARGET == HWY_AVX3 ? 128 : 256;

// A as it lies in scratch, in its own storage order, rows pitch_a apart (off the powers of two, where the
// rows of a tile would share a cache set).
void pack_a(const Matmul::Block& block, int64_t k0, int64_t depth, float* HWY_RESTRICT to) {
  const int64_t rows = block.transpose_a ? depth : block.m, columns = block.transpose_a ? block.m : depth;
  const float* from = block.a + k0 * (block.transpose_a ? block.lda : 1);
  for (int64_t r = 0; r < rows; ++r, from += block.lda, to += block.pitch_a) {
    int64_t c = 0;
    for (; c + k_lanes <= columns; c += k_lanes) hn::StoreU(hn::LoadU(k_f32, from + c), k_f32, to + c);
    for (; c < columns; ++c) to[c] = from[c];
  }
}

// One panel of B as it lies in scratch: columns [n0, n0 + columns) as rows of k_width, zeros beyond the last.
void pack_panel(const Matmul::Block& block, int64_t k0, int64_t depth, int64_t n0, int64_t columns,
                float* HWY_RESTRICT to) {
  if (block.transpose_b) {
    transpose(columns, depth, block.b + n0 * block.ldb + k0, block.ldb, to, k_width);
  } else {
    const float* from = block.b + k0 * block.ldb + n0;
    for (int64_t p = 0; p < depth; ++p, from += block.ldb) {
      if (columns == k_width) {
        for (int v = 0; v < k_max_vecs; ++v) {
          hn::StoreU(hn::LoadU(k_f32, from + v * k_lanes), k_f32, to + p * k_width + v * k_lanes);
        }
      } else {
        std::memcpy(to + p * k_width, from, sizeof(float) * columns);
      }
    }
  }
  const int64_t filled = vecs_for(columns) * k_lanes;
  for (int64_t p = 0; p < depth && columns < filled; ++p) {
    std::fill(to + p * k_width + columns, to + p * k_width + filled, 0.f);
  }
}

// Asks for part `i` of `n` of a rectangle, line by line.
void prefetch(const float* from, int64_t pitch, int64_t rows, int64_t columns, int64_t i, int64_t n) {
  for (int64_t r = rows * i / n; r < rows * (i + 1) / n; ++r) {
    for (int64_t c = 0; c < columns; c += 16) hwy::Prefetch(from + r * pitch + c);
  }
}

// While one step of k is multiplied, the next one's operands are fetched (part i of n): their rows are too
// short and too far apart for the hardware to foresee.
void prefetch_step(const Matmul::Block& block, int64_t k0, int64_t i, int64_t n) {
  const int64_t depth = std::min(block.step_k, block.k - k0);
  if (depth <= 0) return;
  if (block.transpose_a) {
    prefetch(block.a + k0 * block.lda, block.lda, depth, block.m, i, n);
  } else {
    prefetch(block.a + k0, block.lda, block.m, depth, i, n);
  }
  if (block.transpose_b) {
    prefetch(block.b + k0, block.ldb, block.n, depth, i, n);
  } else {
    prefetch(block.b + k0 * block.ldb, block.ldb, depth, block.n, i, n);
  }
}

// C through a whole-width tile of scratch, for the last columns when they do not fill a vector.
void tile_rows_edge(int64_t rows, int64_t columns, bool transposed, TileArgs t, float* HWY_RESTRICT edge) {
  float* const c = t.c;
  const int64_t ldc = t.ldc;
  const int vecs = vecs_for(columns);
  if (t.add) {
    for (int64_t r = 0; r < rows; ++r) {
      std::memcpy(edge + r * k_width, c + r * ldc, sizeof(float) * columns);
      std::fill(edge + r * k_width + columns, edge + r * k_width + vecs * k_lanes, 0.f);
    }
  }
  t.c = edge;
  t.ldc = k_width;
  tile_for(static_cast<int>(rows), vecs, transposed)(t);
  for (int64_t r = 0; r < rows; ++r) std::memcpy(c + r * ldc, edge + r * k_width, sizeof(float) * columns);
}

void add_bias(int64_t rows, int64_t columns, const float* HWY_RESTRICT bias, float* HWY_RESTRICT c,
              int64_t ldc) {
  for (int64_t r = 0; r < rows; ++r, c += ldc) {
    int64_t i = 0;
    for (; i + k_lanes <= columns; i += k_lanes) {
      hn::StoreU(hn::Add(hn::LoadU(k_f32, c + i), hn::LoadU(k_f32, bias + i)), k_f32, c + i);
    }
    for (; i < columns; ++i) c[i] += bias[i];
  }
}

// Few rows: each number of B is used once or little more, so B is read where it is, whole rows at a time (a
// machine foresees those), and C waits in the first-level cache.  Four steps of k at once, in order.
template <int kSteps>
void thin_steps(const Matmul::Block& block, int64_t k0) {
  const float* b = block.b + k0 * block.ldb;
  const int64_t ldb = block.ldb, step = block.transpose_a ? block.lda : 1;
  for (int64_t r = 0; r < block.m; ++r) {
    const float* a = block.a + r * (block.transpose_a ? 1 : block.lda) + k0 * step;
    float* HWY_RESTRICT c = block.c + r * block.ldc;
    Vec factor[kSteps];
    for (int j = 0; j < kSteps; ++j) factor[j] = set(a[j * step]);
    int64_t i = 0;
    for (; i + k_lanes <= block.n; i += k_lanes) {
      Vec sum = hn::LoadU(k_f32, c + i);
      for (int j = 0; j < kSteps; ++j) sum = hn::MulAdd(factor[j], hn::LoadU(k_f32, b + j * ldb + i), sum);
      hn::StoreU(sum, k_f32, c + i);
    }
    if (const int64_t left = block.n - i; left > 0) {
      Vec sum = load(c + i, left);
      for (int j = 0; j < kSteps; ++j) sum = hn::MulAdd(factor[j], load(b + j * ldb + i, left), sum);
      store(sum, c + i, left);
    }
  }
}

void multiply_thin(const Matmul::Block& block) {
  for (int64_t r = 0; r < block.m && !block.accumulate; ++r) {
    std::fill_n(block.c + r * block.ldc, block.n, 0.f);
  }
  int64_t k0 = 0;
  for (; k0 + 4 <= block.k; k0 += 4) thin_steps<4>(block, k0);
  for (; k0 < block.k; ++k0) thin_steps<1>(block, k0);
  if (block.bias) add_bias(block.m, block.n, block.bias, block.c, block.ldc);
}

void multiply(const Matmul::Block& block, float* HWY_RESTRICT scratch) {
  if (block.m < k_rows && !block.transpose_b) {
    multiply_thin(block);
    return;
  }
  float* const edge = scratch;
  float* const a = edge + k_rows * k_width;
  float* const b = a + (block.transpose_a ? block.step_k : block.m) * block.pitch_a;
  const int64_t tiles = ((block.n + k_width - 1) / k_width) * ((block.m + k_rows - 1) / k_rows);

  for (int64_t k0 = 0; k0 == 0 || k0 < block.k; k0 += block.step_k) {  // once for k = 0: it writes C
    const int64_t depth = std::min(block.step_k, block.k - k0);
    pack_a(block, k0, depth, a);
    const bool last = k0 + block.step_k >= block.k;
    int64_t tile_index = 0;
    for (int64_t n0 = 0; n0 < block.n; n0 += k_width) {
      const int64_t columns = std::min(k_width, block.n - n0);
      const bool whole = columns % k_lanes == 0;
      TileArgs t{};
      t.k = depth;
      t.lda = block.pitch_a;
      pack_panel(block, k0, depth, n0, columns, b);
      t.b = b;
      t.ldb = k_width;
      t.ldc = block.ldc;
      t.add = k0 > 0 || block.accumulate;
      for (int64_t m0 = 0; m0 < block.m; m0 += k_rows) {
        const int64_t rows = std::min<int64_t>(k_rows, block.m - m0);
        prefetch_step(block, k0 + block.step_k, tile_index++, tiles);
        t.a = a + m0 * (block.transpose_a ? 1 : block.pitch_a);
        t.c = block.c + m0 * block.ldc + n0;
        if (whole) {
          tile_for(static_cast<int>(rows), vecs_for(columns), block.transpose_a)(t);
        } else {
          tile_rows_edge(rows, columns, block.transpose_a, t, edge);
        }
        if (last && block.bias) add_bias(rows, columns, block.bias + n0, t.c, block.ldc);
      }
    }
  }
}

Matmul::Run matmul_target(int64_t* lanes, int64_t* width, int64_t* step_k) {
  *lanes = k_lanes;
  *width = k_width;
  *step_k = k_step_k;
  return multiply;
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limpid::kernels {
namespace {

HWY_EXPORT(matmul_target);

constexpr int64_t k_strip = 6;
constexpr int64_t k_few_tasks = 8;  // as many tasks as this are wanted, so that every thread has work,
constexpr int64_t k_small_task = 256 * 1024;  // unless a task has fewer multiply-adds than this (10 us)

int64_t round_up(int64_t value, int64_t step) { return (value + step - 1) / step * step; }
int64_t parts(int64_t total, int64_t part) { return (total + part - 1) / part; }

}  // namespace

Matmul::Matmul(const MatmulArgs& args) : args_(args) {
  choose_isa();
  run_ = HWY_DYNAMIC_DISPATCH(matmul_target)(&lanes_, &width_, &step_k_);
  // Steps of equal depth, none above 3/2 of what the caches like best.
  step_k_ = std::max<int64_t>(1, parts(args_.k, std::max<int64_t>(1, (args_.k + step_k_ / 2 - 1) / step_k_)));
  divide();
}

// Blocks of C: large, so that what is packed is used often (a block's share of A and B is what the
// second-level cache holds), yet enough of them to go round.
void Matmul::divide() {
  if (args_.m == 0 || args_.n == 0) return;
  const int64_t most_m = round_up(std::max<int64_t>(48, 40 * 1024 / step_k_), k_strip);
  const int64_t most_n = round_up(std::max<int64_t>(width_, 48 * 1024 / step_k_), width_);
  const auto even = [](int64_t total, int64_t most, int64_t step) {
    return std::min(total, round_up(parts(total, parts(total, std::min(most, total))), step));
  };
  block_m_ = even(args_.m, std::min<int64_t>(most_m, 384), k_strip);
  block_n_ = even(args_.n, std::min<int64_t>(most_n, 512), width_);
  const auto count = [&] { return args_.batch * parts(args_.m, block_m_) * parts(args_.n, block_n_); };
  while (count() < k_few_tasks && block_m_ * block_n_ * args_.k > k_small_task) {
    const bool can_m = block_m_ > 4 * k_strip, can_n = block_n_ > width_;
    if (!can_m && !can_n) break;
    const bool rows = can_m && (!can_n || block_m_ >= block_n_);
    int64_t& block = rows ? block_m_ : block_n_;
    block = even(block, (block + 1) / 2, rows ? k_strip : width_);
  }
  blocks_m_ = parts(args_.m, block_m_);
  blocks_n_ = parts(args_.n, block_n_);
  const int64_t edge = k_strip * width_;
  pitch_a_ = round_up(args_.transpose_a ? block_m_ : step_k_, 16) + 16;
  const int64_t a = (args_.transpose_a ? step_k_ : block_m_) * pitch_a_, b = width_ * step_k_;
  scratch_ = static_cast<int64_t>(sizeof(float)) * (edge + a + b + 64);
}

void Matmul::run(int64_t task, std::byte* scratch) const noexcept {
  // Neighbouring tasks share their rows of A.
  const int64_t n0 = task % blocks_n_ * block_n_;
  const int64_t m0 = task / blocks_n_ % blocks_m_ * block_m_;
  const int64_t item = task / blocks_n_ / blocks_m_;
  const MatmulArgs& args = args_;
  Block block{};
  block.a = args.a + item * args.batch_a + m0 * (args.transpose_a ? 1 : args.lda);
  block.b = args.b + item * args.batch_b + n0 * (args.transpose_b ? args.ldb : 1);
  block.c = args.c + item * args.batch_c + m0 * args.ldc + n0;
  block.bias = args.bias ? args.bias + n0 : nullptr;
  block.m = std::min(block_m_, args.m - m0);
  block.n = std::min(block_n_, args.n - n0);
  block.k = args.k;
  block.lda = args.lda;
  block.ldb = args.ldb;
  block.ldc = args.ldc;
  block.step_k = step_k_;
  block.pitch_a = pitch_a_;
  block.transpose_a = args.transpose_a;
  block.transpose_b = args.transpose_b;
  block.accumulate = args.accumulate;
  run_(block, reinterpret_cast<float*>(scratch));
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE
