// One run of a plan, step by step.
//
// What is looked at inside a fused group is computed beside the fused kernel, from the group's own inputs, so
// that looking never changes an output's bit (law 2).  An edit inside a group runs beside it too, and
// replaces the group's outputs only if it changed a bit: an edit that changes nothing changes no bit.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/request.h"

namespace limpid {

class OneRun {
 public:
  /// All but `bound` must outlive the run; `arena` has the plan's bytes.
  OneRun(const Graph& graph, const Plan& plan, const Request& request, const RunOptions& options,
         std::byte* arena, std::vector<ConstView> bound)
      : graph_(graph),
        plan_(plan),
        request_(request),
        options_(options),
        arena_(arena),
        bound_(std::move(bound)) {}

  RunResult run();

 private:
  // The tensors of one call, whatever it calls.
  struct Call {
    std::vector<ConstView> in;
    std::vector<View> out;
  };

  // ---- steps (one_run.cpp)
  View place(int value) const;
  ConstView read(int value) const;
  // What a step reads: of a value of which there are more rows than a sliced step computes, a copy of these.
  ConstView read_by(const Plan::Step& step, int value);
  // `stored`: the second input is read as it is stored, and stands here by its shape alone.
  Call call(const Plan::Step& step, const std::vector<int>& inputs, const std::vector<int>& outputs,
            bool stored = false);
  // The matrix that a stage reads as it is stored, or null.
  const StoredMatrix* stored_for(const Plan::Step& step, const StageInfo& stage) const;
  ConstView expanded(int value) const;
  // The room of fewer bits that this value is, or is a view of; or null.
  const Room* room_of(int value) const;
  void append_to_room(const StageInfo& stage, const Room& room);
  void look_at_room(int value, const Room& room);
  void run_one(const Plan::Step& step);
  // A stage and those that finish its first output.
  void run_chain(const Plan::Step& step, const StageInfo& stage);
  void run_group(const Plan::Step& step);
  // Its kernel, or, where keys and values lie in rooms of fewer bits, that of these.
  void run_group_kernel(const Plan::Step& step, const Call& c, GroupWatch* watch);
  // Are values inside of the group wanted?
  bool looks_inside(int group) const;
  // The weights of this group that are watched while it runs, or -1.
  int watched_in(int group) const;
  // Multiply-adds of a step, roughly: what its outputs hold times how many numbers each is a sum of.
  double work_of(const Plan::Step& step) const;
  bool edit(int value, const View& view);
  void look(int value, const ConstView& view, const ConstView& masked_scores);
  // Says that these are in the caller's memory.
  void announce(const std::vector<int>& values);
  // Inside a group that runs fused?
  bool hidden(int value) const { return !plan_.places[static_cast<size_t>(value)].used; }

  // ---- some rows of a value (one_run.cpp)
  static View part_of(Tensor& tensor, int axis, int64_t first, int64_t count);
  Tensor room_for_rows(int value, const std::vector<int64_t>& places) const;
  void keep_rows(int value, Tensor rows, const std::vector<int64_t>& places);

  // ---- the inside of a fused group (beside.cpp)
  // Runs the inner stages of a group from its inputs into memory of their own, for those who look or edit
  // inside.  What was watched of weights that an edit has changed is gathered anew.
  void run_beside(int id, const GroupInfo& group, const Call& c, int weights, GroupWatch& watch);
  // Scores or weights from the fused kernel's own numbers; false for any other stage.
  bool rebuilt(const StageInfo& stage, const GroupInfo& group, const Call& c,
               std::map<int, Tensor>& inner) const;
  // The rows that are wanted of a T x S stage, from the fused kernel's own numbers; false for any other
  // stage.
  bool rebuilt_rows(int value, const GroupInfo& group, const Call& c);
  // Which stages of a group lead to these values (masked scores always come along: summaries need the mask).
  std::vector<int> inner_stages(int id, const GroupInfo& group, std::set<int> needed) const;
  bool run_inner(const StageInfo& stage, std::map<int, Tensor>& inner);
  // A gradient group reads the inside of its forward group, which may be hidden: computed again here.
  ConstView inside_or_outside(int value, std::map<int, Tensor>& inner);
  static bool is_output(const GroupInfo& group, int value) {
    return std::find(group.outputs.begin(), group.outputs.end(), value) != group.outputs.end();
  }

  const Graph& graph_;
  const Plan& plan_;
  const Request& request_;
  const RunOptions& options_;
  std::byte* arena_;
  std::vector<ConstView> bound_;
  std::map<int, Tensor> gathered_;  // rows of values of which more are computed than a sliced step reads
  // Stored matrices, and rooms of fewer bits, that something reads as tensors.
  mutable std::map<int, Tensor> expanded_;
  std::set<int> announced_;  // of request_.into
  RunResult result_;
};

}  // namespace limpid
