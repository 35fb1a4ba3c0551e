// Where the time of a training step goes, by kind of stage: the engine's own plan, run with a clock beside
// it.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/plan.h"
#include "limpid/model.h"
#include "train/optimizer.h"
#include "train/task_data.h"

namespace limpid::bench {

class StepProfile {
 public:
  /// A step of this recipe (its network filled in from the data) on batches of this shape, from these
  /// parameters; `packed`: as Purpose::train_packed reads them.
  StepProfile(const Recipe& recipe, std::map<std::string, Tensor> parameters, const Batch& batch,
              bool packed = false);

  /// One step: forward, gradient, AdamW.  The same bits as the trainer's.  Returns the loss.
  double step();

  const std::map<std::string, Tensor>& parameters() const { return parameters_; }

  struct Part {
    double seconds = 0;     // of the last step
    double operations = 0;  // floating-point, of the products and of attention; 0 where that says nothing
    int64_t calls = 0;
    bool plain = false;  // by the operation's reference: no kernel yet
  };
  /// By kind of stage or fused group; "AdamW" beside them.
  const std::map<std::string, Part>& parts() const { return parts_; }

  /// What the network asks for, however it is computed: 6 a weight and token (2 forward, 4 backward), and
  /// attention's products on the cells that are seen (2 a cell forward, 4 backward).
  double operations() const;

 private:
  View place(int value) const;
  ConstView read(int value) const;
  void run(const Plan::Step& step);

  Recipe recipe_;
  std::map<std::string, Tensor> parameters_;
  Batch batch_;
  std::unique_ptr<Graph> graph_;
  Plan plan_;
  Tensor arena_;
  std::map<std::string, Tensor> gradients_;  // by parameter
  std::map<int, View> into_;                 // the same memory, by the value that is computed there
  double loss_ = 0;
  std::unique_ptr<AdamW> adam_;
  int64_t done_ = 0;
  std::map<std::string, Part> parts_;
};

}  // namespace limpid::bench
