// From places to lines: horizontal and vertical pieces from box to box.
#include "draw/layout/route.h"

#include <algorithm>

namespace limpid::draw {

namespace {

using Way = std::vector<Point>;

// Goes on to (x, y); a piece that goes on straight grows.
void go(Way& way, double x, double y) {
  if (!way.empty() && way.back() == Point{x, y}) return;
  const size_t n = way.size();
  if (n > 1 && ((way[n - 1].x == x && way[n - 2].x == x) || (way[n - 1].y == y && way[n - 2].y == y)))
    way.back() = {x, y};
  else
    way.push_back({x, y});
}

// From the end of row r along the gutter to the start of the next row, at height y from its axis.
void turn(Way& way, const Page& page, int r, double y) {
  go(way, page.exit_x(r), way.back().y);
  go(way, page.exit_x(r), page.gutter_y(r));
  go(way, page.return_x(r), page.gutter_y(r));
  go(way, page.return_x(r), page.row(r + 1).axis + y);
}

Way stream(const Page& page, int e) {
  const Layout& l = page.layout();
  const std::vector<int>& chain = l.chains[static_cast<size_t>(e)];
  const Join& join = l.joins[static_cast<size_t>(e)];
  const Item &from = l.item(chain.front()), &to = l.item(chain.back());
  double y = from.y;
  Way way = {{from.x + from.width / 2, page.y_of(chain.front())}};
  for (size_t i = 0; i + 1 < chain.size(); ++i) {
    const Item& next = l.item(chain[i + 1]);
    if (page.starts_row(next.layer)) turn(way, page, l.row_of(next.layer) - 1, y);
    const bool last = i + 2 == chain.size();
    const double end = !last ? next.y : join.side == Side::left ? to.y + join.offset : y;
    const double axis = page.axis_of(chain[i + 1]);
    if (end != y) {
      go(way, page.track_x(next.layer, l.edge(e).from), axis + y);
      go(way, page.track_x(next.layer, l.edge(e).from), axis + end);
      y = end;
    }
    if (!last) {
      go(way, next.x, axis + y);
    } else if (join.side == Side::left) {
      go(way, to.x - to.width / 2, axis + y);
    } else {
      go(way, to.x + join.offset, axis + y);
      go(way, to.x + join.offset, axis + to.y + (join.side == Side::top ? -1 : 1) * to.height / 2);
    }
  }
  return way;
}

Way residual(const Page& page, int e) {
  const Layout& l = page.layout();
  const int from = l.edge(e).from, to = l.edge(e).to;
  const int from_row = l.row_of(l.item(from).layer), to_row = l.row_of(l.item(to).layer);
  Way way = {{l.item(from).x + l.item(from).width / 2, page.y_of(from)}};
  const double end = page.under_y(page.under(e, to_row));
  if (from_row == to_row) {
    go(way, page.branch_x(e), page.y_of(from));
    go(way, page.branch_x(e), end);
  } else if (page.rides(e)) {
    turn(way, page, from_row, l.item(from).y);
    go(way, page.return_x(from_row), end);
  } else {
    const double under = page.under_y(page.under(e, from_row));
    go(way, page.branch_x(e), page.y_of(from));
    go(way, page.branch_x(e), under);
    go(way, page.margin_x(e), under);
    go(way, page.margin_x(e), end);
  }
  go(way, page.port_x(e), end);
  go(way, page.port_x(e), page.y_of(to) + l.item(to).height / 2);
  return way;
}

// What leaves a group is no longer query, key, value or weights to anybody.
bool leaves_group(const Layout& l, int e) {
  for (const Framed& group : l.outline->groups) {
    const auto has = [&](int node) {
      return std::find(group.nodes.begin(), group.nodes.end(), node) != group.nodes.end();
    };
    if (has(l.edge(e).from) && !has(l.edge(e).to)) return true;
  }
  return false;
}

int port(SceneBox& box, Side side, Point at) {
  for (size_t i = 0; i < box.ports.size(); ++i)
    if (box.ports[i].side == side && box.ports[i].at == at) return static_cast<int>(i);
  box.ports.push_back({side, at});
  return static_cast<int>(box.ports.size()) - 1;
}

void connect(Scene& scene, const Edge& edge, Way way, Side side, Role role) {
  SceneConnector c;
  c.from = edge.from;
  c.to = edge.to;
  c.from_port = port(scene.boxes[static_cast<size_t>(edge.from)], Side::right, way.front());
  c.to_port = port(scene.boxes[static_cast<size_t>(edge.to)], side, way.back());
  c.points = std::move(way);
  c.role = role;
  c.residual = edge.residual;
  c.severed = edge.severed;
  c.value = std::to_string(edge.value);
  scene.connectors.push_back(std::move(c));
}

}  // namespace

void add_connectors(const Page& page, Scene& scene) {
  const Layout& l = page.layout();
  for (int e = 0; e < l.edges(); ++e) {
    const Edge& edge = l.edge(e);
    const Node& from = l.node(edge.from);
    if (edge.residual) {
      connect(scene, edge, residual(page, e), Side::bottom, Role::plain);
    } else if (from.kind == Node::Kind::words) {
      const Item &words = l.item(edge.from), &to = l.item(edge.to);
      for (double height : l.word_heights) {
        const double y = page.y_of(edge.from) + height;
        connect(scene, edge, {{words.x + words.width / 2, y}, {to.x - to.width / 2, y}}, Side::left,
                Role::plain);
      }
    } else {
      connect(scene, edge, stream(page, e), l.joins[static_cast<size_t>(e)].side,
              leaves_group(l, e) ? Role::plain : from.role);
    }
  }
}

}  // namespace limpid::draw
