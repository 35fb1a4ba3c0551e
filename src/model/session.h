// Texts that grow side by side, with their keys and values.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "limpid/model.h"

namespace limpid {

/// Rows of tokens, all of one length.  The network that appends (Purpose::extend) reads only what is new.
struct LIMPID_LOCAL SessionState {
  /// `source`: what an encoder-decoder reads, else none; every row writes beside the same one.
  SessionState(const Model&, int64_t rows, const std::vector<int64_t>& source);

  /// Reads `ids` [B,T] behind those read so far; the logits [B,V] after the last.  Throws Error{call} for ids
  /// that the vocabulary does not have and for more tokens than the network has positions.
  Tensor extend(const Tensor& ids);
  /// The same, and where the heads of row 0 look from the last token.
  Tensor extend(const Tensor& ids, int64_t watch, std::vector<HeadLook>* looks);
  /// Row b becomes what row from[b] was.
  void take_rows(const std::vector<int64_t>& from);
  size_t bytes() const;

  int64_t length = 0;  // tokens read so far, of every row

 private:
  void encode(const std::vector<int64_t>& source);
  void make_room(int64_t tokens);
  void run_block(const Tensor& ids, Tensor* logits, int64_t watch, std::vector<HeadLook>* looks);

  const Model& model_;
  int64_t rows_;
  Graph graph_;
  std::optional<Engine> engine_;
  // By the input's name; the first `length` rows of a room hold something.
  std::map<std::string, Tensor> rooms_;
  std::map<std::string, Tensor> source_;  // keys and values of cross-attention, and source_lengths
  int64_t capacity_ = 0, context_ = 0;
};

}  // namespace limpid
