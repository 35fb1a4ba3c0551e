// Configurations as JSON.  Every setting is listed once, in describe(); a file may leave any out.
#include <algorithm>

#include "core/json.h"
#include "core/label.h"
#include "limpid/network.h"

namespace limpid {

namespace {

// Sizes stay where products of a few of them, in bytes, are numbers of 64 bits.
constexpr int64_t k_most_size = (int64_t{1} << 31) - 1;

template <class E>
struct Words {
  std::vector<std::pair<E, std::string_view>> list;
};
const Words<Positions> k_positions = {{{Positions::none, "none"},
                                       {Positions::learned, "learned"},
                                       {Positions::sinusoidal, "sinusoidal"},
                                       {Positions::rotary, "rotary"},
                                       {Positions::alibi, "alibi"},
                                       {Positions::relative_bias, "relative_bias"},
                                       {Positions::relative_keys, "relative_keys"}}};
const Words<Norm> k_norms = {{{Norm::layer, "layer"}, {Norm::rms, "rms"}}};
const Words<Activation> k_activations = {{{Activation::gelu, "gelu"},
                                          {Activation::gelu_tanh, "gelu_tanh"},
                                          {Activation::relu, "relu"},
                                          {Activation::silu, "silu"},
                                          {Activation::swiglu, "swiglu"}}};
const Words<Head> k_heads = {
    {{Head::next_word, "next_word"}, {Head::classes, "classes"}, {Head::regression, "regression"}}};
const Words<Pairing> k_pairings = {{{Pairing::halves, "halves"}, {Pairing::interleaved, "interleaved"}}};
const Words<Mask> k_masks = {{{Mask::none, "none"}, {Mask::causal, "causal"}}};
const Words<Pool> k_pools = {{{Pool::first, "first"}, {Pool::mean, "mean"}, {Pool::last, "last"}}};

template <class E>
std::string_view word_of(const Words<E>& words, E value) {
  for (const auto& [known, word] : words.list)
    if (known == value) return word;
  return "?";
}

struct Writer {
  Json json;
  template <class T>
  void operator()(const char* name, const T& value) {
    json[name] = value;
  }
  template <class E>
  void operator()(const char* name, const E& value, const Words<E>& words) {
    json[name] = word_of(words, value);
  }
};

struct Reader {
  JsonValue json;
  std::vector<std::string> known = {"network"};
  bool given(const char* name) {
    known.push_back(name);
    return json.has(name);
  }
  void operator()(const char* name, int64_t& value) {
    if (given(name)) value = json.at(name).integer(0, k_most_size);
  }
  void operator()(const char* name, double& value) {
    if (given(name)) value = json.at(name).real();
  }
  void operator()(const char* name, bool& value) {
    if (given(name)) value = json.at(name).boolean();
  }
  template <class E>
  void operator()(const char* name, E& value, const Words<E>& words) {
    if (!given(name)) return;
    std::string word = json.at(name).text(), list;
    for (const auto& [known_value, known_word] : words.list) {
      if (known_word == word) {
        value = known_value;
        return;
      }
      list += (list.empty() ? "" : ", ") + std::string(known_word);
    }
    json.at(name).unexpected("one of ", list);
  }
  void refuse_others() const {
    json.each_entry([&](const std::string& name, const JsonValue&) {
      if (std::find(known.begin(), known.end(), name) != known.end()) return;
      std::string list;
      for (const std::string& each : known) list += (list.empty() ? "" : ", ") + each;
      json.source().fail("'", visible_line(name), "' is not a setting; there are ", list);
    });
  }
};

template <class Visitor, class Config>
void describe_textbook(Visitor& v, Config& c) {
  v("vocabulary", c.vocabulary);
  v("width", c.width);
  v("heads", c.heads);
  v("join", c.join);
  v("vectors", c.vectors);
  v("add_norm", c.add_norm);
  v("mask", c.mask, k_masks);
  v("positions", c.positions, k_positions);
  v("context", c.context);
  v("head", c.head, k_heads);
  v("pool", c.pool, k_pools);
  v("outputs", c.outputs);
}

template <class Visitor, class Config>
void describe_gpt(Visitor& v, Config& c) {
  v("vocabulary", c.vocabulary);
  v("context", c.context);
  v("layers", c.layers);
  v("heads", c.heads);
  v("kv_heads", c.kv_heads);
  v("width", c.width);
  v("feed_forward", c.feed_forward);
  v("positions", c.positions, k_positions);
  v("pairing", c.pairing, k_pairings);
  v("rotary_base", c.rotary_base);
  v("norm", c.norm, k_norms);
  v("epsilon", c.epsilon);
  v("activation", c.activation, k_activations);
  v("bias", c.bias);
  v("tied", c.tied);
  v("dropout", c.dropout);
  v("attention_dropout", c.attention_dropout);
}

}  // namespace

std::string_view name(Positions p) { return word_of(k_positions, p); }
std::string_view name(Norm n) { return word_of(k_norms, n); }
std::string_view name(Activation a) { return word_of(k_activations, a); }
std::string_view name(Head h) { return word_of(k_heads, h); }

std::string to_json(const NetworkConfig& config) {
  Writer writer;
  if (const auto* textbook = std::get_if<TextbookConfig>(&config)) {
    writer.json["network"] = "textbook";
    describe_textbook(writer, *textbook);
  } else {
    writer.json["network"] = "gpt";
    describe_gpt(writer, std::get<GptConfig>(config));
  }
  return writer.json.dump();
}

NetworkConfig network_from_json(std::string_view text) {
  const JsonSource source{"network", Error::Kind::call};
  const Json json = parse_json(text, source);
  if (!json.is_object() || !json.contains("network") || !json["network"].is_string())
    source.fail("the configuration must be an object with \"network\": \"gpt\" or \"textbook\"");
  const std::string kind = json["network"].get<std::string>();
  Reader reader{JsonValue(json, source)};
  NetworkConfig config;
  if (kind == "textbook") {
    TextbookConfig c;
    describe_textbook(reader, c);
    config = c;
  } else if (kind == "gpt") {
    GptConfig c;
    describe_gpt(reader, c);
    config = c;
  } else {
    source.fail("'", visible_line(kind), "' is not known; expected gpt or textbook");
  }
  reader.refuse_others();
  return config;
}

}  // namespace limpid
