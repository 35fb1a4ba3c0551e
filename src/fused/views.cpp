#include "fused/views.h"

#include <algorithm>

#include "fused/call.h"
#include "tensor/overlap.h"

namespace limpid {

namespace {

Extent extent_of(const Operand& x) {
  return {byte_size(x.dtype), std::span(x.dims.begin(), x.dims.end()), x.strides, x.data};
}

}  // namespace

Dims::Dims(std::span<const Dim> dims) : rank_(static_cast<int>(dims.size())) {
  if (dims.size() > dims_.size())
    fail_call("attention: a shape of ", dims.size(), " axes, expected at most 4");
  std::copy(dims.begin(), dims.end(), dims_.begin());
}

bool Dims::same_sizes(const Dims& other) const {
  return std::equal(begin(), end(), other.begin(), other.end(),
                    [](const Dim& a, const Dim& b) { return a.size == b.size; });
}

bool Operand::contiguous() const {
  int64_t expected = 1;
  for (int i = dims.rank() - 1; i >= 0; --i) {
    if (size(i) == 0) return true;
    if (size(i) != 1 && stride(i) != expected) return false;
    expected *= size(i);
  }
  return true;
}

ConstView Operand::view() const {
  return {dtype, dims, std::vector<int64_t>(strides.begin(), strides.begin() + dims.rank()), data};
}

Operand operand_of(DType type, const Dims& dims, const void* data) {
  Operand x{type, dims, {}, data};
  int64_t stride = 1;
  for (int i = dims.rank() - 1; i >= 0; --i) {
    x.strides[static_cast<size_t>(i)] = stride;
    if (__builtin_mul_overflow(stride, dims[i].size, &stride)) stride = 0;  // of nothing: a size is 0
  }
  return x;
}

std::string letters(std::span<const Axis> axes) {
  std::string out = "[";
  for (Axis axis : axes) {
    if (out.size() > 1) out += ',';
    out += static_cast<char>(axis);
  }
  return out + "]";
}

bool nameless(const Shape& shape) {
  return std::all_of(shape.begin(), shape.end(), [](const Dim& dim) { return dim.axis == Axis::none; });
}

void require_sizes(const char* name, const Operand& x, const Dims& expected) {
  if (!x.dims.same_sizes(expected))
    fail_call("attention: ", name, " is ", x.dims.text(), ", expected ", expected.text());
}

bool is_real(DType type) { return type == DType::f32 || type == DType::bf16 || type == DType::f16; }

void require_real(const char* name, DType type) {
  if (!is_real(type))
    fail_call("attention: ", name, " is of ", limpid::name(type), ", expected f32, bf16 or f16");
}

bool is_given(const ConstView& x) { return x.shape().rank() > 0 || !x.empty(); }

bool last_contiguous(const Operand& x) {
  const int last = x.dims.rank() - 1;
  return x.size(last) <= 1 || x.stride(last) == 1;
}

kernels::HeadStrides strides_of(const Operand& x, int row, int head) {
  return {x.stride(0), x.stride(row), x.stride(head)};
}

Operand in_order(const char* name, const ConstView& x, std::span<const Axis> wanted) {
  require_addressable("attention", name, x);
  const Shape& shape = x.shape();
  const bool by_place = nameless(shape) && shape.rank() > 0;
  std::array<Dim, 4> dims{};
  Operand ordered{x.dtype(), {}, {}, x.raw()};
  size_t found = 0;
  for (; found < wanted.size() && static_cast<size_t>(shape.rank()) == wanted.size(); ++found) {
    const int place = by_place ? static_cast<int>(found) : shape.find(wanted[found]);
    if (place < 0) break;
    dims[found] = {wanted[found], shape[place].size};
    ordered.strides[found] = x.strides()[static_cast<size_t>(place)];
  }
  if (found != wanted.size())
    fail_call("attention: ", name, " is ", shape.text(), ", expected the axes ", letters(wanted),
              " in any order, or in this one without names");
  ordered.dims = Dims(std::span<const Dim>(dims).first(found));
  return ordered;
}

// ---- outputs -------------------------------------------------------------------------------------

void AttentionCall::writes(const char* name, const Operand& x) {
  const Extent extent = extent_of(x);
  if (may_overlap_itself(extent))
    fail_call("attention: ", name, " is ", x.dims.text(),
              " with places that share memory, expected each its own");
  for (size_t i = 0; i < used_count_; ++i)
    if (may_overlap(extent, extent_of(used_[i].at)))
      fail_call("attention: ", name, " overlaps ", used_[i].name, ", expected memory of its own");
  use(name, x);
}

AttentionOutput::AttentionOutput(AttentionCall& call, const char* name, const View& given,
                                 const Dims& expected, bool only_f32) {
  std::array<Axis, 4> axes{};
  for (int i = 0; i < expected.rank(); ++i) axes[static_cast<size_t>(i)] = expected[i].axis;
  if (!is_given(given)) fail_call("attention: ", name, " is missing, expected ", expected.text());
  to_ = in_order(name, given, std::span(axes).first(static_cast<size_t>(expected.rank())));
  require_sizes(name, to_, expected);
  if (only_f32 ? to_.dtype != DType::f32 : !is_real(to_.dtype))
    fail_call("attention: ", name, " is of ", limpid::name(to_.dtype), ", expected f32",
              only_f32 ? "" : ", bf16 or f16");
  call.writes(name, to_);
  use_ = to_;
  if (!last_contiguous(to_)) set_aside(to_.dtype);
}

kernels::HeadStrides AttentionOutput::rows() const { return strides_of(use_, 1, 2); }
kernels::HeadStrides AttentionOutput::cells() const { return strides_of(use_, 2, 1); }

void AttentionOutput::set_aside(DType type) {
  aside_ = Tensor(type, to_.dims);
  use_ = operand_of(type, to_.dims, aside_.raw());
}

void AttentionOutput::done() const {
  if (use_.data == to_.data) return;
  const ConstView to = to_.view();
  copy(use_.view(), View(to.dtype(), to.shape(), to.strides(), const_cast<void*>(to.raw())));
}

}  // namespace limpid
