#include <algorithm>
#include <chrono>
#include <cmath>

#include "train/optimizer.h"
#include "train/start.h"
#include "train/trainer_impl.h"

namespace limpid {

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// into = into + (from - into) share
void draw_closer(Parameters& into, const Parameters& from, double share) {
  for (auto& [name, tensor] : into) {
    const float* x = from.at(name).data<float>();
    float* y = tensor.data<float>();
    const auto step = static_cast<float>(share);
    for (int64_t i = 0; i < tensor.count(); ++i) y[i] += (x[i] - y[i]) * step;
  }
}

void add_scaled(Parameters& into, const Parameters& from, float factor) {
  for (auto& [name, tensor] : into) add_scaled(tensor, from.at(name), factor);
}

}  // namespace

void add_scaled(Tensor& into, const Tensor& from, float factor) {
  const float* x = from.data<float>();
  float* y = into.data<float>();
  for (int64_t i = 0; i < into.count(); ++i) y[i] += x[i] * factor;
}

void set_zero(Parameters& tensors) {
  for (auto& [name, tensor] : tensors) std::fill_n(tensor.data<float>(), tensor.count(), 0.0f);
}

Trainer::Impl::Impl(PreparedTask task, const Model* base)
    : recipe(std::move(task.recipe)),
      data(std::move(task.data)),
      model(Model::fresh(recipe.network, std::move(task.tokenizer), recipe.seed)),
      graph(operations()),
      evaluator(recipe.network) {
  from_model = base != nullptr;
  if (base) take_parameters(*base, model);
  update = std::make_unique<Update>(recipe, model.graph(), model.parameters());
  packed = data->packs() && packs_texts(recipe);
  build_training(graph, recipe.network, packed, recipe.activations);
  for (const std::string& name : update->learned())
    gradients[name] = Tensor(DType::f32, model.parameters().at(name).shape());
  if (recipe.accumulate > 1) summed = gradients;
  engine = std::make_unique<Engine>(graph);
  for (const std::string& text : recipe.watch) require_readable(text);
  best_parameters = model.parameters();
  if (recipe.average > 0) averaged = model.parameters();
  model.set_tasks(tasks_with(data->tasks(), base));
  model.set_title(!recipe.title.empty() ? recipe.title
                  : base                ? base->title()
                                        : join("trained model, seed ", recipe.seed));
}

void Trainer::Impl::require_readable(const std::string& watched) const {
  try {
    model.encode(watched);
  } catch (const Error& error) {
    throw Error(error.kind(), join("recipe: watch: ", error.what()));
  }
}

// Forward and backward of a batch; its gradients are in `gradients`.
double Trainer::Impl::run_batch(int64_t number) {
  Batch batch = this->batch(number);
  RunOptions options;
  options.context = {recipe.seed, static_cast<uint64_t>(number)};
  options.keep = {"loss"};
  for (auto& [name, tensor] : gradients) options.into[name + ".grad"] = tensor.view();
  const RunResult result = engine->run(bindings(graph, model.parameters(), batch), options);
  const double loss = result["loss"].at({});
  if (!std::isfinite(loss))
    fail_not_finite(join("the loss is ", std::isnan(loss) ? "no number" : "infinite"), batch);
  epoch_tokens += batch.positions;
  return loss;
}

// The loss and the gradients of a step.
double Trainer::Impl::run_batches() {
  double loss = 0;
  const int64_t batches = recipe.accumulate;
  for (int64_t i = 0; i < batches; ++i) {
    loss += run_batch(done * batches + i) / static_cast<double>(batches);
    if (batches == 1) break;
    if (i == 0) set_zero(summed);
    add_scaled(summed, gradients, 1 / static_cast<float>(batches));
  }
  return loss;
}

double Trainer::Impl::step() {
  const int64_t batches = recipe.accumulate;
  const double loss = ranks->alone() ? run_batches() : run_shares();
  Parameters& all = batches > 1 ? summed : gradients;
  if (!std::isfinite(update->step(model.parameters(), all, learning_rate(schedule_of(recipe), done))))
    fail_not_finite("the gradient is not finite", batch(done * batches));
  ++done;
  // The mean of few steps would still be what was drawn: it begins as a mean of all that there were.
  if (recipe.average > 0)
    draw_closer(averaged, model.parameters(),
                std::max(1 - recipe.average, 9.0 / (10.0 + static_cast<double>(done))));
  ++epoch_steps;
  epoch_loss += loss;
  return loss;
}

Trainer::Trainer(const Recipe& recipe, const TrainingData& data, const Model* base)
    : impl_(std::make_unique<Impl>(base ? prepare(beginning_from(*base, recipe), data, given_by(*base))
                                        : prepare(with_network(recipe), data),
                                   base)) {}

Trainer::~Trainer() = default;

void Trainer::share_with(Ranks& ranks) { impl_->share_with(ranks); }

const std::vector<Epoch>& Trainer::run(const TrainerCallbacks& callbacks) {
  Impl& t = *impl_;
  const Clock::time_point start = Clock::now();
  Clock::time_point epoch_start = start;
  const double earlier = t.earlier_seconds;
  const int64_t first = t.done;
  t.stopping = false;
  t.asks_to_stop = callbacks.stop;
  if (t.done == 0 && t.history.empty()) {
    t.report_start();
    if (callbacks.on_epoch) callbacks.on_epoch(t.history.back());
    epoch_start = Clock::now();
  }
  while (t.done < t.recipe.steps && !t.out_of_patience()) {
    const double loss = t.step();
    if (t.done == first + 1) t.require_together();  // what differs at all differs after a step
    t.earlier_seconds = earlier + seconds_since(start);
    if (callbacks.on_step) callbacks.on_step(t.done, t.recipe.steps, loss);
    if (t.done % t.steps_per_epoch() == 0 || t.done == t.recipe.steps) {
      t.report(seconds_since(epoch_start), t.earlier_seconds);
      if (callbacks.on_epoch) callbacks.on_epoch(t.history.back());
      epoch_start = Clock::now();
    }
    if (callbacks.between) callbacks.between();
    if (t.ranks->alone()) t.stopping = callbacks.stop && callbacks.stop();
    if (t.stopping) break;
  }
  return t.history;
}

double Trainer::step() { return impl_->step(); }
Trainer::Evaluation Trainer::evaluate() { return impl_->evaluate(); }
bool Trainer::has_test() const { return impl_->data->has(Part::test); }
Trainer::Evaluation Trainer::evaluate_test() {
  if (!has_test()) fail_call("evaluate: the data has no test examples");
  return impl_->evaluate(Part::test);
}
double Trainer::Evaluation::loss_per_character() const {
  return characters > 0 ? loss * static_cast<double>(tokens) / static_cast<double>(characters) : 0;
}
const std::vector<Epoch>& Trainer::history() const { return impl_->history; }
void Trainer::set_steps(int64_t steps) {
  if (steps < impl_->done)
    fail_call("train: ", impl_->done, " steps are done, expected at least so many, not ", steps);
  impl_->recipe.steps = steps;
}
int64_t Trainer::steps_done() const { return impl_->done; }
void Trainer::with_judged_model(const std::function<void(const Model&)>& at) { impl_->with_judged_model(at); }
bool Trainer::stopped() const { return impl_->stopping; }
bool Trainer::not_finite() const { return impl_->not_finite; }
const Recipe& Trainer::recipe() const { return impl_->recipe; }
Model& Trainer::model() { return impl_->model; }
void Trainer::keep_best() {
  impl_->model.parameters() = impl_->best_parameters;
  if (impl_->recipe.average > 0) impl_->averaged = impl_->best_parameters;
}

}  // namespace limpid
