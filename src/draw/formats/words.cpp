#include "draw/formats/words.h"

#include <algorithm>

#include "core/width.h"
#include "draw/scene/text.h"

namespace limpid::draw {

std::vector<std::string> steps_in_lines(const Scene& scene) {
  std::vector<std::string> lines;
  int number = 0;
  for (const SceneStep& step : scene.steps) {
    const std::string indent(static_cast<size_t>(2 * step.depth), ' ');
    const std::string place = step.numbered && !step.heading ? join(++number, ". ") : "";
    lines.push_back(indent + place + clean(step.text) + (step.heading ? ":" : ""));
  }
  return lines;
}

std::string filled(const std::string& line, size_t columns, size_t hanging) {
  const size_t indent = std::min(line.find_first_not_of(' '), line.size());
  std::string out, current = line.substr(0, indent);
  bool empty = true;
  for (size_t at = indent; at < line.size();) {
    const size_t end = std::min(line.find(' ', at), line.size());
    const std::string word =
        clip_to_width(line.substr(at, end - at), columns > indent + hanging ? columns - indent - hanging : 1);
    if (!empty && display_width(current) + 1 + display_width(word) > columns) {
      out += current + "\n";
      current = std::string(indent + hanging, ' ');
      empty = true;
    }
    current += (empty ? "" : " ") + word;
    empty = false;
    at = end + 1;
  }
  return out + current + "\n";
}

}  // namespace limpid::draw
