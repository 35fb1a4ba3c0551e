#include "train/evaluate.h"

#include <algorithm>

#include "engine/activations.h"
#include "limpid/tasks.h"
#include "train/model_classes.h"

namespace limpid {

namespace {

// The model's tokenizer, which it keeps.
std::shared_ptr<const Tokenizer> tokenizer_of(const Model& model) {
  return {std::shared_ptr<const Tokenizer>(), model.tokenizer()};
}

const std::optional<TextPairs>& pairs_of(const TrainingData& data, Part part) {
  const auto& parts = std::get<Parts<TextPairs>>(data);
  return part == Part::test ? parts.test : parts.held_out;
}

}  // namespace

std::map<std::string, ConstView> bindings(const Graph& graph, const std::map<std::string, Tensor>& parameters,
                                          Batch& batch) {
  for (const auto& [name, of] : {std::pair{"token_types", "tokens"}, {"encoder.token_types", "source"}}) {
    if (graph.find(name) < 0 || batch.inputs.count(name)) continue;
    Tensor types(DType::i64, batch.inputs.at(of).shape());
    std::fill_n(types.data<int64_t>(), types.count(), int64_t{0});
    batch.inputs[name] = std::move(types);
  }
  std::map<std::string, ConstView> bound;
  for (const auto& [name, tensor] : parameters) bound[name] = tensor;
  for (const auto& [name, tensor] : batch.inputs)
    if (graph.find(name) >= 0) bound[name] = tensor;  // not every network asks where a token stands
  return bound;
}

void build_training(Graph& graph, const NetworkConfig& network, bool packed, Activations activations) {
  build(graph, network, packed ? Purpose::train_packed : Purpose::train);
  const int first = static_cast<int>(graph.stages().size());
  differentiate(graph, graph.handle(graph.require("loss")));
  if (activations == Activations::bf16) graph = with_bf16_activations(graph, first);
}

namespace {

Graph measured_graph(const NetworkConfig& network) {
  Graph graph(operations());
  build(graph, without_dropout(network), Purpose::train);
  return graph;
}

}  // namespace

Evaluator::Evaluator(const NetworkConfig& network) : graph_(measured_graph(network)), engine_(graph_) {}

void Evaluator::add(const std::map<std::string, Tensor>& parameters, Batch batch, Score& score) const {
  RunOptions options;
  options.keep = score.keeps();
  score.add(batch, engine_.run(bindings(graph_, parameters, batch), options));
}

Trainer::Evaluation Evaluator::batch(const std::map<std::string, Tensor>& parameters, Batch batch) const {
  Score score(graph_);
  add(parameters, std::move(batch), score);
  return score.result();
}

Trainer::Evaluation Evaluator::part(const std::map<std::string, Tensor>& parameters, const TaskData& data,
                                    Part part, const TaskEvaluationOptions& options, Ranks& ranks) const {
  Score score(graph_);
  const int64_t batches = data.evaluation_batches(part);
  int64_t full = 0;  // examples of the first batch
  for (int64_t i = ranks.rank(); i < batches; i += ranks.size()) {
    if (options.progress) options.progress(static_cast<double>(i) / static_cast<double>(batches), "");
    Batch batch = data.evaluation_batch(part, i);
    full = std::max(full, batch.examples);
    if (options.drop_last && batch.examples < full) break;
    add(parameters, std::move(batch), score);
  }
  score.sum_over(ranks);
  Trainer::Evaluation e = score.result();
  if (part == Part::held_out) e.characters = data.evaluation_characters();
  return e;
}

TaskEvaluation evaluate_task(const Model& model, const Recipe& given, const TrainingData& read,
                             const TaskEvaluationOptions& options) {
  const std::optional<TrainingData> counted = as_the_model_counts(model, read);
  const TrainingData& data = counted ? *counted : read;
  Recipe recipe = given;
  recipe.network = model.config();
  recipe.context =
      std::min(recipe.context, context_of(recipe.network));  // as where a run begins from a model
  const PreparedTask task = prepare(recipe, data, {tokenizer_of(model), model.tasks().writing});
  if (to_json(task.recipe.network) != to_json(recipe.network))
    fail_call("eval: the model was trained for other classes, columns or sizes than the recipe's data has");
  const Part part = task.data->has(Part::test) ? Part::test : Part::held_out;
  if (!task.data->has(part))
    fail_call("eval: the recipe holds no examples out and has no test examples; name some under \"data\"");
  TaskEvaluation out;
  out.part = part == Part::test ? "test" : "held out";
  out.classes = model.tasks().classes;
  Ranks one;
  out.seen = Evaluator(recipe.network).part(model.parameters(), *task.data, part, options, one);
  if (const SeriesWindows* series = task.data->series())
    out.baselines = baselines(*series, part == Part::test ? series->test : series->held_out);
  if (recipe.task == Task::translation) {
    const TextPairs& pairs = *pairs_of(data, part);
    TranslateOptions translating;
    translating.beams = options.beams;
    translating.progress = options.progress;
    for (const Translated& t : translate(model, pairs.source, translating)) out.said.push_back(t.translation);
    out.bleu = bleu(out.said, pairs.target);
  }
  return out;
}

}  // namespace limpid
