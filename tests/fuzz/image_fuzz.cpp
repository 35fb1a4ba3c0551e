#include "fuzz.h"
#include "limpid/image.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return limpid::fuzzed(data, size,
                        [](std::string_view text) { limpid::read_image(limpid::bytes_of(text), "fuzz"); });
}
