// NFC, NFD, NFKC, NFKD with utf8proc, chunk by chunk, so that every byte of the result knows where it came
// from.
//
// A chunk begins at a character that nothing before it can combine with: its decomposition begins with
// neither a mark nor a vowel or final of Hangul (the only second halves of a composition).
#include <utf8proc.h>

#include <algorithm>

#include "text/pipeline/normalizers.h"
#include "text/pipeline/unicode.h"

namespace limpid::text {
namespace {

bool combines_with_what_is_before(char32_t c) { return is_mark(c) || (c >= 0x1160 && c <= 0x11FF); }

int combining_class(utf8proc_int32_t c) { return c < 0x300 ? 0 : utf8proc_get_property(c)->combining_class; }

class Form final : public Normalizer {
 public:
  explicit Form(UnicodeForm form)
      : compose_(form == UnicodeForm::nfc || form == UnicodeForm::nfkc),
        compatible_(form == UnicodeForm::nfkc || form == UnicodeForm::nfkd) {}

  AlignedText apply(const AlignedText& from) const override {
    const std::string_view text = from.text();
    Rewriter out(from);
    std::vector<utf8proc_int32_t> points;  // of the chunk, decomposed
    size_t begin = 0;                      // of the chunk
    for (size_t at = 0; at < text.size();) {
      const Character c = character_at(text, at);
      utf8proc_int32_t parts[32];  // the longest decomposition has 18
      const utf8proc_ssize_t count = decompose(c.point, parts);
      if (!points.empty() && !combines_with_what_is_before(static_cast<char32_t>(parts[0]))) {
        write(points, text, begin, at, out);
        points.clear();
        begin = at;
      }
      points.insert(points.end(), parts, parts + count);
      at += c.size;
    }
    if (!points.empty()) write(points, text, begin, text.size(), out);
    return out.done();
  }

 private:
  utf8proc_ssize_t decompose(char32_t c, utf8proc_int32_t (&parts)[32]) const {
    parts[0] = static_cast<utf8proc_int32_t>(c);
    if (c < 0x80) return 1;
    const int options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compatible_ ? UTF8PROC_COMPAT : 0);
    int boundary = 0;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(parts[0], parts, 32, static_cast<utf8proc_option_t>(options), &boundary);
    return count >= 1 && count <= 32 ? count : 1;
  }

  // Sorted here and not by utf8proc, whose way takes time quadratic in the marks on one letter.
  static void order_marks(std::vector<utf8proc_int32_t>& points) {
    for (auto at = points.begin(); at != points.end();) {
      at = std::find_if(at, points.end(), [](utf8proc_int32_t c) { return combining_class(c) != 0; });
      const auto end =
          std::find_if(at, points.end(), [](utf8proc_int32_t c) { return combining_class(c) == 0; });
      std::stable_sort(at, end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
        return combining_class(a) < combining_class(b);
      });
      at = end;
    }
  }

  void write(std::vector<utf8proc_int32_t>& points, std::string_view text, size_t begin, size_t end,
             Rewriter& out) const {
    if (points.size() == 1 && points[0] < 0x80 && end == begin + 1) return out.keep(begin, end);
    if (points.size() > 1) order_marks(points);
    auto size = static_cast<utf8proc_ssize_t>(points.size());
    if (compose_ && size > 1) {
      size = utf8proc_normalize_utf32(points.data(), size,
                                      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    }
    std::string with;
    for (utf8proc_ssize_t i = 0; i < size; ++i)
      append_utf8(static_cast<char32_t>(points[static_cast<size_t>(i)]), with);
    if (with == text.substr(begin, end - begin)) return out.keep(begin, end);
    out.replace(begin, end, with);
  }

  bool compose_, compatible_;
};

}  // namespace

std::unique_ptr<Normalizer> unicode_normalizer(UnicodeForm form) { return std::make_unique<Form>(form); }

}  // namespace limpid::text
