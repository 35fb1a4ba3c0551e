// The ways in which a stage is usually got wrong.
#pragma once

#include "trace/diff/stage_call.h"

namespace limpid {

/// Of this stage's operation, then those of every stage: left out, times a factor.  Each can be run with the
/// call of any other stage of the same operation.
std::vector<Variant> variants_of(const StageCall&);

}  // namespace limpid
