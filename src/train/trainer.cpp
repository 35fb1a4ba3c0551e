#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "core/json.h"
#include "kernels/kernel.h"
#include "kernels/softmax.h"
#include "limpid/files.h"
#include "limpid/train.h"
#include "train/dataset.h"
#include "train/optimizer.h"

namespace limpid {

namespace {

constexpr const char* k_key = "limpid.checkpoint";

std::shared_ptr<const Tokenizer> tokenizer_for(const Recipe& recipe, const std::vector<std::string>& texts) {
  std::string all;
  std::vector<std::string_view> views;  // what bpe learns from: never the held-out text
  for (const std::string& text : texts) {
    all += text + '\n';
    views.push_back(std::string_view(text).substr(0, training_bytes(recipe, text)));
  }
  if (!texts.empty()) all.pop_back();
  if (recipe.tokenizer == "characters") return character_tokenizer_from(all);
  if (recipe.tokenizer == "words") return word_tokenizer_from(all);
  if (recipe.tokenizer == "bytes") return byte_tokenizer();
  return train_bpe(views, recipe.vocabulary);
}

Recipe completed(Recipe recipe, const Tokenizer& tokenizer) {
  set_vocabulary(recipe.network, tokenizer.vocabulary());
  return recipe;
}

// A number for the texts, so that a checkpoint is not continued on others.
uint64_t digest(const std::vector<std::string>& texts) {
  uint64_t d = 0xcbf29ce484222325u;
  for (const std::string& text : texts)
    for (char c : text + '\0') d = (d ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return d;
}

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

struct LIMPID_LOCAL Trainer::Impl {
  Impl(const Recipe& r, std::shared_ptr<const Tokenizer> t, const std::vector<std::string>& texts)
      : recipe(completed(r, *t)),
        data(recipe, *t, texts),
        text_digest(digest(texts)),
        model(Model::fresh(recipe.network, std::move(t), recipe.seed)),
        graph(operations()),
        adam(model.graph(), model.parameters(), adamw_of(recipe)) {
    build(graph, recipe.network, Purpose::train);
    differentiate(graph, graph.handle(graph.require("loss")));
    for (const auto& [name, tensor] : model.parameters())
      gradients[name] = Tensor(DType::f32, tensor.shape());
    engine = std::make_unique<Engine>(graph);
    best_parameters = model.parameters();
  }

  const Recipe recipe;
  Dataset data;
  uint64_t text_digest;
  Model model;
  Graph graph;  // forward, loss and gradient
  std::unique_ptr<Engine> engine;
  std::map<std::string, Tensor> gradients;  // of every parameter, of the last step
  AdamW adam;
  std::map<std::string, Tensor> best_parameters;
  double best = std::numeric_limits<double>::infinity();
  int64_t done = 0;       // steps
  double epoch_loss = 0;  // summed over the epoch's steps so far
  int64_t epoch_steps = 0, epoch_tokens = 0;
  double earlier_seconds = 0;  // before a resume
  std::vector<Epoch> history;
  bool not_finite = false;

  int64_t steps_per_epoch() const { return recipe.epoch > 0 ? recipe.epoch : data.steps_per_pass(); }
  double step();
  Evaluation evaluate() { return measure(data.evaluation()); }
  Evaluation measure(const std::vector<Batch>& batches);
  bool out_of_patience() const;
  void require_finite(const Evaluation& seen);
  void report_start();
  void report(double epoch_seconds, double total_seconds);
  void add(Epoch e);
  std::map<std::string, ConstView> bindings(const Batch& batch) const;
  [[noreturn]] void fail_not_finite(const std::string& what, const Batch& batch);
};

std::map<std::string, ConstView> Trainer::Impl::bindings(const Batch& batch) const {
  std::map<std::string, ConstView> bound;
  for (const auto& [name, tensor] : model.parameters()) bound[name] = tensor;
  bound["tokens"] = batch.tokens;
  bound["targets"] = batch.targets;
  return bound;
}

// Runs the step once more, looking at every stage: the first that holds something that is no finite number is
// where it began.
void Trainer::Impl::fail_not_finite(const std::string& what, const Batch& batch) {
  not_finite = true;
  const std::string when = join(what, " at step ", done + 1);
  for (const auto& [name, tensor] : model.parameters())
    if (const Summary s = summarize(tensor); s.non_finite > 0)
      fail_work(when, ": ", s.non_finite, " of the ", s.count, " numbers of the parameter ", name,
                " are not finite since the step before; a lower learning_rate helps");
  RunOptions options;
  options.context = {recipe.seed, static_cast<uint64_t>(done)};
  options.observe = {{"*", Depth::summary}};
  const RunResult seen = engine->run(bindings(batch), options);
  for (const StageInfo& stage : graph.stages())
    for (int value : stage.outputs) {
      const std::string& name = graph.value(value).name;
      const auto found = seen.summaries.find(name);
      if (found != seen.summaries.end() && found->second.non_finite > 0)
        fail_work(when, ": the first stage that is not finite is ", name, " (", found->second.non_finite,
                  " of ", found->second.count, " numbers); a lower learning_rate helps");
    }
  fail_work(when, ": every stage is finite, but their sum is not; a lower learning_rate helps");
}

double Trainer::Impl::step() {
  const Batch batch = data.batch(done);
  RunOptions options;
  options.context = {recipe.seed, static_cast<uint64_t>(done)};
  options.keep = {"loss"};
  for (auto& [name, tensor] : gradients) options.into[name + ".grad"] = tensor.view();
  const RunResult result = engine->run(bindings(batch), options);
  const double loss = result["loss"].at({});
  if (!std::isfinite(loss))
    fail_not_finite(join("the loss is ", std::isnan(loss) ? "no number" : "infinite"), batch);
  if (!std::isfinite(adam.step(model.parameters(), gradients, learning_rate(schedule_of(recipe), done))))
    fail_not_finite("the gradient is not finite", batch);
  ++done;
  ++epoch_steps;
  epoch_loss += loss;
  epoch_tokens += batch.count();
  return loss;
}

Trainer::Evaluation Trainer::Impl::measure(const std::vector<Batch>& batches) {
  Evaluation e;
  double loss = 0, right = 0;
  for (const Batch& batch : batches) {
    const RunResult result = model.run(batch.tokens, {.keep = {"logits"}});
    const size_t rows = static_cast<size_t>(batch.count());
    std::vector<float> losses(rows), hits(rows);
    kernels::CrossEntropy k;
    k.logits = result["logits"].data<float>();
    k.targets = batch.targets.data<int64_t>();
    k.loss = losses.data();
    k.hit = hits.data();
    k.rows = batch.count();
    k.width = result["logits"].shape().size(Axis::V);
    kernels::launch(k);
    for (float each : losses) loss += each;
    for (float hit : hits) right += hit;
    e.tokens += batch.count();
  }
  e.loss = loss / static_cast<double>(e.tokens);
  e.accuracy = right / static_cast<double>(e.tokens);
  e.characters = data.evaluation_characters();
  return e;
}

void Trainer::Impl::require_finite(const Evaluation& seen) {
  if (std::isfinite(seen.loss)) return;
  for (const Batch& batch : data.evaluation())
    if (!std::isfinite(measure({batch}).loss))
      fail_not_finite(data.holds_out() ? "the held-out loss is no number" : "the loss is no number", batch);
}

// What the parameters that were drawn say, before anything is learned.
void Trainer::Impl::report_start() {
  const Evaluation seen = evaluate();
  require_finite(seen);
  Epoch e;
  e.loss = data.holds_out() ? measure({data.batch(0)}).loss : seen.loss;
  e.accuracy = seen.accuracy;
  if (data.holds_out()) e.validation = seen.loss;
  e.learning_rate = learning_rate(schedule_of(recipe), 0);
  add(e);
}

void Trainer::Impl::report(double epoch_seconds, double total_seconds) {
  const Evaluation seen = evaluate();
  require_finite(seen);
  Epoch e;
  e.number = history.empty() ? 1 : history.back().number + 1;
  e.step = done;
  e.loss = epoch_loss / static_cast<double>(epoch_steps);
  e.accuracy = seen.accuracy;
  if (data.holds_out()) e.validation = seen.loss;
  e.tokens_per_second = static_cast<double>(epoch_tokens) / std::max(1e-9, epoch_seconds);
  e.seconds = total_seconds;
  e.learning_rate = learning_rate(schedule_of(recipe), done - 1);
  add(e);
  epoch_loss = 0;
  epoch_steps = epoch_tokens = 0;
}

void Trainer::Impl::add(Epoch e) {
  const double judged = e.validation.value_or(e.loss);
  e.best = judged < best;
  if (e.best) {
    best = judged;
    best_parameters = model.parameters();
  }
  history.push_back(e);
  history.back().observation = observe(history);
}

bool Trainer::Impl::out_of_patience() const {
  if (recipe.patience == 0) return false;
  int64_t since = 0;
  for (auto e = history.rbegin(); e != history.rend() && !e->best; ++e) ++since;
  return since >= recipe.patience;
}

Trainer::Trainer(const Recipe& recipe, const std::vector<std::string>& texts)
    : impl_(std::make_unique<Impl>(recipe, tokenizer_for(recipe, texts), texts)) {
  if (!recipe.title.empty()) impl_->model.set_title(recipe.title);
}

Trainer::~Trainer() = default;

const std::vector<Epoch>& Trainer::run(const TrainerCallbacks& callbacks) {
  Impl& t = *impl_;
  const Clock::time_point start = Clock::now();
  Clock::time_point epoch_start = start;
  const double earlier = t.earlier_seconds;
  if (t.done == 0 && t.history.empty()) {
    t.report_start();
    if (callbacks.on_epoch) callbacks.on_epoch(t.history.back());
    epoch_start = Clock::now();
  }
  while (t.done < t.recipe.steps && !t.out_of_patience()) {
    const double loss = t.step();
    t.earlier_seconds = earlier + seconds_since(start);
    if (callbacks.on_step) callbacks.on_step(t.done, t.recipe.steps, loss);
    if (t.done % t.steps_per_epoch() == 0 || t.done == t.recipe.steps) {
      t.report(seconds_since(epoch_start), t.earlier_seconds);
      if (callbacks.on_epoch) callbacks.on_epoch(t.history.back());
      epoch_start = Clock::now();
    }
    if (callbacks.stop && callbacks.stop()) break;
  }
  return t.history;
}

double Trainer::step() { return impl_->step(); }
Trainer::Evaluation Trainer::evaluate() { return impl_->evaluate(); }
double Trainer::Evaluation::loss_per_character() const {
  return characters > 0 ? loss * static_cast<double>(tokens) / static_cast<double>(characters) : 0;
}
const std::vector<Epoch>& Trainer::history() const { return impl_->history; }
int64_t Trainer::steps_done() const { return impl_->done; }
bool Trainer::not_finite() const { return impl_->not_finite; }
const Recipe& Trainer::recipe() const { return impl_->recipe; }
Model& Trainer::model() { return impl_->model; }
void Trainer::keep_best() { impl_->model.parameters() = impl_->best_parameters; }

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
  e.tokens_per_second = json.at("tokens_per_second").real();
  e.seconds = json.at("seconds").real();
  e.learning_rate = json.at("learning_rate").real();
  e.best = json.at("best").boolean();
  e.observation = json.at("observation").text();
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
  nlohmann::ordered_json json = {{"schema", 1},
                                 {"recipe", nlohmann::ordered_json::parse(to_json(t.recipe))},
                                 {"tokenizer", nlohmann::ordered_json::parse(t.model.tokenizer()->to_json())},
                                 {"text", t.text_digest},
                                 {"step", t.done},
                                 {"epoch_loss", t.epoch_loss},
                                 {"epoch_steps", t.epoch_steps},
                                 {"epoch_tokens", t.epoch_tokens},
                                 {"seconds", t.earlier_seconds},
                                 {"history", nlohmann::ordered_json::array()}};
  if (std::isfinite(t.best)) json["best"] = t.best;
  for (const Epoch& e : t.history) json["history"].push_back(epoch_json(e));
  std::map<std::string, ConstView> tensors;
  for (const auto& [name, tensor] : t.model.parameters()) tensors["parameters/" + name] = tensor;
  for (const auto& [name, tensor] : t.best_parameters) tensors["best/" + name] = tensor;
  for (const auto& [name, tensor] : t.adam.first) tensors["first/" + name] = tensor;
  for (const auto& [name, tensor] : t.adam.second) tensors["second/" + name] = tensor;
  write_safetensors(path, tensors, {{k_key, json.dump()}});
}

Trainer::Trainer(const std::string& path, const std::vector<std::string>& texts) {
  TensorFile file = read_safetensors(path);
  if (!file.metadata.count(k_key)) fail_work(path, ": not a checkpoint of a training run");
  const JsonSource source{path + ": the checkpoint cannot be read"};
  const Json document = parse_json(file.metadata.at(k_key), source);
  const JsonValue json(document, source);
  const Recipe recipe = recipe_from_json(json.at("recipe").json().dump());
  const Json& text = json.at("text").json();
  if (!text.is_number_unsigned()) json.at("text").unexpected("the digest of a text");
  if (text.get<uint64_t>() != digest(texts))
    fail_call(path, ": this run was learning from another text; give the same one");
  impl_ = std::make_unique<Impl>(recipe, tokenizer_from_json(json.at("tokenizer").json().dump()), texts);
  Impl& t = *impl_;
  if (!recipe.title.empty()) t.model.set_title(recipe.title);
  t.done = json.at("step").integer(0, k_json_most_count);
  t.adam.steps = t.done;
  t.epoch_loss = json.at("epoch_loss").real();
  t.epoch_steps = json.at("epoch_steps").integer(0, k_json_most_count);
  t.epoch_tokens = json.at("epoch_tokens").integer(0, k_json_most_count);
  t.earlier_seconds = json.at("seconds").real();
  if (json.has("best")) t.best = json.at("best").real();
  json.at("history").each_item([&](const JsonValue& epoch) { t.history.push_back(epoch_of(epoch)); });
  take(file, "parameters/", impl_->model.parameters(), path);
  take(file, "best/", impl_->best_parameters, path);
  take(file, "first/", impl_->adam.first, path);
  take(file, "second/", impl_->adam.second, path);
}

}  // namespace limpid
