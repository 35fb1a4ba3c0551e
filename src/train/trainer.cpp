#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "core/json.h"
#include "kernels/isa.h"
#include "limpid/files.h"
#include "limpid/ranks.h"
#include "limpid/train.h"
#include "train/evaluate.h"
#include "train/head_kinds.h"
#include "train/optimizer.h"
#include "train/share.h"
#include "train/start.h"
#include "train/task_data.h"
#include "train/update.h"

namespace limpid {

namespace {

constexpr const char* k_key = "limpid.checkpoint";

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

using Parameters = std::map<std::string, Tensor>;

// into = into + (from - into) share
void draw_closer(Parameters& into, const Parameters& from, double share) {
  for (auto& [name, tensor] : into) {
    const float* x = from.at(name).data<float>();
    float* y = tensor.data<float>();
    const auto step = static_cast<float>(share);
    for (int64_t i = 0; i < tensor.count(); ++i) y[i] += (x[i] - y[i]) * step;
  }
}

void add_scaled(Tensor& into, const Tensor& from, float factor) {
  const float* x = from.data<float>();
  float* y = into.data<float>();
  for (int64_t i = 0; i < into.count(); ++i) y[i] += x[i] * factor;
}

void add_scaled(Parameters& into, const Parameters& from, float factor) {
  for (auto& [name, tensor] : into) add_scaled(tensor, from.at(name), factor);
}

void set_zero(Parameters& tensors) {
  for (auto& [name, tensor] : tensors) std::fill_n(tensor.data<float>(), tensor.count(), 0.0f);
}

}  // namespace

struct LIMPID_LOCAL Trainer::Impl {
  Impl(PreparedTask task, const Model* base)
      : recipe(std::move(task.recipe)),
        data(std::move(task.data)),
        model(Model::fresh(recipe.network, std::move(task.tokenizer), recipe.seed)),
        graph(operations()),
        evaluator(recipe.network) {
    from_model = base != nullptr;
    if (base) take_parameters(*base, model);
    update = std::make_unique<Update>(recipe, model.graph(), model.parameters());
    packed = data->packs() && packs_texts(recipe);
    build(graph, recipe.network, packed ? Purpose::train_packed : Purpose::train);
    differentiate(graph, graph.handle(graph.require("loss")));
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

  void require_readable(const std::string& watched) const {
    try {
      model.encode(watched);
    } catch (const Error& error) {
      throw Error(error.kind(), join("recipe: watch: ", error.what()));
    }
  }
  int64_t steps_per_epoch() const {
    return recipe.epoch > 0 ? recipe.epoch : std::max<int64_t>(1, data->steps_per_pass() / recipe.accumulate);
  }
  bool holds_out() const { return data->has(Part::held_out); }
  /// What is evaluated and kept.
  const Parameters& judged() const {
    return recipe.average > 0 ? averaged : std::as_const(model).parameters();
  }
  void look(const std::function<void(const Model&)>& at);
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

// ---- several ranks -----------------------------------------------------------------------------------

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
  if (reads_texts(recipe.task)) look([&](const Model& now) { e.heads = heads_now(now); });
  history.push_back(e);
  history.back().observation = observe(history);
}

void Trainer::Impl::look(const std::function<void(const Model&)>& at) {
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
void Trainer::look(const std::function<void(const Model&)>& at) { impl_->look(at); }
bool Trainer::stopped() const { return impl_->stopping; }
bool Trainer::not_finite() const { return impl_->not_finite; }
const Recipe& Trainer::recipe() const { return impl_->recipe; }
Model& Trainer::model() { return impl_->model; }
void Trainer::keep_best() {
  impl_->model.parameters() = impl_->best_parameters;
  if (impl_->recipe.average > 0) impl_->averaged = impl_->best_parameters;
}

// ---- checkpoints ---------------------------------------------------------------------------------

namespace {

nlohmann::ordered_json epoch_json(const Epoch& e) { return nlohmann::ordered_json::parse(to_json(e)); }

Epoch epoch_of(const JsonValue& json) {
  Epoch e;
  e.number = json.at("epoch").integer(0, k_json_most_count);
  e.step = json.at("step").integer(0, k_json_most_count);
  e.loss = json.at("loss").real();
  e.accuracy = json.at("accuracy").real();
  if (json.has("validation")) e.validation = json.at("validation").real();
  if (json.has("metrics"))
    json.at("metrics").each_entry(
        [&](const std::string& name, const JsonValue& value) { e.metrics[name] = value.real(); });
  e.tokens_per_second = json.at("tokens_per_second").real();
  e.seconds = json.at("seconds").real();
  e.learning_rate = json.at("learning_rate").real();
  e.best = json.at("best").boolean();
  e.observation = json.at("observation").text();
  if (json.has("heads")) e.heads = heads_from(json.at("heads"));
  return e;
}

void take(TensorFile& file, const std::string& prefix, std::map<std::string, Tensor>& into,
          const std::string& path) {
  for (auto& [name, tensor] : into) {
    const auto found = file.tensors.find(prefix + name);
    if (found == file.tensors.end()) fail_work(path, ": the checkpoint lacks '", prefix, name, "'");
    if (!found->second.shape().same_sizes(tensor.shape()) || found->second.dtype() != DType::f32)
      fail_work(path, ": '", prefix, name, "' is ", found->second.shape().text(), ", expected f32 ",
                tensor.shape().text());
    const Shape shape = tensor.shape();
    tensor = std::move(found->second);
    tensor.reshape(shape);
  }
}

}  // namespace

void Trainer::save(const std::string& path) const {
  const Impl& t = *impl_;
  nlohmann::ordered_json json = {{"schema", 3},
                                 {"recipe", nlohmann::ordered_json::parse(to_json(t.recipe))},
                                 {"data", t.data->digest()},
                                 {"from_model", t.from_model},
                                 {"step", t.done},
                                 {"epoch_loss", t.epoch_loss},
                                 {"epoch_steps", t.epoch_steps},
                                 {"epoch_tokens", t.epoch_tokens},
                                 {"seconds", t.earlier_seconds},
                                 {"history", nlohmann::ordered_json::array()}};
  if (t.model.tokenizer()) json["tokenizer"] = nlohmann::ordered_json::parse(t.model.tokenizer()->to_json());
  if (std::isfinite(t.best)) json["best"] = t.best;
  for (const Epoch& e : t.history) json["history"].push_back(epoch_json(e));
  std::map<std::string, ConstView> tensors;
  for (const auto& [name, tensor] : t.model.parameters()) tensors["parameters/" + name] = tensor;
  for (const auto& [name, tensor] : t.best_parameters) tensors["best/" + name] = tensor;
  for (const auto& [name, tensor] : t.averaged) tensors["averaged/" + name] = tensor;
  for (const auto& [prefix, state] : t.update->state())
    for (const auto& [name, tensor] : *state) tensors[prefix + name] = tensor;
  write_safetensors(path, tensors, {{k_key, json.dump()}});
}

Trainer::Trainer(const std::string& path, const TrainingData& data, const Model* base) {
  TensorFile file = read_safetensors(path);
  if (!file.metadata.count(k_key)) fail_work(path, ": not a checkpoint of a training run");
  const JsonSource source{path + ": the checkpoint cannot be read"};
  const Json document = parse_json(file.metadata.at(k_key), source);
  const JsonValue json(document, source);
  if (const int64_t schema = json.at("schema").integer(1); schema != 3)
    fail_work(path, ": the checkpoint is of another version of limpid (schema ", schema,
              ", expected 3); begin again in another folder");
  const Recipe recipe = recipe_from_json(json.at("recipe").json().dump());
  if (json.at("from_model").boolean() != (base != nullptr))
    fail_call(path, ": this run began ", base ? "without a model" : "from a model", "; ",
              base ? "leave it out" : "give the same one");
  Given given;
  if (base) given = given_by(*base);
  if (json.has("tokenizer")) given.tokenizer = tokenizer_from_json(json.at("tokenizer").json().dump());
  impl_ = std::make_unique<Impl>(prepare(recipe, data, given), base);
  Impl& t = *impl_;
  const Json& digest = json.at("data").json();
  if (!digest.is_number_unsigned()) json.at("data").unexpected("the digest of the data");
  if (digest.get<uint64_t>() != t.data->digest())
    fail_call(path, ": this run was learning from other data; give the same");
  t.done = json.at("step").integer(0, k_json_most_count);
  t.update->set_steps(t.done);
  t.epoch_loss = json.at("epoch_loss").real();
  t.epoch_steps = json.at("epoch_steps").integer(0, k_json_most_count);
  t.epoch_tokens = json.at("epoch_tokens").integer(0, k_json_most_count);
  t.earlier_seconds = json.at("seconds").real();
  if (json.has("best")) t.best = json.at("best").real();
  json.at("history").each_item([&](const JsonValue& epoch) { t.history.push_back(epoch_of(epoch)); });
  take(file, "parameters/", t.model.parameters(), path);
  take(file, "best/", t.best_parameters, path);
  take(file, "averaged/", t.averaged, path);
  for (const auto& [prefix, state] : t.update->state()) take(file, prefix, *state, path);
}

}  // namespace limpid
