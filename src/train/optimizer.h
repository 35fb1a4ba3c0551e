// The optimiser that a recipe asks for.
#pragma once

#include "limpid/optimizer.h"
#include "limpid/train.h"

namespace limpid {

AdamWOptions adamw_of(const Recipe&);
Schedule schedule_of(const Recipe&);

}  // namespace limpid
