// Matrices of parameters as a model's file has them: 16-bit floats, or blocks of 8- and 4-bit numbers that
// share a scale.  They are multiplied as they are stored, and mean exactly the f32 numbers that they expand
// to: a product has the same bits whichever of the two it is given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "limpid/api.h"
#include "limpid/tensor.h"

namespace LIMPID_API limpid {

/// Blocks of quantised numbers that are multiplied as they are (ggml's: limpid/gguf.h); none: plain numbers.
enum class BlockType : uint8_t { none, q8_0, q4_0, q4_1, q4_k, mxfp4 };

/// So many numbers in so many bytes; none: 1 and 0.
struct BlockSize {
  int64_t numbers = 1;
  size_t bytes = 0;
};
BlockSize size_of(BlockType);
/// "Q8_0", ...; none: "".
std::string_view name(BlockType);

/// Whole blocks to the numbers they stand for, as ggml's dequantize_row_* computes them, to the bit (but that
/// MXFP4 has a -0, as its specification says).  `numbers` is a multiple of the block's.  A block of MXFP4
/// that is multiplied as it is has a scale of at least 2^-125: a first byte of at least k_least_mxfp4_scale.
void expand_blocks(BlockType, const void* from, int64_t numbers, float* to);
inline constexpr uint8_t k_least_mxfp4_scale = 3;

/// A parameter that `linear` multiplies by, a table that `embedding` reads, or the matrices of
/// `expert_linear`.  Owns its bytes; copies copy them.
class StoredMatrix {
 public:
  StoredMatrix() = default;
  StoredMatrix(const StoredMatrix&);
  StoredMatrix& operator=(const StoredMatrix&);
  StoredMatrix(StoredMatrix&&) noexcept = default;
  StoredMatrix& operator=(StoredMatrix&&) noexcept = default;
  ~StoredMatrix() = default;
  /// Zeros: rows() x columns() numbers in memory, of a parameter of this shape.  That matrix is the parameter
  /// as it is (its outermost axes are the rows), or, `turned`, its transposition: W_Q [C,H,D] stored as
  /// [H D, C].  Throws Error{call} where rows and columns do not make up the shape, for a type that is not
  /// floating, and for blocks that do not divide the columns; Error{work} if there is no memory.
  /// `matrices`: the parameter [M,in,out] is so many, one above the other, each of them turned or not.
  StoredMatrix(DType, BlockType, Shape parameter, int64_t rows, int64_t columns, bool turned,
               int64_t matrices = 1);

  DType dtype() const { return dtype_; }        // of plain numbers: f32, bf16 or f16
  BlockType blocks() const { return blocks_; }  // none: plain numbers
  const Shape& shape() const { return shape_; }
  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  bool turned() const { return turned_; }
  int64_t matrices() const { return matrices_; }
  size_t row_bytes() const { return row_bytes_; }
  size_t bytes() const { return static_cast<size_t>(rows_) * row_bytes_; }
  int64_t count() const { return rows_ * columns_; }

  std::byte* row(int64_t r) { return data_ + offset(r); }
  const std::byte* row(int64_t r) const { return data_ + offset(r); }
  /// Row r's columns() numbers.
  void expand_row(int64_t r, float* to) const;
  /// Is every number finite?
  bool all_finite() const;
  /// The parameter in f32.
  Tensor to_tensor() const;

 private:
  size_t offset(int64_t r) const { return static_cast<size_t>(r) * row_bytes_; }

  DType dtype_ = DType::f32;
  BlockType blocks_ = BlockType::none;
  Shape shape_;
  int64_t rows_ = 0, columns_ = 0, matrices_ = 1;
  bool turned_ = false;
  size_t row_bytes_ = 0;
  // Matrices made one after the other lie in chunks of memory together, on large pages: reading all of a
  // network's for a token takes a sixth less (Zen 1, f32 and two threads: 25 to 22 ms).
  std::shared_ptr<std::byte> chunk_;
  std::byte* data_ = nullptr;
};

}  // namespace LIMPID_API limpid
