// Who looks where: runs a sentence through a model and reads the attention of its first layer.
//   c++ -std=c++20 trace.cpp $(pkg-config --cflags --libs limpid) && ./a.out "Life is short"
//   [model.safetensors]
#include <limpid/model.h>

#include <iostream>

int main(int argc, char** argv) try {
  limpid::Model model = argc > 2 ? limpid::Model::load(argv[2]) : limpid::Model::builtin();
  const limpid::Trace trace = model.trace(argc > 1 ? argv[1] : "Life is short");
  const limpid::Tensor& pattern = trace["blocks.0.attn.pattern"];  // [B,H,T,S]
  for (int64_t t = 0; t < pattern.shape().size(limpid::Axis::T); ++t) {
    std::cout << trace.tokens[t].label << " looks at";
    for (int64_t s = 0; s <= t; ++s)
      std::cout << "  " << trace.tokens[s].label << " " << pattern.at({0, 0, t, s});
    std::cout << "\n";
  }
} catch (const limpid::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
