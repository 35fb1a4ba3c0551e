// What one run is asked for, and what it is given: looked up in the graph and checked.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/plan.h"
#include "engine/watch.h"
#include "limpid/engine.h"

namespace limpid {

/// Everything one run needs to know about a value that is looked at or changed.
struct Request {
  std::set<int> full, summary, shape;
  std::map<int, std::vector<int64_t>> rows;  // positions as they were asked for
  std::map<int, Streamed> streamed;
  std::map<int, std::vector<const Edit*>> edits;
  std::map<int, View> into;
  std::map<int, const StoredMatrix*> stored;
  std::map<int, const Room*> rooms;

  /// Are the numbers of an input or parameter wanted?
  bool looks_at(int value) const {
    return full.count(value) + summary.count(value) + rows.count(value) + into.count(value) > 0;
  }
  bool only_rows(int value) const {
    return rows.count(value) > 0 && full.count(value) + summary.count(value) + into.count(value) == 0;
  }
};

/// Throws Error{call} for a pattern that no value fits, and for what cannot be watched or edited.
Request request_of(const Graph&, const RunOptions&);

/// Positions from 0, rising, each once; those that are not there are left out.
std::vector<int64_t> resolved(const std::vector<int64_t>& places, int64_t size);

/// The values the caller binds.  Throws Error{call} naming one that the graph does not have so.
std::map<int, ConstView> bind(const Graph&, const std::map<std::string, ConstView>& values);
/// Of texts that begin at positions of their own there is one for each.
void require_positions(const Graph&, const std::map<int, Shape>& given, const RunContext&);
/// The same numbers in the type of the run, under the graph's axis names; `kept` owns what had to be copied.
ConstView in_run_type(const Value&, const ConstView&, DType real, std::vector<Tensor>& kept);

/// Throws Error{call} for memory of the caller's that is not as the value is.
void require_fits(const Graph&, const Plan&, int value, const View&, DType real);
/// What a run writes into the caller's memory would change what it reads, or has written, elsewhere:
/// Error{call}.
void require_apart(const Graph&, const std::map<int, View>& into, const std::map<int, ConstView>& bound);

}  // namespace limpid
