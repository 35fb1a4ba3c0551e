// A scene, or what fits on a page of it, as boxes, lines and shades of letters.
#pragma once

#include <cstdint>
#include <string>

#include "limpid/draw.h"

namespace limpid::draw {

/// Empty where no part of the scene that must stay together is narrow enough.
std::string in_letters(const Scene&, int64_t columns);

}  // namespace limpid::draw
