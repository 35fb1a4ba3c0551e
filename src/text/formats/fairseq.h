// Families that number SentencePiece's pieces in another order than the file: fairseq's (XLM-R, CamemBERT,
// XGLM, mBART, mBART-50, NLLB), Pegasus's, and those whose vocab.json has the numbers (numbered_pieces.cpp).
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "text/formats/formats.h"
#include "text/formats/sentencepiece_file.h"

namespace limpid::text {

/// The class of the tokenizer, or of the model where no file names one that says anything ("xlm-roberta").
std::string tokenizer_kind(const SideFiles& beside);

/// Whether the folder's family numbers otherwise.
bool numbers_otherwise(const SideFiles& beside);
/// Throws Error{work} for a family whose numbers are not known here, and a file that is not as its family's.
Json fairseq_document(const SentencePieceFile& file, const SideFiles& beside, SpecialIds& ids);

enum class LanguageList { mbart, mbart_50, nllb, m2m_100, wmt21 };
/// "en_XX", "eng_Latn", "en", in the order of their numbers.
std::vector<std::string> language_codes(LanguageList list);

using IdOfPiece = std::function<std::optional<int64_t>(const std::string&)>;
/// Adds special tokens: those that the files beside give a number, then `names` by theirs, but for a name
/// whose number is taken by now.  `id_of` knows the vocabulary.
void add_special_tokens(Json& document, const std::vector<std::pair<std::string, int64_t>>& names,
                        const SideFiles& beside, const IdOfPiece& id_of);
/// The number of an added token of the document, or of the vocabulary.
std::optional<int64_t> id_in(const Json& document, const std::string& name, const IdOfPiece& id_of);
/// The special tokens by their roles: as the files beside name them, else by these names ("bos", "<s>").
SpecialIds roles_in(const Json& document, const std::vector<std::pair<std::string, std::string>>& names,
                    const SideFiles& beside, const IdOfPiece& id_of);
/// A template such as "s A e": A and B are the texts, the others tokens by these letters.  Throws Error{work}
/// for a token without a number.
Json template_of(std::string_view single, std::string_view pair,
                 const std::vector<std::pair<char, std::optional<int64_t>>>& tokens);
/// The number of the language that the folder's texts are read in (src_lang), else of `otherwise`.
std::optional<int64_t> source_language(const Json& document, const SideFiles& beside,
                                       const std::string& otherwise,
                                       const std::function<std::string(const std::string&)>& token_of);

}  // namespace limpid::text
