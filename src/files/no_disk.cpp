// In a page (preset `web`) there is no disk, and no library that some kinds of files need: what is asked of
// them says so.
#include "files/mapped_file.h"
#include "files/npz.h"
#include "files/place.h"
#include "limpid/image.h"
#include "limpid/torch_file.h"

namespace limpid {

namespace disk {

bool is_file(const std::filesystem::path&) { return false; }
bool is_folder(const std::filesystem::path&) { return false; }
std::vector<std::string> names_in(const std::filesystem::path&) { return {}; }
std::unique_ptr<ByteSource> open(const std::filesystem::path& path) {
  fail_work("cannot read ", path.string(), ": it is not among the files that the page was given");
}
std::string read(const std::filesystem::path& path) { return open(path)->name(); }

}  // namespace disk

namespace {

[[noreturn]] void fail_elsewhere(const std::string& name, const char* what) {
  fail_work(name, ": ", what,
            " cannot be read in a page; give the model as .safetensors or .gguf, or give it to limpid on the "
            "command line");
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
  if (const auto bytes = in_memory(path))
    bytes_ = *bytes;
  else
    read_ = disk::read(path);
}
MappedFile::~MappedFile() = default;
void MappedFile::forget(Bytes) const {}

std::map<std::string, Tensor> read_npz(const std::filesystem::path& path) {
  fail_elsewhere(path.string(), "a .npz file");
}

Tensor read_image(Bytes, std::string_view name) { fail_elsewhere(std::string(name), "an image"); }
Tensor read_image(const std::filesystem::path& path) { fail_elsewhere(path.string(), "an image"); }

struct TorchReader::State {};
TorchReader::TorchReader(const std::filesystem::path& path) {
  fail_elsewhere(path.string(), "a PyTorch checkpoint");
}
TorchReader::~TorchReader() = default;
const TorchInfo& TorchReader::info() const { fail_work("no PyTorch checkpoint is open"); }
Tensor TorchReader::read(std::string_view) const { fail_work("no PyTorch checkpoint is open"); }
std::string model_prefix(const TorchInfo&) { return ""; }

}  // namespace limpid
