// Do two views share numbers?  What is written must not be read elsewhere in the same call.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "limpid/tensor.h"

namespace limpid {

/// May the views share a byte?  Exact for views that are packed side by side in one buffer (q, k and v of one
/// projection), otherwise true where the stretches of memory they span meet.  Strides and sizes must have
/// passed require_addressable.
bool may_overlap(const ConstView&, const ConstView&);

/// Two of the views (their places in `views`) that may share a byte, at least one of them among the first
/// `written`; nothing if there are none.  Only views that are read may share.
std::optional<std::pair<size_t, size_t>> find_overlap(const std::vector<ConstView>& views, size_t written);

/// May two places of the view be the same number (a stride of 0)?
bool may_overlap_itself(const ConstView&);

/// Throws Error{call} ("WHERE: NAME ...") unless the view has a stride an axis, sizes of 0 or more, numbers
/// if there should be any, and an extent that a pointer can reach.
void require_addressable(const char* where, const char* name, const ConstView&);

}  // namespace limpid
