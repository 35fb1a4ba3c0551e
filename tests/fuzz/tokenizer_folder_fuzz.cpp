// A folder whose SentencePiece pieces another file numbers, or another order (Marian, M2M-100, fairseq's,
// Pegasus): a line with what the JSON files beside it say, a line with vocab.json (empty: there is none), the
// .model's bytes.
#include <cstdlib>

#include "core/json.h"
#include "fuzz.h"
#include "limpid/text.h"
#include "text/formats/formats.h"

namespace {

using namespace limpid;

Json object_at(const JsonValue& all, const char* file) {
  if (!all.has(file)) return Json::object();
  all.at(file).require_object();
  return all.at(file).json();
}

std::unique_ptr<Tokenizer> folder_of(std::string_view bytes) {
  const size_t first = std::min(bytes.find('\n'), bytes.size()),
               second = std::min(bytes.find('\n', std::min(first + 1, bytes.size())), bytes.size());
  const auto between = [&](size_t begin, size_t end) {
    return std::string(bytes.substr(std::min(begin, end), end - std::min(begin, end)));
  };
  const JsonSource source{"beside"};
  const Json document = parse_json(bytes.substr(0, first), source);
  const JsonValue all(document, source);
  all.require_object();
  const text::SideFiles beside = text::SideFiles::of({.config = object_at(all, "tokenizer_config"),
                                                      .special = object_at(all, "special_tokens_map"),
                                                      .added = object_at(all, "added_tokens")},
                                                     object_at(all, "config"));
  const text::NumberedFiles files = {between(second + 1, bytes.size()), "x.model", between(first + 1, second),
                                     "vocab.json"};
  if (files.numbers.empty()) return text::read_sentencepiece(files.pieces, files.pieces_name, beside);
  return text::is_m2m_100(beside) ? text::read_m2m_100(files, beside) : text::read_marian(files, beside);
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzzed(data, size, [](std::string_view bytes) {
    const auto tokenizer = folder_of(bytes), again = tokenizer_from_json(tokenizer->to_json());
    for (const char* text :
         {">>fra<<  Life is\tshort", "ab \xE2\x96\x81 <mask> </s>\xff\xC3\xA9<unk_102>  __en__", ">>ab<"}) {
      const std::vector<int64_t> ids = tokenizer->encode(text, Specials::as_tokens);
      if (again->encode(text, Specials::as_tokens) != ids)
        std::abort();  // what is kept in a model's file is the same tokenizer
      tokenizer->decode(ids, DecodeSpecials::skip);
      tokenizer->encode_for_model(text, text);
    }
  });
}
