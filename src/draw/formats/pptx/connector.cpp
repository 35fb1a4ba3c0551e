#include "draw/formats/pptx/connector.h"

#include <algorithm>
#include <cmath>

#include "draw/formats/xml.h"

namespace limpid::draw {

int64_t emu(double scene_units) { return std::llround(scene_units * k_emu); }
int64_t centipoints(double scene_units) { return std::llround(scene_units * 75); }

namespace {

Rect around(const std::vector<Point>& points) {
  double left = points[0].x, right = left, top = points[0].y, bottom = top;
  for (const Point& p : points) {
    left = std::min(left, p.x), right = std::max(right, p.x);
    top = std::min(top, p.y), bottom = std::max(bottom, p.y);
  }
  return {left, top, right - left, bottom - top};
}

void place(Xml& xml, const Rect& r, int64_t turn, bool flip_h, bool flip_v) {
  xml.open("a:xfrm");
  if (turn != 0) xml.set("rot", turn);
  if (flip_h) xml.set("flipH", 1);
  if (flip_v) xml.set("flipV", 1);
  xml.open("a:off").set("x", emu(r.x)).set("y", emu(r.y)).close();
  xml.open("a:ext").set("cx", emu(r.width)).set("cy", emu(r.height)).close().close();
}

// bentConnector2 leaves to the right and arrives downwards; turned and flipped it is any elbow.
std::string elbow(const Point& from, const Point& corner, const Point& to) {
  const bool upright = corner.x == from.x;  // leaves up or down
  const double along = upright ? to.y - from.y : to.x - from.x,
               across = upright ? to.x - from.x : to.y - from.y;
  // Before turning the start is top left and the end bottom right, about the same centre.
  const double w = std::abs(along), h = std::abs(across);
  const Rect r = {(from.x + to.x - w) / 2, (from.y + to.y - h) / 2, w, h};
  Xml xml;
  if (!upright)
    place(xml, r, 0, along < 0, across < 0);
  else if (along > 0)  // a quarter clockwise: along becomes down, across becomes left
    place(xml, r, 5400000, false, across > 0);
  else  // a quarter anticlockwise: along becomes up, across becomes right
    place(xml, r, 16200000, false, across < 0);
  xml.raw("<a:prstGeom prst=\"bentConnector2\"><a:avLst/></a:prstGeom>");
  return xml.take();
}

void point(Xml& xml, const Point& p) { xml.open("a:pt").set("x", emu(p.x)).set("y", emu(p.y)).close(); }

}  // namespace

std::vector<Point> corners(const std::vector<Point>& points) {
  std::vector<Point> out;
  for (const Point& p : points) {
    if (!out.empty() && out.back() == p) continue;
    if (out.size() > 1) {
      const Point &a = out[out.size() - 2], &b = out.back();
      if (std::abs((b.x - a.x) * (p.y - b.y) - (b.y - a.y) * (p.x - b.x)) < 1e-9 &&
          (b.x - a.x) * (p.x - b.x) + (b.y - a.y) * (p.y - b.y) > 0)
        out.pop_back();
    }
    out.push_back(p);
  }
  return out;
}

std::string polyline_geometry(const std::vector<Point>& points, std::string_view straight) {
  Xml xml;
  if (points.size() == 2) {
    place(xml, around(points), 0, points[1].x < points[0].x, points[1].y < points[0].y);
    xml.open("a:prstGeom").set("prst", straight).raw("<a:avLst/>");
    return xml.take();
  }
  const Rect r = around(points);
  place(xml, r, 0, false, false);
  xml.open("a:custGeom")
      .raw("<a:avLst/><a:gdLst/><a:ahLst/><a:cxnLst/><a:rect l=\"0\" t=\"0\" r=\"r\" b=\"b\"/>");
  xml.open("a:pathLst").open("a:path").set("w", emu(r.width)).set("h", emu(r.height)).set("fill", "none");
  for (size_t i = 0; i < points.size(); ++i) {
    xml.open(i == 0 ? "a:moveTo" : "a:lnTo");
    point(xml, {points[i].x - r.x, points[i].y - r.y});
    xml.close();
  }
  return xml.take();
}

std::string connector_geometry(const std::vector<Point>& points) {
  const bool bent = points.size() == 3 && (points[0].x == points[1].x) != (points[1].x == points[2].x) &&
                    (points[0].y == points[1].y) != (points[1].y == points[2].y);
  return bent ? elbow(points[0], points[1], points[2]) : polyline_geometry(points);
}

std::string box_geometry(const Rect& r, double corner, const std::vector<Point>& sites) {
  const double w = r.width, h = r.height, c = corner;
  Xml xml;
  xml.open("a:custGeom").raw("<a:avLst/><a:gdLst/><a:ahLst/>").open("a:cxnLst");
  const auto site = [&](double x, double y) {
    const double from_left = x, from_right = w - x, from_top = y, from_bottom = h - y;
    const double least = std::min({from_left, from_right, from_top, from_bottom});
    const int64_t angle = least == from_top      ? 16200000
                          : least == from_left   ? 10800000
                          : least == from_bottom ? 5400000
                                                 : 0;
    xml.open("a:cxn").set("ang", angle).open("a:pos").set("x", emu(x)).set("y", emu(y)).close().close();
  };
  site(w / 2, 0), site(0, h / 2), site(w / 2, h), site(w, h / 2);
  for (const Point& p : sites) site(p.x - r.x, p.y - r.y);
  xml.close().raw("<a:rect l=\"0\" t=\"0\" r=\"r\" b=\"b\"/>").open("a:pathLst");
  xml.open("a:path").set("w", emu(w)).set("h", emu(h));
  const auto go = [&](const char* how, double x, double y) {
    xml.open(how);
    point(xml, {x, y});
    xml.close();
  };
  const auto round = [&](int64_t from) {
    if (c > 0)
      xml.open("a:arcTo")
          .set("wR", emu(c))
          .set("hR", emu(c))
          .set("stAng", from)
          .set("swAng", 5400000)
          .close();
  };
  go("a:moveTo", 0, c);
  round(10800000);
  go("a:lnTo", w - c, 0);
  round(16200000);
  go("a:lnTo", w, h - c);
  round(0);
  go("a:lnTo", c, h);
  round(5400000);
  xml.raw("<a:close/>");
  return xml.take();
}

}  // namespace limpid::draw
