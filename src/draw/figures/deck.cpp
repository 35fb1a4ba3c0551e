#include "draw/figures/deck.h"

#include <algorithm>
#include <cmath>

#include "draw/scene/typeset.h"
#include "trace/looks.h"

namespace limpid::draw {

namespace {

constexpr double k_heading_size = 36, k_small_heading = 28, k_foot_size = 26, k_equation_size = 36;
constexpr double k_line = 1.25;  // of a heading's and a foot's lines, as a share of their size
constexpr double k_top = 26, k_bottom = 44, k_gap = 18;
constexpr double k_text_width = k_page_width - 2 * k_page_margin;
constexpr double k_most_scale = 2;

struct Lines {
  std::vector<std::string> texts;
  double size = 0;
  double height() const { return static_cast<double>(texts.size()) * k_line * size; }
};

// As wide as it may be; of more lines than `most` the last one is cut.
std::vector<std::string> broken(const std::string& text, double size, double width, size_t most) {
  std::vector<std::string> lines;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t end = std::min(rest.find(' '), rest.size());
    if (end > 0) {
      const std::string word = elided(rest.substr(0, end), size, width);
      const bool full = lines.size() == most;  // the last line takes all that is left, and is cut
      if (!lines.empty() && (full || text_width(lines.back() + " " + word, size) <= width))
        lines.back() += " " + word;
      else
        lines.push_back(word);
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (!lines.empty()) lines.back() = elided(lines.back(), size, width);
  return lines;
}

Lines heading_of(const PageWords& words) {
  const std::string title = clean(words.title);
  Lines lines = {broken(title, k_heading_size, k_text_width, 3), k_heading_size};
  if (lines.texts.size() > 1) lines = {broken(title, k_small_heading, k_text_width, 3), k_small_heading};
  if (lines.texts.empty()) lines.texts = {"Figure"};
  return lines;
}

Lines foot_of(const PageWords& words) {
  return {broken(clean(words.foot), k_foot_size, k_text_width, 3), k_foot_size};
}

// As large as it fits in one line; nothing where that would be too small for a hall.
std::optional<SceneText> equation_of(const PageWords& words) {
  if (words.equation.empty()) return std::nullopt;
  SceneText text = typeset(text_at(TextKind::equation, clean(words.equation), {k_page_margin, 0},
                                   Anchor::start, Role::plain, k_equation_size));
  const double width = text.bounds().width;
  text.size = std::min(k_equation_size, k_equation_size * k_text_width / std::max(width, 1.0));
  if (text.size < k_hall_size) return std::nullopt;
  return text;
}

}  // namespace

std::string word_of(const Reading& reading, Axis axis, int64_t place, double size, double width) {
  const std::string label = clean(reading.label(axis, place));
  return elided(label.empty() ? join("#", place) : label, size, width);
}

Rect figure_area(const PageWords& words) {
  const auto equation = equation_of(words);
  const double top = k_top + heading_of(words).height() + k_gap;
  const double bottom = k_page_height - k_bottom - foot_of(words).height() -
                        (equation ? k_line * equation->size + 8 : 0) - (words.foot.empty() ? 0 : k_gap);
  return {k_page_margin, top, k_text_width, bottom - top};
}

double page_scale(const PageWords& words, double width, double height) {
  const Rect area = figure_area(words);
  return std::min({k_most_scale, area.width / std::max(width, 1.0), area.height / std::max(height, 1.0)});
}

Slide page_of(const PageWords& words, const Scene& figure) {
  Slide page;
  page.title = clean(words.title);
  page.scene = figure;
  Scene& scene = page.scene;
  const Rect area = figure_area(words);
  const double scale = page_scale(words, figure.width, figure.height);
  transform(scene, scale,
            {area.x + std::max(0.0, (area.width - scale * figure.width) / 2),
             area.y + std::max(0.0, (area.height - scale * figure.height) / 2)});
  scene.width = k_page_width;
  scene.height = k_page_height;
  scene.title = page.title;
  if (scene.description.empty()) scene.description = words.foot.empty() ? page.title : clean(words.foot);
  page.notes = words.notes.empty() ? scene.description : words.notes;
  const Lines heading = heading_of(words), foot = foot_of(words);
  double y = k_top;
  for (const std::string& line : heading.texts) {
    scene.texts.push_back(text_at(TextKind::heading, line, {k_page_margin, y + heading.size}, Anchor::start,
                                  Role::plain, heading.size));
    y += k_line * heading.size;
  }
  y = area.bottom() + k_gap;
  for (const std::string& line : foot.texts) {
    scene.texts.push_back(text_at(TextKind::note, line, {k_page_margin, y + k_ascent * foot.size},
                                  Anchor::start, Role::plain, foot.size));
    y += k_line * foot.size;
  }
  if (auto equation = equation_of(words)) {
    equation->at.y = y + 0.9 * equation->size;
    scene.texts.push_back(*equation);
  }
  return page;
}

void number_pages(std::vector<Slide>& pages) {
  for (size_t i = 0; i < pages.size(); ++i)
    pages[i].scene.texts.push_back(text_at(TextKind::page, std::to_string(i + 1),
                                           {k_page_width - k_page_margin, k_page_height - 14}, Anchor::end,
                                           Role::plain, k_hall_size));
}

int deck_layer(int64_t length, const FigureOptions& o) {
  return o.layer < 0 && length > k_most_tokens_to_choose ? 0 : o.layer;
}

FigureOptions chosen(const Reading& reading, FigureOptions o) {
  if (o.token < 0) o.token = static_cast<int>(reading.length()) - 1;
  o.layer = deck_layer(reading.length(), o);
  if (o.head < 0) {
    const Look* best = nullptr;
    const std::vector<Look> looks = looks_of(reading, o.token);
    for (const Look& each : looks) {
      if (o.layer >= 0 && each.layer != o.layer) continue;
      const auto sharper = [](const Look& a,
                              const Look& b) {  // one that has a choice before one that has none
        return (a.keys > 1) != (b.keys > 1) ? a.keys > 1 : a.evenness < b.evenness;
      };
      if (!best || sharper(each, *best)) best = &each;
    }
    if (best) o.layer = static_cast<int>(best->layer), o.head = static_cast<int>(best->head);
  }
  o.layer = std::max(o.layer, 0);
  o.head = std::max(o.head, 0);
  return o;
}

}  // namespace limpid::draw
