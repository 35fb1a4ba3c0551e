// Recipes as JSON.  Every setting is listed once, in describe().
#include <algorithm>

#include "core/json.h"
#include "core/label.h"
#include "limpid/files.h"
#include "limpid/train.h"

namespace limpid {

namespace {

// The least that a whole number may be.
struct AtLeast {
  int64_t least = 0;
};

template <class Visitor, class R>
void describe(Visitor& v, R& r) {
  v("title", r.title);
  v("tokenizer", r.tokenizer);
  v("vocabulary", r.vocabulary, AtLeast{1});
  v("validation", r.validation);
  v("steps", r.steps, AtLeast{1});
  v("batch", r.batch, AtLeast{1});
  v("context", r.context, AtLeast{1});
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
  void operator()(const char* name, const T& value, AtLeast = {}) {
    json[name] = value;
  }
};

struct Reader {
  JsonValue json;
  std::vector<std::string> known = {"network", "examples", "data"};
  bool given(const char* name) {
    known.push_back(name);
    return json.has(name);
  }
  void operator()(const char* name, int64_t& value, AtLeast range = {}) {
    if (given(name)) value = json.at(name).integer(range.least, k_json_most_count);
  }
  void operator()(const char* name, uint64_t& value) {
    if (!given(name)) return;
    const Json& number = json.at(name).json();  // a seed may use all 64 bits
    value = number.is_number_unsigned() ? number.get<uint64_t>()
                                        : static_cast<uint64_t>(json.at(name).integer(0, k_json_most_count));
  }
  void operator()(const char* name, double& value) {
    if (given(name)) value = json.at(name).real();
  }
  void operator()(const char* name, std::string& value) {
    if (given(name)) value = json.at(name).text();
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
  fail_call("recipe: tokenizer is '", visible_line(r.tokenizer),
            "', expected characters, words, bytes or bpe");
}

std::vector<TextPart> parts_of(const JsonValue& json) {
  std::vector<TextPart> parts;
  const auto count = [](const JsonValue& part, const char* key) {
    return part.has(key) ? part.at(key).integer(0, k_json_most_count) : 0;
  };
  json.each_item([&](const JsonValue& part) {
    if (part.json().is_string())
      parts.push_back({part.text(), 0, 0});
    else
      parts.push_back({part.at("file").text(), count(part, "skip"), count(part, "take")});
  });
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
  const JsonSource source{"recipe", Error::Kind::call};
  const Json document = parse_json(text, source);
  const JsonValue json(document, source);
  if (!json.has("network")) fail_call("recipe: expected an object with a \"network\"");
  Recipe r;
  Reader reader{json};
  describe(reader, r);
  json.each_entry([&](const std::string& name, const JsonValue&) {
    if (std::find(reader.known.begin(), reader.known.end(), name) == reader.known.end())
      fail_call("recipe: '", visible_line(name), "' is not a setting; docs/recipes.md lists them");
  });
  r.network = network_from_json(json.at("network").json().dump());
  if (json.has("data")) r.data = parts_of(json.at("data"));
  const std::string examples = json.has("examples") ? json.at("examples").text() : "stream";
  if (examples != "stream" && examples != "lines") json.at("examples").unexpected("stream or lines");
  r.examples = examples == "lines" ? Examples::lines : Examples::stream;
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
  if (texts.empty())
    fail_call("train: no text; give files (--data FILE), or list texts under \"data\" in the recipe");
  return texts;
}

}  // namespace limpid
