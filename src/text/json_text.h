// Bytes in JSON, which can hold only text: see json_text.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "text/utf8.h"

namespace limpid::text {

/// A string where the bytes are UTF-8, else the list of their values: [159, 146].
inline nlohmann::json json_text(std::string_view bytes) {
  if (is_valid_utf8(bytes)) return nlohmann::json(std::string(bytes));
  nlohmann::json list = nlohmann::json::array();
  for (const char byte : bytes) list.push_back(static_cast<int>(static_cast<unsigned char>(byte)));
  return list;
}

}  // namespace limpid::text
