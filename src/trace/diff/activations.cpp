// Activations out of files: a trace, or another program's arrays.
#include <algorithm>
#include <filesystem>

#include "core/label.h"
#include "limpid/diff.h"
#include "limpid/files.h"

namespace limpid {

namespace {

namespace fs = std::filesystem;

constexpr size_t k_most_files = 10000;  // of a folder

Activations from_safetensors(const fs::path& path) {
  TensorFile file = read_safetensors(path);
  if (file.metadata.count("limpid")) return activations_of(load_trace(path.string()), path.string());
  return {path.string(), std::move(file.tensors), nullptr, {}, {}};
}

Activations from_npz(const fs::path& path) {
  std::map<std::string, Tensor> arrays = read_npz(path);
  if (arrays.count("metadata.json")) return activations_of(load_trace(path.string()), path.string());
  return {path.string(), std::move(arrays), nullptr, {}, {}};
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

Activations from_file(const fs::path& path) {
  const std::string end = lower(path.extension().string());
  if (end == ".safetensors") return from_safetensors(path);
  if (end == ".npz") return from_npz(path);
  if (end == ".npy") {
    Activations out{path.string(), {}, nullptr, {}, {}};
    out.arrays.emplace(path.stem().string(), read_npy(path));
    return out;
  }
  fail_work(visible(path.string()),
            " is no file of activations; expected a trace, or arrays as .safetensors, .npz or .npy, or a "
            "folder of such files");
}

bool holds_arrays(const fs::path& path) {
  const std::string end = lower(path.extension().string());
  return end == ".safetensors" || end == ".npz" || end == ".npy";
}

Activations from_folder(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    files.push_back(entry->path());
    if (files.size() > k_most_files)
      fail_work(visible(folder.string()), " holds more than ", k_most_files,
                " files; give a folder of one run");
  }
  if (error) fail_work("cannot read the folder ", visible(folder.string()), ": ", error.message());
  std::sort(files.begin(), files.end());
  Activations out{folder.string(), {}, nullptr, {}, {}};
  for (const fs::path& file : files) {
    if (!holds_arrays(file)) {
      out.ignored.push_back(visible(file.filename().string()));
      continue;
    }
    Activations part = from_file(file);
    if (part.graph) fail_work(visible(file.string()), " is a trace; give it itself in place of its folder");
    for (auto& [name, tensor] : part.arrays)
      if (!out.arrays.emplace(name, std::move(tensor)).second)
        fail_work(visible(folder.string()), ": two files hold an array '", visible(name), "'");
  }
  return out;
}

}  // namespace

Activations load_activations(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) fail_work(visible(path), " is not there; give a trace or a file of activations");
  Activations out = fs::is_directory(status) ? from_folder(path) : from_file(path);
  out.source = path;
  if (out.arrays.empty())
    fail_work(visible(path), " holds no array; expected activations as .safetensors, .npz or .npy");
  return out;
}

Activations activations_of(const Trace& trace, std::string source) {
  Activations out{std::move(source), {}, trace.graph, trace.parameters, {}};
  for (const auto& [name, tensor] : trace.values)
    if (name.find('@') == name.npos) out.arrays.emplace(name, tensor);
  // A trace that kept no ids still says which tokens it read.
  if (!out.arrays.count("tokens") && !trace.tokens.empty() && trace.graph &&
      trace.graph->find("tokens") >= 0 && !trace.words_of_pieces) {
    std::vector<int64_t> ids;
    for (const Token& token : trace.tokens) ids.push_back(token.id);
    out.arrays.emplace("tokens",
                       Tensor::of<int64_t>({{Axis::B, 1}, {Axis::T, static_cast<int64_t>(ids.size())}}, ids));
  }
  return out;
}

}  // namespace limpid
