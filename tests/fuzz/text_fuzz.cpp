#include <cstdlib>

#include "core/label.h"
#include "core/width.h"
#include "fuzz.h"
#include "limpid/text.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto bytes = limpid::byte_tokenizer();
  static const auto bpe = [] {
    limpid::BpeParts parts;
    parts.merges = {{'a', 'b'}, {'t', 'h'}, {257, 'e'}, {' ', 258}, {0xc3, 0xa9}};
    parts.special = {"<|end|>"};
    return limpid::bpe_tokenizer(parts);
  }();
  return limpid::fuzzed(data, size, [](std::string_view text) {
    limpid::display_width(limpid::visible(text));
    limpid::in_quotes(text);
    for (const auto* tokenizer : {bytes.get(), bpe.get()}) {
      std::string again;
      for (const int64_t id : tokenizer->encode(text)) again += tokenizer->token_bytes(id);
      if (again != text) std::abort();  // every byte of a text is in exactly one token
    }
    limpid::word_tokenizer_from(std::string(text))->encode(text);
  });
}
