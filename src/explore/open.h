// Opening a model, a text, edits.
#pragma once

#include <string>
#include <vector>

#include "explore/state.h"

namespace limpid::explore {

inline constexpr size_t k_most_text_bytes = 4u << 20;

/// The host's model of that name; what was open of another is forgotten.  Throws Error where there is none,
/// or where its network reads what the explorer does not show.
void open_model(State&, const std::string& name);
/// A text that the model reads.  Throws Error{call} for an empty one, and for one that it cannot read.
void open_text(State&, const std::string& text);
/// Tokens by their ids.  Throws Error{call} for ids that the vocabulary does not have.
void open_tokens(State&, const std::vector<int64_t>& ids);

}  // namespace limpid::explore
