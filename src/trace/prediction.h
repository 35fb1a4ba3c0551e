// Which rows of the last layer a network's prediction is read from.
#pragma once

#include <string>

#include "trace/reading.h"

namespace limpid {

struct PredictionRows {
  int64_t first = 0, end = 0;
  std::string words;  // "the query of [CLS], whose row the class is read from"
  bool one() const { return end - first == 1; }
};

/// Of a network that predicts at each place those of `token` (-1: the last); of any other its own.  Throws
/// Error{call} for a place that is not there, and for a network whose class is gathered by a row of its own.
PredictionRows prediction_rows(const Reading&, int token);

}  // namespace limpid
