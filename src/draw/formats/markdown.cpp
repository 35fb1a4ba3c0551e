// The figure in words, step by step, as somebody who draws it by hand would follow it (CommonMark).
#include "draw/formats/words.h"
#include "draw/text.h"

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

// Headings become deeper headings, steps a list that counts through the page.
std::string page_in_words(const Slide& page) {
  const Scene& scene = page.scene;
  const std::string title = page.title.empty() ? scene.title : page.title;
  std::string out = "# " + escaped(title.empty() ? "Figure" : title) + "\n\n";
  if (scene.steps.empty()) return out + escaped(scene.description) + "\n";
  int number = 0;
  bool in_list = false;
  for (const SceneStep& step : scene.steps) {
    if (step.heading) {
      if (in_list) out += "\n";
      out += join(std::string(static_cast<size_t>(std::min(step.depth, 4) + 2), '#'), " ", escaped(step.text),
                  "\n\n");
      in_list = false;
    } else if (step.numbered) {
      out += join(++number, ". ", escaped(step.text), "\n");
      in_list = true;
    } else {
      if (in_list) out += "\n";
      out += escaped(step.text) + "\n\n";
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
    if (!page.notes.empty() && page.notes != page.scene.description) out += "\n" + escaped(page.notes) + "\n";
  }
  return out;
}

}  // namespace

Format markdown_format() {
  return {"md", "Markdown", "the figure said in words, step by step", true, paint_pages};
}

}  // namespace limpid
