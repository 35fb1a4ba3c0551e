// Attention: the shapes that are judged, and one-token decoding against a long cache.
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
  std::string title() const {
    if (queries == keys) return join(name, " (", heads, ",", queries, ",", width, ")");
    return join(name, " (", heads, "/", key_heads, ",", keys, ",", width, ")");
  }
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
const Sizes k_caches[] = {{"1k", 1, 1024, 32, 32, 128},
                          {"1k", 1, 1024, 32, 8, 128},
                          {"8k", 1, 8192, 32, 32, 128},
                          {"8k", 1, 8192, 32, 8, 128}};

kernels::HeadStrides strides(const std::string& layout, int64_t rows, int64_t heads, int64_t width) {
  const int64_t batch = rows * heads * width;
  if (layout == "heads") return {batch, width, rows * width};
  return {batch, heads * width, width};
}

// Everything a call needs.  The inputs are the same memory for every mask and layout; what a gradient reads
// of its forward pass is not.
struct Memory {
  std::shared_ptr<float> q, k, v, z, lse, dz, dq, dk, dv;
  kernels::AttentionArgs args;
  kernels::AttentionGradients gradients;

  Memory(const Sizes& s, const std::string& layout, bool causal, bool backward) {
    const int64_t of_q = s.queries * s.heads * s.width, of_k = s.keys * s.key_heads * s.width;
    const std::string own = join(layout, causal ? " causal" : "", " ");
    q = shared_numbers("q", of_q), k = shared_numbers("k", of_k), v = shared_numbers("v", of_k);
    z = shared_numbers(own + "z", of_q), lse = shared_numbers(own + "lse", s.heads * s.queries);
    args.shape = {1, s.queries, s.keys, s.heads, s.key_heads, s.width, s.width};
    args.q = q.get(), args.k = k.get(), args.v = v.get(), args.z = z.get(), args.lse = lse.get();
    args.q_at = args.z_at = strides(layout, s.queries, s.heads, s.width);
    args.k_at = args.v_at = strides(layout, s.keys, s.key_heads, s.width);
    args.scale = 1 / std::sqrt(static_cast<float>(s.width));
    args.causal = causal;
    if (!backward) return;
    dz = shared_numbers("dz", of_q);
    dq = shared_numbers("dq", of_q), dk = shared_numbers("dk", of_k), dv = shared_numbers("dv", of_k);
    gradients.dz = dz.get(), gradients.dq = dq.get(), gradients.dk = dk.get(), gradients.dv = dv.get();
    gradients.dz_at = gradients.dq_at = args.q_at;
    gradients.dk_at = gradients.dv_at = args.k_at;
    launch(kernels::AttentionForward(args));  // the gradient reads z and lse
  }
};

// Two products a cell forward, five backward (it rebuilds the scores); with a causal mask half of the cells
// are seen.
Case pass(const Sizes& s, const std::string& layout, bool causal, bool backward) {
  Case c;
  c.what = backward ? "attention_backward" : "attention_forward";
  c.shape = s.title();
  c.mask = causal ? "causal" : "none";
  c.layout = layout;
  c.sizes = s.letters();
  const double operations = (backward ? 10 : 4) * s.cells() * static_cast<double>(s.width) / (causal ? 2 : 1);
  c.bounds = {{{LimitKey::Kind::multiply_adds}, operations}};
  c.quick = layout == "heads" && s.queries <= 1024;
  c.prepare = [=]() -> Run {
    const auto memory = std::make_shared<Memory>(s, layout, causal, backward);
    if (backward) return [memory] { launch(kernels::AttentionBackward(memory->args, memory->gradients)); };
    return [memory] { launch(kernels::AttentionForward(memory->args)); };
  };
  return c;
}

// The cache is read once, and every element of it converted once and multiplied once for each query head of
// its own key head.
Case decode(const Sizes& s) {
  Case c;
  c.what = "attention_decode";
  c.shape = s.title();
  c.layout = "heads";
  c.sizes = s.letters();
  const int64_t elements = 2 * s.keys * s.key_heads * s.width, bytes = 4 * elements;
  LimitKey read{LimitKey::Kind::read, bytes}, convert{LimitKey::Kind::convert};
  convert.queries = static_cast<int>(s.heads / s.key_heads);
  c.bounds = {{read, static_cast<double>(bytes)}, {convert, static_cast<double>(elements)}};
  c.quick = s.keys == 1024;
  c.prepare = [=]() -> Run {
    const auto memory = std::make_shared<Memory>(s, "heads", false, false);
    return [memory] { launch(kernels::AttentionForward(memory->args)); };
  };
  return c;
}

}  // namespace

void add_attention(std::vector<Case>& all) {
  for (const bool backward : {false, true})
    for (const std::string layout : {"heads", "rows"})
      for (const bool causal : {false, true})
        for (const Sizes& s : k_shapes) all.push_back(pass(s, layout, causal, backward));
  for (const Sizes& s : k_caches) all.push_back(decode(s));
}

}  // namespace limpid::bench
