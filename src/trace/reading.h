// A trace as a reader asks it: the values of a layer, what a place on an axis is called, shapes in letters
// and words.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "limpid/trace.h"

namespace limpid {

/// A value's numbers by the positions of its axis T (or S): all of them, or the few that were observed as
/// rows.
struct Rows {
  ConstView numbers;  // without the batch
  std::vector<int64_t>
      places;          // the position that each row stands for, rising; empty: every position, in order
  int64_t length = 0;  // positions that the run had

  /// Where the position's row stands, or -1 if it was not kept.
  int64_t find(int64_t position) const;
};

/// Whether the run was of an image, whose places are patches.
inline bool of_image(const Trace& trace) { return trace.token_word == "patch"; }

/// The trace must outlive it.
class Reading {
 public:
  /// Throws Error{call} if the trace has no graph.
  explicit Reading(const Trace&);

  const Trace& trace() const { return trace_; }
  const Graph& graph() const { return *trace_.graph; }

  /// The value's numbers without the batch (the first sentence of it); nothing if it was not kept or holds
  /// none.
  std::optional<ConstView> numbers(int value) const;
  std::optional<ConstView> numbers(const std::string& name) const;
  /// The value by rows, whether it was kept whole or as rows; nothing if neither.
  const std::optional<Rows>& rows(int value) const;

  // ---- layers and heads
  int64_t layers() const { return layers_; }
  /// The layer that a name belongs to, or -1.
  static int layer_of(const std::string& name);
  /// The value of a layer, blocks.LAYER.NAME, or -1.
  int in_layer(int64_t layer, const std::string& name) const;
  /// How many heads look: the H of the layer's queries.
  int64_t heads(int64_t layer) const;
  int64_t key_heads(int64_t layer) const;
  /// Whether the layer's heads have sinks, so that a row of weights adds up to less than 1.
  bool has_sinks(int64_t layer) const;
  /// What softmax makes of a layer's scores: "weights that add up to 1".
  std::string weights_said(int64_t layer) const;
  void require_layer(int layer) const;
  void require_head(int layer, int head) const;

  /// Whether there are probabilities for each position (what comes next) and not once for all (a class).
  bool predicts_each() const;
  /// Of these, whether a position's are of the next token; else they are of the one that stands there, or of
  /// its class.
  bool predicts_next() const;
  /// "After "short" the likeliest next token", "At "short" the likeliest", "The likeliest class"; `quoted`
  /// names the position.
  std::string likeliest(const std::string& quoted, const std::string& thing) const;

  // ---- words
  int64_t length() const { return size(Axis::T).value_or(static_cast<int64_t>(trace_.tokens.size())); }
  /// The size of an axis in this run, as far as the kept values tell.
  std::optional<int64_t> size(Axis axis) const;
  /// What the place is called: a word of the sentence (T, S), of the vocabulary (V), "head 2" (H); "" if it
  /// has no name.  `of` is the axis' size in the value at hand: an image's patches are fewer before the
  /// network's own rows stand in front of them.
  std::string label(Axis axis, int64_t place, int64_t of = 0) const;
  /// The same on an axis of that value, whose positions may be those of an encoder-decoder's source.
  std::string label_in(const std::string& value, Axis axis, int64_t place, int64_t of = 0) const;
  /// One thing on this axis: "word", "head", "number".
  std::string thing(Axis axis) const;
  /// "Life is short" in quotes, or what stands for it.
  std::string sentence() const;

  /// "[T=3 C=4]"; axes of size 1 that tell nothing (B, H, G) are left out.
  std::string letters(int value) const;
  /// "3 words x 4 numbers"
  std::string in_words(int value) const;

  /// Whether the score at a place was masked: -inf in what the pattern is the softmax of; where that was not
  /// kept, a weight of exactly zero.
  bool masked(int64_t layer, int64_t head, int64_t query, int64_t key) const;

 private:
  Shape shape(int value) const;
  std::optional<Rows> find_rows(int value) const;
  const Trace& trace_;
  int64_t layers_ = 0;
  struct Weights {
    int pattern = -1, scores = -1;  // scores: what the softmax reads
  };
  std::vector<Weights> weights_;  // by layer
  std::map<Axis, int64_t> sizes_;
  mutable std::map<int, std::optional<Rows>> rows_;  // found once: a page asks for every cell
};

}  // namespace limpid
