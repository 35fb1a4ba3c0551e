// Which words moved the answer: the gradient of the loss with respect to every stage of a model, read by
// name.
//   c++ -std=c++20 gradients.cpp $(pkg-config --cflags --libs limpid) && ./a.out "Life is short"
#include <limpid/model.h>

#include <cmath>
#include <iostream>

int main(int argc, char** argv) try {
  const limpid::Model model = limpid::Model::builtin();
  limpid::TraceOptions options;
  options.gradients = true;  // of predicting each next token; every stage then has a NAME.grad
  const limpid::Trace trace = model.trace(argc > 1 ? argv[1] : "Life is short", options);

  std::cout << "loss " << trace.metrics.at("loss") << "\n";
  const limpid::Tensor& gradient = trace["embed.grad"];  // [B,T,C]
  for (int64_t t = 0; t < gradient.shape().size(limpid::Axis::T); ++t) {
    double squares = 0;
    for (int64_t c = 0; c < gradient.shape().size(limpid::Axis::C); ++c)
      squares += std::pow(gradient.at({0, t, c}), 2);
    std::cout << trace.tokens[static_cast<size_t>(t)].label << ": " << std::sqrt(squares) << "\n";
  }
  // A parameter's gradient has its name: dL/dW_Q of the first layer.
  const limpid::Tensor& query = trace["blocks.0.attn.W_Q.grad"];
  std::cout << "blocks.0.attn.W_Q.grad " << query.shape().text() << "\n";
} catch (const limpid::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
