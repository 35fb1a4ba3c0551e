#include <algorithm>
#include <cmath>

#include "kernels/kernel.h"
#include "kernels/optimizer.h"
#include "limpid/optimizer.h"
#include "train/matrices.h"

namespace limpid {

namespace {

// The odd polynomial a x + b x^3 + c x^5 that brings singular values to about 1 in five rounds (Jordan 2024).
constexpr float k_a = 3.4445f, k_b = -4.7750f, k_c = 2.0315f;
constexpr int k_rounds = 5;

// X, which lies as it is if it is not higher than wide, at singular values of about 1.
void orthogonalize(std::vector<float>& x, int64_t rows, int64_t columns) {
  const bool high = rows > columns;
  const int64_t small = std::min(rows, columns);
  const double norm = std::sqrt(kernels::sum_of_squares(x.data(), rows * columns));
  const auto factor = static_cast<float>(1 / (norm + 1e-7));
  for (float& each : x) each *= factor;
  std::vector<float> gram(static_cast<size_t>(small * small)), squared(gram.size()), next(x.size());
  const Matrix g{gram.data(), small, small}, s{squared.data(), small, small};
  for (int round = 0; round < k_rounds; ++round) {
    const Matrix now{x.data(), rows, columns}, to{next.data(), rows, columns};
    // G = X X^T of the smaller side, then X (a + b G + c G^2), the polynomial on that side.
    multiply(now, high ? Side::transposed : Side::as_it_is, now, high ? Side::as_it_is : Side::transposed, g);
    multiply(g, Side::as_it_is, g, Side::as_it_is, s);
    for (size_t i = 0; i < gram.size(); ++i) gram[i] = k_b * gram[i] + k_c * squared[i];
    for (int64_t i = 0; i < small; ++i) gram[static_cast<size_t>(i * small + i)] += k_a;
    if (high)
      multiply(now, Side::as_it_is, g, Side::as_it_is, to);
    else
      multiply(g, Side::as_it_is, now, Side::as_it_is, to);
    x.swap(next);
  }
}

}  // namespace

Muon::Muon(const std::map<std::string, MuonMatrix>& matrices, const MuonOptions& options)
    : options_(options), matrices_(matrices) {
  if (!(options.momentum >= 0 && options.momentum < 1))
    fail_call("Muon: momentum is ", options.momentum, ", expected 0 to below 1");
  if (!(options.weight_decay >= 0))
    fail_call("Muon: weight_decay is ", options.weight_decay, ", expected 0 or more");
  for (const auto& [name, size] : matrices) {
    if (size.rows < 1 || size.columns < 1)
      fail_call("Muon: '", name, "' is ", size.rows, " x ", size.columns, ", expected a matrix");
    momentum[name] = Tensor(DType::f32, {{Axis::C, size.rows}, {Axis::N, size.columns}});
    std::fill_n(momentum[name].data<float>(), momentum[name].count(), 0.0f);
  }
}

void Muon::step(std::map<std::string, Tensor>& parameters, const std::map<std::string, Tensor>& gradients,
                double rate) {
  for (const auto& [name, gradient] : gradients) {
    const auto found = matrices_.find(name);
    const auto parameter = parameters.find(name);
    if (found == matrices_.end() || parameter == parameters.end())
      fail_call("Muon: there is a gradient of '", name, "', which is not among its matrices");
    if (gradient.count() != found->second.rows * found->second.columns ||
        parameter->second.count() != gradient.count() || gradient.dtype() != DType::f32 ||
        parameter->second.dtype() != DType::f32)
      fail_call("Muon: the gradient of '", name, "' is ", gradient.shape().text(), ", expected f32 of ",
                found->second.rows, " x ", found->second.columns, " numbers, as the parameter");
  }
  const auto beta = static_cast<float>(options_.momentum);
  for (const auto& [name, gradient] : gradients) {
    const MuonMatrix size = matrices_.at(name);
    float *m = momentum.at(name).data<float>(), *p = parameters.at(name).data<float>();
    const float* g = gradient.data<float>();
    const int64_t count = gradient.count();
    std::vector<float> x(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) {
      m[i] = beta * m[i] + (1 - beta) * g[i];
      x[static_cast<size_t>(i)] = beta * m[i] + (1 - beta) * g[i];  // Nesterov's
    }
    orthogonalize(x, size.rows, size.columns);
    const double longer = static_cast<double>(std::max(size.rows, size.columns));
    const auto step = static_cast<float>(rate * 0.2 * std::sqrt(longer)),
               kept = static_cast<float>(1 - rate * options_.weight_decay);
    for (int64_t i = 0; i < count; ++i) p[i] = p[i] * kept - step * x[static_cast<size_t>(i)];
  }
}

}  // namespace limpid
