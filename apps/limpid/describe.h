// What a file or a folder says of itself, as JSON: what `limpid info` shows.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace limpid::command {

using Json = nlohmann::ordered_json;

/// A model, trace, checkpoint, arrays; or whatever else the path is: "kind", "what" and "advice" then. Throws
/// Error{work} for a file that is damaged, or not there.
Json describe(const std::string& path);

/// A GGUF file: version, architecture, metadata (of an array of more than 8 values, or of long texts:
/// "array_of" and "count"), how many tensors of each type; without the tensors, which describe() adds as of
/// any file of arrays.
Json describe_gguf(const std::string& path);

/// The arrays whose names fit the pattern (* stands for anything), with least, most, mean, and the number of
/// NaN and infinities.  Throws Error{call} where none fits.
Json describe_arrays(const std::string& path, const std::string& pattern);

/// Bytes for people: "497.8 MB".
std::string size_text(uint64_t bytes);

}  // namespace limpid::command
