#include "draw/layout/page.h"

#include <algorithm>
#include <cmath>

namespace limpid::draw {

Page::Page(Layout& layout) : l_(layout) {
  place_columns();
  find_frames();
  measure_rows();
  place_unders();
  place_axes();
  place_spines();
  place_frames();
}

// ---- x -------------------------------------------------------------------------------------------

// Room for lines that change height before `layer`, and for the arrows after them.
double Page::tracks_width(int layer) const {
  const size_t count = layer > 0 ? gap(layer).tracks.size() : 0;
  return count == 0 ? k_arrow : 12 + k_track * static_cast<double>(count - 1) + k_arrow;
}

void Page::place_columns() {
  left_.assign(l_.layers.size(), 0);
  right_.assign(l_.layers.size(), 0);
  for (Row& r : l_.rows) {
    double x = k_margin;
    for (int layer = r.first; layer <= r.last; ++layer) {
      const auto k = static_cast<size_t>(layer);
      if (layer > r.first)
        x += gap(layer).width;
      else if (layer > 0)
        x += 40 + gap(layer).after + tracks_width(layer);
      double width = 0;
      for (int i : l_.layers[k]) width = std::max(width, l_.item(i).width);
      for (int i : l_.layers[k]) l_.item(i).x = x + width / 2;
      left_[k] = x;
      right_[k] = x += width;
    }
    r.left = left_[static_cast<size_t>(r.first)];
    r.right = x + (&r != &l_.rows.back() ? gap(r.last + 1).before : 0);
  }
}

double Page::track_x(int layer, int source) const {
  const std::vector<int>& tracks = gap(layer).tracks;
  const auto after = tracks.end() - std::find(tracks.begin(), tracks.end(), source) - 1;
  return left_[static_cast<size_t>(layer)] - k_arrow - k_track * static_cast<double>(after);
}

// ---- y of rows, from their axes ------------------------------------------------------------------

void Page::find_frames() {
  for (const auto* list : {&l_.outline->blocks, &l_.outline->groups})
    for (const Framed& frame : *list) {
      PlacedFrame f;
      f.frame = &frame;
      f.span = span_of(l_, frame);
      f.block = list == &l_.outline->blocks;
      const int first = l_.row_of(f.span.first), last = l_.row_of(f.span.last);
      f.one_row = first == last;
      f.whole_rows =
          f.block && rows() > 1 && row(first).first == f.span.first && row(last).last == f.span.last;
      frames_.push_back(f);
    }
  std::stable_sort(frames_.begin(), frames_.end(), [](const PlacedFrame& a, const PlacedFrame& b) {
    return a.span.last - a.span.first > b.span.last - b.span.first;
  });
  for (size_t i = 0; i < frames_.size(); ++i)
    for (size_t k = i + 1; k < frames_.size(); ++k)
      if (frames_[k].span.first >= frames_[i].span.first && frames_[k].span.last <= frames_[i].span.last) {
        frames_[k].depth = std::max(frames_[k].depth, frames_[i].depth + 1);
        frames_[i].height = std::max(frames_[i].height, frames_[k].height + 1);
      }
}

// Top and bottom of a frame within a row, from the row's axis.
std::pair<double, double> Page::heights(const PlacedFrame& f) const {
  double top = 0, bottom = 0;
  const bool raised = row(l_.row_of(f.span.first)).raised;
  for (int layer = f.span.first; layer <= f.span.last; ++layer)
    for (int i : l_.layers[static_cast<size_t>(layer)]) {
      const Item& item = l_.item(i);
      top = std::min(top, item.y - item.height / 2 - (raised && item.node >= 0 ? 16 : 0));
      bottom = std::max(bottom, item.y + item.height / 2);
    }
  for (const PlacedFrame& inner : frames_)
    if (inner.depth > f.depth && inner.span.first >= f.span.first && inner.span.last <= f.span.last) {
      const auto [inner_top, inner_bottom] = heights(inner);
      top = std::min(top, inner_top);
      bottom = std::max(bottom, inner_bottom);
    }
  return {top - k_frame_pad - k_frame_title, bottom + k_frame_pad};
}

// Left and right of a frame within a row.
std::pair<double, double> Page::sides(const PlacedFrame& f) const {
  return {left_[static_cast<size_t>(f.span.first)] - tracks_width(f.span.first) - k_frame_pad * f.height,
          right_[static_cast<size_t>(f.span.last)] + k_frame_pad * (f.height + 1)};
}

void Page::measure_rows() {
  for (Row& r : l_.rows) {
    for (int layer = r.first; layer <= r.last; ++layer)
      for (int i : l_.layers[static_cast<size_t>(layer)]) {
        const Item& item = l_.item(i);
        const double words = item.node < 0 ? 18 : r.raised ? 20 : 0;
        r.top = std::min(r.top, item.y - item.height / 2 - words);
        r.bottom = std::max(r.bottom, item.y + item.height / 2 + (item.node < 0 ? 18 : 0));
      }
    for (const PlacedFrame& f : frames_)
      if (!f.whole_rows && f.span.first >= r.first && f.span.last <= r.last) {
        const auto [top, bottom] = heights(f);
        r.top = std::min(r.top, top);
        if (!f.block) r.bottom = std::max(r.bottom, bottom);
      }
  }
}

// ---- residual paths under the rows ---------------------------------------------------------------

bool Page::rides(int e) const {
  const int layer = l_.item(l_.edge(e).from).layer, r = l_.row_of(layer);
  return r != l_.row_of(l_.item(l_.edge(e).to).layer) && row(r).last == layer;
}

double Page::branch_x(int e) const {
  const Item& from = l_.item(l_.edge(e).from);
  return from.x + from.width / 2 + 11;
}

double Page::port_x(int e) const {
  return l_.item(l_.edge(e).to).x + l_.joins[static_cast<size_t>(e)].offset;
}

void Page::place_unders() {
  for (int e = 0; e < l_.edges(); ++e) {
    if (!l_.edge(e).residual) continue;
    const int from = l_.row_of(l_.item(l_.edge(e).from).layer);
    const int to = l_.row_of(l_.item(l_.edge(e).to).layer);
    if (from == to) {
      unders_.push_back({e, from, branch_x(e), port_x(e), 0});
      continue;
    }
    if (!rides(e)) unders_.push_back({e, from, 0, branch_x(e), 0});
    unders_.push_back({e, to, 0, port_x(e), 0});
  }
  // The longer lies below, so that none crosses another's rise.
  std::stable_sort(unders_.begin(), unders_.end(),
                   [](const Under& a, const Under& b) { return a.to - a.from < b.to - b.from; });
  for (size_t i = 0; i < unders_.size(); ++i) {
    Under& a = unders_[i];
    a.y = std::round(floor_above(a) + 26);
    for (size_t k = 0; k < i; ++k)
      if (const Under& b = unders_[k]; a.row == b.row && a.from <= b.to && b.from <= a.to)
        a.y = std::max(a.y, b.y + 24);
  }
}

// The lowest point of what stands above the piece, from the row's axis.
double Page::floor_above(const Under& u) const {
  const Row& r = row(u.row);
  double floor = 0;
  for (int layer = r.first; layer <= r.last; ++layer)
    for (int i : l_.layers[static_cast<size_t>(layer)]) {
      const Item& item = l_.item(i);
      if (item.x + item.width / 2 + 8 < u.from || item.x - item.width / 2 - 8 > u.to) continue;
      floor = std::max(floor, item.y + item.height / 2 + (item.node < 0 ? 18 : 0));
    }
  for (const PlacedFrame& f : frames_) {
    if (f.block || f.whole_rows || !f.one_row || l_.row_of(f.span.first) != u.row) continue;
    const auto [left, right] = sides(f);
    if (left - 8 <= u.to && right + 8 >= u.from) floor = std::max(floor, heights(f).second);
  }
  return floor;
}

const Under& Page::under(int e, int r) const {
  return *std::find_if(unders_.begin(), unders_.end(),
                       [&](const Under& u) { return u.edge == e && u.row == r; });
}

double Page::under_y(const Under& u) const { return row(u.row).axis + u.y; }

// ---- rows on the page ----------------------------------------------------------------------------

double Page::row_floor(int r) const {
  double y = row(r).axis + row(r).bottom;
  for (const Under& u : unders_)
    if (u.row == r) y = std::max(y, under_y(u) + 4);
  return y;
}

// Residual paths pass inside the frame of a block that shares its row with others.
double Page::floor_with_blocks(int r) const {
  for (const PlacedFrame& f : frames_)
    if (f.block && f.one_row && !f.whole_rows && l_.row_of(f.span.first) == r)
      return row_floor(r) + k_frame_pad;
  return row_floor(r);
}

void Page::place_axes() {
  double y = k_margin - 4;
  gutter_.assign(l_.rows.size(), 0);
  for (int r = 0; r < rows(); ++r) {
    for (PlacedFrame& f : frames_)
      if (f.whole_rows && f.span.first == row(r).first) {
        f.rect.y = y;
        y += k_frame_title + k_frame_pad;
      }
    l_.rows[static_cast<size_t>(r)].axis = std::round(y - row(r).top);
    y = floor_with_blocks(r);
    for (size_t i = frames_.size(); i-- > 0;)
      if (frames_[i].whole_rows && frames_[i].span.last == row(r).last) {
        y += k_frame_pad;
        frames_[i].rect.height = y - frames_[i].rect.y;
      }
    bottom_ = y;
    if (r + 1 < rows()) {
      gutter_[static_cast<size_t>(r)] = std::round(y + l_.spacing.turn_above);
      y = gutter_[static_cast<size_t>(r)] + l_.spacing.turn_below;
    }
  }
}

// ---- the left margin -----------------------------------------------------------------------------

// The node whose value goes on from row r to the next; -1: none does.
int Page::crossing(int r) const {
  for (int e = 0; e < l_.edges(); ++e)
    if (!l_.edge(e).residual && l_.item(l_.edge(e).from).layer == row(r).last &&
        l_.item(l_.edge(e).to).layer > row(r).last)
      return l_.edge(e).from;
  return -1;
}

void Page::place_spines() {
  constexpr double k_nowhere = -1e9;  // beside no row
  for (int r = 0; r + 1 < rows(); ++r) {
    const int source = crossing(r);
    if (source < 0) {
      spines_.push_back({0, k_nowhere, k_nowhere, 0});
      continue;
    }
    Spine spine = {source, gutter_y(r), row(r + 1).axis + l_.item(source).y, 0};
    for (int e = 0; e < l_.edges(); ++e)
      if (l_.edge(e).residual && l_.edge(e).from == source && rides(e))
        spine.bottom = std::max(spine.bottom, under_y(under(e, l_.row_of(l_.item(l_.edge(e).to).layer))));
    spines_.push_back(spine);
  }
  for (int e = 0; e < l_.edges(); ++e) {
    const int from = l_.row_of(l_.item(l_.edge(e).from).layer);
    const int to = l_.row_of(l_.item(l_.edge(e).to).layer);
    if (!l_.edge(e).residual || from == to || rides(e)) continue;
    margin_spine_[e] = spines_.size();
    spines_.push_back({l_.edge(e).from, under_y(under(e, from)), under_y(under(e, to)), 0});
  }
  // The longest is outermost, so that the ends of the others do not cross it.
  std::vector<Spine*> longest;
  for (Spine& s : spines_) longest.push_back(&s);
  std::stable_sort(longest.begin(), longest.end(),
                   [](const Spine* a, const Spine* b) { return a->bottom - a->top > b->bottom - b->top; });
  for (size_t i = 0; i < longest.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      if (longest[k]->top <= longest[i]->bottom && longest[i]->top <= longest[k]->bottom)
        longest[i]->track = std::max(longest[i]->track, longest[k]->track + 1);
}

void Page::place_frames() {
  for (PlacedFrame& f : frames_) {
    if (f.whole_rows) {
      double right = 0;
      for (int r = l_.row_of(f.span.first); r <= l_.row_of(f.span.last); ++r)
        right = std::max(right, r + 1 < rows() ? exit_x(r) : row(r).right);
      f.rect.x = k_margin;
      f.rect.width = right + k_frame_pad - k_margin;
    } else if (f.one_row) {
      const int r = l_.row_of(f.span.first);
      auto [top, bottom] = heights(f);
      if (f.block) bottom = floor_with_blocks(r) - row(r).axis;
      const auto [left, right] = sides(f);
      f.rect = {left, row(r).axis + top, right - left, bottom - top};
    }
  }
}

}  // namespace limpid::draw
