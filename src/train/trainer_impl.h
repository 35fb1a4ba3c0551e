// What a trainer holds, for its parts: trainer.cpp (steps), trainer_report.cpp (what is said of them),
// trainer_ranks.cpp (several processes), checkpoint.cpp.
#pragma once

#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "limpid/engine.h"
#include "limpid/ranks.h"
#include "limpid/train.h"
#include "train/evaluate.h"
#include "train/share.h"
#include "train/task_data.h"
#include "train/update.h"

namespace limpid {

using Parameters = std::map<std::string, Tensor>;

/// into += factor from
void add_scaled(Tensor& into, const Tensor& from, float factor);
void set_zero(Parameters&);

struct LIMPID_LOCAL Trainer::Impl {
  Impl(PreparedTask, const Model* base);

  Recipe recipe;
  const std::unique_ptr<TaskData> data;
  Model model;
  Graph graph;  // forward, loss and gradient
  std::unique_ptr<Engine> engine;
  const Evaluator evaluator;
  Parameters gradients;  // of every parameter that learns, of the last batch
  Parameters summed;     // over the batches of a step, where there are several
  std::unique_ptr<Update> update;
  Parameters averaged;  // the running mean of the parameters, with Recipe::average
  Parameters best_parameters;
  double best = std::numeric_limits<double>::infinity();
  int64_t done = 0;       // steps
  double epoch_loss = 0;  // summed over the epoch's steps so far
  int64_t epoch_steps = 0, epoch_tokens = 0;
  double earlier_seconds = 0;  // before a resume
  std::vector<Epoch> history;
  bool not_finite = false;
  bool from_model = false;
  bool packed = false;  // are texts one behind another in a batch?

  Ranks one;  // where nobody shares the work
  Ranks* ranks = &one;
  std::unique_ptr<GradientSums> sums;  // where somebody does
  std::function<bool()> asks_to_stop;
  bool stopping = false;  // what some rank asked for

  void require_readable(const std::string& watched) const;
  int64_t steps_per_epoch() const {
    return recipe.epoch > 0 ? recipe.epoch : std::max<int64_t>(1, data->steps_per_pass() / recipe.accumulate);
  }
  bool holds_out() const { return data->has(Part::held_out); }
  /// What is evaluated and kept.
  const Parameters& judged() const {
    return recipe.average > 0 ? averaged : std::as_const(model).parameters();
  }
  void with_judged_model(const std::function<void(const Model&)>& at);
  double step();
  double run_batch(int64_t number);
  Batch batch(int64_t number) const { return data->batch(number, packed); }
  double run_batches();
  void share_with(Ranks& with);
  void require_together();
  double run_share(int64_t number, bool last);
  double run_shares();
  Evaluation evaluate(Part part = Part::held_out) const {
    return evaluator.part(judged(), *data, part, {}, *ranks);
  }
  Evaluation measure(Batch batch) const { return evaluator.batch(judged(), std::move(batch)); }
  bool out_of_patience() const;
  void require_finite(const Evaluation& seen);
  double loss_of_first_batch();
  void report_start();
  void report(double epoch_seconds, double total_seconds);
  void add(Epoch e);
  void set_metrics(Epoch& e, const Evaluation& seen) const;
  [[noreturn]] void fail_not_finite(const std::string& what, Batch batch) {
    fail_not_finite(what, std::move(batch), graph, *engine);
  }
  [[noreturn]] void fail_not_finite(const std::string& what, Batch batch, const Graph&, const Engine&);
};

}  // namespace limpid
