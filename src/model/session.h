// Texts that grow side by side, with their keys and values.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "limpid/model.h"

namespace limpid {

/// Rows of tokens, each a text.  The network that appends (Purpose::extend) reads only what is new.
struct LIMPID_LOCAL SessionState {
  /// `source`: what an encoder-decoder reads, else none; every row writes beside the same one.
  /// `type`: of the keys and values that are kept (GenerateOptions::cache_type).
  SessionState(const Model&, int64_t rows, const std::vector<int64_t>& source, DType type = DType::f32);

  /// Reads `ids` [B,T] behind those read so far; the logits [B,V] after the last.  Throws Error{call} for ids
  /// that the vocabulary does not have and for more tokens than the network has positions.
  Tensor extend(const Tensor& ids);
  /// The same, and where the heads of row 0 look from the last token.
  Tensor extend(const Tensor& ids, int64_t watch, std::vector<HeadLook>* looks);
  /// The rows from `first` on, as many as `ids` has.  Rows may be of different lengths: each has the bits
  /// that it has alone.
  Tensor extend_rows(int64_t first, const Tensor& ids);
  /// Row b becomes what row from[b] was.
  void take_rows(const std::vector<int64_t>& from);
  /// Row `to` becomes a copy of row `from`.
  void copy_row(int64_t from, int64_t to);
  /// Forgets the tokens of a row; of all.
  void clear_row(int64_t row) { lengths_[static_cast<size_t>(row)] = 0; }
  void clear() { lengths_.assign(lengths_.size(), 0); }
  size_t bytes() const;

  /// Tokens of a row read so far.
  int64_t length(int64_t row = 0) const { return lengths_[static_cast<size_t>(row)]; }

 private:
  // Place for the keys, or the values, of a layer.
  struct Kept {
    Tensor rows, scales;  // scales with i8
  };
  Kept place_for(const Shape& rows) const;
  struct Rows {
    int64_t first, count;
  };

  void encode(const std::vector<int64_t>& source);
  void make_room(int64_t tokens);
  Tensor extend(Rows rows, const Tensor& ids, int64_t watch, std::vector<HeadLook>* looks);
  void run_block(Rows rows, const Tensor& ids, Tensor* logits, int64_t watch, std::vector<HeadLook>* looks);

  const Model& model_;
  int64_t rows_;
  std::vector<int64_t> lengths_;
  Graph graph_;
  std::optional<Engine> engine_;
  DType type_;
  // By the input's name; the first rows of a room, as many as a text has tokens, hold something.
  std::map<std::string, Kept> rooms_;
  std::map<std::string, Tensor> source_;  // keys and values of cross-attention, and source_lengths
  int64_t capacity_ = 0, context_ = 0;
};

}  // namespace limpid
