// Pieces that a vocab.json numbers: SentencePiece cuts a text, and each piece's text is looked up there; one
// that is not in it is <unk>.  Marian's (opus-mt: source.spm, and target.spm where what is written has a
// vocabulary of its own) and M2M-100's (sentencepiece.bpe.model).
#include <unordered_map>

#include "core/label.h"
#include "text/formats/fairseq.h"
#include "text/formats/tokenizer_json.h"

namespace limpid::text {
namespace {

// vocab.json, checked: {"piece": number, ...}.
class Numbers {
 public:
  explicit Numbers(const NumberedFiles& files)
      : source_{files.numbers_name}, json_(parse_json(files.numbers, source_)) {
    const JsonValue document(json_, source_);
    document.require_object();
    const int64_t greatest = Vocabulary::greatest_id(json_.size());
    std::unordered_map<int64_t, std::string> pieces;
    document.each_entry([&](const std::string& piece, const JsonValue& value) {
      const int64_t id = value.integer(0, greatest);
      const auto [at, fresh] = pieces.try_emplace(id, piece);
      if (!fresh)
        source_.fail(in_quotes(at->second), " and ", in_quotes(piece), " have the number ", id,
                     ", expected one each");
    });
  }

  const Json& json() const { return json_; }
  const JsonSource& source() const { return source_; }
  int64_t size() const { return static_cast<int64_t>(json_.size()); }
  std::optional<int64_t> id(const std::string& piece) const {
    const auto found = json_.find(piece);
    return found == json_.end() ? std::nullopt : std::optional(found->get<int64_t>());
  }
  int64_t must(const std::string& piece) const {
    const auto found = id(piece);
    if (!found) source_.fail("it has no number for ", in_quotes(piece), ", which its tokenizer needs");
    return *found;
  }

 private:
  JsonSource source_;
  Json json_;
};

std::string role_or(const SideFiles& beside, const char* role, const char* name) {
  const std::string given = beside.token(role);
  return given.empty() ? name : given;
}

// Both families' so far: what is left are the special tokens and the template.
Json numbered_document(const SentencePieceFile& file, const Numbers& numbers, const std::string& unk) {
  Json document = sentencepiece_document(file, file.pieces, options_of(file));
  if (file.algorithm == SentencePieceAlgorithm::word)
    fail_work("it is a model of words, expected unigram or bpe");
  numbers.must(unk);
  document["model"]["numbers"] = numbers.json();
  document["model"]["unknown"] = unk;
  Json added = Json::array();
  for (Json& token : document["added_tokens"]) {
    const auto id = numbers.id(token["content"].get<std::string>());
    if (!id) continue;
    token["id"] = *id;
    added.push_back(std::move(token));
  }
  document["added_tokens"] = std::move(added);
  return document;
}

Json marian_document(const SentencePieceFile& file, const Numbers& numbers, const SideFiles& beside,
                     SpecialIds& ids) {
  const IdOfPiece id_of = [&](const std::string& piece) { return numbers.id(piece); };
  const std::string unk = role_or(beside, "unk", "<unk>"), eos = role_or(beside, "eos", "</s>"),
                    pad = role_or(beside, "pad", "<pad>");
  Json document = numbered_document(file, numbers, unk);
  std::vector<std::pair<std::string, int64_t>> names = {{unk, numbers.must(unk)}, {eos, numbers.must(eos)}};
  if (const auto id = numbers.id(pad)) names.emplace_back(pad, *id);
  add_special_tokens(document, names, beside, id_of);
  ids = roles_in(document, {{"unk", unk}, {"eos", eos}, {"pad", pad}}, beside, id_of);
  document["language_code"] = {{"begin", ">>"}, {"end", "<<"}};
  document["post_processor"] = template_of("A e", "A B e", {{'e', ids.eos}});
  return document;
}

Json m2m_100_document(const SentencePieceFile& file, const Numbers& numbers, const SideFiles& beside,
                      SpecialIds& ids) {
  const IdOfPiece id_of = [&](const std::string& piece) { return numbers.id(piece); };
  const std::string unk = role_or(beside, "unk", "<unk>");
  Json document = numbered_document(file, numbers, unk);
  const auto token_of = [](const std::string& code) { return "__" + code + "__"; };
  const std::string list = beside.text("language_codes");
  if (!list.empty() && list != "m2m100" && list != "wmt21")
    fail_work("language_codes of tokenizer_config.json is ", in_quotes(list), ", expected m2m100 or wmt21");
  std::vector<std::pair<std::string, int64_t>> names;
  for (const std::string& code :
       language_codes(list == "wmt21" ? LanguageList::wmt21 : LanguageList::m2m_100))
    names.emplace_back(token_of(code), numbers.size() + static_cast<int64_t>(names.size()));
  for (const char* name : {"<s>", "<pad>", "</s>", "<unk>"})
    if (const auto id = numbers.id(name)) names.emplace_back(name, *id);
  add_special_tokens(document, names, beside, id_of);
  ids = roles_in(document, {{"bos", "<s>"}, {"eos", "</s>"}, {"unk", unk}, {"sep", "</s>"}, {"pad", "<pad>"}},
                 beside, id_of);
  document["post_processor"] = template_of(
      "l A e", "l A B e", {{'l', source_language(document, beside, "en", token_of)}, {'e', ids.eos}});
  return document;
}

using DocumentOf = Json (*)(const SentencePieceFile&, const Numbers&, const SideFiles&, SpecialIds&);

std::unique_ptr<Tokenizer> read_numbered(const NumberedFiles& files, const SideFiles& beside,
                                         DocumentOf document_of) {
  const Numbers numbers(files);
  const JsonSource source{files.pieces_name};
  try {
    SpecialIds ids;
    const Json document = document_of(read_sentencepiece_file(files.pieces), numbers, beside, ids);
    return pipeline_from_json(document, source, ids);
  } catch (const Error& error) {
    const std::string_view said = error.what();
    if (said.starts_with(source.name) || said.starts_with(numbers.source().name)) throw;
    source.fail("as a SentencePiece model: ", said);
  }
}

}  // namespace

bool is_m2m_100(const SideFiles& beside) {
  const std::string kind = tokenizer_kind(beside);
  return kind.starts_with("M2M100") || kind == "m2m_100";
}

std::unique_ptr<Tokenizer> read_m2m_100(const NumberedFiles& files, const SideFiles& beside) {
  return read_numbered(files, beside, m2m_100_document);
}

std::unique_ptr<Tokenizer> read_marian(const NumberedFiles& files, const SideFiles& beside) {
  return read_numbered(files, beside, marian_document);
}

}  // namespace limpid::text
