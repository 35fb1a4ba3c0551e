#include "train/adapters.h"

#include <algorithm>
#include <cmath>

#include "limpid/random.h"
#include "train/matrices.h"
#include "train/update.h"

namespace limpid {

namespace {

Matrix matrix_of(Tensor& tensor, int64_t rows, int64_t columns) {
  return {tensor.data<float>(), rows, columns};
}

}  // namespace

Adapters::Adapters(const Graph& graph, const std::map<std::string, Tensor>& parameters, const LoraOptions& o,
                   uint64_t seed)
    : matrices_(block_matrices(graph)),
      scale_(static_cast<float>(o.alpha / static_cast<double>(o.rank))),
      rank_(o.rank) {
  if (matrices_.empty()) fail_call("train: the network has no blocks whose matrices could have adapters");
  for (const auto& [name, size] : matrices_) {
    base_[name] = parameters.at(name);
    Tensor a(DType::f32, {{Axis::C, size.rows}, {Axis::N, rank_}}),
        b(DType::f32, {{Axis::N, rank_}, {Axis::C, size.columns}});
    Random random(seed, stream_named(name + ".A"));
    const double deviation = 1 / std::sqrt(static_cast<double>(size.rows));
    for (int64_t i = 0; i < a.count(); ++i)
      a.data<float>()[i] = static_cast<float>(deviation * random.normal());
    std::fill_n(b.data<float>(), b.count(), 0.0f);
    factors[name + ".A"] = std::move(a);
    factors[name + ".B"] = std::move(b);
  }
}

void Adapters::apply(std::map<std::string, Tensor>& parameters) const {
  for (const auto& [name, size] : matrices_) {
    Tensor scaled = factors.at(name + ".A"), b = factors.at(name + ".B");
    for (int64_t i = 0; i < scaled.count(); ++i) scaled.data<float>()[i] *= scale_;
    Tensor& to = parameters.at(name);
    std::copy_n(base_.at(name).data<float>(), to.count(), to.data<float>());
    multiply(matrix_of(scaled, size.rows, rank_), Side::as_it_is, matrix_of(b, rank_, size.columns),
             Side::as_it_is, matrix_of(to, size.rows, size.columns), true);
  }
}

// W = W0 + s A B: dA = s dW B^T, dB = s A^T dW.
void Adapters::gradients_of(std::map<std::string, Tensor>& gradients,
                            std::map<std::string, Tensor>& of_factors) {
  for (const auto& [name, size] : matrices_) {
    const Matrix dw = matrix_of(gradients.at(name), size.rows, size.columns);
    Tensor &da = of_factors.at(name + ".A"), &db = of_factors.at(name + ".B");
    multiply(dw, Side::as_it_is, matrix_of(factors.at(name + ".B"), rank_, size.columns), Side::transposed,
             matrix_of(da, size.rows, rank_));
    multiply(matrix_of(factors.at(name + ".A"), size.rows, rank_), Side::transposed, dw, Side::as_it_is,
             matrix_of(db, rank_, size.columns));
    for (Tensor* each : {&da, &db})
      for (int64_t i = 0; i < each->count(); ++i) each->data<float>()[i] *= scale_;
  }
}

}  // namespace limpid
