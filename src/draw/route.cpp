#include "draw/route.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "draw/text.h"

namespace limpid::draw {

namespace {

// A horizontal piece under a row, from which residual paths rise; depth 0 is nearest to the row.
struct Under {
  int edge = 0, row = 0;
  double from = 0, to = 0;
  int depth = 0;
};

// A vertical piece at the left margin: values and residual paths that go on in a later row.
struct Spine {
  int source = 0;
  double top = 0, bottom = 0;
  int track = 0;
};

class Router {
 public:
  Router(Layout& layout, Scene& scene) : l_(layout), scene_(scene) {}

  double run() {
    place_columns();
    measure_rows();
    place_unders();
    place_axes();
    place_spines();
    add_boxes();
    add_frames();
    add_connectors();
    add_words();
    find_forks();
    add_marks();
    return bottom_;
  }

 private:
  // ---- x

  const Gap& gap(int layer) const { return l_.gaps[static_cast<size_t>(layer)]; }
  Row& row(int r) { return l_.rows[static_cast<size_t>(r)]; }
  const Row& row(int r) const { return l_.rows[static_cast<size_t>(r)]; }
  int rows() const { return static_cast<int>(l_.rows.size()); }
  bool starts_row(int layer) const { return layer > 0 && row(l_.row_of(layer)).first == layer; }

  // Room for lines that change height before `layer`, and for the arrows after them.
  double tracks_width(int layer) const {
    const size_t count = layer > 0 ? gap(layer).tracks.size() : 0;
    return count == 0 ? k_arrow : 12 + k_track * static_cast<double>(count - 1) + k_arrow;
  }

  void place_columns() {
    left_.assign(l_.layers.size(), 0);
    right_.assign(l_.layers.size(), 0);
    for (int r = 0; r < rows(); ++r) {
      double x = k_margin;
      for (int layer = row(r).first; layer <= row(r).last; ++layer) {
        const auto k = static_cast<size_t>(layer);
        if (layer > row(r).first)
          x += gap(layer).width;
        else if (layer > 0)
          x += 40 + (gap(layer).after > 0 ? gap(layer).after : 0) + tracks_width(layer);
        double width = 0;
        for (int i : l_.layers[k]) width = std::max(width, l_.item(i).width);
        for (int i : l_.layers[k]) l_.item(i).x = x + width / 2;
        left_[k] = x;
        right_[k] = x += width;
      }
      row(r).left = left_[static_cast<size_t>(row(r).first)];
      row(r).right = x + (r + 1 < rows() ? gap(row(r).last + 1).before : 0);
    }
  }

  double exit_x(int r) const { return row(r).right + 22; }

  double track_x(int layer, int source) const {
    const std::vector<int>& tracks = gap(layer).tracks;
    const auto at = std::find(tracks.begin(), tracks.end(), source) - tracks.begin();
    return left_[static_cast<size_t>(layer)] - k_arrow -
           k_track * static_cast<double>(static_cast<long>(tracks.size()) - 1 - at);
  }

  // ---- y of rows

  struct Placed {
    const Framed* frame = nullptr;
    Span span;
    int depth = 0;   // 0 outermost
    int height = 0;  // how many frames it holds, one in another
    bool block = false, inline_ = false;
    double top = 0, bottom = 0;  // on the page, of a frame of whole rows
  };

  // The frames, outermost first.
  void find_frames() {
    for (const auto* list : {&l_.outline->blocks, &l_.outline->groups})
      for (const Framed& frame : *list) {
        const Span span = span_of(l_, frame);
        Placed placed;
        placed.frame = &frame;
        placed.span = span;
        placed.block = list == &l_.outline->blocks;
        placed.inline_ = l_.row_of(span.first) == l_.row_of(span.last);
        frames_.push_back(placed);
      }
    std::stable_sort(frames_.begin(), frames_.end(), [](const Placed& a, const Placed& b) {
      return a.span.last - a.span.first > b.span.last - b.span.first;
    });
    for (size_t i = 0; i < frames_.size(); ++i)
      for (size_t k = i + 1; k < frames_.size(); ++k)
        if (frames_[k].span.first >= frames_[i].span.first && frames_[k].span.last <= frames_[i].span.last) {
          frames_[k].depth = std::max(frames_[k].depth, frames_[i].depth + 1);
          frames_[i].height = std::max(frames_[i].height, frames_[k].height + 1);
        }
  }

  // A frame of whole rows lies around them; any other belongs to its row's height.
  bool of_whole_rows(const Placed& f) const {
    return f.block && rows() > 1 && row(l_.row_of(f.span.first)).first == f.span.first &&
           row(l_.row_of(f.span.last)).last == f.span.last;
  }

  // Top and bottom of an inline frame, from the row's axis.
  std::pair<double, double> heights(const Placed& f) const {
    double top = 0, bottom = 0;
    for (int layer = f.span.first; layer <= f.span.last; ++layer)
      for (int i : l_.layers[static_cast<size_t>(layer)]) {
        const bool raised = row(l_.row_of(f.span.first)).raised && l_.item(i).node >= 0;
        top = std::min(top, l_.item(i).y - l_.item(i).height / 2 - (raised ? 16 : 0));
        bottom = std::max(bottom, l_.item(i).y + l_.item(i).height / 2);
      }
    for (const Placed& other : frames_)
      if (&other != &f && !of_whole_rows(other) && other.depth > f.depth &&
          other.span.first >= f.span.first && other.span.last <= f.span.last) {
        const auto [inner_top, inner_bottom] = heights(other);
        top = std::min(top, inner_top);
        bottom = std::max(bottom, inner_bottom);
      }
    return {top - k_frame_pad - k_frame_title, bottom + k_frame_pad};
  }

  void measure_rows() {
    find_frames();
    for (Row& r : l_.rows) {
      for (int layer = r.first; layer <= r.last; ++layer)
        for (int i : l_.layers[static_cast<size_t>(layer)]) {
          const Item& item = l_.item(i);
          const double room = item.node < 0 ? 18 : r.raised ? 20 : 0;  // for words
          r.top = std::min(r.top, item.y - item.height / 2 - room);
          r.bottom = std::max(r.bottom, item.y + item.height / 2 + (item.node < 0 ? 18 : 0));
        }
      for (const Placed& f : frames_)
        if (!of_whole_rows(f) && f.span.first >= r.first && f.span.last <= r.last) {
          const auto [top, bottom] = heights(f);
          r.top = std::min(r.top, top);
          if (!f.block) r.bottom = std::max(r.bottom, bottom);
        }
    }
  }

  // ---- residual paths under the rows

  bool rides(int e) const {  // the path leaves its row with the row's own value
    const int layer = l_.item(l_.edge(e).from).layer, r = l_.row_of(layer);
    return r != l_.row_of(l_.item(l_.edge(e).to).layer) && row(r).last == layer;
  }
  double branch_x(int e) const {
    return l_.item(l_.edge(e).from).x + l_.item(l_.edge(e).from).width / 2 + 11;
  }
  double port_x(int e) const { return l_.item(l_.edge(e).to).x + l_.joins[static_cast<size_t>(e)].offset; }

  void place_unders() {
    for (int e = 0; e < l_.edges(); ++e) {
      if (!l_.edge(e).residual) continue;
      const int from = l_.row_of(l_.item(l_.edge(e).from).layer),
                to = l_.row_of(l_.item(l_.edge(e).to).layer);
      if (from == to) {
        unders_.push_back({e, from, branch_x(e), port_x(e)});
        continue;
      }
      if (!rides(e)) unders_.push_back({e, from, 0, branch_x(e)});
      unders_.push_back({e, to, 0, port_x(e)});
    }
    std::stable_sort(unders_.begin(), unders_.end(),
                     [](const Under& a, const Under& b) { return a.to - a.from < b.to - b.from; });
    for (size_t i = 0; i < unders_.size(); ++i)
      for (size_t k = 0; k < i; ++k)
        if (unders_[k].row == unders_[i].row && unders_[k].from <= unders_[i].to &&
            unders_[i].from <= unders_[k].to)
          unders_[i].depth = std::max(unders_[i].depth, unders_[k].depth + 1);
  }

  const Under& under(int e, int r) const {
    return *std::find_if(unders_.begin(), unders_.end(),
                         [&](const Under& u) { return u.edge == e && u.row == r; });
  }
  double under_y(const Under& u) const { return row(u.row).axis + row(u.row).bottom + 26 + 24 * u.depth; }
  double row_floor(int r) const {
    double y = row(r).axis + row(r).bottom;
    for (const Under& u : unders_)
      if (u.row == r) y = std::max(y, under_y(u) + 4);
    return y;
  }
  // Residual paths pass inside the frame of a block that shares its row with others.
  double inline_block_floor(int r) const { return row_floor(r) + k_frame_pad; }

  // ---- rows on the page

  void place_axes() {
    double y = k_margin - 4;
    gutter_.assign(l_.rows.size(), 0);
    for (int r = 0; r < rows(); ++r) {
      for (Placed& f : frames_)
        if (of_whole_rows(f) && f.span.first == row(r).first) {
          f.top = y;
          y += k_frame_title + k_frame_pad;
        }
      row(r).axis = std::round(y - row(r).top);
      y = row_floor(r);
      for (const Placed& f : frames_)
        if (f.block && f.inline_ && !of_whole_rows(f) && l_.row_of(f.span.first) == r)
          y = inline_block_floor(r);
      for (size_t i = frames_.size(); i-- > 0;)
        if (of_whole_rows(frames_[i]) && frames_[i].span.last == row(r).last) {
          y += k_frame_pad;
          frames_[i].bottom = y;
        }
      bottom_ = y;
      if (r + 1 < rows()) {
        gutter_[static_cast<size_t>(r)] = std::round(y + 30);
        y = gutter_[static_cast<size_t>(r)] + 20;
      }
    }
  }

  // ---- the left margin

  void place_spines() {
    for (int r = 0; r + 1 < rows(); ++r) {
      const int source = crossing(r);
      Spine spine = {source, gutter_[static_cast<size_t>(r)], row(r + 1).axis + l_.item(source).y, 0};
      for (int e = 0; e < l_.edges(); ++e)
        if (l_.edge(e).residual && l_.edge(e).from == source && rides(e))
          spine.bottom = std::max(spine.bottom, under_y(under(e, l_.row_of(l_.item(l_.edge(e).to).layer))));
      spines_.push_back(spine);
    }
    for (int e = 0; e < l_.edges(); ++e) {
      const int from = l_.row_of(l_.item(l_.edge(e).from).layer),
                to = l_.row_of(l_.item(l_.edge(e).to).layer);
      if (!l_.edge(e).residual || from == to || rides(e)) continue;
      mid_spine_[e] = spines_.size();
      spines_.push_back({l_.edge(e).from, under_y(under(e, from)), under_y(under(e, to)), 0});
    }
    std::vector<Spine*> longest;
    for (Spine& s : spines_) longest.push_back(&s);
    std::stable_sort(longest.begin(), longest.end(),
                     [](const Spine* a, const Spine* b) { return a->bottom - a->top > b->bottom - b->top; });
    for (size_t i = 0; i < longest.size(); ++i)
      for (size_t k = 0; k < i; ++k)
        if (longest[k]->top <= longest[i]->bottom && longest[i]->top <= longest[k]->bottom)
          longest[i]->track = std::max(longest[i]->track, longest[k]->track + 1);
  }

  double spine_x(const Spine& s) const { return k_margin + 16 + k_track * s.track; }
  double return_x(int r) const { return spine_x(spines_[static_cast<size_t>(r)]); }

  // The node whose value goes on from row r to the next.
  int crossing(int r) const {
    for (int e = 0; e < l_.edges(); ++e)
      if (!l_.edge(e).residual && l_.item(l_.edge(e).from).layer == row(r).last &&
          l_.item(l_.edge(e).to).layer > row(r).last)
        return l_.edge(e).from;
    return 0;
  }

  // ---- boxes and frames

  double axis_of(int item) const { return row(l_.row_of(l_.item(item).layer)).axis; }
  double y_of(int item) const { return axis_of(item) + l_.item(item).y; }

  void add_boxes() {
    for (size_t i = 0; i < l_.outline->nodes.size(); ++i) {
      const Node& node = l_.outline->nodes[i];
      const Item& item = l_.items[i];
      SceneBox box;
      box.name = node.name;
      box.look = node.kind == Node::Kind::words || node.kind == Node::Kind::result ? SceneBox::Look::bare
                                                                                   : SceneBox::Look::stage;
      box.role = node.role;
      box.rect = {item.x - item.width / 2, y_of(static_cast<int>(i)) - item.height / 2, item.width,
                  item.height};
      box.equation = node.equation;
      box.caption = node.caption;
      scene_.boxes.push_back(std::move(box));
    }
  }

  void add_frames() {
    for (const Placed& f : frames_) {
      if (!of_whole_rows(f) && !f.inline_) continue;
      SceneFrame& frame = scene_.frames.emplace_back();
      frame.name = f.frame->name;
      frame.repeats = f.frame->repeats;
      frame.depth = f.depth;
      frame.boxes = f.frame->nodes;
      if (of_whole_rows(f)) {
        double right = 0;
        for (int r = l_.row_of(f.span.first); r <= l_.row_of(f.span.last); ++r)
          right = std::max(right, r + 1 < rows() ? exit_x(r) : row(r).right);
        frame.rect = {k_margin, f.top, right + k_frame_pad - k_margin, f.bottom - f.top};
      } else {
        const int r = l_.row_of(f.span.first);
        const double axis = row(r).axis;
        auto [top, bottom] = heights(f);
        if (f.block) bottom = inline_block_floor(r) - axis;
        const int inside = f.height;
        const double left =
            left_[static_cast<size_t>(f.span.first)] - tracks_width(f.span.first) - k_frame_pad * inside;
        const double right = right_[static_cast<size_t>(f.span.last)] + k_frame_pad * (inside + 1);
        frame.rect = {left, axis + top, right - left, bottom - top};
      }
      frame.title = {SceneText::Kind::title,
                     f.frame->title,
                     {of_whole_rows(f) ? k_margin + 40 + k_track : frame.rect.x + 14, frame.rect.y + 20},
                     SceneText::Anchor::start,
                     k_title_size,
                     Role::plain};
    }
  }

  // ---- connectors

  static void go(std::vector<Point>& way, double x, double y) {
    if (!way.empty() && way.back() == Point{x, y}) return;
    const size_t n = way.size();
    if (n > 1 && ((way[n - 1].x == x && way[n - 2].x == x) || (way[n - 1].y == y && way[n - 2].y == y)))
      way.back() = {x, y};
    else
      way.push_back({x, y});
  }

  int port(int box, Side side, Point at) {
    std::vector<Port>& ports = scene_.boxes[static_cast<size_t>(box)].ports;
    for (size_t i = 0; i < ports.size(); ++i)
      if (ports[i].side == side && ports[i].at == at) return static_cast<int>(i);
    ports.push_back({side, at});
    return static_cast<int>(ports.size()) - 1;
  }

  // From the end of row r along the gutter to the start of the next row.
  void turn(std::vector<Point>& way, int r, double y) const {
    go(way, exit_x(r), way.back().y);
    go(way, exit_x(r), gutter_[static_cast<size_t>(r)]);
    go(way, return_x(r), gutter_[static_cast<size_t>(r)]);
    go(way, return_x(r), row(r + 1).axis + y);
  }

  std::vector<Point> stream(int e) const {
    const std::vector<int>& chain = l_.chains[static_cast<size_t>(e)];
    const Join& join = l_.joins[static_cast<size_t>(e)];
    const Item &from = l_.item(chain.front()), &to = l_.item(chain.back());
    double y = from.y;
    std::vector<Point> way = {{from.x + from.width / 2, y_of(chain.front())}};
    for (size_t i = 0; i + 1 < chain.size(); ++i) {
      const Item& next = l_.item(chain[i + 1]);
      if (starts_row(next.layer)) turn(way, l_.row_of(next.layer) - 1, y);
      const bool last = i + 2 == chain.size();
      const double end = !last ? next.y : join.side == Side::left ? to.y + join.offset : y;
      const double axis = axis_of(chain[i + 1]);
      if (end != y) {
        go(way, track_x(next.layer, l_.edge(e).from), axis + y);
        go(way, track_x(next.layer, l_.edge(e).from), axis + end);
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

  std::vector<Point> residual(int e) const {
    const int from = l_.edge(e).from, to = l_.edge(e).to;
    const int from_row = l_.row_of(l_.item(from).layer), to_row = l_.row_of(l_.item(to).layer);
    std::vector<Point> way = {{l_.item(from).x + l_.item(from).width / 2, y_of(from)}};
    const double end = under_y(under(e, to_row));
    if (from_row == to_row) {
      go(way, branch_x(e), y_of(from));
      go(way, branch_x(e), end);
    } else if (rides(e)) {
      turn(way, from_row, l_.item(from).y);
      go(way, return_x(from_row), end);
    } else {
      const Spine& spine = spines_[mid_spine_.at(e)];
      go(way, branch_x(e), y_of(from));
      go(way, branch_x(e), under_y(under(e, from_row)));
      go(way, spine_x(spine), under_y(under(e, from_row)));
      go(way, spine_x(spine), end);
    }
    go(way, port_x(e), end);
    go(way, port_x(e), y_of(to) + l_.item(to).height / 2);
    return way;
  }

  bool leaves_group(int e) const {
    for (const Framed& group : l_.outline->groups) {
      const auto has = [&](int node) {
        return std::find(group.nodes.begin(), group.nodes.end(), node) != group.nodes.end();
      };
      if (has(l_.edge(e).from) && !has(l_.edge(e).to)) return true;
    }
    return false;
  }

  // One arrow a word.
  void add_word_arrows(int e) {
    const Edge& edge = l_.edge(e);
    const Item &from = l_.item(edge.from), &to = l_.item(edge.to);
    for (double height : l_.word_heights) {
      const double y = y_of(edge.from) + height;
      SceneConnector c;
      c.from = edge.from;
      c.to = edge.to;
      c.points = {{from.x + from.width / 2, y}, {to.x - to.width / 2, y}};
      c.value = std::to_string(edge.value);
      c.from_port = port(edge.from, Side::right, c.points.front());
      c.to_port = port(edge.to, Side::left, c.points.back());
      scene_.connectors.push_back(std::move(c));
    }
  }

  void add_connectors() {
    for (int e = 0; e < l_.edges(); ++e) {
      const Edge& edge = l_.edge(e);
      if (l_.node(edge.from).kind == Node::Kind::words) {
        add_word_arrows(e);
        continue;
      }
      SceneConnector c;
      c.from = edge.from;
      c.to = edge.to;
      c.residual = edge.residual;
      c.role = edge.residual || leaves_group(e) ? Role::plain : l_.node(edge.from).role;
      c.value = std::to_string(edge.value);
      c.points = edge.residual ? residual(e) : stream(e);
      const Side side = edge.residual ? Side::bottom : l_.joins[static_cast<size_t>(e)].side;
      c.from_port = port(edge.from, Side::right, c.points.front());
      c.to_port = port(edge.to, side, c.points.back());
      scene_.connectors.push_back(std::move(c));
    }
  }

  // ---- words

  void write(SceneText::Kind kind, const std::string& text, Point at, SceneText::Anchor anchor, Role role) {
    if (!text.empty()) scene_.texts.push_back({kind, text, at, anchor, k_small_size, role});
  }

  // The edge that shows a node's value best: one that goes straight on, else its first.
  int shown_edge(int node) const {
    int first = -1;
    for (int e = 0; e < l_.edges(); ++e) {
      if (l_.edge(e).from != node || l_.edge(e).residual) continue;
      const std::vector<int>& chain = l_.chains[static_cast<size_t>(e)];
      if (chain.size() == 2 && l_.joins[static_cast<size_t>(e)].side == Side::left) return e;
      if (first < 0) first = e;
    }
    return first;
  }

  void add_words() {
    using Kind = SceneText::Kind;
    using Anchor = SceneText::Anchor;
    for (size_t i = 0; i < l_.outline->nodes.size(); ++i) {
      const int node = static_cast<int>(i), e = shown_edge(node);
      const EdgeWords& words = l_.words[i];
      if (e < 0 || l_.node(node).kind == Node::Kind::words || (words.shape.empty() && words.name.empty()))
        continue;
      const Item &from = l_.item(node), &next = l_.item(l_.chains[static_cast<size_t>(e)][1]);
      const bool letter = words.name.size() == 1;
      const std::string shape = letter ? words.name + " " + words.shape : words.shape;
      const std::string below = letter ? "" : words.name;
      const double start = from.x + from.width / 2, y = y_of(node);
      if (starts_row(next.layer)) {
        const int r = l_.row_of(next.layer) - 1;
        const std::string line = below.empty() ? shape : shape.empty() ? below : below + " \xc2\xb7 " + shape;
        write(Kind::shape, line, {exit_x(r) - 12, gutter_[static_cast<size_t>(r)] - 6}, Anchor::end,
              words.role);
        continue;
      }
      const Gap& g = gap(next.layer);
      const bool last = l_.chains[static_cast<size_t>(e)].size() == 2;
      const Join& join = l_.joins[static_cast<size_t>(e)];
      const bool trunk = std::find(g.tracks.begin(), g.tracks.end(), node) != g.tracks.end();
      if (!trunk && (!last || join.side != Side::left)) {  // along a lane, outside of its turn
        const bool rises = lane_rises(e);
        write(Kind::shape, shape, {start + g.before + 8, y + (rises ? 15 : -6)}, Anchor::start, words.role);
        write(Kind::name, below, {start + g.before + 8, y + (rises ? -6 : 15)}, Anchor::start, words.role);
        continue;
      }
      if (row(l_.row_of(next.layer)).raised && !trunk && below.empty() && can_rise(l_, e)) {
        const double top =
            std::min(y - from.height / 2, y_of(l_.edge(e).to) - l_.item(l_.edge(e).to).height / 2);
        write(Kind::shape, shape, {start + g.width / 2, top - 7}, Anchor::middle, words.role);
        continue;
      }
      const double room = trunk || g.after > 0 ? g.label : g.width - g.before;
      const double middle = start + g.before + room / 2;
      write(Kind::shape, shape, {middle, y - 6}, Anchor::middle, words.role);
      double line = y + 16;
      if (!below.empty())
        for (const std::string& part :
             wrapped(below, k_small_size, text_width("Self-Attention", k_small_size) + 1)) {
          write(Kind::name, part, {middle, line}, Anchor::middle, words.role);
          line += 14;
        }
    }
    for (const Under& u : unders_) {
      if (u.row != l_.row_of(l_.item(l_.edge(u.edge).to).layer)) continue;
      const std::string text = "residual path";
      const double from = u.from > 0 ? u.from : k_margin + 60, width = text_width(text, k_small_size);
      if (u.to - from < width + 16) continue;
      write(Kind::name, text, {(from + u.to) / 2, under_y(u) - 6}, Anchor::middle, Role::plain);
    }
  }

  bool lane_rises(int e) const {
    const double y = l_.approach(e);
    const Join& join = l_.joins[static_cast<size_t>(e)];
    return join.side == Side::bottom || (join.side == Side::left && l_.item(l_.edge(e).to).y < y);
  }

  // ---- forks

  // Where `way` leaves `other`: the last point of the piece at their start that they share, and its distance.
  static std::pair<Point, double> parting(const std::vector<Point>& way, const std::vector<Point>& other) {
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

  // Marks, as a point of its own, where each connector parts from those of the same value before it.
  void find_forks() {
    std::vector<SceneConnector*> order;
    for (bool residual : {false, true})
      for (SceneConnector& c : scene_.connectors)
        if (c.residual == residual) order.push_back(&c);
    for (size_t i = 0; i < order.size(); ++i) {
      std::pair<Point, double> last = {{}, 0};
      for (size_t k = 0; k < i; ++k)
        if (order[k]->from == order[i]->from)
          if (const auto here = parting(order[i]->points, order[k]->points); here.second > last.second)
            last = here;
      if (last.second > 0) split(*order[i], last.first);
    }
  }

  static void split(SceneConnector& c, const Point& p) {
    for (size_t i = 0; i + 1 < c.points.size(); ++i) {
      const Point &a = c.points[i], &b = c.points[i + 1];
      const bool on = p.x >= std::min(a.x, b.x) && p.x <= std::max(a.x, b.x) && p.y >= std::min(a.y, b.y) &&
                      p.y <= std::max(a.y, b.y);
      if (!on) continue;
      c.fork = static_cast<int>(i) + (p == a ? 0 : 1);
      if (!(p == a) && !(p == b)) c.points.insert(c.points.begin() + static_cast<long>(i) + 1, p);
      return;
    }
  }

  // A dot wherever the ways of one value part.
  void add_marks() {
    std::map<int, std::vector<const SceneConnector*>> ways;
    for (const SceneConnector& c : scene_.connectors) ways[c.from].push_back(&c);
    for (const auto& [from, list] : ways) {
      if (list.size() < 2 || l_.node(from).kind == Node::Kind::words) continue;
      std::vector<Point> corners;
      for (const SceneConnector* c : list)
        for (size_t i = 1; i + 1 < c->points.size(); ++i)
          if (std::find(corners.begin(), corners.end(), c->points[i]) == corners.end())
            corners.push_back(c->points[i]);
      for (const Point& p : corners)
        if (ways_out(list, p) > 2) scene_.marks.push_back({p, mark_role(list)});
    }
  }

  static Role mark_role(const std::vector<const SceneConnector*>& list) {
    for (const SceneConnector* c : list)
      if (!c->residual) return c->role;
    return Role::plain;
  }

  // In how many directions the connectors leave a point.
  static size_t ways_out(const std::vector<const SceneConnector*>& list, const Point& p) {
    std::set<std::pair<int, int>> directions;
    const auto sign = [](double d) { return (d > 0) - (d < 0); };
    for (const SceneConnector* c : list)
      for (size_t i = 0; i + 1 < c->points.size(); ++i) {
        const Point &a = c->points[i], &b = c->points[i + 1];
        const bool on = p.x >= std::min(a.x, b.x) && p.x <= std::max(a.x, b.x) && p.y >= std::min(a.y, b.y) &&
                        p.y <= std::max(a.y, b.y);
        if (!on) continue;
        if (!(p == a)) directions.insert({sign(a.x - p.x), sign(a.y - p.y)});
        if (!(p == b)) directions.insert({sign(b.x - p.x), sign(b.y - p.y)});
      }
    return directions.size();
  }

  Layout& l_;
  Scene& scene_;
  std::vector<double> left_, right_;  // by layer
  std::vector<Placed> frames_;
  std::vector<Under> unders_;
  std::vector<double> gutter_;  // by row: the line to the next one
  std::vector<Spine> spines_;   // first those of the rows' own values
  std::map<int, size_t> mid_spine_;
  double bottom_ = 0;
};

}  // namespace

double route(Layout& layout, Scene& scene) { return Router(layout, scene).run(); }

}  // namespace limpid::draw
