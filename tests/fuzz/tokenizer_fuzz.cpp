#include <algorithm>

#include "fuzz.h"
#include "limpid/text.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return limpid::fuzzed(data, size, [](std::string_view text) {
    const auto tokenizer = limpid::tokenizer_from_json(text);
    for (int64_t id = 0; id < std::min<int64_t>(tokenizer->vocabulary(), 300); ++id) tokenizer->label(id);
    limpid::tokenizer_from_json(tokenizer->to_json());
    tokenizer->encode("Life is short, ab ab\xff");
  });
}
