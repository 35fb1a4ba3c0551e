// What a run says of itself: reports, patience, and where a number stopped being finite.
#include <algorithm>
#include <cmath>

#include "train/head_kinds.h"
#include "train/optimizer.h"
#include "train/trainer_impl.h"

namespace limpid {

// Runs the step once more, looking at every stage: the first that holds something that is no finite number is
// where it began.
void Trainer::Impl::fail_not_finite(const std::string& what, Batch batch, const Graph& read,
                                    const Engine& runs) {
  not_finite = true;
  const std::string when = join(what, " at step ", done + 1);
  for (const auto& [name, tensor] : model.parameters())
    if (const Summary s = summarize(tensor); s.non_finite > 0)
      fail_work(when, ": ", s.non_finite, " of the ", s.count, " numbers of the parameter ", name,
                " are not finite since the step before; a lower learning_rate helps");
  RunOptions options;
  options.context = {recipe.seed, static_cast<uint64_t>(done)};
  options.observe = {{"*", Depth::summary}};
  const RunResult seen = runs.run(bindings(read, model.parameters(), batch), options);
  for (const StageInfo& stage : read.stages())
    for (int value : stage.outputs) {
      const std::string& name = read.value(value).name;
      const auto found = seen.summaries.find(name);
      if (found != seen.summaries.end() && found->second.non_finite > 0)
        fail_work(when, ": the first stage that is not finite is ", name, " (", found->second.non_finite,
                  " of ", found->second.count, " numbers); a lower learning_rate helps");
    }
  fail_work(when, ": every stage is finite, but their sum is not; a lower learning_rate helps");
}

void Trainer::Impl::require_finite(const Evaluation& seen) {
  if (std::isfinite(seen.loss)) return;
  for (int64_t i = 0; i < data->evaluation_batches(Part::held_out); ++i)
    if (const Batch batch = data->evaluation_batch(Part::held_out, i); !std::isfinite(measure(batch).loss))
      fail_not_finite(holds_out() ? "the held-out loss is no number" : "the loss is no number", batch,
                      evaluator.graph(), evaluator.engine());
}

void Trainer::Impl::set_metrics(Epoch& e, const Evaluation& seen) const {
  e.accuracy = seen.accuracy;
  e.metrics = seen.metrics;
  if (holds_out()) e.validation = seen.loss;
}

// As training counts it: with its dropout, its smoothed targets, its delta.
double Trainer::Impl::loss_of_first_batch() {
  Batch first = batch(0);
  RunOptions options;
  options.context.seed = recipe.seed;
  options.keep = {"loss"};
  return engine->run(bindings(graph, model.parameters(), first), options)["loss"].at({});
}

// What the parameters that were drawn say, before anything is learned.
void Trainer::Impl::report_start() {
  const Evaluation seen = evaluate();
  require_finite(seen);
  Epoch e;
  e.loss = holds_out() ? loss_of_first_batch() : seen.loss;
  set_metrics(e, seen);
  e.learning_rate = learning_rate(schedule_of(recipe), 0);
  add(e);
}

void Trainer::Impl::report(double epoch_seconds, double total_seconds) {
  require_together();
  const Evaluation seen = evaluate();
  require_finite(seen);
  Epoch e;
  e.number = history.empty() ? 1 : history.back().number + 1;
  e.step = done;
  e.loss = epoch_loss / static_cast<double>(epoch_steps);
  set_metrics(e, seen);
  e.tokens_per_second = static_cast<double>(epoch_tokens) / std::max(1e-9, epoch_seconds);
  e.seconds = total_seconds;
  e.learning_rate = learning_rate(schedule_of(recipe), done - 1);
  add(e);
  epoch_loss = 0;
  epoch_steps = epoch_tokens = 0;
}

void Trainer::Impl::add(Epoch e) {
  const double loss = e.validation.value_or(e.loss);
  e.best = loss < best;
  if (e.best) {
    best = loss;
    best_parameters = judged();
  }
  if (reads_texts(recipe.task)) with_judged_model([&](const Model& now) { e.heads = heads_now(now); });
  history.push_back(e);
  history.back().observation = observe(history);
}

void Trainer::Impl::with_judged_model(const std::function<void(const Model&)>& at) {
  if (recipe.average == 0) return at(model);
  struct Exchanged {  // until it is gone
    Parameters &a, &b;
    Exchanged(Parameters& x, Parameters& y) : a(x), b(y) { a.swap(b); }
    ~Exchanged() { a.swap(b); }
  } exchanged(model.parameters(), averaged);
  at(model);
}

bool Trainer::Impl::out_of_patience() const {
  if (recipe.patience == 0) return false;
  int64_t since = 0;
  for (auto e = history.rbegin(); e != history.rend() && !e->best; ++e) ++since;
  return since >= recipe.patience;
}

}  // namespace limpid
