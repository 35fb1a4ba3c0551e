#include "explore/textbook.h"

#include <variant>

#include "core/json.h"

namespace limpid::explore {

Model textbook_of(const Textbook& of, const std::string& text) {
  if (text.find_first_not_of(" \t\r\n\v\f") == text.npos)
    fail_call(
        "the text is only white space, which holds no word; give at least one, such as \"Life is short\"");
  TextbookConfig config = of.config;
  config.context = static_cast<int64_t>(word_tokenizer_from(text)->encode(text).size());
  return Model::textbook_walk(text, config, of.seed);
}

Subject textbook_subject(const Textbook& of) {
  Subject out;
  out.made_for = [of](const std::string& text) {
    return std::make_shared<const Model>(textbook_of(of, text));
  };
  out.seed = of.seed;
  return out;
}

std::string to_json(const Textbook& of) {
  static const JsonSource k_source = {"textbook", Error::Kind::work};
  const Json network = parse_json(limpid::to_json(NetworkConfig(of.config)), k_source);
  return Json{{"textbook", network}, {"seed", of.seed}}.dump();
}

Textbook textbook_from_json(std::string_view text) {
  static const JsonSource k_source = {"textbook", Error::Kind::call};
  const Json json = parse_json(text, k_source);
  const JsonValue root(json, k_source);
  Textbook out;
  const NetworkConfig config = network_from_json(root.at("textbook").json().dump());
  if (!std::holds_alternative<TextbookConfig>(config))
    root.at("textbook").unexpected("the textbook's network");
  out.config = std::get<TextbookConfig>(config);
  out.seed = static_cast<uint32_t>(root.at("seed").integer(0, UINT32_MAX));
  return out;
}

}  // namespace limpid::explore
