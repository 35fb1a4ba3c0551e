// A pickle as plain values and tensors.  Nothing in it is run: of Python's functions and classes the few
// below are understood (torch.save needs them), each as what it stands for; any other is refused by its name.
//
// Values refer to each other by number, as a pickle's do through its memo: one may stand in many places, and
// a list may hold itself.  Who walks them bounds depth and count (files/torch/contents.h).
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "files/torch/element.h"
#include "limpid/files.h"

namespace limpid::torch {

using Ref = uint32_t;  // a place in Pickled::values

enum class Kind : uint8_t {
  none,
  boolean,  // number
  integer,  // number
  real,     // real
  text,     // text: UTF-8, or what a file has in its place
  bytes,    // text
  word,     // text: how Python prints it: torch.float32, cuda:0, an integer beyond 64 bits in hexadecimal
  list,     // items; torch.Size is a tuple
  tuple,
  set,
  dict,      // items: key, value, key, value, ...; a later key replaces an earlier one
  function,  // number: one of Function; text: its name in Python
  storage,   // number: a place in Pickled::storages
  tensor,    // number: a place in Pickled::tensors
};

struct Value {
  Kind kind = Kind::none;
  int64_t number = 0;
  double real = 0;
  std::string_view text;  // in the pickle's bytes, or Pickled::made
  std::vector<Ref> items;
};

/// Numbers that lie elsewhere in the file.
struct Storage {
  std::string_view key;
  const ElementType* type = nullptr;  // as the pickle says; "uint8" for one of bytes
  uint64_t count = 0;                 // of its numbers
  uint64_t skipped = 0;  // numbers before it under that key (PyTorch before 0.4: a storage within another)
};

/// A look at a storage, held against the length the pickle claims for it: every number is one of the
/// storage's.
struct TensorValue {
  size_t storage = 0;
  const ElementType* type = nullptr;
  uint64_t offset = 0;           // in numbers of `type`
  std::vector<int64_t> sizes;    // at most k_max_rank, the product of the sizes fits an int64
  std::vector<int64_t> strides;  // none is negative
  std::string_view unreadable;   // why it is none of plain numbers; empty: it is
};

struct Pickled {
  std::vector<Value> values;
  std::vector<Storage> storages;
  std::vector<TensorValue> tensors;
  std::deque<std::string> made;  // texts that do not stand in the pickle as they are
  Ref root = 0;
  size_t size = 0;  // bytes of the pickle
};

/// A pickle asks for something that limpid does not do: the file may be as its writer meant it.
class PickleRefusal : public Error {
 public:
  explicit PickleRefusal(const std::string& message) : Error(Kind::work, message) {}
};

/// At most so many values: a model of ten thousand tensors has 300,000.
inline constexpr size_t k_most_values = size_t{4} << 20;

/// And so many bytes.
inline constexpr size_t k_most_pickle = size_t{256} << 20;

/// The pickle at the start of `bytes`, which outlive the result; protocols 0 to 5.  `name` is the file's, for
/// messages.  Throws PickleRefusal for what it asks of Python, Error{work} where it is damaged.
Pickled read_pickle(Bytes bytes, const std::string& name);

/// How a value is named in a message: "a list", "an integer".
std::string_view name(Kind);

}  // namespace limpid::torch
