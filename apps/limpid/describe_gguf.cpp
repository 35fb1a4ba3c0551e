// limpid info: what a GGUF file says of itself.
#include <cmath>
#include <filesystem>

#include "core/label.h"
#include "core/number_text.h"
#include "limpid/describe.h"
#include "limpid/gguf.h"
#include "model/foreign.h"

namespace limpid::command {

namespace {

constexpr uint64_t k_short =
    8;  // elements of an array that are shown themselves; of a longer one their number is

// JSON has no NaN and no infinity.
Json number_json(double number) {
  if (std::isfinite(number)) return number;
  return std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf";
}

// The shortest decimal that is this f32: 1e-05, where the double of the same value is 9.999999747378752e-06.
Json f32_json(double number) {
  return number_json(parse_number(number_text(static_cast<float>(number))).value_or(number));
}

Json element_json(GgufValueType type, double number) {
  return type == GgufValueType::f32 ? f32_json(number) : number_json(number);
}

Json array_json(const GgufReader& reader, const std::string& key, const GgufValue& array) {
  if (array.count > k_short || (array.type == GgufValueType::string && array.bytes > 4096))
    return {{"array_of", std::string(name(array.type))}, {"count", array.count}};
  Json out = Json::array();
  switch (array.type) {
    case GgufValueType::string:
      for (std::string& text : reader.strings(key)) out.push_back(std::move(text));
      break;
    case GgufValueType::boolean:
      for (const int64_t each : reader.integers(key)) out.push_back(each != 0);
      break;
    case GgufValueType::f32:
    case GgufValueType::f64:
    case GgufValueType::u64:  // may be more than an int64
      for (const double each : reader.numbers(key)) out.push_back(element_json(array.type, each));
      break;
    default:
      for (const int64_t each : reader.integers(key)) out.push_back(each);
  }
  return out;
}

Json value_json(const GgufReader& reader, const std::string& key, const GgufValue& value) {
  if (value.array) return array_json(reader, key, value);
  return std::visit(
      [&](const auto& held) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, double>)
          return element_json(value.type, held);
        else
          return held;
      },
      value.value);
}

// The string of that key, where there is one: a wrong one is no reason to show nothing.
void add_text(Json& out, const char* as, const GgufInfo& info, const char* key) {
  const auto found = info.metadata.find(key);
  const auto* text = found == info.metadata.end() ? nullptr : std::get_if<std::string>(&found->second.value);
  if (text) out[as] = visible_line(*text);
}

}  // namespace

Json describe_gguf(const std::string& path) {
  const GgufReader reader(path);
  const GgufInfo& info = reader.info();
  Json out = {{"kind", "gguf"}, {"what", "a GGUF model (llama.cpp)"}, {"version", info.version}};
  add_text(out, "architecture", info, "general.architecture");
  add_text(out, "name", info, "general.name");
  out["bytes"] = std::filesystem::file_size(path);
  out["alignment"] = info.alignment;
  out["parameters"] = info.parameter_count();
  Json types = Json::object();
  for (const GgufInfo::Entry& entry : info.entries) {
    Json& count = types[std::string(name(entry.type))];
    count = (count.is_null() ? 0 : count.get<int64_t>()) + 1;
  }
  out["types"] = types;
  if (runs_gguf_architecture(info.text("general.architecture").value_or("")))
    out["advice"] = "limpid trace \"Life is short\" --model " + path;
  out["metadata"] = Json::object();
  for (const auto& [key, value] : info.metadata) out["metadata"][key] = value_json(reader, key, value);
  return out;
}

}  // namespace limpid::command
