// Recipes as JSON.  Every setting is listed once, in describe().
#include <algorithm>

#include "core/json.h"
#include "core/label.h"
#include "limpid/recipe.h"

namespace limpid {

namespace {

constexpr std::string_view k_tasks[] = {"next_word", "classes",     "images",
                                        "forecast",  "translation", "algorithm"};
constexpr std::string_view k_decays[] = {"cosine", "linear", "constant", "stable"};
constexpr std::string_view k_optimizers[] = {"adamw", "muon"};
constexpr std::string_view k_activations[] = {"f32", "bf16"};
constexpr std::string_view k_examples[] = {"stream", "lines"};

// Bounds of a setting, both included.
struct Whole {
  int64_t least = 0, most = k_json_most_count;
};
struct Real {
  double least = 0, most = 1e300;
  bool below = false;  // most is not included
  bool above = false;  // nor least
};

constexpr Whole k_some = {1};
constexpr Real k_share = {0, 1, true}, k_positive = {0, 1e300, false, true};

template <class Visitor, class R>
void describe_forecast(Visitor& v, R& r) {
  v("look_back", r.look_back, k_some);
  v("horizon", r.horizon, k_some);
  v("columns", r.columns);
  v("period", r.period, Whole{});
  v("training", r.training, Whole{});
  v("held_out", r.held_out, Whole{});
  v("test", r.test, Whole{});
}

template <class Visitor, class R>
void describe_algorithm(Visitor& v, R& r) {
  v("kind", r.kind);
  v("length", r.length, Whole{1, 1000});
  v("symbols", r.symbols, Whole{2, 1000});
}

template <class Visitor, class R>
void describe_augment(Visitor& v, R& r) {
  v("shift", r.shift, Real{0, 1});
  v("rotate", r.rotate, Real{0, 180});
  v("scale", r.scale, k_share);
  v("mirror", r.mirror);
  v("erase", r.erase, Real{0, 1});
  v("erase_least", r.erase_least, Real{0, 1});
  v("erase_most", r.erase_most, Real{0, 1});
  v("fill", r.fill, Real{0, 255});
}

template <class Visitor, class R>
void describe(Visitor& v, R& r) {
  v("title", r.title);
  v("task", r.task, k_tasks);
  v("tokenizer", r.tokenizer);
  v("vocabulary", r.vocabulary, k_some);
  v("lower", r.lower);
  v("whole_words", r.whole_words);
  v.part("forecast", r.forecast, [](auto& w, auto& x) { describe_forecast(w, x); });
  v.part("algorithm", r.algorithm, [](auto& w, auto& x) { describe_algorithm(w, x); });
  v.part("augment", r.augment, [](auto& w, auto& x) { describe_augment(w, x); });
  v("word_dropout", r.word_dropout, k_share);
  v("examples", r.examples, k_examples);
  v("validation", r.validation, k_share);
  v("steps", r.steps, k_some);
  v("batch", r.batch, k_some);
  v("accumulate", r.accumulate, k_some);
  v("pack", r.pack);
  v("activations", r.activations, k_activations);
  v("context", r.context, k_some);
  v("epoch", r.epoch, Whole{});
  v("optimizer", r.optimizer, k_optimizers);
  v.part("lora", r.lora, [](auto& w, auto& x) {
    w("rank", x.rank, Whole{0, 4096});
    w("alpha", x.alpha, k_positive);
  });
  v("schedule", r.schedule, k_decays);
  v("cooldown", r.cooldown, Real{0, 1});
  v("learning_rate", r.learning_rate, k_positive);
  v("least_rate", r.least_rate, Real{});
  v("warm_up", r.warm_up, Whole{});
  v("beta1", r.beta1, k_share);
  v("beta2", r.beta2, k_share);
  v("epsilon", r.epsilon, k_positive);
  v("weight_decay", r.weight_decay, Real{});
  v("clip", r.clip, Real{});
  v("average", r.average, k_share);
  v("patience", r.patience, Whole{});
  v("seed", r.seed);
  v("watch", r.watch);
}

struct Writer {
  Json& json;
  template <class T, class... Range>
  void operator()(const char* name, const T& value, Range...) {
    json[name] = value;
  }
  template <class E, size_t n>
  void operator()(const char* name, const E& value, const std::string_view (&names)[n]) {
    json[name] = names[static_cast<size_t>(value)];
  }
  template <class T, class Describe>
  void part(const char* name, const T& value, Describe describe_part) {
    Json inner = Json::object();
    Writer writer{inner};
    describe_part(writer, value);
    json[name] = std::move(inner);
  }
};

struct Reader {
  JsonValue json;
  std::vector<std::string> known = {};
  bool given(const char* name) {
    known.push_back(name);
    return json.has(name);
  }
  void operator()(const char* name, int64_t& value, Whole range) {
    if (given(name)) value = json.at(name).integer(range.least, range.most);
  }
  void operator()(const char* name, uint64_t& value) {
    if (!given(name)) return;
    const Json& number = json.at(name).json();  // a seed may use all 64 bits
    value = number.is_number_unsigned() ? number.get<uint64_t>()
                                        : static_cast<uint64_t>(json.at(name).integer(0, k_json_most_count));
  }
  void operator()(const char* name, double& value, Real range) {
    if (!given(name)) return;
    value = json.at(name).real();
    const bool low = range.above ? value > range.least : value >= range.least;
    const bool high = range.below ? value < range.most : value <= range.most;
    if (low && high) return;
    const std::string least = join(range.above ? "more than " : "at least ", range.least);
    fail_call("recipe: ", name, " is ", value, ", expected ", least,
              range.most < 1e300 ? join(range.below ? " and less than " : " and at most ", range.most) : "");
  }
  void operator()(const char* name, std::string& value) {
    if (given(name)) value = json.at(name).text();
  }
  void operator()(const char* name, bool& value) {
    if (given(name)) value = json.at(name).boolean();
  }
  void operator()(const char* name, std::vector<std::string>& value) {
    if (!given(name)) return;
    value.clear();
    json.at(name).each_item([&](const JsonValue& each) { value.push_back(each.text()); });
  }
  template <class E, size_t n>
  void operator()(const char* name, E& value, const std::string_view (&names)[n]) {
    if (!given(name)) return;
    const std::string word = json.at(name).text();
    for (size_t i = 0; i < n; ++i)
      if (word == names[i]) {
        value = static_cast<E>(i);
        return;
      }
    std::string all;
    for (size_t i = 0; i < n; ++i) all += join(i == 0 ? "" : i + 1 == n ? " or " : ", ", names[i]);
    json.at(name).unexpected(all);
  }
  template <class T, class Describe>
  void part(const char* name, T& value, Describe describe_part) {
    if (!given(name)) return;
    Reader reader{json.at(name)};
    describe_part(reader, value);
    reader.refuse_others(join("'s ", name));
  }
  void refuse_others(const std::string& of) const {
    json.each_entry([&](const std::string& name, const JsonValue&) {
      if (std::find(known.begin(), known.end(), name) == known.end())
        fail_call("recipe", of, ": '", visible_line(name), "' is not a setting; docs/recipes.md lists them");
    });
  }
};

void check(const Recipe& r) {
  if (!r.watch.empty() && !reads_texts(r.task))
    fail_call("recipe: watch is of tasks that read texts, here it is '", name(r.task), "'");
  for (const std::string& text : r.watch)
    if (text.empty()) fail_call("recipe: watch holds an empty text; give sentences that the network reads");
  if ((r.lower || !r.whole_words.empty()) && r.tokenizer != "bpe")
    fail_call("recipe: ", r.lower ? "lower is" : "whole_words are", " for the tokenizer 'bpe', here it is '",
              visible_line(r.tokenizer), "'");
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

// One file name, or a list of them.
std::vector<std::string> files_of(const JsonValue& json) {
  if (json.json().is_string()) return {json.text()};
  std::vector<std::string> files;
  json.each_item([&](const JsonValue& each) { files.push_back(each.text()); });
  return files;
}

ExampleFiles example_files_of(const JsonValue& json) {
  ExampleFiles out;
  Reader reader{json, {"training", "held_out", "test"}};
  if (json.has("training")) out.training = files_of(json.at("training"));
  if (json.has("held_out")) out.held_out = files_of(json.at("held_out"));
  if (json.has("test")) out.test = files_of(json.at("test"));
  reader("text", out.text);
  reader("label", out.label);
  reader("no_repeats", out.no_repeats);
  reader("test_share", out.test_share, k_share);
  reader.refuse_others("'s data");
  return out;
}

Json json_of(const ExampleFiles& files) {
  return {{"training", files.training},
          {"held_out", files.held_out},
          {"test", files.test},
          {"text", files.text},
          {"label", files.label},
          {"no_repeats", files.no_repeats},
          {"test_share", files.test_share}};
}

}  // namespace

std::string_view name(Task task) { return k_tasks[static_cast<size_t>(task)]; }
bool reads_texts(Task task) { return task != Task::images && task != Task::forecast; }

Recipe recipe_from_json(std::string_view text) {
  const JsonSource source{"recipe", Error::Kind::call};
  const Json document = parse_json(text, source);
  const JsonValue json(document, source);
  if (!document.is_object()) fail_call("recipe: expected an object of settings");
  Recipe r;
  Reader reader{json, {"network", "data"}};
  describe(reader, r);
  reader.refuse_others("");
  r.network = Architecture{};
  if (json.has("network")) r.network = network_from_json(json.at("network").json().dump());
  if (json.has("data")) {
    if (r.task == Task::next_word)
      r.data = parts_of(json.at("data"));
    else
      r.files = example_files_of(json.at("data"));
  }
  check(r);
  return r;
}

std::string to_json(const Recipe& r) {
  Json json;
  Writer writer{json};
  describe(writer, r);
  json["network"] = Json::parse(to_json(r.network));
  if (r.task != Task::next_word) {
    json["data"] = json_of(r.files);
    return json.dump(2);
  }
  json["data"] = Json::array();
  for (const TextPart& part : r.data)
    json["data"].push_back({{"file", part.file}, {"skip", part.skip}, {"take", part.take}});
  return json.dump(2);
}

}  // namespace limpid
