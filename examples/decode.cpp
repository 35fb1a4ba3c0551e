// One token at a time: what a model does when it writes. Keys and values of the tokens before are kept in
// 16 bits, and each new query is answered from them.
//   c++ -std=c++20 decode.cpp $(pkg-config --cflags --libs limpid) && ./a.out
#include <limpid/attention.h>

#include <cmath>
#include <iostream>
#include <vector>

int main() try {
  using limpid::Axis, limpid::DType, limpid::Tensor, limpid::View;
  namespace fused = limpid::fused;
  const int64_t room = 512, H = 8, G = 2, D = 64;  // 4 query heads share a key head
  Tensor keys(DType::bf16, {{Axis::B, 1}, {Axis::G, G}, {Axis::S, room}, {Axis::D, D}}), values = keys;
  Tensor token(DType::f32, {{Axis::B, 1}, {Axis::G, G}, {Axis::S, 1}, {Axis::D, D}});
  Tensor q(DType::f32, {{Axis::B, 1}, {Axis::T, 1}, {Axis::H, H}, {Axis::D, D}});

  std::vector<int64_t> length = {0};
  for (const int64_t last = 300; length[0] < last;) {
    // A model would project the token's row; here, waves of its place.
    const auto place = static_cast<double>(length[0]);
    const auto number = [&](int64_t d) {
      return std::cos(place / std::pow(100., static_cast<double>(d) / D));
    };
    for (int64_t i = 0; i < token.count(); ++i) token.data<float>()[i] = static_cast<float>(number(i % D));
    for (int64_t i = 0; i < q.count(); ++i) q.data<float>()[i] = static_cast<float>(number(i % D));
    for (Tensor* cache : {&keys, &values}) {
      const View whole = cache->view();  // [B,G,S,D]: a row of every key head, `length` rows further on
      const auto row = static_cast<limpid::bf16*>(whole.raw()) + length[0] * D;
      copy(token.view(), View(DType::bf16, token.shape(), whole.strides(), row));
    }
    ++length[0];  // with the token just stored
    const fused::Attended next =
        fused::decode({.q = q, .keys = {keys}, .values = {values}, .key_lengths = length});
    if (length[0] == 1 || length[0] == last)
      std::cout << length[0] << " tokens: head 0 gathers " << next.z.at({0, 0, 0, 1})
                << ", and the log of its total is " << next.lse.at({0, 0, 0}) << "\n";
  }
} catch (const limpid::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
