// The ceiling: how many multiply-adds this machine does in a second when nothing else is asked of it.
#pragma once

#include <cstdint>

namespace limpid::bench {

/// `steps` rounds of independent multiply-adds (f32, fused where the instruction set has them) on registers
/// alone, as many as keep its units busy, on the instruction set in use (kernels/isa.h) and this thread.
/// Returns how many floating-point operations that was: two a lane.
int64_t multiply_adds(int64_t steps);

}  // namespace limpid::bench
