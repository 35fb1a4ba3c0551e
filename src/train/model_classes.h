// Data whose classes are counted as a model counts them.
#pragma once

#include <optional>

#include "limpid/train.h"

namespace limpid {

/// The data with its labels by the numbers that the model gives its classes; nothing where they are so, or
/// the model does not call its classes by names of their own (LABEL_0, ...).  Throws Error{call} naming a
/// class, or a column of a series, that the model does not know.
std::optional<TrainingData> as_the_model_counts(const Model&, const TrainingData&);

}  // namespace limpid
