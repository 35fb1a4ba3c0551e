// A figure in words, for the formats that say it: .md, and the notes of a slide.
#pragma once

#include <string>
#include <vector>

#include "limpid/draw.h"

namespace limpid::draw {

/// One line a step: numbered in each heading, two blanks deeper inside each.
std::vector<std::string> steps_in_lines(const Scene&);

/// Words in lines of at most `columns`, continued `hanging` blanks after their own start.
std::string filled(const std::string& line, size_t columns, size_t hanging);

}  // namespace limpid::draw
