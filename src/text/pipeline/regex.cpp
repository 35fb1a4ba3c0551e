#include "text/pipeline/regex.h"

#include <algorithm>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "core/label.h"
#include "text/utf8.h"

namespace limpid::text {
namespace {

// PCRE2's own \s adds U+180E, which is no white space, and its \w lacks marks before 10.43.
constexpr std::string_view k_space =
    R"(\t-\r\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
constexpr std::string_view k_word =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189})";

// Rewrites one pattern.
class Translator {
 public:
  explicit Translator(std::string_view pattern) : in_(pattern) {}

  std::string run() {
    while (at_ < in_.size()) {
      if (in_[at_] == '\\') {
        escape(false);
      } else if (in_[at_] == '[') {
        out_ += set();
      } else if (in_.substr(at_).starts_with("{,")) {
        take("{,", "{0,");
      } else if (in_.substr(at_).starts_with("(?m:")) {
        take("(?m:", "(?s:");
      } else if (in_.substr(at_).starts_with("(?m)")) {
        take("(?m)", "(?s)");
      } else {
        out_ += in_[at_++];
      }
    }
    return std::move(out_);
  }

 private:
  void take(std::string_view seen, std::string_view written) {
    at_ += seen.size();
    out_ += written;
  }

  // \X at at_, in a set or outside one.
  void escape(bool in_set) {
    const std::string_view rest = in_.substr(at_);
    const char letter = rest.size() > 1 ? rest[1] : '\0';
    const auto one_of = [&](std::string_view set, bool negated) {
      at_ += 2;
      out_ += in_set ? std::string(set) : join(negated ? "[^" : "[", set, "]");
    };
    if (letter == 's') return one_of(k_space, false);
    if (letter == 'w') return one_of(k_word, false);
    if (letter == 'h') return one_of("0-9a-fA-F", false);
    if (letter == 'S' && !in_set) return one_of(k_space, true);
    if (letter == 'W' && !in_set) return one_of(k_word, true);
    if (letter == 'H' && !in_set) return one_of("0-9a-fA-F", true);
    if (letter == 'u' && rest.size() >= 6 &&
        rest.substr(2, 4).find_first_not_of("0123456789abcdefABCDEF") == rest.npos) {
      out_ += join("\\x{", rest.substr(2, 4), "}");
      at_ += 6;
      return;
    }
    const size_t size = std::min<size_t>(2, rest.size());
    out_ += rest.substr(0, size);
    at_ += size;
  }

  // [...] at at_.  [a&&[^b]] becomes (?:(?![b])[a]).
  std::string set() {
    std::string before = std::move(out_), excluded;
    out_ = "[";
    ++at_;
    if (at_ < in_.size() && in_[at_] == '^') out_ += in_[at_++];
    if (at_ < in_.size() && in_[at_] == ']') out_ += "\\]", ++at_;
    while (at_ < in_.size() && in_[at_] != ']') {
      const std::string_view rest = in_.substr(at_);
      if (rest[0] == '\\') {
        escape(true);
      } else if (rest.starts_with("[:")) {
        const size_t end = rest.find(":]");
        const size_t size = end == rest.npos ? 1 : end + 2;
        out_ += rest.substr(0, size);
        at_ += size;
      } else if (rest.starts_with("&&[^")) {
        at_ += 2;
        const std::string inner = set();
        excluded += join("(?![", std::string_view(inner).substr(2), ")");
      } else if (rest.starts_with("&&")) {
        fail_work("regular expression: && in a set at byte ", at_,
                  ", which is supported before [^...] alone");
      } else if (rest[0] == '[') {
        const std::string inner = set();  // a set in a set: their union
        if (inner.starts_with("[^") || inner.starts_with("(")) {
          fail_work("regular expression: a negated set in a set at byte ", at_, ", which is not supported");
        }
        out_ += std::string_view(inner).substr(1, inner.size() - 2);
      } else {
        out_ += in_[at_++];
      }
    }
    if (at_ == in_.size()) fail_work("regular expression: a set without its ]");
    ++at_;
    out_ += ']';
    std::string whole = excluded.empty() ? out_ : join("(?:", excluded, out_, ")");
    out_ = std::move(before);
    return whole;
  }

  std::string_view in_;
  size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string pcre2_pattern(std::string_view oniguruma) { return Translator(oniguruma).run(); }

struct Regex::Code {
  pcre2_code* code = nullptr;
  ~Code() { pcre2_code_free(code); }
};

Regex::Regex(std::string_view pattern) : code_(std::make_unique<Code>()) {
  constexpr size_t k_longest = 1 << 16;
  if (pattern.size() > k_longest) {
    fail_work("regular expression of ", pattern.size(), " bytes, expected at most ", k_longest);
  }
  const std::string own = pcre2_pattern(pattern);
  const std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
      pcre2_compile_context_create(nullptr), &pcre2_compile_context_free);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(context.get(), 100);
  int error = 0;
  PCRE2_SIZE where = 0;
  // ^ and $ stand at every line, as in Oniguruma's Ruby syntax.
  code_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(own.data()), own.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error,
                              &where, context.get());
  if (code_->code == nullptr) {
    PCRE2_UCHAR message[200] = {};
    pcre2_get_error_message(error, message, sizeof message);
    fail_work("regular expression ", in_quotes(own), ": ", reinterpret_cast<const char*>(message),
              " at byte ", where);
  }
  pcre2_jit_compile(code_->code, PCRE2_JIT_COMPLETE);  // where it cannot, matching is slower and the same
}

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

size_t Regex::next_character(std::string_view text, size_t at) {
  return at < text.size() ? at + character_at(text, at).size : at + 1;
}

struct Regex::Matcher::State {
  const pcre2_code* code;
  pcre2_match_data* data;
  pcre2_match_context* context;
  ~State() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
  }
};

Regex::Matcher::Matcher(const Regex& regex)
    : state_(new State{regex.code_->code, pcre2_match_data_create(1, nullptr),
                       pcre2_match_context_create(nullptr)}) {
  pcre2_set_match_limit(state_->context, k_steps);
  pcre2_set_heap_limit(state_->context, 256 << 10);  // KiB
}

Regex::Matcher::~Matcher() = default;

bool Regex::Matcher::next(std::string_view text, size_t from, Span& found) {
  const auto match = [&](uint32_t options) {
    return pcre2_match(state_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                       PCRE2_NO_UTF_CHECK | options, state_->data, state_->context);
  };
  int matched = match(0);
  if (matched == PCRE2_ERROR_JIT_STACKLIMIT) matched = match(PCRE2_NO_JIT);
  if (matched == PCRE2_ERROR_NOMATCH) return false;
  if (matched < 0) {
    PCRE2_UCHAR message[200] = {};
    pcre2_get_error_message(matched, message, sizeof message);
    fail_call("tokenizer: its regular expression gives up at byte ", from, " of a text of ", text.size(),
              ": ", reinterpret_cast<const char*>(message));
  }
  const PCRE2_SIZE* place = pcre2_get_ovector_pointer(state_->data);
  found = {place[0], std::max(place[0], place[1])};  // \K in a lookahead can set the end before the beginning
  if (found.begin < from) found.begin = from, found.end = std::max(found.end, from);
  return true;
}

}  // namespace limpid::text
