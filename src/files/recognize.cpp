#include "files/recognize.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "core/label.h"
#include "core/utf8.h"
#include "files/byte_source.h"
#include "files/place.h"

namespace limpid {

const char* const k_no_functions =
    "limpid runs nothing from a file, and reads of a pickle tensors and plain values alone; whoever trusts "
    "the "
    "file writes its tensors as safetensors";

const char* const k_convert_pytorch =
    "python3 -c \"import json, sys, torch, safetensors.torch as s; "
    "c = torch.load(sys.argv[1], map_location='cpu', weights_only=True); "
    "d = c.get('model', c.get('state_dict', c)); a = c.get('model_args'); "
    "s.save_file({k: v.clone().contiguous() for k, v in d.items() if torch.is_tensor(v)}, sys.argv[2], "
    "{'config': json.dumps(a)} if a else None)\" FILE.pt FILE.safetensors";

namespace {

constexpr size_t k_start = 4096;       // what a kind is told by
constexpr size_t k_zip_end = 1 << 16;  // where the list of a zip's entries is looked for

struct KindName {
  FileKind kind;
  std::string_view name;
};
constexpr KindName k_names[] = {
    {FileKind::safetensors, "safetensors"},
    {FileKind::npy, "npy"},
    {FileKind::npz, "npz"},
    {FileKind::pytorch, "pytorch"},
    {FileKind::pytorch_old, "pytorch_old"},
    {FileKind::pickle, "pickle"},
    {FileKind::gguf, "gguf"},
    {FileKind::ggml, "ggml"},
    {FileKind::hdf5, "hdf5"},
    {FileKind::onnx, "onnx"},
    {FileKind::zip, "zip"},
    {FileKind::gzip, "gzip"},
    {FileKind::archive, "archive"},
    {FileKind::image, "image"},
    {FileKind::pdf, "pdf"},
    {FileKind::html, "html"},
    {FileKind::xml, "xml"},
    {FileKind::lfs_pointer, "git_lfs_pointer"},
    {FileKind::json, "json"},
    {FileKind::text, "text"},
    {FileKind::utf16, "utf16"},
    {FileKind::empty, "empty"},
    {FileKind::folder, "folder"},
    {FileKind::binary, "binary"},
};

std::string read_part(const ByteSource& source, uint64_t from, uint64_t most) {
  if (from >= source.size()) return "";
  std::string part(std::min<uint64_t>(most, source.size() - from), '\0');
  source.read(from, std::as_writable_bytes(std::span(part)));
  return part;
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

// ---- by the first bytes ------------------------------------------------------------------------------

// The number that a GGML file begins with is written little endian: "ggml" is "lmgg" in the file.
struct Magic {
  std::string_view bytes;
  FileKind kind;
  const char* what;
  const char* advice;
};

constexpr const char* k_unfinished = "the download or the copy that made it did not finish";
constexpr const char* k_decompress = "unpack it first, and give what is inside";
constexpr const char* k_pickle_advice =
    "limpid runs nothing from a file, and reads pickles only where torch.save wrote them; whoever trusts the "
    "file writes its "
    "tensors as safetensors: `limpid info FILE` shows the command";
constexpr const char* k_torch_advice =
    "`limpid info FILE` lists its tensors, and shows how they are written as safetensors";
constexpr const char* k_other_model = "limpid does not read this format; take the model's .safetensors file";
constexpr const char* k_gguf_model =
    "`limpid info` reads it, but limpid runs no model of this format; take the model's .safetensors file";

constexpr const char* k_image_advice =
    "a model that reads images takes it: limpid classify FILE --model FOLDER";
constexpr const char* k_other_image = "limpid reads PNG and JPEG; save it as one of them";

constexpr Magic k_magics[] = {
    {"\x93NUMPY", FileKind::npy, "a NumPy array (.npy)", ""},
    {"GGUF", FileKind::gguf, "a GGUF model (llama.cpp)", k_gguf_model},
    {"lmgg", FileKind::ggml, "a GGML model (llama.cpp, before GGUF)", k_other_model},
    {"fmgg", FileKind::ggml, "a GGML model (llama.cpp, before GGUF)", k_other_model},
    {"tjgg", FileKind::ggml, "a GGML model (llama.cpp, before GGUF)", k_other_model},
    {"\x89HDF\r\n\x1a\n", FileKind::hdf5, "an HDF5 file (Keras writes its weights so)", k_other_model},
    {"\x1f\x8b", FileKind::gzip, "a gzip file", "unpack it first: gunzip -k FILE"},
    {"\x28\xb5\x2f\xfd", FileKind::archive, "a Zstandard file", k_decompress},
    {"\xfd"
     "7zXZ",
     FileKind::archive, "an xz file", k_decompress},
    {"BZh", FileKind::archive, "a bzip2 file", k_decompress},
    {"7z\xbc\xaf\x27\x1c", FileKind::archive, "a 7-Zip archive", k_decompress},
    {"\x89PNG\r\n\x1a\n", FileKind::image, "a PNG image", k_image_advice},
    {"\xff\xd8\xff", FileKind::image, "a JPEG image", k_image_advice},
    {"GIF8", FileKind::image, "a GIF image", k_other_image},
    {std::string_view("II*\0", 4), FileKind::image, "a TIFF image", k_other_image},
    {std::string_view("MM\0*", 4), FileKind::image, "a TIFF image", k_other_image},
    {"%PDF-", FileKind::pdf, "a PDF", "limpid reads no documents; give the text itself"},
    {"\xff\xfe", FileKind::utf16, "text in UTF-16", "make it UTF-8 first: iconv -f UTF-16 -t UTF-8 FILE"},
    {"\xfe\xff", FileKind::utf16, "text in UTF-16", "make it UTF-8 first: iconv -f UTF-16 -t UTF-8 FILE"},
};

bool is_webp(std::string_view start) {
  return start.size() >= 12 && start.starts_with("RIFF") && start.substr(8, 4) == "WEBP";
}

bool is_heif(std::string_view start) {
  if (start.size() < 12 || start.substr(4, 4) != "ftyp") return false;
  const std::string_view brand = start.substr(8, 4);
  return brand == "avif" || brand == "heic" || brand == "heix" || brand == "mif1";
}

bool is_safetensors(std::string_view start) {
  constexpr uint64_t k_most = 100'000'000;
  if (start.size() < 9 || start[8] != '{') return false;
  uint64_t length = 0;
  for (size_t i = 0; i < 8; ++i) length |= uint64_t{static_cast<unsigned char>(start[i])} << (8 * i);
  return length <= k_most;
}

RecognizedFile torch_zip() {
  return {FileKind::pytorch, "a PyTorch checkpoint (torch.save: a zip with a pickle in it)", k_torch_advice};
}

constexpr std::string_view k_zip_entry = "PK\3\4", k_zip_list_end = "PK\5\6";

// A file that begins as a zip does and has no list of its entries, where zips end.
bool is_cut_zip(std::string_view start, std::string_view tail) {
  constexpr size_t k_least = 2;  // "PK"
  const bool cut_in_the_first = start.size() >= k_least && k_zip_entry.starts_with(start);
  return cut_in_the_first || (start.starts_with(k_zip_entry) && !has(tail, k_zip_list_end));
}

// What a cut zip was to be, by its name; its reader says what is wrong with it.  Nothing for other names.
std::optional<RecognizedFile> kind_of_cut_zip(const std::string& name) {
  for (const char* ending : {".pt", ".pth", ".bin", ".ckpt"})
    if (name.ends_with(ending)) return torch_zip();
  if (name.ends_with(".npz")) return RecognizedFile{FileKind::npz, "NumPy arrays (.npz)", ""};
  return std::nullopt;
}

RecognizedFile zip_kind(const ByteSource& source, std::string_view start) {
  const uint64_t size = std::min<uint64_t>(source.size(), k_zip_end);
  const std::string tail = read_part(source, source.size() - size, size), entries = std::string(start) + tail;
  if (has(entries, "/data.pkl") || has(entries, "constants.pkl")) return torch_zip();
  if (has(entries, ".npy") || start.starts_with("PK\5\6")) return {FileKind::npz, "NumPy arrays (.npz)", ""};
  if (has(entries, "model.weights.h5")) return {FileKind::hdf5, "a Keras model (.keras)", k_other_model};
  if (is_cut_zip(start, tail)) {
    if (auto named = kind_of_cut_zip(source.name())) return *named;
    return {FileKind::zip, "a zip archive that was cut short", k_unfinished};
  }
  return {FileKind::zip, "a zip archive without NumPy arrays", k_decompress};
}

RecognizedFile pickle_kind(std::string_view start) {
  // torch.save before 1.6 begins with this number, pickled
  if (has(start.substr(0, 32), std::string_view("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10)))
    return {FileKind::pytorch_old, "a PyTorch checkpoint (torch.save before 1.6: pickles)", k_torch_advice};
  return {FileKind::pickle, "a Python pickle", k_pickle_advice};
}

// An ONNX file is a message whose first fields are ir_version (a small number) and the producer's name.
bool is_onnx(std::string_view start) {
  return start.size() > 4 && start[0] == 8 && start[1] > 0 && start[1] < 30 &&
         (start[2] == 0x12 || start[2] == 0x3a) && start[3] >= 0;
}

// ---- text --------------------------------------------------------------------------------------------

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

// Whether these first bytes of a file are text; a character may be cut at their end.
bool is_text(std::string_view start, bool whole) {
  const size_t bad = first_not_utf8(start);
  if (bad != start.npos && (whole || start.size() - bad > 3)) return false;
  return std::none_of(start.begin(), start.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 && std::string_view("\t\n\v\f\r\x1b").find(c) == std::string_view::npos;
  });
}

// "size 497774208" of an LFS pointer, for people; empty if it is not there.
std::string lfs_size(std::string_view text) {
  const size_t at = text.find("\nsize ");
  if (at == text.npos) return "";
  const std::string_view digits = text.substr(at + 6, text.find('\n', at + 6) - at - 6);
  const bool number =
      !digits.empty() && digits.size() < 20 && digits.find_first_not_of("0123456789") == digits.npos;
  return number ? " of " + std::string(digits) + " bytes" : "";
}

// Of a list the first item: a vocabulary that begins with [PAD] is none.
bool begins_like_json(std::string_view begin) {
  if (begin.starts_with('{')) return true;
  if (!begin.starts_with('[') || begin.starts_with("[[:")) return false;
  const size_t item = begin.find_first_not_of(" \t\r\n", 1);
  return item == begin.npos ||
         std::string_view("\"{[]-0123456789tfn").find(begin[item]) != std::string_view::npos;
}

RecognizedFile text_kind(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const size_t first = text.find_first_not_of(" \t\r\n\v\f");
  const std::string_view begin = first == text.npos ? "" : text.substr(first);
  const std::string low = lower(begin.substr(0, 512));
  if (text.starts_with("version https://git-lfs.github.com/spec/"))
    return {FileKind::lfs_pointer,
            "a Git LFS pointer, a note where the file itself" + lfs_size(text) + " is kept",
            "fetch it: `git lfs pull` in its repository, or download it from the hub's page"};
  if (low.starts_with("<!doctype html") || low.starts_with("<html") ||
      (low.starts_with("<!--") && has(low, "<html")))
    return {FileKind::html, "an HTML page, which a browser or a hub gave instead of the file",
            "download the file itself (on Hugging Face: its address with /resolve/ instead of /blob/)"};
  if (low.starts_with("<?xml") || low.starts_with("<svg"))
    return {FileKind::xml, low.starts_with("<svg") || has(low, "<svg") ? "an SVG figure" : "an XML document",
            "limpid does not read it"};
  if (begins_like_json(begin)) return {FileKind::json, "a JSON text", "it holds no arrays"};
  return {FileKind::text, "a text", "to run it through a model: limpid trace @FILE"};
}

}  // namespace

std::string_view name(FileKind kind) {
  for (const KindName& each : k_names)
    if (each.kind == kind) return each.name;
  return "binary";
}

RecognizedFile recognize(const ByteSource& source) {
  if (source.size() == 0) return {FileKind::empty, "empty (0 bytes)", k_unfinished};
  const std::string start = read_part(source, 0, k_start);
  if (is_safetensors(start)) return {FileKind::safetensors, "a safetensors file", ""};
  if (start.starts_with(k_zip_entry) || start.starts_with(k_zip_list_end)) return zip_kind(source, start);
  if (is_cut_zip(start, ""))  // before the first entry's four bytes
    if (auto named = kind_of_cut_zip(source.name())) return *named;
  for (const Magic& magic : k_magics)
    if (start.starts_with(magic.bytes)) return {magic.kind, magic.what, magic.advice};
  if (is_webp(start)) return {FileKind::image, "a WebP image", k_other_image};
  if (is_heif(start)) return {FileKind::image, "a HEIF or AVIF image", k_other_image};
  if (start.size() > 2 && start[0] == '\x80' && start[1] >= 2 && start[1] <= 5) return pickle_kind(start);
  if (start.size() > 262 && std::string_view(start).substr(257, 5) == "ustar")
    return {FileKind::archive, "a tar archive", "unpack it first: tar xf FILE"};
  if (start.size() > 40 && start.substr(12, 40).find("brain.Event:") != start.npos)  // behind a record's head
    return {FileKind::binary, "events of a training run", "tensorboard --logdir FOLDER shows them"};
  if (is_onnx(start)) return {FileKind::onnx, "an ONNX model", k_other_model};
  if (is_text(start, start.size() == source.size())) return text_kind(start);
  return {FileKind::binary, "a file of a kind that limpid does not know",
          "limpid reads .safetensors, .npz, .npy, .gguf and PyTorch's .pt, .pth and .bin files"};
}

RecognizedFile recognize(const std::filesystem::path& path) {
  if (is_folder(path)) return {FileKind::folder, "a folder", "`limpid info FOLDER` lists what it holds"};
  return recognize(*open_source(path));
}

void refuse_other_kinds(const ByteSource& source, FileKind expected) {
  const RecognizedFile seen = recognize(source);
  if (seen.kind == expected || seen.kind == FileKind::binary) return;
  const char* wanted = expected == FileKind::npy       ? "a .npy file"
                       : expected == FileKind::npz     ? "a .npz file"
                       : expected == FileKind::gguf    ? "a .gguf file"
                       : expected == FileKind::pytorch ? "a PyTorch checkpoint"
                                                       : "a .safetensors file";
  fail_work(source.name(), " is ", seen.what, ", expected ", wanted, seen.advice.empty() ? "" : "; ",
            seen.advice);
}

}  // namespace limpid
