// The five products of attention's gradient for one tile of queries against one block of keys:
//
//   P = e^(scores - lse)   dS = scale P (dZ V^T - delta)   dV += P^T dZ   dK += dS^T Q   dQ += dS K
//
// P and dS are stored transposed, [key][query], the same 64 queries wide on every machine: one query a lane
// where they are made, rows to broadcast from where dV and dK are added up.  dQ is kept transposed like Q.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_ATTENTION_GRADIENT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_ATTENTION_GRADIENT_INL_H_
#undef LIMPID_KERNELS_ATTENTION_GRADIENT_INL_H_
#else
#define LIMPID_KERNELS_ATTENTION_GRADIENT_INL_H_
#endif

#include "hwy/highway.h"
#include "kernels/attention-inl.h"
#include "kernels/attention.h"
#include "kernels/attention_cells-inl.h"
#include "kernels/attention_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

// ---- P and dS ------------------------------------------------------------------------------------

// The products K Q^T, or V dZ^T, of a stripe; made into weights, or gradients of scores, unless `raw`.
inline void make_cells(const Tile& tile, const GradientKeys& at, const AddedCells& added,
                       const Stripe& stripe, bool gradients, bool raw, const GradientRoom& room) {
  const AttentionArgs& args = *tile.blocks[0].args;
  const AttentionShape& shape = args.shape;
  const float* columns = gradients ? tile.dz : tile.queries;
  const bool pairs = !gradients && at.pairs;
  const CellsKind kind = gradients ? CellsKind::gradients
                         : pairs   ? CellsKind::weights_of_pairs
                                   : CellsKind::weights;
  Cells t{};
  t.width = gradients ? shape.value_width : pairs ? shape.width / 2 : shape.width;
  t.raw = raw;
  t.factor = args.scale;
  t.masked = partly_seen(tile, at.s0, at.s1);
  each_block(tile, stripe, [&](int64_t b, int v0, int v1) {
    if (added.hidden[b]) return;
    const QueryBlock& block = tile.blocks[b];
    const int64_t lane = v0 * k_lanes;
    t.columns = columns + b * k_width * (gradients ? shape.value_width : shape.width) + lane;
    t.pitch = block.pitch;
    t.lse = tile.lse + b * k_width + lane;
    t.rest = tile.rest + b * k_width + lane;
    t.delta = tile.scaled_delta + b * k_width + lane;
    t.low = block.low + lane;
    t.high = block.high + lane;
    for (int64_t s = stripe.c0; s < stripe.c1; s += k_rows) {
      t.rows = (gradients ? at.values : pairs ? at.pairs : at.keys) + (s - at.s0) * t.width;
      t.weights = room.weights + (s - at.s0) * k_tile + b * k_width + lane;
      t.dscores = room.dscores + (s - at.s0) * k_tile + b * k_width + lane;
      t.first_key = static_cast<float>(s);
      if (gradients) {
        t.fetch[0] = {at.dk + (s - at.s0) * padded(shape.width), padded(shape.width)};
        t.fetch[1] = {at.dv + (s - at.s0) * padded(shape.value_width), padded(shape.value_width)};
      } else {
        t.fetch[0] = {at.keys + (s - at.s0 + k_rows) * shape.width, shape.width};
        t.fetch[1] = {at.values + (s - at.s0) * shape.value_width, shape.value_width};
      }
      cells_fn(kind, static_cast<int>(std::min<int64_t>(k_rows, stripe.c1 - s)), v1 - v0)(t);
    }
  });
}

// Products in room.weights to weights: the cap, what is added, what is hidden.
inline void weigh_in_memory(const Tile& tile, const GradientKeys& at, const AddedCells& added,
                            const Stripe& stripe, const GradientRoom& room) {
  const AttentionArgs& args = *tile.blocks[0].args;
  const bool capped = args.softcap > 0;
  const Vec cap = set(args.softcap);
  each_block(tile, stripe, [&](int64_t b, int v0, int v1) {
    const QueryBlock& block = tile.blocks[b];
    for (int64_t s = stripe.c0; s < stripe.c1; ++s) {
      float* weights = room.weights + (s - at.s0) * k_tile + b * k_width;
      if (added.hidden[b]) {
        std::fill(weights + v0 * k_lanes, weights + v1 * k_lanes, 0.f);
        continue;
      }
      float* slope = of_block(room.slope, b) + (s - at.s0) * block.pitch;
      const float* more = added_row(tile, at, added, b, s);
      for (int v = v0; v < v1; ++v) {
        const int64_t lane = v * k_lanes;
        Vec x = hn::LoadU(k_f32, weights + lane);
        if (capped) x = cap_score(x, cap, slope + lane);
        if (more) x = add_to_score(x, hn::LoadU(k_f32, more + lane));
        x = hn::Sub(x, hn::LoadU(k_f32, tile.lse + b * k_width + lane));
        x = exp_score(hn::Sub(x, hn::LoadU(k_f32, tile.rest + b * k_width + lane)));
        hn::StoreU(hn::IfThenElseZero(sees(block, v, s, more), x), k_f32, weights + lane);
      }
    }
  });
}

// Products dP in room.dscores to gradients of what is added; with dropout, weights to what is left of them.
inline void gradients_in_memory(const Tile& tile, const GradientKeys& at, const AddedCells& added,
                                const Stripe& stripe, const GradientRoom& room) {
  const AttentionArgs& args = *tile.blocks[0].args;
  const bool drops = args.dropout > 0;
  each_block(tile, stripe, [&](int64_t b, int v0, int v1) {
    const QueryBlock& block = tile.blocks[b];
    for (int64_t s = stripe.c0; s < stripe.c1; ++s) {
      const int64_t row = (s - at.s0) * k_tile + b * k_width;
      float *weights = room.weights + row, *dscores = room.dscores + row;
      if (added.hidden[b]) {
        std::fill(dscores + v0 * k_lanes, dscores + v1 * k_lanes, 0.f);
        continue;
      }
      const float* kept = of_block(room.kept, b) + (s - at.s0) * block.pitch;
      const float* more = added_row(tile, at, added, b, s);
      for (int v = v0; v < v1; ++v) {
        const int64_t lane = v * k_lanes;
        const Vec weight = hn::LoadU(k_f32, weights + lane);
        Vec gradient = hn::LoadU(k_f32, dscores + lane);
        if (drops) {
          gradient = hn::Mul(gradient, hn::LoadU(k_f32, kept + lane));
          hn::StoreU(hn::Mul(weight, hn::LoadU(k_f32, kept + lane)), k_f32, weights + lane);
        }
        gradient = hn::Mul(weight, hn::Sub(gradient, hn::LoadU(k_f32, tile.delta + b * k_width + lane)));
        hn::StoreU(hn::IfThenElseZero(sees(block, v, s, more), gradient), k_f32, dscores + lane);
      }
    }
  });
}

// Gradients of what is added to dS: through the cap and the scale.
inline void through_scores(const Tile& tile, const GradientKeys& at, const AddedCells& added,
                           const Stripe& stripe, const GradientRoom& room) {
  const AttentionArgs& args = *tile.blocks[0].args;
  const Vec scale = set(args.scale);
  each_block(tile, stripe, [&](int64_t b, int v0, int v1) {
    if (added.hidden[b]) return;
    const QueryBlock& block = tile.blocks[b];
    for (int64_t s = stripe.c0; s < stripe.c1; ++s) {
      float* dscores = room.dscores + (s - at.s0) * k_tile + b * k_width;
      const float* slope = of_block(room.slope, b) + (s - at.s0) * block.pitch;
      const float* more = added_row(tile, at, added, b, s);
      for (int v = v0; v < v1; ++v) {
        const int64_t lane = v * k_lanes;
        Vec gradient = hn::Mul(hn::LoadU(k_f32, dscores + lane), scale);
        if (args.softcap > 0) gradient = hn::Mul(gradient, hn::LoadU(k_f32, slope + lane));
        hn::StoreU(hn::IfThenElseZero(sees(block, v, s, more), gradient), k_f32, dscores + lane);
      }
    }
  });
}

// The gradient of what is added, handed to whoever asked.
inline void hand_out(const Tile& tile, const GradientKeys& at, const Stripe& stripe,
                     const GradientRoom& room) {
  const QueryBlock& first = tile.blocks[0];
  const int64_t begin = stripe.begin, end = std::min(stripe.end, tile.count);
  if (tile.dbias) {
    float* to = tile.dbias + begin * tile.dbias_row + stripe.c0;
    transpose(stripe.c1 - stripe.c0, end - begin, room.dscores + (stripe.c0 - at.s0) * k_tile + begin, k_tile,
              to, tile.dbias_row);
  }
  if (!tile.ddistances) return;
  const AttentionArgs& args = *first.args;
  for (int64_t s = stripe.c0; args.query_places && s < stripe.c1; ++s) {
    const float* from = room.dscores + (s - at.s0) * k_tile;
    const int64_t *places = args.query_places + first.first, own = args.key_places[s] + args.least_distance;
    for (int64_t i = begin; i < end; ++i) tile.ddistances[places[i] - own] += from[i];
  }
  if (args.query_places) return;
  for (int64_t s = stripe.c0; s < stripe.c1; ++s) {
    const float* from = room.dscores + (s - at.s0) * k_tile;
    // Query i's place in the table; cells out of sight, all 0, may lie outside.
    const int64_t place = first.position - s - args.least_distance;
    const int64_t to = std::min(end, tile.distances - place);
    for (int64_t i = std::max(begin, -place); i < to; ++i) tile.ddistances[place + i] += from[i];
  }
}

// ---- dV, dK, dQ ----------------------------------------------------------------------------------

// to[key][width] += cells[key][query] rows[query][width], the tile's queries summed apart.
inline void add_rows(const Tile& tile, const GradientKeys& at, const Stripe& stripe, const float* cells,
                     const float* rows, int64_t width, float* to) {
  const int64_t pitch = padded(width), vecs = pitch / k_lanes;
  const int64_t panels = (vecs + k_max_vecs - 1) / k_max_vecs;
  TileArgs t{};
  t.k = std::min(stripe.end, tile.count) - stripe.begin;
  t.a = cells + (stripe.c0 - at.s0) * k_tile + stripe.begin;
  t.lda = k_tile;
  t.ldb = t.ldc = pitch;
  t.add = t.apart = true;
  for (int64_t p = 0; p < panels; ++p) {  // of about as many vectors each: narrow ones are slow
    const int64_t v0 = p * vecs / panels, v1 = (p + 1) * vecs / panels;
    t.b = rows + stripe.begin * pitch + v0 * k_lanes;
    t.c = to + (stripe.c0 - at.s0) * pitch + v0 * k_lanes;
    tile_rows(stripe.c1 - stripe.c0, static_cast<int>(v1 - v0), false, t);
  }
}

// The same where a hidden 0 would meet NaN: a key takes no part in queries that do not see it.
inline void add_rows_seen(const Tile& tile, const GradientKeys& at, const AddedCells& added,
                          const Stripe& stripe, const float* cells, const float* rows, int64_t width,
                          float* sum, float* to) {
  const int64_t pitch = padded(width);
  to += (stripe.c0 - at.s0) * pitch;
  for (int64_t s = stripe.c0; s < stripe.c1; ++s, to += pitch) {
    std::fill_n(sum, pitch, 0.f);
    for (int64_t i = stripe.begin; i < std::min(stripe.end, tile.count); ++i) {
      const int64_t b = i / k_width, lane = i % k_width;
      const QueryBlock& block = tile.blocks[b];
      const float* more = added_row(tile, at, added, b, s);
      if (added.hidden[b] || (more && more[lane] == -k_infinity)) continue;
      if (static_cast<float>(s) < block.low[lane] || static_cast<float>(s) >= block.high[lane]) continue;
      const Vec cell = set(cells[(s - at.s0) * k_tile + i]);
      for (int64_t c = 0; c < pitch; c += k_lanes) {
        const Vec row = hn::LoadU(k_f32, rows + i * pitch + c);
        hn::StoreU(hn::MulAdd(cell, row, hn::LoadU(k_f32, sum + c)), k_f32, sum + c);
      }
    }
    for (int64_t c = 0; c < pitch; c += k_lanes)
      hn::StoreU(hn::Add(hn::LoadU(k_f32, to + c), hn::LoadU(k_f32, sum + c)), k_f32, to + c);
  }
}

inline void add_to_keys(const Tile& tile, const GradientKeys& at, const AddedCells& added,
                        const Stripe& stripe, const GradientRoom& room) {
  const AttentionShape& shape = tile.blocks[0].args->shape;
  if (!tile.finite && (added.any || partly_seen(tile, at.s0, at.s1))) {
    add_rows_seen(tile, at, added, stripe, room.weights, tile.dz_rows, shape.value_width, room.fresh_row,
                  at.dv);
    add_rows_seen(tile, at, added, stripe, room.dscores, tile.query_rows, shape.width, room.fresh_row, at.dk);
  } else {
    add_rows(tile, at, stripe, room.weights, tile.dz_rows, shape.value_width, at.dv);
    add_rows(tile, at, stripe, room.dscores, tile.query_rows, shape.width, at.dk);
  }
}

// dq[d][query] += K^T dS, onto `to`.  With `apart` the keys are all of a block's.  With `select` a query
// takes no part in keys that it does not see: for keys that are not finite.
inline void add_to_queries(const Tile& tile, const GradientKeys& at, const AddedCells& added,
                           const Stripe& stripe, bool select, bool apart, const GradientRoom& room,
                           float* to) {
  const int64_t width = tile.blocks[0].args->shape.width;
  each_block(tile, stripe, [&](int64_t b, int v0, int v1) {
    if (added.hidden[b]) return;
    const QueryBlock& block = tile.blocks[b];
    float* dq = to + b * k_width * width;
    const float* keys = at.keys + (stripe.c0 - at.s0) * width;
    const float* dscores = room.dscores + (stripe.c0 - at.s0) * k_tile + b * k_width;
    if (!select) {
      TileArgs t{};
      t.k = stripe.c1 - stripe.c0;
      t.a = keys;
      t.lda = width;
      t.b = dscores + v0 * k_lanes;
      t.ldb = k_tile;
      t.c = dq + v0 * k_lanes;
      t.ldc = block.pitch;
      t.add = true;
      t.apart = apart;
      return tile_rows(width, v1 - v0, true, t);
    }
    for (int64_t s = stripe.c0; s < stripe.c1; ++s, keys += width, dscores += k_tile) {
      for (int v = v0; v < v1; ++v) {
        const auto seen = sees(block, v, s, added_row(tile, at, added, b, s));
        const Vec cell = hn::LoadU(k_f32, dscores + v * k_lanes);
        for (int64_t d = 0; d < width; ++d) {
          float* sum = dq + d * block.pitch + v * k_lanes;
          const Vec old = hn::LoadU(k_f32, sum);
          hn::StoreU(hn::IfThenElse(seen, hn::MulAdd(set(keys[d]), cell, old), old), k_f32, sum);
        }
      }
    }
  });
}

// All five.
inline void add_gradients(const Tile& tile, const GradientKeys& at, const GradientRoom& room) {
  const AttentionArgs& args = *tile.blocks[0].args;
  const int64_t keys = at.s1 - at.s0;
  AddedCells added;
  if (!add_cells(tile, at, room, &added)) return;
  if (args.dropout > 0) {
    for (int64_t b = 0; b < tile.used; ++b)
      dropout_block(tile.blocks[b], at.s0, at.s1, room.rows, of_block(room.kept, b));
  }
  const bool weigh_later = added.any || args.softcap > 0, asked = tile.dbias || tile.ddistances;
  const bool later = weigh_later || args.dropout > 0 || asked;
  each_stripe(tile, at.s0, at.s1, [&](const Stripe& stripe) {
    make_cells(tile, at, added, stripe, false, weigh_later, room);
    if (weigh_later) weigh_in_memory(tile, at, added, stripe, room);
    make_cells(tile, at, added, stripe, true, later, room);
    if (!later) return;
    gradients_in_memory(tile, at, added, stripe, room);
    if (asked) hand_out(tile, at, stripe, room);
    through_scores(tile, at, added, stripe, room);
  });
  each_stripe(tile, at.s0, at.s1, [&](const Stripe& stripe) { add_to_keys(tile, at, added, stripe, room); });
  const bool select = (added.any || partly_seen(tile, at.s0, at.s1)) &&
                      !all_finite(at.keys, args.shape.width, keys, args.shape.width);
  const bool apart = !select && !partly_seen(tile, at.s0, at.s1);  // in one stripe
  const auto add = [&](float* sums) {
    each_stripe(tile, at.s0, at.s1, [&](const Stripe& stripe) {
      add_to_queries(tile, at, added, stripe, select, apart, room, sums);
    });
  };
  if (apart) return add(tile.dq);
  add_apart(args.shape.width * k_tile, room.fresh_dq, tile.dq, add);
}

}  // namespace
}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_ATTENTION_GRADIENT_INL_H_
