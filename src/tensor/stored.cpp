#include "limpid/stored.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <vector>

#include "core/memory.h"
#include "tensor/blocks.h"
#include "tensor/dispatch.h"

namespace limpid {

namespace {

struct BlockRow {
  std::string_view name;
  BlockSize size;
  void (*expand)(const unsigned char* block, float* out);
};
constexpr BlockRow k_blocks[] = {{"", {1, 0}, nullptr},
                                 {"Q8_0", {32, 34}, expand_q8_0},
                                 {"Q4_0", {32, 18}, expand_q4_0},
                                 {"Q4_1", {32, 20}, expand_q4_1},
                                 {"Q4_K", {256, 144}, expand_q4_k},
                                 {"MXFP4", {32, 17}, expand_mxfp4_block}};
const BlockRow& row_of(BlockType blocks) { return k_blocks[static_cast<size_t>(blocks)]; }

void expand_plain(DType dtype, const void* from, int64_t count, float* to) {
  visit_dtype(dtype, [&]<class T>() {
    const T* source = static_cast<const T*>(from);
    for (int64_t i = 0; i < count; ++i) to[i] = convert<float>(source[i]);
  });
}

struct Place {
  std::shared_ptr<std::byte> chunk;
  std::byte* data = nullptr;
};

// A place of so many bytes on whole lines: behind the last one, where the chunk has room.  A chunk lives as
// long as a matrix in it.
Place place_for(size_t bytes) {
  constexpr size_t k_chunk = size_t{32} << 20, k_line = 64;
  static std::mutex mutex;
  static std::weak_ptr<std::byte> last;
  static size_t used = 0, size = 0;
  const std::lock_guard lock(mutex);
  std::shared_ptr<std::byte> chunk = last.lock();
  if (!chunk || bytes > size - used) {
    size = std::max(bytes, k_chunk);
    chunk = std::shared_ptr<std::byte>(allocate(size), release);
    if (!chunk) return {};
    used = 0;
    last = chunk;
  }
  std::byte* data = chunk.get() + used;
  used = std::min(size, (used + bytes + k_line - 1) / k_line * k_line);
  return {std::move(chunk), data};
}

}  // namespace

BlockSize size_of(BlockType blocks) { return row_of(blocks).size; }
std::string_view name(BlockType blocks) { return row_of(blocks).name; }

void expand_blocks(BlockType blocks, const void* from, int64_t numbers, float* to) {
  const BlockRow& row = row_of(blocks);
  const auto* at = static_cast<const unsigned char*>(from);
  for (int64_t i = 0; i < numbers; i += row.size.numbers, at += row.size.bytes) row.expand(at, to + i);
}

StoredMatrix::StoredMatrix(DType dtype, BlockType blocks, Shape parameter, int64_t rows, int64_t columns,
                           bool turned, int64_t matrices)
    : dtype_(dtype),
      blocks_(blocks),
      shape_(std::move(parameter)),
      rows_(rows),
      columns_(columns),
      matrices_(matrices),
      turned_(turned) {
  const BlockSize block = size_of(blocks);
  int64_t count = 0;
  if (rows < 0 || columns < 0 || __builtin_mul_overflow(rows, columns, &count) || count != shape_.count())
    fail_call("stored matrix: [", rows, ",", columns, "] does not fill ", shape_.text());
  if (matrices < 1 || rows % matrices != 0)
    fail_call("stored matrix: ", rows, " rows, expected those of ", matrices, " matrices");
  if (blocks == BlockType::none && dtype != DType::f32 && dtype != DType::bf16 && dtype != DType::f16)
    fail_call("stored matrix: it holds ", limpid::name(dtype), ", expected f32, bf16 or f16");
  if (columns % block.numbers != 0)
    fail_call("stored matrix: rows of ", columns, " numbers, expected whole blocks of ", block.numbers, " (",
              limpid::name(blocks), ")");
  if (blocks == BlockType::none)
    row_bytes_ = static_cast<size_t>(columns) * byte_size(dtype);
  else
    row_bytes_ = static_cast<size_t>(columns / block.numbers) * block.bytes;
  size_t size = 0;
  if (__builtin_mul_overflow(static_cast<size_t>(rows), row_bytes_, &size))
    fail_call("stored matrix ", shape_.text(), " is larger than memory");
  Place place = place_for(size);
  if (!place.data) fail_work("no memory for a stored matrix ", shape_.text(), ": ", size, " bytes");
  chunk_ = std::move(place.chunk);
  data_ = place.data;
  std::memset(data_, 0, size);
}

StoredMatrix::StoredMatrix(const StoredMatrix& other) { *this = other; }

StoredMatrix& StoredMatrix::operator=(const StoredMatrix& other) {
  if (this == &other) return *this;
  if (!other.data_) return *this = StoredMatrix();
  StoredMatrix fresh(other.dtype_, other.blocks_, other.shape_, other.rows_, other.columns_, other.turned_,
                     other.matrices_);
  std::memcpy(fresh.data_, other.data_, other.bytes());
  return *this = std::move(fresh);
}

void StoredMatrix::expand_row(int64_t r, float* to) const {
  if (blocks_ == BlockType::none)
    expand_plain(dtype_, row(r), columns_, to);
  else
    expand_blocks(blocks_, row(r), columns_, to);
}

bool StoredMatrix::all_finite() const {
  // Of blocks it is one or two scales that may not be: f16 at the start.
  if (blocks_ == BlockType::mxfp4) {  // 12 times the scale 2^124 is finite
    std::vector<float> numbers(static_cast<size_t>(columns_));
    for (int64_t r = 0; r < rows_; ++r) {
      const auto* block = reinterpret_cast<const unsigned char*>(row(r));
      bool large = false;
      for (size_t i = 0; i < row_bytes_; i += size_of(blocks_).bytes) large |= block[i] > 252;
      if (!large) continue;
      expand_row(r, numbers.data());
      for (const float x : numbers)
        if (!std::isfinite(x)) return false;
    }
    return true;
  }
  const bool in_blocks = blocks_ != BlockType::none;
  const size_t numbers = !in_blocks ? 1 : blocks_ == BlockType::q4_1 || blocks_ == BlockType::q4_k ? 2 : 1;
  const size_t width = in_blocks ? 2 : byte_size(dtype_), step = in_blocks ? size_of(blocks_).bytes : width;
  const uint16_t exponent = in_blocks || dtype_ == DType::f16 ? 0x7c00 : 0x7f80;
  const auto* at = reinterpret_cast<const unsigned char*>(data_);
  for (size_t i = 0; i < bytes(); i += step)
    for (size_t j = 0; j < numbers; ++j) {
      uint16_t high;  // the half with the exponent
      std::memcpy(&high, at + i + (j + 1) * width - 2, sizeof high);
      if ((high & exponent) == exponent) return false;
    }
  return true;
}

Tensor StoredMatrix::to_tensor() const {
  Tensor out(DType::f32, shape_);
  float* to = out.data<float>();
  if (!turned_) {
    for (int64_t r = 0; r < rows_; ++r) expand_row(r, to + r * columns_);
    return out;
  }
  constexpr int64_t k_high = 16;  // whole lines are written
  std::vector<float> part(static_cast<size_t>(k_high * columns_));
  const int64_t rows = rows_ / matrices_;  // of each
  for (int64_t m = 0; m < matrices_; ++m, to += rows * columns_)
    for (int64_t r = 0; r < rows; r += k_high) {
      const int64_t high = std::min(k_high, rows - r);
      for (int64_t i = 0; i < high; ++i) expand_row(m * rows + r + i, part.data() + i * columns_);
      for (int64_t c = 0; c < columns_; ++c)
        for (int64_t i = 0; i < high; ++i) to[c * rows + r + i] = part[static_cast<size_t>(i * columns_ + c)];
    }
  return out;
}

}  // namespace limpid
