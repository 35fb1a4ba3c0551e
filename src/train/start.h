// What a run begins from: a recipe's own network, or a model that there is already.
#pragma once

#include "limpid/train.h"
#include "train/task_data.h"

namespace limpid {

/// The recipe; throws Error{call} where it has no network.
Recipe with_network(const Recipe&);
/// The recipe with the model's network, whose head is that of the task.  Throws Error{call} where the network
/// cannot do it.
Recipe beginning_from(const Model&, const Recipe&);
/// A tokenizer of its own, and how the model begins and ends a text.
Given given_by(const Model&);
/// Parameters of the same name and size; others stay as they are drawn.
void take_parameters(const Model& from, Model& to);
/// What the data says of the task, and what the model said that it does not.
ModelTasks tasks_with(ModelTasks, const Model* base);

}  // namespace limpid
