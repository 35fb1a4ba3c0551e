// A hash table from a pair of token ids to a number: the inner loop of byte pair encoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace limpid::text {

/// Open addressing, linear probing, at most half full; nothing is ever taken out.  Several times faster
/// than std::unordered_map here, because most look-ups are for pairs that are not in it.
class PairTable {
 public:
  static constexpr uint32_t k_none = ~uint32_t{0};

  PairTable() : slots_(64) {}

  /// The number kept for the pair, or k_none.
  uint32_t find(uint32_t left, uint32_t right) const { return slots_[slot_of(key_of(left, right))].value; }

  /// Keeps `value` (not k_none) for the pair unless it has one; returns what it has now.
  uint32_t add(uint32_t left, uint32_t right, uint32_t value) {
    const uint64_t key = key_of(left, right);
    size_t at = slot_of(key);
    if (slots_[at].value != k_none) return slots_[at].value;
    if (2 * (used_ + 1) > slots_.size()) {
      grow();
      at = slot_of(key);
    }
    slots_[at] = {key, value};
    ++used_;
    return value;
  }

 private:
  struct Slot {
    uint64_t key = 0;
    uint32_t value = k_none;
  };

  static uint64_t key_of(uint32_t left, uint32_t right) { return uint64_t{left} << 32 | right; }

  // The slot that holds the key, or the empty one where it would go.
  size_t slot_of(uint64_t key) const {
    const size_t mask = slots_.size() - 1;
    uint64_t hash = key * 0x9E3779B97F4A7C15u;  // Fibonacci hashing: the top bits are the mixed ones
    hash ^= hash >> 32;
    size_t at = static_cast<size_t>(hash) & mask;
    while (slots_[at].value != k_none && slots_[at].key != key) at = (at + 1) & mask;
    return at;
  }

  void grow() {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.value != k_none) slots_[slot_of(slot.key)] = slot;
    }
  }

  std::vector<Slot> slots_;  // a power of two of them
  size_t used_ = 0;
};

}  // namespace limpid::text
