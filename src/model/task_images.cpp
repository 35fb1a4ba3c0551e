// Images on their way through a model, several at once.
#include <algorithm>
#include <cctype>
#include <filesystem>

#include "model/task_inputs.h"

namespace limpid {

namespace fs = std::filesystem;

ImageSource image_file(const std::string& path) {
  return {path, [path] { return read_image(fs::path(path)); }};
}

ImageSource image_in_memory(Bytes bytes, const std::string& name) {
  return {name, [bytes, name] { return read_image(bytes, name); }};
}

std::vector<ImageSource> images_in_folder(const std::string& path) {
  const auto is_image = [](const fs::path& file) {
    std::string ending = file.extension().string();
    std::transform(ending.begin(), ending.end(), ending.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
  };
  std::error_code error;
  std::vector<std::string> files;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error))
    if (is_image(at->path()) && !at->is_directory()) files.push_back(at->path().string());
  if (error) fail_work("cannot read ", path, ": ", error.message());
  if (files.empty()) fail_work(path, " is a folder without .png, .jpg or .jpeg files");
  std::sort(files.begin(), files.end());
  std::vector<ImageSource> images;
  for (const std::string& file : files) images.push_back(image_file(file));
  return images;
}

void require_images(const Model& model, const std::vector<ImageSource>& images) {
  if (!reads_images(model.config())) fail_call("this model reads texts, not images; give texts");
  if (images.empty()) fail_call("no images given; give at least one");
}

namespace {

// Images [first, end) one behind the other: [B,K,Y,X].
Tensor batch_of(const Model& model, const std::vector<ImageSource>& images, size_t first, size_t end) {
  Tensor all;
  for (size_t i = first; i < end; ++i) {
    const Tensor image = images[i].read();
    Tensor one;
    try {
      one = model.image_input(image);
    } catch (const Error& error) {
      throw Error(error.kind(), join(images[i].name, ": ", error.what()));
    }
    if (i == first) {
      Shape shape = one.shape();
      shape[0].size = static_cast<int64_t>(end - first);
      all = Tensor(DType::f32, shape);
    }
    std::copy_n(one.data<float>(), one.count(),
                all.data<float>() + static_cast<int64_t>(i - first) * one.count());
  }
  return all;
}

}  // namespace

void run_images(const Model& model, const std::vector<ImageSource>& images, const std::string& value,
                const BatchOptions& options,
                const std::function<void(size_t image, const float* rows, int64_t width)>& each) {
  if (options.batch < 1) fail_call("batch is ", options.batch, ", expected at least 1");
  const std::string name = model.graph().value(model.graph().require(value)).name;
  const size_t count = images.size();
  for (size_t first = 0; first < count;) {
    const size_t end = std::min(count, first + static_cast<size_t>(options.batch));
    RunOptions run;
    run.keep = {name};
    if (options.progress)
      run.progress = [&](double done, const std::string& next) {
        const double share = static_cast<double>(first) + done * static_cast<double>(end - first);
        options.progress(share / static_cast<double>(count), next);
      };
    const RunResult result = model.run(batch_of(model, images, first, end), run);
    const Tensor& got = result[name];  // [B,T,width] or [B,width]
    const int64_t each_image = got.count() / static_cast<int64_t>(end - first);
    for (size_t i = first; i < end; ++i)
      each(i, got.data<float>() + static_cast<int64_t>(i - first) * each_image,
           got.shape()[got.shape().rank() - 1].size);
    first = end;
  }
}

}  // namespace limpid
