#include "draw/formats/words.h"

#include "draw/text.h"

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

}  // namespace limpid::draw
