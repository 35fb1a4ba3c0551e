// The public fused attention: checks by AttentionCall, then kernels.
#include "limpid/attention.h"

#include <algorithm>
#include <new>
#include <optional>
#include <vector>

#include "fused/call.h"
#include "fused/launch.h"
#include "fused/memory.h"
#include "fused/views.h"
#include "kernels/attention.h"
#include "kernels/attention_window.h"
#include "kernels/kernel.h"

namespace limpid::fused {

namespace {

template <class K>
void run(const K& kernel) {
  launch_call(kernel);
}

// ---- observing -----------------------------------------------------------------------------------

constexpr int64_t k_most_top = 1024;
constexpr int64_t k_map_queries = 256;       // at most, of the kernel's blocks
constexpr int64_t k_least_map_queries = 16;  // of a part: or the parts would take T x S memory

// The map is gathered in blocks of so many queries; several make a block of the caller's.
int64_t map_part(int64_t map_queries) {
  if (map_queries <= k_map_queries) return map_queries;
  for (int64_t part = k_map_queries; part >= k_least_map_queries; --part)
    if (map_queries % part == 0) return part;
  fail_call("attention: map_queries is ", map_queries,
            ", expected at most 256, or a multiple of some number from 16 to 256 (such as ",
            map_queries / 64 * 64, ")");
}

void require_observation(const Observe& o) {
  if (o.top < 0 || o.top > k_most_top)
    fail_call("attention: top is ", o.top, ", expected 0 to ", k_most_top, " (a window shows whole rows)");
  if (o.map_queries < 0 || o.map_keys < 0 || (o.map_queries > 0) != (o.map_keys > 0))
    fail_call("attention: map_queries is ", o.map_queries, " and map_keys ", o.map_keys,
              ", expected both above 0, or both 0 for no map");
  if (o.map_queries > 0) map_part(o.map_queries);
}

int64_t blocks(int64_t count, int64_t of) { return count / of + (count % of != 0); }

// The kernel's sums: [B,H,parts of blocks of queries,blocks of keys].
struct Map {
  Tensor sums;
  int64_t part = 0;
};

Map map_for(const Observe& o, const kernels::AttentionShape& s) {
  Map map;
  if (o.map_queries == 0) return map;
  map.part = map_part(o.map_queries);
  map.sums = Tensor(DType::f32, {{Axis::B, s.batch},
                                 {Axis::H, s.heads},
                                 {Axis::T, blocks(s.queries, map.part)},
                                 {Axis::S, blocks(s.keys, o.map_keys)}});
  return map;
}

// Sums of parts to means of whole blocks, and to what each block of keys receives.
void finish_map(const Map& map, const Observe& o, const kernels::AttentionShape& s, Observed* seen) {
  const int64_t rows = blocks(s.queries, o.map_queries), columns = map.sums.shape()[3].size,
                parts = map.sums.shape()[2].size, each = o.map_queries / map.part;
  seen->map =
      Tensor(DType::f32, {{Axis::B, s.batch}, {Axis::H, s.heads}, {Axis::T, rows}, {Axis::S, columns}});
  seen->block_mass = Tensor(DType::f32, {{Axis::B, s.batch}, {Axis::H, s.heads}, {Axis::S, columns}});
  const float* from = map.sums.data<float>();
  float *mean = seen->map.data<float>(), *mass = seen->block_mass.data<float>();
  for (int64_t item = 0; item < s.batch * s.heads; ++item, from += parts * columns, mass += columns) {
    std::vector<double> masses(static_cast<size_t>(columns)), sums(static_cast<size_t>(columns));
    for (int64_t r = 0; r < rows; ++r, mean += columns) {
      const int64_t tall = std::min(o.map_queries, s.queries - r * o.map_queries);
      std::fill(sums.begin(), sums.end(), 0.0);
      for (int64_t part = r * each; part < std::min(parts, (r + 1) * each); ++part)
        for (int64_t c = 0; c < columns; ++c) sums[static_cast<size_t>(c)] += from[part * columns + c];
      for (int64_t c = 0; c < columns; ++c) {
        const double sum = sums[static_cast<size_t>(c)];
        masses[static_cast<size_t>(c)] += sum;
        const int64_t wide = std::min(o.map_keys, s.keys - c * o.map_keys);
        mean[c] = static_cast<float>(sum / (static_cast<double>(tall) * static_cast<double>(wide)));
      }
    }
    std::transform(masses.begin(), masses.end(), mass, [](double x) { return static_cast<float>(x); });
  }
}

Tensor mass_of(const kernels::AttentionArgs& args) {
  Tensor mass(DType::f32,
              {{Axis::B, args.shape.batch}, {Axis::H, args.shape.heads}, {Axis::S, args.shape.keys}});
  run(kernels::AttentionMass(args, mass.data<float>()));
  return mass;
}

Observed forward_checked(AttentionCall& call, const Observe& o) {
  const kernels::AttentionArgs& args = call.args;
  const kernels::AttentionShape& s = args.shape;
  Observed seen;
  kernels::AttentionObservation wanted;
  wanted.top = std::max<int64_t>(o.top, o.largest ? 1 : 0);
  Tensor weights, keys;
  if (wanted.top > 0) {
    Shape shape = call.lse_shape();
    shape.append({Axis::N, wanted.top});
    weights = Tensor(DType::f32, shape);
    keys = Tensor(DType::i32, shape);
    wanted.top_weights = weights.data<float>();
    wanted.top_keys = keys.data<int32_t>();
  }
  if (o.entropy) {
    seen.entropy = Tensor(DType::f32, call.lse_shape());
    wanted.entropy = seen.entropy.data<float>();
  }
  const Map map = map_for(o, s);
  if (o.map_queries > 0) {
    wanted.map = const_cast<float*>(map.sums.data<float>());
    wanted.map_queries = map.part;
    wanted.map_keys = std::min(o.map_keys, std::max<int64_t>(s.keys, 1));
  }
  run(kernels::AttentionForward(args, wanted));
  if (o.largest) {
    seen.largest = Tensor(DType::f32, call.lse_shape());
    for (int64_t i = 0; i < seen.largest.count(); ++i)
      seen.largest.data<float>()[i] = wanted.top_weights[i * wanted.top];
  }
  if (o.top > 0) {
    seen.top_weights = std::move(weights);
    seen.top_keys = std::move(keys);
  }
  if (o.map_queries > 0) finish_map(map, o, s, &seen);
  if (o.key_mass) seen.key_mass = mass_of(args);
  return seen;
}

// ---- what functions read of Saved ----------------------------------------------------------------

void read_lse(AttentionCall& call, const Saved& saved) {
  call.args.lse = const_cast<float*>(call.numbers("lse", saved.lse, call.lse_shape()));  // read only
  if (saved.lse_rest.shape().rank() > 0 || !saved.lse_rest.empty())
    call.args.lse_rest = const_cast<float*>(call.numbers("lse_rest", saved.lse_rest, call.lse_shape()));
}

void read_z(AttentionCall& call, const Saved& saved) {
  const Rows z = call.rows("z", saved.z, call.z_shape());
  call.args.z_type = z.type;
  call.args.z = const_cast<void*>(z.data);  // read only
  call.args.z_at = z.at;
}

}  // namespace

// ---- forward -------------------------------------------------------------------------------------

namespace {

Observed forward_to(AttentionCall& call, const View& z, const View& lse, const View& lse_rest,
                    const Observe& observe) {
  CallMemory memory;
  AttentionOutput to_z(call, "z", z, call.z_shape());
  std::optional<AttentionOutput> to_lse, to_rest;
  const kernels::AttentionShape& shape = call.args.shape;
  const auto place = [&](const char* name, const View& to, std::optional<AttentionOutput>* output) {
    if (!is_given(to)) return memory.take<float>(shape.batch * shape.heads * shape.queries);  // not wanted
    output->emplace(call, name, to, call.lse_shape(), true);
    if (!(*output)->contiguous()) (*output)->set_aside(DType::f32);
    return static_cast<float*>((*output)->data());
  };
  call.args.z_type = to_z.type();
  call.args.z = to_z.data();
  call.args.z_at = to_z.rows();
  call.args.lse = place("lse", lse, &to_lse);
  call.args.lse_rest = place("lse_rest", lse_rest, &to_rest);
  Observed seen = forward_checked(call, observe);
  to_z.done();
  for (const auto* output : {&to_lse, &to_rest})
    if (*output) (*output)->done();
  return seen;
}

}  // namespace

Observed forward_into(const Attention& attention, const View& z, const View& lse, const View& lse_rest,
                      const Observe& observe) {
  AttentionCall call(attention);
  require_observation(observe);
  return forward_to(call, z, lse, lse_rest, observe);
}

Observed forward_into(const Attention& attention, const View& z, const View& lse, const Observe& observe) {
  return forward_into(attention, z, lse, View(), observe);
}

Attended forward(const Attention& attention, const Observe& observe) {
  AttentionCall call(attention);
  require_observation(observe);
  Attended out;
  out.z = Tensor(call.args.type, call.z_shape());
  out.lse = Tensor(DType::f32, call.lse_shape());
  out.lse_rest = Tensor(DType::f32, call.lse_shape());
  out.seen = forward_to(call, out.z, out.lse, out.lse_rest, observe);
  return out;
}

// ---- gradient ------------------------------------------------------------------------------------

namespace {

// The kernel writes one type: views of another get a copy.
void gradient_to(AttentionCall& call, const Saved& saved, const View& dq, const View& dk, const View& dv,
                 kernels::AttentionGradients to = {}) {
  read_lse(call, saved);
  read_z(call, saved);
  const Rows dz = call.rows("dz", saved.dz, call.z_shape());
  AttentionOutput to_q(call, "dq", dq, call.q_shape()), to_k(call, "dk", dk, call.key_shape(false)),
      to_v(call, "dv", dv, call.key_shape(true));
  const bool one_type = to_q.type() == to_k.type() && to_k.type() == to_v.type();
  to.type = one_type ? to_q.type() : DType::f32;
  for (AttentionOutput* output : {&to_q, &to_k, &to_v})
    if (output->type() != to.type) output->set_aside(to.type);
  to.dz_type = dz.type;
  to.dz = dz.data;
  to.dz_at = dz.at;
  to.dq = to_q.data(), to.dk = to_k.data(), to.dv = to_v.data();
  to.dq_at = to_q.rows(), to.dk_at = to_k.rows(), to.dv_at = to_v.rows();
  try {
    kernels::launch(kernels::AttentionBackward(call.args, to));
  } catch (const std::bad_alloc&) {
    fail_work("attention: no memory for the sums of its gradient");
  }
  for (const AttentionOutput* output : {&to_q, &to_k, &to_v}) output->done();
}

void require_given(bool wanted, bool given, const char* name) {
  if (wanted && !given)
    fail_call("attention: the gradient of ", name, " is asked for, but no ", name, " given");
}

}  // namespace

void gradient_into(const Attention& attention, const Saved& saved, const View& dq, const View& dk,
                   const View& dv) {
  AttentionCall call(attention);
  gradient_to(call, saved, dq, dk, dv);
}

Gradients gradient(const Attention& attention, const Saved& saved, const Also& also) {
  AttentionCall call(attention);
  const kernels::AttentionShape& s = call.args.shape;
  require_given(also.sinks, call.args.sinks, "sinks");
  require_given(also.distances, call.args.distances, "distances");
  require_given(also.bias, call.args.bias, "bias");
  Gradients out;
  kernels::AttentionGradients to;
  out.dq = Tensor(DType::f32, call.q_shape());
  out.dk = Tensor(DType::f32, call.key_shape(false));
  out.dv = Tensor(DType::f32, call.key_shape(true));
  if (also.sinks) {
    out.dsinks = Tensor(DType::f32, {{Axis::H, s.heads}});
    to.dsinks = out.dsinks.data<float>();
  }
  if (also.distances) {
    out.ddistances = Tensor(DType::f32, {{Axis::H, s.heads}, {Axis::N, call.args.distances_head}});
    to.ddistances = out.ddistances.data<float>();
    to.distances = call.args.distances_head;
  }
  if (also.bias) {
    out.dbias =
        Tensor(DType::f32, {{Axis::B, s.batch}, {Axis::H, s.heads}, {Axis::T, s.queries}, {Axis::S, s.keys}});
    to.dbias = out.dbias.data<float>();
    to.dbias_at = {s.heads * s.queries * s.keys, s.keys, s.queries * s.keys};
  }
  gradient_to(call, saved, out.dq, out.dk, out.dv, to);
  if (also.distances && call.args.distances_head != call.distance_count)
    out.ddistances =
        Tensor::copy_of(out.ddistances.view().window(1, call.distances_before, call.distance_count));
  return out;
}

// ---- windows -------------------------------------------------------------------------------------

namespace {

Range range_in(const char* name, const Range& range, int64_t size) {
  const Range whole = {range.first, range.end == -1 ? size : range.end};
  if (whole.first < 0 || whole.first > whole.end || whole.end > size)
    fail_call("attention: window of ", name, " ", range.first, " to ", range.end, ", expected within 0 to ",
              size);
  return whole;
}

kernels::AttentionCells cells_of(const AttentionCall& call, const Window& window) {
  const kernels::AttentionShape& s = call.args.shape;
  const Range heads = range_in("heads", window.heads, s.heads),
              queries = range_in("queries", window.queries, s.queries),
              keys = range_in("keys", window.keys, s.keys);
  kernels::AttentionCells cells;
  switch (window.cells) {
    case Cells::raw_scores:
      cells.stage = kernels::AttentionStage::raw_scores;
      break;
    case Cells::scaled_scores:
      cells.stage = kernels::AttentionStage::scaled_scores;
      break;
    case Cells::capped_scores:
      cells.stage = kernels::AttentionStage::capped_scores;
      break;
    case Cells::scores:
      cells.stage = kernels::AttentionStage::scores;
      break;
    case Cells::pattern:
      cells.stage = kernels::AttentionStage::pattern;
      break;
    default:
      fail_call("attention: window of cells ", static_cast<int>(window.cells), ", which is no stage");
  }
  cells.gradient = window.gradient;
  cells.head0 = heads.first, cells.head1 = heads.end;
  cells.t0 = queries.first, cells.t1 = queries.end;
  cells.s0 = keys.first, cells.s1 = keys.end;
  return cells;
}

Shape shape_of(const AttentionCall& call, const kernels::AttentionCells& cells) {
  return {{Axis::B, call.args.shape.batch},
          {Axis::H, cells.head1 - cells.head0},
          {Axis::T, cells.t1 - cells.t0},
          {Axis::S, cells.s1 - cells.s0}};
}

void window_to(AttentionCall& call, const Saved& saved, kernels::AttentionCells cells, const View& to) {
  if (cells.gradient || cells.stage == kernels::AttentionStage::pattern) read_lse(call, saved);
  if (cells.gradient) {
    read_z(call, saved);
    const Rows dz = call.rows("dz", saved.dz, call.z_shape(), true);
    cells.dz = static_cast<const float*>(dz.data);
    cells.dz_at = dz.at;
  }
  AttentionOutput output(call, "the window", to, shape_of(call, cells), true);
  cells.to = static_cast<float*>(output.data());
  cells.to_at = output.cells();
  run(kernels::AttentionWindow(call.args, cells));
  output.done();
}

}  // namespace

void window_into(const Attention& attention, const Saved& saved, const Window& window, const View& to) {
  AttentionCall call(attention);
  window_to(call, saved, cells_of(call, window), to);
}

Tensor window(const Attention& attention, const Saved& saved, const Window& window) {
  AttentionCall call(attention);
  const kernels::AttentionCells cells = cells_of(call, window);
  Tensor out(DType::f32, shape_of(call, cells));
  window_to(call, saved, cells, out);
  return out;
}

Tensor key_mass(const Attention& attention, const Saved& saved) {
  AttentionCall call(attention);
  read_lse(call, saved);
  return mass_of(call.args);
}

}  // namespace limpid::fused
