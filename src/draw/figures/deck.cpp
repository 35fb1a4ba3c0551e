#include "draw/figures/deck.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "draw/figures/legend.h"
#include "draw/layout/layout.h"
#include "draw/layout/route.h"

namespace limpid::draw {

namespace {

constexpr double k_heading = 26, k_foot = 15, k_least_scale = 0.952;

double scale_of(const Scene& figure) {
  return std::min({1.5, k_figure_area.width / figure.width, k_figure_area.height / figure.height});
}

}  // namespace

std::string word_of(const Reading& reading, Axis axis, int64_t place, double width) {
  const std::string label = clean(reading.label(axis, place));
  return elided(label.empty() ? join("#", place) : label, 16, width);
}

bool fits_page(const Scene& figure) { return scale_of(figure) >= k_least_scale; }

Slide page_of(const std::string& title, const Scene& figure, const std::string& foot,
              const std::string& notes, const std::string& equation) {
  Slide page;
  page.title = clean(title);
  page.notes = notes.empty() ? figure.description : notes;
  Scene part = figure;
  const double scale = scale_of(figure);
  transform(part, scale,
            {k_figure_area.x + std::max(0.0, (k_figure_area.width - scale * figure.width) / 2),
             k_figure_area.y + std::max(0.0, (k_figure_area.height - scale * figure.height) / 2)});
  page.scene = std::move(part);
  Scene& scene = page.scene;
  scene.width = k_page_width;
  scene.height = k_page_height;
  scene.title = page.title;
  if (scene.description.empty()) scene.description = foot;
  scene.texts.push_back(text_at(TextKind::heading, elided(page.title, k_heading, 1200), {40, 58},
                                Anchor::start, Role::plain, k_heading));
  double y = 636;
  if (!foot.empty()) y += add_paragraph(scene, TextKind::note, clean(foot), {40, y}, 1200, k_foot);
  if (!equation.empty()) add_paragraph(scene, TextKind::equation, clean(equation), {40, y}, 1200, k_foot);
  return page;
}

// ---- one step a page -----------------------------------------------------------------------------

size_t box_steps(const Scene& scene) {
  return static_cast<size_t>(
      std::count_if(scene.steps.begin(), scene.steps.end(), [](const SceneStep& s) { return s.box >= 0; }));
}

Scene built_up(const Scene& whole, size_t steps) {
  std::set<int> shown;
  int last = -1;
  std::set<int> named;
  Scene out;
  for (const SceneStep& step : whole.steps)
    if (step.box >= 0) named.insert(step.box);
  for (const SceneStep& step : whole.steps) {
    if (step.box >= 0 && shown.size() >= steps) break;
    out.steps.push_back(step);
    if (step.box < 0) continue;
    shown.insert(step.box);
    if (last < 0 || whole.boxes[static_cast<size_t>(step.box)].look != SceneBox::Look::bare) last = step.box;
  }
  while (!out.steps.empty() && out.steps.back().heading) out.steps.pop_back();
  for (size_t i = 0; i < whole.boxes.size(); ++i)  // the sentence is there from the start
    if (named.count(static_cast<int>(i)) == 0) shown.insert(static_cast<int>(i));
  std::map<int, int> place;
  for (int box : shown) {
    place[box] = static_cast<int>(out.boxes.size());
    out.boxes.push_back(whole.boxes[static_cast<size_t>(box)]);
    out.boxes.back().lit = box == last;
    out.boxes.back().ports.clear();
  }
  for (SceneStep& step : out.steps)
    if (step.box >= 0) step.box = place.at(step.box);
  for (SceneConnector c : whole.connectors) {
    if (place.count(c.from) == 0 || place.count(c.to) == 0) continue;
    const auto port = [&](int box, int from) {
      std::vector<Port>& ports = out.boxes[static_cast<size_t>(place.at(box))].ports;
      ports.push_back(whole.boxes[static_cast<size_t>(box)].ports[static_cast<size_t>(from)]);
      return static_cast<int>(ports.size()) - 1;
    };
    c.from_port = port(c.from, c.from_port);
    c.to_port = port(c.to, c.to_port);
    c.from = place.at(c.from);
    c.to = place.at(c.to);
    c.fork = 0;  // what it ran along may be missing: find_forks tells
    out.connectors.push_back(std::move(c));
  }
  for (SceneFrame frame : whole.frames) {
    std::vector<int> boxes;
    for (int box : frame.boxes)
      if (place.count(box) > 0) boxes.push_back(place.at(box));
    if (boxes.empty()) continue;
    frame.boxes = boxes;
    out.frames.push_back(std::move(frame));
  }
  // A value is named once it goes somewhere.
  const auto leads_on = [&](int box) {
    return place.count(box) > 0 &&
           std::any_of(out.connectors.begin(), out.connectors.end(), [&](const auto& c) {
             return c.from == place.at(box) || (c.residual && c.to == place.at(box));
           });
  };
  for (SceneText text : whole.texts)
    if (text.box < 0 || leads_on(text.box)) {
      if (text.box >= 0) text.box = place.at(text.box);
      out.texts.push_back(std::move(text));
    }
  find_forks(out);
  out.width = whole.width;
  out.height = whole.height;
  out.title = whole.title;
  out.description = told(out.steps);
  return out;
}

namespace {

// Whether the box of that step (from 1) is one without a border: a result.
bool bare(const Scene& figure, size_t number) {
  for (const SceneStep& step : figure.steps)
    if (step.box >= 0 && --number == 0)
      return figure.boxes[static_cast<size_t>(step.box)].look == SceneBox::Look::bare;
  return false;
}

}  // namespace

void add_build_up(std::vector<Slide>& pages, const Scene& figure, const std::string& title) {
  const size_t steps = box_steps(figure);
  size_t number = 0;
  for (const SceneStep& step : figure.steps) {
    if (step.box < 0) continue;
    ++number;
    const SceneBox& box = figure.boxes[static_cast<size_t>(step.box)];
    std::string label;
    for (const SceneText& text : box.texts)
      if (text.kind == TextKind::label) label += (label.empty() ? "" : " ") + text.text;
    if (box.look == SceneBox::Look::bare && number > 1) continue;  // the result comes with the step before it
    const bool last = number + 1 == steps && bare(figure, number + 1);
    pages.push_back(page_of(title + ": " + label, built_up(figure, last ? steps : number), box.caption,
                            join("Step ", number, " of ", steps, ": ", step.text), box.equation));
  }
}

}  // namespace limpid::draw
