// The register tile under a matrix product: C[rows, vecs] (+)= A[rows, k] B[k, vecs] for up to k_rows rows
// and up to k_max_vecs vectors of columns, all sums in registers.  tile-inl.h's tile with what a product
// needs beside it: k in runs (A cut into heads), and C asked for shortly before it is written.
//
// A cell's sum is one chain of fused multiply-adds over k in order, whatever the tile's shape, and added to
// what C holds in one piece: so a sum over many tiles of k does not forget its small terms.
//
// Included once per instruction set; the tiles themselves are compiled in matmul_tile.cpp alone.
#if defined(LIMPID_KERNELS_MATMUL_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_MATMUL_TILE_INL_H_
#undef LIMPID_KERNELS_MATMUL_TILE_INL_H_
#else
#define LIMPID_KERNELS_MATMUL_TILE_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"
#include "kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

struct ProductTile {
  int64_t k;
  const float* a;
  int64_t lda;        // between rows of A, or between its columns where they are contiguous
  int64_t first_run;  // steps of k until A is cut for the first time,
  int64_t run, jump;  // and from one cut to the next; what a cut adds to the address
  const float* b;
  int64_t ldb;
  float* c;
  int64_t ldc;
  bool add;               // to what C holds; else C is only written
  int64_t strips, strip;  // so many tiles side by side; from one to the next in B
  int64_t c_strip, cut;   // and in C; what is added to C's address from a tile's middle vector on
  // What is asked for meanwhile, for later: `asks` pieces of k_piece bytes, ask_step bytes apart, one every
  // ask_every steps of k.  All at once they would fill the few places that wait for memory.
  const char* ask;
  int64_t ask_step, asks, ask_every;
  // After these, the next rows of A, lda apart: a line of each at a time.
  const float* ask_a;
  int64_t asks_a;
};

constexpr int64_t k_piece = 256;       // bytes
constexpr int64_t k_line_floats = 16;  // of a line of memory

using ProductTileFn = void (*)(const ProductTile&);

/// The tile for `rows` (1..k_rows) by `vecs` (1..k_max_vecs) vectors.  columns: A's element (r, p) is at
/// a[p * lda + r], else at a[r * lda + p].
ProductTileFn product_tile_for(int rows, int vecs, bool columns);

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_MATMUL_TILE_INL_H_
