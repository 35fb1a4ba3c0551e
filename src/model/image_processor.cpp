// How a folder of the hub wants its images: preprocessor_config.json, of Hugging Face's image processors that
// resize, cut out the middle, rescale and normalise.
#include <algorithm>
#include <array>
#include <filesystem>

#include "core/json.h"
#include "core/label.h"
#include "files/place.h"
#include "limpid/files.h"
#include "model/families/family.h"
#include "model/foreign.h"

namespace limpid {

namespace {

namespace fs = std::filesystem;

constexpr int64_t k_most_side = 1 << 13;  // the published ones make images of at most 1,024 pixels a side

// What an image processor does where its file does not say.
struct ProcessorKind {
  std::string_view type;  // without ImageProcessor, FeatureExtractor, Fast, Pil
  bool to_square = true;  // what a single number as size means: a square, or the shorter edge
  bool square_by_itself = true;
  int64_t size = 224;
  bool crops = false;
  Resample resample = Resample::bicubic;
  std::array<double, 3> mean = {0.5, 0.5, 0.5}, std = {0.5, 0.5, 0.5};
};
constexpr int64_t k_crop = 224;
constexpr std::array<double, 3> k_clip_mean = {0.48145466, 0.4578275, 0.40821073},
                                k_clip_std = {0.26862954, 0.26130258, 0.27577711};
const ProcessorKind k_kinds[] = {
    {"ViT", true, true, 224, false, Resample::bilinear},
    {"DeiT", true, true, 256, true, Resample::bicubic},
    {"Beit", true, true, 224, false, Resample::bicubic},
    {"CLIP", false, false, 224, true, Resample::bicubic, k_clip_mean, k_clip_std},
    {"Siglip", false, true, 224, false, Resample::bicubic},
    {"Bit", false, false, 224, true, Resample::bicubic, k_clip_mean, k_clip_std},
};

// "ViTImageProcessorFast" -> "ViT"
std::string stem_of(std::string type) {
  for (const char* ending : {"Fast", "Pil", "ImageProcessor", "FeatureExtractor"})
    if (type.ends_with(ending)) type.resize(type.size() - std::string_view(ending).size());
  return type;
}

// A file of the first days says no type: the model's family does.
std::string type_of(const HubConfig& file, const HubConfig& config) {
  const std::string said = file.word("image_processor_type", file.word("feature_extractor_type", ""));
  if (!said.empty()) return stem_of(said);
  const std::string model = config.word("model_type", "");
  static const std::pair<std::string_view, const char*> k_of_models[] = {
      {"deit", "DeiT"}, {"beit", "Beit"}, {"clip", "CLIP"}, {"siglip", "Siglip"}, {"dinov2", "Bit"}};
  for (const auto& [family, type] : k_of_models)
    if (model.starts_with(family)) return type;
  return "ViT";
}

const ProcessorKind& kind_of(const HubConfig& file, const HubConfig& config) {
  const std::string type = type_of(file, config);
  std::string list;
  for (const ProcessorKind& kind : k_kinds) {
    if (kind.type == type) return kind;
    list += join(list.empty() ? "" : ", ", kind.type);
  }
  file.fail(
      join("it is of a ", in_quotes(type), " image processor, which limpid does not know; it knows ", list));
}

int64_t side(const HubConfig& file, const std::string& key) {
  const int64_t size = file.size(key);
  if (size > k_most_side) file.fail(join("'", key, "' is ", size, ", expected at most ", k_most_side));
  return size;
}

// "size" or "crop_size": a number, [height, width], {height, width} or {shortest_edge}.
void read_size(const HubConfig& file, const std::string& key, bool to_square,
               std::optional<ImageProcessor::Size>& whole, int64_t* shortest_edge) {
  const Json& value = file.json().at(key);
  if (value.is_object()) {
    const HubConfig parts = file.at(key);
    if (parts.has("height") && parts.has("width")) {
      whole = ImageProcessor::Size{side(parts, "height"), side(parts, "width")};
      return;
    }
    if (shortest_edge && parts.has("shortest_edge") && !parts.has("longest_edge")) {
      *shortest_edge = side(parts, "shortest_edge");
      return;
    }
    file.fail(join("'", key, "' has other sizes than height and width, or shortest_edge"));
  }
  if (value.is_array()) {
    const std::vector<int64_t> sizes = file.integers(key);
    if (sizes.size() != 2 || sizes[0] < 1 || sizes[1] < 1 || std::max(sizes[0], sizes[1]) > k_most_side)
      file.fail(join("'", key, "' is a list, expected a height and a width"));
    whole = ImageProcessor::Size{sizes[0], sizes[1]};
    return;
  }
  const int64_t size = side(file, key);
  if (to_square || !shortest_edge)
    whole = ImageProcessor::Size{size, size};
  else
    *shortest_edge = size;
}

std::vector<double> numbers_of(const HubConfig& file, const std::string& key,
                               const std::array<double, 3>& otherwise, int64_t channels) {
  std::vector<double> numbers = file.reals(key);
  if (numbers.empty()) numbers.assign(otherwise.begin(), otherwise.begin() + std::min<int64_t>(channels, 3));
  if (numbers.size() != 1 && static_cast<int64_t>(numbers.size()) != channels)
    file.fail(join("'", key, "' has ", numbers.size(), " numbers, expected one a channel (", channels, ")"));
  return numbers;
}

ImageProcessor processor_of(const HubConfig& file, const HubConfig& config, const PatchInputs& network) {
  const ProcessorKind& kind = kind_of(file, config);
  for (const char* key : {"do_pad", "do_reduce_labels", "do_flip_channel_order", "do_thumbnail",
                          "do_align_long_axis", "crop_pct", "do_split_image"})
    file.refuse(key);
  ImageProcessor p;
  p.channels = network.channels;
  if (file.flag("do_resize", true)) {
    if (file.has("size"))
      read_size(file, "size", kind.to_square, p.resize, &p.shortest_edge);
    else if (kind.square_by_itself)
      p.resize = ImageProcessor::Size{kind.size, kind.size};
    else
      p.shortest_edge = kind.size;
  }
  if (file.flag("do_center_crop", kind.crops)) {
    p.crop = ImageProcessor::Size{k_crop, k_crop};
    if (file.has("crop_size")) read_size(file, "crop_size", true, p.crop, nullptr);
  }
  const int64_t resample =
      file.has("resample") ? file.size("resample", 0) : static_cast<int64_t>(kind.resample);
  if (resample > 5) file.fail(join("'resample' is ", resample, ", expected 0 to 5, Pillow's filters"));
  p.resample = static_cast<Resample>(resample);
  p.rescale = file.flag("do_rescale", true) ? file.real("rescale_factor", 1.0 / 255) : 1;
  if (file.flag("do_normalize", true)) {
    p.mean = numbers_of(file, "image_mean", kind.mean, p.channels);
    p.std = numbers_of(file, "image_std", kind.std, p.channels);
    if (std::count(p.std.begin(), p.std.end(), 0.0) > 0)
      file.fail("'image_std' holds 0, by which nothing is divided");
  }
  return p;
}

// Without a file: what the oldest vision transformers take.
ImageProcessor assumed(const HubConfig& config, const PatchInputs& network, std::vector<std::string>& notes) {
  ImageProcessor p;
  p.channels = network.channels;
  p.resize = ImageProcessor::Size{network.height, network.width};
  p.mean = config.reals("image_mean");
  p.std = config.reals("image_std");
  if (!p.mean.empty() && !p.std.empty()) return p;
  p.mean = p.std = {0.5};
  notes.push_back(join("its folder has no preprocessor_config.json: images are resized to ", network.width,
                       " by ", network.height,
                       " (bilinear), mean and standard deviation are taken to be 0.5"));
  return p;
}

// preprocessor_config.json, or the part of processor_config.json that is of images; empty: there is none.
std::string file_of(const std::string& folder, bool& part) {
  for (const char* name : {"preprocessor_config.json", "processor_config.json"}) {
    const std::string path = (fs::path(folder) / name).string();
    part = name == std::string_view("processor_config.json");
    if (is_file(path)) return path;
  }
  return "";
}

}  // namespace

void read_image_processor(const std::string& folder, const HubConfig& config, const PatchInputs& network,
                          ModelTasks& tasks, std::vector<std::string>& notes) {
  bool part = false;
  const std::string path = file_of(folder, part);
  try {
    if (path.empty()) {
      tasks.image = assumed(config, network, notes);
      return;
    }
    const JsonSource source{path};
    const Json document = parse_json(read_file(path), source);
    const HubConfig whole(JsonValue(document, source), path);
    if (part && !whole.has("image_processor")) {
      tasks.image = assumed(config, network, notes);
      return;
    }
    tasks.image = processor_of(part ? whole.at("image_processor") : whole, config, network);
  } catch (const Error& error) {
    tasks.image_problem = error.what();
  }
}

}  // namespace limpid
