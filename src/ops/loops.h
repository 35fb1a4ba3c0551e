// What the plain loops of the operations share.  Boring on purpose: this is the meaning that every fast
// kernel is held against.
#pragma once

#include <cmath>
#include <limits>
#include <string>

#include "limpid/graph.h"

namespace limpid {

inline constexpr double k_infinity = std::numeric_limits<double>::infinity();

/// Calls f.operator()<float>() or <double>(), after the dtype of the output.
template <class F>
void on_real(const ConstView& out, F&& f) {
  if (out.dtype() == DType::f64)
    f.template operator()<double>();
  else
    f.template operator()<float>();
}

/// A shape seen along one axis: element i of row (o, k) is at (o * size + i) * inner + k.
struct Along {
  int64_t outer = 1, size = 1, inner = 1;
  int64_t at(int64_t o, int64_t i, int64_t k) const { return (o * size + i) * inner + k; }
};
inline Along along(const Shape& shape, int axis) {
  Along a;
  for (int i = 0; i < axis; ++i) a.outer *= shape[i].size;
  a.size = shape[axis].size;
  for (int i = axis + 1; i < shape.rank(); ++i) a.inner *= shape[i].size;
  return a;
}

/// Product of the sizes of the dims from `first` on, `count` of them.
inline int64_t product(const Shape& shape, int first, int count) {
  int64_t n = 1;
  for (int i = first; i < first + count; ++i) n *= shape[i].size;
  return n;
}

/// The place of `axis`, or Error{call} "NAME is [..], which has no axis X".
inline int require_axis(const Shape& shape, Axis axis, const char* what) {
  const int i = shape.find(axis);
  if (i < 0) fail_call(what, " is ", shape.text(), ", which has no axis ", static_cast<char>(axis));
  return i;
}

/// The option as an axis: one letter from A to Z.
inline Axis axis_option(const Options& options, const char* name, const char* otherwise) {
  const std::string word = options.word(name, otherwise);
  if (word.size() != 1 || word[0] < 'A' || word[0] > 'Z')
    fail_call("option '", name, "' is '", word, "', expected one letter from A to Z");
  return static_cast<Axis>(word[0]);
}

inline void require_inputs(const std::vector<Shape>& in, size_t least, size_t most) {
  if (in.size() < least || in.size() > most)
    fail_call(in.size(), " inputs given, expected ", least, most > least ? join(" to ", most) : "");
}

inline void require_rank(const Shape& shape, int rank, const char* what, const char* expected) {
  if (shape.rank() != rank) fail_call(what, " is ", shape.text(), ", expected ", expected);
}

/// Sizes agree, or one of them is not known yet.
inline bool fits(int64_t a, int64_t b) { return a == b || a == k_symbolic || b == k_symbolic; }
inline void require_size(const Shape& shape, int axis, int64_t size, const char* what, const Shape& other) {
  if (!fits(shape[axis].size, size))
    fail_call(what, " is ", shape.text(), ", which does not fit ", other.text());
}
inline bool fit(const Shape& a, const Shape& b) {
  if (a.rank() != b.rank()) return false;
  for (int i = 0; i < a.rank(); ++i)
    if (!fits(a[i].size, b[i].size)) return false;
  return true;
}

/// One input element as a leaf of an explanation.
inline Expr cell(Inputs in, int input, Index index) {
  const double value = in[static_cast<size_t>(input)].at(index);
  return Expr::cell(input, std::move(index), value);
}

/// An index with one number changed, inserted or left out.
inline Index with(Index index, int axis, int64_t value) {
  index[static_cast<size_t>(axis)] = value;
  return index;
}
inline Index inserted(Index index, int axis, int64_t value) {
  index.insert(index.begin() + axis, value);
  return index;
}
inline Index without(Index index, int axis) {
  index.erase(index.begin() + axis);
  return index;
}
inline Index joined(Index a, const Index& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
inline Index part(const Index& index, int first, int count) {
  return Index(index.begin() + first, index.begin() + first + count);
}
/// The index of the n-th element of a shape, row major, and back.
inline Index unflatten(const Shape& shape, int64_t n) {
  Index index(static_cast<size_t>(shape.rank()));
  for (int i = shape.rank() - 1; i >= 0; --i) {
    index[static_cast<size_t>(i)] = n % shape[i].size;
    n /= shape[i].size;
  }
  return index;
}
inline int64_t flatten(const Shape& shape, const Index& index) {
  int64_t n = 0;
  for (int i = 0; i < shape.rank(); ++i) n = n * shape[i].size + index[static_cast<size_t>(i)];
  return n;
}

}  // namespace limpid
