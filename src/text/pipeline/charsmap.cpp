#include <utf8proc.h>

#include "text/pipeline/normalizers.h"
#include "text/pipeline/unicode.h"

namespace limpid::text {
namespace {

uint32_t little_endian(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  return value;
}

}  // namespace

Charsmap::Charsmap(std::string blob) : blob_(std::move(blob)) {
  if (blob_.size() < 4) fail_work("precompiled_charsmap: ", blob_.size(), " bytes, expected at least 4");
  const size_t size = little_endian(blob_, 0);
  if (size > blob_.size() - 4 || size % 4 != 0 || size == 0) {
    fail_work("precompiled_charsmap: a trie of ", size, " bytes in ", blob_.size() - 4,
              " bytes, expected a multiple of 4 that fits");
  }
  units_ = size / 4;
  const size_t strings = 4 + size;
  if (blob_.size() > strings && blob_.back() != '\0') {
    fail_work("precompiled_charsmap: its last replacement does not end (byte ", blob_.size(), ")");
  }
  const std::string_view replacements = std::string_view(blob_).substr(strings);
  if (const size_t bad = first_not_utf8(replacements); bad != replacements.npos) {
    fail_work("precompiled_charsmap: its replacements are not UTF-8 at byte ", strings + bad);
  }
}

// A trie that points outside itself has no further entries there.
uint32_t Charsmap::unit(size_t at) const { return at < units_ ? little_endian(blob_, 4 + 4 * at) : 0x100; }

std::string_view Charsmap::replacement(uint32_t at) const {
  const std::string_view strings = std::string_view(blob_).substr(4 + 4 * units_);
  if (at >= strings.size()) return "";
  // One that begins inside a character would make the text invalid.
  if ((static_cast<unsigned char>(strings[at]) & 0xC0) == 0x80) return "";
  return strings.substr(at, strings.find('\0', at) - at);
}

// The layout of a unit is darts-clone's (Yata; include/darts.h).
template <class F>
void Charsmap::prefixes(std::string_view text, F&& found) const {
  const auto offset = [](uint32_t u) { return size_t{u >> 10} << ((u & (1u << 9)) >> 6); };
  size_t node = offset(unit(0));
  for (size_t at = 0; at < text.size() && text[at] != '\0'; ++at) {
    node ^= static_cast<unsigned char>(text[at]);
    const uint32_t here = unit(node);
    if ((here & (0x80000000u | 0xFF)) != static_cast<unsigned char>(text[at])) return;
    node ^= offset(here);
    if ((here >> 8 & 1) != 0 && !found(at + 1, unit(node) & 0x7FFFFFFF)) return;
  }
}

Charsmap::Match Charsmap::shortest_prefix(std::string_view text) const {
  Match match;
  prefixes(text, [&](size_t size, uint32_t at) { return match = {size, replacement(at)}, false; });
  return match;
}

Charsmap::Match Charsmap::longest_prefix(std::string_view text) const {
  Match match;
  prefixes(text, [&](size_t size, uint32_t at) { return match = {size, replacement(at)}, true; });
  return match;
}

namespace {

class Precompiled final : public Normalizer {
 public:
  explicit Precompiled(Charsmap map) : map_(std::move(map)) {}

  AlignedText apply(const AlignedText& from) const override {
    const std::string_view text = from.text();
    Rewriter out(from);
    size_t begin = 0;
    utf8proc_int32_t state = 0;
    char32_t before = 0;
    each_character(text, [&](const Character& c, size_t at) {
      const bool plain = c.point < 0x80 && before < 0x80 && (c.point != '\n' || before != '\r');
      if (at > begin &&
          (plain || utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(before),
                                                     static_cast<utf8proc_int32_t>(c.point), &state))) {
        cluster(text, begin, at, out);
        begin = at;
        state = 0;
      }
      before = c.point;
    });
    if (begin < text.size()) cluster(text, begin, text.size(), out);
    return out.done();
  }

 private:
  // Hugging Face takes the shortest entry that the cluster begins with, for all of it.
  void cluster(std::string_view text, size_t begin, size_t end, Rewriter& out) const {
    constexpr size_t k_short = 6;
    const std::string_view all = text.substr(begin, end - begin);
    if (all.size() < k_short && change(all, begin, out)) return;
    each_character(all, [&](const Character& c, size_t at) {
      if (!change(all.substr(at, c.size), begin + at, out)) out.keep(begin + at, begin + at + c.size);
    });
  }

  bool change(std::string_view part, size_t begin, Rewriter& out) const {
    const Charsmap::Match match = map_.shortest_prefix(part);
    if (match.size == 0) return false;
    if (match.with == part) {
      out.keep(begin, begin + part.size());
    } else {
      out.replace(begin, begin + part.size(), match.with);
    }
    return true;
  }

  Charsmap map_;
};

}  // namespace

std::unique_ptr<Normalizer> charsmap_normalizer(Charsmap map) {
  return std::make_unique<Precompiled>(std::move(map));
}

}  // namespace limpid::text
