#include "draw/scene/typeset.h"

#include <algorithm>
#include <array>
#include <utility>

#include "draw/scene/text.h"

namespace limpid::draw {

namespace {

using Level = SceneRun::Level;

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool digit(char c) { return (c >= '0' && c <= '9') || c == '.'; }

constexpr std::pair<std::string_view, std::string_view> k_symbols[] = {
    {"sum", "\xce\xa3"}, {"sqrt", "\xe2\x88\x9a"}, {"inf", "\xe2\x88\x9e"}, {"pi", "\xcf\x80"},
    {"phi", "\xcf\x86"}, {"Phi", "\xce\xa6"},      {"epsilon", "\xce\xb5"}};
constexpr std::string_view k_prime = "\xe2\x80\xb2", k_minus = "\xe2\x88\x92", k_dot = "\xc2\xb7";

class Setter {
 public:
  explicit Setter(std::string_view in) : in_(in) {}

  std::vector<SceneRun> set() {
    until(in_.size(), Level::line);
    return std::move(out_);
  }

 private:
  void put(std::string_view text, Level level, bool italic = false) {
    if (!out_.empty() && out_.back().level == level && out_.back().italic == italic)
      out_.back().text += text;
    else
      out_.push_back({std::string(text), level, italic});
  }

  // The place of the bracket that closes the one at `open`; the end where none does.
  size_t closing(size_t open) const {
    int depth = 0;
    for (size_t i = open; i < in_.size(); ++i) {
      depth += in_[i] == '(' || in_[i] == '[';
      depth -= in_[i] == ')' || in_[i] == ']';
      if (depth == 0) return i;
    }
    return in_.size();
  }

  // Behind the whole letter of UTF-8 that begins there.
  size_t letter_end(size_t at) const {
    for (++at; at < in_.size() && (static_cast<unsigned char>(in_[at]) & 0xc0) == 0x80;) ++at;
    return at;
  }

  // What follows _ or ^: a bracketed group, a number, or a word.
  void script(Level level) {
    if (at_ < in_.size() && in_[at_] == '(') {
      const size_t end = closing(at_++);
      until(end, level);
      at_ = std::min(end + 1, in_.size());
      return;
    }
    size_t end = at_;
    while (end < in_.size() && (letter(in_[end]) || digit(in_[end]) || in_[end] == '\'')) ++end;
    if (end == at_ && end < in_.size()) end = letter_end(end);  // a sign of its own
    until(end, level);
  }

  void word(size_t end, Level level) {
    size_t stop = at_;
    while (stop < end && letter(in_[stop])) ++stop;
    const std::string_view word = in_.substr(at_, stop - at_);
    at_ = stop;
    for (const auto& [name, symbol] : k_symbols) {
      // "sum over rows" is said in words.
      if (name != word || (name == "sum" && (stop >= in_.size() || in_[stop] != '_'))) continue;
      put(symbol, level);
      if (name == "sqrt" && stop < end && in_[stop] == '(') root(level);
      return variable_end(level);
    }
    if (word.size() == 2 && word[0] == 'd' && word != "do") {  // a gradient: dq
      put("d", level);
      put(word.substr(1), level, true);
    } else {
      put(word, level, word.size() == 1);
    }
    variable_end(level);
  }

  // sqrt(D) is a root of D; of more than one word the brackets stay.
  void root(Level level) {
    const size_t close = closing(at_);
    const std::string_view inside = in_.substr(at_ + 1, close - at_ - 1);
    if (std::all_of(inside.begin(), inside.end(), [](char c) { return letter(c) || digit(c); })) {
      ++at_;
      until(close, level);
      at_ = std::min(close + 1, in_.size());
    }
  }

  // Primes, _ and ^, and an index in brackets right after a name.
  void variable_end(Level level) {
    for (; at_ < in_.size() && in_[at_] == '\''; ++at_) put(k_prime, level, true);
    if (level != Level::line) return;
    bool lowered = false;
    if (at_ > 0 && letter(in_[at_ - 1]) && (at_ < 2 || !letter(in_[at_ - 2])))  // x1, x2: two of a kind
      while (at_ < in_.size() && in_[at_] >= '0' && in_[at_] <= '9') {
        put(in_.substr(at_++, 1), Level::sub);
        lowered = true;
      }
    while (at_ < in_.size()) {
      if (in_[at_] == '_' && !lowered) {
        ++at_;
        script(Level::sub);
        lowered = true;
        if (at_ < in_.size() && in_[at_] == '[') return;
      } else if (in_[at_] == '^') {
        ++at_;
        script(Level::super);
      } else if (in_[at_] == '[' && !lowered) {
        const size_t close = closing(at_++);
        until(close, Level::sub);
        at_ = std::min(close + 1, in_.size());
        lowered = true;
      } else {
        return;
      }
    }
  }

  void until(size_t end, Level level) {
    while (at_ < end) {
      const char c = in_[at_];
      if (letter(c)) {
        word(end, level);
      } else if (c == '^' && level == Level::line) {
        ++at_;
        script(Level::super);
      } else if (c == '_' && level == Level::line) {
        ++at_;
        script(Level::sub);
      } else if (c == '\'') {
        put(k_prime, level, true);
        ++at_;
      } else if (c == '-') {
        put(k_minus, level);
        ++at_;
      } else if ((c == '<' || c == '>') && at_ + 1 < end && in_[at_ + 1] == '=') {
        put(c == '<' ? "\xe2\x89\xa4" : "\xe2\x89\xa5", level);
        at_ += 2;
      } else if (c == '*' || (c == '.' && at_ > 0 && in_[at_ - 1] == ' ')) {
        put(k_dot, level);
        ++at_;
      } else {
        const size_t stop = std::min(letter_end(at_), end);
        put(in_.substr(at_, stop - at_), level);
        at_ = stop;
      }
    }
  }

  std::string_view in_;
  size_t at_ = 0;
  std::vector<SceneRun> out_;
};

// Unicode's small form of a single letter; empty where it has none.
std::string_view small_form(std::string_view text, Level level) {
  constexpr std::pair<std::string_view, std::string_view> k_sub[] = {
      {"0", "₀"}, {"1", "₁"}, {"2", "₂"}, {"3", "₃"}, {"4", "₄"}, {"5", "₅"}, {"6", "₆"},
      {"7", "₇"}, {"8", "₈"}, {"9", "₉"}, {"a", "ₐ"}, {"e", "ₑ"}, {"h", "ₕ"}, {"i", "ᵢ"},
      {"k", "ₖ"}, {"l", "ₗ"}, {"m", "ₘ"}, {"n", "ₙ"}, {"o", "ₒ"}, {"p", "ₚ"}, {"r", "ᵣ"},
      {"s", "ₛ"}, {"t", "ₜ"}, {"u", "ᵤ"}, {"v", "ᵥ"}, {"x", "ₓ"}};
  constexpr std::pair<std::string_view, std::string_view> k_super[] = {
      {"1", "¹"}, {"2", "²"}, {"3", "³"}, {"T", "ᵀ"}, {"t", "ᵗ"}, {"n", "ⁿ"}, {"i", "ⁱ"}};
  const auto find = [&](const auto& table) -> std::string_view {
    for (const auto& [plain, form] : table)
      if (plain == text) return form;
    return {};
  };
  return level == Level::sub ? find(k_sub) : find(k_super);
}

}  // namespace

std::vector<SceneRun> typeset(std::string_view equation) { return Setter(equation).set(); }

std::string linear(const std::vector<SceneRun>& runs) {
  std::string out;
  for (size_t i = 0; i < runs.size();) {
    const Level level = runs[i].level;
    std::string piece;  // of one level, whatever its slant
    for (; i < runs.size() && runs[i].level == level; ++i) piece += runs[i].text;
    if (level == Level::line) {
      out += piece;
    } else if (const std::string_view form = small_form(piece, level); !form.empty()) {
      out += form;
    } else {
      out += (level == Level::sub ? "_" : "^") + (piece.size() > 1 ? "{" + piece + "}" : piece);
    }
  }
  return out;
}

double runs_width(const std::vector<SceneRun>& runs, double size) {
  double width = 0;
  for (const SceneRun& run : runs)
    width += text_width(run.text, run.level == Level::line ? size : k_script_size * size);
  return width;
}

SceneText typeset(SceneText text) {
  text.runs = typeset(std::string_view(text.text));
  text.text = linear(text.runs);
  return text;
}

}  // namespace limpid::draw
