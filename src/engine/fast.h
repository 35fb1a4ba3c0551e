// The fast way: which kernel runs a stage, and which a whole group.  Everything not listed runs by its
// reference, so a new operation works before it is fast.  This is the planner's table: the one place that
// names kinds of operations.
#pragma once

#include <map>
#include <string>

#include "limpid/graph.h"

namespace limpid {

/// Runs one stage in f32; inputs and outputs are contiguous.
using StageKernel = void (*)(const Operation&, Inputs, Outputs, const RunContext&);
/// The kernel for this operation, or nullptr.
StageKernel stage_kernel(const Operation&);

/// Runs a whole group in f32 from its inputs to its outputs, in the order of GroupInfo.
using GroupKernel = void (*)(const GroupInfo&, Inputs, Outputs);
/// The kernel for this group, or nullptr: its inner stages then run one by one.
GroupKernel group_kernel(const GroupInfo&);

/// The kernels of stages that work row by row or number by number (fast_rows.cpp).
const std::map<std::string, StageKernel, std::less<>>& row_kernels();

}  // namespace limpid
