// What SentencePiece's .model holds: a protocol buffer (google/sentencepiece, src/sentencepiece_model.proto).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/formats/document.h"

namespace limpid::text {

enum class SentencePieceAlgorithm { unigram = 1, bpe, word, character };

struct SentencePieceFile {
  std::vector<Piece> pieces;
  SentencePieceAlgorithm algorithm = SentencePieceAlgorithm::unigram;
  bool byte_fallback = false, whitespace_as_suffix = false;
  /// Places among the pieces; -1: it has none.
  int64_t unk = 0, bos = 1, eos = 2, pad = -1;
  std::string charsmap;
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;
};

/// Throws Error{work} naming the byte, the piece or the number that is wrong.
SentencePieceFile read_sentencepiece_file(std::string_view bytes);

/// How a text becomes pieces and pieces a text, and the special tokens by their places in the file.
PieceOptions options_of(const SentencePieceFile& file);

/// The document of a tokenizer over these pieces, which are the file's or the file's in another order.
Json sentencepiece_document(const SentencePieceFile& file, const std::vector<Piece>& pieces,
                            const PieceOptions& options);

}  // namespace limpid::text
