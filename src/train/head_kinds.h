// What kinds of heads a network has while it learns.
#pragma once

#include <vector>

#include "core/json.h"
#include "limpid/train.h"

namespace limpid {

/// Every head, by measure_heads(); nothing where that cannot measure the network.
std::vector<SeenHead> heads_now(const Model&);

Json json_of(const std::vector<SeenHead>&);
/// The other way round.
std::vector<SeenHead> heads_from(const JsonValue&);

}  // namespace limpid
