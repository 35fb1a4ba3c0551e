// Bytes for people: what a terminal or a picture can show on one line.
#pragma once

#include <string>
#include <string_view>

namespace limpid {

/// `bytes` as valid UTF-8 without control characters, on one line.
std::string visible(std::string_view bytes);

/// The same with spaces left as they are: a sentence, not a token.
std::string visible_line(std::string_view bytes);

/// visible(bytes) in quotes for an error message, cut after about 40 columns; spaces stay spaces.
std::string in_quotes(std::string_view bytes);

}  // namespace limpid
