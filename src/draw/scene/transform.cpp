#include "draw/scene/transform.h"

#include <algorithm>

namespace limpid::draw {

void each_place(Scene& s, const std::function<void(Point&)>& point, const std::function<void(Rect&)>& rect,
                const std::function<void(SceneText&)>& text) {
  for (SceneFrame& f : s.frames) rect(f.rect), text(f.title);
  for (SceneBar& b : s.bars) rect(b.rect);
  for (SceneGrid& g : s.grids) {
    rect(g.rect);
    for (SceneText& t : g.texts) text(t);
  }
  for (SceneLine& l : s.lines)
    for (Point& p : l.points) point(p);
  for (SceneConnector& c : s.connectors)
    for (Point& p : c.points) point(p);
  for (SceneMark& m : s.marks) point(m.at);
  for (SceneBox& b : s.boxes) {
    rect(b.rect);
    for (SceneText& t : b.texts) text(t);
    for (Port& p : b.ports) point(p.at);
  }
  for (SceneText& t : s.texts) text(t);
}

void transform(Scene& scene, double scale, Point to) {
  const auto move = [&](Point& p) { p = {to.x + scale * p.x, to.y + scale * p.y}; };
  each_place(
      scene, move,
      [&](Rect& r) { r = {to.x + scale * r.x, to.y + scale * r.y, scale * r.width, scale * r.height}; },
      [&](SceneText& t) {
        move(t.at);
        t.size *= scale;
      });
  for (SceneLine& line : scene.lines) line.width *= scale;
  for (SceneConnector& c : scene.connectors) c.width *= scale;
  // Ends stay on their boxes to the last bit.
  for (SceneBox& box : scene.boxes)
    for (Port& port : box.ports) {
      if (port.side == Side::left) port.at.x = box.rect.x;
      if (port.side == Side::right) port.at.x = box.rect.right();
      if (port.side == Side::top) port.at.y = box.rect.y;
      if (port.side == Side::bottom) port.at.y = box.rect.bottom();
    }
  for (SceneConnector& c : scene.connectors) {
    c.points.front() = scene.boxes[static_cast<size_t>(c.from)].ports[static_cast<size_t>(c.from_port)].at;
    c.points.back() = scene.boxes[static_cast<size_t>(c.to)].ports[static_cast<size_t>(c.to_port)].at;
  }
  scene.width *= scale;
  scene.height *= scale;
}

Scene fitted(const Scene& scene, double width, double height, double margin) {
  Scene out = scene;
  const double scale = std::min((width - 2 * margin) / std::max(scene.width, 1.0),
                                (height - 2 * margin) / std::max(scene.height, 1.0));
  transform(out, scale, {(width - scale * scene.width) / 2, (height - scale * scene.height) / 2});
  out.width = width;
  out.height = height;
  return out;
}

}  // namespace limpid::draw
