// Do two views share numbers?  What is written must not be read elsewhere in the same call.
#pragma once

#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "limpid/tensor.h"

namespace limpid {

/// What of a view says where its numbers lie.
struct Extent {
  size_t element = 0;  // bytes of one
  std::span<const Dim> dims;
  std::span<const int64_t> strides;  // one a dim at least
  const void* data = nullptr;
};
Extent extent_of(const ConstView&);

/// May the views share a byte?  Exact for views that are packed side by side in one buffer (q, k and v of one
/// projection), otherwise true where the stretches of memory they span meet.  Strides and sizes must have
/// passed require_addressable.
bool may_overlap(const Extent&, const Extent&);
inline bool may_overlap(const ConstView& a, const ConstView& b) {
  return may_overlap(extent_of(a), extent_of(b));
}

/// Two of the views (their places in `views`) that may share a byte, at least one of them among the first
/// `written`; nothing if there are none.  Only views that are read may share.
std::optional<std::pair<size_t, size_t>> find_overlap(const std::vector<ConstView>& views, size_t written);

/// May two places of the view be the same number (a stride of 0)?
bool may_overlap_itself(const Extent&);
inline bool may_overlap_itself(const ConstView& x) { return may_overlap_itself(extent_of(x)); }

/// Throws Error{call} ("WHERE: NAME ...") unless the view has a stride an axis, sizes of 0 or more, numbers
/// if there should be any, and an extent that a pointer can reach.
void require_addressable(const char* where, const char* name, const ConstView&);

}  // namespace limpid
