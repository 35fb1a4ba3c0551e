// SentencePiece's .model, tiktoken's ranks and llama2.c's tok*.bin: whichever the first byte says.
#include "fuzz.h"
#include "limpid/text.h"
#include "text/formats/formats.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return limpid::fuzzed(data, size, [](std::string_view bytes) {
    using namespace limpid;
    const char first = bytes.empty() ? '\0' : bytes[0];
    const text::SideFiles none;
    const auto tokenizer = first == 'T'   ? text::read_tiktoken(bytes.substr(1), "x.tiktoken", none)
                           : first == 'B' ? text::read_llama2c(bytes.substr(1), "tok.bin")
                                          : text::read_sentencepiece(bytes, "x.model", none);
    const std::string given = "Life is  short,\tab \xC3\xA9\xff\xE4\xBD\xA0";
    const std::vector<int64_t> ids = tokenizer->encode(given, Specials::as_tokens);
    tokenizer->decode(ids);
    tokenizer_from_json(tokenizer->to_json());
  });
}
