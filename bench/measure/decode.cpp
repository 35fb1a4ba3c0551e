// Decoding one token against a long cache of keys and values, stored as f32, bf16 or int8; the queries and
// the result are f32.  Each key head's rows lie together, [B,G,S,D].
#include <cmath>

#include "bench/measure/catalogue.h"
#include "bench/measure/memory.h"
#include "kernels/attention_decode.h"
#include "kernels/kernel.h"
#include "limpid/error.h"

namespace limpid::bench {
namespace {

using kernels::launch;

constexpr int64_t k_heads = 32, k_width = 128;  // H, D; batch and queries are 1

struct Sizes {
  std::string name;
  int64_t keys = 0, key_heads = 0;  // S, G
  int64_t elements() const { return keys * key_heads * k_width; }
};
const Sizes k_caches[] = {{"1k", 1024, 32}, {"1k", 1024, 8}, {"8k", 8192, 32}, {"8k", 8192, 8}};

struct StoredAs {
  DType type;
  Stored stored;
  std::string name;
};
const StoredAs k_types[] = {
    {DType::f32, Stored::f32, "f32"}, {DType::bf16, Stored::bf16, "bf16"}, {DType::i8, Stored::int8, "int8"}};

class Memory {
 public:
  kernels::DecodeArgs args;

  Memory(const Sizes& s, DType type) {
    args.shape = {1, 1, s.keys, k_heads, s.key_heads, k_width, k_width};
    args.q = keep(shared_numbers("q", k_heads * k_width));
    args.q_at = args.z_at = {k_heads * k_width, k_heads * k_width, k_width};
    args.keys = filled("k", s, type), args.values = filled("v", s, type);
    args.scale = 1 / std::sqrt(static_cast<float>(k_width));
    args.z = keep(shared_numbers("z", k_heads * k_width));
    args.lse = keep(shared_numbers("lse", k_heads));
    args.partials = keep(shared_numbers("partials", kernels::decode_partials(args.shape)));
  }

 private:
  template <class T>
  T* keep(std::shared_ptr<T> memory) {
    kept_.push_back(memory);
    return memory.get();
  }

  // By the kernel that fills caches.
  kernels::Cache filled(const std::string& name, const Sizes& s, DType type) {
    const std::string own = join(name, " cache ", limpid::name(type));
    kernels::Cache cache;
    cache.type = type;
    cache.at = {s.elements(), k_width, s.keys * k_width};
    cache.data = keep(shared_bytes(own, s.elements() * static_cast<int64_t>(byte_size(type))));
    if (type == DType::i8) {
      cache.scales_at = {s.keys * s.key_heads, 1, s.keys};
      cache.scales = keep(shared_numbers(own + " scales", s.keys * s.key_heads));
    }
    const std::shared_ptr<float> from = shared_numbers(name, s.elements());
    kernels::CacheWrite write;
    write.to = cache;
    write.from = from.get(), write.from_at = cache.at;
    write.batch = 1, write.rows = write.capacity = s.keys, write.heads = s.key_heads, write.width = k_width;
    launch(write);
    return cache;
  }

  std::vector<std::shared_ptr<void>> kept_;
};

// The cache is read once, and every element of it converted once and multiplied once for each query head of
// its own key head.  int8 has a scale for each row and head.
Case decode(const Sizes& s, const StoredAs& as) {
  Case c;
  c.what = "attention_decode";
  c.shape = join(s.name, " (", k_heads, "/", s.key_heads, ",", s.keys, ",", k_width, ")");
  c.type = as.name;
  c.layout = "heads";
  c.sizes = {{"B", 1}, {"T", 1}, {"S", s.keys}, {"H", k_heads}, {"G", s.key_heads}, {"D", k_width}};
  const int64_t scales = as.type == DType::i8 ? 4 * s.keys * s.key_heads : 0;
  const int64_t bytes = 2 * (s.elements() * static_cast<int64_t>(byte_size(as.type)) + scales);
  LimitKey read{LimitKey::Kind::read, bytes}, convert{LimitKey::Kind::convert, 0, as.stored};
  convert.queries = static_cast<int>(k_heads / s.key_heads);
  c.bounds = {{read, static_cast<double>(bytes)}, {convert, 2 * static_cast<double>(s.elements())}};
  c.quick = s.keys == 1024;
  c.prepare = [=]() -> std::function<void()> {
    const auto memory = std::make_shared<Memory>(s, as.type);
    return [memory] {
      launch(kernels::AttentionDecode(memory->args));
      launch(kernels::AttentionDecodeMerge(memory->args));
    };
  };
  return c;
}

}  // namespace

void add_decode(std::vector<Case>& all) {
  for (const StoredAs& as : k_types)
    for (const Sizes& s : k_caches) all.push_back(decode(s, as));
}

}  // namespace limpid::bench
