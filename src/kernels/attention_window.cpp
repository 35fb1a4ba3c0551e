#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention_window.cpp"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/attention-inl.h"
#include "kernels/attention_window.h"
#include "kernels/isa.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

constexpr int64_t k_task_keys = 4 * k_block_keys;  // a task packs its queries once for so many

struct Room {                   // a task's scratch; lanes are queries
  float *queries, *dz;          // [D][lanes], [Dv][lanes]
  float *cells, *weights;       // [keys][lanes]
  float *slope, *added, *kept;  // the same: only where there is a cap, something added, dropout
  float* rows;                  // [lanes][keys], or [lanes][D] or [Dv]
  float *keys, *values;         // [keys][D], [keys][Dv]: only where they are not floats
  float *lse, *rest, *delta;    // [lanes]
  float* mass;                  // [keys][k_lanes]
  double* masses;               // [keys]: those of the queries before
};

// How many floats it takes; places them in scratch unless that is null.
int64_t lay_out(const AttentionArgs& args, float* scratch, Room* room) {
  const AttentionShape& shape = args.shape;
  const int64_t block = k_block_keys * k_width, widest = std::max(shape.width, shape.value_width);
  const bool by_cell = has_added(args) || args.dropout > 0, wide = args.type == DType::f32;
  int64_t used = 0;
  const auto take = [&](int64_t count) {
    float* place = scratch ? scratch + used : nullptr;
    used += (count + 15) / 16 * 16;
    return place;
  };
  room->queries = take(shape.width * k_width);
  room->dz = take(shape.value_width * k_width);
  room->cells = take(block);
  room->weights = take(block);
  room->slope = take(args.softcap > 0 ? block : 0);
  room->added = take(has_added(args) ? block : 0);
  room->kept = take(args.dropout > 0 ? block : 0);
  room->rows = take(std::max(by_cell ? block : 0, k_width * widest));
  room->keys = take(wide ? 0 : k_block_keys * shape.width);
  room->values = take(wide ? 0 : k_block_keys * shape.value_width);
  room->lse = take(k_width);
  room->rest = take(k_width);
  room->delta = take(k_width);
  room->mass = take(k_task_keys * k_lanes);
  room->masses = reinterpret_cast<double*>(take(2 * k_task_keys));
  return used;
}

// Rows of keys or values, as floats.
struct Rows {
  const float* at;
  int64_t pitch;
};

Rows rows_of(const AttentionArgs& args, const void* from, const HeadStrides& strides, int64_t width,
             int64_t s0, int64_t s1, float* copy) {
  const void* first = at(args.type, from, s0 * strides.row);
  if (args.type == DType::f32) return {static_cast<const float*>(first), strides.row};
  load_rows(args.type, first, strides.row, s1 - s0, width, copy, width);
  return {copy, width};
}

void pack_queries(const QueryBlock& block, float factor, const Room& room) {
  const AttentionArgs& args = *block.args;
  const int64_t width = args.shape.width;
  if (in_pairs(args)) return pack_pairs(block, room.rows, room.queries);
  const float* queries = static_cast<const float*>(block.q);
  int64_t stride = args.q_at.row;
  if (args.type != DType::f32) {
    load_rows(args.type, block.q, stride, block.count, width, room.rows, width);
    queries = room.rows;
    stride = width;
  }
  pack_columns(queries, stride, block.count, width, factor, block.pitch, room.queries);
}

// As the backward pass takes them.  A row that saw nothing has lse = -inf: +inf in its place makes its
// weights 0, and those of the lanes beyond count.
void load_lse(const QueryBlock& block, const Room& room) {
  const AttentionShape& shape = block.args->shape;
  const int64_t row = (block.batch * shape.heads + block.head) * shape.queries + block.first;
  const float *lse = block.args->lse + row, *rest = block.args->lse_rest;
  for (int64_t i = 0; i < block.pitch; ++i) {
    const bool seen = i < block.count && lse[i] != -k_infinity;
    room.lse[i] = seen ? lse[i] : k_infinity;
    room.rest[i] = seen && rest ? rest[row + i] : 0;
  }
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

void load_delta(const QueryBlock& block, const AttentionCells& cells, const float* dz, const Room& room) {
  const AttentionArgs& args = *block.args;
  const AttentionShape& shape = args.shape;
  const int64_t row = (block.batch * shape.heads + block.head) * shape.queries + block.first;
  if (cells.delta) {
    std::copy_n(cells.delta + row, block.count, room.delta);
    return;
  }
  const void* z =
      at(args.z_type, static_cast<const void*>(args.z),
         block.batch * args.z_at.batch + block.first * args.z_at.row + block.head * args.z_at.head);
  load_rows(args.z_type, z, args.z_at.row, block.count, shape.value_width, room.rows, shape.value_width);
  for (int64_t i = 0; i < block.count; ++i) {
    room.delta[i] = dot(dz + i * cells.dz_at.row, room.rows + i * shape.value_width, shape.value_width);
  }
}

// The block as if every lane saw every key.
QueryBlock unmasked(QueryBlock block) {
  const int64_t keys = block.args->shape.keys;
  std::fill(block.low, block.low + block.pitch, 0.f);
  std::fill(block.high, block.high + block.pitch, static_cast<float>(keys));
  block.any_low = block.all_low = 0;
  block.any_high = block.all_high = keys;
  std::fill(block.vec_low, block.vec_low + block.vecs, 0);
  std::fill(block.vec_high, block.vec_high + block.vecs, keys);
  return block;
}

// room.added or null; *hidden where no cell is seen.
const float* added_of(const QueryBlock& block, int64_t s0, int64_t s1, const Room& room, bool* hidden) {
  *hidden = s1 <= block.any_low || s0 >= block.any_high;
  if (*hidden || !has_added(*block.args)) return nullptr;
  const Added kind = added_block(block, s0, s1, room.rows, room.added);
  *hidden = kind == Added::hidden;
  return kind == Added::some ? room.added : nullptr;
}

// Keys by queries as they are packed, times the scale unless `raw`: in packed queries it is already.
void products(const QueryBlock& block, int64_t s0, int64_t s1, bool raw, const Room& room, float* to) {
  const AttentionArgs& args = *block.args;
  const int64_t width = args.shape.width;
  if (in_pairs(args)) {
    copy_rows(at(args.type, block.k, s0 * args.k_at.row), args.k_at.row, s1 - s0, width, room.keys);
    return pair_products(block, s0, s1, room.keys, room.queries, raw ? 1.f : args.scale, to);
  }
  const Rows keys = rows_of(args, block.k, args.k_at, width, s0, s1, room.keys);
  key_products(block, s0, s1, keys.at, keys.pitch, width, room.queries, to);
}

// room.cells: a stage up to scores.  `queries` are packed with the scale, but as they are for raw scores.
void rebuild_scores(const QueryBlock& block, AttentionStage stage, int64_t s0, int64_t s1, const Room& room) {
  const AttentionArgs& args = *block.args;
  const bool last = stage == AttentionStage::scores;
  bool hidden = false;
  const float* added = last ? added_of(block, s0, s1, room, &hidden) : nullptr;
  if (hidden) {
    std::fill(room.cells, room.cells + (s1 - s0) * block.pitch, -k_infinity);
    return;
  }
  products(block, s0, s1, stage == AttentionStage::raw_scores, room, room.cells);
  if (stage == AttentionStage::raw_scores) return;
  const Vec cap = set(args.softcap);
  for (int64_t s = s0; s < s1; ++s) {
    for (int v = 0; v < block.vecs; ++v) {
      const int64_t cell = (s - s0) * block.pitch + v * k_lanes;
      const float* more = added ? added + (s - s0) * block.pitch : nullptr;
      Vec x = set(-k_infinity);
      if (any_sees(block, v, s)) {
        x = hn::LoadU(k_f32, room.cells + cell);
        if (stage >= AttentionStage::capped_scores && args.softcap > 0) x = cap_score(x, cap, nullptr);
        if (more) x = add_to_score(x, hn::LoadU(k_f32, more + v * k_lanes));
        if (last) x = hn::IfThenElse(sees(block, v, s, more), x, set(-k_infinity));
      }
      hn::StoreU(x, k_f32, room.cells + cell);
    }
  }
}

// weights[key][lane], 0 where hidden.  `queries` are packed with the scale.  False where all is hidden.
bool rebuild_weights(const QueryBlock& block, int64_t s0, int64_t s1, bool slope, const float** added,
                     float* weights, const Room& room) {
  bool hidden = false;
  *added = added_of(block, s0, s1, room, &hidden);
  if (hidden) {
    std::fill(weights, weights + (s1 - s0) * block.pitch, 0.f);
    return false;
  }
  products(block, s0, s1, false, room, weights);
  finish_scores(block, s0, s1, *added, weights, slope ? room.slope : nullptr);
  for (int64_t s = s0; s < s1; ++s) {
    for (int v = 0; v < block.vecs; ++v) {
      float* cell = weights + (s - s0) * block.pitch + v * k_lanes;
      Vec weight = hn::Zero(k_f32);
      if (any_sees(block, v, s)) {
        const float* more = *added ? *added + (s - s0) * block.pitch : nullptr;
        const Vec lse = hn::LoadU(k_f32, room.lse + v * k_lanes);
        weight = hn::Sub(hn::Sub(hn::LoadU(k_f32, cell), lse), hn::LoadU(k_f32, room.rest + v * k_lanes));
        weight = exp_score(weight);
        weight = hn::IfThenElseZero(sees(block, v, s, more), weight);
      }
      hn::StoreU(weight, k_f32, cell);
    }
  }
  return true;
}

// room.cells: pattern.grad, of the lanes that see the key at least.
void rebuild_pattern_gradient(const QueryBlock& block, int64_t s0, int64_t s1, const Room& room) {
  const AttentionArgs& args = *block.args;
  const int64_t width = args.shape.value_width;
  const Rows values = rows_of(args, block.v, args.v_at, width, s0, s1, room.values);
  key_products(block, s0, s1, values.at, values.pitch, width, room.dz, room.cells);
  if (!(args.dropout > 0)) return;
  dropout_block(block, s0, s1, room.rows, room.kept);
  for (int64_t i = 0; i < (s1 - s0) * block.pitch; i += k_lanes) {
    const Vec kept = hn::LoadU(k_f32, room.kept + i), gradient = hn::LoadU(k_f32, room.cells + i);
    // Selected, not multiplied: a dropped value may be NaN.
    hn::StoreU(hn::IfThenZeroElse(hn::Eq(kept, hn::Zero(k_f32)), hn::Mul(kept, gradient)), k_f32,
               room.cells + i);
  }
}

// room.cells: the gradient of a stage up to scores.
void rebuild_score_gradient(const QueryBlock& block, AttentionStage stage, int64_t s0, int64_t s1,
                            const Room& room) {
  const AttentionArgs& args = *block.args;
  const bool capped = args.softcap > 0 && stage <= AttentionStage::scaled_scores;
  const float* added = nullptr;
  if (!rebuild_weights(block, s0, s1, capped, &added, room.weights, room)) {
    std::fill(room.cells, room.cells + (s1 - s0) * block.pitch, 0.f);
    return;
  }
  rebuild_pattern_gradient(block, s0, s1, room);
  for (int64_t s = s0; s < s1; ++s) {
    for (int v = 0; v < block.vecs; ++v) {
      const int64_t cell = (s - s0) * block.pitch + v * k_lanes;
      Vec gradient = hn::Zero(k_f32);
      if (any_sees(block, v, s)) {
        gradient = hn::Sub(hn::LoadU(k_f32, room.cells + cell), hn::LoadU(k_f32, room.delta + v * k_lanes));
        gradient = hn::Mul(hn::LoadU(k_f32, room.weights + cell), gradient);
        if (capped) gradient = hn::Mul(gradient, hn::LoadU(k_f32, room.slope + cell));
        if (stage == AttentionStage::raw_scores) gradient = hn::Mul(gradient, set(args.scale));
        const float* more = added ? added + (s - s0) * block.pitch : nullptr;
        gradient = hn::IfThenElseZero(sees(block, v, s, more), gradient);
      }
      hn::StoreU(gradient, k_f32, room.cells + cell);
    }
  }
}

void rebuild(const AttentionArgs& args, const AttentionCells& cells, int64_t batch, int64_t head,
             int64_t first, int64_t key, float* scratch) {
  Room room;
  lay_out(args, scratch, &room);
  const AttentionStage stage = cells.stage;
  const bool pattern = stage == AttentionStage::pattern, weighs = pattern != cells.gradient;
  QueryBlock block = query_block(args, batch, head, first, cells.t1);
  if (!weighs && stage != AttentionStage::scores) block = unmasked(block);
  pack_queries(block, !weighs && stage == AttentionStage::raw_scores ? 1.f : args.scale, room);
  if (weighs) load_lse(block, room);
  if (cells.gradient) {
    const float* dz =
        cells.dz + batch * cells.dz_at.batch + first * cells.dz_at.row + head * cells.dz_at.head;
    pack_columns(dz, cells.dz_at.row, block.count, args.shape.value_width, 1, block.pitch, room.dz);
    std::fill(room.delta, room.delta + block.pitch, 0.f);
    if (!pattern) load_delta(block, cells, dz, room);
  }
  float* to = cells.to + batch * cells.to_at.batch + (head - cells.head0) * cells.to_at.head +
              (first - cells.t0) * cells.to_at.row - cells.s0;
  const int64_t end = std::min(key + k_task_keys, cells.s1);
  for (int64_t s0 = key; s0 < end; s0 += k_block_keys) {
    const int64_t s1 = std::min(s0 + k_block_keys, end);
    const float* added = nullptr;
    if (pattern && cells.gradient) {
      rebuild_pattern_gradient(block, s0, s1, room);
    } else if (pattern) {
      rebuild_weights(block, s0, s1, false, &added, room.cells, room);
    } else if (cells.gradient) {
      rebuild_score_gradient(block, stage, s0, s1, room);
    } else {
      rebuild_scores(block, stage, s0, s1, room);
    }
    transpose(s1 - s0, block.count, room.cells, block.pitch, to + s0, cells.to_at.row);
  }
}

void add_mass(const AttentionArgs& args, int64_t batch, int64_t head, int64_t key, float* mass,
              float* scratch) {
  Room room;
  lay_out(args, scratch, &room);
  const int64_t end = std::min(key + k_task_keys, args.shape.keys);
  std::fill(room.mass, room.mass + (end - key) * k_lanes, 0.f);
  std::fill(room.masses, room.masses + (end - key), 0.0);
  const auto move = [&] {
    for (int64_t s = 0; s < end - key; ++s)
      room.masses[s] += sum_lanes(hn::LoadU(k_f32, room.mass + s * k_lanes));
    std::fill(room.mass, room.mass + (end - key) * k_lanes, 0.f);
  };
  constexpr int64_t k_near_queries = 4096;
  for (int64_t first = 0; first < args.shape.queries; first += k_width) {
    if (first > 0 && first % k_near_queries == 0) move();
    const QueryBlock block = query_block(args, batch, head, first, args.shape.queries);
    const int64_t low = std::max(key, block.any_low), high = std::min(end, block.any_high);
    if (low >= high) continue;
    pack_queries(block, args.scale, room);
    load_lse(block, room);
    for (int64_t s0 = low; s0 < high; s0 += k_block_keys) {
      const int64_t s1 = std::min(s0 + k_block_keys, high);
      const float* added = nullptr;
      if (!rebuild_weights(block, s0, s1, false, &added, room.weights, room)) continue;
      for (int64_t s = s0; s < s1; ++s) {
        Vec sum = hn::Zero(k_f32);
        for (int v = 0; v < block.vecs; ++v) {
          sum = hn::Add(sum, hn::LoadU(k_f32, room.weights + (s - s0) * block.pitch + v * k_lanes));
        }
        float* all = room.mass + (s - key) * k_lanes;
        hn::StoreU(hn::Add(hn::LoadU(k_f32, all), sum), k_f32, all);
      }
    }
  }
  move();
  mass += (batch * args.shape.heads + head) * args.shape.keys;
  for (int64_t s = key; s < end; ++s) mass[s] = static_cast<float>(room.masses[s - key]);
}

}  // namespace

AttentionWindow::Target attention_window_target(const AttentionArgs& args) {
  Room room;
  return {rebuild, k_width, k_task_keys, lay_out(args, nullptr, &room)};
}

AttentionMass::Target attention_mass_target(const AttentionArgs& args) {
  Room room;
  return {add_mass, k_task_keys, lay_out(args, nullptr, &room)};
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limpid::kernels {
namespace {

HWY_EXPORT(attention_window_target);
HWY_EXPORT(attention_mass_target);

int64_t blocks(int64_t count, int64_t of) { return (count + of - 1) / of; }

}  // namespace

AttentionWindow::AttentionWindow(const AttentionArgs& args, const AttentionCells& cells)
    : args_(args), cells_(cells) {
  args_.documents_rise = key_documents_rise(args);
  choose_isa();
  target_ = HWY_DYNAMIC_DISPATCH(attention_window_target)(args_);
}

int64_t AttentionWindow::tasks() const noexcept {
  return args_.shape.batch * (cells_.head1 - cells_.head0) * blocks(cells_.t1 - cells_.t0, target_.queries) *
         blocks(cells_.s1 - cells_.s0, target_.keys);
}

int64_t AttentionWindow::work() const noexcept {
  return args_.shape.batch * (cells_.head1 - cells_.head0) * (cells_.t1 - cells_.t0) *
         (cells_.s1 - cells_.s0) * (args_.shape.width + (cells_.gradient ? args_.shape.value_width : 0));
}

void AttentionWindow::run(int64_t task, std::byte* scratch) const noexcept {
  const int64_t rows = blocks(cells_.t1 - cells_.t0, target_.queries),
                columns = blocks(cells_.s1 - cells_.s0, target_.keys), heads = cells_.head1 - cells_.head0;
  const int64_t column = task % columns, row = task / columns % rows, item = task / columns / rows;
  target_.run(args_, cells_, item / heads, cells_.head0 + item % heads, cells_.t0 + row * target_.queries,
              cells_.s0 + column * target_.keys, reinterpret_cast<float*>(scratch));
}

AttentionMass::AttentionMass(const AttentionArgs& args, float* mass) : args_(args), mass_(mass) {
  args_.documents_rise = key_documents_rise(args);
  choose_isa();
  target_ = HWY_DYNAMIC_DISPATCH(attention_mass_target)(args_);
}

int64_t AttentionMass::tasks() const noexcept {
  return args_.shape.batch * args_.shape.heads * blocks(args_.shape.keys, target_.keys);
}

void AttentionMass::run(int64_t task, std::byte* scratch) const noexcept {
  const int64_t columns = blocks(args_.shape.keys, target_.keys), item = task / columns;
  target_.run(args_, item / args_.shape.heads, item % args_.shape.heads, task % columns * target_.keys, mass_,
              reinterpret_cast<float*>(scratch));
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE
