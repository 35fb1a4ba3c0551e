// A network as a model of one of the hub's families.
#pragma once

#include <functional>
#include <map>

#include "limpid/tensor.h"
#include "model/families/family.h"

namespace limpid {

/// The family that the network is of, its config.json, and how that reads back.
struct WrittenAs {
  const Family* family = nullptr;
  Json config;
  Architecture architecture;
  bool from_neighbours = false;  // its rotary positions turn neighbours, the family's halves
};

/// Of the families that limpid writes (gpt2, gpt_neox, llama, bert) the first that has every part of the
/// network. A bias that the family has and the network has not is one of zeros.  Throws Error{call} saying
/// for each what it lacks.
WrittenAs written_as(const Architecture&);

/// The tensors of such a model under the family's names, f32.  `take` gives a parameter of the network by its
/// name, or nothing.
std::map<std::string, Tensor> hub_tensors(
    const WrittenAs&, const std::function<std::optional<Tensor>(const std::string&)>& take);

}  // namespace limpid
