// A rank's part of a step: which examples of the batch it computes, and its part in the sum of gradients.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "limpid/ranks.h"
#include "train/task_data.h"

namespace limpid {

/// Examples of a batch.
struct Share {
  Batch batch;                          // of no examples where there are more ranks than the batch has
  int64_t first_row = 0;                // in the whole batch
  std::vector<RunContext::Part> parts;  // of texts one behind another: the tokens, and those of the source
  double weight = 1;  // how much of the whole batch's loss is this part's: of the targets that count
};

/// Rank `rank`'s examples: as many as every other rank's, or one more; of texts one behind another about as
/// many tokens.
Share share_of(const Batch&, int rank, int size);

/// Adds the gradients of all ranks up while the backward pass still runs.
///
/// Gradients go in buckets, in the order in which the graph computes them, which is the same on all ranks
/// whatever each of them does; a bucket's sum begins when all of it is there and those before it have begun.
class GradientSums {
 public:
  using Parameters = std::map<std::string, Tensor>;
  /// `order`: the parameters of `gradients`, as their gradients come.
  GradientSums(Ranks&, const std::vector<std::string>& order, const Parameters& gradients);
  ~GradientSums();
  GradientSums(const GradientSums&) = delete;
  GradientSums& operator=(const GradientSums&) = delete;

  void begin();
  /// The gradient of this parameter is complete: `factor` of it is this rank's part of the sum.
  void add(const std::string& parameter, const Tensor& gradient, double factor);
  /// What was not added counts as 0.  Besides, `told`: what else the ranks add up after a step.  Returns the
  /// sums of `told`, when everything is summed.
  std::vector<double> finish(std::vector<double> told);
  /// Then: the sums.
  void take(Parameters& gradients) const;

 private:
  struct Place {
    size_t bucket = 0;
    int64_t first = 0, count = 0;
    bool added = false;
  };
  struct Bucket {
    std::vector<float> numbers;
    size_t missing = 0, parameters = 0;
  };
  void begin_complete();

  Ranks& ranks_;
  std::map<std::string, Place> places_;
  std::vector<Bucket> buckets_;
  std::vector<double> told_;
  size_t begun_ = 0;  // buckets
  bool under_way_ = false;
};

/// The parameters in the order in which the graph computes their gradients.
std::vector<std::string> in_order_of_gradients(const Graph&, const std::vector<std::string>& parameters);

/// A number for the bits of parameters.
uint64_t digest_of(const std::map<std::string, Tensor>&);

}  // namespace limpid
