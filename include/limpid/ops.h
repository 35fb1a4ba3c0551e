// The vocabulary: one builder an operation.  Each adds one stage to a graph and returns its main output.
//
// Shapes are written in axis letters (tensor.h).  `in` says where the stage goes and what it is called:
//   Stage pattern = softmax(in / "pattern", scores, Axis::S);
// Every builder throws Error{call} naming the stage when shapes do not fit.  What an operation means is
// in its one file, src/ops/NAME.cpp.  Operations can also be applied by kind: Graph::add.
#pragma once

#include <limits>
#include <optional>
#include <vector>

#include "limpid/api.h"
#include "limpid/graph.h"

namespace LIMPID_API limpid {

/// Every operation of this build.
const Registry& operations();

// ---- words and positions -------------------------------------------------------------------------

/// ids [B,T] (i64), table [V,C] -> [B,T,C].  A token out of range is an Error{call} when the network runs.
Stage embedding(const Scope& in, Stage ids, Stage table);

/// ESM-2's inputs (Lin 2022): rows where the token `mask` stands are 0, and all others grow by (1 -
/// trained_share) / (1 - share), share being how many of the sequence's tokens are masked; where all are, all
/// rows are 0.  x [B,T,C], ids [B,T], lengths [B] i64 or none -> [B,T,C].
Stage token_dropout(const Scope& in, Stage x, Stage ids, int64_t mask, double trained_share,
                    Stage lengths = {});

/// The first T rows of a learned table: x [B,T,C] (for its sizes), table [P,C] -> [B,T,C].
Stage learned_positions(const Scope& in, Stage x, Stage table);

struct SinusoidalOptions {
  double base = 10000;
  bool halves = false;        // sines fill the first half of a row, cosines the second (Marian); else in turn
  bool ends_at_base = false;  // wave i is base^(i / (C/2 - 1)) long (fairseq, M2M-100); else base^(2 i / C)
  int64_t first = 0;          // the position of the first row (M2M-100: 2)
};
/// sin and cos of the position at falling frequencies (Vaswani 2017, 3.5): x [B,T,C] (for its sizes) ->
/// [B,T,C].  `places` [B,T] i64: of each row; none: 0, 1, 2, ...  Throws Error{call} for halves of an odd C.
Stage sinusoidal_positions(const Scope& in, Stage x, const SinusoidalOptions& = {}, Stage places = {});

enum class Pairing { halves, interleaved };  // rotary pairs: (i, i + D/2) or (2i, 2i + 1)

struct RotaryOptions {
  int64_t width = 0;  // how many of the D numbers of a head turn (even)
  double base = 10000;
  Pairing pairing = Pairing::halves;
  // How far pair i turns from one position to the next, in radians, in place of base^(-2 i / width): scaled
  // rotary positions (linear, Llama 3, YaRN) are such a list.  Empty, or width / 2 numbers.
  std::vector<double> frequencies = {};
  double magnitude = 1;  // of cos and sin (YaRN's attention factor)
  // In a text longer than the context the base grows with its length T (bloc97 2023, "dynamic NTK"):
  // base (factor T / context - (factor - 1))^(width / (width - 2)).  0: it does not.
  double dynamic_factor = 0;
  int64_t dynamic_context = 0;
};

/// The scaled frequencies of rotary positions, and YaRN's magnitude.
enum class RotaryScaling { linear, llama3, yarn };
struct RotaryScalingOptions {
  RotaryScaling kind = RotaryScaling::linear;
  double factor = 1;                     // how many times longer than it was trained for
  double low_frequency_factor = 1;       // llama3
  double high_frequency_factor = 4;      // llama3
  double original_context = 8192;        // llama3, yarn: what it was trained for
  double beta_fast = 32, beta_slow = 1;  // yarn: turns within the original context, below and above
  bool truncate = true;                  // yarn: the range of pairs between them is rounded to whole pairs
  std::optional<double> attention_factor = {};  // yarn; none: 0.1 ln(factor) + 1
};
/// Fills `frequencies` and `magnitude` from width and base (linear: kaiokendev 2023; llama3: Llama 3.1's
/// reference; yarn: Peng 2023, eq. 17 to 22).
RotaryOptions scaled(RotaryOptions, const RotaryScalingOptions&);

/// The angles of rotary positions (Su 2021): x [B,T,...] (for T) -> outputs "cos", "sin" [T,E], E = width
/// / 2, times the magnitude.  With `texts` [B,T,E], so that texts may begin at positions of their own
/// (RunContext::first_positions).
Stage rotary_angles(const Scope& in, Stage x, const RotaryOptions&, bool texts = false);

/// Turns each pair of numbers of a head by its position's angle: x [B,T,H,D] (or S, G), cos and sin [P,E]
/// or [B,T,E], optionally positions [B,T] (i64; 0, 1, 2, ... when left out) -> as x.
Stage rotary(const Scope& in, Stage x, Stage cos, Stage sin, const RotaryOptions&, Stage positions = {});

/// Adds -slope(h) * (t + first_query - s) to scores [B,H,T,S] (Press 2021; slopes 2^(-8 (h+1) / H) for H a
/// power of two, the paper's interpolation otherwise).
Stage alibi(const Scope& in, Stage scores, int64_t first_query = 0);
double alibi_slope(int64_t head, int64_t heads);

struct RelativeBiasOptions {
  bool bidirectional = false;
  int64_t max_distance = 128;
  int64_t first_query = 0;
};
/// The bucket, of `buckets`, of a key so far ahead of its query (s - t - first_query).
int64_t relative_bucket(int64_t ahead, int64_t buckets, const RelativeBiasOptions&);
/// Adds table[bucket(s - t), h] to scores (T5, Raffel 2019, 2.1): scores [B,H,T,S], table [N,H] -> [B,H,T,S].
Stage relative_bias(const Scope& in, Stage scores, Stage table, const RelativeBiasOptions&);

/// Adds q[t] . table[clip(s - t, -K, K) + K] to scores (Shaw 2018): scores [B,H,T,S], q [B,T,H,D], table
/// [N,D] with N = 2 K + 1 -> [B,H,T,S].
Stage relative_keys(const Scope& in, Stage scores, Stage q, Stage table, int64_t first_query = 0);

/// The rows of a table that has one for every distance between two tokens, 2 span of them: row span is of a
/// key at its query's own place, the rows after it of keys behind.
struct PositionBuckets {
  int64_t span = 1;  // distances beyond share the first row, or the last
  // 0: a row a distance.  Else distances up to buckets / 2 have one each, and beyond, up to max_distance,
  // share rows that grow with the logarithm (DeBERTa-v2; span is then as many as buckets).
  int64_t buckets = 0;
  int64_t max_distance = 1;
};
/// The row of a key so far behind its query (t - s).
int64_t position_row(int64_t behind, const PositionBuckets&);
/// How many rows a text of so many tokens can ask for (symbolic for a symbolic one): those from that of
/// 1 - tokens to that of tokens - 1.
int64_t position_row_count(int64_t tokens, const PositionBuckets&);
/// The place among these of each distance t - s = 1 - tokens, ..., tokens - 1.
std::vector<int64_t> position_places(int64_t tokens, const PositionBuckets&);
/// As an operation's options, and back; throws Error{call} naming an impossible one.
Options options_of(const PositionBuckets&);
PositionBuckets position_buckets(const Options&);
/// The rows that a text as long as x [B,T,...] can ask for: table [2 span,C] -> [N,C].
Stage position_rows(const Scope& in, Stage x, Stage table, const PositionBuckets&);

struct PositionScoresOptions {
  PositionBuckets buckets = {};
  bool keys = false;  // x are keys, which queries of distances ask; else queries, which ask keys of distances
  double scale = 1;
};
/// Scores of every token by how far away the other one stands (DeBERTa, He 2020): x [B,T,H,D], rows [N,H,D]
/// of this length -> [B,H,T,S], T = S: scale x[t] . rows[t - s], of keys scale x[s] . rows[t - s].
Stage position_scores(const Scope& in, Stage x, Stage rows, const PositionScoresOptions&);

/// Adds a learned number for how far apart two patches of an image lie: scores [B,H,T,S] of a class token and
/// `lines` lines of `columns` patches, table [N,H] -> [B,H,T,S] (BEiT, Bao 2021).  Row (down + lines - 1) *
/// (2 columns - 1) + right + columns - 1 of the table is of a query so far below and right of its key; the
/// last three of the class token asking a patch, of a patch asking it, and of it asking itself.
Stage patch_bias(const Scope& in, Stage scores, Stage table, int64_t lines, int64_t columns);
int64_t patch_bias_rows(int64_t lines, int64_t columns);
int64_t patch_bias_row(int64_t t, int64_t s, int64_t lines, int64_t columns);

/// pixels [B,channels,height,width] -> [B,T,C]: squares of size by size, from the top left line by line; the
/// numbers of one, channel by channel.  Height and width are multiples of the size.
Stage patches(const Scope& in, Stage pixels, int64_t size);

/// x [B,X,K], moments and channels -> [B K,T,size]: each channel by itself in patches of `size` moments that
/// lie `apart` from one another, one every `stride` moments, the last of which ends with the series.
Stage series_patches(const Scope& in, Stage x, int64_t size, int64_t stride, int64_t apart = 1);
struct StandardizeOptions {
  enum class By { deviation, magnitude, nothing, mean } by = By::deviation;  // mean: the spread is left
  double least = 1e-5;  // added to the variance; of a magnitude the least
};
struct Standardized {
  Stage y, loc, scale;  // [B,X,K], [B,K], [B,K]
};
/// Each channel of x [B,X,K] less its mean, over its spread; `observed` [B,X,K] i64: values of 0 count for
/// neither.
Standardized standardize(const Scope& in, Stage x, Stage observed, const StandardizeOptions&);
/// x [B,T,N] -> [B,T N]: rows by turns, y[n T + t] = x[t,n].
Stage interleave(const Scope& in, Stage x);
/// x [B K,O] at the size of its channel: x scale + loc -> [B,O,K].
Stage forecast(const Scope& in, Stage x, Stage loc, Stage scale);

/// room [B,S,G,D], rows [B,T,G,D] -> the room, in which the rows have been written at the positions
/// RunContext::first_position + t.  The room is state: its memory outlives the run, and is written to.
Stage append(const Scope& in, Stage room, Stage rows);

/// x [B,T,C], rows [N,C] -> [B,N+T,C]: the rows, then x.
Stage prepend(const Scope& in, Stage x, Stage rows);

/// rows [N,C] for each of the sequences of x [B,T,...] -> [B,N,C].
Stage learned_rows(const Scope& in, Stage x, Stage rows);

// ---- products ------------------------------------------------------------------------------------

struct LinearOptions {
  int in_axes = 1;          // how many axes of w are summed over (their product is x's last size)
  bool transposed = false;  // w is [out..., in...] instead of [in..., out...]
  bool keys = false;        // the output's T is called S: these rows are keys or values
};
/// y = x w + b: x [..., K], w [in..., out...], b [out...] or none -> [..., out...].
Stage linear(const Scope& in, Stage x, Stage w, Stage b = {}, const LinearOptions& = {});

/// q [B,T,H,D], k [B,S,G,D] -> [B,H,T,S]: q . k for every query and key; query head h reads key head h /
/// (H/G).
Stage raw_scores(const Scope& in, Stage q, Stage k);

/// pattern [B,H,T,S], v [B,S,G,D] -> [B,T,H,D].  A weight of exactly zero reads nothing (a NaN there stays
/// there).
Stage weighted_sum(const Scope& in, Stage pattern, Stage v);

// ---- scores --------------------------------------------------------------------------------------

Stage scale(const Scope& in, Stage x, double factor);

/// min(max(x, -limit), limit)
Stage clip(const Scope& in, Stage x, double limit);

/// cap * tanh(x / cap)
Stage softcap(const Scope& in, Stage x, double cap);

enum class Mask { none, causal };
struct MaskOptions {
  Mask kind = Mask::causal;
  /// Position of query 0 among the keys: a causal mask lets query t see keys s <= t + first_query.  0, not S
  /// - T, where there are fewer queries than keys.
  int64_t first_query = 0;
  /// Sliding window: keys s > t + first_query - window; 0 is no window.  It limits the past alone: without a
  /// causal mask all later keys are seen.
  int64_t window = 0;
  /// Keys s <= t + first_query + window_after; none: no limit.
  std::optional<int64_t> window_after = {};
};
struct MaskInputs {
  Stage lengths;  // [B] i64: keys from lengths[b] on are padding
  Stage allowed;  // boolean [T,S] or [B,T,S] or [B,H,T,S]: true may attend
  // [B,T], [B,S] i64: a query sees the keys of its number; both, or neither
  Stage documents = {}, key_documents = {};
};
/// Masked scores become -inf: scores [B,H,T,S] -> [B,H,T,S].
Stage mask(const Scope& in, Stage scores, const MaskOptions&, const MaskInputs& = {});

/// Weights along an axis that add up to 1.  A row of only -inf gives zeros.  log_sum_exp adds outputs without
/// the axis: "lse" (-inf for such a row) and "lse_rest", what its rounding lost (e^((x - lse) - lse_rest)).
Stage softmax(const Scope& in, Stage x, Axis axis, bool log_sum_exp = false);
/// The weights of scores [B,H,T,S] beside sinks [H], each one more score of its head's rows that no key has
/// (Xiao 2023; gpt-oss): a row adds up to 1 less what its sink takes.  lse counts the sink.
Stage softmax_beside_sinks(const Scope& in, Stage scores, Stage sinks);
Stage log_softmax(const Scope& in, Stage x, Axis axis);

// ---- heads, residual, norms ----------------------------------------------------------------------

/// [B,T,C] -> [B,T,H,D], H D = C; moves nothing.
Stage split_heads(const Scope& in, Stage x, int64_t heads);
/// [B,T,H,D] -> [B,T,C]; moves nothing.
Stage merge_heads(const Scope& in, Stage z);

/// a + b; b may lack a's leading axes (it is then the same for all of them).
Stage add(const Scope& in, Stage a, Stage b);

/// x * w, w [C] over the last axis (layer scale, Touvron 2021).
Stage gain(const Scope& in, Stage x, Stage w);

/// Over the last axis: (x - mean) / scale * w + b, scale = sqrt(variance + epsilon); w, b [C] or none (Ba
/// 2016). Outputs "normalized" (the main one, after gain and bias) and "scale" [..., no last axis].
Stage layer_norm(const Scope& in, Stage x, Stage w = {}, Stage b = {}, double epsilon = 1e-5);
/// x / scale * w, scale = sqrt(mean of squares + epsilon) (Zhang 2019).  Outputs as layer_norm.
Stage rms_norm(const Scope& in, Stage x, Stage w = {}, double epsilon = 1e-5);
/// (x - mean) / sqrt(variance + epsilon) * w + b, each [C]; mean and variance are running statistics (Ioffe
/// 2015).
Stage batch_norm(const Scope& in, Stage x, Stage w, Stage b, Stage mean, Stage variance,
                 double epsilon = 1e-5);

/// Each row with those beside it, `size` (odd) of them, 0 before the first and from lengths[b] on: number c
/// size + j of y[t] is number c of x[t + j - size / 2].  x [B,T,C], lengths [B] i64 or none -> [B,T,C size].
Stage neighbours(const Scope& in, Stage x, int64_t size, Stage lengths = {});

// ---- feed-forward --------------------------------------------------------------------------------

enum class Gelu { exact, tanh };  // x Phi(x) by erf, or Hendrycks' tanh form
Stage gelu(const Scope& in, Stage x, Gelu form = Gelu::exact);
Stage relu(const Scope& in, Stage x);
Stage silu(const Scope& in, Stage x);
Stage tanh(const Scope& in, Stage x);
/// a * b, element by element: gates (SwiGLU is gate(silu(x W), x V)).
Stage gate(const Scope& in, Stage a, Stage b);

struct ClampedGateOptions {
  double limit = 7;
  double slope = 1.702;  // of the gate's sigmoid
};
/// (clamp(b) + 1) a sigmoid(slope a), of a what is above the limit made the limit, b clamped to both sides
/// (gpt-oss).
Stage clamped_gate(const Scope& in, Stage a, Stage b, const ClampedGateOptions& = {});

// ---- experts (a mixture of them: Shazeer 2017; Fedus 2021) --------------------------------------------

struct RouteOptions {
  int64_t count = 1;  // experts for a token, J
  /// The weights are shares of a softmax over all experts (OLMoE); else of one over the chosen, and add up
  /// to 1.
  bool share_of_all = false;
};
struct Routed {
  Stage weights, chosen;  // [...,M], 0 where not chosen; [...,J] i64, the largest first
};
/// The router's scores [...,M] -> who is chosen, the lower number first among equals, and with what weight.
Routed route(const Scope& in, Stage logits, const RouteOptions&);
/// x [...,C] or [...,J,C], w [M,C,F], b [M,F] or none -> [...,J,F]: each row by the matrices of its chosen
/// experts; no other's are read.  An expert that there is not is an Error{call} when the network runs.
Stage expert_linear(const Scope& in, Stage x, Stage w, Stage chosen, Stage b = {});
/// x [...,J,C] -> [...,C]: by the router's weights.
Stage expert_sum(const Scope& in, Stage x, const Routed&);

/// Zeroes each element with probability `rate` and divides the others by 1 - rate; drawn from the run's seed
/// and step, the stage's name and the element's place.
Stage dropout(const Scope& in, Stage x, double rate);

// ---- heads of the network, losses ----------------------------------------------------------------

/// `rest`: the mean of all rows but the first; first_and_rest: the first, and behind it that mean.
enum class Pool { first, mean, last, rest, first_and_rest };
/// One row a sequence: x [B,T,C], lengths [B] i64 or none -> [B,C], of first_and_rest [B,2C].
Stage pool(const Scope& in, Stage x, Pool, Stage lengths = {});
/// The same of documents that stand one behind another: x [1,T,C], lengths [B] i64, which add up to T at most
/// -> [B,C].
Stage pool_documents(const Scope& in, Stage x, Pool, Stage lengths);
/// weights [B,T,R] (a softmax over T), x [B,T,C] -> [B,R,C]: R weighted sums (Lin 2017, the self-attentive
/// sentence embedding).
Stage attention_pool(const Scope& in, Stage weights, Stage x);

/// x [B,C], y [B,C] of another count, numbers s [] and b [] or none -> z [B,V]: e^s x y^T + b, a row a vector
/// of x, a column one of y (Radford 2021, CLIP; Zhai 2023, SigLIP).
Stage pair_scores(const Scope& in, Stage x, Stage y, Stage s, Stage b = {});

/// Mean over all places of -log softmax(logits)[target]: logits [..., V], targets [...] (i64; a negative one
/// does not count) -> []; output "per_token" [...] (0 where it does not count).  `smoothing`: so much of a
/// target is shared by all classes alike.
Stage cross_entropy(const Scope& in, Stage logits, Stage targets, double smoothing = 0);
/// Mean of (x - target)^2 over all elements -> [].  With `delta` above 0 what is further off than that counts
/// in proportion, 2 delta |x - target| - delta^2 (twice Huber's loss, 1964).
Stage mean_squared_error(const Scope& in, Stage x, Stage target, double delta = 0);

}  // namespace LIMPID_API limpid
