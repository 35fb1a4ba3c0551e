// The public decode: checks by AttentionCall and of caches, then the kernels.
#include "kernels/attention_decode.h"

#include <algorithm>
#include <new>
#include <vector>

#include "fused/call.h"
#include "fused/views.h"
#include "kernels/kernel.h"
#include "limpid/attention.h"

namespace limpid::fused {

namespace {

struct Names {
  const char *rows, *scales, *pages;
};

class DecodeCall : public AttentionCall {
 public:
  explicit DecodeCall(const Decode& call) {
    const ConstView q = take_queries(call.q);
    kernels::AttentionShape& shape = args.shape;
    shape.batch = q.shape()[0].size, shape.queries = q.shape()[1].size;
    shape.heads = q.shape()[2].size, shape.width = q.shape()[3].size;
    const Names of_keys = {"keys.rows", "keys.scales", "keys.pages"},
                of_values = {"values.rows", "values.scales", "values.pages"};
    Held keys = take_cache(of_keys, call.keys), values = take_cache(of_values, call.values);
    const Shape &k = keys.rows.shape(), &v = values.rows.shape();
    require_sizes(of_keys.rows, keys.rows, {k[0], k[1], k[2], q.shape()[3]});
    require_sizes(of_values.rows, values.rows, {v[0], v[1], k[2], v[3]});
    if (values.room != keys.room)
      fail_call("attention: values have room for ", values.room, " keys in a batch row, expected ", keys.room,
                " as keys have");
    shape.keys = keys.room, shape.key_heads = k[2].size, shape.value_width = v[3].size;
    require_shape();
    take_options(call);
    require_pages(of_keys.pages, keys);
    require_pages(of_values.pages, values);
    decode.keys = cache_of(keys);
    decode.values = cache_of(values);
  }

  kernels::DecodeArgs decode;  // without z, lse and partials

 private:
  // A cache in order, with its numbers where a kernel can read them.
  struct Held {
    ConstView rows, scales, pages;
    int64_t room = 0;  // keys that a batch row may have
    bool paged = false;
  };

  ConstView take_queries(const ConstView& given) {
    ConstView q = input("q", given, {Axis::B, Axis::T, Axis::H, Axis::D});
    require_real("q", q.dtype());
    require_some("q", q, 2);
    if (!last_contiguous(q)) q = copied(q, q.dtype());
    decode.type = args.type = q.dtype();
    decode.q = q.raw();
    decode.q_at = strides_of(q, 1, 2);
    return q;
  }

  static void require_some(const char* name, const ConstView& x, int from) {
    for (int i = from; i < 4; ++i)
      if (x.shape()[i].size < 1)
        fail_call("attention: ", name, " is ", x.shape().text(), ", expected at least 1 of ",
                  static_cast<char>(x.shape()[i].axis));
  }

  Held take_cache(const Names& names, const Cache& cache) {
    Held held;
    held.paged = is_given(cache.pages);
    const Axis first = held.paged ? Axis::P : Axis::B;
    held.rows = input(names.rows, cache.rows, {first, Axis::S, Axis::G, Axis::D});
    const DType type = held.rows.dtype();
    if (!is_real(type) && type != DType::i8)
      fail_call("attention: ", names.rows, " is of ", name(type), ", expected f32, bf16, f16 or i8");
    require_some(names.rows, held.rows, held.paged ? 1 : 2);
    const Shape& shape = held.rows.shape();
    held.room = shape[1].size;
    if (held.paged) {
      held.pages = input(names.pages, cache.pages, {Axis::B, Axis::N});
      require_sizes(names.pages, held.pages, {{Axis::B, args.shape.batch}, held.pages.shape()[1]});
      if (held.pages.dtype() != DType::i64)
        fail_call("attention: ", names.pages, " is of ", name(held.pages.dtype()), ", expected i64");
      if (!held.pages.contiguous()) held.pages = copied(held.pages, DType::i64);
      // Beyond what any cache can hold the product would not fit: require_shape says so of the keys.
      held.room =
          std::min(held.room, int64_t{1} << 30) * std::min(held.pages.shape()[1].size, int64_t{1} << 30);
    } else {
      require_sizes(names.rows, held.rows, {{Axis::B, args.shape.batch}, shape[1], shape[2], shape[3]});
    }
    const bool has_scales = is_given(cache.scales);
    if (type == DType::i8 && !has_scales)
      fail_call("attention: ", names.scales, " is missing, expected f32 ", letters({first, Axis::S, Axis::G}),
                " with i8");
    if (type != DType::i8 && has_scales)
      fail_call("attention: ", names.scales, " is given with rows of ", name(type),
                ", expected it with i8 alone");
    if (type == DType::i8) {
      held.scales = input(names.scales, cache.scales, {first, Axis::S, Axis::G});
      require_sizes(names.scales, held.scales, {shape[0], shape[1], shape[2]});
      if (held.scales.dtype() != DType::f32)
        fail_call("attention: ", names.scales, " is of ", name(held.scales.dtype()), ", expected f32");
    }
    if (!last_contiguous(held.rows)) held.rows = copied(held.rows, type);
    return held;
  }

  void take_options(const Decode& call) {
    Attention same;  // the same words, for the same checks
    same.scale = call.scale, same.softcap = call.softcap;
    same.causal = call.causal, same.window = call.window;
    same.first_query = call.first_query, same.first_queries = call.first_queries;
    same.key_lengths = call.key_lengths;
    same.slopes = call.slopes, same.sinks = call.sinks;
    take_sight(same);
    take_added(same);
    take_numbers(same);
    if (!args.first_query && !args.first_queries && args.key_lengths) {
      for (int64_t b = 0; b < args.shape.batch; ++b)
        firsts_.push_back(args.key_lengths[b] - args.shape.queries);
      args.first_queries = firsts_.data();
    }
    decode.shape = args.shape;
    decode.scale = args.scale, decode.softcap = args.softcap;
    decode.causal = args.causal, decode.window = args.window;
    decode.first_query = args.first_query, decode.first_queries = args.first_queries;
    decode.key_lengths = args.key_lengths;
    decode.slopes = args.slopes, decode.sinks = args.sinks;
  }

  void require_pages(const char* name, const Held& held) const {
    if (!held.paged) return;
    const int64_t pages = held.rows.shape()[0].size, each = held.rows.shape()[1].size,
                  columns = held.pages.shape()[1].size;
    for (int64_t b = 0; b < args.shape.batch; ++b) {
      const int64_t length = args.key_lengths ? args.key_lengths[b] : held.room;
      for (int64_t n = 0; n * each < length; ++n) {
        const int64_t page = held.pages.data<int64_t>()[b * columns + n];
        if (page < 0 || page >= pages)
          fail_call("attention: ", name, "[", b, ",", n, "] is ", page, ", expected 0 to ", pages - 1);
      }
    }
  }

  static kernels::Cache cache_of(const Held& held) {
    kernels::Cache cache;
    cache.type = held.rows.dtype();
    cache.data = const_cast<void*>(held.rows.raw());  // read only
    cache.at = strides_of(held.rows, 1, 2);
    if (cache.type == DType::i8) {
      cache.scales = const_cast<float*>(held.scales.data<float>());  // read only
      cache.scales_at = strides_of(held.scales, 1, 2);
    }
    if (held.paged) {
      cache.pages = held.pages.data<int64_t>();
      cache.pages_batch = held.pages.shape()[1].size;
      cache.page_keys = held.rows.shape()[1].size;
    }
    return cache;
  }

  std::vector<int64_t> firsts_;
};

void run(DecodeCall& call, const View& z, const View& lse) {
  AttentionOutput to_z(call, "z", z, call.z_shape()), to_lse(call, "lse", lse, call.lse_shape(), true);
  if (!to_lse.contiguous()) to_lse.set_aside(DType::f32);
  kernels::DecodeArgs& args = call.decode;
  args.z_type = to_z.type();
  args.z = to_z.data();
  args.z_at = to_z.rows();
  args.lse = static_cast<float*>(to_lse.data());
  Tensor partials(DType::f32, Shape::unnamed({kernels::decode_partials(args.shape)}));
  args.partials = partials.data<float>();
  const kernels::AttentionDecode tasks(args);
  const kernels::AttentionDecodeMerge merge(args);
  try {
    kernels::launch(tasks);
    kernels::launch(merge);
  } catch (const std::bad_alloc&) {
    fail_work("attention: no memory for ", tasks.scratch(), " bytes of scratch a thread");
  }
  to_z.done();
  to_lse.done();
}

}  // namespace

Attended decode(const Decode& given) {
  DecodeCall call(given);
  Attended out;
  out.z = Tensor(call.decode.type, call.z_shape());
  out.lse = Tensor(DType::f32, call.lse_shape());
  run(call, out.z, out.lse);
  return out;
}

void decode_into(const Decode& given, const View& z, const View& lse) {
  DecodeCall call(given);
  Tensor unwanted;
  const bool wanted = is_given(lse);
  if (!wanted) unwanted = Tensor(DType::f32, call.lse_shape());
  run(call, z, wanted ? lse : unwanted.view());
}

}  // namespace limpid::fused
