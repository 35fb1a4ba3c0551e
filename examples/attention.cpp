// Who looks where, seen while fused attention runs: 4,096 places, and never a matrix of 4,096 x 4,096.
//   c++ -std=c++20 attention.cpp $(pkg-config --cflags --libs limpid) && ./a.out
#include <limpid/attention.h>

#include <cmath>
#include <iostream>

int main() try {
  std::cout.precision(4);  // of what is printed below
  using limpid::Axis, limpid::DType, limpid::Tensor;
  namespace fused = limpid::fused;
  const int64_t T = 4096, D = 64;
  Tensor q(DType::f32, {{Axis::B, 1}, {Axis::T, T}, {Axis::H, 1}, {Axis::D, D}});
  for (int64_t i = 0; i < q.count(); ++i) {  // the sinusoids of a place, slower from cell to cell
    const double slower = std::pow(10000., static_cast<double>(i % D / 2) * 2 / D);
    const double angle = static_cast<double>(i / D) / slower;
    q.data<float>()[i] = static_cast<float>(i % 2 ? std::cos(angle) : std::sin(angle));
  }
  Tensor k = q;
  k.reshape({{Axis::B, 1}, {Axis::S, T}, {Axis::G, 1}, {Axis::D, D}});  // 1 key head

  const fused::Attention call{.q = q, .k = k, .v = k, .scale = 0.5, .causal = true};
  const fused::Attended out =
      fused::forward(call, {.top = 3, .entropy = true, .map_queries = 1024, .map_keys = 1024});

  for (const int64_t t : {int64_t{0}, int64_t{100}, T - 1}) {
    std::cout << "place " << t << " (entropy " << out.seen.entropy.at({0, 0, t}) << ") looks at";
    for (int64_t i = 0; i < 3 && i <= t; ++i)
      std::cout << "  " << out.seen.top_keys.at({0, 0, t, i}) << ": "
                << out.seen.top_weights.at({0, 0, t, i});
    std::cout << "\n";
  }
  std::cout << "of 4, the last block gives the first " << 1024 * out.seen.map.at({0, 0, 3, 0})
            << " of its weight\n";
  const Tensor cell = fused::window(call, {.lse = out.lse, .lse_rest = out.lse_rest},
                                    {.queries = {100, 101}, .keys = {98, 99}});
  std::cout << "place 100 to place 98, rebuilt: " << cell.at({0, 0, 0, 0}) << "\n";
} catch (const limpid::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
