// GGUF files made in memory, right and wrong ones, for the tests.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "limpid/gguf.h"

namespace limpid {

template <class T>
std::string le(T value) {
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

inline std::string gguf_string(const std::string& text) { return le<uint64_t>(text.size()) + text; }

/// A key, the number of a value's type, and the value's bytes.
inline std::string gguf_key(const std::string& key, uint32_t type, const std::string& value) {
  return gguf_string(key) + le(type) + value;
}
inline std::string gguf_key(const std::string& key, GgufValueType type, const std::string& value) {
  return gguf_key(key, static_cast<uint32_t>(type), value);
}
inline std::string gguf_array(const std::string& key, GgufValueType type, uint64_t count,
                              const std::string& elements) {
  return gguf_key(key, GgufValueType::array, le(static_cast<uint32_t>(type)) + le(count) + elements);
}

struct TestTensor {
  std::string name;
  std::vector<uint64_t> dimensions;  // as GGUF has them: the rows' length first
  uint32_t type = 0;
  std::string data;
  std::optional<uint64_t> offset;  // where it says that it is; else where it is
};

/// What is not said is right.
struct TestGguf {
  std::string magic = "GGUF";
  uint32_t version = 3;
  std::vector<std::string> keys;
  std::vector<TestTensor> tensors;
  uint64_t alignment = 32;  // of the data; its key is not written
  std::optional<uint64_t> key_count, tensor_count;

  std::string bytes() const {
    std::string out = magic + le(version) + le<uint64_t>(tensor_count.value_or(tensors.size())) +
                      le<uint64_t>(key_count.value_or(keys.size()));
    for (const std::string& key : keys) out += key;
    std::string data;
    for (const TestTensor& tensor : tensors) {
      data.resize((data.size() + alignment - 1) / alignment * alignment);
      out += gguf_string(tensor.name) + le<uint32_t>(static_cast<uint32_t>(tensor.dimensions.size()));
      for (const uint64_t size : tensor.dimensions) out += le(size);
      out += le(tensor.type) + le<uint64_t>(tensor.offset.value_or(data.size()));
      data += tensor.data;
    }
    out.resize((out.size() + alignment - 1) / alignment * alignment);
    return out + data;
  }
};

}  // namespace limpid
