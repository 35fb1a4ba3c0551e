// A table of series that a call names, as a model reads it.
#pragma once

#include <string>
#include <vector>

#include "limpid/model.h"

namespace limpid::command {

/// The last moments of a file, at the size that the model was trained on.
struct SeriesRead {
  std::string name;                     // of the file
  Tensor values;                        // f32 [1,length,columns]
  Tensor truth;                         // of those that were held back: f32 [horizon,columns]; else empty
  std::vector<std::string> columns;     // as the file calls them
  std::vector<double> mean, deviation;  // of each: what was read is (x - mean) / deviation
  std::vector<std::string> times;       // of the moments read, then of those held back; empty: none
  std::vector<std::string> notes;       // what was made of gaps
};

/// The file's last moments; `hold_back`: without the last ones, as many as the model foretells, which are the
/// truth.  Throws Error{call} for a file that is none or has too few rows, Error{work} for one that lacks a
/// column that the model reads.
SeriesRead read_series_for(const Model&, const std::string& argument, bool hold_back);

}  // namespace limpid::command
