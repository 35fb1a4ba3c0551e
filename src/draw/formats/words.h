// A figure in words, for the formats that say it: .md, and the notes of a slide.
#pragma once

#include <string>
#include <vector>

#include "limpid/draw.h"

namespace limpid::draw {

/// One line a step: numbered in each heading, two blanks deeper inside each.
std::vector<std::string> steps_in_lines(const Scene&);

}  // namespace limpid::draw
