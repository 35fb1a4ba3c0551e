// Who looks where, while fused attention runs: the keys that each query looks at most, without the T x S
// matrix ever being there.
//   c++ -std=c++20 attention.cpp $(pkg-config --cflags --libs limpid) && ./a.out
#include <limpid/attention.h>

#include <cmath>
#include <iostream>

int main() try {
  using limpid::Axis;
  const int64_t T = 4096, H = 2, D = 64;
  limpid::Tensor q(limpid::DType::f32, {{Axis::B, 1}, {Axis::H, H}, {Axis::T, T}, {Axis::D, D}});
  limpid::Tensor k(limpid::DType::f32, {{Axis::B, 1}, {Axis::G, H}, {Axis::S, T}, {Axis::D, D}});
  for (int64_t i = 0; i < q.count(); ++i) {  // places as waves: each looks at what is near it
    const auto t = static_cast<double>(i / D % T), wave = static_cast<double>(i % D / 2 + 1) * 0.02;
    q.data<float>()[i] = k.data<float>()[i] = static_cast<float>(std::sin(t * wave + i % 2 * 1.5708));
  }
  const limpid::Tensor v = k;

  const limpid::fused::Attention call{.q = q, .k = k, .v = v, .causal = true};
  const limpid::fused::Attended out = limpid::fused::forward(
      call, {.top = 3, .entropy = true, .map_queries = 1024, .map_keys = 1024});

  for (const int64_t t : {int64_t{0}, int64_t{100}, T - 1}) {
    std::cout << "query " << t << ", entropy " << out.seen.entropy.at({0, 0, t}) << ", looks at";
    for (int64_t i = 0; i < 3 && out.seen.top_keys.at({0, 0, t, i}) >= 0; ++i)
      std::cout << "  " << out.seen.top_keys.at({0, 0, t, i}) << ": " << out.seen.top_weights.at({0, 0, t, i});
    std::cout << "\n";
  }
  for (int64_t s = 0; s < 4; ++s)
    std::cout << "keys " << s * 1024 << "..: " << out.seen.block_mass.at({0, 0, s}) / T << " of all weight\n";
  const limpid::Tensor cell = limpid::fused::window(call, {.lse = out.lse}, {.queries = {100, 101}, .keys = {99, 100}});
  std::cout << "query 100 at key 99: " << cell.at({0, 0, 0, 0}) << "\n";
} catch (const limpid::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
