#include "train/start.h"

#include <algorithm>

namespace limpid {

namespace {

bool empty(const NetworkConfig& network) {
  const auto* parts = std::get_if<Architecture>(&network);
  return parts && parts->stack.layers == 0;
}

// The class of a text is read off a row that has seen all of it.
HeadOptions class_head(const Architecture& a) {
  HeadOptions head;
  head.kind = Head::classes;
  head.bias = true;
  head.pool = a.patches ? Pool::mean : predicts_next_token(a) ? Pool::last : Pool::first;
  return head;
}

}  // namespace

Recipe with_network(const Recipe& recipe) {
  if (empty(recipe.network))
    fail_call("recipe: it has no \"network\"; add one, or begin from a model (limpid train --from MODEL)");
  if (recipe.lora.rank > 0)
    fail_call("recipe: lora is for a run that begins from a model (limpid train --from MODEL)");
  return recipe;
}

Recipe beginning_from(const Model& base, const Recipe& recipe) {
  Recipe out = recipe;
  out.network = base.config();
  const bool classes = recipe.task == Task::classes || recipe.task == Task::images;
  if (classes) {
    if (const auto* gpt = std::get_if<GptConfig>(&out.network)) out.network = architecture_of(*gpt);
    auto* parts = std::get_if<Architecture>(&out.network);
    if (!parts)
      fail_call("train: a textbook network learns no classes from a model; give a recipe with its network");
    if (parts->patches.has_value() != (recipe.task == Task::images))
      fail_call("train: the model reads ", parts->patches ? "images" : "texts", ", and the task is '",
                name(recipe.task), "'");
    if (parts->head.kind != Head::classes) parts->head = class_head(*parts);
  }
  if (recipe.task == Task::next_word && !predicts_next_token(out.network))
    fail_call("train: the model does not predict the next token, which the task 'next_word' needs");
  if (recipe.task == Task::algorithm) fail_call("train: the task 'algorithm' begins from no model");
  const int64_t context = context_of(out.network);
  if (recipe.task != Task::images && recipe.task != Task::forecast)
    out.context = std::min(out.context, context);
  return out;
}

Given given_by(const Model& base) {
  Given given;
  if (base.tokenizer()) given.tokenizer = tokenizer_from_json(base.tokenizer()->to_json());
  given.writing = base.tasks().writing;
  return given;
}

void take_parameters(const Model& from, Model& to) {
  const std::map<std::string, Tensor>& given = from.parameters();
  for (auto& [name, tensor] : to.parameters()) {
    const auto found = given.find(name);
    if (found != given.end() && found->second.shape().same_sizes(tensor.shape())) {
      const Shape shape = tensor.shape();
      tensor = found->second.to(DType::f32);
      tensor.reshape(shape);
    } else if (found != given.end() && !name.starts_with("unembed.")) {
      fail_call("train: '", name, "' of the model is ", found->second.shape().text(),
                ", and the data asks for ", tensor.shape().text(),
                "; give data of the size that the model reads");
    }
  }
}

ModelTasks tasks_with(ModelTasks tasks, const Model* base) {
  if (!base) return tasks;
  if (!tasks.writing) tasks.writing = base->tasks().writing;
  tasks.chat_template = base->tasks().chat_template;
  return tasks;
}

}  // namespace limpid
