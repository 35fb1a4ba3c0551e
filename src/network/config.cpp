// Configurations as JSON.  Every setting is listed once, in describe(); a file may leave any out.
#include <algorithm>
#include <optional>

#include "core/json.h"
#include "core/label.h"
#include "limpid/network.h"

namespace limpid {

namespace {

// Sizes stay where products of a few of them, in bytes, are numbers of 64 bits.

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
                                       {Positions::relative_keys, "relative_keys"},
                                       {Positions::patch_bias, "patch_bias"},
                                       {Positions::disentangled, "disentangled"}}};
const Words<Norm> k_norms = {{{Norm::layer, "layer"}, {Norm::rms, "rms"}, {Norm::batch, "batch"}}};
const Words<Activation> k_activations = {{{Activation::gelu, "gelu"},
                                          {Activation::gelu_tanh, "gelu_tanh"},
                                          {Activation::relu, "relu"},
                                          {Activation::silu, "silu"},
                                          {Activation::swiglu, "swiglu"},
                                          {Activation::tanh, "tanh"},
                                          {Activation::quick_gelu, "quick_gelu"},
                                          {Activation::relu_squared, "relu_squared"}}};
const Words<Head> k_heads = {{{Head::next_word, "next_word"},
                              {Head::classes, "classes"},
                              {Head::regression, "regression"},
                              {Head::masked_word, "masked_word"},
                              {Head::token_classes, "token_classes"},
                              {Head::embedding, "embedding"},
                              {Head::none, "none"},
                              {Head::forecast, "forecast"}}};
const Words<StandardizeOptions::By> k_sizes = {{{StandardizeOptions::By::deviation, "deviation"},
                                                {StandardizeOptions::By::magnitude, "magnitude"},
                                                {StandardizeOptions::By::nothing, "nothing"},
                                                {StandardizeOptions::By::mean, "mean"}}};
const Words<NormPlace> k_norm_places = {{{NormPlace::before, "before"},
                                         {NormPlace::after, "after"},
                                         {NormPlace::both, "both"},
                                         {NormPlace::output, "output"}}};
const Words<Pairing> k_pairings = {{{Pairing::halves, "halves"}, {Pairing::interleaved, "interleaved"}}};
const Words<Mask> k_masks = {{{Mask::none, "none"}, {Mask::causal, "causal"}}};
const Words<Pool> k_pools = {{{Pool::first, "first"},
                              {Pool::mean, "mean"},
                              {Pool::last, "last"},
                              {Pool::rest, "rest"},
                              {Pool::first_and_rest, "first_and_rest"}}};

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
  template <class T, class Describe>
  void part(const char* name, const T& value, const Describe& describe) {
    Writer inner;
    inner.json = Json::object();
    describe(inner, value);
    json[name] = std::move(inner.json);
  }
  template <class T, class Describe>
  void part(const char* name, const std::optional<T>& value, const Describe& describe) {
    if (value) part(name, *value, describe);
  }
  template <class T, class Describe>
  void parts(const char* name, const std::vector<T>& values, const Describe& describe) {
    json[name] = Json::array();
    for (const T& value : values) {
      Writer inner;
      inner.json = Json::object();
      describe(inner, value);
      json[name].push_back(std::move(inner.json));
    }
  }
  void operator()(const char* name, const std::optional<int64_t>& value) {
    if (value) json[name] = *value;
  }
};

struct Reader {
  JsonValue json;
  std::vector<std::string> known = {};
  bool given(const char* name) {
    known.push_back(name);
    return json.has(name);
  }
  void operator()(const char* name, int64_t& value) {
    if (given(name)) value = json.at(name).integer(0, k_json_most_size);
  }
  void operator()(const char* name, double& value) {
    if (given(name)) value = json.at(name).real();
  }
  void operator()(const char* name, bool& value) {
    if (given(name)) value = json.at(name).boolean();
  }
  void operator()(const char* name, std::string& value) {
    if (given(name)) value = json.at(name).text();
  }
  void operator()(const char* name, std::optional<int64_t>& value) {
    if (given(name)) value = json.at(name).integer(0, k_json_most_size);
  }
  void operator()(const char* name, std::vector<int64_t>& values) {
    if (!given(name)) return;
    values.clear();
    json.at(name).each_item(
        [&](const JsonValue& item) { values.push_back(item.integer(0, k_json_most_size)); });
  }
  void operator()(const char* name, std::vector<std::string>& values) {
    if (!given(name)) return;
    values.clear();
    json.at(name).each_item([&](const JsonValue& item) { values.push_back(item.text()); });
  }
  void operator()(const char* name, std::vector<double>& values) {
    if (!given(name)) return;
    values.clear();
    json.at(name).each_item([&](const JsonValue& item) { values.push_back(item.real()); });
  }
  template <class T, class Describe>
  void part(const char* name, T& value, const Describe& describe) {
    if (!given(name)) return;
    Reader inner{json.at(name)};
    describe(inner, value);
    inner.refuse_others();
  }
  template <class T, class Describe>
  void part(const char* name, std::optional<T>& value, const Describe& describe) {
    value.reset();
    if (!given(name)) return;
    value.emplace();
    Reader inner{json.at(name)};
    describe(inner, *value);
    inner.refuse_others();
  }
  template <class T, class Describe>
  void parts(const char* name, std::vector<T>& values, const Describe& describe) {
    if (!given(name)) return;
    values.clear();
    json.at(name).each_item([&](const JsonValue& item) {
      Reader inner{item};
      describe(inner, values.emplace_back());
      inner.refuse_others();
    });
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

// ---- the parts of any network ---------------------------------------------------------------------

const auto describe_norm = [](auto& v, auto& c) {
  v("kind", c.kind, k_norms);
  v("epsilon", c.epsilon);
  v("bias", c.bias);
  v("gain", c.gain);
};

const auto describe_rotary = [](auto& v, auto& c) {
  v("width", c.width);
  v("base", c.base);
  v("pairing", c.pairing, k_pairings);
  v("frequencies", c.frequencies);
  v("magnitude", c.magnitude);
  v("dynamic_factor", c.dynamic_factor);
  v("dynamic_context", c.dynamic_context);
};

const auto describe_disentangled = [](auto& v, auto& c) {
  v("content_to_position", c.content_to_position);
  v("position_to_content", c.position_to_content);
  v("shared", c.shared);
  v("span", c.buckets.span);
  v("buckets", c.buckets.buckets);
  v("max_distance", c.buckets.max_distance);
  v.part("norm", c.norm, describe_norm);
};

const auto describe_attention = [](auto& v, auto& c) {
  v("heads", c.heads);
  v("kv_heads", c.kv_heads);
  v("width", c.width);
  v("out_width", c.out_width);
  v("mask", c.mask, k_masks);
  v("window", c.window);
  v("window_after", c.window_after);
  v("scale", c.scale);
  v("softcap", c.softcap);
  v("sinks", c.sinks);
  v("bias", c.bias);
  v("key_bias", c.key_bias);
  v("out_bias", c.out_bias);
  v("clip", c.clip);
  v.part("query_key_norm", c.query_key_norm, describe_norm);
  v("query_key_norm_joins_heads", c.query_key_norm_joins_heads);
  v("positions", c.positions, k_positions);
  v.part("rotary", c.rotary, describe_rotary);
  v("max_distance", c.max_distance);
  v("buckets", c.buckets);
  v("bias_distance", c.bias_distance);
  v("bias_table", c.bias_table);
  v("patch_lines", c.patch_lines);
  v("patch_columns", c.patch_columns);
  v.part("disentangled", c.disentangled, describe_disentangled);
  v("init", c.init);
  v("out_init", c.out_init);
  v("dropout", c.dropout);
  v("each", c.each);
};

const auto describe_clamped_gate = [](auto& v, auto& c) {
  v("limit", c.limit);
  v("slope", c.slope);
};

const auto describe_experts = [](auto& v, auto& c) {
  v("count", c.count);
  v("chosen", c.chosen);
  v("share_of_all", c.share_of_all);
  v("router_bias", c.router_bias);
};

const auto describe_feed_forward = [](auto& v, auto& c) {
  v("width", c.width);
  v("activation", c.activation, k_activations);
  v("gated", c.gated);
  v("bias", c.bias);
  v.part("clamped", c.clamped, describe_clamped_gate);
  v.part("experts", c.experts, describe_experts);
};

const auto describe_block = [](auto& v, auto& c) {
  v("norms", c.norms, k_norm_places);
  v.part("norm", c.norm, describe_norm);
  v("parallel", c.parallel);
  v("shared_norm", c.shared_norm);
  v("first_norm", c.first_norm);
  v.part("attention", c.attention, describe_attention);
  v.part("cross", c.cross, describe_attention);
  v.part("feed_forward", c.feed_forward, describe_feed_forward);
  v("residual_scale", c.residual_scale);
  v("layer_scale", c.layer_scale);
};

const auto describe_convolution = [](auto& v, auto& c) {
  v("size", c.size);
  v("activation", c.activation, k_activations);
  v.part("norm", c.norm, describe_norm);
};

const auto describe_stack = [](auto& v, auto& c) {
  v("layers", c.layers);
  v.parts("blocks", c.blocks, describe_block);
  v("pattern", c.pattern);
  v("shared", c.shared);
  v.part("final_norm", c.final_norm, describe_norm);
  v.part("convolution", c.convolution, describe_convolution);
};

const auto describe_sinusoidal = [](auto& v, auto& c) {
  v("base", c.base);
  v("halves", c.halves);
  v("ends_at_base", c.ends_at_base);
  v("first", c.first);
};

const auto describe_token_dropout = [](auto& v, auto& c) {
  v("mask_token", c.mask_token);
  v("trained_share", c.trained_share);
};

const auto describe_inputs = [](auto& v, auto& c) {
  v("vocabulary", c.vocabulary);
  v("width", c.width);
  v("embedding_width", c.embedding_width);
  v("projects_sum", c.projects_sum);
  v("projection_bias", c.projection_bias);
  v("scale", c.scale);
  v.part("token_dropout", c.token_dropout, describe_token_dropout);
  v("positions", c.positions, k_positions);
  v.part("sinusoidal", c.sinusoidal, describe_sinusoidal);
  v("context", c.context);
  v("token_types", c.token_types);
  v.part("norm", c.norm, describe_norm);
  v("norm_after_projection", c.norm_after_projection);
};

const auto describe_encoder = [](auto& v, auto& c) {
  v.part("inputs", c.inputs, describe_inputs);
  v.part("stack", c.stack, describe_stack);
};

const auto describe_patches = [](auto& v, auto& c) {
  v("channels", c.channels);
  v("height", c.height);
  v("width", c.width);
  v("size", c.size);
  v("bias", c.bias);
  v("tokens", c.tokens);
  v("positions", c.positions);
  v.part("norm", c.norm, describe_norm);
};

const auto describe_standardize = [](auto& v, auto& c) {
  v("by", c.by, k_sizes);
  v("least", c.least);
};

const auto describe_series = [](auto& v, auto& c) {
  v("channels", c.channels);
  v("length", c.length);
  v("size", c.size);
  v("stride", c.stride);
  v("apart", c.apart);
  v.part("standardize", c.standardize, describe_standardize);
  v("bias", c.bias);
  v("tokens", c.tokens);
};

const auto describe_head = [](auto& v, auto& c) {
  v("kind", c.kind, k_heads);
  v("tied", c.tied);
  v("bias", c.bias);
  v("softcap", c.softcap);
  v("scale", c.scale);
  v("transform", c.transform);
  v("activation", c.activation, k_activations);
  v("transform_bias", c.transform_bias);
  v.part("transform_norm", c.transform_norm, describe_norm);
  v("pool", c.pool, k_pools);
  v("flat", c.flat);
  v("by_turns", c.by_turns);
  v.part("pool_norm", c.pool_norm, describe_norm);
  v("outputs", c.outputs);
  v.part("pool_attention", c.pool_attention, describe_attention);
  v.part("pool_feed_forward", c.pool_feed_forward, describe_feed_forward);
  v("label_smoothing", c.label_smoothing);
  v("delta", c.delta);
};

const auto describe_image_tower = [](auto& v, auto& c) {
  v("width", c.width);
  v.part("patches", c.patches, describe_patches);
  v.part("stack", c.stack, describe_stack);
  v.part("head", c.head, describe_head);
  v("sigmoid", c.sigmoid);
};

template <class Visitor, class Config>
void describe_parts(Visitor& v, Config& c) {
  v("family", c.family);
  v.part("inputs", c.inputs, describe_inputs);
  v.part("patches", c.patches, describe_patches);
  v.part("series", c.series, describe_series);
  v.part("encoder", c.encoder, describe_encoder);
  v.part("images", c.images, describe_image_tower);
  v.part("stack", c.stack, describe_stack);
  v.part("head", c.head, describe_head);
  v("dropout", c.dropout);
  v("each", c.each);
}

}  // namespace

std::string_view name(NormPlace p) { return word_of(k_norm_places, p); }
std::string_view name(Positions p) { return word_of(k_positions, p); }
std::string_view name(Norm n) { return word_of(k_norms, n); }
std::string_view name(Activation a) { return word_of(k_activations, a); }
std::string_view name(Head h) { return word_of(k_heads, h); }

std::string to_json(const NetworkConfig& config) {
  Writer writer;
  if (const auto* textbook = std::get_if<TextbookConfig>(&config)) {
    writer.json["network"] = "textbook";
    describe_textbook(writer, *textbook);
  } else if (const auto* gpt = std::get_if<GptConfig>(&config)) {
    writer.json["network"] = "gpt";
    describe_gpt(writer, *gpt);
  } else {
    writer.json["network"] = "parts";
    describe_parts(writer, std::get<Architecture>(config));
  }
  return writer.json.dump();
}

NetworkConfig network_from_json(std::string_view text) {
  const JsonSource source{"network", Error::Kind::call};
  const Json json = parse_json(text, source);
  if (!json.is_object() || !json.contains("network") || !json["network"].is_string())
    source.fail("the configuration must be an object with \"network\": \"gpt\", \"textbook\" or \"parts\"");
  const std::string kind = json["network"].get<std::string>();
  Reader reader{JsonValue(json, source), {"network"}};
  NetworkConfig config;
  if (kind == "textbook") {
    TextbookConfig c;
    describe_textbook(reader, c);
    config = c;
  } else if (kind == "gpt") {
    GptConfig c;
    describe_gpt(reader, c);
    config = c;
  } else if (kind == "parts") {
    Architecture c;
    describe_parts(reader, c);
    config = c;
  } else {
    source.fail("'", visible_line(kind), "' is not known; expected gpt, textbook or parts");
  }
  reader.refuse_others();
  return config;
}

}  // namespace limpid
