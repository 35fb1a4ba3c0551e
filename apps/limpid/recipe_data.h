// The recipe that a command names, and its data.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "limpid/train.h"

namespace limpid::command {

/// An error names the file.
Recipe read_recipe(const std::string& path);

/// `given`: a folder that holds the recipe's files (else the recipe's own folder), or files in their place.
TrainingData read_recipe_data(const Recipe&, const std::string& path, const std::vector<std::string>& given);

nlohmann::ordered_json json_of(const Trainer::Evaluation&);

}  // namespace limpid::command
