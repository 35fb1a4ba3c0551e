// An explanation as JSON: every term, by full names.
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/number_text.h"
#include "limpid/explain.h"
#include "trace/reading.h"

namespace limpid {

namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(number_text(value)); }

Json places_of(const Shape& shape, const Index& index) {
  Json out = Json::object();
  for (int i = 0; i < shape.rank(); ++i) {
    const Axis axis = shape[i].axis;
    const std::string letter =
        axis == Axis::none ? std::to_string(i) : std::string(1, static_cast<char>(axis));
    out[letter] = index[static_cast<size_t>(i)];
  }
  return out;
}

Json tree(const Explanation& why, const Expr& e) {
  static const char* const k_kinds[] = {"constant", "cell", "sum", "product", "quotient", "function"};
  static const char* const k_functions[] = {"exp", "log", "sqrt", "tanh", "erf", "cos", "sin", "max"};
  Json out;
  if (e.kind() == Expr::Kind::cell) {
    out["cell"] = why.inputs[static_cast<size_t>(e.input())].name;
    out["index"] = e.index();
  } else if (e.kind() == Expr::Kind::function) {
    out["op"] = k_functions[static_cast<int>(e.function())];
  } else {
    out["op"] = k_kinds[static_cast<int>(e.kind())];
  }
  out["value"] = number(e.value());
  if (!e.parts().empty()) {
    out["of"] = Json::array();
    for (const Expr& part : e.parts()) out["of"].push_back(tree(why, part));
  }
  return out;
}

Json json_of(const Reading& reading, const Explanation& why) {
  Json out = {{"name", why.name}, {"index", why.index}, {"places", places_of(why.shape, why.index)}};
  Json words = Json::object();
  for (int i = 0; i < why.shape.rank(); ++i)
    if (const std::string label = reading.label_in(why.name, why.shape[i].axis,
                                                   why.index[static_cast<size_t>(i)], why.shape[i].size);
        !label.empty())
      words[std::string(1, static_cast<char>(why.shape[i].axis))] = label;
  out["words"] = words;
  out["value"] = number(why.value);
  out["computed"] = why.computed;
  if (!why.computed) return out;
  out["label"] = why.label;
  out["equation"] = why.equation;
  out["caption"] = why.caption;
  out["reads"] = Json::array();
  for (const Explanation::Input& input : why.inputs) {
    static const char* const k_kinds[] = {"input", "parameter", "stage"};
    Json shape = Json::array();
    for (const Dim& dim : input.shape) shape.push_back(dim.size);
    out["reads"].push_back(
        {{"name", input.name}, {"kind", k_kinds[static_cast<int>(input.kind)]}, {"shape", shape}});
  }
  out["combined"] = number(why.arithmetic.value());
  out["edited"] = why.edited;
  out["edited_reads"] = why.edited_inputs;
  out["rebuilt"] = why.rebuilt;
  out["arithmetic"] = tree(why, why.arithmetic);
  return out;
}

}  // namespace

std::string to_json(const Trace& trace, const std::vector<Explanation>& chain) {
  const Reading reading(trace);
  Json out = Json::array();
  for (const Explanation& why : chain) out.push_back(json_of(reading, why));
  return out.dump(1) + "\n";
}

}  // namespace limpid
