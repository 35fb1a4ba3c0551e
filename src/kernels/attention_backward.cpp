#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention_backward.cpp"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/attention-inl.h"
#include "kernels/attention.h"
#include "kernels/attention_gradient-inl.h"
#include "kernels/isa.h"
#include "kernels/parts.h"

// With P the weights, rebuilt as exp((scores - lse) - lse_rest), and delta[t] = sum over d of dz[t,d] z[t,d]
// (Dao et al. 2022, section B.4):
//   dV = P^T dZ      dP = dZ V^T      dS = scale P (dP - delta)      dQ = dS K      dK = dS^T Q
// With dropout, D being 0 or 1 / (1 - rate): dV = (P D)^T dZ and dP = D dZ V^T; delta is the same, as z has
// D in it.  A sink is a key whose score is the sink and whose value is 0: dsink = sum over t of -P delta.
HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

struct Room {  // a task's scratch, but for its tiles'
  GradientRoom cells;
  float *keys_copy, *values_copy;  // [S][D], [S][Dv]: only where they are not used in place
  const float *keys, *values;      // those, or in place
  float* pairs_copy;               // [S][D / 2]: keys as pairs of bf16, likewise
  const float* pairs;              // null where products are not of pairs
  float *dk, *dv;                  // [S][D], [S][Dv], padded: sums over all queries of the task
  float* far_sums;                 // of dk, then dv: of the tiles before, or null where there are few
  float* rows;                     // [k_tile][D] or [Dv]
};

// May rows be used where they are: floats without gaps, of whole `lanes`?
bool in_place(DType type, const HeadStrides& strides, int64_t width, int64_t lanes) {
  return type == DType::f32 && strides.row == width && width % lanes == 0;
}

// Sums over queries have three levels too: a tile's 64, so many tiles, and all.
constexpr int64_t k_near_tiles = 64;

// Tiles of a task, at most.
int64_t tiles_of(const AttentionBackward::Pass& pass) {
  const AttentionShape& s = pass.args.shape;
  const int64_t unit = pass.tiles * k_tile, units = (s.queries + unit - 1) / unit;
  return (s.heads / std::max<int64_t>(s.key_heads, 1) * units + pass.parts - 1) / pass.parts * pass.tiles;
}

// How many floats it takes; places them in scratch unless that is null.
int64_t lay_out(const AttentionBackward::Pass& pass, float* scratch, Room* room, Tile* tiles) {
  const AttentionArgs& args = pass.args;
  const AttentionGradients& to = pass.to;
  const AttentionShape& shape = args.shape;
  const int64_t width = shape.width, value_width = shape.value_width;
  const int64_t cells = k_gradient_keys * k_tile;
  int64_t used = 0;
  const auto take = [&](int64_t count) {
    float* place = scratch ? scratch + used : nullptr;
    used += (count + 15) / 16 * 16;
    return place;
  };
  room->cells.weights = take(cells);
  room->cells.dscores = take(cells);
  for (int64_t i = 0; i < pass.tiles; ++i) {
    Tile& tile = tiles[i];
    for (float** place : {&tile.queries, &tile.dq}) *place = take(width * k_tile);
    tile.dz = take(value_width * k_tile);
    tile.query_copy = take(in_place(args.type, args.q_at, width, k_lanes) ? 0 : padded(width) * k_tile);
    tile.dz_copy =
        take(in_place(to.dz_type, to.dz_at, value_width, k_lanes) ? 0 : padded(value_width) * k_tile);
    tile.far_dq = shape.keys > k_far_keys ? take(width * k_tile) : nullptr;
    for (float** place : {&tile.lse, &tile.rest, &tile.delta, &tile.scaled_delta}) *place = take(k_tile);
  }
  const bool adds = has_added(args), drops = args.dropout > 0;
  room->cells.added = take(adds ? cells : 0);
  room->cells.kept = take(drops ? cells : 0);
  room->cells.slope = take(args.softcap > 0 ? cells : 0);
  room->cells.rows = take(adds || drops ? k_gradient_keys * k_width : 0);
  room->keys_copy = take(in_place(args.type, args.k_at, width, 1) ? 0 : shape.keys * width);
  room->values_copy = take(in_place(args.type, args.v_at, value_width, 1) ? 0 : shape.keys * value_width);
  room->pairs_copy = take(in_pairs(args) && args.k_at.row != width ? shape.keys * width / 2 : 0);
  room->rows = take(k_tile * std::max(width, value_width));
  room->cells.fresh_dq = take(width * k_tile);
  room->cells.fresh_row = take(std::max(padded(width), padded(value_width)));
  room->dk = take(pass.parts > 1 ? 0 : shape.keys * padded(width));
  room->dv = take(pass.parts > 1 ? 0 : shape.keys * padded(value_width));
  const bool many = tiles_of(pass) > k_near_tiles;
  room->far_sums = many ? take(shape.keys * (padded(width) + padded(value_width))) : nullptr;
  return used;
}

float dot(const float* a, const float* b, int64_t count) {
  Vec sum = hn::Zero(k_f32);
  int64_t i = 0;
  for (; i + k_lanes <= count; i += k_lanes) {
    sum = hn::MulAdd(hn::LoadU(k_f32, a + i), hn::LoadU(k_f32, b + i), sum);
  }
  float total = sum_lanes(sum);
  for (; i < count; ++i) total += a[i] * b[i];
  return total;
}

int64_t place(const HeadStrides& at, int64_t batch, int64_t row, int64_t head) {
  return batch * at.batch + row * at.row + head * at.head;
}

// Rows [count][width], padded with zeros to whole vectors: themselves, or a copy.
const float* padded_rows(DType type, const void* from, const HeadStrides& strides, int64_t count,
                         int64_t width, float* copy) {
  if (in_place(type, strides, width, k_lanes)) return static_cast<const float*>(from);
  const int64_t pitch = padded(width);
  load_rows(type, from, strides.row, count, width, copy, pitch);
  for (int64_t r = 0; r < count && pitch > width; ++r)
    std::fill(copy + r * pitch + width, copy + (r + 1) * pitch, 0.f);
  return copy;
}

// Those of one block as columns [width][lanes]; lanes beyond its queries are 0.
void columns_of(const float* rows, const QueryBlock& block, int64_t width, float* to) {
  transpose(block.count, width, rows, padded(width), to, block.pitch);
  for (int64_t d = 0; d < width && block.count < block.pitch; ++d)
    std::fill(to + d * block.pitch + block.count, to + (d + 1) * block.pitch, 0.f);
}

// A row that saw nothing has lse = -inf: +inf in its place makes all its weights 0, as for lanes beyond
// count.
void load_lse_and_delta(const Tile& tile, const AttentionArgs& args, const Room& room) {
  const QueryBlock& first = tile.blocks[0];
  const AttentionShape& shape = args.shape;
  const int64_t row = args.row(first.batch, first.head, first.first);
  const float *lse = args.lse + row, *rest = args.lse_rest;
  const void* from = at(args.z_type, args.z, place(args.z_at, first.batch, first.first, first.head));
  const float* z = static_cast<const float*>(from);
  int64_t stride = args.z_at.row;
  if (args.z_type != DType::f32) {
    load_rows(args.z_type, from, stride, tile.count, shape.value_width, room.rows, shape.value_width);
    z = room.rows;
    stride = shape.value_width;
  }
  for (int64_t i = 0; i < k_tile; ++i) {
    const bool seen = i < tile.count && lse[i] != -k_infinity;
    tile.lse[i] = seen ? lse[i] : k_infinity;
    tile.rest[i] = seen && rest ? rest[row + i] : 0;
    tile.delta[i] =
        seen ? dot(tile.dz_rows + i * padded(shape.value_width), z + i * stride, shape.value_width) : 0;
    tile.scaled_delta[i] = tile.delta[i] * args.scale;
  }
}

// What the sink's gradient has from these queries.
float sink_part(const Tile& tile, const AttentionArgs& args) {
  const double sink = args.sinks[tile.blocks[0].head];
  double sum = 0;
  for (int64_t i = 0; i < tile.count; ++i) {
    if (tile.lse[i] < k_infinity || std::isnan(tile.lse[i]))
      sum -= std::exp((sink - tile.lse[i]) - tile.rest[i]) * tile.delta[i];
  }
  return static_cast<float>(sum);
}

void start(Tile* tile, const AttentionBackward::Pass& pass, int64_t batch, int64_t head, int64_t first,
           const Room& room) {
  const AttentionArgs& args = pass.args;
  const AttentionGradients& to = pass.to;
  const AttentionShape& shape = args.shape;
  tile->count = std::min(k_tile, shape.queries - first);
  tile->used = (tile->count + k_width - 1) / k_width;
  tile->any_low = tile->all_high = shape.keys;
  tile->any_high = tile->all_low = 0;
  const int64_t pitch = padded(shape.width), value_pitch = padded(shape.value_width);
  tile->query_rows = padded_rows(args.type, at(args.type, args.q, place(args.q_at, batch, first, head)),
                                 args.q_at, tile->count, shape.width, tile->query_copy);
  tile->dz_rows = padded_rows(to.dz_type, at(to.dz_type, to.dz, place(to.dz_at, batch, first, head)),
                              to.dz_at, tile->count, shape.value_width, tile->dz_copy);
  for (int64_t b = 0; b < tile->used; ++b) {
    QueryBlock& block = tile->blocks[b];
    const int64_t lane = b * k_width;
    block = query_block(args, batch, head, first + lane, shape.queries);
    tile->any_low = std::min(tile->any_low, block.any_low);
    tile->any_high = std::max(tile->any_high, block.any_high);
    tile->all_low = std::max(tile->all_low, block.all_low);
    tile->all_high = std::min(tile->all_high, block.all_high);
    float* columns = tile->queries + lane * shape.width;
    if (in_pairs(args)) {
      pack_pairs(block, room.rows, columns);
    } else {
      pack_columns(tile->query_rows + lane * pitch, pitch, block.count, shape.width, args.scale, block.pitch,
                   columns);
    }
    columns_of(tile->dz_rows + lane * value_pitch, block, shape.value_width,
               tile->dz + lane * shape.value_width);
  }
  load_lse_and_delta(*tile, args, room);
  tile->finite = all_finite(tile->query_rows, pitch, tile->count, shape.width) &&
                 all_finite(tile->dz_rows, value_pitch, tile->count, shape.value_width);
  for (float* sums : {tile->dq, tile->far_dq})
    if (sums) std::fill_n(sums, shape.width * k_tile, 0.f);
  if (to.dsinks) {
    const int64_t count = (shape.queries + k_tile - 1) / k_tile;
    pass.sink_parts[(batch * shape.heads + head) * count + first / k_tile] = sink_part(*tile, args);
  }
  tile->dbias = to.dbias ? to.dbias + place(to.dbias_at, batch, first, head) : nullptr;
  tile->dbias_row = to.dbias_at.row;
  for (int64_t i = 0; tile->dbias && i < tile->count; ++i)
    std::fill_n(tile->dbias + i * tile->dbias_row, shape.keys, 0.f);
}

void finish(const Tile& tile, const AttentionBackward::Pass& pass, const Room& room) {
  const AttentionGradients& to = pass.to;
  const int64_t width = pass.args.shape.width;
  if (tile.far_dq) move_sums(tile.far_dq, width * k_tile, tile.dq);
  for (int64_t b = 0; b < tile.used; ++b) {
    const QueryBlock& block = tile.blocks[b];
    float* sums = tile.dq + b * k_width * width;
    void* dq = at(to.type, to.dq, place(to.dq_at, block.batch, block.first, block.head));
    if (to.type == DType::f32) {
      transpose(width, block.count, sums, block.pitch, static_cast<float*>(dq), to.dq_at.row);
    } else {
      transpose(width, block.count, sums, block.pitch, room.rows, width);
      store_rows(to.type, room.rows, width, block.count, width, dq, to.dq_at.row);
    }
  }
}

// All tiles of a unit against the block of keys that begins at `aligned`.
void add_block(const AttentionArgs& args, const Tile* tiles, int64_t count, int64_t aligned,
               const Room& room) {
  const AttentionShape& shape = args.shape;
  const int64_t pitch = padded(shape.width), value_pitch = padded(shape.value_width);
  for (int64_t i = 0; i < count; ++i) {
    GradientKeys here{};
    here.s0 = std::max(aligned, tiles[i].any_low);
    here.s1 = std::min(aligned + k_gradient_keys, tiles[i].any_high);
    if (here.s0 >= here.s1) continue;
    here.keys = room.keys + here.s0 * shape.width;
    here.values = room.values + here.s0 * shape.value_width;
    here.pairs = room.pairs ? room.pairs + here.s0 * shape.width / 2 : nullptr;
    here.dk = room.dk + here.s0 * pitch;
    here.dv = room.dv + here.s0 * value_pitch;
    add_gradients(tiles[i], here, room.cells);
  }
}

// The keys of a key head as pairs, where scores are made of such: themselves, or a copy.
const float* pairs_of(const AttentionArgs& args, int64_t batch, int64_t key_head, float* copy) {
  if (!in_pairs(args)) return nullptr;
  const void* first = at(args.type, args.k, place(args.k_at, batch, 0, key_head));
  if (args.k_at.row == args.shape.width) return static_cast<const float*>(first);
  copy_rows(first, args.k_at.row, args.shape.keys, args.shape.width, copy);
  return copy;
}

// The rows of a key head as floats without gaps: themselves, or a copy, made once for all queries.
const float* rows_of(const AttentionArgs& args, const void* from, const HeadStrides& strides, int64_t batch,
                     int64_t key_head, int64_t width, float* copy) {
  const void* first = at(args.type, from, place(strides, batch, 0, key_head));
  if (in_place(args.type, strides, width, 1)) return static_cast<const float*>(first);
  load_rows(args.type, first, strides.row, args.shape.keys, width, copy, width);
  return copy;
}

void store_sums(DType type, const float* sums, int64_t rows, int64_t width, void* to, int64_t stride) {
  const int64_t pitch = padded(width);
  if (type != DType::f32) return store_rows(type, sums, pitch, rows, width, to, stride);
  for (int64_t r = 0; r < rows; ++r)
    std::copy_n(sums + r * pitch, width, static_cast<float*>(to) + r * stride);
}

// One key head's part of its units, each some tiles of one query head.
void backward(const AttentionBackward::Pass& pass, int64_t batch, int64_t key_head, int64_t part,
              float* scratch) {
  const AttentionArgs& args = pass.args;
  const AttentionGradients& to = pass.to;
  const AttentionShape& shape = args.shape;
  const int64_t pitch = padded(shape.width), value_pitch = padded(shape.value_width);
  Room room;
  Tile tiles[AttentionBackward::k_most_tiles];
  lay_out(pass, scratch, &room, tiles);
  if (pass.parts > 1) {
    room.dk = pass.key_part(batch, key_head, part);
    room.dv = room.dk + shape.keys * pitch;
  }
  std::fill(room.dk, room.dk + shape.keys * pitch, 0.f);
  std::fill(room.dv, room.dv + shape.keys * value_pitch, 0.f);
  if (room.far_sums) std::fill_n(room.far_sums, pass.part_floats(), 0.f);
  int64_t near = 0;  // tiles since the last move of sums
  room.keys = rows_of(args, args.k, args.k_at, batch, key_head, shape.width, room.keys_copy);
  room.pairs = pairs_of(args, batch, key_head, room.pairs_copy);
  room.values = rows_of(args, args.v, args.v_at, batch, key_head, shape.value_width, room.values_copy);
  const int64_t group = shape.heads / shape.key_heads, head0 = key_head * group;
  for (int64_t head = head0; to.ddistances && head < head0 + group; ++head)
    std::fill_n(pass.distance_part(batch, head, part), to.distances, 0.f);

  const int64_t unit = pass.tiles * k_tile, units = (shape.queries + unit - 1) / unit;
  for (int64_t u = part; u < group * units; u += pass.parts) {
    const int64_t head = head0 + u / units, first = u % units * unit;
    const int64_t used = (std::min(unit, shape.queries - first) + k_tile - 1) / k_tile;
    int64_t low = shape.keys, high = 0;
    for (int64_t i = 0; i < used; ++i) {
      start(&tiles[i], pass, batch, head, first + i * k_tile, room);
      tiles[i].ddistances = to.ddistances ? pass.distance_part(batch, head, part) : nullptr;
      tiles[i].distances = to.distances;
      low = std::min(low, tiles[i].any_low);
      high = std::max(high, tiles[i].any_high);
    }
    for (int64_t s = low / k_gradient_keys * k_gradient_keys; s < high; s += k_gradient_keys) {
      add_block(args, tiles, used, s, room);
      if ((s / k_gradient_keys + 1) % k_far_blocks != 0) continue;
      for (int64_t i = 0; i < used && tiles[i].far_dq; ++i)
        move_sums(tiles[i].dq, shape.width * k_tile, tiles[i].far_dq);
    }
    for (int64_t i = 0; i < used; ++i) finish(tiles[i], pass, room);
    near += used;
    if (near < k_near_tiles || !room.far_sums) continue;
    move_sums(room.dk, shape.keys * pitch, room.far_sums);
    move_sums(room.dv, shape.keys * value_pitch, room.far_sums + shape.keys * pitch);
    near = 0;
  }
  if (room.far_sums) {
    move_sums(room.far_sums, shape.keys * pitch, room.dk);
    move_sums(room.far_sums + shape.keys * pitch, shape.keys * value_pitch, room.dv);
  }
  if (pass.parts > 1) return;
  store_sums(to.type, room.dk, shape.keys, shape.width,
             at(to.type, to.dk, place(to.dk_at, batch, 0, key_head)), to.dk_at.row);
  store_sums(to.type, room.dv, shape.keys, shape.value_width,
             at(to.type, to.dv, place(to.dv_at, batch, 0, key_head)), to.dv_at.row);
}

}  // namespace

AttentionBackward::Target attention_backward_target(const AttentionBackward::Pass& pass) {
  Room room;
  Tile tiles[AttentionBackward::k_most_tiles];
  return {backward, lay_out(pass, nullptr, &room, tiles), k_lanes};
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limpid::kernels {
namespace {

HWY_EXPORT(attention_backward_target);

// What a tile keeps (queries and dz both ways round, dq) should fit the second-level cache with all others of
// its unit: one reading of keys, values and their gradients serves the whole unit.
constexpr int64_t k_near_bytes = 384 << 10;
// As many tasks are wanted of each batch entry, so that every thread has work.  The batch does not count: how
// sums are split, and so an entry's bits, must not depend on it.
constexpr int64_t k_few_tasks = 8;
constexpr int64_t k_tile_queries = 64;

}  // namespace

AttentionBackward::AttentionBackward(const AttentionArgs& args, const AttentionGradients& gradients) {
  choose_isa();
  pass_.args = args;
  pass_.args.documents_rise = key_documents_rise(args);
  pass_.to = gradients;
  const AttentionShape& s = args.shape;
  const int64_t tile =
      k_tile_queries * static_cast<int64_t>(sizeof(float)) * (3 * s.width + 2 * s.value_width);
  pass_.tiles = k_most_tiles;
  while (pass_.tiles > 1 && (pass_.tiles * tile > k_near_bytes ||
                             s.heads * parts(s.queries, pass_.tiles * k_tile_queries) < k_few_tasks)) {
    pass_.tiles /= 2;
  }
  const int64_t key_heads = std::max<int64_t>(s.key_heads, 1);
  const int64_t units = s.heads / key_heads * parts(s.queries, pass_.tiles * k_tile_queries);
  pass_.parts = std::clamp<int64_t>(units, 1, parts(k_few_tasks, key_heads));
  target_ = HWY_DYNAMIC_DISPATCH(attention_backward_target)(pass_);

  const int64_t lanes = target_.lanes;
  pass_.key_pitch = round_up(s.width, lanes);
  pass_.value_pitch = round_up(s.value_width, lanes);
  const int64_t keys = pass_.parts > 1 ? s.batch * s.key_heads * pass_.parts * pass_.part_floats() : 0;
  const int64_t sinks = gradients.dsinks ? s.batch * s.heads * parts(s.queries, k_tile_queries) : 0;
  const int64_t distances = gradients.ddistances ? s.batch * s.heads * pass_.parts * gradients.distances : 0;
  if (keys + sinks + distances == 0) return;
  memory_ = std::make_shared_for_overwrite<float[]>(static_cast<size_t>(keys + sinks + distances));
  pass_.key_parts = memory_.get();
  pass_.sink_parts = pass_.key_parts + keys;
  pass_.distance_parts = pass_.sink_parts + sinks;
}

int64_t AttentionBackward::tasks() const noexcept {
  return pass_.args.shape.batch * pass_.args.shape.key_heads * pass_.parts;
}

void AttentionBackward::run(int64_t task, std::byte* scratch) const noexcept {
  // The last parts first: with a causal mask they see most, and long tasks at the end leave threads idle.
  const int64_t key_heads = pass_.args.shape.key_heads, items = pass_.args.shape.batch * key_heads;
  const int64_t part = pass_.parts - 1 - task / items, item = task % items;
  target_.run(pass_, item / key_heads, item % key_heads, part, reinterpret_cast<float*>(scratch));
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE
