// Regular expressions of tokenizer files, which are Oniguruma's, run by PCRE2.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "limpid/text.h"

namespace limpid::text {

/// A compiled expression; never changes, read by many threads.
class Regex {
 public:
  /// Throws Error{work} with PCRE2's message and the place in the pattern.
  explicit Regex(std::string_view pattern);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  /// Finds the matches of one text after another; keeps its memory from text to text.
  class Matcher {
   public:
    explicit Matcher(const Regex&);
    ~Matcher();
    /// The first match at `from` or later in valid UTF-8, which may be empty; false: there is none.  Throws
    /// Error{call} where the expression takes more steps than k_steps.
    bool next(std::string_view text, size_t from, Span& found);

   private:
    struct State;
    std::unique_ptr<State> state_;
  };

  /// Calls f(begin, end) for each match, from left to right, none overlapping; an empty one that touches the
  /// match before it is passed over.
  template <class F>
  static void each_match(Matcher& matcher, std::string_view text, F&& f) {
    size_t from = 0, last = std::string_view::npos;
    for (Span found; from <= text.size() && matcher.next(text, from, found);) {
      from = found.end;
      const bool empty = found.begin == found.end;
      if (!empty || last != found.end) f(found.begin, found.end);
      last = found.end;
      if (empty) from = next_character(text, from);
    }
  }

  static constexpr uint32_t k_steps =
      20'000'000;  // a tenth of a second or two; a sane pattern needs a few a byte

 private:
  static size_t next_character(std::string_view text, size_t at);
  struct Code;
  std::unique_ptr<Code> code_;
};

/// The pattern in PCRE2's words: \s and \w as Unicode has them, \h a hexadecimal digit, \u00E9, {,3},
/// (?m) for a dot that takes line ends, [a&&[^b]].
std::string pcre2_pattern(std::string_view oniguruma);

}  // namespace limpid::text
