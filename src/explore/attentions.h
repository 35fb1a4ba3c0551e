// The attentions of a network, and the cells of their T x S stages, of which no matrix is formed.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "explore/request.h"
#include "limpid/engine.h"

namespace limpid::explore {

class Run;

struct Attention {
  std::string name;  // "blocks.0.attn"
  int pattern = -1;  // the value
  int group = -1;
  int64_t heads = 0;
};
std::vector<Attention> attentions_of(const Graph&);
/// Of a run those whose weights it has: of a stored one, that it holds whole or (`depth`: map, entropy) as
/// that. Throws Error{call} where it has none.
std::vector<Attention> attentions_of(Run&, Depth);
/// By its own name, or that of any stage in it.  Throws Error{call} listing them.
Attention attention_named(const Graph&, std::string_view name);
/// What a long text keeps: of every attention what its cells are rebuilt from, entropy, and a map; of all
/// values that have a row a position the last.
std::vector<Observation> kept_reads(const Graph&, int64_t map);

/// Whether cells of that stage ("scores") are rebuilt from queries, keys and the logarithms of sums: the
/// attention runs fused, and no edit changes its scores or weights.
bool rebuilds(const Run&, const Attention&, std::string_view stage);

/// The most cells that one tile visits: 60 to 70 ms of two cores.
inline constexpr int64_t k_most_cells = int64_t{1} << 24;
/// The most numbers of a stage that is kept whole, because it is not rebuilt.
inline constexpr int64_t k_most_kept_cells = int64_t{1} << 25;

/// Cells of one T x S stage of a run, which outlives it and is not read meanwhile.
class SquareCells {
 public:
  /// `stage`: "pattern", "scores", ...  Reads what it needs of the run; throws Error{call} for a stage that
  /// the attention does not have, and where it runs stage by stage over too long a text.
  SquareCells(Run&, const Attention&, const std::string& stage);

  /// Of the value, in the run.
  const Shape& shape() const { return shape_; }
  /// The value as the run holds it, in its own type; empty: cells are rebuilt.
  const ConstView& whole() const { return numbers_; }
  /// f32 [H,T,S] of the spans, of one row of the batch (a series has a row a column).  May be called from
  /// several threads.
  Tensor window(Span heads, Span queries, Span keys, int64_t batch = 0) const;

 private:
  void read_whole(Run&, const std::string& name);

  const GroupInfo* group_ = nullptr;  // null: the numbers are there
  std::string stage_;
  Shape shape_;
  std::deque<Tensor> parameters_;
  std::vector<ConstView> in_;
  std::vector<View> out_;
  ConstView numbers_;
};

}  // namespace limpid::explore
