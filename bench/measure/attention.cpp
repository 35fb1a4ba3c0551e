// Attention: the shapes that are judged, forward, backward and observed.
//   layout heads   each head's rows together, [B,H,T,D]
//          rows    a token's heads together, [B,T,H,D]
#include <cmath>

#include "bench/measure/catalogue.h"
#include "bench/measure/memory.h"
#include "kernels/attention.h"
#include "kernels/kernel.h"
#include "limpid/error.h"

namespace limpid::bench {
namespace {

using kernels::launch;
using Run = std::function<void()>;

struct Sizes {
  std::string name;
  int64_t queries = 0, keys = 0, heads = 0, key_heads = 0, width = 0;  // T, S, H, G, D; batch is 1
  std::string title() const { return join(name, " (", heads, ",", queries, ",", width, ")"); }
  std::map<std::string, int64_t> letters() const {
    return {{"B", 1}, {"T", queries}, {"S", keys}, {"H", heads}, {"G", key_heads}, {"D", width}};
  }
  double cells() const { return static_cast<double>(heads * queries) * static_cast<double>(keys); }
};

const Sizes k_shapes[] = {{"a", 128, 128, 12, 12, 64},
                          {"b", 512, 512, 12, 12, 64},
                          {"c", 1024, 1024, 12, 12, 64},
                          {"d", 4096, 4096, 12, 12, 64},
                          {"e", 2048, 2048, 32, 32, 128}};
kernels::HeadStrides strides(const std::string& layout, int64_t rows, int64_t heads, int64_t width) {
  const int64_t batch = rows * heads * width;
  if (layout == "heads") return {batch, width, rows * width};
  return {batch, heads * width, width};
}

enum class Way { forward, backward, observed };

// Everything a call needs.  The inputs are the same memory for every mask and layout; what a gradient reads
// of its forward pass is not.
struct Memory {
  kernels::AttentionArgs args;
  kernels::AttentionGradients gradients;
  kernels::AttentionObservation observation;

  Memory(const Sizes& s, const std::string& layout, DType type, bool causal) : sizes_(s) {
    const std::string own = join(layout, causal ? " causal" : "", " ");
    args.shape = {1, s.queries, s.keys, s.heads, s.key_heads, s.width, s.width};
    args.type = args.z_type = type;
    args.q = numbers("q", of_q(), type), args.k = numbers("k", of_k(), type);
    args.v = numbers("v", of_k(), type), args.z = numbers(own + "z", of_q(), type);
    args.lse = floats(join(own, "lse ", name(type)), s.heads * s.queries);
    args.q_at = args.z_at = strides(layout, s.queries, s.heads, s.width);
    args.k_at = args.v_at = strides(layout, s.keys, s.key_heads, s.width);
    args.scale = 1 / std::sqrt(static_cast<float>(s.width));
    args.causal = causal;
  }

  void make_gradients() {
    gradients.dz = floats("dz", of_q()), gradients.dq = floats("dq", of_q());
    gradients.dk = floats("dk", of_k()), gradients.dv = floats("dv", of_k());
    gradients.dz_at = gradients.dq_at = args.q_at;
    gradients.dk_at = gradients.dv_at = args.k_at;
    launch(kernels::AttentionForward(args));  // the gradient reads z and lse
  }

  // Everything that can be seen at once: entropies, the 8 largest weights of each row, a map of 64 x 64.
  void make_observation() {
    const int64_t rows = sizes_.heads * sizes_.queries;
    observation.entropy = floats("entropy", rows);
    observation.top = 8;
    observation.top_weights = floats("top weights", rows * observation.top);
    observation.top_keys = reinterpret_cast<int32_t*>(bytes("top keys", rows * observation.top * 4));
    observation.map_queries = sizes_.queries / 64, observation.map_keys = sizes_.keys / 64;
    observation.map = floats("map", sizes_.heads * 64 * 64);
  }

 private:
  int64_t of_q() const { return sizes_.queries * sizes_.heads * sizes_.width; }
  int64_t of_k() const { return sizes_.keys * sizes_.key_heads * sizes_.width; }
  template <class T>
  T* keep(std::shared_ptr<T> memory) {
    kept_.push_back(memory);
    return memory.get();
  }
  std::byte* bytes(const std::string& name, int64_t count) { return keep(shared_bytes(name, count)); }
  float* floats(const std::string& name, int64_t count) { return keep(shared_numbers(name, count)); }
  void* numbers(const std::string& name, int64_t count, DType type) {
    if (type == DType::bf16) return keep(shared_bf16(name, count));
    return floats(name, count);
  }

  Sizes sizes_;
  std::vector<std::shared_ptr<void>> kept_;
};

// Two products a cell forward, five backward (it rebuilds the scores); with a causal mask half of the cells
// are seen.  What observing costs on top is no part of the limit.
Case pass(const Sizes& s, const std::string& layout, DType type, bool causal, Way way) {
  Case c;
  c.what = way == Way::forward    ? "attention_forward"
           : way == Way::backward ? "attention_backward"
                                  : "attention_observed";
  c.shape = s.title();
  c.type = name(type);
  c.mask = causal ? "causal" : "none";
  c.layout = layout;
  c.sizes = s.letters();
  const double products = way == Way::backward ? 5 : 2;
  const double operations = 2 * products * s.cells() * static_cast<double>(s.width) / (causal ? 2 : 1);
  using Kind = LimitKey::Kind;
  c.bounds = {{{type == DType::bf16 ? Kind::bf16_products : Kind::multiply_adds}, operations}};
  c.quick = layout == "heads" && s.queries <= 1024;
  c.prepare = [=]() -> Run {
    const auto memory = std::make_shared<Memory>(s, layout, type, causal);
    if (way == Way::backward) {
      memory->make_gradients();
      return [memory] { launch(kernels::AttentionBackward(memory->args, memory->gradients)); };
    }
    if (way == Way::observed) memory->make_observation();
    return [memory] { launch(kernels::AttentionForward(memory->args, memory->observation)); };
  };
  return c;
}

}  // namespace

void add_attention(std::vector<Case>& all) {
  const auto add = [&](Way way, const std::string& layout, DType type, const std::string& names) {
    for (const bool causal : {false, true})
      for (const Sizes& s : k_shapes)
        if (names.find(s.name) != names.npos) all.push_back(pass(s, layout, type, causal, way));
  };
  for (const Way way : {Way::forward, Way::backward})
    for (const std::string layout : {"heads", "rows"}) add(way, layout, DType::f32, "abcde");
  add(Way::forward, "heads", DType::bf16, "bcde");
  add(Way::observed, "heads", DType::f32, "cd");
}

}  // namespace limpid::bench
