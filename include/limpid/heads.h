// What kind of head is it, by measurement: where every head looks in a text of drawn tokens that says
// everything twice.
//
//   HeadReport report = measure_heads(model);
//   for (const HeadScores& head : report.heads) ...     // head.kind, head.score
//
// The text: a block of different tokens, drawn at random (special ones left out), twice; before it other
// tokens, so that each of several rows has a block of another length and all are equally long; round it what
// the tokenizer puts round a text (Olsson et al. 2022, "In-context learning and induction heads", arXiv
// 2209.11895, measure induction on such texts).  All scores are means over the same queries: those whose
// token has stood before.  The weights are the network's own, observed as it runs.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "limpid/api.h"
#include "limpid/model.h"
#include "limpid/trace.h"

namespace LIMPID_API limpid {

enum class HeadKind {
  mixed,       // none of these
  previous,    // looks at the token before
  first,       // looks at the first token
  self,        // looks at the token itself
  duplicate,   // looks at earlier tokens that are the same
  induction,   // looks at what stood behind an earlier token that is the same
  positional,  // looks at certain distances, whatever the tokens are
};
std::string_view name(HeadKind);
/// Throws Error{call} listing the names.
HeadKind head_kind_named(std::string_view name);
/// What such a head does, in a line.
std::string_view explanation(HeadKind);

/// A head is of the kind of `previous` to `induction` whose score is highest, if that is at least this; else
/// positional, if that score is; else mixed.  (A head that looks at the token before is explained by distance
/// too, so `positional` names what has no other name.)
constexpr double k_head_threshold = 0.4;

/// All from 0 to 1.  Nothing: it has no meaning for what the network reads.
struct HeadScores {
  std::string attention;  // its stages' name: "blocks.0.attn", "encoder.blocks.0.attn"
  int64_t layer = 0, head = 0;
  std::optional<double> previous;   // mean weight on the token before; not of images
  std::optional<double> first;      // mean weight on the first token; of images where a learned row is first
  double self = 0;                  // mean weight on the token itself
  std::optional<double> duplicate;  // mean weight on earlier equal tokens, added up; of texts
  std::optional<double> induction;  // mean weight on what stood behind earlier equal tokens; of texts
  /// 1 - (sum of (w - mean of its distance)^2) / (sum of (w - mean of all)^2) over the weights w of all keys
  /// (where no head looks behind the query: of those up to it): 1 where the distance alone says how large a
  /// weight is.  0 where all are alike.  Of images the distance is in lines and in columns.
  double positional = 0;
  double entropy = 0;  // mean of -sum w ln w / ln(these keys): 1 looks everywhere alike
  HeadKind kind = HeadKind::mixed;
  double score = 0;  // of that kind; of `mixed` the highest
};

struct MeasureHeadsOptions {
  int64_t rows = 8;    // texts (images, series)
  int64_t block = 24;  // tokens of the longest block; fewer where the network reads fewer or has fewer
  uint64_t seed = 1;   // of the drawn tokens (pixels, numbers)
  std::function<void(double done, const std::string& next)> progress = {};  // as RunOptions'
};

struct HeadReport {
  std::string read;  // "tokens", "images", "series"
  int64_t rows = 0, block = 0;
  uint64_t seed = 0;
  std::vector<HeadScores> heads;  // of all layers, one after another; of an encoder-decoder the decoder first
};

/// Measures every head of self-attention.  A network of images reads noise, one of series noise too; what
/// stands for texts alone is then not measured.  Throws Error{call} for a network without attention, one that
/// reads fewer than four tokens, vectors, and one of texts and images (give one of its towers).
HeadReport measure_heads(const Model&, const MeasureHeadsOptions& = {});

/// The same scores of weights [B,H,T,S] that the caller has, over texts of which row b has tokens[b] (what is
/// behind them is padding).  Where no token has stood before, `duplicate` and `induction` are left out and
/// the queries are all but the first.  `attention` and `layer` are left as they are.
std::vector<HeadScores> head_scores(const ConstView& pattern,
                                    const std::vector<std::vector<int64_t>>& tokens);

/// A table, a line a layer and a column a head, and what each kind that is there does; options.most_rows and
/// decimals are not looked at.  `all`: a line a head, with every score.
std::string page(const HeadReport&, const PageOptions&, bool all = false);
std::string to_json(const HeadReport&);

}  // namespace LIMPID_API limpid
