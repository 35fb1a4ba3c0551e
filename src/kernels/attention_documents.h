// Documents that stand one behind another in a row, each attended to by itself: as many products as the
// documents alone would take, whatever their lengths.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/attention.h"

namespace limpid::kernels {

/// Can each document be computed by itself: do the numbers rise over queries and keys, and is nothing given
/// for single cells, lengths or distances?
bool attends_by_document(const AttentionArgs&);

/// Each document's arguments, where attends_by_document().  Keys of documents that no query is of come with
/// no queries, so that their gradients are written too.
std::vector<AttentionArgs> by_document(const AttentionArgs&);
/// The gradients' places of one of these.
AttentionGradients of_document(const AttentionArgs& document, const AttentionGradients& whole);

/// Many kernels as one.
template <class One>
class Many {
 public:
  explicit Many(std::vector<One> kernels) : kernels_(std::move(kernels)) {
    for (const One& kernel : kernels_) {
      first_.push_back(tasks_);
      tasks_ += kernel.tasks();
      scratch_ = std::max(scratch_, kernel.scratch());
      work_ += kernel.work();
    }
  }
  int64_t tasks() const noexcept { return tasks_; }
  int64_t scratch() const noexcept { return scratch_; }
  int64_t work() const noexcept { return work_; }
  void run(int64_t task, std::byte* scratch) const noexcept {
    const auto which = std::upper_bound(first_.begin(), first_.end(), task) - first_.begin() - 1;
    kernels_[static_cast<size_t>(which)].run(task - first_[static_cast<size_t>(which)], scratch);
  }

 private:
  std::vector<One> kernels_;
  std::vector<int64_t> first_;  // task of each
  int64_t tasks_ = 0, scratch_ = 0, work_ = 0;
};

/// z and lse, and the gradients, of all documents.
void launch_forward_by_document(const AttentionArgs&);
void launch_backward_by_document(const AttentionArgs&, const AttentionGradients&);

}  // namespace limpid::kernels
