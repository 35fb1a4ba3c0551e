// The trace file, docs/trace-file.md: values by name in .safetensors or .npz, everything else in one JSON
// document.
#include <algorithm>
#include <cctype>
#include <utility>

#include "core/label.h"
#include "limpid/files.h"
#include "limpid/trace.h"
#include "trace/metadata.h"

namespace limpid {

namespace {

constexpr const char* k_metadata = "limpid";  // of __metadata__
constexpr const char* k_npz_metadata = "metadata.json";

bool ends_with(std::string text, std::string_view end) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// 16-bit values as f32, so that any reader opens the file.
bool widened(DType dtype) { return dtype == DType::bf16 || dtype == DType::f16; }

// What the file holds: views of the trace's own numbers, and of the converted ones that `made` keeps.
std::map<std::string, ConstView> arrays_of(const Trace& trace, std::map<std::string, Tensor>& made) {
  std::map<std::string, ConstView> out;
  const auto add = [&](const std::string& name, const Tensor& tensor) {
    if (widened(tensor.dtype())) made[name] = tensor.to(DType::f32);
    const auto found = made.find(name);
    out.emplace(name, found == made.end() ? tensor.view() : std::as_const(found->second).view());
  };
  for (const auto& [name, tensor] : trace.values) add(name, tensor);
  for (const auto& [name, tensor] : trace.parameters)
    if (!out.count(name)) add(name, tensor);  // one that was observed too is written once, as the run read it
  return out;
}

Tensor bytes_tensor(const std::string& text) {
  Tensor out(DType::u8, Shape::unnamed({static_cast<int64_t>(text.size())}));
  std::copy(text.begin(), text.end(), out.data<uint8_t>());
  return out;
}

// The metadata and the tensors of either kind of file.
struct Stored {
  std::string metadata;
  std::map<std::string, Tensor> tensors;
};

Stored read_npz_trace(const std::string& path, const std::string& file) {
  Stored out;
  out.tensors = read_npz(path);
  const auto found = out.tensors.find(k_npz_metadata);
  if (found == out.tensors.end() || found->second.dtype() != DType::u8)
    fail_work(file, " is no limpid trace: it has no u8 array \"", k_npz_metadata, "\"; limpid info ", file,
              " shows what it holds");
  const auto* bytes = found->second.data<uint8_t>();
  out.metadata.assign(bytes, bytes + found->second.count());
  out.tensors.erase(found);
  return out;
}

Stored stored_in(TensorFile stored, const std::string& file) {
  const auto found = stored.metadata.find(k_metadata);
  if (found == stored.metadata.end())
    fail_work(file, " is no limpid trace: its __metadata__ has no \"", k_metadata, "\" entry; limpid info ",
              file, " shows what it holds");
  return {found->second, std::move(stored.tensors)};
}

Trace trace_in(Stored stored, const std::string& file) {
  Trace trace = trace_of_metadata(stored.metadata, file);
  place_values(trace, std::move(stored.tensors), file);
  return trace;
}

}  // namespace

void save(const Trace& trace, const std::string& path) {
  const bool npz = ends_with(path, ".npz");
  if (!npz && !ends_with(path, ".safetensors"))
    fail_call("trace: cannot tell how to write '", visible(path),
              "'; expected a name that ends with .safetensors or .npz");
  std::map<std::string, Tensor> made;
  std::map<std::string, ConstView> arrays = arrays_of(trace, made);
  const std::string metadata = metadata_json(trace);
  if (!npz) return write_safetensors(path, arrays, {{k_metadata, metadata}});
  made[k_npz_metadata] = bytes_tensor(metadata);
  arrays[k_npz_metadata] = std::as_const(made[k_npz_metadata]).view();
  write_npz(path, arrays);
}

std::string trace_bytes(const Trace& trace) {
  TensorFile file;
  file.metadata[k_metadata] = metadata_json(trace);
  std::map<std::string, Tensor> made;
  for (const auto& [name, view] : arrays_of(trace, made)) file.tensors[name] = Tensor::copy_of(view);
  return safetensors_bytes(file);
}

Trace load_trace(const std::string& path) {
  const std::string file = visible(path);
  return trace_in(
      ends_with(path, ".npz") ? read_npz_trace(path, file) : stored_in(read_safetensors(path), file), file);
}

Trace read_trace(Bytes bytes, const std::string& name) {
  const std::string file = visible(name);
  return trace_in(stored_in(read_safetensors(bytes, name), file), file);
}

bool is_trace(Bytes bytes) {
  try {
    return SafetensorsReader(bytes, "").info().metadata.count(k_metadata) > 0;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace limpid
