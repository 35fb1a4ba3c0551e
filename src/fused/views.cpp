#include "fused/views.h"

#include <algorithm>

#include "fused/call.h"
#include "tensor/overlap.h"

namespace limpid {

std::string letters(const std::vector<Axis>& axes) {
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

void require_sizes(const char* name, const ConstView& x, const Shape& expected) {
  if (!x.shape().same_sizes(expected))
    fail_call("attention: ", name, " is ", x.shape().text(), ", expected ", expected.text());
}

bool is_real(DType type) { return type == DType::f32 || type == DType::bf16 || type == DType::f16; }

void require_real(const char* name, DType type) {
  if (!is_real(type))
    fail_call("attention: ", name, " is of ", limpid::name(type), ", expected f32, bf16 or f16");
}

bool is_given(const ConstView& x) { return x.shape().rank() > 0 || !x.empty(); }

bool last_contiguous(const ConstView& x) {
  const int last = x.shape().rank() - 1;
  return x.shape()[last].size <= 1 || x.strides()[static_cast<size_t>(last)] == 1;
}

kernels::HeadStrides strides_of(const ConstView& x, size_t row, size_t head) {
  return {x.strides()[0], x.strides()[row], x.strides()[head]};
}

ConstView in_order(const char* name, const ConstView& x, const std::vector<Axis>& wanted) {
  require_addressable("attention", name, x);
  const Shape& shape = x.shape();
  const bool by_place = nameless(shape) && shape.rank() > 0;
  Shape ordered;
  std::vector<int64_t> strides;
  for (size_t i = 0; i < wanted.size() && static_cast<size_t>(shape.rank()) == wanted.size(); ++i) {
    const int place = by_place ? static_cast<int>(i) : shape.find(wanted[i]);
    if (place < 0) break;
    ordered.append({wanted[i], shape[place].size});
    strides.push_back(x.strides()[static_cast<size_t>(place)]);
  }
  if (static_cast<size_t>(ordered.rank()) != wanted.size())
    fail_call("attention: ", name, " is ", shape.text(), ", expected the axes ", letters(wanted),
              " in any order, or in this one without names");
  return {x.dtype(), ordered, strides, x.raw()};
}

// ---- outputs -------------------------------------------------------------------------------------

void AttentionCall::writes(const char* name, const ConstView& x) {
  if (may_overlap_itself(x))
    fail_call("attention: ", name, " is ", x.shape().text(),
              " with places that share memory, expected each its own");
  for (const auto& [other, view] : used_)
    if (may_overlap(x, view))
      fail_call("attention: ", name, " overlaps ", other, ", expected memory of its own");
  used_.emplace_back(name, x);
}

AttentionOutput::AttentionOutput(AttentionCall& call, const char* name, const View& given,
                                 const Shape& expected, bool only_f32) {
  std::vector<Axis> axes;
  for (const Dim& dim : expected) axes.push_back(dim.axis);
  if (!is_given(given)) fail_call("attention: ", name, " is missing, expected ", expected.text());
  const ConstView x = in_order(name, given, axes);
  require_sizes(name, x, expected);
  if (only_f32 ? x.dtype() != DType::f32 : !is_real(x.dtype()))
    fail_call("attention: ", name, " is of ", limpid::name(x.dtype()), ", expected f32",
              only_f32 ? "" : ", bf16 or f16");
  call.writes(name, x);
  to_ = use_ = View(x.dtype(), x.shape(), x.strides(), given.raw());
  if (!last_contiguous(to_)) set_aside(to_.dtype());
}

kernels::HeadStrides AttentionOutput::rows() const { return strides_of(use_, 1, 2); }
kernels::HeadStrides AttentionOutput::cells() const { return strides_of(use_, 2, 1); }

void AttentionOutput::set_aside(DType type) {
  aside_ = Tensor(type, to_.shape());
  use_ = aside_.view();
}

void AttentionOutput::done() const {
  if (use_.raw() != to_.raw()) copy(use_, to_);
}

}  // namespace limpid
