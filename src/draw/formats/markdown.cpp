// The figure in words, step by step, as somebody who draws it by hand would follow it (CommonMark).
#include "core/width.h"
#include "draw/formats/words.h"
#include "draw/scene/text.h"

namespace limpid {

using namespace draw;

namespace {

// Whatever Markdown would read as its own stands after a backslash.
std::string escaped(std::string_view text) {
  constexpr std::string_view k_special = "\\`*_{}[]<>#|~&$";
  std::string out;
  const std::string line = clean(text);
  for (size_t i = 0; i < line.size(); ++i) {
    const bool starts_list =
        (i == 0 && (line[i] == '-' || line[i] == '+' || line[i] == '=')) ||
        (i > 0 && (line[i] == '.' || line[i] == ')') && line.find_first_not_of("0123456789") == i);
    if (starts_list || k_special.find(line[i]) != k_special.npos) out += '\\';
    out += line[i];
  }
  return out;
}

// Whether a line may begin with the word: Markdown would take it for a list's mark or for a rule.
bool may_begin(std::string_view word) {
  const size_t digits = std::min(word.find_first_not_of("0123456789"), word.size());
  const bool counts = digits > 0 && (word.substr(digits) == "." || word.substr(digits) == ")");
  return !counts && word.find_first_of("-+=") != 0;
}

// Escaped words in lines of about a hundred columns, all but the first indented as what they belong to.
std::string in_lines(const std::string& text, size_t indent) {
  constexpr size_t k_columns = 100;
  std::string out;
  size_t used = indent;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find(' ', at), text.size());
    for (size_t next; end < text.size(); end = next) {  // with what may begin no line
      next = std::min(text.find(' ', end + 1), text.size());
      if (may_begin(std::string_view(text).substr(end + 1, next - end - 1))) break;
    }
    const std::string word = text.substr(at, end - at);
    const size_t width = display_width(word);
    if (at > 0 && used + 1 + width > k_columns) {
      out += "\n" + std::string(indent, ' ');
      used = indent;
    } else if (at > 0) {
      out += ' ';
      ++used;
    }
    out += word;
    used += width;
    at = end + 1;
  }
  return out;
}

// Headings become deeper headings, steps a list that counts through the page.
std::string page_in_words(const Slide& page) {
  const Scene& scene = page.scene;
  const std::string title = page.title.empty() ? scene.title : page.title;
  std::string out = "# " + escaped(title.empty() ? "Figure" : title) + "\n\n";
  if (scene.steps.empty()) return out + in_lines(escaped(scene.description), 0) + "\n";
  int number = 0;
  bool in_list = false;
  for (const SceneStep& step : scene.steps) {
    if (step.heading) {
      if (in_list) out += "\n";
      out += join(std::string(static_cast<size_t>(std::min(step.depth, 4) + 2), '#'), " ", escaped(step.text),
                  "\n\n");
      in_list = false;
    } else if (step.numbered) {
      const std::string mark = join(++number, ". ");
      out += mark + in_lines(escaped(step.text), mark.size()) + "\n";
      in_list = true;
    } else {
      if (in_list) out += "\n";
      out += in_lines(escaped(step.text), 0) + "\n\n";
      in_list = false;
    }
  }
  if (in_list) out += "\n";
  out.pop_back();
  return out;
}

std::string paint_pages(const std::vector<Slide>& pages, const PaintOptions&) {
  std::string out;
  for (const Slide& page : pages) {
    out += (out.empty() ? "" : "\n") + page_in_words(page);
    if (!page.notes.empty() && page.notes != page.scene.description)
      out += "\n" + in_lines(escaped(page.notes), 0) + "\n";
  }
  return out;
}

}  // namespace

Format markdown_format() {
  return {"md", "Markdown", "the figure said in words, step by step", true, paint_pages};
}

}  // namespace limpid
