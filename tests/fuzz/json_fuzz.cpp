#include <cstdlib>

#include "core/json.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return limpid::fuzzed(data, size, [](std::string_view text) {
    const limpid::JsonSource source{"fuzz"};
    const std::string once = limpid::parse_json(text, source).dump();
    if (limpid::parse_json(once, source).dump() != once)
      std::abort();  // what was read is written and read alike
  });
}
