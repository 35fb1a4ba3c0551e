#include "fuzz.h"
#include "limpid/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return limpid::fuzzed(data, size, [](std::string_view text) {
    using namespace limpid;
    const GgufReader reader(bytes_of(text), "fuzz");
    for (const auto& entry : reader.info().entries) {
      reader.raw(entry.name);
      if (block_of(entry.type).readable) reader.read(entry.name);
    }
    for (const auto& [key, value] : reader.info().metadata) {
      if (!value.array) continue;
      if (value.type == GgufValueType::string)
        reader.strings(key);
      else
        reader.numbers(key);
    }
  });
}
