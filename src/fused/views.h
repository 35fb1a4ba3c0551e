// What the public fused attention asks of a view: its axes, sizes, type and strides.  Errors are Error{call}
// that begin with "attention: NAME is".  Nothing here allocates but what makes an error's words and copies.
#pragma once

#include <array>
#include <initializer_list>
#include <span>
#include <string>

#include "kernels/attention.h"
#include "limpid/tensor.h"

namespace limpid {

/// Up to four named sizes.
class Dims {
 public:
  Dims() = default;
  Dims(std::initializer_list<Dim> dims) : Dims(std::span<const Dim>(dims.begin(), dims.size())) {}
  Dims(const Shape& shape)
      : Dims(std::span<const Dim>(shape.rank() ? &shape[0] : nullptr, static_cast<size_t>(shape.rank()))) {
  }  // NOLINT: a shape's
  explicit Dims(std::span<const Dim> dims);
  int rank() const { return rank_; }
  Dim& operator[](int i) { return dims_[static_cast<size_t>(i)]; }
  const Dim& operator[](int i) const { return dims_[static_cast<size_t>(i)]; }
  const Dim* begin() const { return dims_.data(); }
  const Dim* end() const { return dims_.data() + rank_; }
  operator Shape() const { return Shape(std::vector<Dim>(begin(), end())); }  // NOLINT: of a tensor
  std::string text() const { return Shape(*this).text(); }
  bool same_sizes(const Dims&) const;

 private:
  std::array<Dim, 4> dims_{};
  int rank_ = 0;
};

/// A view whose axes are in the order wanted: a ConstView in fixed room.
struct Operand {
  DType dtype = DType::f32;
  Dims dims;
  std::array<int64_t, 4> strides{};
  const void* data = nullptr;

  int64_t size(int i) const { return dims[i].size; }
  int64_t stride(int i) const { return strides[static_cast<size_t>(i)]; }
  bool contiguous() const;
  ConstView view() const;
};

/// Without gaps.
Operand operand_of(DType, const Dims&, const void* data);

/// A view that is not the default one.
bool is_given(const ConstView&);

/// "[B,T,H,D]".
std::string letters(std::span<const Axis>);

/// No axis has a name.
bool nameless(const Shape&);

/// The view with its axes in the order of `wanted`, named so.  Throws Error{call} unless it has just these
/// axes, or as many without names.
Operand in_order(const char* name, const ConstView&, std::span<const Axis> wanted);

void require_sizes(const char* name, const Operand&, const Dims& expected);

/// f32, bf16 or f16.
bool is_real(DType);
void require_real(const char* name, DType);

/// Is the last axis contiguous?  Its stride counts only where there is more than one number.
bool last_contiguous(const Operand&);

/// Of an operand with three or four axes: `row` and `head` are the places of those two.
kernels::HeadStrides strides_of(const Operand&, int row, int head);

}  // namespace limpid
