// Base64 (RFC 4648, section 4).
#pragma once

#include <string>
#include <string_view>

namespace limpid::text {

/// The bytes written; throws Error{work} with the place of the first character that is none of base64's.
std::string from_base64(std::string_view text);
std::string to_base64(std::string_view bytes);

}  // namespace limpid::text
