// SentencePiece's .model as a tokenizer.json document.
#include "text/formats/sentencepiece_file.h"

#include <algorithm>
#include <limits>

#include "core/label.h"
#include "text/formats/base64.h"
#include "text/formats/protobuf.h"
#include "text/utf8.h"

namespace limpid::text {
namespace {

Piece read_piece(std::string_view bytes, size_t base) {
  Piece piece;
  ProtobufReader reader(bytes, base);
  for (ProtobufReader::Field field; reader.next(field);) {
    if (field.number == 1) piece.text = field.text();
    if (field.number == 2) piece.score = field.real();
    if (field.number == 3) {
      const int64_t type = field.integer();
      if (type < 1 || type > 6)
        fail_work("piece ", in_quotes(piece.text), " has type ", type, ", expected 1 to 6");
      piece.type = static_cast<PieceType>(type);
    }
  }
  return piece;
}

void read_trainer(std::string_view bytes, size_t base, SentencePieceFile& file) {
  ProtobufReader reader(bytes, base);
  for (ProtobufReader::Field field; reader.next(field);) {
    switch (field.number) {
      case 3: {
        const int64_t type = field.integer();
        if (type < 1 || type > 4)
          fail_work("model_type is ", type, ", expected 1 (unigram), 2 (bpe), 3 (word) or 4 (char)");
        file.algorithm = static_cast<SentencePieceAlgorithm>(type);
        break;
      }
      case 24:
        file.whitespace_as_suffix = field.boolean();
        break;
      case 35:
        file.byte_fallback = field.boolean();
        break;
      case 40:
        file.unk = static_cast<int32_t>(field.integer());
        break;
      case 41:
        file.bos = static_cast<int32_t>(field.integer());
        break;
      case 42:
        file.eos = static_cast<int32_t>(field.integer());
        break;
      case 43:
        file.pad = static_cast<int32_t>(field.integer());
        break;
      default:
        break;
    }
  }
}

void read_normalizer_spec(std::string_view bytes, size_t base, SentencePieceFile& file) {
  ProtobufReader reader(bytes, base);
  for (ProtobufReader::Field field; reader.next(field);) {
    switch (field.number) {
      case 2:
        file.charsmap = field.text();
        break;
      case 3:
        file.add_dummy_prefix = field.boolean();
        break;
      case 4:
        file.remove_extra_whitespaces = field.boolean();
        break;
      case 5:
        file.escape_whitespaces = field.boolean();
        break;
      default:
        break;
    }
  }
}

}  // namespace

SentencePieceFile read_sentencepiece_file(std::string_view bytes) {
  SentencePieceFile file;
  ProtobufReader reader(bytes);
  for (ProtobufReader::Field field; reader.next(field);) {
    if (field.number == 1) file.pieces.push_back(read_piece(field.text(), field.at));
    if (field.number == 2) read_trainer(field.text(), field.at, file);
    if (field.number == 3) read_normalizer_spec(field.text(), field.at, file);
  }
  if (file.pieces.empty()) fail_work("it has no pieces");
  return file;
}

namespace {

Json normalizer_json(const SentencePieceFile& file) {
  Json out = sentencepiece_normalizer_json(file.add_dummy_prefix, file.remove_extra_whitespaces);
  out["escape_whitespaces"] = file.escape_whitespaces;
  if (file.whitespace_as_suffix) out["whitespace_as_suffix"] = true;
  if (!file.charsmap.empty()) out["precompiled_charsmap"] = to_base64(file.charsmap);
  Json verbatim = Json::array();
  for (const Piece& piece : file.pieces) {
    if (piece.type == PieceType::user_defined && is_valid_utf8(piece.text)) verbatim.push_back(piece.text);
  }
  if (!verbatim.empty()) out["user_defined"] = std::move(verbatim);
  return out;
}

std::optional<int64_t> special(const SentencePieceFile& file, int64_t id, PieceType type) {
  if (id < 0 || id >= static_cast<int64_t>(file.pieces.size())) return std::nullopt;
  return file.pieces[static_cast<size_t>(id)].type == type ? std::optional(id) : std::nullopt;
}

}  // namespace

PieceOptions options_of(const SentencePieceFile& file) {
  PieceOptions options;
  options.special.unk = special(file, file.unk, PieceType::unknown);
  options.special.bos = special(file, file.bos, PieceType::control);
  options.special.eos = special(file, file.eos, PieceType::control);
  options.special.pad = special(file, file.pad, PieceType::control);
  options.unigram = file.algorithm == SentencePieceAlgorithm::unigram;
  options.byte_fallback = file.byte_fallback;
  options.normalizer = normalizer_json(file);
  options.strips_first = file.add_dummy_prefix && !file.whitespace_as_suffix;
  options.strips_last = file.add_dummy_prefix && file.whitespace_as_suffix;
  double least = std::numeric_limits<double>::infinity();
  for (const Piece& piece : file.pieces) {
    if (piece.type == PieceType::normal) least = std::min(least, piece.score);
  }
  if (options.unigram && least < std::numeric_limits<double>::infinity()) options.least_score = least;
  return options;
}

Json sentencepiece_document(const SentencePieceFile& file, const std::vector<Piece>& pieces,
                            const PieceOptions& options) {
  Json document = pieces_document(pieces, options);
  if (file.algorithm == SentencePieceAlgorithm::character) {
    for (Json& score : document["model"]["scores"]) score = Json();  // nothing joins
  }
  if (file.algorithm == SentencePieceAlgorithm::word) {
    document["pre_tokenizer"] = {{"type", "Metaspace"}, {"prepend_scheme", "never"}};
    document["model"]["type"] = "WordLevel";
  }
  return document;
}

}  // namespace limpid::text
