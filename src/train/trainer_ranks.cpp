// A step that several ranks share.
#include <cmath>

#include "kernels/isa.h"
#include "train/trainer_impl.h"

namespace limpid {

void Trainer::Impl::share_with(Ranks& with) {
  ranks = &with;
  if (with.alone()) return;
  const std::string isa = kernels::isa_name();
  require_same(with, digest_of({isa}),
               join("train: the ranks compute by different instructions (rank 0: ", isa,
                    "), and would come to different bits; set LIMPID_ISA to the same for all"));
  require_same(with, digest_of({to_json(recipe)}, data->digest()),
               "train: the ranks do not learn from the same recipe and data");
  require_together();
  sums = std::make_unique<GradientSums>(with, in_order_of_gradients(graph, update->learned()), gradients);
}

// Every rank takes every step with the same bits; one that computed something else would spoil all.
void Trainer::Impl::require_together() {
  if (ranks->alone()) return;
  const auto steps = static_cast<uint64_t>(done);
  require_same(*ranks, digest_of(&steps, sizeof steps, digest_of(model.parameters())),
               join("train: the ranks do not have the same parameters after step ", done));
}

// Forward and backward of this rank's part of a batch, of which the gradients go to the sums of the step:
// those of its last batch as soon as each of them is complete.  Returns this part's part of the loss.
double Trainer::Impl::run_share(int64_t number, bool last) {
  Share share = share_of(batch(number), ranks->rank(), ranks->size());
  epoch_tokens += share.batch.positions;
  const bool several = recipe.accumulate > 1;
  const double part = share.weight / static_cast<double>(recipe.accumulate);
  double loss = 0;
  const auto add = [&](const std::string& name) {
    Tensor& gradient = gradients.at(name);
    if (!several) return sums->add(name, gradient, part);
    if (part > 0) add_scaled(summed.at(name), gradient, static_cast<float>(part));
    if (last) sums->add(name, summed.at(name), 1);
  };
  if (part > 0) {
    RunOptions options;
    options.context = {recipe.seed, static_cast<uint64_t>(number)};
    options.context.first_row = share.first_row;
    options.context.rows = share.batch.examples;
    options.context.parts = share.parts;
    options.keep = {"loss"};
    for (auto& [name, tensor] : gradients) options.into[name + ".grad"] = tensor.view();
    options.ready = [&](const std::string& name) { add(name.substr(0, name.size() - 5)); };  // .grad
    loss = engine->run(bindings(graph, model.parameters(), share.batch), options)["loss"].at({}) * part;
  } else if (several) {
    for (const auto& [name, tensor] : gradients) add(name);
  }
  return loss;
}

// The loss and the gradients of a step, of all ranks together, and whether one of them was asked to stop.
double Trainer::Impl::run_shares() {
  double loss = 0;
  const int64_t batches = recipe.accumulate;
  if (batches > 1) set_zero(summed);
  sums->begin();
  for (int64_t i = 0; i < batches; ++i) loss += run_share(done * batches + i, i + 1 == batches);
  const std::vector<double> told = sums->finish({loss, asks_to_stop && asks_to_stop() ? 1.0 : 0.0});
  loss = told[0];
  stopping = told[1] > 0;
  if (!std::isfinite(loss))
    fail_not_finite(join("the loss is ", std::isnan(loss) ? "no number" : "infinite"), batch(done * batches));
  sums->take(batches > 1 ? summed : gradients);
  return loss;
}

}  // namespace limpid
