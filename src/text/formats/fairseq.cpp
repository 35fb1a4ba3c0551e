// Pieces in the order of fairseq's dictionaries: a head of special tokens, then the file's pieces without its
// own, then languages and the mask.
#include "text/formats/fairseq.h"

#include <algorithm>
#include <unordered_map>

#include "core/label.h"

namespace limpid::text {
namespace {

using Names = std::vector<std::string>;

struct Order {
  Names head = {"<s>", "<pad>", "</s>", "<unk>"};
  size_t first = 3;  // of the file's pieces those from here on follow the head
  Names tail;
  const char *single = "A", *pair = "A B";  // template_of's; s <s>, e </s>, l the source language
  const char* language = "";                // where no file names it
  std::vector<std::pair<std::string, std::string>> roles = {
      {"bos", "<s>"},   {"eos", "</s>"}, {"unk", "<unk>"},  {"sep", "</s>"},
      {"pad", "<pad>"}, {"cls", "<s>"},  {"mask", "<mask>"}};
};

Names with_mask(Names names) {
  names.emplace_back("<mask>");
  return names;
}

Order xlm_roberta(const SideFiles&) {
  Order o;
  o.tail = {"<mask>"};
  o.single = "s A e";
  o.pair = "s A e e B e";
  return o;
}

// Of the file only <unk> goes: its own <s> and </s> are those that stand round a text.
Order camembert(const SideFiles&) {
  Order o;
  o.head = {"<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED"};
  o.first = 1;
  o.tail = {"<mask>"};
  o.single = "s A e";
  o.pair = "s A e e B e";
  return o;
}

Order xglm(const SideFiles&) {
  Order o;
  for (int i = 0; i < 7; ++i) o.tail.push_back(join("<madeupword", i, ">"));
  o.single = "e A";
  o.pair = "e A e e B";
  return o;
}

Order mbart_50(const SideFiles&) {
  Order o;
  o.tail = with_mask(language_codes(LanguageList::mbart_50));
  o.single = "l A e";
  o.pair = "l A B e";
  o.language = "en_XX";
  return o;
}

Order mbart(const SideFiles& beside) {
  const auto named = beside.special.find("additional_special_tokens");
  const bool many = named != beside.special.end() && named->is_array() &&
                    std::any_of(named->begin(), named->end(), [](const Json& t) { return t == "sl_SI"; });
  if (many) return mbart_50(beside);  // its class may not be said
  Order o;
  o.tail = with_mask(language_codes(LanguageList::mbart));
  o.single = "A e l";
  o.pair = "A B e l";
  o.language = "en_XX";
  return o;
}

Order nllb(const SideFiles& beside) {
  Order o;
  o.tail = with_mask(language_codes(LanguageList::nllb));
  const bool legacy = beside.flag("legacy_behaviour").value_or(false);
  o.single = legacy ? "A e l" : "l A e";
  o.pair = legacy ? "A B e l" : "l A B e";
  o.language = "eng_Latn";
  return o;
}

Order pegasus(const SideFiles&) {
  Order o;
  o.head = {"<pad>", "</s>", "<mask_1>", "<mask_2>"};
  for (int i = 2; i < 103; ++i) o.head.push_back(join("<unk_", i, ">"));
  o.first = 2;  // its <unk> among them
  o.single = "A e";
  o.pair = "A B e";
  o.roles = {{"eos", "</s>"}, {"unk", "<unk>"}, {"pad", "<pad>"}, {"mask", "<mask_2>"}};
  return o;
}

struct Kind {
  const char *word, *type;  // how the tokenizer's class begins; config.json's model_type ("": none)
  Order (*order)(const SideFiles&);
};
constexpr Kind k_kinds[] = {{"XLMRoberta", "xlm-roberta", xlm_roberta},
                            {"XLMRoberta", "xlm-roberta-xl", xlm_roberta},
                            {"Camembert", "camembert", camembert},
                            {"XGLM", "xglm", xglm},
                            {"MBart50", "", mbart_50},
                            {"MBart", "mbart", mbart},
                            {"Nllb", "m2m_100", nllb},
                            {"Pegasus", "pegasus", pegasus}};

// fairseq's as well, but in orders that are not written down here.
constexpr std::pair<const char*, const char*> k_unknown[] = {
    {"PLBart", "plbart"}, {"Barthez", ""},       {"SeamlessM4T", "seamless_m4t"},
    {"LayoutXLM", ""},    {"XLMProphetNet", ""}, {"Speech2Text", ""},
    {"M2M100", ""}};

const Kind* kind_of(const std::string& kind) {
  for (const Kind& each : k_kinds)
    if (kind.starts_with(each.word) || (!kind.empty() && kind == each.type)) return &each;
  return nullptr;
}

const char* unknown_kind(const std::string& kind) {
  for (const auto& [word, type] : k_unknown)
    if (kind.starts_with(word) || (*type != '\0' && kind == type)) return word;
  return nullptr;
}

void check_first(const SentencePieceFile& file, const Order& order, const std::string& kind) {
  if (file.pieces.size() < order.first)
    fail_work("it has ", file.pieces.size(), " pieces, expected at least the ", order.first,
              " special tokens that a model of the kind ", in_quotes(kind), " begins with");
  for (size_t i = 0; i < order.first; ++i)
    if (file.pieces[i].type == PieceType::normal)
      fail_work("piece ", i, " is ", in_quotes(file.pieces[i].text), ", expected one of the ", order.first,
                " special tokens that a model of the kind ", in_quotes(kind), " begins with");
}

std::vector<Piece> in_order(const SentencePieceFile& file, const Order& order) {
  std::vector<Piece> pieces;
  for (const std::string& name : order.head)
    pieces.push_back({name, 0, name == "<unk>" ? PieceType::unknown : PieceType::control});
  pieces.insert(pieces.end(), file.pieces.begin() + static_cast<int64_t>(order.first), file.pieces.end());
  return pieces;
}

// Pegasus's with another number of places before the pieces: 0 is the file's own order.
bool is_pegasus_in_own_order(const SideFiles& beside) {
  const auto offset = beside.config.find("offset");
  return offset != beside.config.end() && offset->is_number() && *offset == 0;
}

}  // namespace

std::string tokenizer_kind(const SideFiles& beside) {
  const std::string& said = beside.tokenizer_class;
  const bool general =
      said.empty() || said.starts_with("PreTrainedTokenizer") || said.starts_with("TokenizersBackend");
  return general ? beside.model_type : said;
}

bool numbers_otherwise(const SideFiles& beside) {
  const std::string kind = tokenizer_kind(beside);
  if (unknown_kind(kind) != nullptr) return true;
  const Kind* known = kind_of(kind);
  return known != nullptr && !(known->order == pegasus && is_pegasus_in_own_order(beside));
}

Json fairseq_document(const SentencePieceFile& file, const SideFiles& beside, SpecialIds& ids) {
  const std::string kind = tokenizer_kind(beside);
  if (const char* word = unknown_kind(kind))
    fail_work("a ", word, " model numbers its pieces otherwise than the file; expected its ",
              std::string_view(word) == "M2M100" ? "vocab.json beside it" : "tokenizer.json");
  const Order order = kind_of(kind)->order(beside);
  check_first(file, order, kind);
  const std::vector<Piece> pieces = in_order(file, order);
  std::unordered_map<std::string_view, int64_t> numbers;
  for (size_t id = 0; id < pieces.size(); ++id)
    numbers.try_emplace(pieces[id].text, static_cast<int64_t>(id));
  const IdOfPiece id_of = [&](const std::string& piece) -> std::optional<int64_t> {
    const auto found = numbers.find(piece);
    return found == numbers.end() ? std::nullopt : std::optional(found->second);
  };
  PieceOptions options = options_of(file);
  options.special = {};
  options.special.unk = id_of("<unk>");
  if (!options.special.unk) fail_work("it has no piece <unk>, expected one");
  Json document = sentencepiece_document(file, pieces, options);
  std::vector<std::pair<std::string, int64_t>> tail;
  for (const std::string& name : order.tail)
    tail.emplace_back(name, static_cast<int64_t>(pieces.size() + tail.size()));
  add_special_tokens(document, tail, beside, id_of);
  ids = roles_in(document, order.roles, beside, id_of);
  const auto language =
      source_language(document, beside, order.language, [](const std::string& code) { return code; });
  document["post_processor"] = template_of(
      order.single, order.pair,
      {{'s', id_in(document, "<s>", id_of)}, {'e', id_in(document, "</s>", id_of)}, {'l', language}});
  return document;
}

}  // namespace limpid::text
