#include "limpid/images.h"

#include <filesystem>

#include "core/label.h"
#include "files/recognize.h"

namespace limpid::command {

namespace {

namespace fs = std::filesystem;

std::string path_of(const std::string& argument) {
  return argument.starts_with('@') && argument.size() > 1 ? argument.substr(1) : argument;
}

constexpr const char* k_give = "this model reads images; give a PNG or JPEG file";

}  // namespace

ImageSource image_named(const std::string& argument) {
  const std::string path = path_of(argument);
  std::error_code none;
  if (path.empty() || path == "-") fail_call(k_give, " by its name");
  if (fs::is_directory(path, none)) fail_call(k_give, "; ", path, " is a folder");
  if (!fs::exists(path, none)) fail_call(k_give, "; there is none that is called ", in_quotes(path));
  return image_file(path);
}

std::vector<ImageSource> images_named(const std::vector<std::string>& arguments) {
  if (arguments.empty()) fail_call(k_give, ", several, or a folder of them");
  std::vector<ImageSource> images;
  for (const std::string& argument : arguments) {
    std::error_code none;
    if (!fs::is_directory(path_of(argument), none)) {
      images.push_back(image_named(argument));
      continue;
    }
    for (ImageSource& image : images_in_folder(path_of(argument))) images.push_back(std::move(image));
  }
  return images;
}

namespace {

// What an image file is; nothing where the argument names none.
std::optional<std::string> image_there(const std::string& argument) {
  std::error_code none;
  if (!fs::is_regular_file(path_of(argument), none)) return {};
  const RecognizedFile seen = recognize(fs::path(path_of(argument)));
  return seen.kind == FileKind::image ? std::optional(seen.what) : std::nullopt;
}

}  // namespace

bool names_images(const std::string& argument) {
  std::error_code none;
  return image_there(argument) || (!argument.empty() && fs::is_directory(path_of(argument), none));
}

Model tower_for(Model model, bool images) {
  if (!has_towers(model.config())) return model;
  return std::move(model).take_tower(images ? Tower::images : Tower::texts);
}

void refuse_image(const std::string& argument) {
  const std::optional<std::string> seen = image_there(argument);
  if (!seen) return;
  fail_call(argument, " is ", *seen,
            ", and this model reads texts; give a text, or --model with one that reads images");
}

}  // namespace limpid::command
