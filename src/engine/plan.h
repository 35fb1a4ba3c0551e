// The plan of a run: which stages, in which order, fused or not, and where every temporary lives.
//
// Invariants: a step reads only what earlier steps, or the caller, have written; two temporaries whose lives
// overlap never share a byte; nothing here depends on the number of threads or on what is observed, but for
// values that are looked at inside a group, which are computed beside it (beside.cpp) and never instead of
// it, and for numbers inside a chain of stages that run in one pass, which are written down only if somebody
// reads them.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "engine/fast.h"
#include "engine/reference.h"

namespace limpid {

/// What a plan is made for.
struct PlanRequest {
  std::set<int> wanted;    // values to compute: kept or observed
  std::set<int> into;      // of these, the ones that go straight into the caller's memory
  std::set<int> edited;    // values that an edit changes
  std::set<int> streamed;  // weights that are watched while their group runs fused
  // Of these only some rows are wanted: positions of T, rising (wanted holds those of which all are).
  std::map<int, std::vector<int64_t>> rows;
  bool plain = false;
  DType real = DType::f32;
};

struct Plan {
  struct Step {
    int stage = -1;  // run this stage ...
    StageKernel kernel = nullptr;
    std::vector<int>
        finish;  // with these, which read its first output one after the other, in the same pass,
    FinishingKernel finishing = nullptr;
    int group = -1;  // ... or this whole group
    GroupKernel group_kernel = nullptr;
    std::vector<int> inputs, outputs;  // all that it reads from memory and writes there
    bool sliced = false;               // computes Plan::rows alone
  };
  struct Place {
    bool used = false;
    bool callers = false;  // in the caller's memory, not in the arena
    size_t offset = 0;     // in the arena
    int same_as = -1;      // a view: the numbers of that value
    bool heads = false;    // [B,T,H,D] with each head's rows together, as attention reads them fastest
  };
  std::vector<Shape> shapes;
  std::vector<Step> steps;
  std::vector<Place> places;       // by value; unused for what the caller binds
  std::vector<int> needed_inputs;  // inputs and parameters that must be bound
  std::set<int> inside;            // wanted or edited values inside a fused group
  // The end of a network works on each row alone (norm, logits, probabilities).  Where few of its rows are
  // wanted, only these are computed: their positions, rising, and the values that hold them and no others
  // (their T in `shapes` is the count of rows; `length` is what it would be).
  std::vector<int64_t> rows;
  std::set<int> sliced;
  int64_t length = 0;
  size_t arena_bytes = 0;
};

/// Where a temporary that is no view of another lies in the arena, with its strides.
View placed(const Plan&, const Graph&, int value, DType real, std::byte* arena);

/// The number that the pass of a step (not of a group) ends with: the first output of its last stage.
int last_value(const Graph&, const Plan::Step&);

/// What finishes a step: `read` finds what it reads, `place` where it writes.
Finish finish_of(const Graph&, const Plan::Step&, const std::function<ConstView(int value)>& read,
                 const std::function<View(int value)>& place);

/// The stages of a group, in order.
std::vector<int> stages_of(const Graph&, int group);

/// `shapes` as bind_shapes gives them.
Plan make_plan(const Graph&, std::vector<Shape> shapes, const PlanRequest&);

}  // namespace limpid
