// Documents that stand one behind another, as the range of keys that each query sees.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/attention.h"

namespace limpid::kernels {

/// [B,T]: AttentionArgs::first_keys and end_keys.
struct KeyRanges {
  std::vector<int64_t> first, end;
};

/// None where the keys' numbers do not rise: a query's keys then lie apart.
std::optional<KeyRanges> key_ranges(const AttentionShape&, const int64_t* query_documents,
                                    const int64_t* key_documents);

/// Ranges in place of documents, where they say the same: a query then reads its own keys alone, in place of
/// whole blocks of them.  `ranges` holds what the arguments point to.
void put_ranges_for_documents(AttentionArgs* args, std::optional<KeyRanges>* ranges);

}  // namespace limpid::kernels
