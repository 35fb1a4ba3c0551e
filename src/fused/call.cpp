#include "fused/call.h"

#include <algorithm>
#include <cmath>

#include "fused/views.h"
#include "tensor/overlap.h"

namespace limpid {

namespace {

constexpr int64_t k_most_keys = int64_t{1} << 24;      // the kernels keep places as floats
constexpr int64_t k_most_position = int64_t{1} << 40;  // far from overflow

float require_finite(const char* name, double x) {
  const auto as_float = static_cast<float>(x);
  if (!std::isfinite(as_float)) fail_call("attention: ", name, " is ", x, ", expected a finite f32");
  return as_float;
}

}  // namespace

AttentionCall::AttentionCall(const fused::Attention& call) {
  take_inputs(call);
  take_sight(call);
  take_added(call);
  take_numbers(call);
}

void AttentionCall::take_numbers(const fused::Attention& call) {
  args.scale =
      require_finite("scale", call.scale.value_or(1 / std::sqrt(static_cast<double>(args.shape.width))));
  args.softcap = require_finite("softcap", call.softcap);
  if (call.softcap < 0 || (call.softcap > 0 && args.softcap == 0))
    fail_call("attention: softcap is ", call.softcap, ", expected a number above 0, or 0 for none");
  if (!(call.dropout >= 0 && call.dropout < 1))
    fail_call("attention: dropout is ", call.dropout, ", expected 0 or more and less than 1");
  args.dropout = call.dropout;
  args.seed = call.seed;
  args.stream = call.stream;
  args.step = call.step;
}

ConstView AttentionCall::input(const char* name, const ConstView& x, const std::vector<Axis>& axes) {
  if (x.empty() && x.shape().rank() == 0)
    fail_call("attention: ", name, " is missing, expected ", letters(axes));
  const ConstView ordered = in_order(name, x, axes);
  used_.emplace_back(name, ordered);
  return ordered;
}

ConstView AttentionCall::copied(const ConstView& x, DType type) {
  copies_.push_back(Tensor(type, x.shape()));
  copy(x, copies_.back());
  return std::as_const(copies_.back());
}

void AttentionCall::take_inputs(const fused::Attention& call) {
  ConstView q = input("q", call.q, {Axis::B, Axis::T, Axis::H, Axis::D});
  ConstView k = input("k", call.k, {Axis::B, Axis::S, Axis::G, Axis::D});
  ConstView v = input("v", call.v, {Axis::B, Axis::S, Axis::G, Axis::D});
  require_real("q", q.dtype());
  const std::pair<const char*, ConstView*> all[] = {{"q", &q}, {"k", &k}, {"v", &v}};
  for (const auto& [name, x] : all) {
    if (x->dtype() != q.dtype())
      fail_call("attention: ", name, " is of ", limpid::name(x->dtype()), ", q of ", limpid::name(q.dtype()),
                "; expected one type");
    for (int i = 2; i < 4; ++i)
      if (x->shape()[i].size < 1)
        fail_call("attention: ", name, " is ", x->shape().text(), ", expected at least 1 of ",
                  static_cast<char>(x->shape()[i].axis));
  }
  const Shape &of_q = q.shape(), &of_k = k.shape(), &of_v = v.shape();
  require_sizes("k", k, {of_q[0], of_k[1], of_k[2], of_q[3]});
  require_sizes("v", v, {of_q[0], of_k[1], of_k[2], of_v[3]});
  args.shape = {of_q[0].size, of_q[1].size, of_k[1].size, of_q[2].size,
                of_k[2].size, of_q[3].size, of_v[3].size};
  require_shape();
  for (const auto& [name, x] : all)
    if (!last_contiguous(*x)) *x = copied(*x, x->dtype());
  args.type = q.dtype();
  args.q = q.raw(), args.k = k.raw(), args.v = v.raw();
  args.q_at = strides_of(q, 1, 2), args.k_at = strides_of(k, 1, 2), args.v_at = strides_of(v, 1, 2);
}

void AttentionCall::require_shape() const {
  if (args.shape.heads % args.shape.key_heads != 0)
    fail_call("attention: ", args.shape.heads, " query heads (H of q) cannot share ", args.shape.key_heads,
              " key heads (G of k) evenly");
  if (args.shape.keys > k_most_keys || args.shape.queries > k_most_keys)
    fail_call("attention: ", args.shape.queries, " queries and ", args.shape.keys, " keys, expected at most ",
              k_most_keys);
}

// A span of one number for each `axis`; null where it is not given.
template <class T>
const T* AttentionCall::per(const char* name, std::span<const T> numbers, Axis axis, int64_t count) {
  if (numbers.empty()) return nullptr;
  if (static_cast<int64_t>(numbers.size()) != count)
    fail_call("attention: ", name, " has ", numbers.size(), " numbers, expected ", count, " (one for each ",
              static_cast<char>(axis), ")");
  used_.emplace_back(name, ConstView(dtype_of<T>(), {{axis, count}}, numbers.data()));
  return numbers.data();
}

void AttentionCall::take_sight(const fused::Attention& call) {
  const kernels::AttentionShape& shape = args.shape;
  args.causal = call.causal;
  if (call.window < 0)
    fail_call("attention: window is ", call.window, ", expected a number of keys, or 0 for all");
  args.window = std::min(call.window, k_most_position);
  if (call.window_after && *call.window_after < 0)
    fail_call("attention: window_after is ", *call.window_after,
              ", expected a number of keys, or nothing for all of them");
  if (call.window_after) args.window_after = std::min(*call.window_after, k_most_position);
  args.first_query = call.first_query;
  args.first_queries = per("first_queries", call.first_queries, Axis::B, shape.batch);
  if (call.first_query && args.first_queries)
    fail_call("attention: first_query and first_queries are both given, expected one of them");
  for (int64_t b = 0; b < (args.first_queries ? shape.batch : 1); ++b) {
    const int64_t first = args.first_queries ? args.first_queries[b] : call.first_query.value_or(0);
    if (first < -k_most_position || first > k_most_position)
      fail_call("attention: the first query's position is ", first, ", expected at most ", k_most_position,
                " either way");
  }
  args.key_lengths = per("key_lengths", call.key_lengths, Axis::B, shape.batch);
  for (int64_t b = 0; b < shape.batch && args.key_lengths; ++b)
    if (args.key_lengths[b] < 0 || args.key_lengths[b] > shape.keys)
      fail_call("attention: key_lengths[", b, "] is ", args.key_lengths[b], ", expected 0 to S=", shape.keys);

  const bool of_queries = is_given(call.query_documents), of_keys = is_given(call.key_documents);
  if (of_queries != of_keys)
    fail_call("attention: ", of_queries ? "query_documents" : "key_documents", " is given alone, expected ",
              of_queries ? "key_documents" : "query_documents", " with it");
  if (of_queries) {
    const auto documents = [&](const char* name, const ConstView& given, const Shape& expected) {
      const ConstView x = input(name, given, {expected[0].axis, expected[1].axis});
      require_sizes(name, x, expected);
      if (x.dtype() != DType::i64)
        fail_call("attention: ", name, " is of ", limpid::name(x.dtype()), ", expected i64");
      return (x.contiguous() ? x : copied(x, DType::i64)).data<int64_t>();
    };
    args.query_documents = documents("query_documents", call.query_documents,
                                     {{Axis::B, shape.batch}, {Axis::T, shape.queries}});
    args.key_documents =
        documents("key_documents", call.key_documents, {{Axis::B, shape.batch}, {Axis::S, shape.keys}});
  }
  if (is_given(call.allowed)) {
    if (call.allowed.dtype() != DType::boolean)
      fail_call("attention: allowed is of ", limpid::name(call.allowed.dtype()),
                ", expected bool (numbers to add belong in bias)");
    const ConstView x = cells("allowed", call.allowed, DType::boolean);
    args.allowed = static_cast<const bool*>(x.raw());
    args.allowed_at = strides_of(x, 2, 1);
  }
}

// Something for every cell, as [B,H,T,S] with strides of 0 where it is the same for all, S contiguous.
ConstView AttentionCall::cells(const char* name, const ConstView& given, DType type) {
  require_addressable("attention", name, given);
  const kernels::AttentionShape& s = args.shape;
  const Shape whole = {{Axis::B, s.batch}, {Axis::H, s.heads}, {Axis::T, s.queries}, {Axis::S, s.keys}};
  const Shape& shape = given.shape();
  const bool by_place = nameless(shape);
  Shape small = whole;  // its sizes are 1 where it is the same for all
  std::vector<int64_t> strides(4, 0);
  int used = 0;
  for (int i = 0; i < 4; ++i) {
    const int place = by_place ? i - 4 + shape.rank() : shape.find(whole[i].axis);
    small[i].size = 1;
    if (place < 0) continue;
    ++used;
    if (shape[place].size != whole[i].size && shape[place].size != 1) used = -4;
    small[i].size = shape[place].size;
    if (shape[place].size != 1) strides[static_cast<size_t>(i)] = given.strides()[static_cast<size_t>(place)];
  }
  if (used != shape.rank())
    fail_call("attention: ", name, " is ", shape.text(), ", expected ", whole.text(),
              ", where axes may be missing or have size 1");
  used_.emplace_back(name, ConstView(given.dtype(), small, strides, given.raw()));
  const bool narrow = small[3].size != s.keys;  // one number for all keys
  if (given.dtype() == type && !narrow && (s.keys <= 1 || strides[3] == 1)) return used_.back().second;
  small[3].size = s.keys;
  const ConstView tight = copied(ConstView(given.dtype(), small, strides, given.raw()), type);
  std::vector<int64_t> apart = tight.strides();
  for (int i = 0; i < 3; ++i)
    if (small[i].size == 1) apart[static_cast<size_t>(i)] = 0;
  return {type, small, apart, tight.raw()};
}

void AttentionCall::take_added(const fused::Attention& call) {
  const kernels::AttentionShape& shape = args.shape;
  if (is_given(call.bias)) {
    if (!is_floating(call.bias.dtype()))
      fail_call("attention: bias is of ", limpid::name(call.bias.dtype()),
                ", expected floats (who sees whom belongs in allowed)");
    const ConstView x = cells("bias", call.bias, DType::f32);
    args.bias = static_cast<const float*>(x.raw());
    args.bias_at = strides_of(x, 2, 1);
  }
  args.slopes = per("slopes", call.slopes, Axis::H, shape.heads);
  args.symmetric_slopes = call.symmetric_slopes;
  if (call.symmetric_slopes && !args.slopes)
    fail_call("attention: symmetric_slopes is given without slopes, expected both");
  args.sinks = per("sinks", call.sinks, Axis::H, shape.heads);
  if (!is_given(call.distances)) return;
  ConstView x = input("distances", call.distances, {Axis::H, Axis::N});
  require_sizes("distances", x, {{Axis::H, shape.heads}, x.shape()[1]});
  if (x.dtype() != DType::f32)
    fail_call("attention: distances is of ", limpid::name(x.dtype()), ", expected f32");
  if (!x.contiguous()) x = copied(x, DType::f32);
  args.distances = static_cast<const float*>(x.raw());
  args.distances_head = distance_count = x.shape()[1].size;
  args.least_distance = call.least_distance;
  require_distances(distance_count);
}

// Is there a number for every distance that the bounds of sight leave?
void AttentionCall::require_distances(int64_t count) const {
  const kernels::AttentionShape& s = args.shape;
  const int64_t least = args.least_distance;
  if (least < -k_most_position || least > k_most_position)
    fail_call("attention: least_distance is ", least, ", expected at most ", k_most_position, " either way");
  for (int64_t b = 0; b < s.batch; ++b) {
    const int64_t first =
        args.first_queries ? args.first_queries[b] : args.first_query.value_or(s.keys - s.queries);
    const int64_t length = args.key_lengths ? args.key_lengths[b] : s.keys;
    for (int64_t t = 0; t < s.queries; ++t) {
      const int64_t p = first + t;
      const int64_t low = args.window > 0 ? std::max<int64_t>(0, p - args.window + 1) : 0;
      int64_t high = args.causal ? std::min(length, p + 1) : length;
      if (args.window_after) high = std::min(high, p + 1 + *args.window_after);
      if (low >= high) continue;
      if (p - low >= least + count || p - high + 1 < least)
        fail_call("attention: distances hold ", least, " to ", least + count - 1, ", but query ", t,
                  " (position ", p, ") sees keys at ", p - high + 1, " to ", p - low);
    }
  }
}

Shape AttentionCall::q_shape() const {
  return {{Axis::B, args.shape.batch},
          {Axis::T, args.shape.queries},
          {Axis::H, args.shape.heads},
          {Axis::D, args.shape.width}};
}

Shape AttentionCall::z_shape() const {
  Shape shape = q_shape();
  shape[3].size = args.shape.value_width;
  return shape;
}

Shape AttentionCall::lse_shape() const {
  return {{Axis::B, args.shape.batch}, {Axis::H, args.shape.heads}, {Axis::T, args.shape.queries}};
}

Shape AttentionCall::key_shape(bool values) const {
  return {{Axis::B, args.shape.batch},
          {Axis::S, args.shape.keys},
          {Axis::G, args.shape.key_heads},
          {Axis::D, values ? args.shape.value_width : args.shape.width}};
}

Rows AttentionCall::rows(const char* name, const ConstView& given, const Shape& expected, bool as_floats) {
  ConstView x = input(name, given, {Axis::B, Axis::T, Axis::H, Axis::D});
  require_sizes(name, x, expected);
  require_real(name, x.dtype());
  if (!last_contiguous(x) || (as_floats && x.dtype() != DType::f32))
    x = copied(x, as_floats ? DType::f32 : x.dtype());
  return {x.dtype(), x.raw(), strides_of(x, 1, 2)};
}

const float* AttentionCall::numbers(const char* name, const ConstView& given, const Shape& expected) {
  std::vector<Axis> axes;
  for (const Dim& dim : expected) axes.push_back(dim.axis);
  const ConstView x = input(name, given, axes);
  require_sizes(name, x, expected);
  if (x.dtype() != DType::f32)
    fail_call("attention: ", name, " is of ", limpid::name(x.dtype()), ", expected f32");
  return static_cast<const float*>((x.contiguous() ? x : copied(x, DType::f32)).raw());
}

}  // namespace limpid
