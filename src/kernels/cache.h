// A key/value cache: the keys, or the values, of every batch row, in one piece or in pages, as floats or as
// integers of 8 bits with a scale; and the kernel that writes rows to it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attention.h"
#include "limpid/tensor.h"

namespace limpid::kernels {

/// Where row s of batch row b and key head g lies, D numbers side by side:
///   in one piece   data + b at.batch + s at.row + g at.head
///   in pages       data + page at.batch + (s mod page_keys) at.row + g at.head,
///                  page = pages[b pages_batch + s / page_keys]
/// in elements of `type`.  With i8 a number is its integer times the scale of its row and head, which lies in
/// `scales` at the same place by scales_at (batch, page and row as above).
struct Cache {
  DType type = DType::f32;  // f32, bf16, f16 or i8
  void* data = nullptr;
  HeadStrides at;
  float* scales = nullptr;  // i8
  HeadStrides scales_at;
  const int64_t* pages = nullptr;  // none: in one piece
  int64_t pages_batch = 0, page_keys = 0;
};

/// The batch row or page, and the row in it, of key s of batch row b.
struct CachePlace {
  int64_t block, row;
};
inline CachePlace place_in(const Cache& cache, int64_t b, int64_t s) {
  if (!cache.pages) return {b, s};
  return {cache.pages[b * cache.pages_batch + s / cache.page_keys], s % cache.page_keys};
}
inline int64_t offset_of(const HeadStrides& at, CachePlace place, int64_t head) {
  return place.block * at.batch + place.row * at.row + head * at.head;
}

/// Writes `rows` rows of floats to the cache from the row write_indices[b] on (ONNX's TensorScatter with
/// axis = -2; 0 without write_indices), converted to its type: rounded to nearest, ties to even.  i8: the
/// scale is the row's largest magnitude / 127 (Jacob et al. 2018, symmetric); a row with NaN or infinity
/// becomes NaN throughout, by its scale.  A kernel (kernel.h); a task is a row of one batch row, all heads.
///
/// Of one batch row, rows must not be more than `capacity`, and write_indices[b] in [0, capacity - rows], or
/// with `circular` in [0, capacity): row capacity is then row 0 again.
struct CacheWrite {
  Cache to;
  const float* from = nullptr;  // [B,rows,G,D]
  HeadStrides from_at;
  int64_t batch = 0, rows = 0, heads = 0, width = 0, capacity = 0;
  const int64_t* write_indices = nullptr;  // [B]
  bool circular = false;

  int64_t tasks() const noexcept { return batch * rows; }
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept { return batch * rows * heads * width; }
  void run(int64_t task, std::byte* scratch) const noexcept;
};

}  // namespace limpid::kernels
