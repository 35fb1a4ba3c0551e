// Special tokens that stand behind a vocabulary's pieces, and the template that puts them round a text.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "core/label.h"
#include "text/formats/document.h"
#include "text/formats/fairseq.h"

namespace limpid::text {
namespace {

const Json* named_in(const Json& added, const std::string& name) {
  for (const Json& token : added)
    if (token["content"] == name) return &token;
  return nullptr;
}

// A list of added tokens that may be long, and the places of their names in it.
class AddedList {
 public:
  explicit AddedList(Json& added) : added_(added) {
    for (size_t i = 0; i < added_.size(); ++i)
      places_.try_emplace(added_[i]["content"].get<std::string>(), i);
  }
  bool has(const std::string& name) const { return places_.count(name) > 0; }
  // In place of an entry of the same name, or behind all.
  void put(const Json& token) {
    const auto [at, fresh] = places_.try_emplace(token["content"].get<std::string>(), added_.size());
    fresh ? added_.push_back(token) : void(added_[at->second] = token);
  }

 private:
  Json& added_;
  std::unordered_map<std::string, size_t> places_;
};

std::unordered_set<int64_t> ids_of(const Json& added) {
  std::unordered_set<int64_t> ids;
  for (const Json& token : added) ids.insert(token["id"].get<int64_t>());
  return ids;
}

}  // namespace

void add_special_tokens(Json& document, const std::vector<std::pair<std::string, int64_t>>& names,
                        const SideFiles& beside, const IdOfPiece& id_of) {
  const auto taken = ids_of(beside.added_tokens([](const std::string&) { return std::nullopt; }));
  const auto number = [&](const std::string& name) -> std::optional<int64_t> {
    if (const auto id = id_of(name)) return id;
    for (const auto& [each, id] : names)
      if (each == name) return taken.count(id) > 0 ? std::nullopt : std::optional(id);
    return std::nullopt;
  };
  AddedList added(document["added_tokens"]);
  for (const Json& token : beside.added_tokens(number)) added.put(token);
  for (const auto& [name, id] : names) {
    if (added.has(name) || taken.count(id) > 0) continue;
    Json token = added_token(name, id, true);
    if (name == "<mask>") token["lstrip"] = true;
    added.put(token);
  }
}

std::optional<int64_t> id_in(const Json& document, const std::string& name, const IdOfPiece& id_of) {
  if (name.empty()) return std::nullopt;
  if (const auto id = id_of(name)) return id;
  const Json* token = named_in(document["added_tokens"], name);
  return token == nullptr ? std::nullopt : std::optional((*token)["id"].get<int64_t>());
}

SpecialIds roles_in(const Json& document, const std::vector<std::pair<std::string, std::string>>& names,
                    const SideFiles& beside, const IdOfPiece& id_of) {
  const auto id = [&](const std::string& name) { return id_in(document, name, id_of); };
  SpecialIds ids = beside.ids(id);
  const std::pair<const char*, std::optional<int64_t>*> slots[] = {
      {"bos", &ids.bos}, {"eos", &ids.eos}, {"unk", &ids.unk},  {"sep", &ids.sep},
      {"pad", &ids.pad}, {"cls", &ids.cls}, {"mask", &ids.mask}};
  for (const auto& [role, name] : names)
    for (const auto& [slot, found] : slots)
      if (role == slot && !*found) *found = id(name);
  return ids;
}

Json template_of(std::string_view single, std::string_view pair,
                 const std::vector<std::pair<char, std::optional<int64_t>>>& tokens) {
  Json used = Json::object();
  const auto parts_of = [&](std::string_view pattern) {
    Json parts = Json::array();
    for (const char letter : pattern) {
      if (letter == ' ') continue;
      if (letter == 'A' || letter == 'B') {
        parts.push_back({{"Sequence", {{"id", std::string(1, letter)}, {"type_id", 0}}}});
        continue;
      }
      const auto found =
          std::find_if(tokens.begin(), tokens.end(), [&](const auto& each) { return each.first == letter; });
      if (found == tokens.end() || !found->second)
        fail_work("a special token that stands round a text has no number, expected ",
                  letter == 's'   ? "<s>"
                  : letter == 'e' ? "</s>"
                                  : "that of the language",
                  " among the pieces or the added tokens");
      const std::string name = std::to_string(*found->second);
      parts.push_back({{"SpecialToken", {{"id", name}, {"type_id", 0}}}});
      used[name] = {{"id", name}, {"ids", Json::array({*found->second})}};
    }
    return parts;
  };
  Json one = parts_of(single), two = parts_of(pair);
  return {{"type", "TemplateProcessing"},
          {"single", std::move(one)},
          {"pair", std::move(two)},
          {"special_tokens", std::move(used)}};
}

std::optional<int64_t> source_language(const Json& document, const SideFiles& beside,
                                       const std::string& otherwise,
                                       const std::function<std::string(const std::string&)>& token_of) {
  if (otherwise.empty()) return std::nullopt;
  const std::string said = beside.text("src_lang");
  const std::string name = token_of(said.empty() ? otherwise : said);
  const Json* token = named_in(document["added_tokens"], name);
  if (token == nullptr)
    fail_work("the language of its texts (src_lang of tokenizer_config.json) is ",
              in_quotes(said.empty() ? otherwise : said), ", expected one with a token (", name, ")");
  return (*token)["id"].get<int64_t>();
}

}  // namespace limpid::text
