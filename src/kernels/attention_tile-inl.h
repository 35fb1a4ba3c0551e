// What attention's gradient keeps for a tile of queries, and which cells of a tile by a block of keys are
// computed.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_ATTENTION_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_ATTENTION_TILE_INL_H_
#undef LIMPID_KERNELS_ATTENTION_TILE_INL_H_
#else
#define LIMPID_KERNELS_ATTENTION_TILE_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/attention-inl.h"
#include "kernels/attention.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

constexpr int64_t k_tile = 64;                     // queries of a tile
constexpr int64_t k_blocks = k_tile / k_width;     // of queries, in a tile
constexpr int64_t k_gradient_keys = k_block_keys;  // of a block (48: 1% slower with AVX-512, 1% with AVX2)

// What is kept for the queries of one tile; where lanes are queries, block after block.
struct Tile {
  QueryBlock blocks[k_blocks];
  int64_t used, count;                           // blocks, queries
  int64_t any_low, any_high, all_low, all_high;  // as QueryBlock's, of all blocks
  float *queries, *dz, *dq;                      // [D][lanes] times scale, [Dv][lanes], [D][lanes]
  float* far_dq;                                 // as dq, of the blocks before; null where there are few keys
  const float *query_rows, *dz_rows;             // [queries][D], [queries][Dv], padded to whole vectors
  float *query_copy, *dz_copy;                   // where they are not used in place
  float *lse, *rest, *delta, *scaled_delta;      // [queries]
  bool finite;                                   // are the rows?
  float* dbias;                                  // [queries][keys], dbias_row apart; or null
  int64_t dbias_row;
  float* ddistances;  // [distances], added to; or null
  int64_t distances;
};

// One block of keys.
struct GradientKeys {
  int64_t s0, s1;
  const float *keys, *values;  // rows of D, of Dv
  const float* pairs;          // rows of D / 2 pairs of keys, or null
  float *dk, *dv;              // rows of D, of Dv, padded to whole vectors: added to
};

struct GradientRoom {           // shared by all tiles
  float *weights, *dscores;     // [keys][k_tile]
  float *added, *kept, *slope;  // [keys][lanes], block of queries after block; where they are needed
  float* rows;                  // [k_width][keys]
  float *fresh_dq, *fresh_row;  // [D][k_tile], [D or Dv]: sums of a block, where it takes several steps
};

inline float* of_block(float* cells, int64_t b) { return cells + b * k_width * k_gradient_keys; }

inline bool partly_seen(const Tile& tile, int64_t s0, int64_t s1) {
  return s0 < tile.all_low || s1 > tile.all_high;
}

// ---- which cells ---------------------------------------------------------------------------------

// Some keys, and the lanes of the tile, whole vectors, beyond which none of them is seen.
struct Stripe {
  int64_t c0, c1, begin, end;
};

// Calls run(stripe) for the keys [s0, s1): as one stripe, or along a mask's edge by few keys at a time, so
// that what lies beyond it is not computed.
template <class Run>
void each_stripe(const Tile& tile, int64_t s0, int64_t s1, Run run) {
  const int64_t last = tile.used - 1;
  if (!partly_seen(tile, s0, s1)) return run(Stripe{s0, s1, 0, last * k_width + tile.blocks[last].pitch});
  for (int64_t c0 = s0; c0 < s1; c0 += k_stripe) {
    Stripe stripe{c0, std::min(c0 + k_stripe, s1), k_tile, 0};
    for (int64_t b = 0; b < tile.used; ++b) {
      const QueryBlock& block = tile.blocks[b];
      for (int v = 0; v < block.vecs; ++v) {
        if (block.vec_high[v] <= c0 || block.vec_low[v] >= stripe.c1) continue;
        const int64_t lane = b * k_width + v * k_lanes;
        stripe.begin = std::min(stripe.begin, lane);
        stripe.end = std::max(stripe.end, lane + k_lanes);
      }
    }
    if (stripe.begin < stripe.end) run(stripe);
  }
}

// Calls run(b, v0, v1) for the stripe's blocks of queries and their vectors [v0, v1).
template <class Run>
void each_block(const Tile& tile, const Stripe& stripe, Run run) {
  for (int64_t b = stripe.begin / k_width; b * k_width < stripe.end; ++b) {
    const int64_t begin = std::max<int64_t>(stripe.begin - b * k_width, 0);
    const int64_t end = std::min(stripe.end - b * k_width, tile.blocks[b].pitch);
    run(b, static_cast<int>(begin / k_lanes), static_cast<int>(end / k_lanes));
  }
}

// What is added or hidden cell by cell, for each block of queries.
struct AddedCells {
  const float* of[k_blocks] = {};  // added_block's, or null
  bool hidden[k_blocks] = {};      // the whole block
  bool any = false;                // is any cell hidden, or added to?
};

// False where nothing is seen.
inline bool add_cells(const Tile& tile, const GradientKeys& at, const GradientRoom& room, AddedCells* cells) {
  if (!has_added(*tile.blocks[0].args)) return true;
  bool all_hidden = true;
  for (int64_t b = 0; b < tile.used; ++b) {
    const QueryBlock& block = tile.blocks[b];
    cells->hidden[b] = other_documents(block, at.s0, at.s1);
    if (!cells->hidden[b]) {
      float* added = of_block(room.added, b);
      const Added kind = added_block(block, at.s0, at.s1, room.rows, added);
      cells->hidden[b] = kind == Added::hidden;
      if (kind == Added::some) cells->of[b] = added;
    }
    cells->any |= cells->hidden[b] || cells->of[b];
    all_hidden &= cells->hidden[b];
  }
  return !all_hidden;
}

inline const float* added_row(const Tile& tile, const GradientKeys& at, const AddedCells& added, int64_t b,
                              int64_t s) {
  return added.of[b] ? added.of[b] + (s - at.s0) * tile.blocks[b].pitch : nullptr;
}

}  // namespace
}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_ATTENTION_TILE_INL_H_
