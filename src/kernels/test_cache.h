// A cache for tests: drawn layout, pages in any order, and NaN wherever nothing was put.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "kernels/cache.h"
#include "kernels/test_helpers.h"

namespace limpid::kernels::testing {

class TestCache {
 public:
  /// page_keys = 0: in one piece.
  TestCache(Draw& draw, DType type, int64_t batch, int64_t rows, int64_t heads, int64_t width,
            int64_t page_keys)
      : heads_(heads), width_(width) {
    const int64_t block_rows = page_keys > 0 ? page_keys : rows;
    const int64_t batch_pages = page_keys > 0 ? (rows + page_keys - 1) / page_keys : 1;
    const int64_t blocks = batch * batch_pages + (page_keys > 0 ? 3 : 0), gap = draw.whole(0, 3);
    if (draw.whole(0, 1)) {  // each head's rows together
      cache_.at = {heads * block_rows * (width + gap) + gap, width + gap, block_rows * (width + gap)};
      cache_.scales_at = {heads * block_rows + gap, 1, block_rows};
    } else {
      cache_.at = {block_rows * (heads * width + gap), heads * width + gap, width};
      cache_.scales_at = {block_rows * (heads + gap), heads + gap, 1};
    }
    cache_.type = type;
    data_.assign(static_cast<size_t>(blocks * cache_.at.batch * element_bytes() + 64), 0xff);  // NaN
    scales_.assign(static_cast<size_t>(blocks * cache_.scales_at.batch + 1),
                   std::numeric_limits<float>::quiet_NaN());
    if (page_keys > 0) {
      std::vector<int64_t> order(static_cast<size_t>(blocks));
      std::iota(order.begin(), order.end(), 0);
      for (size_t i = order.size(); i > 1; --i)
        std::swap(order[i - 1], order[static_cast<size_t>(draw.whole(0, static_cast<int64_t>(i) - 1))]);
      cache_.page_keys = page_keys;
      cache_.pages_batch = batch_pages + draw.whole(0, 2);
      pages_.assign(static_cast<size_t>(batch * cache_.pages_batch + 1), k_no_page);
      for (int64_t b = 0; b < batch; ++b)
        std::copy_n(order.begin() + b * batch_pages, batch_pages, pages_.begin() + b * cache_.pages_batch);
    }
  }

  /// Valid as long as this is, and its pages are not cut.
  const Cache& cache() {
    cache_.data = data_.data();
    cache_.scales = scales_.data();
    cache_.pages = pages_.empty() ? nullptr : pages_.data();
    return cache_;
  }

  /// Batch row b has `length` rows: no other page of it exists.
  void cut(int64_t b, int64_t length) {
    if (pages_.empty()) return;
    for (int64_t p = (length + cache_.page_keys - 1) / cache_.page_keys; p < cache_.pages_batch; ++p)
      pages_[static_cast<size_t>(b * cache_.pages_batch + p)] = k_no_page;
  }

  void put(int64_t b, int64_t s, int64_t g, const float* row) {
    const CachePlace place = place_in(cache(), b, s);
    const int64_t first = offset_of(cache_.at, place, g);
    float most = 0;
    for (int64_t d = 0; d < width_; ++d) most = std::max(most, std::abs(row[d]));
    const float scale = most / 127;
    if (cache_.type == DType::i8) scales_[static_cast<size_t>(offset_of(cache_.scales_at, place, g))] = scale;
    for (int64_t d = 0; d < width_; ++d) {
      void* to = data_.data() + (first + d) * element_bytes();
      if (cache_.type == DType::f32) *static_cast<float*>(to) = row[d];
      if (cache_.type == DType::bf16) *static_cast<bf16*>(to) = to_bf16(row[d]);
      if (cache_.type == DType::f16) *static_cast<f16*>(to) = to_f16(row[d]);
      if (cache_.type == DType::i8)
        *static_cast<int8_t*>(to) = static_cast<int8_t>(most > 0 ? std::nearbyint(row[d] / scale) : 0);
    }
  }

  /// What the cache holds, as a float (i8: its integer times its scale, in double).
  double number(int64_t b, int64_t s, int64_t g, int64_t d) {
    const CachePlace place = place_in(cache(), b, s);
    const void* from = data_.data() + (offset_of(cache_.at, place, g) + d) * element_bytes();
    if (cache_.type == DType::f32) return *static_cast<const float*>(from);
    if (cache_.type == DType::bf16) return to_float(*static_cast<const bf16*>(from));
    if (cache_.type == DType::f16) return to_float(*static_cast<const f16*>(from));
    return static_cast<double>(scales_[static_cast<size_t>(offset_of(cache_.scales_at, place, g))]) *
           *static_cast<const int8_t*>(from);
  }

  int64_t heads() const { return heads_; }
  int64_t width() const { return width_; }
  DType type() const { return cache_.type; }
  const std::vector<unsigned char>& bytes() const { return data_; }
  const std::vector<float>& scales() const { return scales_; }

 private:
  static constexpr int64_t k_no_page = int64_t{1} << 40;  // to touch it is to crash
  int64_t element_bytes() const { return static_cast<int64_t>(byte_size(cache_.type)); }

  int64_t heads_, width_;
  Cache cache_;
  std::vector<unsigned char> data_;
  std::vector<float> scales_;
  std::vector<int64_t> pages_;
};

}  // namespace limpid::kernels::testing
