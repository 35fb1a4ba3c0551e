// A tokenizer for a network that has more tokens than it.
#pragma once

#include <memory>

#include "limpid/text.h"

namespace limpid {

/// The same tokens, and after them unused ones up to `vocabulary`; no text becomes one of these.  Throws
/// Error{call} where the tokenizer has more.
std::shared_ptr<const Tokenizer> padded_tokenizer(std::shared_ptr<const Tokenizer>, int64_t vocabulary);

}  // namespace limpid
