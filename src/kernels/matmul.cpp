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
#include "kernels/matmul_block-inl.h"
#include "kernels/matmul_rows-inl.h"
#include "kernels/matmul_thin-inl.h"
#include "kernels/parts.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

constexpr int64_t k_step_k = 1024;

template <class T>
void multiply_as(const MatmulArgs& args, const Matmul::Block& block, float* scratch) {
  const Stored<float> a{args.a + block.item * args.batch_a, args.lda, args.a_heads};
  const Stored<T> b{static_cast<const T*>(args.b) + block.item * args.batch_b, args.ldb, args.b_heads};
  const Part part{block.item, block.m0, block.m, block.n0, block.n};
  if (block.by_rows) return multiply_by_rows(args, a.at(block.m0, 0), b, part, block.step_k);
  if constexpr (!k_in_blocks<T>) {
    const float* rows = args.transpose_a ? a.at(0, block.m0) : a.at(block.m0, 0);
    if (block.thin) return multiply_thin(args, rows, b, part, block.step_k, block.far, scratch);
  }
  float* const packed = scratch + k_rows * k_width;
  float* const packed_a = block.pack_a ? packed + round_up(block.panel, k_width) * block.step_k : nullptr;
  Work<T>{args, block, a, b, c_of(args, block.item), scratch, packed, packed_a}.run();
}

void multiply_blocks(const MatmulArgs& args, const Matmul::Block& block, float* scratch) {
  switch (args.b_blocks) {
    case BlockType::q8_0:
      return multiply_as<InBlocks<BlockType::q8_0>>(args, block, scratch);
    case BlockType::q4_0:
      return multiply_as<InBlocks<BlockType::q4_0>>(args, block, scratch);
    case BlockType::q4_1:
      return multiply_as<InBlocks<BlockType::q4_1>>(args, block, scratch);
    case BlockType::q4_k:
      return multiply_as<InBlocks<BlockType::q4_k>>(args, block, scratch);
    case BlockType::mxfp4:
      return multiply_as<InBlocks<BlockType::mxfp4>>(args, block, scratch);
    case BlockType::none:
      return;
  }
}

void multiply(const MatmulArgs& args, const Matmul::Block& block, float* scratch) {
  if (args.b_blocks != BlockType::none) return multiply_blocks(args, block, scratch);
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
  *target = {multiply, k_rows, std::max<int64_t>(64, k_width), k_step_k, k_row_group};
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limpid::kernels {
namespace {

HWY_EXPORT(matmul_target);

constexpr int64_t k_most_rows = 1024;         // of a block
constexpr int64_t k_most_packed = 510;        // where A is packed: 2 MiB
constexpr int64_t k_panel_size = 64 * 1024;   // numbers
constexpr int64_t k_short = 128;              // steps of K
constexpr int64_t k_widest = 1024;            // columns of a panel
constexpr int64_t k_large = 2 * 1024 * 1024;  // numbers of B
constexpr int64_t k_thin_cells = 4096;        // of C, where it has few rows: they stay near
constexpr int64_t k_row_columns = 512;        // of a row of C at least
constexpr int64_t k_most_by_rows = 4;         // rows of C
constexpr int64_t k_whole_steps = 256;        // of K: the largest block of numbers
constexpr int64_t k_few_tasks = 6;  // as many tasks as this are wanted, so that every thread has work,
constexpr int64_t k_small_task = 256 * 1024;  // unless a task has fewer multiply-adds than this (10 us)

// Whether a product of few rows finds its B in a cache: if this thread's products of few rows have read
// little since they last read it.  A network's weights, all read for every token, come from memory however
// small each is, and want to be asked for; one matrix again and again does not.  Says nothing but how B is
// read: no bit of C depends on it.
class Lately {
 public:
  bool near(const void* b, int64_t bytes) {
    if (bytes < k_little) return true;
    int64_t since = bytes;
    bool found = false;
    for (size_t i = 1; i <= k_kept && since <= k_cache && !found; ++i) {
      const Read& read = reads_[(next_ + k_kept - i) % k_kept];
      found = read.b == b && read.bytes == bytes;
      since += found ? 0 : read.bytes;
    }
    reads_[next_] = {b, bytes};
    next_ = (next_ + 1) % k_kept;
    return found && since <= k_cache;
  }

 private:
  static constexpr int64_t k_little = 256 * 1024,
                           k_cache = 24 * 1024 * 1024;  // bytes; most last caches hold these
  static constexpr size_t k_kept = 64;
  struct Read {
    const void* b = nullptr;
    int64_t bytes = 0;
  };
  Read reads_[k_kept];
  size_t next_ = 0;
};

thread_local Lately lately;

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
  return args.n == 1 && args.m > 1 && args.ldc == 1 && args.b_type == DType::f32 &&
         args.b_blocks == BlockType::none && !args.bias && !args.before && !args.residual &&
         !args.gradient_at && !args.c_heads.rows;
}

}  // namespace

Matmul::Matmul(const MatmulArgs& args) : args_(args) {
  if (is_column(args)) args_ = as_row(args);
  choose_isa();
  HWY_DYNAMIC_DISPATCH(matmul_target)(&target_);
  // Steps of equal depth, of whole blocks of B, none above 3/2 of what the caches like best.
  const int64_t liked = target_.step_k, steps = std::max<int64_t>(1, (args_.k + liked / 2 - 1) / liked);
  step_k_ = std::max<int64_t>(1, parts(args_.k, steps));
  if (steps > 1) step_k_ = round_up(step_k_, k_whole_steps);
  divide();
  if (thin()) {
    const int64_t different = args_.batch_b == 0 ? 1 : args_.batch;
    const int64_t bytes = static_cast<int64_t>(byte_size(args_.b_type));
    far_ = !lately.near(args_.b, different * args_.k * args_.n * bytes);
  }
}

// Blocks of C: enough of them to go round, few rows of them so that a panel of B is packed but once or twice.
void Matmul::divide() {
  if (args_.m == 0 || args_.n == 0) return;
  const int64_t rows = target_.rows, width = target_.width;
  const auto even = [](int64_t total, int64_t most, int64_t step) {
    return std::min(total, round_up(parts(total, parts(total, std::min(most, total))), step));
  };
  block_m_ = even(args_.m, pack_a() ? k_most_packed : k_most_rows, rows);
  const bool one_row = args_.m == 1 && thin();
  if (by_rows()) block_m_ = args_.m;
  block_n_ =
      thin() && !one_row ? even(args_.n, std::max<int64_t>(k_thin_cells / args_.m, 512), width) : args_.n;
  const int64_t whole_m = block_m_, whole_n = block_n_;
  const auto count = [&] { return args_.batch * parts(args_.m, block_m_) * parts(args_.n, block_n_); };
  while (count() < k_few_tasks && block_m_ * block_n_ * args_.k > k_small_task) {
    const bool can_m = block_m_ > 8 * rows, can_n = block_n_ > (one_row ? k_row_columns : width);
    if (!can_m && !can_n) break;
    // Of a short K mostly C is written: neighbours share few of its lines if they share no rows.
    const bool take_n = can_n && !(step_k_ <= k_short && block_m_ > 16 * rows);
    int64_t& block = take_n ? block_n_ : block_m_;
    block = even(block, (block + 1) / 2, take_n ? width : rows);
  }
  blocks_m_ = parts(args_.m, block_m_);
  blocks_n_ = parts(args_.n, block_n_);
  whole_m_ = whole_m;
  whole_n_ = whole_n;
  const int64_t a = pack_a() ? round_up(whole_m, rows) * step_k_ : 0;
  // Where K is short a panel is wide: longer pieces of B's and C's rows at once.
  panel_ = step_k_ <= k_short ? std::clamp(k_panel_size / step_k_ / width * width, width, k_widest) : width;
  panel_ = std::min(whole_n, panel_);
  int64_t numbers = rows * width + round_up(panel_, width) * step_k_ + a;  // a tile of C, a panel of B
  if (thin()) numbers = thin_scratch(args_.m, whole_n);
  scratch_ = static_cast<int64_t>(sizeof(float)) * (numbers + 64);
}

// B stored [N,K] by its rows, where they fill a group.
bool Matmul::by_rows() const {
  const auto cut = [](const Heads& h) { return h.rows || h.columns; };
  return args_.m <= k_most_by_rows && args_.transpose_b && !args_.transpose_a &&
         args_.n >= target_.row_group && !cut(args_.a_heads) && !cut(args_.b_heads) && !cut(args_.c_heads);
}

bool Matmul::thin() const {
  const auto cut = [](const Heads& h) { return h.rows || h.columns; };
  const int64_t most = args_.k * args_.n >= k_large ? k_most_thin : k_few_thin;
  return args_.m <= most && !args_.transpose_b && !cut(args_.a_heads) && !cut(args_.b_heads) &&
         !cut(args_.c_heads);
}

// Stored [K,M], a tile uses but 24 bytes of each line of A, so that it is packed (AVX2 at 3072 x 1024 x 768:
// 53% of the peak where it lies; AVX-512, all gradients of weights of recipes/mnist.json on a Xeon: 60% where
// it lies, 67% packed).
bool Matmul::pack_a() const {
  return args_.transpose_a && args_.m >= target_.rows && !args_.a_heads.rows && !args_.a_heads.columns;
}

void Matmul::run_all(std::byte* scratch) const noexcept {
  if (block_m_ == whole_m_ && block_n_ == whole_n_) {
    for (int64_t task = 0; task < tasks(); ++task) run(task, scratch);
    return;
  }
  Matmul whole = *this;
  whole.block_m_ = whole_m_;
  whole.block_n_ = whole_n_;
  whole.blocks_m_ = blocks_m_ ? parts(args_.m, whole_m_) : 0;
  whole.blocks_n_ = blocks_n_ ? parts(args_.n, whole_n_) : 0;
  for (int64_t task = 0; task < whole.tasks(); ++task) whole.run(task, scratch);
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
  block.panel = std::min(block_n_, panel_);
  block.next_n0 = (task + 1) % blocks_n_ * block_n_;
  block.next_item = std::min(args_.batch - 1, (task + 1) / blocks_n_ / blocks_m_);
  block.pack_a = pack_a();
  block.thin = thin();
  block.by_rows = by_rows();
  block.far = far_;
  target_.run(args_, block, reinterpret_cast<float*>(scratch));
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE
