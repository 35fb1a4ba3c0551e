// Where a checkpoint keeps its pickle and its numbers: a zip (torch.save since 1.6), or pickles and numbers
// one after another (before).
#pragma once

#include <memory>

#include "files/torch/pickle.h"

namespace limpid::torch {

class Container {
 public:
  virtual ~Container() = default;
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  const Pickled& pickled() const { return pickled_; }
  /// How many bytes a storage has; throws Error{work} where it has none in the file.  At most a hundred times
  /// the file's size, or 256 MB.
  virtual uint64_t storage_bytes(std::string_view key) const = 0;
  /// Fills `into` with its bytes from `offset` on, which are there.
  virtual void read(std::string_view key, uint64_t offset, std::span<std::byte> into) const = 0;

 protected:
  Container() = default;
  Pickled pickled_;
};

/// `bytes` and `name` (the file, for messages) outlive the container.
std::unique_ptr<Container> open_zip(Bytes bytes, const std::string& name);
std::unique_ptr<Container> open_old(Bytes bytes, const std::string& name);

}  // namespace limpid::torch
