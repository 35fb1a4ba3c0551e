// A sentence that a training run watched, as its folder keeps it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "limpid/draw.h"

namespace limpid::command {

/// Every report of the run at which the sentence was kept, `text` counted as the recipe has them, each cut to
/// the part of the network that is shown.  Throws Error{work} for a folder that holds none, Error{call} for a
/// sentence that is not there.
std::vector<LearningStep> read_learning(const std::string& folder, int64_t text,
                                        const std::function<Trace(Trace)>& shown, const std::string& part);

}  // namespace limpid::command
