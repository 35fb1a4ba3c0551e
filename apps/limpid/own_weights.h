// Somebody's own attention weights from a file, with their own labels.
#pragma once

#include <string>

#include "limpid/draw.h"

namespace limpid::command {

struct OwnWeightsCall {
  std::string file, array;            // of a file that holds several, which
  std::string tokens, rows, columns;  // labels: words with blanks between them, or a file with one a line
};

/// Whether `file` holds arrays that are no trace of limpid's: a .npy or .csv file, or a .npz or .safetensors
/// file without a trace's metadata.
bool is_own_weights(const std::string& file);

/// Reads them.  Throws Error{call} for an array that is not there, for labels that do not fit, and for
/// weights that are none (NaN, another rank).  Says on standard error where rows do not add up to 1.
OwnWeights read_own_weights(const OwnWeightsCall&);

/// A length such as 240pt, 85mm, 8.5cm, 3.3in or 320px, in points.
double points_of(const std::string& length);

}  // namespace limpid::command
