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

class ByteSource;

/// What the header of a .npy file says.
struct NpyHeader {
  DType dtype = DType::f32;
  bool big_endian = false;
  bool fortran_order = false;
  Shape shape;
  std::string type;        // as the file says it: "<f4"
  std::string unreadable;  // why limpid cannot read that type; empty: it can
  uint64_t data_at = 0;    // where the numbers begin
};

/// Throws Error{work} for a damaged header; a type that limpid does not have is none.
NpyHeader read_npy_header(const ByteSource&);
/// Throws Error{work} unless the numbers, of a type that can be read, take that many bytes.
void check_npy_size(const NpyHeader&, uint64_t bytes, const std::string& file);

/// What write_npy writes; `values` must outlive it.
NpyPieces npy_pieces(const ConstView& values);

}  // namespace limpid
