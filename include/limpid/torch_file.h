// PyTorch's checkpoints (.pt, .pth, .bin): what torch.save writes, read without Python and without running
// anything.
//
// Such a file is a pickle, a program that Python runs when it opens it.  limpid runs none: it builds the
// plain values (None, bool, int, float, str, bytes, list, tuple, dict, set; torch.Size, torch.device,
// torch.dtype) and the tensors, and refuses whatever else the pickle asks for by its name ("model.bin: the
// pickle asks for os.system;
// ...").  Both forms are read: the zip (torch.save since 1.6;
// docs.pytorch.org/docs/stable/notes/serialization.html) and pickles one after another (before, or
// _use_new_zipfile_serialization=False).
//
// Names.  A tensor is called by the keys on the way to it, with "/" between them; a key stays as it is, and
// so the dots of a state dict's keys do.  In {"model": {"wte.weight": W}, "optimizer": {"state": {0:
// {"exp_avg": E}}}} the tensors are "model/wte.weight" and "optimizer/state/0/exp_avg"; in a state dict by
// itself, "wte.weight".  An item of a list is called by its place, a tensor that is all of the file "".
// Tensors that share numbers (tied tables) are listed under each of their names.
//
// What is wrong with a file is an Error{work}; see limpid/files.h.
#pragma once

#include "limpid/files.h"

namespace LIMPID_API limpid {

/// What a checkpoint says it holds.
struct TorchInfo {
  struct Entry {
    std::string name;
    DType dtype = DType::f32;
    Shape shape;
    uint64_t bytes = 0;  // of its numbers in the file
    /// PyTorch's name of the type where it is not dtype's ("float8_e4m3fn", read as bf16, which holds each of
    /// its numbers exactly; "complex64"), else empty.
    std::string stored;
    /// Why limpid cannot read it, else empty.  `dtype` then means nothing.
    std::string unreadable;
  };
  std::vector<Entry> entries;  // in the order of the pickle
  /// The plain values as JSON: a dict is an object (keys that are no text as Python prints them), a list,
  /// tuple or set an array.  Tensors are left out of a dict, null in a list; what holds tensors alone is left
  /// out whole. bytes are {"bytes": "00ff"}; infinities and NaN texts; torch.float32 and devices texts.
  std::string values;

  /// The entry of that name, or null.
  const Entry* find(std::string_view name) const;
};

/// How the names of a checkpoint's model begin: "model/", "state_dict/", "model_state_dict/" or "module/",
/// whichever is there first; "" where there is none, as in a state dict by itself.
std::string model_prefix(const TorchInfo&);

/// The values and the list of tensors; no tensor's numbers are read.
TorchInfo inspect_torch(const std::filesystem::path& path);

/// Reads tensors one at a time.  The file is mapped: it must not become shorter meanwhile.  One thread at a
/// time.
class TorchReader {
 public:
  explicit TorchReader(const std::filesystem::path& path);
  /// Reads from memory that outlives the reader; `name` stands for the file in messages.
  TorchReader(Bytes bytes, std::string_view name);
  ~TorchReader();
  TorchReader(TorchReader&&) noexcept;
  TorchReader& operator=(TorchReader&&) noexcept;

  const TorchInfo& info() const;
  /// A copy in C order, whatever the tensor's strides were.  Throws Error{call} if there is no tensor of that
  /// name, Error{work} where limpid has no such type or the numbers are damaged.
  Tensor read(std::string_view name) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace LIMPID_API limpid
