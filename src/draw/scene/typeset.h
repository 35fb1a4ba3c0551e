// Equations as they are set in a textbook: from the line of letters in which an operation states its equation
// ("A[t,s] = exp(Z[t,s]) / sum_s' exp(Z[t,s'])") to runs with subscripts, superscripts and italic variables.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "limpid/scene.h"

namespace limpid::draw {

/// Indices in brackets and what follows _ are lowered, what follows ^ is raised; single letters are variables
/// and italic, words upright; sum, sqrt, inf, epsilon, pi and the signs become theirs.
std::vector<SceneRun> typeset(std::string_view equation);

/// The runs in one line without sizes: Unicode's small letters where it has them, else _{t,s} and ^{2i}.
std::string linear(const std::vector<SceneRun>&);

/// How wide they are set.
double runs_width(const std::vector<SceneRun>&, double size);

/// Gives the text its runs, and `text` their linear form.
SceneText typeset(SceneText);

}  // namespace limpid::draw
