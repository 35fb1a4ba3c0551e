// What a model file says of its model, beside the parameters.  Knows no engine.
#pragma once

#include <memory>
#include <string>

#include "core/json.h"
#include "limpid/model.h"

namespace limpid {

inline constexpr const char* k_model_key = "limpid.model";  // of __metadata__
inline constexpr int k_model_schema = 1;

struct ModelDescription {
  NetworkConfig config;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const Tokenizer> source_tokenizer = nullptr;  // of an encoder with a vocabulary of its own
  std::string title;
  ModelTasks tasks;
};

/// What tasks.h is to know, as JSON; empty where there is nothing.
Json tasks_json(const ModelTasks&);

/// From the JSON of a file's metadata; throws Error{work} naming the file and what is wrong.
ModelDescription describe_model(const std::string& json, const std::string& path);

/// A network of more layers than a file of so few tensors can hold is refused before it is built.
void check_layers(const NetworkConfig&, size_t tensors, const std::string& path);

}  // namespace limpid
