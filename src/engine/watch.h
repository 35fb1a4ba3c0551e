// The depths of attention weights that are gathered while they stream by: what is asked for, room for it, and
// the same from weights that were stored, where a group runs stage by stage.
#pragma once

#include <map>
#include <string>

#include "engine/fast.h"
#include "limpid/engine.h"

namespace limpid {

/// What is wanted of one value.
struct Streamed {
  int64_t top = 0, map = 0;  // 0: not
  bool entropy = false;
};

/// Adds an observation of depth top, entropy or map; throws Error{call} where a value is asked for twice with
/// other counts.
void add(Streamed& to, const Observation&, const std::string& name);

/// Room for weights of this shape [B,H,T,S].
GroupWatch watch_room(const Streamed&, const Shape& weights);

/// Fills it from weights that are there.
void watch_stored(GroupWatch&, const ConstView& weights);

/// Into NAME@top8.weight, NAME@top8.index, NAME@entropy, NAME@map; the map's sums become means.
void hand_over(GroupWatch&&, const std::string& name, const Shape& weights,
               std::map<std::string, Tensor>& values);

/// The weights of the group that this value is; throws Error{call} if it is none.
void require_weights(const Graph&, int value, const std::string& pattern);

}  // namespace limpid
