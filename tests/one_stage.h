// For tests of what a user calls: a small graph, its inputs bound as they are added, run by Engine::run on
// every path there is.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "kernels/test_helpers.h"
#include "limpid/engine.h"
#include "limpid/ops.h"

namespace limpid::testing {

class SmallGraph {
 public:
  SmallGraph() : graph(operations()) {}
  Scope operator/(std::string_view name) { return graph.scope() / name; }
  Stage input(const Tensor& t) {
    const std::string name = join("in", bound_.size());
    bound_[name] = t;
    return graph.input(name, t.shape(), t.dtype());
  }
  /// An input that is differentiated: what a network would call a parameter.
  Stage parameter(const Tensor& t) {
    const std::string name = join("in", bound_.size());
    bound_[name] = t;
    return graph.parameter(name, t.shape(), {});
  }
  /// Binds what the graph declared by itself.
  void bind(const std::string& name, const Tensor& t) { bound_[name] = t; }
  /// The values of these names.
  std::map<std::string, Tensor> run(const std::vector<std::string>& names, const RunOptions& how) const {
    RunOptions options = how;
    options.keep = names;
    std::map<std::string, ConstView> views;
    for (const auto& [name, tensor] : bound_) views[name] = tensor;
    return Engine(graph).run(views, options).values;
  }
  Tensor run(Stage wanted, const RunOptions& how) const {
    return run(std::vector<std::string>{wanted.name()}, how).at(wanted.name());
  }
  /// In double, by the references.
  Tensor exact(Stage wanted) const { return run(wanted, {.plain = true, .real = DType::f64}); }

  Graph graph;

 private:
  std::map<std::string, Tensor> bound_;
};

/// Calls check(options) for the kernels of every instruction set, and for the plain run.
template <class Check>
void on_every_path(Check check) {
  kernels::testing::on_every_isa([&](const std::string& isa) {
    SCOPED_TRACE(isa);
    check(RunOptions{});
  });
  SCOPED_TRACE("--plain");
  check(RunOptions{.plain = true});
}

}  // namespace limpid::testing
