#include "trace/metadata.h"

#include <cmath>
#include <utility>

#include "core/json.h"
#include "core/label.h"
#include "core/number_text.h"
#include "core/utf8.h"
#include "limpid/ops.h"
#include "trace/check.h"

namespace limpid {

namespace {

// ---- writing -------------------------------------------------------------------------------------

// JSON has no NaN and no infinity: they are written as text, "nan", "inf", "-inf".
Json number_json(double value) {
  if (std::isfinite(value)) return value;
  return number_text(value);
}

// JSON is UTF-8; a text that is not is written as its bytes.
Json text_json(const std::string& text) {
  if (is_utf8(text)) return text;
  Json bytes = Json::array();
  for (char c : text) bytes.push_back(static_cast<unsigned char>(c));
  return bytes;
}

Json texts_json(const std::vector<std::string>& texts) {
  Json out = Json::array();
  for (const std::string& text : texts) out.push_back(text_json(text));
  return out;
}

std::string axes_text(const Shape& shape) {
  std::string out;
  for (const Dim& dim : shape) out += dim.axis == Axis::none ? '?' : static_cast<char>(dim.axis);
  return out;
}

Json dims_json(const Shape& shape) {
  Json out = Json::array();
  for (const Dim& dim : shape)
    out.push_back({dim.axis == Axis::none ? "" : std::string(1, static_cast<char>(dim.axis)), dim.size});
  return out;
}

Json tokens_json(const std::vector<Token>& tokens) {
  Json out = Json::array();
  for (const Token& token : tokens)
    out.push_back(
        {{"id", token.id}, {"label", text_json(token.label)}, {"begin", token.begin}, {"end", token.end}});
  return out;
}

Json axes_json(const Trace& trace) {
  Json out = Json::object();
  for (const auto& [name, tensor] : trace.values) out[name] = axes_text(tensor.shape());
  for (const auto& [name, tensor] : trace.parameters) out[name] = axes_text(tensor.shape());
  return out;
}

Json summaries_json(const std::map<std::string, Summary>& summaries) {
  Json out = Json::object();
  for (const auto& [name, s] : summaries)
    out[name] = {{"axes", dims_json(s.shape)},      {"count", s.count},
                 {"non_finite", s.non_finite},      {"mean", number_json(s.mean)},
                 {"spread", number_json(s.spread)}, {"least", number_json(s.least)},
                 {"most", number_json(s.most)}};
  return out;
}

// ---- reading -------------------------------------------------------------------------------------

double number_of(const JsonValue& json) {
  if (json.json().is_string())
    if (const auto value = parse_number(json.text())) return *value;
  return json.real();
}

// Text, or the bytes that stand for one that is not UTF-8.
std::string text_of(const JsonValue& json) {
  if (json.json().is_string()) return json.text();
  if (!json.json().is_array()) json.unexpected("text");
  std::string bytes;
  json.each_item([&](const JsonValue& byte) { bytes += static_cast<char>(byte.integer(0, 255)); });
  return bytes;
}

std::vector<std::string> texts_of(const JsonValue& json) {
  std::vector<std::string> out;
  json.each_item([&](const JsonValue& item) { out.push_back(text_of(item)); });
  return out;
}

std::vector<Token> tokens_of(const JsonValue& json, size_t text_size) {
  std::vector<Token> out;
  json.each_item([&](const JsonValue& token) {
    const int64_t begin = token.at("begin").integer(), end = token.at("end").integer();
    if (begin < 0 || end < begin || static_cast<uint64_t>(end) > text_size)
      token.fail("covers the bytes ", begin, " to ", end, " of a text of ", text_size);
    out.push_back({token.at("id").integer(), text_of(token.at("label")), static_cast<size_t>(begin),
                   static_cast<size_t>(end)});
  });
  return out;
}

Summary summary_of(const JsonValue& json) {
  Summary s;
  json.at("axes").each_item([&](const JsonValue& dim) {
    const std::string axis = dim.at(size_t{0}).text();
    if (axis.size() > 1) dim.at(size_t{0}).unexpected("one letter, or nothing");
    s.shape.append(
        {axis.empty() ? Axis::none : static_cast<Axis>(axis[0]), dim.at(size_t{1}).integer(0, INT64_MAX)});
  });
  s.count = json.at("count").integer(0);
  s.non_finite = json.at("non_finite").integer(0);
  s.mean = number_of(json.at("mean"));
  s.spread = number_of(json.at("spread"));
  s.least = number_of(json.at("least"));
  s.most = number_of(json.at("most"));
  return s;
}

NotFinite not_finite_of(const JsonValue& json) {
  NotFinite out{text_of(json.at("stage")), number_of(json.at("value")), {}};
  json.at("cell").each_item([&](const JsonValue& place) { out.cell.push_back(place.integer(0)); });
  return out;
}

std::shared_ptr<const Graph> graph_of(const JsonValue& json, const std::string& file) {
  try {
    return std::make_shared<const Graph>(graph_from_json(json.json().dump(), operations()));
  } catch (const std::exception& error) {  // whatever an operation makes of impossible options
    fail_work("trace ", file, ": ", visible_line(error.what()));
  }
}

// ---- shapes --------------------------------------------------------------------------------------

// The sizes that symbols were bound to, by the first value that has them.
using Bound = std::map<SizedAxis, std::pair<int64_t, std::string>>;

Shape placed(const Value& value, const Shape& stored, Bound& bound, const std::string& file) {
  const Shape& known = value.shape;
  const auto wrong = [&](const std::string& why) {
    fail_work("trace ", file, ": '", visible(value.name), "' is ", stored.text(), ", expected ", known.text(),
              why);
  };
  if (stored.rank() != known.rank()) wrong("");
  Shape shape = known;
  for (int i = 0; i < known.rank(); ++i) {
    shape[i].size = stored[i].size;
    if (known[i].size >= 0 && known[i].size != stored[i].size) wrong("");
    if (known[i].size >= 0) continue;
    const SizedAxis axis = sized_axis(value.name, known, known[i].axis);
    const auto [at, is_new] = bound.emplace(axis, std::make_pair(stored[i].size, value.name));
    if (!is_new && at->second.first != stored[i].size)
      wrong(join(" with ", static_cast<char>(known[i].axis), "=", at->second.first, " as in '",
                 visible(at->second.second), "'"));
  }
  return shape;
}

}  // namespace

std::string metadata_json(const Trace& trace) {
  if (!trace.graph) fail_call("trace: a trace without its graph cannot be stored");
  Json metrics = Json::object();
  for (const auto& [name, value] : trace.metrics) metrics[name] = number_json(value);
  Json out = {{"schema", k_trace_schema},
              {"engine", trace.engine_version},
              {"title", text_json(trace.title)},
              {"model_hash", trace.model_hash},
              {"text", text_json(trace.text)},
              {"token_word", trace.token_word},
              {"tokens", tokens_json(trace.tokens)},
              {"vocabulary", texts_json(trace.vocabulary)},
              {"observed", texts_json(trace.observed)},
              {"edited", texts_json(trace.edited)},
              {"notes", texts_json(trace.notes)},
              {"numbers", Json(trace.numbers)},
              {"metrics", std::move(metrics)},
              {"summaries", summaries_json(trace.summaries)},
              {"axes", axes_json(trace)},
              {"graph", Json::parse(to_json(*trace.graph))}};
  if (trace.words_of_pieces) out["words_of_pieces"] = true;
  if (!trace.source.empty()) {
    out["source_text"] = text_json(trace.source_text);
    out["source"] = tokens_json(trace.source);
  }
  if (!trace.keys.empty()) out["keys"] = tokens_json(trace.keys);
  if (const auto& first = trace.not_finite)
    out["not_finite"] = {
        {"stage", first->stage}, {"cell", first->cell}, {"value", number_json(first->value)}};
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Trace trace_of_metadata(std::string_view text, const std::string& file) {
  const JsonSource source{"trace " + file};
  const Json json = parse_json(text, source);
  const JsonValue in(json, source);
  const int64_t schema = in.at("schema").integer(1);
  if (schema > k_trace_schema)
    source.fail("written in schema version ", schema, "; this limpid reads up to ", k_trace_schema,
                ": update limpid");
  Trace trace;
  trace.engine_version = text_of(in.at("engine"));
  trace.title = text_of(in.at("title"));
  trace.model_hash = text_of(in.at("model_hash"));
  trace.text = text_of(in.at("text"));
  trace.token_word = text_of(in.at("token_word"));
  trace.tokens = tokens_of(in.at("tokens"), trace.text.size());
  trace.vocabulary = texts_of(in.at("vocabulary"));
  trace.observed = texts_of(in.at("observed"));
  trace.edited = texts_of(in.at("edited"));
  trace.notes = texts_of(in.at("notes"));
  in.at("numbers").each_entry(
      [&](const std::string& name, const JsonValue& value) { trace.numbers[name] = value.integer(); });
  in.at("metrics").each_entry(
      [&](const std::string& name, const JsonValue& value) { trace.metrics[name] = number_of(value); });
  in.at("summaries").each_entry([&](const std::string& name, const JsonValue& value) {
    trace.summaries[name] = summary_of(value);
  });
  if (in.has("source_text")) trace.source_text = text_of(in.at("source_text"));
  if (in.has("source")) trace.source = tokens_of(in.at("source"), trace.source_text.size());
  if (in.has("keys")) trace.keys = tokens_of(in.at("keys"), SIZE_MAX);
  if (in.has("words_of_pieces")) trace.words_of_pieces = in.at("words_of_pieces").boolean();
  if (in.has("not_finite")) trace.not_finite = not_finite_of(in.at("not_finite"));
  trace.graph = graph_of(in.at("graph"), file);
  return trace;
}

namespace {

// NAME@rows, as the value but with T (or S) cut down, and NAME@rows.index, the positions.
bool place_rows(Trace& trace, const Value& value, const std::string& name, bool numbers, Tensor& tensor,
                const std::string& file) {
  const Shape& given = tensor.shape();
  if (!numbers) {
    bool rising = given.rank() == 1 && tensor.dtype() == DType::i64;
    for (int64_t i = 0; rising && i < tensor.count(); ++i)
      rising = tensor.data<int64_t>()[i] >= 0 &&
               (i == 0 || tensor.data<int64_t>()[i] > tensor.data<int64_t>()[i - 1]);
    if (!rising)
      fail_work("trace ", file, ": '", visible(name), "' is ", given.text(),
                ", expected positions (i64), rising");
    tensor.reshape({{Axis::N, given[0].size}});
  } else {
    if (given.rank() != value.shape.rank() || is_floating(value.dtype) != is_floating(tensor.dtype()))
      fail_work("trace ", file, ": '", visible(name), "' is ", given.text(), ", expected some rows of ",
                value.shape.text());
    Shape shape = value.shape;
    for (int i = 0; i < shape.rank(); ++i) shape[i].size = given[i].size;
    tensor.reshape(shape);
  }
  trace.values[name] = std::move(tensor);
  return true;
}

// NAME@top8.weight, NAME@top8.index, NAME@entropy, NAME@map: under the axes that they have in memory.  False
// for a name without such an ending.
bool place_streamed(Trace& trace, const std::string& name, Tensor& tensor, const std::string& file) {
  const size_t mark = name.find('@');
  if (mark == std::string::npos) return false;
  const std::string depth = name.substr(mark + 1);
  const bool top = depth.compare(0, 3, "top") == 0 && depth.find('.') != std::string::npos;
  const int id = trace.graph->find(name.substr(0, mark));
  const bool rows = depth == "rows" || depth == "rows.index";
  if (id < 0 || !(top || rows || depth == "entropy" || depth == "map"))
    fail_work("trace ", file, ": it holds a tensor '", visible(name),
              "', expected a value of its graph and @rows, @rows.index, @topN.weight, @topN.index, @entropy "
              "or @map");
  if (rows) return place_rows(trace, trace.graph->value(id), name, depth == "rows", tensor, file);
  const int rank = depth == "entropy" ? 3 : 4;
  if (tensor.shape().rank() != rank)
    fail_work("trace ", file, ": '", visible(name), "' is ", tensor.shape().text(), ", expected ", rank,
              " axes");
  constexpr Axis k_axes[] = {Axis::B, Axis::H, Axis::T};
  Shape shape;
  for (int i = 0; i < rank; ++i)
    shape.append({i < 3 ? k_axes[i] : depth == "map" ? Axis::S : Axis::N, tensor.shape()[i].size});
  tensor.reshape(shape);
  trace.values[name] = std::move(tensor);
  return true;
}

}  // namespace

void place_values(Trace& trace, std::map<std::string, Tensor> tensors, const std::string& file) {
  Bound bound;
  for (auto& [name, tensor] : tensors) {
    if (place_streamed(trace, name, tensor, file)) continue;
    const int id = trace.graph->find(name);
    if (id < 0)
      fail_work("trace ", file, ": it holds a tensor '", visible(name),
                "', but its graph has no value of that name");
    const Value& value = trace.graph->value(id);
    if (is_floating(value.dtype) != is_floating(tensor.dtype()))
      fail_work("trace ", file, ": '", visible(name), "' is of type ", limpid::name(tensor.dtype()),
                ", expected ", limpid::name(value.dtype));
    tensor.reshape(placed(value, tensor.shape(), bound, file));
    auto& to = value.kind == Value::Kind::parameter ? trace.parameters : trace.values;
    if (!to.emplace(value.name, std::move(tensor)).second)
      fail_work("trace ", file, ": it holds '", visible(value.name), "' twice, under two names");
  }
  for (const auto& [name, summary] : trace.summaries)
    if (trace.graph->find(name) < 0)
      fail_work("trace ", file, ": it sums up '", visible(name), "', which its graph does not have");
  const auto require_as_many = [&](const std::vector<Token>& tokens, const char* what, SizedAxis axis) {
    const auto found = bound.find(axis);
    if (!tokens.empty() && found != bound.end() && found->second.first != static_cast<int64_t>(tokens.size()))
      fail_work("trace ", file, ": it lists ", tokens.size(), " ", what, ", but '",
                visible(found->second.second), "' has ", static_cast<char>(axis.axis), "=",
                found->second.first);
  };
  require_as_many(trace.tokens, "tokens", {Axis::T, false});
  require_as_many(trace.keys, "keys", {Axis::S, false});
  for (const Axis axis : {Axis::T, Axis::S})
    require_as_many(trace.source, "tokens of the source", {axis, true});
  std::map<SizedAxis, int64_t> sizes;
  for (const auto& [axis, size] : bound) sizes[axis] = size.first;
  check_graph(trace, sizes, file);
}

}  // namespace limpid
