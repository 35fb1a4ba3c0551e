// What a call names: a text, a model, a file.
#pragma once

#include <optional>
#include <string>

#include "limpid/model.h"

namespace limpid::command {

/// Nothing or "-": standard input; "@FILE": that file; anything else: itself.  One line end at the end of a
/// file or of standard input is left out.  Throws Error{call} for a text that is empty, or only spaces.
std::string text_of(const std::optional<std::string>& argument);

/// The model file, or the built-in model where `path` is empty.
Model open_model(const std::string& path);

}  // namespace limpid::command
