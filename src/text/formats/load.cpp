// The door to tokenizers in files: which format is it?
#include <algorithm>
#include <functional>

#include "core/label.h"
#include "files/place.h"
#include "limpid/files.h"
#include "text/formats/base64.h"
#include "text/formats/formats.h"
#include "text/formats/tokenizer_json.h"

namespace limpid {
namespace {

namespace fs = std::filesystem;
using namespace text;

constexpr const char* k_looked_for =
    "tokenizer.json; tokenizer.model, spiece.model, sentencepiece.bpe.model or spm.model; source.spm with "
    "vocab.json; vocab.json with merges.txt; "
    "encoder.json with vocab.bpe; vocab.txt; *.tiktoken; tok*.bin";

std::optional<fs::path> first_of(const fs::path& folder, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (is_file(folder / name)) return folder / name;
  }
  return std::nullopt;
}

SpecialIds roles(const SideFiles& beside, const Json& document) {
  return beside.ids([&](const std::string& name) -> std::optional<int64_t> {
    if (!document.is_object() || !document.contains("added_tokens") || !document["added_tokens"].is_array()) {
      return std::nullopt;
    }
    for (const Json& token : document["added_tokens"]) {
      if (!token.is_object() || !token.contains("content") || !token.contains("id")) continue;
      if (token["content"] == name && token["id"].is_number_unsigned()) return token["id"].get<int64_t>();
    }
    return std::nullopt;
  });
}

std::unique_ptr<Tokenizer> read_json(const fs::path& path) {
  const JsonSource source{path.string()};
  const std::string bytes = read_file(path);
  const Json document = parse_json(bytes, source);
  if (document.is_object() && !document.contains("kind") && document.contains("model")) {
    return pipeline_from_json(document, source, roles(SideFiles::of(path.parent_path()), document));
  }
  if (document.is_object() && document.contains("kind")) {
    try {
      return tokenizer_from_json(bytes);
    } catch (const Error& error) {
      source.fail(error.what());
    }
  }
  source.fail(
      "a JSON file without \"model\" or \"kind\", expected a tokenizer.json or one of limpid's tokenizers");
}

// Llama 3's tokenizer.model is tiktoken's.
bool looks_like_tiktoken(std::string_view bytes) {
  const std::string_view line = bytes.substr(0, bytes.find('\n'));
  const size_t blank = line.find(' ');
  if (blank == line.npos || blank == 0 || line.size() > 4096) return false;
  try {
    return !from_base64(line.substr(0, blank)).empty();
  } catch (const Error&) {
    return false;
  }
}

std::unique_ptr<Tokenizer> read_pair(const fs::path& folder) {
  const SideFiles beside = SideFiles::of(folder);
  const auto merges = first_of(folder, {"merges.txt", "vocab.bpe"});
  const auto vocab = first_of(folder, {"vocab.json", "encoder.json"});
  if (merges && vocab) return read_vocab_merges(*vocab, *merges, beside);
  if (merges) return load_gpt2_bpe(folder.string());
  fail_work("tokenizer: ", folder.string(), " has a vocab.json without its merges.txt");
}

NumberedFiles numbered_files(const fs::path& pieces, const fs::path& numbers) {
  return {read_file(pieces), pieces.string(), read_file(numbers), numbers.string()};
}

std::unique_ptr<Tokenizer> read_one(const fs::path& path) {
  const std::string name = path.filename().string();
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (name == "vocab.json" || name == "encoder.json" || name == "merges.txt" || name == "vocab.bpe") {
    return read_pair(folder);
  }
  if (name.ends_with(".json")) return read_json(path);
  if (name == "source.spm")
    return read_marian(numbered_files(path, folder / "vocab.json"), SideFiles::of(folder));
  const std::string bytes = read_file(path);
  if (name.ends_with(".txt")) return read_vocab_txt(bytes, path.string(), SideFiles::of(folder));
  if (name.ends_with(".bin")) return read_llama2c(bytes, path.string());
  if (name.ends_with(".tiktoken") || looks_like_tiktoken(bytes)) {
    return read_tiktoken(bytes, path.string(), SideFiles::of(folder));
  }
  if (name.ends_with(".model")) {
    const SideFiles beside = SideFiles::of(folder);
    if (is_m2m_100(beside) && is_file(folder / "vocab.json"))
      return read_m2m_100(numbered_files(path, folder / "vocab.json"), beside);
    return read_sentencepiece(bytes, path.string(), beside);
  }
  fail_work("tokenizer: ", path.string(), " has no name that says its format; expected ", k_looked_for);
}

std::optional<fs::path> one_with(const fs::path& folder,
                                 const std::function<bool(const std::string&)>& fits) {
  for (const std::string& name : names_in(folder)) {
    if (fits(name) && is_file(folder / name)) return folder / name;
  }
  return std::nullopt;
}

std::unique_ptr<Tokenizer> read_folder(const fs::path& folder) {
  if (const auto file = first_of(folder, {"tokenizer.json"})) return read_json(*file);
  if (const auto file = first_of(folder, {"source.spm"})) return read_one(*file);
  if (const auto file =
          first_of(folder, {"tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "spm.model"})) {
    return read_one(*file);
  }
  if (first_of(folder, {"merges.txt", "vocab.bpe"})) return read_pair(folder);
  if (const auto file = first_of(folder, {"vocab.txt"})) return read_one(*file);
  const auto tiktoken = one_with(folder, [](const std::string& name) { return name.ends_with(".tiktoken"); });
  if (tiktoken) return read_one(*tiktoken);
  const auto llama2c = one_with(
      folder, [](const std::string& name) { return name.starts_with("tok") && name.ends_with(".bin"); });
  if (llama2c) return read_one(*llama2c);
  const auto piece = one_with(folder, [](const std::string& name) { return name.ends_with(".model"); });
  if (piece) return read_one(*piece);
  fail_work("tokenizer: ", folder.string(), " has none; looked for ", k_looked_for);
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& path) {
  if (is_folder(path)) return read_folder(path);
  return read_one(path);
}

std::unique_ptr<Tokenizer> load_target_tokenizer(const std::string& given) {
  const fs::path folder(given);
  if (is_file(folder / "tokenizer.json") || !is_file(folder / "source.spm")) return nullptr;
  const SideFiles beside = SideFiles::of(folder);
  if (!beside.flag("separate_vocabs").value_or(false)) return nullptr;
  return read_marian(numbered_files(folder / "target.spm", folder / "target_vocab.json"), beside);
}

}  // namespace limpid
