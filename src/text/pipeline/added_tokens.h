// Tokens that are looked for in a text as a whole before anything is cut: special ones, and others that a
// vocabulary was given later.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "limpid/text.h"
#include "text/models/token_model.h"
#include "text/trie.h"

namespace limpid::text {

struct AddedToken {
  int64_t id = 0;
  std::string content;
  std::string match;  // what is looked for: the content, normalised where `normalized`
  bool special = false, single_word = false, left_strip = false, right_strip = false;
  bool normalized = false;  // looked for after normalisation, not before
};

class AddedTokens {
 public:
  AddedTokens() = default;
  /// Throws Error{work} for an id that two contents have, and a name that is too long.
  explicit AddedTokens(std::vector<AddedToken> tokens);

  const std::vector<AddedToken>& all() const { return tokens_; }
  const AddedToken* by_id(int64_t id) const;
  const AddedToken* by_content(std::string_view content) const;
  const IdSet& special() const { return special_; }

  struct Place {
    Span bytes;
    const AddedToken* token = nullptr;  // null: a text between
  };
  /// The text as tokens and what lies between them.  Special ones are passed over as text unless wanted; of
  /// `specials` mask_as_token only `mask` is.
  std::vector<Place> find(std::string_view text, bool normalized, Specials specials,
                          std::optional<int64_t> mask) const;
  bool any(bool normalized) const { return some_[normalized]; }

 private:
  const AddedToken* at(std::string_view text, size_t at, bool normalized) const;

  std::vector<AddedToken> tokens_;
  std::unordered_map<int64_t, size_t> by_id_;
  std::unordered_map<std::string, size_t> by_content_;
  Trie tries_[2];  // before and after normalisation
  bool some_[2] = {false, false};
  IdSet special_;
};

}  // namespace limpid::text
