// How a size is cut into parts.
#pragma once

#include <cstdint>

namespace limpid::kernels {

/// Of parts of a size, that many hold a total.
constexpr int64_t parts(int64_t total, int64_t part) { return (total + part - 1) / part; }

/// The next whole number of steps.
constexpr int64_t round_up(int64_t value, int64_t step) { return parts(value, step) * step; }

}  // namespace limpid::kernels
