// Where the ways of one value part.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "draw/layout/route.h"

namespace limpid::draw {

namespace {

bool lies_on(const Point& p, const Point& a, const Point& b) {
  return p.x >= std::min(a.x, b.x) && p.x <= std::max(a.x, b.x) && p.y >= std::min(a.y, b.y) &&
         p.y <= std::max(a.y, b.y);
}

// The last point of the piece that both ways share at their start, and how far along it is.
std::pair<Point, double> parting(const std::vector<Point>& way, const std::vector<Point>& other) {
  Point at = way[0];
  double gone = 0;
  if (!(at == other[0])) return {at, 0};
  for (size_t i = 1, k = 1; i < way.size() && k < other.size();) {
    const double ax = way[i].x - at.x, ay = way[i].y - at.y, bx = other[k].x - at.x, by = other[k].y - at.y;
    const double a = std::abs(ax) + std::abs(ay), b = std::abs(bx) + std::abs(by);
    if (ax * bx + ay * by < a * b) break;  // not the same direction
    const bool mine = a <= b, its = b <= a;
    gone += std::min(a, b);
    at = mine ? way[i] : other[k];
    i += mine, k += its;
  }
  return {at, gone};
}

// Makes p, which lies on the way, a point of it and its fork.
void fork_at(SceneConnector& c, const Point& p) {
  for (size_t i = 0; i + 1 < c.points.size(); ++i) {
    const Point &a = c.points[i], &b = c.points[i + 1];
    if (!lies_on(p, a, b)) continue;
    c.fork = static_cast<int>(i) + (p == a ? 0 : 1);
    if (!(p == a) && !(p == b)) c.points.insert(c.points.begin() + static_cast<long>(i) + 1, p);
    return;
  }
}

// In how many directions the connectors leave a point.
size_t ways_out(const std::vector<const SceneConnector*>& list, const Point& p) {
  std::set<std::pair<int, int>> directions;
  const auto sign = [](double d) { return (d > 0) - (d < 0); };
  for (const SceneConnector* c : list)
    for (size_t i = 0; i + 1 < c->points.size(); ++i) {
      const Point &a = c->points[i], &b = c->points[i + 1];
      if (!lies_on(p, a, b)) continue;
      if (!(p == a)) directions.insert({sign(a.x - p.x), sign(a.y - p.y)});
      if (!(p == b)) directions.insert({sign(b.x - p.x), sign(b.y - p.y)});
    }
  return directions.size();
}

void mark(Scene& scene, const std::vector<const SceneConnector*>& list) {
  Role role = Role::plain;
  for (const SceneConnector* c : list)
    if (!c->residual) role = c->role;
  std::vector<Point> seen;
  for (const SceneConnector* c : list)
    for (size_t i = 1; i + 1 < c->points.size(); ++i) {
      const Point& p = c->points[i];
      if (std::find(seen.begin(), seen.end(), p) != seen.end()) continue;
      seen.push_back(p);
      if (ways_out(list, p) > 2) scene.marks.push_back({p, role});
    }
}

}  // namespace

void find_forks(Scene& scene) {
  std::vector<SceneConnector*> order;  // a residual path parts from the stream, not the stream from it
  for (bool residual : {false, true})
    for (bool severed : {false, true})  // nor from one that computes nothing
      for (SceneConnector& c : scene.connectors)
        if (c.residual == residual && c.severed == severed) order.push_back(&c);
  for (size_t i = 0; i < order.size(); ++i) {
    std::pair<Point, double> last = {{}, 0};
    for (size_t k = 0; k < i; ++k)
      if (order[k]->from == order[i]->from)
        if (const auto here = parting(order[i]->points, order[k]->points); here.second > last.second)
          last = here;
    if (last.second > 0) fork_at(*order[i], last.first);
  }
  std::map<int, std::vector<const SceneConnector*>> ways;
  for (const SceneConnector& c : scene.connectors) ways[c.from].push_back(&c);
  for (const auto& [from, list] : ways)
    if (list.size() > 1) mark(scene, list);
}

}  // namespace limpid::draw
