// GPT-2's published tokenizer: vocab.bpe (the merges) and encoder.json (the ids).
#include <filesystem>
#include <unordered_map>

#include "core/json.h"
#include "core/label.h"
#include "files/place.h"
#include "limpid/files.h"
#include "limpid/text.h"
#include "text/utf8.h"

namespace limpid {
namespace {

namespace fs = std::filesystem;

// The files write a byte as one visible character: the printable ones of Latin-1 as themselves, the
// others as U+0100 and on ("Ġ" is the space).  In that order they are also the first 256 ids.
struct ByteCharacters {
  std::vector<uint8_t> order;  // by id
  std::unordered_map<char32_t, uint8_t> byte_of;

  ByteCharacters() {
    const auto printable = [](int b) {
      return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    };
    char32_t next = 0x100;
    for (const bool pass : {true, false}) {
      for (int byte = 0; byte < 256; ++byte) {
        if (printable(byte) != pass) continue;
        order.push_back(static_cast<uint8_t>(byte));
        byte_of[pass ? static_cast<char32_t>(byte) : next++] = static_cast<uint8_t>(byte);
      }
    }
  }

  /// The bytes written as `symbol`; nothing where it holds another character.
  std::optional<std::string> bytes(std::string_view symbol) const {
    std::string out;
    for (size_t at = 0; at < symbol.size();) {
      const Character c = character_at(symbol, at);
      const auto found = byte_of.find(c.point);
      if (!c.valid || found == byte_of.end()) return std::nullopt;
      out += static_cast<char>(found->second);
      at += c.size;
    }
    return out;
  }
};

// The file of the folder under the first of two names that is there.
std::optional<fs::path> find_file(const fs::path& folder, const char* name, const char* other) {
  for (const char* each : {name, other})
    if (is_file(folder / each)) return folder / each;
  return std::nullopt;
}

BpeParts read_merges(const fs::path& path, const ByteCharacters& characters) {
  BpeParts parts;
  parts.byte_order = characters.order;
  std::unordered_map<std::string, int64_t> ids;
  for (const uint8_t byte : parts.byte_order)
    ids.emplace(std::string(1, static_cast<char>(byte)), ids.size());

  const std::string content = read_file(path);
  size_t number = 0;
  for (size_t at = 0; at < content.size();) {
    const size_t end = std::min(content.find('\n', at), content.size());
    std::string_view line = std::string_view(content).substr(at, end - at);
    at = end + 1;
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() || (number == 1 && line.starts_with("#version"))) continue;
    const size_t space = line.find(' ');
    const auto left = characters.bytes(line.substr(0, space));
    const auto right = characters.bytes(space == line.npos ? "?" : line.substr(space + 1));
    if (space == line.npos || !left || !right || !ids.contains(*left) || !ids.contains(*right)) {
      fail_work("gpt2: ", path.string(), " line ", number, " is ", in_quotes(line),
                ", expected two tokens of earlier lines with one space between");
    }
    parts.merges.emplace_back(ids[*left], ids[*right]);
    ids.emplace(*left + *right, static_cast<int64_t>(256 + parts.merges.size() - 1));
  }
  return parts;
}

void check_ids(const fs::path& path, const Tokenizer& tokenizer, const ByteCharacters& characters) {
  const Json json = parse_json(read_file(path), {"gpt2: " + path.string()});
  if (!json.is_object()) fail_work("gpt2: ", path.string(), " is not a JSON object of tokens and ids");
  if (static_cast<int64_t>(json.size()) != tokenizer.vocabulary()) {
    fail_work("gpt2: ", path.string(), " has ", json.size(), " tokens, the merges make ",
              tokenizer.vocabulary());
  }
  for (const auto& [symbol, id] : json.items()) {
    const bool in_range =
        id.is_number_unsigned() && id.get<uint64_t>() < static_cast<uint64_t>(tokenizer.vocabulary());
    const int64_t number = in_range ? id.get<int64_t>() : -1;
    const bool special = in_range && tokenizer.special(symbol) == number;
    if (!special && (!in_range || characters.bytes(symbol) != tokenizer.token_bytes(number))) {
      fail_work("gpt2: ", path.string(), " gives ", in_quotes(symbol), " the id ",
                id.is_structured() ? id.type_name() : in_quotes(id.dump()),
                in_range ? ", which the merges give " + in_quotes(tokenizer.token_bytes(number))
                         : ", expected an id below " + std::to_string(tokenizer.vocabulary()));
    }
  }
}

}  // namespace

std::unique_ptr<Tokenizer> load_gpt2_bpe(const std::string& folder) {
  const ByteCharacters characters;
  const auto merges = find_file(folder, "vocab.bpe", "merges.txt");
  if (!merges) fail_work("gpt2: ", folder, " holds neither vocab.bpe nor merges.txt");
  BpeParts parts = read_merges(*merges, characters);
  parts.special = {"<|endoftext|>"};
  std::unique_ptr<Tokenizer> tokenizer;
  try {
    tokenizer = bpe_tokenizer(std::move(parts));
  } catch (const Error& error) {
    fail_work("gpt2: ", merges->string(), ": ", error.what());
  }
  if (const auto ids = find_file(folder, "encoder.json", "vocab.json"))
    check_ids(*ids, *tokenizer, characters);
  return tokenizer;
}

}  // namespace limpid
