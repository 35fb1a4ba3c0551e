// What a file is, told by its first bytes alone: nothing in it is run or unpickled.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace limpid {

class ByteSource;

enum class FileKind {
  safetensors,
  npy,
  npz,
  pytorch,      // torch.save since 1.6: a zip that holds data.pkl
  pytorch_old,  // torch.save before: pickles one after another
  pickle,
  gguf,
  ggml,  // llama.cpp's files before GGUF
  hdf5,
  onnx,
  zip,
  gzip,
  archive,  // tar, xz, zstd, bzip2, 7z
  image,
  pdf,
  html,
  xml,
  lfs_pointer,
  json,
  text,
  utf16,
  empty,
  folder,
  binary,  // none of these
};

/// One word for programs: "safetensors", "git_lfs_pointer", ...
std::string_view name(FileKind);

struct RecognizedFile {
  FileKind kind = FileKind::binary;
  std::string what;    // after "FILE is ": "a PyTorch checkpoint"
  std::string advice;  // what to do with it, a part of a sentence; empty where limpid's readers take it
};

/// Throws Error{work} where the path cannot be read.
RecognizedFile recognize(const std::filesystem::path&);
RecognizedFile recognize(const ByteSource&);

/// For a reader whose format the source is not: throws Error{work} saying what it is instead and what to do,
/// if it is recognised as another kind; returns if it is of this kind, or nothing known (the reader says what
/// is wrong).
void refuse_other_kinds(const ByteSource&, FileKind expected);

/// Why not all of a pickle is read, and what to do instead: a part of a sentence, which goes on with how.
extern const char* const k_no_functions;
/// How a trusted PyTorch checkpoint becomes a .safetensors file: one shell command.
extern const char* const k_convert_pytorch;

}  // namespace limpid
