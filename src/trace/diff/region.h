// The stages between what is known to agree and the value that parts, to be run again and otherwise.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "limpid/trace.h"
#include "trace/diff/stage_call.h"

namespace limpid {

class Region {
 public:
  /// Goes back from the target to values that agree, inputs and parameters.  `through` false: the value
  /// itself agrees and only its second name parts; the region then is one stage that does nothing.
  Region(const Trace&, int target, const std::set<int>& agreeing, bool through, const std::string& name);

  const std::vector<StageInfo>& stages() const { return stages_; }
  std::vector<std::string> stage_names() const;
  /// What the stages read that is no parameter: values that agree, inputs.
  const std::vector<std::string>& inputs() const { return inputs_; }
  /// What is read and was not kept; the region can only be run where this is empty.
  const std::vector<std::string>& lacking() const { return lacking_; }

  /// Multiply-adds of one run, roughly.
  double cost() const;
  double cost_of(const std::map<int, Variant>& changes) const;
  /// Runs all of it; call first.
  void run();
  StageCall call(int stage) const;  // by its place in stages()
  int target() const { return target_; }
  int target_output() const { return target_output_; }
  const Tensor& result() const { return values_.at(target_); }
  /// The target with some stages computed otherwise; nothing where that changes no number, or does not fit.
  std::optional<Tensor> run(const std::map<int, Variant>& changes) const;

 private:
  void go_back(int value, const std::set<int>& agreeing, std::set<int>& stages);
  void keep(int value);
  double stage_cost(const StageInfo&) const;
  std::vector<bool> touched(const std::map<int, Variant>& changes) const;

  const Trace& trace_;
  const Graph& graph_;
  int target_ = -1, target_output_ = 0;
  std::vector<StageInfo> stages_;
  std::vector<std::string> inputs_, lacking_;
  std::set<int> frontier_;
  std::map<int, Tensor> values_;  // f64 or i64
};

}  // namespace limpid
