// The fast way: which kernel runs a stage, and which a whole group.  Everything not listed runs by its reference, so a
// new operation works before it is fast.  This is the planner's table: the one place that names kinds of operations.
#pragma once

#include "limpid/graph.h"

namespace limpid {

/// Runs one stage in f32; inputs and outputs are contiguous.
using StageKernel = void (*)(const Operation&, Inputs, Outputs);
/// The kernel for this operation, or nullptr.
StageKernel stage_kernel(const Operation&);

/// Runs a whole group in f32 from its inputs to its outputs, in the order of GroupInfo.
using GroupKernel = void (*)(const GroupInfo&, Inputs, Outputs);
/// The kernel for this group, or nullptr: its inner stages then run one by one.
GroupKernel group_kernel(const GroupInfo&);

}  // namespace limpid
