#include "fused/call.h"

#include <algorithm>
#include <cmath>

#include "fused/views.h"
#include "tensor/overlap.h"

namespace limpid {

namespace {

constexpr int64_t k_most_keys = int64_t{1} << 24;      // the kernels keep places as floats
constexpr int64_t k_most_position = int64_t{1} << 40;  // far from overflow
constexpr int64_t k_most_table = int64_t{1} << 26;     // distances within the bounds, seen or not

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

void AttentionCall::use(const char* name, const Operand& x) {
  if (used_count_ == used_.size()) fail_call("attention: more than ", used_.size(), " views");
  used_[used_count_++] = {name, x};
}

Operand AttentionCall::input(const char* name, const ConstView& x, std::span<const Axis> axes) {
  if (x.empty() && x.shape().rank() == 0)
    fail_call("attention: ", name, " is missing, expected ", letters(axes));
  const Operand ordered = in_order(name, x, axes);
  use(name, ordered);
  return ordered;
}

Operand AttentionCall::copied(const Operand& x, DType type) {
  copies_.push_back(Tensor(type, x.dims));
  copy(x.view(), copies_.back());
  return operand_of(type, x.dims, copies_.back().raw());
}

void AttentionCall::take_inputs(const fused::Attention& call) {
  Operand q = input("q", call.q, {Axis::B, Axis::T, Axis::H, Axis::D});
  Operand k = input("k", call.k, {Axis::B, Axis::S, Axis::G, Axis::D});
  Operand v = input("v", call.v, {Axis::B, Axis::S, Axis::G, Axis::D});
  require_real("q", q.dtype);
  const std::pair<const char*, Operand*> all[] = {{"q", &q}, {"k", &k}, {"v", &v}};
  for (const auto& [name, x] : all) {
    if (x->dtype != q.dtype)
      fail_call("attention: ", name, " is of ", limpid::name(x->dtype), ", q of ", limpid::name(q.dtype),
                "; expected one type");
    for (int i = 2; i < 4; ++i)
      if (x->size(i) < 1)
        fail_call("attention: ", name, " is ", x->dims.text(), ", expected at least 1 of ",
                  static_cast<char>(x->dims[i].axis));
  }
  const Dims of_q = q.dims, of_k = k.dims, of_v = v.dims;
  require_sizes("k", k, {of_q[0], of_k[1], of_k[2], of_q[3]});
  require_sizes("v", v, {of_q[0], of_k[1], of_k[2], of_v[3]});
  args.shape = {of_q[0].size, of_q[1].size, of_k[1].size, of_q[2].size,
                of_k[2].size, of_q[3].size, of_v[3].size};
  require_shape();
  for (const auto& [name, x] : all)
    if (!last_contiguous(*x)) *x = copied(*x, x->dtype);
  args.type = q.dtype;
  args.q = q.data, args.k = k.data, args.v = v.data;
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
  use(name, operand_of(dtype_of<T>(), {{axis, count}}, numbers.data()));
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
    const auto documents = [&](const char* name, const ConstView& given, const Dims& expected) {
      const Operand x = input(name, given, {expected[0].axis, expected[1].axis});
      require_sizes(name, x, expected);
      if (x.dtype != DType::i64)
        fail_call("attention: ", name, " is of ", limpid::name(x.dtype), ", expected i64");
      return static_cast<const int64_t*>((x.contiguous() ? x : copied(x, DType::i64)).data);
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
    const Operand x = cells("allowed", call.allowed, DType::boolean);
    args.allowed = static_cast<const bool*>(x.data);
    args.allowed_at = strides_of(x, 2, 1);
  }
}

// Something for every cell, as [B,H,T,S] with strides of 0 where it is the same for all, S contiguous.
Operand AttentionCall::cells(const char* name, const ConstView& given, DType type) {
  require_addressable("attention", name, given);
  const kernels::AttentionShape& s = args.shape;
  const Dims whole = {{Axis::B, s.batch}, {Axis::H, s.heads}, {Axis::T, s.queries}, {Axis::S, s.keys}};
  const Shape& shape = given.shape();
  const bool by_place = nameless(shape);
  Operand small{given.dtype(), whole, {}, given.raw()};  // its sizes are 1 where it is the same for all
  int used = 0;
  for (int i = 0; i < 4; ++i) {
    const int place = by_place ? i - 4 + shape.rank() : shape.find(whole[i].axis);
    small.dims[i].size = 1;
    if (place < 0) continue;
    ++used;
    if (shape[place].size != whole[i].size && shape[place].size != 1) used = -4;
    small.dims[i].size = shape[place].size;
    if (shape[place].size != 1)
      small.strides[static_cast<size_t>(i)] = given.strides()[static_cast<size_t>(place)];
  }
  if (used != shape.rank())
    fail_call("attention: ", name, " is ", shape.text(), ", expected ", whole.text(),
              ", where axes may be missing or have size 1");
  use(name, small);
  const bool narrow = small.size(3) != s.keys;  // one number for all keys
  if (given.dtype() == type && !narrow && (s.keys <= 1 || small.stride(3) == 1)) return small;
  small.dims[3].size = s.keys;
  Operand tight = copied(small, type);
  for (int i = 0; i < 3; ++i)
    if (small.size(i) == 1) tight.strides[static_cast<size_t>(i)] = 0;
  return tight;
}

void AttentionCall::take_added(const fused::Attention& call) {
  const kernels::AttentionShape& shape = args.shape;
  if (is_given(call.bias)) {
    if (!is_floating(call.bias.dtype()))
      fail_call("attention: bias is of ", limpid::name(call.bias.dtype()),
                ", expected floats (who sees whom belongs in allowed)");
    const Operand x = cells("bias", call.bias, DType::f32);
    args.bias = static_cast<const float*>(x.data);
    args.bias_at = strides_of(x, 2, 1);
  }
  args.slopes = per("slopes", call.slopes, Axis::H, shape.heads);
  args.symmetric_slopes = call.symmetric_slopes;
  if (call.symmetric_slopes && !args.slopes)
    fail_call("attention: symmetric_slopes is given without slopes, expected both");
  args.sinks = per("sinks", call.sinks, Axis::H, shape.heads);
  if (!is_given(call.distances)) return;
  Operand x = input("distances", call.distances, {Axis::H, Axis::N});
  require_sizes("distances", x, {{Axis::H, shape.heads}, x.dims[1]});
  if (x.dtype != DType::f32)
    fail_call("attention: distances is of ", limpid::name(x.dtype), ", expected f32");
  if (!x.contiguous()) x = copied(x, DType::f32);
  args.distances = static_cast<const float*>(x.data);
  args.distances_head = distance_count = x.size(1);
  args.least_distance = call.least_distance;
  cover_distances();
}

// Is a key hidden from a query of every head by documents, or by allowed cells?
bool AttentionCall::hidden_from_all_heads(int64_t b, int64_t t, int64_t s) const {
  const kernels::AttentionShape& shape = args.shape;
  if (args.query_documents &&
      args.query_documents[b * shape.queries + t] != args.key_documents[b * shape.keys + s])
    return true;
  if (!args.allowed) return false;
  const int64_t place = b * args.allowed_at.batch + t * args.allowed_at.row + s;
  for (int64_t h = 0; h < (args.allowed_at.head ? shape.heads : 1); ++h)
    if (args.allowed[place + h * args.allowed_at.head]) return false;
  return true;
}

// Is there a number for every distance that is seen?  Kernels read one for each within the bounds, hidden or
// not: a table that ends before is copied into one that does not.
void AttentionCall::cover_distances() {
  const kernels::AttentionShape& shape = args.shape;
  const int64_t least = args.least_distance, count = distance_count;
  if (least < -k_most_position || least > k_most_position)
    fail_call("attention: least_distance is ", least, ", expected at most ", k_most_position, " either way");
  int64_t first_read = least, end_read = least + count;
  for (int64_t b = 0; b < shape.batch; ++b) {
    const int64_t first =
        args.first_queries ? args.first_queries[b] : args.first_query.value_or(shape.keys - shape.queries);
    const int64_t length = args.key_lengths ? args.key_lengths[b] : shape.keys;
    for (int64_t t = 0; t < shape.queries; ++t) {
      const int64_t p = first + t;
      const int64_t low = args.window > 0 ? std::max<int64_t>(0, p - args.window + 1) : 0;
      int64_t high = args.causal ? std::min(length, p + 1) : length;
      if (args.window_after) high = std::min(high, p + 1 + *args.window_after);
      if (low >= high) continue;
      const auto require_hidden = [&](int64_t from, int64_t to) {
        for (int64_t s = from; s < to; ++s)
          if (!hidden_from_all_heads(b, t, s))
            fail_call("attention: distances hold ", least, " to ", least + count - 1, ", but query ", t,
                      " (position ", p, ") sees keys at ", p - high + 1, " to ", p - low);
      };
      require_hidden(low, std::min(high, p - least - count + 1));  // farther away than the table goes
      require_hidden(std::max(low, p - least + 1), high);          // and nearer
      first_read = std::min(first_read, p - high + 1);
      end_read = std::max(end_read, p - low + 1);
    }
  }
  if (end_read - first_read == count) return;
  if (end_read - first_read > k_most_table)
    fail_call("attention: distances of ", first_read, " to ", end_read - 1, " are too many for a table");
  const int64_t before = least - first_read, all = end_read - first_read;
  copies_.push_back(Tensor(DType::f32, {{Axis::H, shape.heads}, {Axis::N, all}}));
  float* const to = copies_.back().data<float>();
  for (int64_t h = 0; h < shape.heads; ++h)
    std::copy_n(args.distances + h * count, count, to + h * all + before);
  args.distances = to;
  args.distances_head = all;
  args.least_distance = first_read;
  distances_before = before;
}

Dims AttentionCall::q_shape() const {
  return {{Axis::B, args.shape.batch},
          {Axis::T, args.shape.queries},
          {Axis::H, args.shape.heads},
          {Axis::D, args.shape.width}};
}

Dims AttentionCall::z_shape() const {
  Dims shape = q_shape();
  shape[3].size = args.shape.value_width;
  return shape;
}

Dims AttentionCall::lse_shape() const {
  return {{Axis::B, args.shape.batch}, {Axis::H, args.shape.heads}, {Axis::T, args.shape.queries}};
}

Dims AttentionCall::key_shape(bool values) const {
  return {{Axis::B, args.shape.batch},
          {Axis::S, args.shape.keys},
          {Axis::G, args.shape.key_heads},
          {Axis::D, values ? args.shape.value_width : args.shape.width}};
}

Rows AttentionCall::rows(const char* name, const ConstView& given, const Dims& expected, bool as_floats) {
  Operand x = input(name, given, {Axis::B, Axis::T, Axis::H, Axis::D});
  require_sizes(name, x, expected);
  require_real(name, x.dtype);
  if (!last_contiguous(x) || (as_floats && x.dtype != DType::f32))
    x = copied(x, as_floats ? DType::f32 : x.dtype);
  return {x.dtype, x.data, strides_of(x, 1, 2)};
}

const float* AttentionCall::numbers(const char* name, const ConstView& given, const Dims& expected) {
  std::array<Axis, 4> axes{};
  for (int i = 0; i < expected.rank(); ++i) axes[static_cast<size_t>(i)] = expected[i].axis;
  const Operand x =
      input(name, given, std::span<const Axis>(axes).first(static_cast<size_t>(expected.rank())));
  require_sizes(name, x, expected);
  if (x.dtype != DType::f32)
    fail_call("attention: ", name, " is of ", limpid::name(x.dtype), ", expected f32");
  return static_cast<const float*>((x.contiguous() ? x : copied(x, DType::f32)).data);
}

}  // namespace limpid
