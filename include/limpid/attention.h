// Fused attention: fast, in memory that grows with the number of tokens and not with its square, and with
// everything the T x S matrix holds in sight.
//
//   const fused::Attention a{.q = q, .k = k, .v = v, .causal = true};
//   const fused::Attended out = fused::forward(a, {.top = 3, .entropy = true});
//   const fused::Saved saved{.z = out.z, .lse = out.lse, .lse_rest = out.lse_rest, .dz = dz};
//   const Tensor corner = fused::window(a, saved, {.queries = {0, 8}, .keys = {0, 8}});
//   const fused::Gradients d = fused::gradient(a, saved);
//   const fused::Attended next = fused::decode({.q = q, .keys = {keys}, .values = {values}});
//
// The meaning, for batch b, query head h (whose key head is g = h / (H / G)), query t and key s:
//
//   p              = first_query + t                      the query's position among the keys: by default
//                                                         S - T + t, so that the last query is at the last
//                                                         key
//   raw_scores     = q[t].k[s]
//   scaled_scores  = scale raw_scores
//   capped_scores  = softcap tanh(scaled_scores / softcap), or scaled_scores where there is no cap
//   scores         = capped_scores + bias[t,s] - slope (p - s) + distances[p - s]; -inf where hidden
//   lse[t]         = log of the sum over s of e^scores (+ e^sink), the natural logarithm
//   pattern        = e^((scores - lse) - lse_rest)        a row adds up to 1 (with a sink, to less)
//   z[t]           = sum over s of drop[t,s] pattern[t,s] v[s]
//
// lse is a float, and lse_rest what that rounding lost: at scores of 1e6 one float is off by 0.06, a weight
// by 6%.  Their sum has more than the precision of f32, and rows of all that is rebuilt or observed add up to
// 1 at any magnitude of scores.
//
// A row that sees no key gives z = 0 and lse = -inf (or its sink).  What a row cannot see does not touch it,
// NaN and infinity included; what it sees does, at a weight of 0 too (0 times infinity is NaN).  Only -inf
// hides: a bias of -3.4e38 on a whole row gives the mean of its values.  All sums are f32; bf16 weights are
// rounded to bf16 before they meet values, where the machine multiplies pairs.  A row's bits depend on that
// row and on what it sees, not on the threads, the rest of the batch or what is observed.
//
// Sources: Vaswani et al. 2017 (3.2.1); the softmax kept online, Milakov and Gimelshein 2018; the gradient
// from lse, Dao et al. 2022 (B.4); key heads shared by query heads, Ainslie et al. 2023; ALiBi, Press et al.
// 2022.
//
// Views.  Axes are known by their letters, in any order, with any strides: heads-major memory is [B,H,T,D].
// A view whose axes have no names is taken in the order written here.  A view is read in place where its last
// axis here (D; S of bias and allowed) is contiguous, and copied otherwise.  Fastest: each head's rows
// together, [B,H,T,D] and [B,G,S,D].  Nothing is kept: views, and the vectors behind spans, must live until
// the call returns.
//
// Memory.  What forward_into and decode_into need beside the views (scratch of the kernels, sums of parts) is
// kept by the calling thread for its next call, grows to what the largest has needed, and is released when
// the thread ends: a call of sizes seen before allocates nothing.  Only views that cannot be read or written
// in place are copied into memory that the call allocates and releases, and what is observed comes in
// tensors.
//
// Errors.  Every function throws Error{call}, before it writes anything, for sizes or types that do not fit,
// options out of range, numbers that are missing, and outputs that overlap an input or one another; and
// Error{work} where there is no memory for what is asked.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "limpid/api.h"
#include "limpid/tensor.h"

namespace limpid {
namespace LIMPID_API fused {

/// What goes in, and how.  The same for the pass forward, its gradient and every window.
struct Attention {
  // All of one type: f32, bf16 or f16.  H is a multiple of G; v may be wider or narrower than q and k.  Sums
  // are f32; where the machine multiplies pairs of bf16, weights are rounded to bf16 for their sum with the
  // values.
  ConstView q{}, k{}, v{};  // [B,T,H,D], [B,S,G,D], [B,S,G,D of z]

  std::optional<double> scale{};  // by default 1 / sqrt(D)
  double softcap = 0;             // 0: none

  // Who sees whom.
  bool causal = false;  // keys up to the query's own position
  // Keys from p - window + 1 on: a limit on the past alone, so that without `causal` every key after the
  // query is seen too.  0: none.
  int64_t window = 0;
  // Keys up to p + window_after, after the query's own position (with `causal` none): an encoder's window of
  // 5 keys is {.window = 3, .window_after = 2}.  Nothing: no limit.
  std::optional<int64_t> window_after{};
  // Position of query 0 among the keys, by default S - T: right for queries that go on from keys before them.
  // Of cross attention with a mask, where both begin together, it is 0 (as mask() of limpid/ops.h has it).
  std::optional<int64_t> first_query{};
  std::span<const int64_t> first_queries{};      // [B], in place of first_query; may be negative
  std::span<const int64_t> key_lengths{};        // [B], 0 to S: keys from there on are hidden
  ConstView query_documents{}, key_documents{};  // i64 [B,T], [B,S]: a query sees the keys of its number
  ConstView allowed{};                           // bool [B,H,T,S]: true where a query may see a key (1)

  // What is added to scores.
  ConstView bias{};                 // [B,H,T,S] (1), any type of floats; -inf hides
  std::span<const float> slopes{};  // [H], ALiBi
  // ALiBi for encoders: -slope |p - s|, keys after the query are as far as before.
  bool symmetric_slopes = false;
  // f32 [H,N]: distances[h][p - s - least_distance], for every p - s that some head sees.  What the bounds,
  // documents or allowed cells hide needs none: each call then copies the table into one that holds all.
  ConstView distances{};
  int64_t least_distance = 0;
  std::span<const float> sinks{};  // [H]: a key with no value takes e^sink of every row's total
  // (1) axes may be missing or have size 1, and are then the same for all.  Without names: the last ones, as
  // in NumPy.

  // Dropout of the weights, 0 to below 1: cell n = ((b H + h) T + t) S + s is kept, and divided by 1 -
  // dropout, where the number n of the stream (seed, stream, step) is at least dropout.
  double dropout = 0;
  uint64_t seed = 0;
  uint32_t stream = 0, step = 0;
};

/// What to look at on the way.  Costs little, changes no bit of z and lse.
struct Observe {
  int64_t top = 0;       // the so many largest weights of each row: up to 1024
  bool entropy = false;  // of each row
  bool largest = false;  // the largest weight of each row
  // The pattern pooled: blocks of so many queries by so many keys, both or neither.  Above 256, map_queries
  // must have a divisor between 16 and 256.
  int64_t map_queries = 0, map_keys = 0;
  bool key_mass = false;  // what each single key receives: a second pass over q and k
};

/// What was seen; what was not asked for is empty.  Weights are those before dropout.
struct Observed {
  Tensor top_weights;  // f32 [B,H,T,N=top]: largest first; 0 where a row sees no more keys
  Tensor top_keys;  // i32, the same shape: their keys, the lower first among equals; -1 where there are none
  Tensor entropy;   // f32 [B,H,T]: -sum of w log w in nats, 0 for a row that sees nothing
  Tensor largest;   // f32 [B,H,T]
  Tensor map;       // f32 [B,H,T,S], T and S counted in blocks: the mean weight of a block's cells
  Tensor block_mass;  // f32 [B,H,S], S in blocks of map_keys: the weights a block of keys receives, added up
  Tensor key_mass;    // f32 [B,H,S]: the same of each key
};

struct Attended {
  Tensor z;         // [B,T,H,D of v], of q's type
  Tensor lse;       // f32 [B,H,T]
  Tensor lse_rest;  // the same: the logarithm is lse + lse_rest
  Observed seen;
};

Attended forward(const Attention&, const Observe& = {});
/// Writes z (f32, bf16 or f16), lse and lse_rest (f32 [B,H,T]; a default view: not wanted) where the caller
/// wants them.
Observed forward_into(const Attention&, const View& z, const View& lse, const View& lse_rest,
                      const Observe& = {});
Observed forward_into(const Attention&, const View& z, const View& lse, const Observe& = {});

/// What a pass forward left, and for gradients that of its z.  Each function says what it reads.
struct Saved {
  ConstView z{};         // as Attended's; f32, bf16 or f16
  ConstView lse{};       // as Attended's
  ConstView lse_rest{};  // as Attended's; missing: 0, and weights are off by the rounding of lse
  ConstView dz{};        // [B,T,H,D of v]; f32, bf16 or f16
};

/// Gradients beyond those of q, k and v.
struct Also {
  bool sinks = false, distances = false, bias = false;
};

struct Gradients {
  Tensor dq, dk, dv;  // as q, k and v, axes in the order of Attention, f32
  Tensor dsinks;      // f32 [H]
  Tensor ddistances;  // f32 [H,N]
  Tensor dbias;       // f32 [B,H,T,S], of every cell whatever the bias has in common: memory of T x S
};

/// The gradient of q, k and v, and what else is asked for.  Reads all of Saved.
Gradients gradient(const Attention&, const Saved&, const Also& = {});
/// That of q, k and v into views of their sizes: f32, bf16 or f16.
void gradient_into(const Attention&, const Saved&, const View& dq, const View& dk, const View& dv);

/// [first, end) of an axis; an end of -1 is the axis's end.
struct Range {
  int64_t first = 0, end = -1;
};

enum class Cells { raw_scores, scaled_scores, capped_scores, scores, pattern };

/// A part of a T x S stage, or of its gradient.
struct Window {
  Cells cells = Cells::pattern;
  bool gradient = false;  // pattern.grad = dz.v of every cell; those of scores are 0 where hidden
  Range heads{}, queries{}, keys{};
};

/// The window, f32 [B,H,T,S], rebuilt from q and k.  A cell has the same bits in every window.  Reads lse and
/// lse_rest for the pattern, and for gradients all of Saved.  Scores without a mask or a bias are those of a
/// call without it.
Tensor window(const Attention&, const Saved&, const Window& = {});
void window_into(const Attention&, const Saved&, const Window&, const View& to);

/// What each single key receives, f32 [B,H,S]: the sum over all queries of the pattern.  Reads lse and
/// lse_rest.
Tensor key_mass(const Attention&, const Saved&);

// ---- decoding --------------------------------------------------------------------------------------

/// The keys, or the values, of the tokens before: in one piece, or in pages that lie in any order (Kwon et
/// al. 2023).  What lies beyond a batch row's length is never read.  Axes in any order, with any strides, as
/// everywhere; read in place but for rows whose D and pages whose N is not contiguous, which each call copies
/// whole.
struct Cache {
  // f32, bf16, f16 or i8.  In one piece [B,S,G,D], with room for S keys; in pages [P,S,G,D], P pages of S
  // keys.
  ConstView rows{};
  ConstView scales{};  // with i8, f32 [B,S,G] or [P,S,G]: a number is its integer times its row's and head's
  // i64 [B,N]: key s of batch row b is key s mod S of page pages[b, s / S].  Pages that hold no key below the
  // row's length may have any number.
  ConstView pages{};
};

/// A few queries against a long cache, which is read once for all query heads of a key head.  The meaning is
/// Attention's, of the terms that are here; sums are f32.  A row has the same bits in any layout and in any
/// pages, however many queries, heads and threads there are.
struct Decode {
  ConstView q{};                  // [B,T,H,D]: f32, bf16 or f16
  Cache keys, values{};           // of any types; both with room for as many keys; H is a multiple of G
  std::optional<double> scale{};  // by default 1 / sqrt(D)
  double softcap = 0;

  // As in Attention, but that the queries are by default the last of a batch row's keys: the position of
  // query 0 is key_lengths[b] - T.  With several queries `causal` keeps each from those after it.
  bool causal = false;
  int64_t window = 0;
  std::optional<int64_t> first_query{};
  std::span<const int64_t> first_queries{};  // [B]
  std::span<const int64_t> key_lengths{};    // [B]: by default all that the cache has room for
  std::span<const float> slopes{}, sinks{};  // [H]
};

/// z [B,T,H,D of values] of q's type, lse and lse_rest f32 [B,H,T]; `seen` is empty.
Attended decode(const Decode&);
/// Into the caller's z (f32, bf16 or f16), lse and lse_rest (f32; a default view: not wanted).
void decode_into(const Decode&, const View& z, const View& lse, const View& lse_rest = {});

}  // namespace LIMPID_API fused
}  // namespace limpid
