// A .npy file in two pieces, so that a .npz can be made without copying the numbers.
#pragma once

#include <string>

#include "limpid/files.h"

namespace limpid {

struct NpyPieces {
  std::string header;
  Bytes data;  // of the view itself where that is as the format wants it, else of `copied`
  Tensor copied;
};

/// What write_npy writes; `values` must outlive it.
NpyPieces npy_pieces(const ConstView& values);

}  // namespace limpid
