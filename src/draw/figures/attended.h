// What the figures of a prediction share: the weights that it gives its places, and what it comes to.
#pragma once

#include <string>
#include <vector>

#include "draw/figures/canvas.h"
#include "draw/figures/edits.h"
#include "trace/prediction.h"

namespace limpid::draw {

/// The weights from the rows that a prediction is read from to every place.  The trace must outlive it.
class Attended {
 public:
  /// `batch`: which of the run's rows (a series' column).  Throws Error{call} for a layer or head that is not
  /// there, and where the trace lacks the weights.
  Attended(const Trace&, const LookOptions&, int64_t batch = 0);

  int64_t places() const { return places_; }
  const PredictionRows& rows() const { return rows_; }
  bool rolled_out() const { return layer_ < 0; }
  int64_t layer() const { return layer_; }
  int64_t heads() const { return heads_; }
  const std::string& stage() const { return stage_; }

  /// What the places [first, end) get together.
  Source source(int64_t first, int64_t end) const;
  double number(int64_t first, int64_t end) const;
  /// The axis of the weights that counts places.
  int place_axis() const { return rolled_out() ? 2 : 3; }
  /// Numbers are written with as many digits as the largest needs, and as tell the two ends of a scale apart.
  void set_range(double least, double most);

  /// "rolled out over all 2 layers", "layer 1, head 0", "layer 1, mean of its 4 heads".
  std::string which() const;
  /// A pencil where these weights were edited in the run.
  std::string mark() const;
  /// What the numbers are, in a sentence or two.
  std::string said() const;

 private:
  const Trace& trace_;
  Reading reading_;
  int64_t layer_ = -1, head_ = -1, heads_ = 1, batch_ = 0, places_ = 0;
  PredictionRows rows_;
  std::string stage_, format_ = "%.2f";
};

/// The likeliest classes, or tokens after the row that predicts, as bars below one another at `at`.  Returns
/// the height they take: 0 where the network has no probabilities, or the trace does not hold them.
double add_outcomes(Scene&, const Trace&, const PredictionRows&, Point at, double width);

/// A frame round a rectangle, a little inside it.
void add_outline(Scene&, const Rect&, Role, const std::string& name);

}  // namespace limpid::draw
