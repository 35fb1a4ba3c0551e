// How a model does on a task's examples, and what simple rules do on the same.
#pragma once

#include "limpid/train.h"
#include "train/task_data.h"

namespace limpid {

std::vector<Baseline> baselines(const SeriesWindows&, const RowRange&);

}  // namespace limpid
