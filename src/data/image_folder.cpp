// A folder of images, a folder a class.
#include <algorithm>
#include <cstring>

#include "core/label.h"
#include "data/classes.h"
#include "data/content.h"
#include "limpid/data.h"

namespace limpid {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t k_most_image_bytes = uint64_t{16} << 30;  // of all images together, once resized

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

bool has_image_name(const fs::path& path) {
  const std::string ending = data::lower_case(path.extension().string());
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

[[noreturn]] void fail_listing(const fs::path& folder, const std::error_code& error) {
  fail_work("cannot read ", folder.string(), ": ", error.message());
}

// What a folder holds, without what is hidden, in the order of the names' bytes: the same on every file
// system.
std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (!is_hidden(at->path())) out.push_back(at->path());
  if (error) fail_listing(folder, error);
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.string() < b.string(); });
  return out;
}

// Every file in a folder and its folders.  A link to a folder is not followed: it may lead back.
void add_files(const fs::path& folder, std::vector<fs::path>& files) {
  for (const fs::path& path : sorted_entries(folder)) {
    std::error_code none;
    if (!fs::is_directory(path, none))
      files.push_back(path);
    else if (!fs::is_symlink(path, none))
      add_files(path, files);
  }
}

struct FolderClass {
  std::string name;
  std::vector<fs::path> files;
};

std::vector<FolderClass> find_classes(const fs::path& root, SkippedRows& skipped) {
  std::error_code error;
  if (!fs::exists(root, error)) fail_work("cannot read ", root.string(), ": there is no such folder");
  if (!fs::is_directory(root, error))
    fail_work(root.string(), " is a file, expected a folder that holds a folder of images for each class");
  std::vector<FolderClass> classes;
  bool loose_images = false;
  for (const fs::path& path : sorted_entries(root)) {
    if (fs::is_directory(path, error)) {
      classes.push_back({path.filename().string(), {}});
      add_files(path, classes.back().files);
    } else {
      loose_images = loose_images || has_image_name(path);
      skipped.add(path.string() + " is in no folder of a class");
    }
  }
  if (classes.empty())
    fail_work(root.string(), loose_images ? " holds images, but no folders" : " holds no folders",
              ", expected a folder of images for each class");
  return classes;
}

// Images of one size, one after another.
class ImageRows {
 public:
  explicit ImageRows(const ImageFolderOptions& options) : options_(options) {}

  // The image of a file, in the channels that are wanted; or nothing, and why.
  std::optional<Tensor> read(const fs::path& path, SkippedRows& skipped) const {
    try {
      if (!has_image_name(path)) fail_work(path.string(), " is named neither .png nor .jpg");
      return with_channels(read_image(path), options_.channels);
    } catch (const Error& error) {
      skipped.add(error.what());
      return std::nullopt;
    }
  }

  void add(Tensor image, const fs::path& path) {
    if (options_.height == 0) options_.height = image.shape()[0].size;
    if (options_.width == 0) options_.width = image.shape()[1].size;
    if (image.shape()[0].size != options_.height || image.shape()[1].size != options_.width)
      image = resize_image(image, options_.height, options_.width, options_.resample);
    if (bytes_.size() + image.bytes() > k_most_image_bytes)
      fail_work(path.string(), ": with it the images take more than ", k_most_image_bytes, " bytes at ",
                options_.width, " by ", options_.height, " pixels; give a smaller size, or a limit");
    const auto* pixels = image.data<uint8_t>();
    bytes_.insert(bytes_.end(), pixels, pixels + image.bytes());
    ++count_;
  }

  Tensor take() {
    Tensor out(DType::u8, {{Axis::B, count_},
                           {Axis::Y, options_.height},
                           {Axis::X, options_.width},
                           {Axis::K, options_.channels}});
    std::memcpy(out.raw(), bytes_.data(), bytes_.size());
    return out;
  }

 private:
  ImageFolderOptions options_;
  std::vector<uint8_t> bytes_;
  int64_t count_ = 0;
};

// Adds the images of one class; returns how many.
int64_t add_images(const FolderClass& folder, int64_t limit, ImageRows& rows, SkippedRows& skipped) {
  int64_t taken = 0;
  for (const fs::path& file : folder.files) {
    if (limit != 0 && taken == limit) break;
    auto image = rows.read(file, skipped);
    if (!image) continue;
    rows.add(*std::move(image), file);
    ++taken;
  }
  return taken;
}

void check_folder_options(const ImageFolderOptions& options) {
  if (options.channels != 1 && options.channels != 3)
    fail_call("read_image_folder: ", options.channels, " channels, expected 1 (grey) or 3 (colours)");
  if (options.height < 0 || options.width < 0 || options.limit < 0)
    fail_call("read_image_folder: height ", options.height, ", width ", options.width, ", limit ",
              options.limit, ", expected 0 or more of each");
  if (options.height > 0 && options.width > k_most_pixels / options.height)
    fail_call("read_image_folder: images of ", options.width, " by ", options.height,
              " pixels, expected at most ", k_most_pixels, " in all");
}

}  // namespace

LabelledImages read_image_folder(const std::filesystem::path& path, const ImageFolderOptions& options,
                                 const std::vector<std::string>& classes) {
  check_folder_options(options);
  const data::ClassNumbers known(classes);
  LabelledImages out;
  ImageRows rows(options);
  std::vector<std::string> names;  // of every image's class
  for (const FolderClass& folder : find_classes(path, out.skipped)) {
    if (folder.files.empty()) out.skipped.add((path / folder.name).string() + " holds no images");
    if (!classes.empty() && !known.find(folder.name)) {
      for (const fs::path& file : folder.files)
        out.skipped.add(join(file.string(), ": its class ", data::unknown_class(folder.name, classes)));
      continue;
    }
    const int64_t taken = add_images(folder, options.limit, rows, out.skipped);
    names.insert(names.end(), static_cast<size_t>(taken), folder.name);
  }
  if (names.empty())
    fail_work(path.string(), ": none of its files is an image that can be used: ", out.skipped.first.front());
  out.classes = classes.empty() ? data::in_class_order(names) : classes;
  const data::ClassNumbers numbers(out.classes);
  for (const std::string& name : names) out.labels.push_back(numbers.of(name));
  out.images = rows.take();
  return out;
}

}  // namespace limpid
