// A text on its way through normalisation, and which bytes of the original each of its bytes came from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "limpid/text.h"

namespace limpid::text {

/// As long as nothing was changed, the bytes are the original's own and no table is kept.
class AlignedText {
 public:
  AlignedText() = default;
  /// `text` stays where it is; `base` is where it stands in the original.  Throws Error{call} for 4 GiB and
  /// more: places are kept in 32 bits.
  AlignedText(std::string_view text, size_t base);

  std::string_view text() const { return owns_ ? std::string_view(owned_) : borrowed_; }
  size_t base() const { return base_; }
  /// The bytes of the original that [begin, end) came from: from the first one's to the last one's.
  Span origin(size_t begin, size_t end) const;
  /// The part [begin, end); a borrowed text stays borrowed.
  AlignedText part(size_t begin, size_t end) const;

 private:
  friend class Rewriter;
  struct Place {
    uint32_t begin, end;  // from base_
  };
  Place place(size_t at) const {
    return owns_ ? places_[at] : Place{static_cast<uint32_t>(at), static_cast<uint32_t>(at + 1)};
  }

  std::string_view borrowed_;
  std::string owned_;
  std::vector<Place> places_;  // of each byte of owned_
  size_t base_ = 0;
  bool owns_ = false;
};

/// Writes a changed text from front to back.  What is neither kept nor replaced is dropped.
class Rewriter {
 public:
  explicit Rewriter(const AlignedText& from) : from_(from), text_(from.text()) {}

  /// The bytes [begin, end) as they are.
  void keep(size_t begin, size_t end);
  /// Other bytes in place of [begin, end); each of them comes from all of these.
  void replace(size_t begin, size_t end, std::string_view with);
  /// Bytes that come from nowhere, before byte `at`.
  void insert(size_t at, std::string_view what);
  /// How much is written.
  size_t size() const { return changed_ ? out_.owned_.size() : kept_; }
  /// The changed text; `from` itself where nothing changed.
  AlignedText done();

 private:
  void change();  // from here on the text is another
  void check_size() const;

  const AlignedText& from_;
  std::string_view text_;
  AlignedText out_;
  size_t kept_ = 0;  // while nothing changed: how many bytes from the front were kept
  bool changed_ = false;
};

}  // namespace limpid::text
