// Texts made for benchmarks: speed does not depend on what is learned, so no data has to be there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace limpid::bench {

/// A text like a text: words of a list, the first far more often than the last, in the 65 characters of
/// tinyshakespeare.
std::string made_text(size_t bytes);

/// So many different words, each at least once, `count` of them altogether.
std::string made_words(int64_t vocabulary, int64_t count);

}  // namespace limpid::bench
