// A model's tensors by name, whatever they are kept in: one .safetensors file, several with an index,
// PyTorch's checkpoints, one or several.  A loader of models asks this and knows no format.
#pragma once

#include <optional>

#include "limpid/files.h"
#include "limpid/stored.h"

namespace LIMPID_API limpid {

class TensorSource {
 public:
  struct Entry {
    std::string name;
    DType dtype = DType::f32;  // what read() gives
    Shape shape;
    /// The type's name in the file where it is not dtype's ("F8_E4M3"), else empty.
    std::string stored;
    /// Why limpid cannot read it ("limpid has no type U64"), else empty.
    std::string unreadable;
    std::filesystem::path file;  // that holds it
  };

  virtual ~TensorSource() = default;
  TensorSource(const TensorSource&) = delete;
  TensorSource& operator=(const TensorSource&) = delete;

  /// The file or folder that was opened, for messages.
  virtual const std::string& name() const = 0;
  /// Sorted.
  virtual std::vector<std::string> names() const = 0;
  /// The entry of that name, or null.
  virtual const Entry* find(std::string_view name) const = 0;
  /// A copy of its numbers.  Throws Error{call} if there is no tensor of that name, Error{work} where it
  /// cannot be read.  One thread at a time.
  virtual Tensor read(std::string_view name) const = 0;

  /// How the rows of a matrix can be kept: blocks that limpid multiplies by as they stand in the file, other
  /// quantised numbers as bf16 (rounded), 16-bit floats as they are.
  struct Rows {
    DType dtype = DType::bf16;
    BlockType blocks = BlockType::none;
    int64_t rows = 0, columns = 0;  // of more than two axes the first is the rows
    size_t bytes = 0;               // of a row
  };
  /// Nothing where the file has no rows to copy: then read() is the way.
  virtual std::optional<Rows> rows_of(std::string_view /*name*/) const { return {}; }
  /// Copies row r of a tensor that has rows_of(): so many bytes as that says.
  virtual void copy_row(std::string_view name, int64_t r, std::byte* to) const;
  /// The tensor's bytes are not needed for a while: memory that reading them took is given back.
  virtual void forget(std::string_view /*name*/) const {}
  /// What the file says beside its tensors: "__metadata__" of a .safetensors file; the plain values of a
  /// PyTorch checkpoint, text as it is, others as JSON (nanoGPT's "model_args": {"n_layer":12,...}).  Of
  /// several files, the first's that says a thing.
  virtual const std::map<std::string, std::string>& metadata() const = 0;

 protected:
  TensorSource() = default;
};

/// Opens a file by its content, or a folder of the hub's: of model.safetensors, model.safetensors.index.json,
/// pytorch_model.bin and pytorch_model.bin.index.json the first that is there.  An index may be given itself.
///
/// A PyTorch checkpoint's model is what is meant: names are those of its state dict (without model_prefix(),
/// see limpid/torch_file.h), and tensors beside it (an optimizer's) are left out.  A tensor that stands in a
/// file but not in the index is read too.  Files are mapped: they must not become shorter meanwhile.
///
/// Throws Error{work} for what is no such file; for an index that names a file which is not there, or not
/// beside it, or which lacks a tensor; and for a tensor that two files hold.
std::unique_ptr<TensorSource> open_tensors(const std::filesystem::path& path);

}  // namespace LIMPID_API limpid
