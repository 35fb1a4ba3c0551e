#include "limpid/tensor.h"

#include <cstring>

#include "core/memory.h"
#include "tensor/dispatch.h"

namespace limpid {

namespace {

int64_t checked_offset(const Shape& shape, const std::vector<int64_t>& strides, const Index& index) {
  if (static_cast<int>(index.size()) != shape.rank())
    fail_call("index with ", index.size(), " numbers given for shape ", shape.text());
  int64_t offset = 0;
  for (int i = 0; i < shape.rank(); ++i) {
    const int64_t at = index[static_cast<size_t>(i)];
    if (at < 0 || at >= shape[i].size)
      fail_call("index ", at, " is outside axis ", i, " of shape ", shape.text());
    offset += at * strides[static_cast<size_t>(i)];
  }
  return offset;
}

// Calls f(from offset, to offset) for every element of a shape, outermost axis slowest.
template <class F>
void each_pair(const Shape& shape, const std::vector<int64_t>& from, const std::vector<int64_t>& to, F&& f) {
  const int64_t count = shape.count();
  Index index(static_cast<size_t>(shape.rank()), 0);
  int64_t a = 0, b = 0;
  for (int64_t n = 0; n < count; ++n) {
    f(a, b);
    for (int i = shape.rank() - 1; i >= 0; --i) {
      const auto axis = static_cast<size_t>(i);
      a += from[axis];
      b += to[axis];
      if (++index[axis] < shape[i].size) break;
      a -= from[axis] * shape[i].size;
      b -= to[axis] * shape[i].size;
      index[axis] = 0;
    }
  }
}

}  // namespace

std::vector<int64_t> contiguous_strides(const Shape& shape) {
  std::vector<int64_t> strides(static_cast<size_t>(shape.rank()), 1);
  for (int i = shape.rank() - 2; i >= 0; --i) {
    const auto axis = static_cast<size_t>(i);
    // overflow is only possible where a size is 0, and then no stride is ever used
    if (__builtin_mul_overflow(strides[axis + 1], shape[i + 1].size, &strides[axis])) strides[axis] = 0;
  }
  return strides;
}

// ---- views ---------------------------------------------------------------------------------------

ConstView::ConstView(DType dtype, Shape shape, const void* data)
    : dtype_(dtype), shape_(std::move(shape)), strides_(contiguous_strides(shape_)), data_(data) {}

bool ConstView::contiguous() const {
  for (const Dim& dim : shape_)
    if (dim.size == 0) return true;
  int64_t expected = 1;
  for (int i = shape_.rank() - 1; i >= 0; --i) {
    if (shape_[i].size != 1 && strides_[static_cast<size_t>(i)] != expected) return false;
    expected *= shape_[i].size;
  }
  return true;
}

void ConstView::require(DType wanted) const {
  if (dtype_ != wanted)
    fail_call("tensor ", shape_.text(), " holds ", name(dtype_), ", read as ", name(wanted));
}

void ConstView::require_contiguous() const {
  if (!contiguous()) fail_call("tensor ", shape_.text(), " is not contiguous; copy it first");
}

void ConstView::require_numbers() const {
  if (empty() && shape_.count() > 0)
    fail_call("tensor ", shape_.text(), " holds no numbers: it was never given any");
}

double ConstView::at(const Index& index) const {
  require_numbers();
  const int64_t offset = checked_offset(shape_, strides_, index);
  return visit_dtype(dtype_, [&]<class T>() { return load_as_double(static_cast<const T*>(data_)[offset]); });
}

void View::set(const Index& index, double value) const {
  require_numbers();
  const int64_t offset = checked_offset(shape_, strides_, index);
  visit_dtype(dtype_, [&]<class T>() { static_cast<T*>(raw())[offset] = store_from_double<T>(value); });
}

ConstView ConstView::window(int axis, int64_t first, int64_t count) const {
  if (axis < 0 || axis >= shape_.rank()) fail_call("window: axis ", axis, " of shape ", shape_.text());
  if (first < 0 || count < 0 || first > shape_[axis].size - count)
    fail_call("window: ", count, " from ", first, " on, of axis ", axis, " of shape ", shape_.text());
  ConstView out = *this;
  out.shape_[axis].size = count;
  if (shape_.count() > 0)  // nothing to point at otherwise
    out.data_ = static_cast<const std::byte*>(data_) +
                first * strides_[static_cast<size_t>(axis)] * static_cast<int64_t>(byte_size(dtype_));
  return out;
}

ConstView ConstView::permuted(const std::vector<int>& order) const {
  if (static_cast<int>(order.size()) != shape_.rank())
    fail_call("permuted: ", order.size(), " axes given for shape ", shape_.text());
  ConstView out = *this;
  std::vector<bool> seen(order.size(), false);
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i] < 0 || order[i] >= shape_.rank() || seen[static_cast<size_t>(order[i])])
      fail_call("permuted: axis ", order[i], " is missing or given twice, shape ", shape_.text());
    seen[static_cast<size_t>(order[i])] = true;
    out.shape_[static_cast<int>(i)] = shape_[order[i]];
    out.strides_[i] = strides_[static_cast<size_t>(order[i])];
  }
  return out;
}

ConstView ConstView::reshaped(Shape shape) const {
  require_contiguous();
  if (shape.count() != shape_.count()) fail_call("reshape: ", shape_.text(), " does not fill ", shape.text());
  return ConstView(dtype_, std::move(shape), data_);
}

void copy(const ConstView& from, const View& to) {
  if (!from.shape().same_sizes(to.shape()))
    fail_call("copy: ", from.shape().text(), " does not fit ", to.shape().text());
  const int64_t count = from.shape().count();
  if (count == 0) return;
  from.require_numbers();
  to.require_numbers();
  const bool straight = from.contiguous() && to.contiguous();
  if (from.dtype() == to.dtype() && straight) {
    std::memcpy(to.raw(), from.raw(), static_cast<size_t>(count) * byte_size(from.dtype()));
    return;
  }
  // row by row along the last axis, all in one row if the numbers lie in order on both sides
  const int last = straight ? -1 : from.shape().rank() - 1;
  const Shape rows = straight ? Shape() : from.shape().part(0, last);
  const int64_t length = straight ? count : from.shape()[last].size;
  const int64_t step = straight ? 1 : from.strides().back(), to_step = straight ? 1 : to.strides().back();
  visit_dtype(from.dtype(), [&]<class From>() {
    visit_dtype(to.dtype(), [&]<class To>() {
      const From* source = static_cast<const From*>(from.raw());
      To* target = static_cast<To*>(to.raw());
      each_pair(rows, from.strides(), to.strides(), [&](int64_t a, int64_t b) {
        for (int64_t i = 0; i < length; ++i) target[b + i * to_step] = convert<To>(source[a + i * step]);
      });
    });
  });
}

// ---- the owner -----------------------------------------------------------------------------------

void Tensor::Free::operator()(std::byte* p) const { release(p); }

Tensor::Tensor(DType dtype, Shape shape) : dtype_(dtype), shape_(std::move(shape)), count_(shape_.count()) {
  size_t size = 0;
  if (__builtin_mul_overflow(count_, static_cast<int64_t>(byte_size(dtype_)), &size))
    fail_call("tensor ", shape_.text(), " is larger than memory");
  data_.reset(allocate(size));
  if (!data_) fail_work("no memory for tensor ", shape_.text(), " of ", name(dtype_), ": ", size, " bytes");
  std::memset(data_.get(), 0, size);
}

Tensor::Tensor(const Tensor& other) : Tensor() { *this = other; }

Tensor& Tensor::operator=(const Tensor& other) {
  if (this == &other) return *this;
  if (!other.data_) return *this = Tensor();
  Tensor fresh(other.dtype_, other.shape_);
  std::memcpy(fresh.raw(), other.raw(), other.bytes());
  return *this = std::move(fresh);
}

Tensor Tensor::copy_of(const ConstView& view) {
  Tensor out(view.dtype(), view.shape());
  copy(view, out.view());
  return out;
}

View Tensor::view() { return View(dtype_, shape_, data_.get()); }
ConstView Tensor::view() const { return ConstView(dtype_, shape_, data_.get()); }

Tensor Tensor::to(DType dtype) const {
  Tensor out(dtype, shape_);
  copy(view(), out.view());
  return out;
}

void Tensor::reshape(Shape shape) {
  if (shape.count() != count_) fail_call("reshape: ", shape_.text(), " does not fill ", shape.text());
  shape_ = std::move(shape);
}

}  // namespace limpid
