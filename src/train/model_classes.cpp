#include "train/model_classes.h"

#include "core/label.h"
#include "data/classes.h"

namespace limpid {

namespace {

// As transformers calls classes that nobody has named.
bool are_named(const std::vector<std::string>& classes) {
  for (size_t i = 0; i < classes.size(); ++i)
    if (classes[i] != join("LABEL_", i)) return true;
  return false;
}

std::vector<int64_t> numbers_in(const std::vector<std::string>& classes,
                                const std::vector<std::string>& of_data) {
  const data::ClassNumbers numbers(classes);
  std::vector<int64_t> out;
  for (const std::string& name : of_data) {
    const auto number = numbers.find(name);
    if (!number) fail_call("eval: a class of the data ", data::unknown_class(name, classes), " of the model");
    out.push_back(*number);
  }
  return out;
}

template <class Examples>
std::optional<TrainingData> renumbered(const Parts<Examples>& parts,
                                       const std::vector<std::string>& classes) {
  if (parts.training.classes == classes) return std::nullopt;
  const std::vector<int64_t> numbers = numbers_in(classes, parts.training.classes);
  Parts<Examples> out = parts;
  const auto change = [&](Examples& examples) {
    for (int64_t& label : examples.labels) label = numbers[static_cast<size_t>(label)];
    examples.classes = classes;
  };
  change(out.training);
  if (out.held_out) change(*out.held_out);
  if (out.test) change(*out.test);
  return out;
}

void require_columns(const SeriesTable& table, const std::vector<std::string>& columns) {
  if (table.columns == columns) return;
  const auto listed = [](const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) out += (out.empty() ? "" : ", ") + in_quotes(name);
    return out;
  };
  fail_call("eval: the data has the columns ", listed(table.columns), ", the model was trained on ",
            listed(columns));
}

}  // namespace

std::optional<TrainingData> as_the_model_counts(const Model& model, const TrainingData& data) {
  const ModelTasks& tasks = model.tasks();
  if (const auto* table = std::get_if<SeriesTable>(&data); table && tasks.series)
    require_columns(*table, tasks.series->columns);
  if (!are_named(tasks.classes)) return std::nullopt;
  if (const auto* texts = std::get_if<Parts<LabelledTexts>>(&data)) return renumbered(*texts, tasks.classes);
  if (const auto* images = std::get_if<Parts<LabelledImages>>(&data))
    return renumbered(*images, tasks.classes);
  return std::nullopt;
}

}  // namespace limpid
