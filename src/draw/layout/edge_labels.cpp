// Words beside lines: small, next to what they name, in its colour.
#include <algorithm>

#include "draw/layout/route.h"
#include "draw/scene/text.h"

namespace limpid::draw {

namespace {

using Kind = SceneText::Kind;
using Anchor = SceneText::Anchor;

constexpr double k_above = 6;  // from a line to the baseline of words above it

class Captions {
 public:
  Captions(const Page& page, Scene& scene) : page_(page), l_(page.layout()), scene_(scene) {}

  void add() {
    for (size_t i = 0; i < l_.outline->nodes.size(); ++i) add_value(static_cast<int>(i));
    for (const Under& u : page_.unders()) add_residual(u);
  }

 private:
  void write(Kind kind, const std::string& text, Point at, Anchor anchor, Role role, int box) {
    if (text.empty()) return;
    scene_.texts.push_back({kind, text, at, anchor, l_.spacing.small, role});
    scene_.texts.back().box = box;
  }

  // From a line to the baseline of words below it; larger words stand nearer, where things are close
  // together.
  double below() const { return std::min(l_.spacing.small + 3, 15.); }

  // The edge that shows a node's value best: one that goes straight on, else its first.
  int shown_edge(int node) const {
    int first = -1;
    for (int e = 0; e < l_.edges(); ++e) {
      if (l_.edge(e).from != node || l_.edge(e).residual) continue;
      if (l_.chains[static_cast<size_t>(e)].size() == 2 &&
          l_.joins[static_cast<size_t>(e)].side == Side::left)
        return e;
      if (first < 0) first = e;
    }
    return first;
  }

  void add_value(int node) {
    const int e = shown_edge(node);
    const EdgeWords& words = l_.words[static_cast<size_t>(node)];
    if (e < 0) return;
    const std::vector<int>& chain = l_.chains[static_cast<size_t>(e)];
    const int layer = l_.item(chain[1]).layer, row = l_.row_of(layer);
    const Gap& gap = l_.gaps[static_cast<size_t>(layer)];
    const bool trunk = std::find(gap.tracks.begin(), gap.tracks.end(), node) != gap.tracks.end();
    const bool lane = chain.size() > 2 || l_.joins[static_cast<size_t>(e)].side != Side::left;
    if (page_.starts_row(layer))
      in_gutter(node, row - 1, words);
    else if (lane && !trunk)
      along_lane(node, e, gap, words);
    else if (!trunk && words.below.empty() && page_.row(row).raised && can_rise(l_, e))
      above_boxes(node, gap, words);
    else
      in_gap(node, gap, trunk || gap.after > 0 ? gap.label : gap.width - gap.before, words);
  }

  void in_gutter(int node, int r, const EdgeWords& words) {
    const bool both = !words.below.empty() && !words.above.empty();
    const std::string line = words.below + (both ? " \xc2\xb7 " : "") + words.above;
    write(Kind::shape, line, {page_.exit_x(r) - 12, page_.gutter_y(r) - k_above}, Anchor::end, words.role,
          node);
  }

  // On the outside of the lane's turn.
  void along_lane(int node, int e, const Gap& gap, const EdgeWords& words) {
    const Item& from = l_.item(node);
    const double x = from.x + from.width / 2 + gap.before + 8, y = page_.y_of(node);
    const Side side = l_.joins[static_cast<size_t>(e)].side;
    const bool turns_up =
        side == Side::bottom || (side == Side::left && l_.item(l_.edge(e).to).y < l_.approach(e));
    const bool rises = turns_up && !starts_residual(node);
    write(Kind::shape, words.above, {x, y + (rises ? below() : -k_above)}, Anchor::start, words.role, node);
    write(Kind::name, words.below, {x, y + (rises ? -k_above : below())}, Anchor::start, words.role, node);
  }

  bool starts_residual(int node) const {
    return std::any_of(l_.outline->edges.begin(), l_.outline->edges.end(),
                       [&](const Edge& e) { return e.from == node && e.residual; });
  }

  void above_boxes(int node, const Gap& gap, const EdgeWords& words) {
    const Item& from = l_.item(node);
    write(Kind::shape, words.above,
          {from.x + (from.width + gap.width) / 2, page_.y_of(node) - from.height / 2 - 7}, Anchor::middle,
          words.role, node);
  }

  void in_gap(int node, const Gap& gap, double room, const EdgeWords& words) {
    const Item& from = l_.item(node);
    const double middle = from.x + from.width / 2 + gap.before + room / 2;
    double y = page_.y_of(node);
    write(Kind::shape, words.above, {middle, y - k_above}, Anchor::middle, words.role, node);
    if (words.below.empty()) return;
    for (const std::string& line : wrapped(words.below, l_.spacing.small, k_name_width)) {
      write(Kind::name, line, {middle, y + below() + 1}, Anchor::middle, words.role, node);
      y += l_.spacing.small + 2;
    }
  }

  void add_residual(const Under& u) {
    if (u.row != l_.row_of(l_.item(l_.edge(u.edge).to).layer)) return;
    const std::string text = "residual path";
    const double from = u.from > 0 ? u.from : k_margin + 60;
    if (u.to - from < text_width(text, l_.spacing.small) + 16) return;
    write(Kind::name, text, {(from + u.to) / 2, page_.under_y(u) - k_above}, Anchor::middle, Role::plain,
          l_.edge(u.edge).to);
  }

  const Page& page_;
  const Layout& l_;
  Scene& scene_;
};

}  // namespace

void add_captions(const Page& page, Scene& scene) { Captions(page, scene).add(); }

}  // namespace limpid::draw
