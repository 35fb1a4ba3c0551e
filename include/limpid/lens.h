// What a decoder would say if it stopped early, and which parts of it a logit comes from.
//
//   const Lens seen = lens(model, model.encode("Life is short"));
//   seen.layers[2].likeliest;     // the likeliest next token after two layers
//   seen.parts.front();           // the part that adds most to the chosen token's logit
//
// The logit lens (nostalgebraist 2020): the residual stream after each layer goes through the network's own
// final norm and last matrix.  Direct attribution (Elhage 2021, "A Mathematical Framework for Transformer
// Circuits"): with the scale of every norm held at what it was in this run, the logit is a sum over what each
// part added to the residual stream.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "limpid/api.h"
#include "limpid/model.h"

namespace LIMPID_API limpid {

struct LensOptions {
  std::optional<int64_t>
      position;                   // of the token after which the next is asked for; below zero: from the end
  std::optional<int64_t> target;  // the token that is followed; none: the one the model finds likeliest
  /// Of the run.  Where one changes a sum of parts, they add up to the logit no longer: Lens::sum shows it.
  std::vector<Edit> edits = {};
};

/// The residual stream at one place of the stack, through the final norm and the last matrix.
struct LensLayer {
  std::string name;  // of the value: "blocks.0.resid_pre", ..., "blocks.3.resid_post"
  int64_t likeliest = 0;
  std::string likeliest_label;
  double likeliest_probability = 0;
  double logit = 0, probability = 0;  // of the target
  int64_t rank = 0;                   // of the target: 0 is the likeliest
};

/// What one part adds to the target's logit.
struct LensPart {
  std::string name;  // "embed", "blocks.0.attn.z[H=2]", "blocks.0.mlp_out", "ln_final.b"
  double logit = 0;
};

struct Lens {
  std::vector<std::string> tokens;  // labels of what was read
  int64_t position = 0, target = 0;
  std::string target_label;
  std::vector<LensLayer> layers;  // from the embedding to the whole network
  std::vector<LensPart> parts;    // largest magnitude first; they add up to `logit`
  double logit = 0;               // of the target, before the soft cap that some networks have
  double sum = 0;                 // of the parts: the logit within rounding
  double softcap = 0;             // of the logits; 0: none
  double probability = 0;
};

/// Throws Error{call} for a network that is no decoder with norms before (or around) its layers, naming what
/// it has; for a position or a target that is not there.
Lens lens(const Model&, const std::vector<int64_t>& tokens, const LensOptions& = {});

/// Layers, then the `options.most_rows` largest parts and what the rest adds up to.
std::string page(const Lens&, const PageOptions&);
std::string to_json(const Lens&);

// ---- where an attention score comes from ---------------------------------------------------------
// The scaled score of a query and a key is a product of two vectors.  Each is a sum over what was added to
// the residual stream below the layer (embedding, heads, feed-forward layers), with the scale of every norm
// held at what it was in this run, and so the score is a sum over pairs of them.

struct ScoreSourcesOptions {
  int64_t layer = 0, head = 0;
  int64_t query = -1, key = 0;  // positions; below zero: from the end
  std::vector<Edit> edits = {};
};

struct ScoreSources {
  std::string attention;  // "blocks.1.attn"
  int64_t layer = 0, head = 0, query = 0, key = 0;
  /// "embed", "pos_embed", "blocks.0.attn.z[H=2]", "blocks.0.mlp_out", ...; "constant" is what norms and
  /// projections add by themselves.
  std::vector<std::string> sources;
  /// [sources of the query, sources of the key], row by row: what each pair adds to the scaled score.
  std::vector<double> pairs;
  double sum = 0;     // of the pairs
  double scaled = 0;  // the run's scaled score: `sum` within rounding
  double score = 0;   // with the soft cap and the bias, -inf where the mask hides the key
};

/// Throws Error{call} for a network that lens() does not take, and for a layer, a head or a position that is
/// not there.
ScoreSources score_sources(const Model&, const std::vector<int64_t>& tokens, const ScoreSourcesOptions&);

}  // namespace LIMPID_API limpid
