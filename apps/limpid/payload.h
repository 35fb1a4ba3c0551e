// Bytes in the text of an HTML page.
//
// The page is written in windows-1252, in which every byte is a character of its own, and a parser of HTML
// leaves all of them as they are in a script element, but for CR, and for what ends the element ("</", and
// "<!" with all that follows it).  So each block of bytes is moved along the 256 by a key with which none of
// these comes about, and the key stands ahead of it: 512 bytes take 513, where base64 takes 683.
// web/src/payload_bytes.ts reads them.
#pragma once

#include <string>
#include <string_view>

namespace limpid::command {

struct Payload {
  std::string text;
  size_t block = 0;  // bytes with one key: the last block may be shorter
};

/// There is one for any bytes.
Payload coded_payload(std::string_view bytes);

}  // namespace limpid::command
