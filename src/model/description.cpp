#include "model/description.h"

#include "core/json.h"
#include "model/beam.h"

namespace limpid {

namespace {

Json image_json(const ImageProcessor& p) {
  Json json = {{"channels", p.channels},
               {"resample", static_cast<int>(p.resample)},
               {"rescale", p.rescale},
               {"mean", p.mean},
               {"std", p.std}};
  if (p.resize) json["resize"] = {p.resize->height, p.resize->width};
  if (p.crop) json["crop"] = {p.crop->height, p.crop->width};
  if (p.shortest_edge > 0) json["shortest_edge"] = p.shortest_edge;
  return json;
}

}  // namespace

Json tasks_json(const ModelTasks& tasks) {
  Json json = Json::object();
  if (!tasks.classes.empty()) {
    json["classes"] = tasks.classes;
    json["independent"] = tasks.independent_classes;
  }
  if (tasks.pooling) {
    json["pooling"] = name(*tasks.pooling);
    json["normalize"] = tasks.normalize;
    json["longest"] = tasks.longest_text;
  }
  if (!tasks.chat_template.empty()) json["chat_template"] = tasks.chat_template;
  if (tasks.writing) {
    const Writing& w = *tasks.writing;
    json["writing"] = {{"start", w.start},
                       {"ends", w.ends},
                       {"never", w.never},
                       {"beams", w.beams},
                       {"length_penalty", w.length_penalty}};
    if (w.first) json["writing"]["first"] = *w.first;
  }
  if (tasks.image) json["image"] = image_json(*tasks.image);
  if (tasks.series)
    json["series"] = {{"columns", tasks.series->columns},
                      {"mean", tasks.series->mean},
                      {"deviation", tasks.series->deviation}};
  if (tasks.text_length > 0) {
    json["text_length"] = tasks.text_length;
    json["padding"] = tasks.padding;
  }
  return json;
}

namespace {

Writing writing_of(const JsonValue& json) {
  const auto ids = [&](const char* name) {
    std::vector<int64_t> out;
    json.at(name).each_item([&](const JsonValue& id) { out.push_back(id.integer(0, k_json_most_size)); });
    return out;
  };
  Writing w;
  w.start = json.at("start").integer(0, k_json_most_size);
  if (json.has("first")) w.first = json.at("first").integer(0, k_json_most_size);
  w.ends = ids("ends");
  w.never = ids("never");
  w.beams = json.at("beams").integer(1, k_most_beams);
  w.length_penalty = json.at("length_penalty").real();
  return w;
}

ImageProcessor image_of(const JsonValue& json) {
  constexpr int64_t k_most_side = 1 << 16;
  const auto size = [&](const char* key) -> std::optional<ImageProcessor::Size> {
    if (!json.has(key)) return std::nullopt;
    const JsonValue pair = json.at(key);
    if (pair.size() != 2) pair.unexpected("a height and a width");
    return ImageProcessor::Size{pair.at(0).integer(1, k_most_side), pair.at(1).integer(1, k_most_side)};
  };
  ImageProcessor p;
  p.channels = json.at("channels").integer(1, 3);
  p.resize = size("resize");
  p.crop = size("crop");
  if (json.has("shortest_edge")) p.shortest_edge = json.at("shortest_edge").integer(1, k_most_side);
  p.resample = static_cast<Resample>(json.at("resample").integer(0, 5));
  p.rescale = json.at("rescale").real();
  json.at("mean").each_item([&](const JsonValue& each) { p.mean.push_back(each.real()); });
  json.at("std").each_item([&](const JsonValue& each) { p.std.push_back(each.real()); });
  return p;
}

SeriesScale series_of(const JsonValue& json) {
  SeriesScale scale;
  json.at("columns").each_item([&](const JsonValue& each) { scale.columns.push_back(each.text()); });
  json.at("mean").each_item([&](const JsonValue& each) { scale.mean.push_back(each.real()); });
  json.at("deviation").each_item([&](const JsonValue& each) { scale.deviation.push_back(each.real()); });
  if (scale.mean.size() != scale.columns.size() || scale.deviation.size() != scale.columns.size())
    json.fail("it has ", scale.columns.size(), " columns, ", scale.mean.size(), " means and ",
              scale.deviation.size(), " deviations, expected one each");
  return scale;
}

ModelTasks tasks_of(const JsonValue& json) {
  ModelTasks tasks;
  if (json.has("classes"))
    json.at("classes").each_item([&](const JsonValue& each) { tasks.classes.push_back(each.text()); });
  if (json.has("independent")) tasks.independent_classes = json.at("independent").boolean();
  if (json.has("pooling")) tasks.pooling = pooling_named(json.at("pooling").text());
  if (json.has("normalize")) tasks.normalize = json.at("normalize").boolean();
  if (json.has("chat_template")) tasks.chat_template = json.at("chat_template").text();
  if (json.has("writing")) tasks.writing = writing_of(json.at("writing"));
  if (json.has("image")) tasks.image = image_of(json.at("image"));
  if (json.has("series")) tasks.series = series_of(json.at("series"));
  constexpr int64_t k_longest_fill = 1 << 16;
  if (json.has("text_length")) tasks.text_length = json.at("text_length").integer(0, k_longest_fill);
  if (json.has("padding")) tasks.padding = json.at("padding").integer(0, INT32_MAX);
  if (json.has("longest")) tasks.longest_text = json.at("longest").integer(0, INT32_MAX);
  return tasks;
}

}  // namespace

ModelDescription describe_model(const std::string& text, const std::string& path) {
  const JsonSource source{path + ": its description of the model cannot be read"};
  const Json document = parse_json(text, source);
  const JsonValue json(document, source);
  const int64_t schema = json.at("schema").integer(1);
  if (schema > k_model_schema)
    fail_work(path, ": written by a newer limpid (schema ", schema, ", this one reads up to ", k_model_schema,
              ")");
  ModelDescription file;
  file.title = json.has("title") ? json.at("title").text() : path;
  try {
    file.config = network_from_json(json.at("network").json().dump());
    if (json.has("tasks")) file.tasks = tasks_of(json.at("tasks"));
    if (json.has("tokenizer")) file.tokenizer = tokenizer_from_json(json.at("tokenizer").json().dump());
    if (json.has("source_tokenizer"))
      file.source_tokenizer = tokenizer_from_json(json.at("source_tokenizer").json().dump());
  } catch (const Error& error) {
    fail_work(path, ": ", error.what());
  }
  const auto* parts = std::get_if<Architecture>(&file.config);
  const auto named = static_cast<int64_t>(file.tasks.classes.size());
  if (named > 0 && (!parts || parts->head.outputs != named))
    fail_work(path, ": it names ", named, " classes, expected ", parts ? parts->head.outputs : 0,
              ", as many as its network tells apart");
  return file;
}

void check_layers(const NetworkConfig& config, size_t tensors, const std::string& path) {
  if (const auto* parts = std::get_if<Architecture>(&config); parts && parts->stack.shared) return;
  if (layers_of(config) > static_cast<int64_t>(tensors))
    fail_work(path, ": its network has ", layers_of(config), " layers, but the file holds only ", tensors,
              " tensors");
}

}  // namespace limpid
