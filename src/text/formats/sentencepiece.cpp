// SentencePiece's .model, whose pieces are numbered as they stand in it unless the family numbers otherwise
// (fairseq.cpp).
#include <algorithm>

#include "core/label.h"
#include "text/formats/document.h"
#include "text/formats/fairseq.h"
#include "text/formats/formats.h"
#include "text/formats/sentencepiece_file.h"
#include "text/formats/tokenizer_json.h"

namespace limpid::text {
namespace {

bool is_t5(const SideFiles& beside) {
  return beside.model_type == "t5" || beside.model_type == "mt5" ||
         beside.text("tokenizer_class").find("T5") == 0;
}

bool is_deberta_v2(const SideFiles& beside) {
  return beside.model_type == "deberta-v2" || beside.text("tokenizer_class").starts_with("DebertaV2");
}

// DeBERTa-v2 and -v3: [CLS] and [SEP] around a text, as BERT; [MASK] comes behind the pieces where no file
// gives it another number.
void add_deberta_tokens(Json& document, const SentencePieceFile& file, const SideFiles& beside,
                        SpecialIds& ids) {
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

Json document_of(const SentencePieceFile& file, const SideFiles& beside, SpecialIds& ids) {
  PieceOptions options = options_of(file);
  ids = options.special;
  // The file does not say it.  Llama, Mistral and Gemma, whose models are of this kind, begin with <s>.
  options.add_bos = beside.flag("add_bos_token")
                        .value_or(file.algorithm == SentencePieceAlgorithm::bpe && file.byte_fallback);
  options.add_eos = beside.flag("add_eos_token").value_or(is_t5(beside));
  Json document = sentencepiece_document(file, file.pieces, options);
  if (is_deberta_v2(beside)) add_deberta_tokens(document, file, beside, ids);
  return document;
}

}  // namespace

std::unique_ptr<Tokenizer> read_sentencepiece(std::string_view bytes, const std::string& name,
                                              const SideFiles& beside) {
  const JsonSource source{name};
  try {
    SpecialIds ids;
    const SentencePieceFile file = read_sentencepiece_file(bytes);
    const Json document =
        numbers_otherwise(beside) ? fairseq_document(file, beside, ids) : document_of(file, beside, ids);
    return pipeline_from_json(document, source, ids);
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with(name)) throw;
    source.fail("as a SentencePiece model: ", error.what());
  }
}

}  // namespace limpid::text
