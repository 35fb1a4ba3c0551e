// A drawn attention, forward and backward, and its meaning in double: what the tests of attention share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "kernels/attention.h"
#include "kernels/attention_documents.h"
#include "kernels/test_helpers.h"
#include "limpid/error.h"
#include "limpid/random.h"

namespace limpid::kernels::testing {

constexpr float k_nan = std::numeric_limits<float>::quiet_NaN();
constexpr float k_inf = std::numeric_limits<float>::infinity();

// A tensor [batch][row][head][width] whose rows and heads may lie apart.
struct Heads {
  int64_t batch, rows, heads, width;
  HeadStrides at;
  std::vector<float> values;

  Heads(Draw& draw, int64_t b, int64_t r, int64_t h, int64_t w, float size)
      : batch(b), rows(r), heads(h), width(w) {
    const int64_t gap = draw.whole(0, 3);
    if (draw.whole(0, 1)) {  // each head's rows together
      at = {h * r * (w + gap) + gap, w + gap, r * (w + gap)};
    } else {
      at = {r * (h * w + gap), h * w + gap, w};
    }
    values = draw.reals(b * std::max(at.batch, r * at.row) + h * at.head + w + 8, -size, size);
  }
  int64_t place(int64_t b, int64_t r, int64_t h) const { return b * at.batch + r * at.row + h * at.head; }
  float* row(int64_t b, int64_t r, int64_t h) { return values.data() + place(b, r, h); }
  const float* row(int64_t b, int64_t r, int64_t h) const { return values.data() + place(b, r, h); }
  bool same_row(const Heads& other, int64_t b, int64_t r, int64_t h) const {
    return same_bits(row(b, r, h), other.row(b, r, h), width);
  }
  bool row_is_nan(int64_t b, int64_t r, int64_t h) const {
    return std::all_of(row(b, r, h), row(b, r, h) + width, [](float x) { return std::isnan(x); });
  }
};

// Numbers as a type holds them, and back.
inline std::vector<std::byte> packed(const std::vector<float>& values, DType type) {
  std::vector<std::byte> bytes(values.size() * (type == DType::f32 ? 4 : 2));
  for (size_t i = 0; i < values.size(); ++i) {
    if (type == DType::f32) std::memcpy(bytes.data() + 4 * i, &values[i], 4);
    const uint16_t bits = type == DType::bf16 ? to_bf16(values[i]).bits : to_f16(values[i]).bits;
    if (type != DType::f32) std::memcpy(bytes.data() + 2 * i, &bits, 2);
  }
  return bytes;
}
inline std::vector<float> unpacked(const std::vector<std::byte>& bytes, DType type) {
  std::vector<float> values(bytes.size() / (type == DType::f32 ? 4 : 2));
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t bits = 0;
    if (type == DType::f32) std::memcpy(&values[i], bytes.data() + 4 * i, 4);
    if (type != DType::f32) std::memcpy(&bits, bytes.data() + 2 * i, 2);
    if (type == DType::bf16) values[i] = to_float(bf16{bits});
    if (type == DType::f16) values[i] = to_float(f16{bits});
  }
  return values;
}
// How far rounding to the type moves x at most.
inline double rounding(DType type, double x) {
  if (type == DType::bf16) return std::abs(x) / 256;
  return type == DType::f16 ? std::abs(x) / 2048 + 6e-8 : 0;
}

struct Options {
  bool causal = false, ragged = false, bias = false, slopes = false, own_first = false;
  int64_t window = 0, window_after = -1;  // -1: none
  bool symmetric = false;
  float softcap = 0, size = 1;
  bool sinks = false, documents = false, by_document = false, allowed = false, distances = false,
       places = false;
  float dropout = 0;
  DType type = DType::f32, z_type = DType::f32;  // of q, k, v and their gradients; of z and dz
  bool added_gradients = false;
};

struct Results {
  Heads z, dq, dk, dv;
  std::vector<float> lse, lse_rest, dsinks, dbias, ddistances;
  std::vector<float> all() const {
    std::vector<float> joined = lse;
    for (const auto* part :
         {&lse_rest, &z.values, &dq.values, &dk.values, &dv.values, &dsinks, &dbias, &ddistances}) {
      joined.insert(joined.end(), part->begin(), part->end());
    }
    return joined;
  }
};

struct Case {
  AttentionShape shape;
  Options options;
  AttentionArgs args;
  Heads q, k, v, dz, like_z, like_q, like_k, like_v;
  std::vector<float> bias, slopes, sinks, distances;
  std::vector<uint8_t> allowed;
  std::vector<int64_t> firsts, lengths, query_documents, key_documents, query_places, key_places;

  Case(Draw& draw, AttentionShape s, Options o)
      : shape(s),
        options(o),
        q(draw, s.batch, s.queries, s.heads, s.width, o.size),
        k(draw, s.batch, s.keys, s.key_heads, s.width, o.size),
        v(draw, s.batch, s.keys, s.key_heads, s.value_width, 1),
        dz(draw, s.batch, s.queries, s.heads, s.value_width, 1),
        like_z(draw, s.batch, s.queries, s.heads, s.value_width, 1),
        like_q(draw, s.batch, s.queries, s.heads, s.width, 1),
        like_k(draw, s.batch, s.keys, s.key_heads, s.width, 1),
        like_v(draw, s.batch, s.keys, s.key_heads, s.value_width, 1) {
    for (Heads* input : {&q, &k, &v}) input->values = unpacked(packed(input->values, o.type), o.type);
    dz.values = unpacked(packed(dz.values, o.z_type), o.z_type);
    args.shape = s;
    args.scale = 1 / std::sqrt(static_cast<float>(s.width));
    args.softcap = o.softcap;
    args.causal = o.causal;
    args.window = o.window;
    if (o.window_after >= 0) args.window_after = o.window_after;
    args.symmetric_slopes = o.symmetric;
    args.type = o.type;
    args.z_type = o.z_type;
    args.dropout = o.dropout;
    args.seed = draw.bits();
    args.stream = static_cast<uint32_t>(draw.whole(0, 9));
    args.step = static_cast<uint32_t>(draw.whole(0, 9));
    if (o.own_first) args.first_query = draw.whole(-3, s.keys + 3);
    if (o.ragged) {
      for (int64_t b = 0; b < s.batch; ++b) {
        lengths.push_back(draw.whole(0, s.keys));
        firsts.push_back(lengths.back() - s.queries);
      }
    }
    if (o.slopes) slopes = draw.reals(s.heads, 0, 0.5f);
    if (o.sinks) sinks = draw.reals(s.heads, -2, 3);
    if (o.bias) {
      bias = draw.reals(s.heads * s.queries * (s.keys + 1) + 1);
      for (float& value : bias) value = draw.whole(0, 9) == 0 ? -k_inf : value;
    }
    if (o.allowed) {
      allowed.resize(static_cast<size_t>(s.batch * s.queries * (s.keys + 1) + 1));
      for (uint8_t& one : allowed) one = draw.whole(0, 3) > 0;
    }
    if (o.documents) {  // one after another in half of the cases: whole blocks are then hidden
      const auto draw_documents = [&](int64_t rows) {
        std::vector<int64_t> documents;
        for (int64_t i = 0; i < s.batch * rows; ++i) documents.push_back(draw.whole(0, 2));
        return documents;
      };
      query_documents = draw_documents(s.queries), key_documents = draw_documents(s.keys);
      for (int64_t b = 0; b < s.batch && draw.whole(0, 1); ++b) {
        std::sort(query_documents.begin() + b * s.queries, query_documents.begin() + (b + 1) * s.queries);
        std::sort(key_documents.begin() + b * s.keys, key_documents.begin() + (b + 1) * s.keys);
      }
    }
    if (o.distances) {  // a table of what can be seen, and no more
      int64_t low = 0, high = 0;
      for (int64_t b = 0; b < s.batch; ++b) {
        low = std::min(low, position(b, 0) - s.keys + 1);
        high = std::max(high, position(b, s.queries));
      }
      args.least_distance = o.causal ? 0 : low;
      if (o.window > 0) high = std::min(high, o.window - 1);
      args.distances_head = std::max<int64_t>(high - args.least_distance, 0) + 3;
      distances = draw.reals(s.heads * args.distances_head);
    }
    if (o.distances && o.places) {  // in any order, several at one place
      for (int64_t t = 0; t < s.queries; ++t) query_places.push_back(draw.whole(-20, 30));
      for (int64_t key = 0; key < s.keys; ++key) key_places.push_back(draw.whole(-10, 25));
      args.least_distance = -45, args.distances_head = 45 + 40 + 1 + 1;
      distances = draw.reals(s.heads * args.distances_head);
    }
    connect();
  }

  // A copy has its own storage: its pointers must be set anew.
  void connect() {
    const auto pointer = [](const auto& values) { return values.empty() ? nullptr : values.data(); };
    args.q_at = q.at, args.k_at = k.at, args.v_at = v.at, args.z_at = like_z.at;
    args.first_queries = pointer(firsts);
    args.key_lengths = pointer(lengths);
    args.slopes = pointer(slopes);
    args.sinks = pointer(sinks);
    args.distances = pointer(distances);
    args.query_places = shape.queries > 0 && shape.keys > 0 ? pointer(query_places) : nullptr;
    args.key_places = args.query_places ? pointer(key_places) : nullptr;
    args.bias = pointer(bias);
    args.bias_at = {0, shape.keys + 1, shape.queries * (shape.keys + 1)};
    args.allowed = reinterpret_cast<const bool*>(pointer(allowed));
    args.allowed_at = {shape.queries * (shape.keys + 1), shape.keys + 1, 0};
    args.query_documents = shape.queries > 0 && shape.keys > 0 ? pointer(query_documents) : nullptr;
    args.key_documents = args.query_documents ? pointer(key_documents) : nullptr;
  }

  Results run() {
    connect();
    const DType type = options.type, z_type = options.z_type;
    Results r{like_z, like_q, like_k, like_v, {}, {}, {}, {}, {}};
    const auto q_bytes = packed(q.values, type), k_bytes = packed(k.values, type),
               v_bytes = packed(v.values, type), dz_bytes = packed(dz.values, z_type);
    auto z_bytes = packed(r.z.values, z_type), dq_bytes = packed(r.dq.values, type),
         dk_bytes = packed(r.dk.values, type), dv_bytes = packed(r.dv.values, type);
    args.q = q_bytes.data(), args.k = k_bytes.data(), args.v = v_bytes.data();
    r.lse.assign(static_cast<size_t>(shape.batch * shape.heads * shape.queries), 7);
    r.lse_rest = r.lse;
    args.z = z_bytes.data(), args.lse = r.lse.data(), args.lse_rest = r.lse_rest.data();
    const bool by_document = options.by_document && !options.added_gradients && attends_by_document(args);
    if (by_document)
      launch_forward_by_document(args);
    else
      launch(AttentionForward(args));
    AttentionGradients to;
    to.dz_type = z_type, to.type = type;
    to.dz = dz_bytes.data(), to.dz_at = dz.at;
    to.dq = dq_bytes.data(), to.dk = dk_bytes.data(), to.dv = dv_bytes.data();
    to.dq_at = r.dq.at, to.dk_at = r.dk.at, to.dv_at = r.dv.at;
    if (options.added_gradients) {
      if (args.sinks) r.dsinks.assign(sinks.size(), 7);
      if (args.distances) r.ddistances.assign(distances.size(), 7);
      r.dbias.assign(static_cast<size_t>(shape.batch * shape.heads * shape.queries * (shape.keys + 1)), 7);
      to.dsinks = r.dsinks.empty() ? nullptr : r.dsinks.data();
      to.ddistances = r.ddistances.empty() ? nullptr : r.ddistances.data();
      to.distances = args.distances_head - 1;  // a number beyond each head's table is nobody's
      to.dbias = r.dbias.data();
      to.dbias_at = dbias_at();
    }
    if (by_document)
      launch_backward_by_document(args, to);
    else
      launch(AttentionBackward(args, to));
    r.z.values = unpacked(z_bytes, z_type), r.dq.values = unpacked(dq_bytes, type);
    r.dk.values = unpacked(dk_bytes, type), r.dv.values = unpacked(dv_bytes, type);
    return r;
  }

  int64_t group() const { return shape.heads / shape.key_heads; }
  int64_t position(int64_t b, int64_t t) const {
    return t + (firsts.empty() ? args.first_query.value_or(shape.keys - shape.queries)
                               : firsts[static_cast<size_t>(b)]);
  }
  HeadStrides dbias_at() const {
    const int64_t head = shape.queries * (shape.keys + 1);
    return {shape.heads * head, shape.keys + 1, head};
  }
  float bias_at(int64_t h, int64_t t, int64_t s) const {
    return bias.empty() ? 0 : bias[static_cast<size_t>(h * args.bias_at.head + t * args.bias_at.row + s)];
  }
  size_t distance_at(int64_t b, int64_t h, int64_t t, int64_t s) const {
    const int64_t distance = query_places.empty()
                                 ? position(b, t) - s
                                 : query_places[static_cast<size_t>(t)] - key_places[static_cast<size_t>(s)];
    return static_cast<size_t>(h * args.distances_head + distance - args.least_distance);
  }
  // What dropout multiplies a weight with.
  double kept(int64_t b, int64_t h, int64_t t, int64_t s) const {
    if (options.dropout == 0) return 1;
    const int64_t index = ((b * shape.heads + h) * shape.queries + t) * shape.keys + s;
    const double number = uniform(args.seed, args.stream, args.step, static_cast<uint64_t>(index));
    return number >= options.dropout ? 1 / (1 - static_cast<double>(options.dropout)) : 0;
  }
  bool sees(int64_t b, int64_t h, int64_t t, int64_t s) const {
    const int64_t p = position(b, t);
    if (!lengths.empty() && s >= lengths[static_cast<size_t>(b)]) return false;
    if (options.causal && s > p) return false;
    if (options.window > 0 && s <= p - options.window) return false;
    if (options.window_after >= 0 && s > p + options.window_after) return false;
    if (options.allowed && !allowed[static_cast<size_t>((b * shape.queries + t) * (shape.keys + 1) + s)])
      return false;
    if (options.documents && query_documents[static_cast<size_t>(b * shape.queries + t)] !=
                                 key_documents[static_cast<size_t>(b * shape.keys + s)])
      return false;
    return bias_at(h, t, s) != -k_inf;
  }
  bool sees_any(int64_t b, int64_t h, int64_t t) const {
    for (int64_t s = 0; s < shape.keys; ++s)
      if (sees(b, h, t, s)) return true;
    return false;
  }

  void expect_right(const Results& got) const;
};

inline double dot(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

inline double magnitude(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::abs(static_cast<double>(a[i]) * b[i]);
  return sum;
}

// The meaning, in double, and bounds.  A score is off by at most (D + 8) roundings of its terms' size; a
// weight by that factor; the sums over S keys by S roundings more.  The gradient of a score is a difference
// of sums over Dv, and those of q, k, v are sums of such.  Dropout makes all of them 1 / (1 - rate) larger.
// Results of 16 bits are rounded once, at the end; delta is made of the rounded z.  Where bf16 goes through
// products of pairs, weights are rounded to bf16 for their sum with the values.
inline void Case::expect_right(const Results& got) const {
  const double eps = 6e-8;
  const int64_t width = shape.width, value_width = shape.value_width;
  const double boost = 1 / (1 - static_cast<double>(options.dropout)),
               weight_rounding = rounding(options.type == DType::bf16 ? DType::bf16 : DType::f32, 1),
               z_rounding = rounding(options.z_type, 1) + weight_rounding;
  std::vector<double> dk(got.dk.values.size()), dv(got.dv.values.size()), dk_bound = dk, dv_bound = dv;
  std::vector<double> dsinks(sinks.size()), dsinks_bound = dsinks, ddistances(distances.size()),
                                            ddistances_bound = ddistances;
  for (int64_t b = 0; b < shape.batch; ++b) {
    for (int64_t h = 0; h < shape.heads; ++h) {
      const int64_t g = h / group();
      for (int64_t t = 0; t < shape.queries; ++t) {
        std::vector<double> score(static_cast<size_t>(shape.keys), -INFINITY), slope = score;
        double top = -INFINITY, error = 0, biggest_v = 0;
        for (int64_t s = 0; s < shape.keys; ++s) {
          if (!sees(b, h, t, s)) continue;
          double x = args.scale * dot(q.row(b, t, h), k.row(b, s, g), width);
          double off = (static_cast<double>(width) + 8) * eps * args.scale *
                       magnitude(q.row(b, t, h), k.row(b, s, g), width);
          const double y = options.softcap > 0 ? std::tanh(x / options.softcap) : 0;
          slope[static_cast<size_t>(s)] = options.softcap > 0 ? 1 - y * y : 1;
          if (options.softcap > 0) x = options.softcap * y, off += 8 * eps * std::abs(x);
          const double distance = static_cast<double>(position(b, t) - s);
          if (!slopes.empty())
            x -= slopes[static_cast<size_t>(h)] * (options.symmetric ? std::abs(distance) : distance),
                off += eps * std::abs(distance);
          if (!distances.empty()) x += distances[distance_at(b, h, t, s)];
          x += bias_at(h, t, s);
          score[static_cast<size_t>(s)] = x;
          top = std::max(top, x);
          error = std::max(error, off + 4 * eps * std::abs(x));
          for (int64_t d = 0; d < value_width; ++d) {
            biggest_v = std::max<double>(biggest_v, std::abs(v.row(b, s, g)[d]));
          }
        }
        double total = 0;
        const bool seen = top != -INFINITY;
        if (!sinks.empty()) top = std::max<double>(top, sinks[static_cast<size_t>(h)]);
        for (double x : score) total += seen ? std::exp(x - top) : 0;
        const double sink = sinks.empty() ? 0 : std::exp(sinks[static_cast<size_t>(h)] - top);
        total += sink;
        const float lse = got.lse[static_cast<size_t>((b * shape.heads + h) * shape.queries + t)];
        const double spread =
            4 * error + (static_cast<double>(shape.keys) + 16) * eps;  // of a weight, relative
        if (total == 0) {
          ASSERT_EQ(lse, -INFINITY) << "row " << t;
        } else {
          ASSERT_NEAR(lse, top + std::log(total), spread + 1e-6 * std::abs(top)) << "row " << t;
        }
        double delta = 0;
        std::vector<double> z(static_cast<size_t>(value_width)), dq(static_cast<size_t>(width)),
            dq_bound = dq;
        for (int64_t s = 0; s < shape.keys; ++s) {
          const double weight = total == 0 ? 0 : std::exp(score[static_cast<size_t>(s)] - top) / total;
          const double left = weight == 0 ? 0 : weight * kept(b, h, t, s);
          for (int64_t d = 0; d < value_width; ++d) z[static_cast<size_t>(d)] += left * v.row(b, s, g)[d];
        }
        for (int64_t d = 0; d < value_width; ++d) {
          const double want = z[static_cast<size_t>(d)];
          ASSERT_NEAR(got.z.row(b, t, h)[d], want,
                      (spread + weight_rounding) * biggest_v * boost + rounding(options.z_type, want))
              << "row " << t;
          delta += want * dz.row(b, t, h)[d];
        }
        double sum_dz = 0;
        for (int64_t d = 0; d < value_width; ++d) sum_dz += std::abs(dz.row(b, t, h)[d]);
        const double relative = 8 * spread + 4 * (static_cast<double>(value_width) + 8) * eps + z_rounding;
        const double delta_bound = sum_dz * biggest_v * boost * relative;
        if (!sinks.empty()) {
          dsinks[static_cast<size_t>(h)] -= sink / total * delta;
          dsinks_bound[static_cast<size_t>(h)] += sink / total * delta_bound;
        }
        for (int64_t s = 0; s < shape.keys && total > 0; ++s) {
          if (!sees(b, h, t, s)) continue;
          const double weight = std::exp(score[static_cast<size_t>(s)] - top) / total;
          const double left = weight * kept(b, h, t, s);
          const double dp = kept(b, h, t, s) * dot(dz.row(b, t, h), v.row(b, s, g), value_width);
          const double dx = weight * (dp - delta), ds = dx * slope[static_cast<size_t>(s)];
          const double ds_bound = weight * delta_bound;
          if (options.added_gradients) {
            const HeadStrides at = dbias_at();
            ASSERT_NEAR(got.dbias[static_cast<size_t>(b * at.batch + h * at.head + t * at.row + s)], dx,
                        ds_bound + 1e-12);
          }
          if (!distances.empty()) {
            ddistances[distance_at(b, h, t, s)] += dx;
            ddistances_bound[distance_at(b, h, t, s)] +=
                ds_bound +
                static_cast<double>(shape.batch * shape.queries * (query_places.empty() ? 1 : shape.keys)) *
                    eps * std::abs(dx);
          }
          for (int64_t d = 0; d < value_width; ++d) {
            const size_t at = static_cast<size_t>(got.dv.place(b, s, g) + d);
            dv[at] += left * dz.row(b, t, h)[d];
            dv_bound[at] += 3 * left * spread + static_cast<double>(shape.queries * group()) * eps * left;
          }
          for (int64_t d = 0; d < width; ++d) {
            const size_t at = static_cast<size_t>(got.dk.place(b, s, g) + d);
            const double from_q = args.scale * q.row(b, t, h)[d], from_k = args.scale * k.row(b, s, g)[d];
            dk[at] += ds * from_q;
            dk_bound[at] += std::abs(from_q) * (ds_bound + static_cast<double>(shape.queries * group()) * 2 *
                                                               eps * std::abs(ds));
            dq[static_cast<size_t>(d)] += ds * from_k;
            dq_bound[static_cast<size_t>(d)] +=
                std::abs(from_k) * (ds_bound + static_cast<double>(shape.keys) * 2 * eps * std::abs(ds));
          }
        }
        for (int64_t d = 0; d < width; ++d) {
          ASSERT_NEAR(
              got.dq.row(b, t, h)[d], dq[static_cast<size_t>(d)],
              dq_bound[static_cast<size_t>(d)] + rounding(options.type, dq[static_cast<size_t>(d)]) + 1e-12)
              << "dq row " << t;
        }
      }
    }
    for (int64_t g = 0; g < shape.key_heads; ++g) {
      for (int64_t s = 0; s < shape.keys; ++s) {
        for (int64_t d = 0; d < width; ++d) {
          const size_t at = static_cast<size_t>(got.dk.place(b, s, g) + d);
          ASSERT_NEAR(got.dk.values[at], dk[at], dk_bound[at] + rounding(options.type, dk[at]) + 1e-12)
              << "dk row " << s;
        }
        for (int64_t d = 0; d < value_width; ++d) {
          const size_t at = static_cast<size_t>(got.dv.place(b, s, g) + d);
          ASSERT_NEAR(got.dv.values[at], dv[at], dv_bound[at] + rounding(options.type, dv[at]) + 1e-12)
              << "dv row " << s;
        }
      }
    }
  }
  for (size_t h = 0; h < got.dsinks.size(); ++h)
    ASSERT_NEAR(got.dsinks[h], dsinks[h], dsinks_bound[h] + 1e-12) << "sink " << h;
  for (size_t i = 0; i < got.ddistances.size(); ++i) {
    if (static_cast<int64_t>(i) % args.distances_head == args.distances_head - 1) {
      ASSERT_EQ(got.ddistances[i], 7.f) << "beyond the table of distances";
    } else {
      ASSERT_NEAR(got.ddistances[i], ddistances[i], ddistances_bound[i] + 1e-12) << "distance " << i;
    }
  }
  for (int64_t row = 0; options.added_gradients && row < shape.batch * shape.heads * shape.queries; ++row) {
    const int64_t t = row % shape.queries, h = row / shape.queries % shape.heads;
    const int64_t b = row / shape.queries / shape.heads;
    const float* dx = got.dbias.data() + row * (shape.keys + 1);
    for (int64_t s = 0; s < shape.keys; ++s)
      ASSERT_TRUE(sees(b, h, t, s) || dx[s] == 0) << "hidden cell " << t << " " << s;
    ASSERT_EQ(dx[shape.keys], 7.f) << "beyond a row of dbias";
  }
}

inline Options drawn_options(Draw& draw) {
  Options o;
  o.causal = draw.whole(0, 1);
  o.window = draw.whole(0, 2) == 0 ? draw.whole(1, 40) : 0;
  o.window_after = draw.whole(0, 3) == 0 ? draw.whole(0, 30) : -1;
  o.symmetric = draw.whole(0, 1);
  o.ragged = draw.whole(0, 2) == 0;
  o.own_first = draw.whole(0, 3) == 0;
  o.bias = draw.whole(0, 3) == 0;
  o.slopes = draw.whole(0, 3) == 0;
  o.softcap = draw.whole(0, 3) == 0 ? draw.real(0.5f, 20) : 0;
  o.size = draw.whole(0, 2) == 0 ? 5.f : 1.f;
  o.sinks = draw.whole(0, 3) == 0;
  o.documents = draw.whole(0, 3) == 0;
  o.by_document = draw.whole(0, 1);
  o.allowed = draw.whole(0, 4) == 0;
  o.distances = draw.whole(0, 4) == 0;
  o.dropout = draw.whole(0, 3) == 0 ? draw.real(0.05f, 0.6f) : 0;
  const DType types[] = {DType::f32, DType::f32, DType::bf16, DType::f16};
  o.type = types[draw.whole(0, 3)];
  o.z_type = types[draw.whole(0, 3)];
  o.added_gradients = draw.whole(0, 2) == 0;
  o.places = draw.whole(0, 1);
  return o;
}

}  // namespace limpid::kernels::testing
