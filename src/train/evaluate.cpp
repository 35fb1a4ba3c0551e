#include "train/evaluate.h"

#include "limpid/tasks.h"
#include "train/score.h"

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

TaskEvaluation evaluate_task(const Model& model, const Recipe& given, const TrainingData& data,
                             const TaskEvaluationOptions& options) {
  Recipe recipe = given;
  recipe.network = model.config();
  const PreparedTask task = prepare(recipe, data, {tokenizer_of(model), model.tasks().writing});
  if (to_json(task.recipe.network) != to_json(recipe.network))
    fail_call("eval: the model was trained for other classes, columns or sizes than the recipe's data has");
  const Part part = task.data->has(Part::test) ? Part::test : Part::held_out;
  if (!task.data->has(part))
    fail_call("eval: the recipe holds no examples out and has no test examples; name some under \"data\"");
  Graph graph(operations());
  build(graph, without_dropout(recipe.network), Purpose::train);
  const Engine engine(graph);
  Score score(graph);
  const int64_t batches = task.data->evaluation_batches(part);
  TaskEvaluation out;
  out.part = part == Part::test ? "test" : "held out";
  out.classes = model.tasks().classes;
  int64_t examples = 0;
  for (int64_t i = 0; i < batches; ++i) {
    if (options.progress) options.progress(static_cast<double>(i) / static_cast<double>(batches), "");
    const Batch batch = task.data->evaluation_batch(part, i);
    if (options.drop_last && batch.examples < task.data->evaluation_batch(part, 0).examples) break;
    std::map<std::string, ConstView> bound;
    for (const auto& [name, tensor] : model.parameters()) bound[name] = tensor;
    for (const auto& [name, tensor] : batch.inputs) bound[name] = tensor;
    score.add(batch, engine.run(bound, {.keep = score.keeps()}));
    examples += batch.examples;
  }
  out.seen = score.result();
  if (part == Part::held_out) out.seen.characters = task.data->evaluation_characters();
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
