// Tensors: numbers with named axes.
//
// One owner (Tensor: contiguous, copied by value like a std::vector) and one look at somebody else's
// numbers (View / ConstView: a pointer, a shape and strides; as cheap as a span, never outlives its
// owner).  An axis is a letter with one meaning everywhere: code, trace, error message, picture.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "limpid/api.h"
#include "limpid/error.h"

namespace LIMPID_API limpid {

// ---- axes and shapes -----------------------------------------------------------------------------

/// An axis letter.  Any letter may be used; these have the meanings below and no other.
enum class Axis : char {
  none = 0,  // a file that names no axes
  B = 'B',   // batch
  T = 'T',   // query position
  S = 'S',   // key position
  H = 'H',   // query head
  G = 'G',   // key/value head
  D = 'D',   // head width
  C = 'C',   // model width
  F = 'F',   // feed-forward width
  V = 'V',   // vocabulary, or classes
  L = 'L',   // layer
  P = 'P',   // rows of a position table
  N = 'N',   // buckets of a table of relative positions
  R = 'R',   // hops of attention pooling
  K = 'K',   // colour channels of an image
  Y = 'Y',   // its lines
  X = 'X',   // its columns
  M = 'M',   // experts of a layer
  J = 'J',   // those that a token is sent to
};

/// A size that is not known until the network runs: it is bound, by its axis, at each run.
inline constexpr int64_t k_symbolic = -1;

struct Dim {
  Axis axis = Axis::none;
  int64_t size = 0;
  bool operator==(const Dim&) const = default;
};

/// Axes and sizes, outermost first.  A scalar has no axes.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<Dim> dims) : dims_(dims) {}
  explicit Shape(std::vector<Dim> dims) : dims_(std::move(dims)) {}
  /// Sizes without names.
  static Shape unnamed(const std::vector<int64_t>& sizes);

  int rank() const { return static_cast<int>(dims_.size()); }
  const Dim& operator[](int i) const { return dims_[static_cast<size_t>(i)]; }
  Dim& operator[](int i) { return dims_[static_cast<size_t>(i)]; }
  auto begin() const { return dims_.begin(); }
  auto end() const { return dims_.end(); }

  /// Where `axis` stands, or -1.
  int find(Axis axis) const;
  /// The size of `axis`; throws Error{call} if the shape has no such axis.
  int64_t size(Axis axis) const;
  /// Product of the sizes (1 for a scalar).  Throws Error{call} if a size is symbolic or it overflows.
  int64_t count() const;
  bool symbolic() const;
  bool same_sizes(const Shape& other) const;
  std::vector<int64_t> sizes() const;
  void append(Dim dim) { dims_.push_back(dim); }
  /// The dims from `first` on, `count` of them.
  Shape part(int first, int count) const;

  /// "[B=1,T=3,C=4]"; a symbolic size is its letter alone, a nameless axis its size alone.
  std::string text() const;
  bool operator==(const Shape&) const = default;

 private:
  std::vector<Dim> dims_;
};

// ---- element types -------------------------------------------------------------------------------

enum class DType : uint8_t { f64, f32, bf16, f16, i64, i32, i16, i8, u8, u16, u32, boolean };

size_t byte_size(DType);
/// "f32", ..., "bool".
std::string_view name(DType);
/// The type of that name; throws Error{call} listing the names otherwise.
DType dtype_named(std::string_view name);
bool is_floating(DType);

/// 16-bit floats are stored, never computed with.  Conversions round to nearest, ties to even, keep
/// infinities, and NaN with what fits of its payload.
struct bf16 {
  uint16_t bits = 0;
};
struct f16 {
  uint16_t bits = 0;
};
bf16 to_bf16(float);
f16 to_f16(float);
float to_float(bf16);
float to_float(f16);

template <class T>
constexpr DType dtype_of() {
  using U = std::remove_const_t<T>;
  if constexpr (std::is_same_v<U, double>)
    return DType::f64;
  else if constexpr (std::is_same_v<U, float>)
    return DType::f32;
  else if constexpr (std::is_same_v<U, bf16>)
    return DType::bf16;
  else if constexpr (std::is_same_v<U, f16>)
    return DType::f16;
  else if constexpr (std::is_same_v<U, int64_t>)
    return DType::i64;
  else if constexpr (std::is_same_v<U, int32_t>)
    return DType::i32;
  else if constexpr (std::is_same_v<U, int16_t>)
    return DType::i16;
  else if constexpr (std::is_same_v<U, int8_t>)
    return DType::i8;
  else if constexpr (std::is_same_v<U, uint8_t>)
    return DType::u8;
  else if constexpr (std::is_same_v<U, uint16_t>)
    return DType::u16;
  else if constexpr (std::is_same_v<U, uint32_t>)
    return DType::u32;
  else {
    static_assert(std::is_same_v<U, bool>, "no DType for this type");
    return DType::boolean;
  }
}

// ---- typed access --------------------------------------------------------------------------------

/// The most axes that an Array, and a file, may have.
inline constexpr int k_max_rank = 8;

/// Numbers of one type with strides, for plain loops: a(b, t, c).  No bounds checks.
template <class T>
class Array {
 public:
  /// Throws Error{call} for more than k_max_rank strides.
  Array(T* data, const std::vector<int64_t>& strides) : data_(data) {
    if (strides.size() > strides_.size())
      fail_call("tensor of ", strides.size(), " axes, at most ", k_max_rank);
    for (size_t i = 0; i < strides.size(); ++i) strides_[i] = strides[i];
  }
  template <class... I>
  T& operator()(I... index) const {
    int64_t offset = 0;
    size_t axis = 0;
    ((offset += static_cast<int64_t>(index) * strides_[axis++]), ...);
    return data_[offset];
  }
  T* data() const { return data_; }

 private:
  T* data_;
  std::array<int64_t, k_max_rank> strides_{};
};

// ---- views ---------------------------------------------------------------------------------------

/// Position of one element, one index an axis.
using Index = std::vector<int64_t>;

/// Somebody else's numbers, to read.  Strides are in elements.
class ConstView {
 public:
  ConstView() = default;
  ConstView(DType dtype, Shape shape, std::vector<int64_t> strides, const void* data)
      : dtype_(dtype), shape_(std::move(shape)), strides_(std::move(strides)), data_(data) {}
  /// A contiguous look at `data`.
  ConstView(DType dtype, Shape shape, const void* data);

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  const std::vector<int64_t>& strides() const { return strides_; }
  const void* raw() const { return data_; }
  bool empty() const { return data_ == nullptr; }
  bool contiguous() const;

  /// The numbers as T; throws Error{call} if they are of another type.
  template <class T>
  Array<const T> as() const {
    require(dtype_of<T>());
    return {static_cast<const T*>(data_), strides_};
  }
  /// Pointer to the first number; throws Error{call} unless of type T and contiguous.
  template <class T>
  const T* data() const {
    require(dtype_of<T>());
    require_contiguous();
    return static_cast<const T*>(data_);
  }

  /// One number, of any type, as a double; throws Error{call} if the index is out of range.
  double at(const Index&) const;

  /// The part with `axis` (by place) in [first, first + count).
  ConstView window(int axis, int64_t first, int64_t count) const;
  /// Axes in another order.
  ConstView permuted(const std::vector<int>& order) const;
  /// The same numbers under another shape; throws Error{call} unless contiguous and of the same count.
  ConstView reshaped(Shape) const;

  /// Throws Error{call} if there should be numbers but none were given (a default view).
  void require_numbers() const;

 protected:
  void require(DType) const;
  void require_contiguous() const;

  DType dtype_ = DType::f32;
  Shape shape_;
  std::vector<int64_t> strides_;
  const void* data_ = nullptr;
};

/// Somebody else's numbers, to read and write.
class View : public ConstView {
 public:
  View() = default;
  View(DType dtype, Shape shape, std::vector<int64_t> strides, void* data)
      : ConstView(dtype, std::move(shape), std::move(strides), data) {}
  View(DType dtype, Shape shape, void* data) : ConstView(dtype, std::move(shape), data) {}

  void* raw() const { return const_cast<void*>(data_); }
  template <class T>
  Array<T> as() const {
    require(dtype_of<T>());
    return {static_cast<T*>(raw()), strides_};
  }
  template <class T>
  T* data() const {
    require(dtype_of<T>());
    require_contiguous();
    return static_cast<T*>(raw());
  }
  /// Stores one number, converted as copy() does.
  void set(const Index&, double) const;
};

/// Strides of a contiguous tensor of these sizes (row major).
std::vector<int64_t> contiguous_strides(const Shape&);

/// Copies every number of `from` into `to`, which must not overlap; shapes must have the same sizes.  Types
/// are converted.  To a float: the nearest, ties to even.  To an integer: the fraction is dropped, a number
/// beyond the type becomes the type's nearest, NaN becomes 0.  To bool: whether it is other than 0 (a NaN
/// is).
void copy(const ConstView& from, const View& to);

// ---- the owner -----------------------------------------------------------------------------------

/// Owns its numbers, contiguous, aligned to 64 bytes, zero at first.  Copies copy the numbers.
class Tensor {
 public:
  Tensor() = default;
  /// Zeros.  Throws Error{call} for a symbolic or overflowing shape, Error{work} if there is no memory for
  /// it.
  Tensor(DType, Shape);
  template <class T>
  static Tensor of(Shape shape, const std::vector<T>& values) {
    Tensor t(dtype_of<T>(), std::move(shape));
    if (static_cast<int64_t>(values.size()) != t.count())
      fail_call("tensor: ", values.size(), " values given for shape ", t.shape().text());
    for (size_t i = 0; i < values.size(); ++i) t.data<T>()[i] = values[i];
    return t;
  }
  /// A contiguous copy of what the view shows.
  static Tensor copy_of(const ConstView&);

  Tensor(const Tensor&);
  Tensor& operator=(const Tensor&);
  Tensor(Tensor&&) noexcept = default;
  Tensor& operator=(Tensor&&) noexcept = default;
  ~Tensor() = default;

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t count() const { return count_; }
  size_t bytes() const { return static_cast<size_t>(count_) * byte_size(dtype_); }

  View view();
  ConstView view() const;
  operator View() { return view(); }
  operator ConstView() const { return view(); }

  template <class T>
  T* data() {
    return view().template data<T>();
  }
  template <class T>
  const T* data() const {
    return view().template data<T>();
  }
  void* raw() { return data_.get(); }
  const void* raw() const { return data_.get(); }

  double at(const Index& index) const { return view().at(index); }
  void set(const Index& index, double value) { view().set(index, value); }

  /// The same numbers as another type.
  Tensor to(DType) const;
  /// Gives the axes other names or sizes; throws Error{call} unless the count stays the same.
  void reshape(Shape);

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  DType dtype_ = DType::f32;
  Shape shape_;
  int64_t count_ = 0;
  std::unique_ptr<std::byte[], Free> data_;
};

}  // namespace LIMPID_API limpid
