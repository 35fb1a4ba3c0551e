// What the parts of describe() share.
#pragma once

#include <string>

#include "core/json.h"
#include "files/recognize.h"
#include "limpid/describe.h"

namespace limpid::command {

// How a file of limpid's own says what it is: keys of the metadata.
constexpr const char* k_model_key = "limpid.model";
constexpr const char* k_checkpoint_key = "limpid.checkpoint";
constexpr const char* k_trace_key = "limpid";

// The metadata's JSON document; a text that is none, or none that is read, stays a text.
inline Json document(const std::string& text) {
  try {
    return parse_json(text, {""});
  } catch (const Error&) {
    return text;
  }
}

/// A file that holds no arrays.
Json describe_other(const std::string& path, const RecognizedFile&);
Json describe_folder(const std::string& path);

}  // namespace limpid::command
