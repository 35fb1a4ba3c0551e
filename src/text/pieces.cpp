#include "text/pieces.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <memory>

#include "text/utf8.h"

namespace limpid::text {
namespace {

// GPT-2's expression (openai/gpt-2, src/encoder.py):
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// with \s written out as Unicode's White_Space (PCRE2's own adds U+180E, which is none), and what no
// later part can use made possessive, so that a long run is never taken back letter by letter.
#define LIMPID_SPACE R"(\t-\r\x20\x85\xA0\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})"
constexpr const char* k_gpt2 =
    "'(?:s|t|re|ve|m|ll|d)"
    R"(| ?\p{L}++| ?\p{N}++)"
    "| ?[^" LIMPID_SPACE R"(\p{L}\p{N}]++)"
    "|[" LIMPID_SPACE "]+(?![^" LIMPID_SPACE
    "])"
    "|[" LIMPID_SPACE "]++";
#undef LIMPID_SPACE

constexpr size_t k_longest_piece = size_t{1} << 30;  // positions in a piece fit 32 bits

// The compiled expression: made once, read by all threads.
pcre2_code* expression() {
  static const std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code = [] {
    int error = 0;
    PCRE2_SIZE where = 0;
    pcre2_code* made = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(k_gpt2), PCRE2_ZERO_TERMINATED,
                                     PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &where, nullptr);
    if (made == nullptr) {
      fail_work("text: this build of PCRE2 refuses the splitting expression at ", where, " (error ", error,
                "); a build with Unicode support is needed");
    }
    pcre2_jit_compile(made, PCRE2_JIT_COMPLETE);  // where it cannot, matching is slower and the same
    return std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)>(made, &pcre2_code_free);
  }();
  return code.get();
}

class Matcher {
 public:
  Matcher() : data_(pcre2_match_data_create_from_pattern(expression(), nullptr), &pcre2_match_data_free) {}

  // The length of the piece at `from` of valid UTF-8.
  size_t piece_at(std::string_view text, size_t from) const {
    // The text is known to be UTF-8; checking it again at each match would be quadratic.
    const int matched = pcre2_match(expression(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                    from, PCRE2_NO_UTF_CHECK, data_.get(), nullptr);
    if (matched < 1) fail_work("text: PCRE2 failed with ", matched, " at byte ", from, " of the text");
    return pcre2_get_ovector_pointer(data_.get())[1] - from;
  }

 private:
  std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data_;
};

// The end of the run that starts at `from` and is either all characters or all bytes that are none.
size_t end_of_run(std::string_view text, size_t from, bool valid) {
  size_t at = from;
  while (at < text.size()) {
    const Character c = character_at(text, at);
    if (c.valid != valid) break;
    at += c.size;
  }
  return at;
}

void cut(std::string_view piece, const std::function<void(std::string_view)>& visit) {
  for (; piece.size() > k_longest_piece; piece.remove_prefix(k_longest_piece)) {
    visit(piece.substr(0, k_longest_piece));
  }
  visit(piece);
}

}  // namespace

void for_each_piece(std::string_view text, const std::function<void(std::string_view)>& visit) {
  const Matcher matcher;
  for (size_t at = 0; at < text.size();) {
    const size_t valid_end = end_of_run(text, at, true);
    const std::string_view run = text.substr(at, valid_end - at);
    for (size_t from = 0; from < run.size();) {
      const size_t size = matcher.piece_at(run, from);
      cut(run.substr(from, size), visit);
      from += size;
    }
    at = end_of_run(text, valid_end, false);
    if (at > valid_end) cut(text.substr(valid_end, at - valid_end), visit);
  }
}

SpecialFinder::SpecialFinder(std::string_view text, const std::vector<std::string>& names)
    : text_(text), names_(names) {
  for (const std::string& name : names) at_.push_back(text.find(name));
}

std::optional<SpecialFinder::Found> SpecialFinder::next(size_t from) {
  std::optional<Found> best;
  for (size_t i = 0; i < names_.size(); ++i) {
    if (at_[i] < from) at_[i] = text_.find(names_[i], from);
    if (at_[i] == std::string_view::npos) continue;
    const Span place{at_[i], at_[i] + names_[i].size()};
    const bool better = !best || place.begin < best->place.begin ||
                        (place.begin == best->place.begin && place.end > best->place.end);
    if (better) best = Found{place, i};
  }
  return best;
}

}  // namespace limpid::text
