// Is this text UTF-8?
#pragma once

#include <cstddef>
#include <string_view>

namespace limpid {

/// Where the first byte stands that cannot be part of UTF-8 (overlong forms, surrogates and values above
/// U+10FFFF included), or npos if the whole text is UTF-8.
size_t first_not_utf8(std::string_view text);

inline bool is_utf8(std::string_view text) { return first_not_utf8(text) == std::string_view::npos; }

}  // namespace limpid
