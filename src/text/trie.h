// Which of many strings begin at a place of a text.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "text/pair_table.h"

namespace limpid::text {

/// A tree of bytes kept in one hash table: (node, byte) -> node.
class Trie {
 public:
  static constexpr uint32_t k_none = PairTable::k_none;

  Trie() : values_(1, k_none) { first_.fill(k_none); }

  /// Keeps `value` (not k_none) for a string, which is not empty; a later one takes an earlier one's place.
  void add(std::string_view string, uint32_t value) {
    uint32_t node = 0;
    for (size_t at = 0; at < string.size(); ++at) {
      const auto byte = static_cast<unsigned char>(string[at]);
      uint32_t next = step(node, byte);
      if (next == k_none) {
        next = static_cast<uint32_t>(values_.size());
        values_.push_back(k_none);
        if (node == 0) {
          first_[byte] = next;
        } else {
          next_.add(node, byte, next);
        }
      }
      node = next;
    }
    values_[node] = value;
  }

  /// Calls f(size, value) for each string that the text begins with, the shortest first.
  template <class F>
  void each_prefix(std::string_view text, F&& f) const {
    uint32_t node = 0;
    for (size_t at = 0; at < text.size(); ++at) {
      node = step(node, static_cast<unsigned char>(text[at]));
      if (node == k_none) return;
      if (values_[node] != k_none) f(at + 1, values_[node]);
    }
  }

 private:
  uint32_t step(uint32_t node, unsigned char byte) const {
    return node == 0 ? first_[byte] : next_.find(node, byte);
  }

  std::array<uint32_t, 256> first_;  // the root's
  PairTable next_;                   // the others'
  std::vector<uint32_t> values_;     // by node
};

}  // namespace limpid::text
