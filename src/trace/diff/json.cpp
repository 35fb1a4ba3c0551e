// A diff as JSON.
#include <cmath>

#include "core/json.h"
#include "core/label.h"
#include "core/number_text.h"
#include "limpid/diff.h"

namespace limpid {

namespace {

Json json_number(double value) { return std::isfinite(value) ? Json(value) : Json(number_text(value)); }

Json texts(const std::vector<std::string>& list) {
  Json out = Json::array();
  for (const std::string& text : list) out.push_back(visible_line(text));
  return out;
}

Json json_of(const StageDifference& s) {
  return {{"name", visible_line(s.name)},
          {"other", visible_line(s.other)},
          {"shape", s.shape.sizes()},
          {"other_shape", s.other_shape.sizes()},
          {"comparable", s.comparable},
          {"agrees", s.agrees},
          {"largest", json_number(s.largest)},
          {"beyond", s.beyond},
          {"cell", s.cell},
          {"here", json_number(s.here)},
          {"there", json_number(s.there)}};
}

}  // namespace

std::string to_json(const Trace& a, const Diff& d) {
  Json out = {{"parts", d.parts()},
              {"verdict", visible_line(d.verdict)},
              {"first", d.parts() ? Json(d.stages[static_cast<size_t>(d.first)].name) : Json(nullptr)},
              {"tolerance", d.tolerance},
              {"source", visible(d.source)},
              {"inputs", texts(d.inputs)},
              {"between", texts(d.between)}};
  out["hypotheses"] = Json::array();
  for (const Hypothesis& h : d.hypotheses)
    out["hypotheses"].push_back({{"what", visible_line(h.what)},
                                 {"where", visible_line(h.where)},
                                 {"largest", json_number(h.largest)},
                                 {"reproduces", h.reproduces}});
  out["recomputed"] = d.recomputed;
  out["tried"] = d.tried;
  out["stages"] = Json::array();
  for (const StageDifference& s : d.stages) out["stages"].push_back(json_of(s));
  out["missing"] = texts(d.missing);
  out["unknown"] = texts(d.unknown);
  out["notes"] = texts(d.notes);
  std::string text = out.dump(-1, ' ', false, Json::error_handler_t::replace);
  // The explanation is written by its own writer.
  const std::string why = d.explanation.empty() ? "[]" : to_json(a, d.explanation);
  text.insert(text.size() - 1, ",\"explanation\":" + why);
  while (text.ends_with('\n')) text.pop_back();
  return text + "\n";
}

}  // namespace limpid
