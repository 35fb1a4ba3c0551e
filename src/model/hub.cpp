// A folder of the hub: config.json, the tensors, the tokenizer.
#include <algorithm>
#include <filesystem>

#include "core/json.h"
#include "core/label.h"
#include "files/place.h"
#include "limpid/files.h"
#include "model/beam.h"
#include "model/families/tensors.h"
#include "model/foreign.h"
#include "model/position_table.h"

namespace limpid {

namespace {

namespace fs = std::filesystem;

// Whether a file that a tokenizer comes in lies there: a model may well come without.
bool holds_tokenizer(const std::string& path) {
  for (const char* name : {"tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
                           "spm.model", "source.spm", "vocab.json", "encoder.json", "vocab.txt"})
    if (is_file(fs::path(path) / name)) return true;
  return false;
}

// One, or one of what is read and one of what is written.
void read_tokenizers(const std::string& path, ForeignModel& model) {
  model.tokenizer = load_tokenizer(path);
  if (auto target = load_target_tokenizer(path)) {
    model.source_tokenizer = std::move(model.tokenizer);
    model.tokenizer = std::move(target);
  }
}

// A class of somebody's own: the tensors say which of the library's it is like.  Whether they had to.
bool take_by_tensors(const Family& family, const std::vector<std::string>& tensors, HubConfig& config,
                     std::vector<std::string>& notes) {
  if (config.has_known_architecture() || !family.architecture_by_tensors) return false;
  const std::string like = family.architecture_by_tensors(tensors);
  if (like.empty()) return false;
  const std::string said = config.architecture();
  notes.push_back(join(said.empty() ? "its config.json names no architecture"
                                    : join("its config.json names the architecture ", in_quotes(said),
                                           ", which limpid does not know"),
                       "; it is read as ", like, ", whose tensors it holds"));
  config.take_for(like);
  return true;
}

std::string note_on_other_heads(const std::vector<std::string>& left) {
  constexpr size_t k_named = 3;
  std::string names;
  for (size_t i = 0; i < std::min(left.size(), k_named); ++i) names += (i ? ", " : "") + in_quotes(left[i]);
  return join(left.size(), left.size() == 1 ? " tensor" : " tensors", " of other heads left out: ", names,
              left.size() > k_named ? ", ..." : "");
}

// A classifier's classes, and whether they exclude each other.
void read_tasks(const HubConfig& config, const Architecture& a, ModelTasks& tasks) {
  if (a.head.kind != Head::classes && a.head.kind != Head::token_classes) return;
  if (config.word("problem_type", "") == "regression") return;  // its outputs are numbers
  tasks.classes = config.class_names(a.head.outputs);
  tasks.independent_classes =
      a.head.outputs == 1 || config.word("problem_type", "") == "multi_label_classification";
}

// What the library writes by: generation_config.json, where there is one, before config.json.
class WritingReader {
 public:
  WritingReader(const HubConfig& config, const std::string& folder) {
    const std::string path = (fs::path(folder) / "generation_config.json").string();
    if (is_file(path)) {
      source_ = JsonSource{path};
      document_ = parse_json(read_file(path), *source_);
      files_.emplace_back(JsonValue(document_, *source_), path);
    }
    files_.push_back(config);
  }

  std::optional<Writing> read() const {
    const std::vector<int64_t> start = all("decoder_start_token_id"), pad = all("pad_token_id");
    if (start.empty() && pad.empty()) return std::nullopt;
    Writing w;
    w.start = start.empty() ? pad[0] : start[0];
    if (const auto first = all("forced_bos_token_id"); !first.empty()) w.first = first[0];
    w.ends = all("eos_token_id");
    for (const HubConfig& file : files_)
      if (file.has("bad_words_ids")) {
        w.never = file.single_integers("bad_words_ids");
        break;
      }
    const std::vector<int64_t> beams = all("num_beams");
    w.beams = beams.empty() ? 1 : std::clamp<int64_t>(beams[0], 1, k_most_beams);
    w.length_penalty = real("length_penalty", 1);
    return w;
  }

 private:
  // A number, or a list of them.
  std::vector<int64_t> all(const std::string& key) const {
    for (const HubConfig& file : files_)
      if (file.has(key)) return file.integers_or_one(key);
    return {};
  }
  double real(const std::string& key, double otherwise) const {
    for (const HubConfig& file : files_)
      if (file.has(key)) return file.real(key, otherwise);
    return otherwise;
  }

  std::optional<JsonSource> source_;
  Json document_;
  std::vector<HubConfig> files_;
};

// chat_template.jinja, or the template in tokenizer_config.json: a text, or several by names.
std::string chat_template_of(const std::string& folder) {
  const fs::path alone = fs::path(folder) / "chat_template.jinja",
                 beside = fs::path(folder) / "tokenizer_config.json";
  if (is_file(alone)) return read_file(alone.string());
  if (!is_file(beside)) return "";
  const JsonSource source{beside.string()};
  const Json document = parse_json(read_file(beside.string()), source);
  if (!document.is_object() || !document.contains("chat_template")) return "";
  const Json& given = document["chat_template"];
  if (given.is_string()) return given.get<std::string>();
  if (given.is_array())
    for (const Json& each : given)
      if (each.is_object() && each.contains("name") && each["name"] == "default" &&
          each.contains("template") && each["template"].is_string())
        return each["template"].get<std::string>();
  return "";
}

// Images of the size that the folder's processor gives, where that is another than the table of positions
// has.
void take_images_size(const HubConfig& config, Architecture& a, ForeignModel& model) {
  if (!model.tasks.image) return;
  const std::optional<ImageProcessor::Size> size =
      model.tasks.image->crop ? model.tasks.image->crop : model.tasks.image->resize;
  PatchInputs& o = *a.patches;
  if (!size || (size->height == o.height && size->width == o.width)) return;
  if (size->height % o.size != 0 || size->width % o.size != 0)
    config.fail(join("its images become ", size->width, " by ", size->height,
                     " pixels, as preprocessor_config.json says, ", "which squares of ", o.size,
                     " do not divide"));
  const Grid from = {o.height / o.size, o.width / o.size}, to = {size->height / o.size, size->width / o.size};
  // A file may not ask for more rows than those it holds are good for.
  constexpr int64_t k_most_growth = 16;
  if (to.lines * to.columns > k_most_growth * from.lines * from.columns)
    config.fail(join("its images become ", size->width, " by ", size->height,
                     " pixels, as preprocessor_config.json says, ", "more than ", k_most_growth,
                     " times as many as its positions were made for"));
  Tensor& table = model.parameters.at("pos_embed.W_pos");
  table = interpolated_positions(table, static_cast<int64_t>(o.tokens.size()), from, to);
  o.height = size->height;
  o.width = size->width;
}

// Of texts and images: how images come in, and to what length texts are filled up (SigLIP).
void read_towers(const std::string& path, const HubConfig& config, const Architecture& a,
                 ForeignModel& model) {
  read_image_processor(path, config, a.images->patches, model.tasks, model.notes);
  if (!a.images->sigmoid) return;
  model.tasks.text_length = a.inputs.context;
  const HubConfig texts = config.at("text_config");
  model.tasks.padding = texts.has("pad_token_id") ? texts.integers_or_one("pad_token_id")[0] : 1;
}

}  // namespace

bool is_hub_folder(const std::string& path) {
  return is_folder(path) && is_file(fs::path(path) / "config.json");
}

Architecture hub_network(const std::string& path) {
  const std::string config_path = (fs::path(path) / "config.json").string();
  const JsonSource source{config_path};
  const Json document = parse_json(read_file(config_path), source);
  HubConfig config(JsonValue(document, source), config_path);
  const Family& family = family_of(config);
  try {
    const std::vector<std::string> tensors = open_tensors(path)->names();
    config.know_tensors(tensors);
    std::vector<std::string> notes;
    take_by_tensors(family, tensors, config, notes);
  } catch (const Error&) {
    // None there, or damaged: whoever loads the model hears of it.
  }
  Architecture a = family.architecture(config);
  a.family = family.name;
  return a;
}

ForeignModel read_hub_folder(const std::string& path, Weights weights) {
  const std::string config_path = (fs::path(path) / "config.json").string();
  const JsonSource source{config_path};
  const Json document = parse_json(read_file(config_path), source);
  HubConfig config(JsonValue(document, source), config_path);
  const Family& family = family_of(config);
  const std::unique_ptr<TensorSource> file = open_tensors(path);
  config.know_tensors(file->names());
  ForeignModel model;
  const bool guessed = take_by_tensors(family, file->names(), config, model.notes);
  Architecture a = family.architecture(config);
  a.family = family.name;
  std::vector<std::string> left;
  model.parameters =
      parameters_of(a, family.tensors(config, a), *file, config_path, guessed ? &left : nullptr,
                    weights == Weights::f32 ? nullptr : &model.stored);
  if (!left.empty()) model.notes.push_back(note_on_other_heads(left));
  read_tasks(config, a, model.tasks);
  read_pooling(path, model.tasks);
  model.tasks.chat_template = chat_template_of(path);
  if (a.encoder) model.tasks.writing = WritingReader(config, path).read();
  if (a.patches) read_image_processor(path, config, *a.patches, model.tasks, model.notes);
  if (a.images) read_towers(path, config, a, model);
  if (family.interpolates_positions) take_images_size(config, a, model);
  model.config = std::move(a);
  if (holds_tokenizer(path)) read_tokenizers(path, model);
  model.title = fs::path(path).lexically_normal().filename().string();
  if (model.title.empty()) model.title = fs::path(path).lexically_normal().parent_path().filename().string();
  return model;
}

}  // namespace limpid
