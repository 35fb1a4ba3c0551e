#include "draw/formats/tex/tex_text.h"

#include <cstdint>
#include <cstdio>
#include <utility>

#include "draw/scene/text.h"

namespace limpid::draw {

namespace {

using Word = std::pair<std::string_view, std::string_view>;

constexpr Word k_ascii[] = {{"\\", "\\textbackslash{}"},
                            {"{", "\\{"},
                            {"}", "\\}"},
                            {"$", "\\$"},
                            {"&", "\\&"},
                            {"#", "\\#"},
                            {"%", "\\%"},
                            {"_", "\\_"},
                            {"^", "\\textasciicircum{}"},
                            {"~", "\\textasciitilde{}"},
                            {"<", "\\textless{}"},
                            {">", "\\textgreater{}"},
                            {"|", "\\textbar{}"},
                            {"\"", "\\symbol{34}"},
                            {"`", "\\textasciigrave{}"},
                            {"'", "\\textquotesingle{}"}};
// In math; a text puts dollars round them.
constexpr Word k_signs[] = {
    {"×", "\\times"},      {"÷", "\\div"},        {"·", "\\cdot"},  {"−", "-"},        {"√", "\\surd"},
    {"→", "\\rightarrow"}, {"Σ", "\\sum"},        {"∞", "\\infty"}, {"π", "\\pi"},     {"φ", "\\varphi"},
    {"Φ", "\\Phi"},        {"ε", "\\varepsilon"}, {"⋮", "\\vdots"}, {"′", "'"},        {"…", "\\ldots"},
    {"ᵀ", "^{T}"},         {"²", "^{2}"},         {"³", "^{3}"},    {"¹", "^{1}"},     {"₀", "_{0}"},
    {"₁", "_{1}"},         {"₂", "_{2}"},         {"₃", "_{3}"},    {"₄", "_{4}"},     {"₅", "_{5}"},
    {"₆", "_{6}"},         {"₇", "_{7}"},         {"₈", "_{8}"},    {"₉", "_{9}"},     {"ₜ", "_{t}"},
    {"ₛ", "_{s}"},         {"≤", "\\leq"},        {"≥", "\\geq"},   {"≈", "\\approx"}, {"✎", "\\star"},
    {"┊", "\\vdots"}};  // of an edited run

template <size_t N>
std::string_view find(const Word (&words)[N], std::string_view letter) {
  for (const auto& [of, word] : words)
    if (of == letter) return word;
  return {};
}

size_t length_of(std::string_view text, size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  const size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  return std::min(length, text.size() - at);
}

uint32_t code_of(std::string_view letter) {
  auto code = static_cast<uint32_t>(static_cast<unsigned char>(letter[0]));
  if (letter.size() == 1) return code;
  code &= 0xffu >> (letter.size() + 1);
  for (char c : letter.substr(1)) code = code << 6 | (static_cast<unsigned char>(c) & 0x3fu);
  return code;
}

// Letters with marks of the languages of Europe, which every font of LaTeX has.
bool latin(uint32_t code) { return code >= 0xc0 && code <= 0x17f; }

std::string escaped_letter(std::string_view letter) {
  if (letter.size() == 1) {
    const std::string_view word = find(k_ascii, letter);
    return std::string(word.empty() ? letter : word);
  }
  if (const std::string_view sign = find(k_signs, letter); !sign.empty())
    return "$" + std::string(sign) + "$";
  const uint32_t code = code_of(letter);
  if (latin(code)) return std::string(letter);
  char digits[16];
  std::snprintf(digits, sizeof digits, "%04X", static_cast<unsigned>(code));
  return "\\limpidletter{" + std::string(digits) + "}{" + std::string(letter) + "}";
}

std::string escaped_piece(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const std::string_view letter = text.substr(at, length_of(text, at));
    // Two of a kind would join: -- is a dash, ,, a quotation mark.
    if (!out.empty() && (letter == "-" || letter == ",") && out.back() == letter[0]) out += "{}";
    out += escaped_letter(letter);
    at += letter.size();
  }
  return out;
}

bool word_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0; }

// A run of math on one level.
class Math {
 public:
  void add(const SceneRun& run) {
    const std::string text = clean_piece(run.text);
    for (size_t at = 0; at < text.size();) {
      const std::string_view letter = std::string_view(text).substr(at, length_of(text, at));
      size_t end = at + letter.size();
      if (letter == "√") {
        root_ = true;
      } else if (const std::string_view sign = find(k_signs, letter); !sign.empty()) {
        atom(std::string(sign) + (sign[0] == '\\' ? " " : ""));
      } else if (word_letter(letter[0])) {
        while (end < text.size() && word_letter(text[end]) &&
               find(k_signs, std::string_view(text).substr(end, length_of(text, end))).empty())
          end += length_of(text, end);
        const std::string word = escaped_piece(std::string_view(text).substr(at, end - at));
        atom(run.italic ? word : "\\mathrm{" + word + "}");
      } else if (letter == " ") {
        const bool between_words = !out_.empty() && end < text.size() && word_letter(text[end]);
        out_ += between_words ? "\\ " : " ";
      } else {
        atom(find(k_ascii, letter).empty() ? std::string(letter) : "\\mathrm{" + escaped_piece(letter) + "}");
      }
      at = end;
    }
  }

  std::string take() { return std::move(out_); }

 private:
  void atom(const std::string& text) {
    out_ += root_ && text != "(" ? "\\sqrt{" + text + "}" : root_ ? "\\surd" + text : text;
    root_ = false;
  }
  std::string out_;
  bool root_ = false;
};

}  // namespace

std::string tex_escaped(std::string_view text) { return escaped_piece(clean(text)); }

std::string tex_math(const std::vector<SceneRun>& runs) {
  std::string out;
  for (size_t i = 0; i < runs.size();) {
    const SceneRun::Level level = runs[i].level;
    Math math;
    for (; i < runs.size() && runs[i].level == level; ++i) math.add(runs[i]);
    const std::string piece = math.take();
    out += level == SceneRun::Level::line  ? piece
           : level == SceneRun::Level::sub ? "_{" + piece + "}"
                                           : "^{" + piece + "}";
  }
  return out;
}

std::string tex_text(const SceneText& text) {
  if (!text.runs.empty()) return "$\\displaystyle " + tex_math(text.runs) + "$";
  std::string out = tex_escaped(text.text);
  // A number's hyphen is a minus.
  if (text.kind == SceneText::Kind::number && text.text.size() > 1 && text.text[0] == '-' &&
      text.text[1] >= '0' && text.text[1] <= '9')
    out = "$-$" + out.substr(1);
  return out;
}

std::string tex_comment(std::string_view text) { return clean(text); }

}  // namespace limpid::draw
