#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul.cpp"
#include "hwy/foreach_target.h"
//
#include <algorithm>

#include "hwy/highway.h"
#include "kernels/isa.h"
#include "kernels/matmul.h"
#include "kernels/matmul_thin-inl.h"
#include "kernels/matmul_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_AVX3
constexpr int64_t k_step_k = 1024;  // a panel is 256 KiB
#else
constexpr int64_t k_step_k = 512;
#endif
// Columns of a panel: some tiles wide where a tile is narrow, so that lines of A and of B serve more than
// one.
constexpr int64_t k_panel = k_width * std::max<int64_t>(1, 64 / k_width);

// Up to so many rows, B is read where it is.  More pay for packing: later where B's rows begin on whole lines
// and do not meet in few sets of the cache (128 x 768 x 50304: 83% of peak instead of 80%; 113 x 267 x 1030:
// 67% instead of 86%).
constexpr int64_t few_rows(int64_t ldb) { return ldb % 16 != 0 || ldb % 256 == 0 ? 4 * k_rows : 22 * k_rows; }

// Columns [n0, n0 + columns) of B's rows [k0, k0 + depth): what the second-level cache holds while all rows
// of A pass over it.
struct Panel {
  int64_t k0, depth, n0, columns;
};

// One block of C, while it is computed.
template <class T>
struct Work {
  const MatmulArgs& args;
  const Matmul::Block& block;
  Stored<float> a;
  Stored<T> b;
  Stored<float> c;
  float *edge, *packed, *packed_a;  // scratch: a tile of C, a panel of B, A if it is packed
  int64_t strip = 0;                // from one strip of k_width columns of the panel to the next

  void run();
  Panel panel(int64_t k0, int64_t n0) const;
  Panel after(const Panel& p) const;
  void place_b(const Panel& p, ProductTile* t);
  void ask_part(const Panel& p, int64_t begin, int64_t end) const;
  void pass(const Panel& now, const Panel& next, ProductTile t);
  void tile_of(const Part& part, ProductTile t, bool last);
};

template <class T>
Panel Work<T>::panel(int64_t k0, int64_t n0) const {
  return {k0, std::max<int64_t>(0, std::min(block.step_k, args.k - k0)), n0,
          std::min(k_panel, block.n0 + block.n - n0)};
}

template <class T>
Panel Work<T>::after(const Panel& p) const {
  const int64_t n = p.n0 + k_panel;
  return n < block.n0 + block.n ? panel(p.k0, n) : panel(p.k0 + block.step_k, block.n0);
}

// Few rows do not pay for packing: then B is read where it is, if whole vectors of it are there.
template <class T>
void Work<T>::place_b(const Panel& p, ProductTile* t) {
  if constexpr (std::is_same_v<T, float>) {
    if (block.m <= few_rows(b.ld) && !args.transpose_b && p.columns % k_lanes == 0 &&
        b.whole(p.k0, p.depth, p.n0, p.columns)) {
      t->b = b.at(p.k0, p.n0);
      t->ldb = b.ld;
      strip = k_width;
      return;
    }
  }
  // One strip of k_width columns after the other; B's rows are read through all strips, some rows at a time.
  const int64_t pitch = p.columns < k_width ? vecs_for(p.columns) * k_lanes : k_width;
  strip = pitch * p.depth;
  const int64_t high = args.transpose_b || p.columns <= k_width ? p.depth : 32;
  for (int64_t k = 0; k < p.depth; k += high) {
    float* to = packed + k * pitch;
    for (int64_t n = 0; n < p.columns; n += k_width, to += strip) {
      pack_b(b, args.transpose_b, p.k0 + k, std::min(high, p.depth - k), p.n0 + n,
             std::min(k_width, p.columns - n), pitch, to);
    }
  }
  t->b = packed;
  t->ldb = pitch;
}

// Fetches rows [begin, end) of a panel into the second-level cache: they are too short and too far apart for
// the hardware to foresee.
template <class T>
void Work<T>::ask_part(const Panel& p, int64_t begin, int64_t end) const {
  const int64_t rows = args.transpose_b ? p.columns : end - begin;
  const int64_t wide = args.transpose_b ? end - begin : p.columns;
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = args.transpose_b ? b.at(p.n0 + r, p.k0 + begin) : b.at(p.k0 + begin + r, p.n0);
    for (int64_t i = 0; i < wide; i += 64 / sizeof(T)) ask(row + i);
  }
}

// One tile: straight into C where it lies in one piece of whole vectors, else through scratch.
template <class T>
void Work<T>::tile_of(const Part& part, ProductTile t, bool last) {
  const bool straight = part.columns % k_lanes == 0 && c.whole(part.m, part.rows, part.n, part.columns);
  if (straight) {
    t.c = const_cast<float*>(c.at(part.m, part.n));
    t.ldc = c.ld;
  } else {
    t.c = edge;
    t.ldc = k_width;
    if (t.add) {
      std::fill_n(edge, k_rows * k_width, 0.f);
      fetch_c(c, part, edge, k_width);
    }
  }
  product_tile_for(static_cast<int>(part.rows), vecs_for(part.columns), args.transpose_a)(t);
  if (last && has_finish(args)) finish(args, part, t.c, t.ldc);
  if (!straight) put_c(c, part, edge, k_width);
}

// All rows of A, where they are, over one panel.  A tile's rows end where A is cut.  Towards the end the next
// panel is asked for: not sooner, or A's stream would drive it out of the cache again.
template <class T>
void Work<T>::pass(const Panel& now, const Panel& next, ProductTile t) {
  const bool last = now.k0 + block.step_k >= args.k;
  const int64_t cut = args.transpose_a ? a.heads.columns : a.heads.rows;  // of rows of A
  constexpr int64_t k_soon = 16 * k_rows;
  const int64_t soon = std::min(block.m, k_soon);
  int64_t asked = 0;
  for (int64_t m = 0, rows; m < block.m; m += rows) {
    const int64_t row = block.m0 + m;
    rows = std::min<int64_t>(k_rows, block.m - m);
    if (cut) rows = std::min(rows, cut - row % cut);
    if (const int64_t left = block.m - m - rows; left < soon) {
      const int64_t upto = next.depth * (soon - left) / soon;
      ask_part(next, asked, upto);
      asked = upto;
    }
    if (packed_a) {
      t.a = packed_a + m * now.depth;
    } else {
      t.a = args.transpose_a ? a.at(now.k0, row) : a.at(row, now.k0);
    }
    ProductTile strip_of_b = t;
    for (int64_t n = 0; n < now.columns; n += k_width, strip_of_b.b += strip) {
      tile_of(Part{block.item, row, rows, now.n0 + n, std::min(k_width, now.columns - n)}, strip_of_b, last);
    }
  }
}

template <class T>
void Work<T>::run() {
  ProductTile t{};
  t.lda = a.ld;
  t.run = args.transpose_a ? a.heads.rows : a.heads.columns;  // k between cuts of A
  if (t.run) {
    t.jump = args.transpose_a ? a.heads.rows_apart - t.run * a.ld : a.heads.columns_apart - t.run;
  } else {
    t.run = args.k + 1;
  }
  if (packed_a) t.lda = k_rows;
  // Once for k = 0 too: it writes C.
  for (Panel now = panel(0, block.n0); now.k0 == 0 || now.depth > 0; now = after(now)) {
    t.k = now.depth;
    t.first_run = t.run - now.k0 % t.run;
    t.add = now.k0 > 0 || args.accumulate;
    if (packed_a && now.n0 == block.n0) pack_a_columns(a, block.m0, block.m, now.k0, now.depth, packed_a);
    place_b(now, &t);
    pass(now, after(now), t);
  }
}

template <class T>
void multiply_as(const MatmulArgs& args, const Matmul::Block& block, float* scratch) {
  const Stored<float> a{args.a + block.item * args.batch_a, args.lda, args.a_heads};
  const Stored<T> b{static_cast<const T*>(args.b) + block.item * args.batch_b, args.ldb, args.b_heads};
  if (is_thin(args, block.m)) {
    const float* rows = args.transpose_a ? a.at(0, block.m0) : a.at(block.m0, 0);
    multiply_thin(args, rows, b, Part{block.item, block.m0, block.m, block.n0, block.n});
    return;
  }
  float* const packed = scratch + k_rows * k_width;
  float* const packed_a = block.pack_a ? packed + k_panel * block.step_k : nullptr;
  Work<T>{args, block, a, b, c_of(args, block.item), scratch, packed, packed_a}.run();
}

void multiply(const MatmulArgs& args, const Matmul::Block& block, float* scratch) {
  switch (args.b_type) {
    case DType::bf16:
      return multiply_as<bf16>(args, block, scratch);
    case DType::f16:
      return multiply_as<f16>(args, block, scratch);
    default:
      return multiply_as<float>(args, block, scratch);
  }
}

}  // namespace

void matmul_target(Matmul::Target* target) {
  *target = {multiply, k_rows, k_panel, k_step_k, HWY_TARGET != HWY_AVX3};
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limpid::kernels {
namespace {

HWY_EXPORT(matmul_target);

constexpr int64_t k_most_rows = 1024;   // of a block
constexpr int64_t k_most_packed = 510;  // where A is packed: 1 MiB
constexpr int64_t k_few_tasks = 6;      // as many tasks as this are wanted, so that every thread has work,
constexpr int64_t k_small_task = 256 * 1024;  // unless a task has fewer multiply-adds than this (10 us)

int64_t round_up(int64_t value, int64_t step) { return (value + step - 1) / step * step; }
int64_t parts(int64_t total, int64_t part) { return (total + part - 1) / part; }

// One column: the same product with C as a row, whose cells fill vectors.  The factors of each multiply-add
// change places, which changes no bit.
MatmulArgs as_row(const MatmulArgs& args) {
  MatmulArgs row = args;
  row.m = args.n, row.n = args.m;
  row.a = static_cast<const float*>(args.b), row.b = args.a;
  row.lda = args.ldb, row.ldb = args.lda, row.ldc = args.m;
  row.transpose_a = !args.transpose_b, row.transpose_b = !args.transpose_a;
  row.batch_a = args.batch_b, row.batch_b = args.batch_a;
  row.a_heads = args.b_heads, row.b_heads = args.a_heads;
  return row;
}

bool is_column(const MatmulArgs& args) {
  return args.n == 1 && args.m > 1 && args.ldc == 1 && args.b_type == DType::f32 && !args.bias &&
         !args.before && !args.residual && !args.c_heads.rows;
}

}  // namespace

Matmul::Matmul(const MatmulArgs& args) : args_(is_column(args) ? as_row(args) : args) {
  choose_isa();
  HWY_DYNAMIC_DISPATCH(matmul_target)(&target_);
  // Steps of equal depth, none above 3/2 of what the caches like best.
  const int64_t liked = target_.step_k;
  step_k_ = std::max<int64_t>(1, parts(args_.k, std::max<int64_t>(1, (args_.k + liked / 2 - 1) / liked)));
  divide();
}

// Blocks of C: enough of them to go round, few rows of them so that a panel of B is packed but once or twice.
void Matmul::divide() {
  if (args_.m == 0 || args_.n == 0) return;
  const int64_t rows = target_.rows, width = target_.width;
  const auto even = [](int64_t total, int64_t most, int64_t step) {
    return std::min(total, round_up(parts(total, parts(total, std::min(most, total))), step));
  };
  block_m_ = even(args_.m, pack_a() ? k_most_packed : k_most_rows, rows);
  block_n_ = args_.m < rows ? even(args_.n, 4096 / args_.m, width) : args_.n;
  const auto count = [&] { return args_.batch * parts(args_.m, block_m_) * parts(args_.n, block_n_); };
  while (count() < k_few_tasks && block_m_ * block_n_ * args_.k > k_small_task) {
    const bool can_m = block_m_ > 4 * rows, can_n = block_n_ > width;
    if (!can_m && !can_n) break;
    int64_t& block = can_n ? block_n_ : block_m_;
    block = even(block, (block + 1) / 2, can_n ? width : rows);
  }
  blocks_m_ = parts(args_.m, block_m_);
  blocks_n_ = parts(args_.n, block_n_);
  const int64_t a = pack_a() ? round_up(block_m_, rows) * step_k_ : 0;
  const int64_t numbers = rows * width + width * step_k_ + a;  // a tile of C, a panel of B
  scratch_ = static_cast<int64_t>(sizeof(float)) * (numbers + 64);
}

// Stored [K,M], a tile uses but 24 bytes of each line of A: with narrow tiles, which read A more often, it is
// packed (AVX2 at 3072 x 1024 x 768: 53% of peak where it lies).
bool Matmul::pack_a() const {
  return target_.packs_a && args_.transpose_a && args_.m >= target_.rows && !args_.a_heads.rows &&
         !args_.a_heads.columns;
}

void Matmul::run(int64_t task, std::byte* scratch) const noexcept {
  // Neighbouring tasks share their rows of A.
  Block block{};
  block.n0 = task % blocks_n_ * block_n_;
  block.m0 = task / blocks_n_ % blocks_m_ * block_m_;
  block.item = task / blocks_n_ / blocks_m_;
  block.m = std::min(block_m_, args_.m - block.m0);
  block.n = std::min(block_n_, args_.n - block.n0);
  block.step_k = step_k_;
  block.pack_a = pack_a();
  target_.run(args_, block, reinterpret_cast<float*>(scratch));
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE
