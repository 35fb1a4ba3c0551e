// What a file of arrays holds, without reading all of it into memory: .safetensors, .npz, .npy, .gguf,
// PyTorch's checkpoints, told apart by content.
#pragma once

#include <functional>
#include <map>

#include "limpid/files.h"

namespace limpid {

struct ArrayInfo {
  std::string name;  // "" for the one array of a .npy file
  std::string type;  // limpid's name of the type ("f32"), or the file's own where limpid has none (or reads
                     // it as another: "Q4_K")
  std::string unreadable;    // why limpid cannot read it; empty: it can
  DType dtype = DType::f32;  // of its numbers as they are read
  Shape shape;
  uint64_t bytes = 0;  // of its numbers in the file
};

struct ArrayList {
  std::vector<ArrayInfo> arrays;
  std::map<std::string, std::string> metadata;  // of a .safetensors file (a .gguf file's: inspect_gguf)
  std::string values;                           // of a PyTorch checkpoint: its plain values, JSON
};

/// Every array of the file, those of types that limpid does not have too.  Throws Error{work} for a file that
/// is none of these (saying what it is), or damaged.
ArrayList list_arrays(const std::filesystem::path&);

/// Numbers counted one after another, as they stream by.
struct ArrayNumbers {
  int64_t count = 0, nan = 0, infinite = 0;
  long double least = 0, most = 0;  // of the finite ones; an int64 exactly
  double mean = 0;                  // of the finite ones
  int64_t finite() const { return count - nan - infinite; }
};

/// Reads the arrays whose names are `wanted`, a piece at a time, and counts their numbers.  An array that
/// cannot be read is passed on with a count of 0.
void measure_arrays(const std::filesystem::path&, const std::function<bool(const std::string& name)>& wanted,
                    const std::function<void(const ArrayInfo&, const ArrayNumbers&)>& each);

}  // namespace limpid
