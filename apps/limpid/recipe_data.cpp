#include "limpid/recipe_data.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "limpid/files.h"

namespace limpid::command {

namespace fs = std::filesystem;

Recipe read_recipe(const std::string& path) {
  const std::string text = read_file(path);
  try {
    return recipe_from_json(text);
  } catch (const Error& error) {
    throw Error(error.kind(), path + ": " + error.what());
  }
}

TrainingData read_recipe_data(const Recipe& recipe, const std::string& path,
                              const std::vector<std::string>& given) {
  std::string folder = fs::path(path).parent_path().string();
  std::vector<std::string> files;
  for (const std::string& data : given) {
    // A folder a class is the examples themselves, where the recipe names no files in it.
    const bool examples = recipe.task == Task::images && recipe.files.training.empty();
    if (!fs::is_directory(data) || examples) {
      files.push_back(data);
    } else if (given.size() > 1) {
      fail_call("--data ", data, " is a folder; give one folder, or any number of files");
    } else {
      folder = data;
    }
  }
  try {
    return read_training_data(recipe, folder, files);
  } catch (const Error& error) {
    if (!files.empty() || error.kind() == Error::Kind::call) throw;
    fail_work(error.what(), "; give the folder that holds the recipe's data as --data FOLDER");
  }
}

nlohmann::ordered_json json_of(const Trainer::Evaluation& seen) {
  nlohmann::ordered_json json = {{"loss", seen.loss}};
  if (seen.characters > 0) json["loss_per_character"] = seen.loss_per_character();
  if (!seen.metrics.count("mse")) json["accuracy"] = seen.accuracy;
  for (const auto& [name, value] : seen.metrics) json[name] = value;
  json["examples"] = seen.examples;
  json["tokens"] = seen.tokens;
  if (seen.characters > 0) json["characters"] = seen.characters;
  return json;
}

}  // namespace limpid::command
