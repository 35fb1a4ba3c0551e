// The layout on the page: where columns, rows, frames, residual paths and the lines between rows stand.
#pragma once

#include <map>
#include <utility>

#include "draw/layout/layout.h"

namespace limpid::draw {

/// A frame with what decides its place.  A frame of whole rows lies around them; any other is part of one
/// row.
struct PlacedFrame {
  const Framed* frame = nullptr;
  Span span;
  int depth = 0;       // 0 outermost
  int height = 0;      // how many frames it holds, one in another
  bool block = false;  // repeated blocks
  bool whole_rows = false, one_row = false;
  Rect rect;
};

/// A horizontal piece of a residual path under a row, as near to it as what stands above allows.
struct Under {
  int edge = 0, row = 0;
  double from = 0, to = 0;
  double y = 0;  // from the row's axis
};

/// A vertical piece at the left margin: values and residual paths that go on in a later row.
struct Spine {
  int source = 0;
  double top = 0, bottom = 0;
  int track = 0;  // 0 outermost
};

class Page {
 public:
  /// Gives every item its x and every row its axis.
  explicit Page(Layout&);

  const Layout& layout() const { return l_; }
  const std::vector<PlacedFrame>& frames() const { return frames_; }  // outermost first
  const std::vector<Under>& unders() const { return unders_; }
  double bottom() const { return bottom_; }  // of the whole network

  int rows() const { return static_cast<int>(l_.rows.size()); }
  const Row& row(int r) const { return l_.rows[static_cast<size_t>(r)]; }
  bool starts_row(int layer) const { return layer > 0 && row(l_.row_of(layer)).first == layer; }
  double axis_of(int item) const { return row(l_.row_of(l_.item(item).layer)).axis; }
  double y_of(int item) const { return axis_of(item) + l_.item(item).y; }

  /// Where the value of `source` changes its height before `layer`.
  double track_x(int layer, int source) const;
  /// The way from row r to the next: down at exit_x, along gutter_y, down at return_x.
  double exit_x(int r) const { return row(r).right + 22; }
  double gutter_y(int r) const { return gutter_[static_cast<size_t>(r)]; }
  double return_x(int r) const { return spine_x(spines_[static_cast<size_t>(r)]); }

  /// Whether a residual path leaves its row together with the row's own value.
  bool rides(int edge) const;
  double branch_x(int edge) const;  // where it leaves its value's line, if it does not ride
  double port_x(int edge) const;
  const Under& under(int edge, int row) const;
  double under_y(const Under&) const;
  double margin_x(int edge) const { return spine_x(spines_[margin_spine_.at(edge)]); }

 private:
  const Gap& gap(int layer) const { return l_.gaps[static_cast<size_t>(layer)]; }
  double tracks_width(int layer) const;
  void place_columns();
  void find_frames();
  std::pair<double, double> heights(const PlacedFrame&) const;
  void measure_rows();
  std::pair<double, double> sides(const PlacedFrame&) const;
  double floor_above(const Under&) const;
  void place_unders();
  double row_floor(int r) const;
  double floor_with_blocks(int r) const;
  void place_axes();
  void place_spines();
  int crossing(int r) const;
  double spine_x(const Spine& s) const { return k_margin + 16 + k_track * s.track; }
  void place_frames();

  Layout& l_;
  std::vector<double> left_, right_;  // by layer
  std::vector<PlacedFrame> frames_;
  std::vector<Under> unders_;
  std::vector<double> gutter_;          // by row
  std::vector<Spine> spines_;           // first those of the rows' own values
  std::map<int, size_t> margin_spine_;  // residual edge -> its spine
  double bottom_ = 0;
};

}  // namespace limpid::draw
