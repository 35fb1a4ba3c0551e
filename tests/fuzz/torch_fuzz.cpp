#include "fuzz.h"
#include "limpid/torch_file.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return limpid::fuzzed(data, size, [](std::string_view text) {
    const limpid::TorchReader reader(limpid::bytes_of(text), "fuzz");
    constexpr size_t k_tensors = 16;  // that a file of 64 KiB lists a thousand of the same is no finding
    for (size_t i = 0; i < reader.info().entries.size() && i < k_tensors; ++i) {
      const auto& entry = reader.info().entries[i];
      if (entry.unreadable.empty() && entry.bytes < (1 << 20)) reader.read(entry.name);
    }
  });
}
