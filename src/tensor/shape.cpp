#include "limpid/tensor.h"

namespace limpid {

Shape Shape::unnamed(const std::vector<int64_t>& sizes) {
  Shape shape;
  for (int64_t size : sizes) shape.append({Axis::none, size});
  return shape;
}

int Shape::find(Axis axis) const {
  for (int i = 0; i < rank(); ++i)
    if ((*this)[i].axis == axis) return i;
  return -1;
}

int64_t Shape::size(Axis axis) const {
  const int i = find(axis);
  if (i < 0) fail_call("shape ", text(), " has no axis ", static_cast<char>(axis));
  return (*this)[i].size;
}

int64_t Shape::count() const {
  int64_t n = 1;
  for (const Dim& dim : dims_) {
    if (dim.size < 0) fail_call("shape ", text(), " has a size that is not known yet");
    if (__builtin_mul_overflow(n, dim.size, &n))
      fail_call("shape ", text(), " has more elements than fit in memory");
  }
  return n;
}

bool Shape::symbolic() const {
  for (const Dim& dim : dims_)
    if (dim.size < 0) return true;
  return false;
}

bool Shape::same_sizes(const Shape& other) const {
  if (rank() != other.rank()) return false;
  for (int i = 0; i < rank(); ++i)
    if ((*this)[i].size != other[i].size) return false;
  return true;
}

std::vector<int64_t> Shape::sizes() const {
  std::vector<int64_t> sizes;
  for (const Dim& dim : dims_) sizes.push_back(dim.size);
  return sizes;
}

Shape Shape::part(int first, int count) const {
  if (first < 0 || count < 0 || first > rank() - count)
    fail_call("shape ", text(), " has no ", count, " axes from ", first, " on");
  return Shape(std::vector<Dim>(dims_.begin() + first, dims_.begin() + first + count));
}

std::string Shape::text() const {
  std::string out = "[";
  for (int i = 0; i < rank(); ++i) {
    const Dim& dim = (*this)[i];
    if (i > 0) out += ',';
    if (dim.axis != Axis::none) out += static_cast<char>(dim.axis);
    if (dim.axis != Axis::none && dim.size >= 0) out += '=';
    if (dim.size >= 0) out += std::to_string(dim.size);
    if (dim.axis == Axis::none && dim.size < 0) out += '?';
  }
  return out + "]";
}

}  // namespace limpid
