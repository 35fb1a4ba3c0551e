#include "train/update.h"

#include <cmath>

#include "train/optimizer.h"

namespace limpid {

namespace {

using Parameters = Update::Parameters;

// Some of the tensors, taken out and put back without copying a number.
class Taken {
 public:
  Taken(Parameters& all, const std::map<std::string, StorableMatrix>& names) : all_(all) {
    for (const auto& [name, size] : names)
      if (auto node = all.extract(name)) part.insert(std::move(node));
  }
  ~Taken() { all_.merge(part); }
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;
  Parameters part;

 private:
  Parameters& all_;
};

}  // namespace

std::map<std::string, StorableMatrix> block_matrices(const Graph& graph) {
  std::map<std::string, StorableMatrix> out;
  for (const auto& [name, size] : storable_parameters(graph))
    if (name.find("blocks.") != std::string::npos) out[name] = size;
  return out;
}

Update::Update(const Recipe& recipe, const Graph& graph, const Parameters& parameters) : recipe_(recipe) {
  if (recipe.lora.rank > 0) {
    adapters_ = std::make_unique<Adapters>(graph, parameters, recipe.lora, recipe.seed);
    std::map<std::string, bool> decays;
    for (const auto& [name, factor] : adapters_->factors) {
      factor_gradients_[name] = Tensor(DType::f32, factor.shape());
      decays[name] = true;
    }
    for (const auto& [name, size] : adapters_->matrices()) learned_.push_back(name);
    adam_ = std::make_unique<AdamW>(adapters_->factors, decays, adamw_of(recipe));
    return;
  }
  for (const auto& [name, tensor] : parameters) learned_.push_back(name);
  if (recipe.optimizer == OptimizerKind::adamw) {
    adam_ = std::make_unique<AdamW>(graph, parameters, adamw_of(recipe));
    return;
  }
  const std::map<std::string, StorableMatrix> matrices = block_matrices(graph);
  std::map<std::string, MuonMatrix> by_muon;
  for (const auto& [name, size] : matrices) by_muon[name] = {size.rows, size.columns};
  muon_ = std::make_unique<Muon>(by_muon, MuonOptions{.weight_decay = recipe.weight_decay});
  Parameters others;
  for (const auto& [name, tensor] : parameters)
    if (!matrices.count(name)) others[name] = Tensor(DType::f32, tensor.shape());
  adam_ = std::make_unique<AdamW>(graph, others, adamw_of(recipe));
}

double Update::step(Parameters& parameters, Parameters& gradients, double rate) {
  if (adapters_) {
    adapters_->gradients_of(gradients, factor_gradients_);
    const double norm = adam_->step(adapters_->factors, factor_gradients_, rate);
    if (std::isfinite(norm)) adapters_->apply(parameters);
    return norm;
  }
  if (!muon_) return adam_->step(parameters, gradients, rate);
  std::map<std::string, StorableMatrix> matrices;
  for (const auto& [name, momentum] : muon_->momentum) matrices[name] = {};
  const Taken taken(gradients, matrices);
  const double norm = gradient_norm(taken.part);
  if (!std::isfinite(norm)) return norm;
  const double other = adam_->step(parameters, gradients, rate);
  if (!std::isfinite(other)) return other;
  muon_->step(parameters, taken.part, rate);
  return std::hypot(norm, other);
}

void Update::apply(Parameters& parameters) const {
  if (adapters_) adapters_->apply(parameters);
}

void Update::set_steps(int64_t steps) { adam_->steps = steps; }

std::map<std::string, Parameters*> Update::state() {
  std::map<std::string, Parameters*> out = {{"first/", &adam_->first}, {"second/", &adam_->second}};
  if (muon_) out["momentum/"] = &muon_->momentum;
  if (adapters_) out["adapters/"] = &adapters_->factors;
  return out;
}

}  // namespace limpid
