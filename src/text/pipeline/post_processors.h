// The last stage: special tokens round one text or two, and which text each token belongs to.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "limpid/text.h"

namespace limpid::text {

/// Which part of a template stands where: a text, or special tokens.
struct TemplatePart {
  int sequence = -1;  // 0, 1: a text; -1: `ids`
  int64_t type_id = 0;
  std::vector<int64_t> ids;
};

/// What the post-processors of a file come to, read once.
struct PostProcessing {
  std::vector<TemplatePart> single{{0, 0, {}}};
  std::vector<TemplatePart> pair{{0, 0, {}}, {1, 1, {}}};
  /// Blanks at the ends of a token are no part of its span (ByteLevel).
  bool trim_offsets = false;

  /// One text, or two.
  ModelInput apply(const Encoding& first, const Encoding* second, bool add_special) const;
};

}  // namespace limpid::text
