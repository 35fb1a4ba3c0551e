// One block of C from A and B of any size: panels of B, packed or where they are, and all rows of A over
// each.
//
// Memory answers late (150 ns on the machine where this was measured), and what limits a product is less the
// arithmetic than being in time: while a tile is computed, the next panel of B and the next rows of A are
// asked for, a little at a time.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_MATMUL_BLOCK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_MATMUL_BLOCK_INL_H_
#undef LIMPID_KERNELS_MATMUL_BLOCK_INL_H_
#else
#define LIMPID_KERNELS_MATMUL_BLOCK_INL_H_
#endif

#include <algorithm>
#include <type_traits>

#include "kernels/matmul_blocks-inl.h"
#include "kernels/matmul_finish-inl.h"
#include "kernels/matmul_tile-inl.h"
#include "kernels/parts.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

constexpr int64_t k_soon = 16;                                    // rows of tiles
constexpr int64_t k_ask_every = HWY_TARGET == HWY_AVX2 ? 24 : 6;  // steps of k, at least

constexpr int64_t k_near = 8192;  // numbers: a B that small stays near by itself

// Columns [n0, n0 + columns) of B's rows [k0, k0 + depth): what the second-level cache holds while all rows
// of A pass over it.
struct Panel {
  int64_t item, k0, depth, n0, columns;
};

// What is still to be asked for of the next panel: row after row, in pieces.
struct Asking {
  const char* at = nullptr;  // the next piece
  int64_t left = 0;          // pieces
  int64_t in_row = 0, a_row = 1,
          row_step = 0;         // pieces left in this row, in all of it; bytes from row to row
  int64_t each = 0, every = 1;  // pieces a row of tiles; steps of k between them
};

// One block of C, while it is computed.
template <class T>
struct Work {
  const MatmulArgs& args;
  const Matmul::Block& block;
  Stored<float> a;
  Stored<T> b;
  Stored<float> c;
  float *edge, *packed, *packed_a;  // scratch: a tile of C, a panel of B, A if it is packed

  void run();
  Panel panel(int64_t k0, int64_t n0) const;
  Panel after(const Panel& p) const;
  bool stays(const Panel& p) const;
  void place_b(const Panel& p, ProductTile* t);
  Asking asking(const Panel& next, const Panel& now) const;
  void pass(const Panel& now, const Panel& next, ProductTile t);
  bool in_whole_tiles(const Part& part, int64_t columns, bool finished, ProductTile* t) const;
  void tiles_of(const Part& part, ProductTile& t, bool last);
  void tile_of(const Part& part, ProductTile& t, bool finished);
};

template <class T>
Panel Work<T>::panel(int64_t k0, int64_t n0) const {
  return {block.item, k0, std::max<int64_t>(0, std::min(block.step_k, args.k - k0)), n0,
          std::min(block.panel, block.n0 + block.n - n0)};
}

// After the last one comes the first of the next task, which this thread or its neighbour takes up.
template <class T>
Panel Work<T>::after(const Panel& p) const {
  const int64_t n = p.n0 + block.panel, k = p.k0 + block.step_k;
  if (n < block.n0 + block.n) return panel(p.k0, n);
  if (k < args.k) return panel(k, block.n0);
  return {block.next_item, 0, std::min(block.step_k, args.k), block.next_n0,
          std::min(block.panel, args.n - block.next_n0)};
}

// Few rows do not pay for packing, nor does a B that the first-level cache holds: it is read where it is, if
// whole vectors of it are there.  More rows pay where B's rows begin on whole lines; rows a multiple of 1 KiB
// apart meet in few sets of the cache.
template <class T>
bool Work<T>::stays(const Panel& p) const {
  const bool meet = b.ld % 256 == 0;
  const int64_t few = meet || b.ld % 16 != 0 ? 4 * k_rows : 11 * k_rows;
  return std::is_same_v<T, float> && !args.transpose_b && p.columns % k_lanes == 0 &&
         b.whole(p.k0, p.depth, p.n0, p.columns) && (block.m <= few || (!meet && args.k * args.n <= k_near));
}

template <class T>
void Work<T>::place_b(const Panel& p, ProductTile* t) {
  if constexpr (std::is_same_v<T, float>) {
    if (stays(p)) {
      t->b = b.at(p.k0, p.n0);
      t->ldb = b.ld;
      t->strip = k_width;
      return;
    }
  }
  // One strip of k_width columns after the other; B's rows are read through all strips, some rows at a time.
  const int64_t pitch = p.columns < k_width ? vecs_for(p.columns) * k_lanes : k_width;
  const int64_t strip = t->strip = pitch * p.depth;
  const bool all = args.transpose_b || p.columns <= k_width || p.depth <= 16;
  const int64_t high = all ? p.depth : p.columns > 256 ? 8 : 32;
  for (int64_t k = 0; k < p.depth; k += high) {
    float* to = packed + k * pitch;
    for (int64_t n = 0; n < p.columns; n += k_width, to += strip) {
      pack_b(b, args.transpose_b, p.k0 + k, std::min(high, p.depth - k), p.n0 + n,
             std::min(k_width, p.columns - n), pitch, to);
    }
  }
  t->b = packed;
  t->ldb = pitch;
}

// B's rows are too short and too far apart for the hardware to foresee; its panels are asked for while the
// last rows of tiles of the one before are computed: not sooner, or A's stream would drive them out of the
// cache again.  A small B stays there by itself.
template <class T>
Asking Work<T>::asking(const Panel& next, const Panel& now) const {
  Asking ask;
  constexpr int64_t k_size = static_cast<int64_t>(sizeof(T));
  if (k_in_blocks<T> || b.heads.rows || b.heads.columns || next.depth == 0 || args.k * args.n <= 4 * k_near)
    return ask;
  const T* from = b.data + (next.item - block.item) * args.batch_b;
  from += args.transpose_b ? next.n0 * b.ld + next.k0 : next.k0 * b.ld + next.n0;
  ask.at = reinterpret_cast<const char*>(from);
  ask.in_row = ask.a_row = parts((args.transpose_b ? next.depth : next.columns) * k_size, k_piece);
  ask.row_step = b.ld * k_size;
  ask.left = ask.a_row * (args.transpose_b ? next.columns : next.depth);
  const int64_t steps = now.depth * parts(now.columns, k_width);
  ask.each = std::min(parts(ask.left, std::min(k_soon, parts(block.m, k_rows))), steps / k_ask_every);
  ask.every = steps / std::max<int64_t>(1, ask.each);
  if (ask.each == 0) ask.left = 0;
  return ask;
}

inline void ask_for(Asking* ask, ProductTile* t) {
  t->asks = 0;
  if (ask->left == 0) return;
  t->ask = ask->at;
  t->ask_every = ask->every;
  if (ask->a_row == 1) {
    t->ask_step = ask->row_step;
    t->asks = std::min(ask->each, ask->left);
    ask->at += t->asks * ask->row_step;
  } else {
    t->ask_step = k_piece;
    t->asks = std::min(ask->each, ask->in_row);
    ask->at += t->asks * k_piece;
    ask->in_row -= t->asks;
    if (ask->in_row == 0) {
      ask->at += ask->row_step - ask->a_row * k_piece;
      ask->in_row = ask->a_row;
    }
  }
  ask->left -= t->asks;
}

// Whether tiles of whole width, `columns` together, go straight into C: it lies there in one piece, or cut
// where the tiles, or their middles, are (then what is finished would be in many pieces, and is not).
template <class T>
bool Work<T>::in_whole_tiles(const Part& part, int64_t columns, bool finished, ProductTile* t) const {
  t->c_strip = k_width;
  t->cut = 0;
  if (c.whole(part.m, part.rows, part.n, columns)) return true;
  const int64_t wide = c.heads.columns, apart = c.heads.columns_apart;
  if (finished || part.n % k_width != 0 || !c.whole(part.m, part.rows, part.n, 1)) return false;
  if (wide == k_width) {
    t->c_strip = apart;
    return true;
  }
  if (2 * wide != k_width) return false;
  t->c_strip = 2 * apart;
  t->cut = apart - wide;
  return true;
}

// Tiles side by side: straight into C where it lies in one piece of whole vectors, else, one by one, through
// scratch.
template <class T>
void Work<T>::tiles_of(const Part& part, ProductTile& t, bool last) {
  const bool finished = last && has_finish(args);
  const int64_t whole = part.columns / k_width * k_width;
  if (whole > 0 && in_whole_tiles(part, whole, finished, &t)) {
    t.c = const_cast<float*>(c.at(part.m, part.n));
    t.ldc = c.ld;
    t.strips = whole / k_width;
    product_tile_for(static_cast<int>(part.rows), k_max_vecs, args.transpose_a)(t);
    if (finished) finish(args, {part.item, part.m, part.rows, part.n, whole}, t.c, t.ldc);
    if (whole == part.columns) return;
    const float* const first = t.b;
    t.asks = t.asks_a = 0;
    t.b += t.strips * t.strip;
    tile_of({part.item, part.m, part.rows, part.n + whole, part.columns - whole}, t, finished);
    t.b = first;
    return;
  }
  const float* const first = t.b;  // t itself is changed: a copy of what has just been written takes long
  for (int64_t n = 0; n < part.columns; n += k_width, t.b += t.strip) {
    tile_of({part.item, part.m, part.rows, part.n + n, std::min(k_width, part.columns - n)}, t, finished);
    t.asks = t.asks_a = 0;
  }
  t.b = first;
}

template <class T>
void Work<T>::tile_of(const Part& part, ProductTile& t, bool finished) {
  const bool straight = part.columns % k_lanes == 0 && c.whole(part.m, part.rows, part.n, part.columns);
  t.strips = 1;
  t.c_strip = k_width;
  t.cut = 0;
  if (straight) {
    t.c = const_cast<float*>(c.at(part.m, part.n));
    t.ldc = c.ld;
  } else {
    t.c = edge;
    t.ldc = k_width;
    if (t.add) {
      std::fill_n(edge, k_rows * k_width, 0.f);
      fetch_c(c, part, edge, k_width);
    }
  }
  product_tile_for(static_cast<int>(part.rows), vecs_for(part.columns), args.transpose_a)(t);
  if (finished) finish(args, part, t.c, t.ldc);
  if (!straight) put_c(c, part, edge, k_width);
}

// All rows of A, where they are, over one panel.  A tile's rows end where A is cut.  The next tile's rows are
// asked for: they are read fast by the first strip and then not for long, which the hardware takes for the
// end.
template <class T>
void Work<T>::pass(const Panel& now, const Panel& next, ProductTile t) {
  const bool last = now.k0 + block.step_k >= args.k;
  const int64_t cut = args.transpose_a ? a.heads.columns : a.heads.rows;  // of rows of A
  Asking ask = asking(next, now);
  const bool far_a = !args.transpose_a && !cut && !a.heads.columns && args.m * args.k > 4 * k_near;
  t.asks_a = 0;
  for (int64_t m = 0, rows; m < block.m; m += rows) {
    const int64_t row = block.m0 + m;
    rows = std::min<int64_t>(k_rows, block.m - m);
    if (cut) rows = std::min(rows, cut - row % cut);
    if (packed_a) {
      t.a = packed_a + m * now.depth;
    } else {
      t.a = args.transpose_a ? a.at(now.k0, row) : a.at(row, now.k0);
    }
    t.asks = 0;
    if (block.m - m <= k_soon * k_rows) ask_for(&ask, &t);
    if (far_a) {
      t.ask_a = m + rows < block.m ? t.a + rows * a.ld : a.at(block.m0, next.k0);
      t.asks_a = now.depth / k_line_floats;
      const int64_t steps = now.depth * parts(now.columns, k_width);
      t.ask_every = std::max<int64_t>(1, steps / std::max<int64_t>(1, t.asks + t.asks_a));
    }
    tiles_of(Part{block.item, row, rows, now.n0, now.columns}, t, last);
  }
}

template <class T>
void Work<T>::run() {
  ProductTile t{};
  t.lda = a.ld;
  t.run = args.transpose_a ? a.heads.rows : a.heads.columns;  // k between cuts of A
  if (t.run) {
    t.jump = args.transpose_a ? a.heads.rows_apart - t.run * a.ld : a.heads.columns_apart - t.run;
  } else {
    t.run = args.k + 1;
  }
  if (packed_a) t.lda = k_rows;
  bool last = false;
  for (Panel now = panel(0, block.n0), next; !last; now = next) {
    next = after(now);
    last = now.n0 + now.columns == block.n0 + block.n && now.k0 + block.step_k >= args.k;
    t.k = now.depth;
    t.first_run = t.run - now.k0 % t.run;
    t.add = now.k0 > 0 || args.accumulate;
    if (packed_a && now.n0 == block.n0) pack_a_columns(a, block.m0, block.m, now.k0, now.depth, packed_a);
    place_b(now, &t);
    pass(now, next, t);
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_MATMUL_BLOCK_INL_H_
