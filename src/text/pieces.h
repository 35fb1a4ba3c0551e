// Cutting a text before byte pair encoding.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "limpid/text.h"

namespace limpid::text {

/// Calls `visit` with each piece of the text, in order; together they are the whole text.  The pieces
/// are the matches of GPT-2's regular expression; a run of bytes that are no characters is a piece of
/// its own, and so is every 2^30 bytes of a longer piece.
void for_each_piece(std::string_view text, const std::function<void(std::string_view)>& visit);

/// Finds the names of special tokens in a text, one after another, in time linear in the text.
class SpecialFinder {
 public:
  /// Neither the text nor the names are copied.
  SpecialFinder(std::string_view text, const std::vector<std::string>& names);

  struct Found {
    Span place;
    size_t name = 0;  // index into the names
  };
  /// The first name that starts at byte `from` or later, the longest where several start there.
  /// `from` never goes back.
  std::optional<Found> next(size_t from);

 private:
  std::string_view text_;
  const std::vector<std::string>& names_;
  std::vector<size_t> at_;  // where each name stands next; npos: nowhere any more
};

}  // namespace limpid::text
