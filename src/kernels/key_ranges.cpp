#include "kernels/key_ranges.h"

#include <algorithm>

namespace limpid::kernels {

std::optional<KeyRanges> key_ranges(const AttentionShape& shape, const int64_t* query_documents,
                                    const int64_t* key_documents) {
  KeyRanges ranges;
  ranges.first.reserve(static_cast<size_t>(shape.batch * shape.queries));
  ranges.end.reserve(static_cast<size_t>(shape.batch * shape.queries));
  for (int64_t b = 0; b < shape.batch; ++b) {
    const int64_t *keys = key_documents + b * shape.keys, *keys_end = keys + shape.keys;
    if (!std::is_sorted(keys, keys_end)) return std::nullopt;
    for (int64_t t = 0; t < shape.queries; ++t) {
      const int64_t own = query_documents[b * shape.queries + t];
      const int64_t before = t > 0 ? query_documents[b * shape.queries + t - 1] : own - 1;
      if (own == before) {
        ranges.first.push_back(ranges.first.back());
        ranges.end.push_back(ranges.end.back());
        continue;
      }
      const auto [first, end] = std::equal_range(keys, keys_end, own);
      ranges.first.push_back(first - keys);
      ranges.end.push_back(end - keys);
    }
  }
  return ranges;
}

void put_ranges_for_documents(AttentionArgs* args, std::optional<KeyRanges>* ranges) {
  if (!args->query_documents) return;
  *ranges = key_ranges(args->shape, args->query_documents, args->key_documents);
  if (!*ranges) return;
  args->first_keys = (*ranges)->first.data();
  args->end_keys = (*ranges)->end.data();
  args->query_documents = args->key_documents = nullptr;
}

}  // namespace limpid::kernels
