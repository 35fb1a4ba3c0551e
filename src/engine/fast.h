// The fast way: which kernel runs a stage, and which a whole group.  Everything not listed runs by its
// reference, so a new operation works before it is fast.  This is the planner's table: the one place that
// names kinds of operations.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "limpid/graph.h"
#include "limpid/stored.h"

namespace limpid {

/// How many numbers a row of x (its last axis) has, and how many rows there are.
inline int64_t last_size(const ConstView& x) { return x.shape()[x.shape().rank() - 1].size; }
inline int64_t rows_of(const ConstView& x) { return last_size(x) ? x.shape().count() / last_size(x) : 0; }

/// Runs one stage in f32; inputs and outputs are contiguous, but for takes_heads.
using StageKernel = void (*)(const Operation&, Inputs, Outputs, const RunContext&);
/// The kernel for this operation, or nullptr.
StageKernel stage_kernel(const Operation&);
/// Does its kernel write [B,T,H,D] with any strides, and, where an input is of that shape, read it so?
bool takes_heads(const Operation&);

/// Does row t of each output depend on row t alone of the inputs that have rows (axis T)?  Then any rows can
/// be computed without the others, and have the same bits.
bool works_by_rows(const Operation&);

/// Stages that run in the pass of the one before them: what each number of its first output goes through
/// before it is written.  The numbers have the same bits as stage by stage.
struct Finish {
  const Operation* activation = nullptr;  // gelu and its like, or the gradient of one; null: none
  ConstView gradient_at;                  // of a gradient: where it is taken
  ConstView residual;                     // added last; empty: none
  View before;                            // also keeps the number as it was before; empty: not
};

/// Runs a stage whose first output, without gaps, is finished so before it is written.
using FinishingKernel = void (*)(const Operation&, Inputs, Outputs, const Finish&);
/// The kernel for this operation, or nullptr.
FinishingKernel finishing_kernel(const Operation&);
/// Runs a stage whose second input is a matrix as it is stored: in[1] has its shape and no numbers.
using StoredKernel = void (*)(const Operation&, Inputs, const StoredMatrix&, Outputs, const Finish&);
/// The kernel for this operation and this matrix, or nullptr.
StoredKernel stored_kernel(const Operation&, const StoredMatrix&);
/// Does that kernel keep, if asked, what its first output was before?
bool keeps_before(const Operation&);
/// May `next` be part of its finish, after `stages` others are?  It reads the number as its input `slot`.
bool finishes(const Operation& first, const std::vector<const Operation*>& stages, const Operation& next,
              size_t slot);
/// Is it an activation, or the gradient of one, that a product applies?
bool is_activation(const Operation&);

/// What is gathered of a group's weights [B,H,T,S] while its kernel runs; empty: not asked for.
struct GroupWatch {
  int64_t top = 0;               // the largest weights of a row, and their keys
  Tensor top_weights, top_keys;  // [B,H,T,N]; i32
  Tensor entropy;                // [B,H,T]
  Tensor map;                    // [B,H,T',S']: sums of blocks of map_queries x map_keys weights;
  int64_t map_queries = 0, map_keys = 0, block_queries = 0;  // a shown row is block_queries tall
};

/// Runs a whole group in f32 from its inputs to its outputs, in the order of GroupInfo.  `watch`, or null, is
/// filled; it changes no bit of the outputs.
using GroupKernel = void (*)(const GroupInfo&, Inputs, Outputs, const RunContext&, GroupWatch* watch);
/// The kernel for this group, or nullptr: its inner stages then run one by one.
GroupKernel group_kernel(const GroupInfo&);

/// Can scores or weights of this group be rebuilt from its inputs and outputs?  `stage` is their name in the
/// group.
bool rebuilds(const GroupInfo&, std::string_view stage);

/// The queries [first, end) of a T x S stage inside a group that has run fused, rebuilt from the group's
/// inputs and outputs into `to` [B,H,end - first,S], contiguous: every cell has the bits that it has in any
/// window and among the largest weights.  `stage` is its name in the group ("scores", "pattern"); false for
/// one that is not rebuilt so, and then nothing is written.
struct Queries {
  int64_t first = 0, end = 0;
};
bool rebuild(const GroupInfo&, Inputs, Outputs, const RunContext&, std::string_view stage, Queries,
             const View& to);
/// The same of some heads, queries and keys alone, into `to` [B,H,T,S] of their numbers.
struct CellRange {
  Queries heads, queries, keys;
};
bool rebuild_range(const GroupInfo&, Inputs, Outputs, const RunContext&, std::string_view stage,
                   const CellRange&, const View& to);

/// The kernels of stages that work row by row or number by number (fast_rows.cpp).
const std::map<std::string, StageKernel, std::less<>>& row_kernels();
const std::map<std::string, FinishingKernel, std::less<>>& finishing_row_kernels();
/// Those of scores by distance (fast_positions.cpp).
const std::map<std::string, StageKernel, std::less<>>& position_kernels();
/// Of what is kept in fewer bits (fast_narrow.cpp).
const std::map<std::string, StageKernel, std::less<>>& narrow_kernels();
/// Of the stages of a mixture of experts (fast_experts.cpp).
const std::map<std::string, StageKernel, std::less<>>& expert_kernels();
void expert_linear_stored(const Operation&, Inputs, const StoredMatrix&, Outputs, const Finish&);

}  // namespace limpid
