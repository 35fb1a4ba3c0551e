// Models as the hub keeps them: a folder with config.json, tensors and a tokenizer.
#pragma once

#include <map>
#include <string>

#include "limpid/network.h"

namespace limpid {

struct HubModel {
  Architecture architecture;
  std::map<std::string, Tensor> parameters;
};

bool is_hub_folder(const std::string& path);
/// Throws Error{work} naming the file and what is wrong with it.
HubModel read_hub_folder(const std::string& path);

}  // namespace limpid
