// Reading a tokenizer back from its JSON.  Each kind writes its own (to_json beside it).
#include <algorithm>

#include "core/json.h"
#include "core/label.h"
#include "limpid/text.h"
#include "text/formats/tokenizer_json.h"

namespace limpid {
namespace {

using json = Json;

// A value for an error message.
std::string described(const json& value) {
  return value.is_structured() ? value.type_name() : in_quotes(value.dump());
}

const json& entry(const json& document, const char* key) {
  const auto found = document.find(key);
  if (found == document.end()) fail_work("it has no \"", key, "\"");
  return *found;
}

const json& array(const json& document, const char* key) {
  const json& value = entry(document, key);
  if (!value.is_array()) fail_work("\"", key, "\" is ", value.type_name(), ", expected an array");
  return value;
}

// A whole number from 0 to `most`; `what` and `place` name it in the message.
int64_t number(const json& value, int64_t most, const char* what, size_t place) {
  const bool whole = value.is_number_unsigned() && value.get<uint64_t>() <= static_cast<uint64_t>(most);
  if (!whole) {
    fail_work(what, " ", place, " has ", described(value), ", expected a whole number from 0 to ", most);
  }
  return value.get<int64_t>();
}

// Strings, or the lists of byte values that stand for strings that are not UTF-8 (json_text.h).
std::vector<std::string> strings(const json& list, const char* what) {
  std::vector<std::string> out;
  for (const json& value : list) {
    const size_t place = out.size();
    if (value.is_string()) {
      out.push_back(value.get<std::string>());
    } else if (value.is_array()) {
      std::string bytes;
      for (const json& byte : value) bytes += static_cast<char>(number(byte, 255, what, place));
      out.push_back(std::move(bytes));
    } else {
      fail_work(what, " ", place, " is ", value.type_name(), ", expected a string or an array of bytes");
    }
  }
  return out;
}

std::unique_ptr<Tokenizer> read_bpe(const json& document) {
  const json& split = entry(document, "split");
  if (split != "gpt2") fail_work("\"split\" is ", described(split), ", expected \"gpt2\"");
  BpeParts parts;
  for (const json& merge : array(document, "merges")) {
    const size_t place = parts.merges.size();
    if (!merge.is_array() || merge.size() != 2) {
      fail_work("merge ", place, " is ", described(merge), ", expected an array of two token ids");
    }
    const auto most = static_cast<int64_t>(255 + place);
    parts.merges.emplace_back(number(merge[0], most, "merge", place), number(merge[1], most, "merge", place));
  }
  if (document.contains("special")) parts.special = strings(array(document, "special"), "special token");
  if (document.contains("byte_order")) {
    const json& order = array(document, "byte_order");
    for (const json& byte : order) {
      parts.byte_order.push_back(
          static_cast<uint8_t>(number(byte, 255, "byte_order entry", parts.byte_order.size())));
    }
    if (order.empty()) fail_work("\"byte_order\" is empty, expected 256 bytes");
  }
  return bpe_tokenizer(std::move(parts));
}

std::unique_ptr<Tokenizer> read(std::string_view text) {
  const JsonSource source{"", Error::Kind::work};
  const json document = parse_json(text, source);
  if (!document.is_object()) fail_work("it is ", document.type_name(), ", expected an object");
  if (!document.contains("kind") && document.contains("model"))
    return text::pipeline_from_json(document, source);
  const json& kind = entry(document, "kind");
  if (kind == "words") return word_tokenizer(strings(array(document, "words"), "word"));
  if (kind == "characters") return character_tokenizer(strings(array(document, "characters"), "character"));
  if (kind == "bytes") return byte_tokenizer();
  if (kind == "bpe") return read_bpe(document);
  if (kind == "pipeline") return text::pipeline_from_own_json(document, source);
  fail_work("\"kind\" is ", described(kind),
            ", expected \"words\", \"characters\", \"bytes\", \"bpe\" or \"pipeline\"");
}

}  // namespace

std::unique_ptr<Tokenizer> tokenizer_from_json(std::string_view json_text) {
  try {
    return read(json_text);
  } catch (const Error& error) {
    fail_work("tokenizer: ", error.what());
  }
}

}  // namespace limpid
