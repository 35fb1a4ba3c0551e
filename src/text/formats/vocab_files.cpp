// vocab.json with merges.txt (GPT-2, RoBERTa, CLIP), and BERT's vocab.txt.
#include <algorithm>
#include <functional>
#include <unordered_map>

#include "core/label.h"
#include "limpid/files.h"
#include "text/formats/document.h"
#include "text/formats/formats.h"
#include "text/formats/tokenizer_json.h"
#include "text/utf8.h"

namespace limpid::text {
namespace {

namespace fs = std::filesystem;
using IdOf = std::function<std::optional<int64_t>(const std::string&)>;

Json read_merges(const fs::path& path) {
  Json merges = Json::array();
  size_t number = 0;
  const std::string content = read_file(path);
  for (const std::string_view line : lines_of(content)) {
    ++number;
    if (line.empty() || (number == 1 && line.starts_with("#version"))) continue;
    const size_t blank = line.find(' ');
    if (blank == line.npos || line.find(' ', blank + 1) != line.npos || !is_valid_utf8(line)) {
      fail_work(path.string(), " line ", number, " is ", in_quotes(line),
                ", expected two tokens with one blank between");
    }
    merges.push_back(std::string(line));
  }
  return merges;
}

enum class Style { gpt2, roberta, clip };

Style style_of(const SideFiles& beside, const IdOf& id_of) {
  const std::string kind = beside.text("tokenizer_class") + " " + beside.model_type;
  const auto has = [&](const char* word) { return kind.find(word) != kind.npos; };
  if (has("CLIP") || has("clip") || id_of("!</w>")) return Style::clip;
  for (const char* word :
       {"Roberta", "roberta", "Bart", "bart", "Longformer", "longformer", "LED", "MPNet"}) {
    if (has(word)) return Style::roberta;
  }
  const bool unnamed = kind == " " && !beside.config.contains("bos_token");
  return unnamed && id_of("<s>") == 0 && id_of("</s>") == 2 ? Style::roberta : Style::gpt2;
}

// The names that a vocabulary without JSON beside it is known by.
void add_known(Json& added, Style style, const IdOf& id_of) {
  if (!added.empty()) return;
  const std::vector<std::string> names =
      style == Style::gpt2   ? std::vector<std::string>{"<|endoftext|>"}
      : style == Style::clip ? std::vector<std::string>{"<|startoftext|>", "<|endoftext|>"}
                             : std::vector<std::string>{"<s>", "<pad>", "</s>", "<unk>", "<mask>"};
  for (const std::string& name : names) {
    const auto id = id_of(name);
    if (!id) continue;
    Json token = added_token(name, *id, true);
    if (name == "<mask>") token["lstrip"] = true;
    added.push_back(std::move(token));
  }
}

Json roberta_processing(int64_t cls, int64_t sep) {
  return {
      {"type", "RobertaProcessing"}, {"cls", {"<s>", cls}}, {"sep", {"</s>", sep}}, {"trim_offsets", false}};
}

void finish_style(Json& document, Style style, const SideFiles& beside, const SpecialIds& ids,
                  const IdOf& id_of) {
  const auto or_id = [&](std::optional<int64_t> id, const char* name) { return id ? id : id_of(name); };
  if (style == Style::roberta) {
    const auto cls = or_id(ids.cls ? ids.cls : ids.bos, "<s>"),
               sep = or_id(ids.sep ? ids.sep : ids.eos, "</s>");
    if (cls && sep) document["post_processor"] = roberta_processing(*cls, *sep);
  } else if (style == Style::clip) {
    document["normalizer"] = {{"type", "Sequence"},
                              {"normalizers",
                               {{{"type", "NFC"}},
                                {{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", " "}},
                                {{"type", "Lowercase"}}}}};
    const Json split = {{"type", "Split"},
                        {"pattern",
                         {{"Regex",
                           "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|"
                           "[^\\s\\p{L}\\p{N}]+"}}},
                        {"behavior", "Removed"},
                        {"invert", true}};
    document["pre_tokenizer"] = {{"type", "Sequence"},
                                 {"pretokenizers", {split, byte_level_json(false, true)}}};
    document["model"]["end_of_word_suffix"] = "</w>";
    const auto bos = or_id(ids.bos, "<|startoftext|>"), eos = or_id(ids.eos, "<|endoftext|>");
    if (eos) document["model"]["unk_token"] = "<|endoftext|>";
    if (bos && eos) document["post_processor"] = roberta_processing(*bos, *eos);
  } else {
    document["post_processor"] =
        around_template(beside.flag("add_bos_token").value_or(false) ? ids.bos : std::nullopt,
                        beside.flag("add_eos_token").value_or(false) ? ids.eos : std::nullopt);
  }
}

}  // namespace

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    at = end + 1;
  }
  return lines;
}

std::unique_ptr<Tokenizer> read_vocab_merges(const fs::path& vocab, const fs::path& merges,
                                             const SideFiles& beside) {
  const JsonSource source{vocab.string()};
  const Json ids_json = parse_json(read_file(vocab), source);
  JsonValue(ids_json, source).require_object();
  const IdOf id_of = [&](const std::string& piece) -> std::optional<int64_t> {
    const auto found = ids_json.find(piece);
    if (found == ids_json.end() || !found->is_number_unsigned()) return std::nullopt;
    return found->get<int64_t>();
  };
  const Style style = style_of(beside, id_of);
  const SpecialIds ids = beside.ids(id_of);
  Json added = beside.added_tokens(id_of);
  add_known(added, style, id_of);
  Json document = {{"added_tokens", std::move(added)},
                   {"pre_tokenizer", byte_level_json(beside.flag("add_prefix_space").value_or(false), true)},
                   {"decoder", {{"type", "ByteLevel"}}},
                   {"model", {{"type", "BPE"}, {"vocab", ids_json}, {"merges", read_merges(merges)}}}};
  finish_style(document, style, beside, ids, id_of);
  return pipeline_from_json(document, source, ids);
}

namespace {

// Where no file beside it says whether a text is put into small letters: a vocabulary that has a capital one
// beside its special tokens is of texts as they are.
bool has_capitals(const Json& vocabulary) {
  return std::any_of(vocabulary.begin(), vocabulary.end(), [](const Json& token) {
    const std::string& text = token.get_ref<const std::string&>();
    return !text.starts_with('[') &&
           std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  });
}

bool is_esm(const SideFiles& beside) {
  return beside.model_type == "esm" || beside.text("tokenizer_class").starts_with("Esm");
}

// ESM's: each of its tokens, an amino acid a letter, is found wherever it stands; what is none of them, up to
// a blank, is unknown.
Json esm_document(const Json& vocabulary, const SideFiles& beside, const IdOf& id_of, SpecialIds& ids) {
  const auto of_role = [&](const char* role, const char* name) {
    const std::string given = beside.token(role);
    return id_of(given.empty() ? name : given);
  };
  ids.cls = of_role("cls", "<cls>");
  ids.eos = of_role("eos", "<eos>");
  ids.pad = of_role("pad", "<pad>");
  ids.mask = of_role("mask", "<mask>");
  ids.unk = of_role("unk", "<unk>");
  Json added = Json::array(), numbers = Json::object();
  for (size_t id = 0; id < vocabulary.size(); ++id) {
    const std::string& token = vocabulary[id].get_ref<const std::string&>();
    if (token.empty()) continue;
    numbers[token] = id;
    added.push_back(added_token(token, static_cast<int64_t>(id), token.starts_with('<')));
  }
  const std::string unk = beside.token("unk");
  Json document = {
      {"added_tokens", std::move(added)},
      {"pre_tokenizer", {{"type", "WhitespaceSplit"}}},
      {"model",
       {{"type", "WordLevel"}, {"vocab", std::move(numbers)}, {"unk_token", unk.empty() ? "<unk>" : unk}}}};
  if (ids.cls && ids.eos) document["post_processor"] = bert_template(*ids.cls, *ids.eos);
  return document;
}

}  // namespace

std::unique_ptr<Tokenizer> read_vocab_txt(std::string_view bytes, const std::string& name,
                                          const SideFiles& beside) {
  const JsonSource source{name};
  Json vocabulary = Json::array();
  std::unordered_map<std::string, int64_t> known;
  for (const std::string_view line : lines_of(bytes)) {
    if (!is_valid_utf8(line)) {
      source.fail("line ", vocabulary.size() + 1, " is ", in_quotes(line), ", expected UTF-8");
    }
    known[std::string(line)] = static_cast<int64_t>(vocabulary.size());
    vocabulary.push_back(std::string(line));
  }
  const IdOf id_of = [&](const std::string& piece) -> std::optional<int64_t> {
    const auto found = known.find(piece);
    return found == known.end() ? std::nullopt : std::optional(found->second);
  };
  SpecialIds ids = beside.ids(id_of);
  if (is_esm(beside)) {
    const Json document = esm_document(vocabulary, beside, id_of, ids);
    return pipeline_from_json(document, source, ids);
  }
  if (!ids.cls) ids.cls = id_of("[CLS]");
  if (!ids.sep) ids.sep = id_of("[SEP]");
  if (!ids.pad) ids.pad = id_of("[PAD]");
  if (!ids.mask) ids.mask = id_of("[MASK]");
  Json added = beside.added_tokens(id_of);
  if (added.empty()) {
    for (const char* each : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
      if (const auto id = id_of(each)) added.push_back(added_token(each, *id, true));
    }
  }
  const std::string unk = beside.token("unk");
  const auto accents = beside.flag("strip_accents");
  const bool lower = beside.flag("do_lower_case").value_or(!has_capitals(vocabulary));
  Json document = {{"added_tokens", std::move(added)},
                   {"normalizer",
                    {{"type", "BertNormalizer"},
                     {"lowercase", lower},
                     {"strip_accents", accents ? Json(*accents) : Json()},
                     {"handle_chinese_chars", beside.flag("tokenize_chinese_chars").value_or(true)}}},
                   {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
                   {"decoder", {{"type", "WordPiece"}}},
                   {"model",
                    {{"type", "WordPiece"},
                     {"vocab", std::move(vocabulary)},
                     {"unk_token", unk.empty() ? "[UNK]" : unk}}}};
  if (ids.cls && ids.sep) document["post_processor"] = bert_template(*ids.cls, *ids.sep);
  return pipeline_from_json(document, source, ids);
}

}  // namespace limpid::text
