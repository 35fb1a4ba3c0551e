// SentencePiece's .model: a protocol buffer (google/sentencepiece, src/sentencepiece_model.proto).
#include <algorithm>
#include <limits>

#include "core/label.h"
#include "text/formats/base64.h"
#include "text/formats/document.h"
#include "text/formats/formats.h"
#include "text/formats/protobuf.h"
#include "text/formats/tokenizer_json.h"
#include "text/utf8.h"

namespace limpid::text {
namespace {

enum class Algorithm { unigram = 1, bpe, word, character };

struct ModelFile {
  std::vector<Piece> pieces;
  Algorithm algorithm = Algorithm::unigram;
  bool byte_fallback = false, whitespace_as_suffix = false;
  int64_t unk = 0, bos = 1, eos = 2, pad = -1;
  std::string charsmap;
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;
};

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

void read_trainer(std::string_view bytes, size_t base, ModelFile& file) {
  ProtobufReader reader(bytes, base);
  for (ProtobufReader::Field field; reader.next(field);) {
    switch (field.number) {
      case 3: {
        const int64_t type = field.integer();
        if (type < 1 || type > 4)
          fail_work("model_type is ", type, ", expected 1 (unigram), 2 (bpe), 3 (word) or 4 (char)");
        file.algorithm = static_cast<Algorithm>(type);
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

void read_normalizer_spec(std::string_view bytes, size_t base, ModelFile& file) {
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

ModelFile read_model_file(std::string_view bytes) {
  ModelFile file;
  ProtobufReader reader(bytes);
  for (ProtobufReader::Field field; reader.next(field);) {
    if (field.number == 1) file.pieces.push_back(read_piece(field.text(), field.at));
    if (field.number == 2) read_trainer(field.text(), field.at, file);
    if (field.number == 3) read_normalizer_spec(field.text(), field.at, file);
  }
  if (file.pieces.empty()) fail_work("it has no pieces");
  return file;
}

Json normalizer_json(const ModelFile& file) {
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

std::optional<int64_t> special(const ModelFile& file, int64_t id, PieceType type) {
  if (id < 0 || id >= static_cast<int64_t>(file.pieces.size())) return std::nullopt;
  return file.pieces[static_cast<size_t>(id)].type == type ? std::optional(id) : std::nullopt;
}

bool is_t5(const SideFiles& beside) {
  return beside.model_type == "t5" || beside.model_type == "mt5" ||
         beside.text("tokenizer_class").find("T5") == 0;
}

bool is_deberta_v2(const SideFiles& beside) {
  return beside.model_type == "deberta-v2" || beside.text("tokenizer_class").starts_with("DebertaV2");
}

// DeBERTa-v2 and -v3: [CLS] and [SEP] around a text, as BERT; [MASK] comes behind the pieces where no file
// gives it another number.
void add_deberta_tokens(Json& document, const ModelFile& file, const SideFiles& beside, SpecialIds& ids) {
  const auto id_of = [&](const std::string& name) -> std::optional<int64_t> {
    for (size_t id = 0; id < file.pieces.size(); ++id)
      if (file.pieces[id].text == name) return static_cast<int64_t>(id);
    return std::nullopt;
  };
  const auto of_role = [&](const char* role, const char* name) {
    const std::string given = beside.token(role);
    return id_of(given.empty() ? name : given);
  };
  ids.cls = of_role("cls", "[CLS]");
  ids.sep = of_role("sep", "[SEP]");
  if (!ids.pad) ids.pad = of_role("pad", "[PAD]");
  const std::string given = beside.token("mask"), mask = given.empty() ? "[MASK]" : given;
  Json& added = document["added_tokens"];
  const auto known = [&](const Json& token) {
    return std::any_of(added.begin(), added.end(),
                       [&](const Json& each) { return each["content"] == token["content"]; });
  };
  for (const Json& token : beside.added_tokens(id_of))
    if (!known(token)) added.push_back(token);
  const auto named =
      std::find_if(added.begin(), added.end(), [&](const Json& token) { return token["content"] == mask; });
  if (named != added.end()) {
    ids.mask = (*named)["id"].get<int64_t>();
  } else {
    ids.mask = id_of(mask).value_or(static_cast<int64_t>(file.pieces.size()));
    added.push_back(added_token(mask, *ids.mask, true));
  }
  if (ids.cls && ids.sep) document["post_processor"] = bert_template(*ids.cls, *ids.sep);
}

// These models number the pieces in another order than the file (fairseq's), which nothing in it says.
void refuse_other_numbers(const SideFiles& beside) {
  const std::string kind = beside.text("tokenizer_class") + " " + beside.model_type;
  for (const char* word :
       {"XLMRoberta", "xlm-roberta", "Camembert", "camembert", "MBart", "mbart", "XGLM", "xglm"}) {
    if (kind.find(word) == kind.npos) continue;
    fail_work("a ", word, " model numbers its pieces otherwise than the file; expected its tokenizer.json");
  }
}

Json document_of(const ModelFile& file, const SideFiles& beside, SpecialIds& ids) {
  PieceOptions options;
  ids.unk = special(file, file.unk, PieceType::unknown);
  ids.bos = special(file, file.bos, PieceType::control);
  ids.eos = special(file, file.eos, PieceType::control);
  ids.pad = special(file, file.pad, PieceType::control);
  options.special = ids;
  options.unigram = file.algorithm == Algorithm::unigram;
  options.byte_fallback = file.byte_fallback;
  options.normalizer = normalizer_json(file);
  options.strips_first = file.add_dummy_prefix && !file.whitespace_as_suffix;
  options.strips_last = file.add_dummy_prefix && file.whitespace_as_suffix;
  // The file does not say it.  Llama, Mistral and Gemma, whose models are of this kind, begin with <s>.
  options.add_bos =
      beside.flag("add_bos_token").value_or(file.algorithm == Algorithm::bpe && file.byte_fallback);
  options.add_eos = beside.flag("add_eos_token").value_or(is_t5(beside));
  double least = std::numeric_limits<double>::infinity();
  for (const Piece& piece : file.pieces) {
    if (piece.type == PieceType::normal) least = std::min(least, piece.score);
  }
  if (options.unigram && least < std::numeric_limits<double>::infinity()) options.least_score = least;
  Json document = pieces_document(file.pieces, options);
  if (file.algorithm == Algorithm::character) {
    for (Json& score : document["model"]["scores"]) score = Json();  // nothing joins
  }
  if (file.algorithm == Algorithm::word) {
    document["pre_tokenizer"] = {{"type", "Metaspace"}, {"prepend_scheme", "never"}};
    document["model"]["type"] = "WordLevel";
  }
  if (is_deberta_v2(beside)) add_deberta_tokens(document, file, beside, ids);
  return document;
}

}  // namespace

std::unique_ptr<Tokenizer> read_sentencepiece(std::string_view bytes, const std::string& name,
                                              const SideFiles& beside) {
  const JsonSource source{name};
  try {
    SpecialIds ids;
    refuse_other_numbers(beside);
    const ModelFile file = read_model_file(bytes);
    const Json document = document_of(file, beside, ids);
    return pipeline_from_json(document, source, ids);
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with(name)) throw;
    source.fail("as a SentencePiece model: ", error.what());
  }
}

}  // namespace limpid::text
