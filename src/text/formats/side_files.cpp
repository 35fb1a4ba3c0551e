// The JSON files that lie beside a vocabulary.
#include <algorithm>
#include <functional>
#include <unordered_set>

#include "files/place.h"
#include "limpid/files.h"
#include "text/formats/document.h"
#include "text/formats/formats.h"

namespace limpid::text {
namespace {

namespace fs = std::filesystem;

Json read_object(const fs::path& path) {
  if (!is_file(path)) return Json::object();
  const JsonSource source{path.string()};
  Json json = parse_json(read_file(path), source);
  JsonValue(json, source).require_object();
  return json;
}

// "<s>", or {"content": "<s>", ...}
std::string content_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.contains("content") && value["content"].is_string()) {
    return value["content"].get<std::string>();
  }
  return "";
}

constexpr const char* k_roles[] = {"bos", "eos", "unk", "sep", "pad", "cls", "mask"};

// An entry of added_tokens; its flags are those of an object that describes it.
Json entry(const std::string& content, int64_t id, bool special, const Json& described) {
  Json token = added_token(content, id, special);
  if (!described.is_object()) return token;
  for (const char* flag : {"single_word", "lstrip", "rstrip", "normalized", "special"}) {
    if (described.contains(flag) && described[flag].is_boolean()) token[flag] = described[flag];
  }
  if (special) token["special"] = true;
  return token;
}

}  // namespace

SideFiles SideFiles::of(const fs::path& folder) {
  return of({.config = read_object(folder / "tokenizer_config.json"),
             .special = read_object(folder / "special_tokens_map.json"),
             .added = read_object(folder / "added_tokens.json")},
            read_object(folder / "config.json"));
}

SideFiles SideFiles::of(SideFiles files, const Json& model) {
  if (model.contains("model_type")) files.model_type = content_of(model["model_type"]);
  files.tokenizer_class = files.text("tokenizer_class");
  if (files.tokenizer_class.empty() && model.contains("tokenizer_class"))
    files.tokenizer_class = content_of(model["tokenizer_class"]);
  return files;
}

std::string SideFiles::token(const std::string& role) const {
  const std::string key = role + "_token";
  for (const Json* file : {&special, &config}) {
    if (file->contains(key)) {
      if (std::string found = content_of((*file)[key]); !found.empty()) return found;
    }
  }
  return "";
}

std::optional<bool> SideFiles::flag(const std::string& name) const {
  const auto found = config.find(name);
  if (found == config.end() || !found->is_boolean()) return std::nullopt;
  return found->get<bool>();
}

std::string SideFiles::text(const std::string& name) const {
  return config.contains(name) ? content_of(config[name]) : "";
}

Json SideFiles::added_tokens(const std::function<std::optional<int64_t>(const std::string&)>& id_of) const {
  Json out = Json::array();
  std::unordered_set<std::string> seen;
  const auto add = [&](const std::string& content, int64_t id, bool is_special, const Json& described) {
    if (content.empty() || !seen.insert(content).second) return;
    out.push_back(entry(content, id, is_special, described));
  };
  if (config.contains("added_tokens_decoder") && config["added_tokens_decoder"].is_object()) {
    for (const auto& [number, token] : config["added_tokens_decoder"].items()) {
      const bool digits =
          !number.empty() && number.size() < 10 && number.find_first_not_of("0123456789") == number.npos;
      if (!digits)
        fail_work("tokenizer_config.json: added_tokens_decoder has the id \"", number,
                  "\", expected a number");
      add(content_of(token), std::stoll(number), false, token);
    }
  }
  std::vector<std::string> roles;
  for (const char* role : k_roles) roles.push_back(token(role));
  for (const auto& [content, id] : added.items()) {
    if (!id.is_number_unsigned())
      fail_work("added_tokens.json: the id of \"", content, "\" is ", shown(id), ", expected a number");
    const bool named = std::find(roles.begin(), roles.end(), content) != roles.end();
    add(content, id.get<int64_t>(), named, Json());
  }
  for (size_t i = 0; i < roles.size(); ++i) {
    const std::string key = std::string(k_roles[i]) + "_token";
    const Json described = special.contains(key) ? special[key] : config.contains(key) ? config[key] : Json();
    if (const auto id = id_of(roles[i])) add(roles[i], *id, true, described);
  }
  if (special.contains("additional_special_tokens") && special["additional_special_tokens"].is_array()) {
    for (const Json& each : special["additional_special_tokens"]) {
      if (const auto id = id_of(content_of(each))) add(content_of(each), *id, true, each);
    }
  }
  return out;
}

SpecialIds SideFiles::ids(const std::function<std::optional<int64_t>(const std::string&)>& id_of) const {
  const auto find = [&](const char* role) -> std::optional<int64_t> {
    const std::string name = token(role);
    if (name.empty()) return std::nullopt;
    if (const auto id = id_of(name)) return id;
    const auto found = added.find(name);
    if (found != added.end() && found->is_number_unsigned()) return found->get<int64_t>();
    return std::nullopt;
  };
  return {find("bos"), find("eos"), find("unk"), find("sep"), find("pad"), find("cls"), find("mask")};
}

}  // namespace limpid::text
