// What limpid reads of a file of tensors, for a program in another language (tests/pytorch_files.py):
//
//   stored_tensors torch FILE OUT.safetensors     every tensor of a PyTorch checkpoint; its values as
//   metadata stored_tensors source PATH OUT.safetensors    what a loader of models sees:
//   limpid/tensor_source.h
//
// Types that limpid does not have are left out, and listed as metadata.
#include <iostream>

#include "limpid/tensor_source.h"
#include "limpid/torch_file.h"

namespace limpid {
namespace {

TensorFile of_torch(const char* path) {
  const TorchReader reader(path);
  TensorFile file;
  file.metadata["values"] = reader.info().values;
  for (const auto& entry : reader.info().entries)
    if (entry.unreadable.empty())
      file.tensors.emplace(entry.name, reader.read(entry.name));
    else
      file.metadata["unreadable " + entry.name] = entry.unreadable;
  return file;
}

TensorFile of_source(const char* path) {
  const auto source = open_tensors(path);
  TensorFile file;
  file.metadata = source->metadata();
  for (const std::string& name : source->names())
    if (source->find(name)->unreadable.empty())
      file.tensors.emplace(name, source->read(name));
    else
      file.metadata["unreadable " + name] = source->find(name)->unreadable;
  return file;
}

}  // namespace
}  // namespace limpid

int main(int count, char** arguments) {
  const std::string mode = count == 4 ? arguments[1] : "";
  if (mode != "torch" && mode != "source") {
    std::cerr << "stored_tensors torch|source PATH OUT.safetensors\n";
    return 2;
  }
  try {
    limpid::write_safetensors(
        arguments[3], mode == "torch" ? limpid::of_torch(arguments[2]) : limpid::of_source(arguments[2]));
  } catch (const limpid::Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
