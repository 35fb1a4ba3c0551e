// Recipes as JSON.  Every setting is listed once, in describe().
#include <nlohmann/json.hpp>

#include "limpid/files.h"
#include "limpid/train.h"

namespace limpid {

namespace {

using Json = nlohmann::ordered_json;

template <class Visitor, class R>
void describe(Visitor& v, R& r) {
  v("title", r.title);
  v("tokenizer", r.tokenizer);
  v("vocabulary", r.vocabulary);
  v("validation", r.validation);
  v("steps", r.steps);
  v("batch", r.batch);
  v("context", r.context);
  v("epoch", r.epoch);
  v("learning_rate", r.learning_rate);
  v("least_rate", r.least_rate);
  v("warm_up", r.warm_up);
  v("beta1", r.beta1);
  v("beta2", r.beta2);
  v("epsilon", r.epsilon);
  v("weight_decay", r.weight_decay);
  v("clip", r.clip);
  v("patience", r.patience);
  v("seed", r.seed);
}

struct Writer {
  Json& json;
  template <class T>
  void operator()(const char* name, const T& value) {
    json[name] = value;
  }
};

struct Reader {
  const Json& json;
  std::vector<std::string> known = {"network", "examples", "data"};
  template <class T>
  void operator()(const char* name, T& value) {
    known.push_back(name);
    if (!json.contains(name)) return;
    try {
      value = json.at(name).get<T>();
    } catch (const nlohmann::json::exception&) {
      fail_call("recipe: '", name, "' is ", json.at(name).dump(), ", which is of the wrong type");
    }
  }
};

void check(const Recipe& r) {
  const auto least = [](const char* what, int64_t value, int64_t smallest) {
    if (value < smallest) fail_call("recipe: ", what, " is ", value, ", expected at least ", smallest);
  };
  least("steps", r.steps, 1);
  least("batch", r.batch, 1);
  least("context", r.context, 1);
  least("epoch", r.epoch, 0);
  least("warm_up", r.warm_up, 0);
  least("patience", r.patience, 0);
  if (!(r.validation >= 0 && r.validation < 1))
    fail_call("recipe: validation is ", r.validation, ", expected at least 0 and less than 1");
  if (!(r.learning_rate > 0))
    fail_call("recipe: learning_rate is ", r.learning_rate, ", expected more than 0");
  for (double beta : {r.beta1, r.beta2})
    if (!(beta >= 0 && beta < 1))
      fail_call("recipe: a beta is ", beta, ", expected at least 0 and less than 1");
  if (!(r.epsilon > 0)) fail_call("recipe: epsilon is ", r.epsilon, ", expected more than 0");
  for (const char* word : {"characters", "words", "bytes", "bpe"})
    if (r.tokenizer == word) return;
  fail_call("recipe: tokenizer is '", r.tokenizer, "', expected characters, words, bytes or bpe");
}

std::vector<TextPart> parts_of(const Json& json) {
  std::vector<TextPart> parts;
  for (const Json& part : json) {
    if (part.is_string())
      parts.push_back({part, 0, 0});
    else
      parts.push_back({part.at("file"), part.value("skip", int64_t{0}), part.value("take", int64_t{0})});
  }
  return parts;
}

// The byte where character number n starts (or the end).
size_t byte_of_character(const std::string& text, int64_t n) {
  size_t at = 0;
  for (; at < text.size(); ++at) {
    if ((text[at] & 0xC0) == 0x80) continue;
    if (n-- == 0) break;
  }
  return at;
}

}  // namespace

Recipe recipe_from_json(std::string_view text) {
  Json json;
  try {
    json = Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    const std::string what = error.what();  // "[json.exception.parse_error.101] parse error at line 2, ..."
    fail_call("recipe: it is not JSON: ", what.substr(what.starts_with('[') ? what.find(' ') + 1 : 0));
  }
  if (!json.is_object() || !json.contains("network"))
    fail_call("recipe: expected an object with a \"network\"");
  Recipe r;
  Reader reader{json};
  describe(reader, r);
  for (const auto& [name, value] : json.items())
    if (std::find(reader.known.begin(), reader.known.end(), name) == reader.known.end())
      fail_call("recipe: '", name, "' is not a setting; docs/recipes.md lists them");
  try {
    r.network = network_from_json(json.at("network").dump());
    if (json.contains("data")) r.data = parts_of(json.at("data"));
    const std::string examples = json.value("examples", "stream");
    if (examples != "stream" && examples != "lines")
      fail_call("recipe: examples is '", examples, "', expected stream or lines");
    r.examples = examples == "lines" ? Examples::lines : Examples::stream;
  } catch (const nlohmann::json::exception& error) {
    fail_call("recipe: ", error.what());
  }
  check(r);
  return r;
}

std::string to_json(const Recipe& r) {
  Json json;
  Writer writer{json};
  describe(writer, r);
  json["examples"] = r.examples == Examples::lines ? "lines" : "stream";
  json["network"] = Json::parse(to_json(r.network));
  json["data"] = Json::array();
  for (const TextPart& part : r.data)
    json["data"].push_back({{"file", part.file}, {"skip", part.skip}, {"take", part.take}});
  return json.dump(2);
}

std::vector<std::string> read_texts(const Recipe& recipe, const std::string& folder,
                                    const std::vector<std::string>& files) {
  std::vector<std::string> texts;
  for (const std::string& file : files) texts.push_back(read_file(file));
  if (!texts.empty()) return texts;
  for (const TextPart& part : recipe.data) {
    std::string text = read_file(folder.empty() ? part.file : folder + "/" + part.file);
    text.erase(0, byte_of_character(text, part.skip));
    if (part.take > 0) text.erase(byte_of_character(text, part.take));
    texts.push_back(std::move(text));
  }
  if (texts.empty()) fail_call("train: no text; give a file, or list texts under \"data\" in the recipe");
  return texts;
}

}  // namespace limpid
