// The public decode: checks by AttentionCall and of caches, then the kernels.
#include "kernels/attention_decode.h"

#include <algorithm>
#include <array>
#include <optional>

#include "fused/call.h"
#include "fused/launch.h"
#include "fused/memory.h"
#include "fused/views.h"
#include "limpid/attention.h"

namespace limpid::fused {

namespace {

struct Names {
  const char *rows, *scales, *pages;
};

class DecodeCall : public AttentionCall {
 public:
  DecodeCall(const Decode& call, CallMemory& memory) : memory_(memory) {
    const Operand q = take_queries(call.q);
    kernels::AttentionShape& shape = args.shape;
    shape.batch = q.size(0), shape.queries = q.size(1), shape.heads = q.size(2), shape.width = q.size(3);
    const Names of_keys = {"keys.rows", "keys.scales", "keys.pages"},
                of_values = {"values.rows", "values.scales", "values.pages"};
    Held keys = take_cache(of_keys, call.keys), values = take_cache(of_values, call.values);
    const Dims &k = keys.rows.dims, &v = values.rows.dims;
    require_sizes(of_keys.rows, keys.rows, {k[0], k[1], k[2], q.dims[3]});
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
    Operand rows, scales, pages;
    int64_t room = 0;  // keys that a batch row may have
    bool paged = false;
  };

  Operand take_queries(const ConstView& given) {
    Operand q = input("q", given, {Axis::B, Axis::T, Axis::H, Axis::D});
    require_real("q", q.dtype);
    require_some("q", q, 2);
    if (!last_contiguous(q)) q = copied(q, q.dtype);
    decode.type = args.type = q.dtype;
    decode.q = q.data;
    decode.q_at = strides_of(q, 1, 2);
    return q;
  }

  static void require_some(const char* name, const Operand& x, int from) {
    for (int i = from; i < 4; ++i)
      if (x.size(i) < 1)
        fail_call("attention: ", name, " is ", x.dims.text(), ", expected at least 1 of ",
                  static_cast<char>(x.dims[i].axis));
  }

  Held take_cache(const Names& names, const Cache& cache) {
    Held held;
    held.paged = is_given(cache.pages);
    const Axis first = held.paged ? Axis::P : Axis::B;
    held.rows = input(names.rows, cache.rows, {first, Axis::S, Axis::G, Axis::D});
    const DType type = held.rows.dtype;
    if (!is_real(type) && type != DType::i8)
      fail_call("attention: ", names.rows, " is of ", name(type), ", expected f32, bf16, f16 or i8");
    require_some(names.rows, held.rows, held.paged ? 1 : 2);
    const Dims shape = held.rows.dims;
    held.room = shape[1].size;
    if (held.paged) {
      held.pages = input(names.pages, cache.pages, {Axis::B, Axis::N});
      require_sizes(names.pages, held.pages, {{Axis::B, args.shape.batch}, held.pages.dims[1]});
      if (held.pages.dtype != DType::i64)
        fail_call("attention: ", names.pages, " is of ", name(held.pages.dtype), ", expected i64");
      if (!last_contiguous(held.pages)) held.pages = copied(held.pages, DType::i64);
      // Beyond what any cache can hold the product would not fit: require_shape says so of the keys.
      held.room = std::min(held.room, int64_t{1} << 30) * std::min(held.pages.size(1), int64_t{1} << 30);
    } else {
      require_sizes(names.rows, held.rows, {{Axis::B, args.shape.batch}, shape[1], shape[2], shape[3]});
    }
    const bool has_scales = is_given(cache.scales);
    if (type == DType::i8 && !has_scales)
      fail_call("attention: ", names.scales, " is missing, expected f32 ",
                letters(std::array{first, Axis::S, Axis::G}), " with i8");
    if (type != DType::i8 && has_scales)
      fail_call("attention: ", names.scales, " is given with rows of ", name(type),
                ", expected it with i8 alone");
    if (type == DType::i8) {
      held.scales = input(names.scales, cache.scales, {first, Axis::S, Axis::G});
      require_sizes(names.scales, held.scales, {shape[0], shape[1], shape[2]});
      if (held.scales.dtype != DType::f32)
        fail_call("attention: ", names.scales, " is of ", name(held.scales.dtype), ", expected f32");
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
      auto* firsts = memory_.take<int64_t>(args.shape.batch);
      for (int64_t b = 0; b < args.shape.batch; ++b) firsts[b] = args.key_lengths[b] - args.shape.queries;
      args.first_queries = firsts;
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
    const int64_t pages = held.rows.size(0), each = held.rows.size(1);
    const auto* numbers = static_cast<const int64_t*>(held.pages.data);
    for (int64_t b = 0; b < args.shape.batch; ++b) {
      const int64_t length = args.key_lengths ? args.key_lengths[b] : held.room;
      for (int64_t n = 0; n * each < length; ++n) {
        const int64_t page = numbers[b * held.pages.stride(0) + n];
        if (page < 0 || page >= pages)
          fail_call("attention: ", name, "[", b, ",", n, "] is ", page, ", expected 0 to ", pages - 1);
      }
    }
  }

  static kernels::Cache cache_of(const Held& held) {
    kernels::Cache cache;
    cache.type = held.rows.dtype;
    cache.data = const_cast<void*>(held.rows.data);  // read only
    cache.at = strides_of(held.rows, 1, 2);
    if (cache.type == DType::i8) {
      cache.scales = static_cast<float*>(const_cast<void*>(held.scales.data));  // read only
      cache.scales_at = strides_of(held.scales, 1, 2);
    }
    if (held.paged) {
      cache.pages = static_cast<const int64_t*>(held.pages.data);
      cache.pages_batch = held.pages.stride(0);
      cache.page_keys = held.rows.size(1);
    }
    return cache;
  }

  CallMemory& memory_;
};

void run(DecodeCall& call, CallMemory& memory, const View& z, const View& lse, const View& lse_rest) {
  AttentionOutput to_z(call, "z", z, call.z_shape());
  std::optional<AttentionOutput> to_lse, to_rest;
  const auto place = [&](const char* name, const View& to, std::optional<AttentionOutput>* output) -> float* {
    if (!is_given(to)) return nullptr;
    output->emplace(call, name, to, call.lse_shape(), true);
    if (!(*output)->contiguous()) (*output)->set_aside(DType::f32);
    return static_cast<float*>((*output)->data());
  };
  kernels::DecodeArgs& args = call.decode;
  args.lse = place("lse", lse, &to_lse);
  args.lse_rest = place("lse_rest", lse_rest, &to_rest);
  args.z_type = to_z.type();
  args.z = to_z.data();
  args.z_at = to_z.rows();
  args.partials = memory.take<float>(kernels::decode_partials(args.shape));
  launch_call(kernels::AttentionDecode(args));
  launch_call(kernels::AttentionDecodeMerge(args));
  for (const auto* output : {&to_lse, &to_rest})
    if (*output) (*output)->done();
  to_z.done();
}

}  // namespace

Attended decode(const Decode& given) {
  CallMemory memory;
  DecodeCall call(given, memory);
  Attended out;
  out.z = Tensor(call.decode.type, call.z_shape());
  out.lse = Tensor(DType::f32, call.lse_shape());
  out.lse_rest = Tensor(DType::f32, call.lse_shape());
  run(call, memory, out.z, out.lse, out.lse_rest);
  return out;
}

void decode_into(const Decode& given, const View& z, const View& lse, const View& lse_rest) {
  CallMemory memory;
  DecodeCall call(given, memory);
  run(call, memory, z, lse, lse_rest);
}

}  // namespace limpid::fused
