// tiktoken's files (a token in base64 and its rank on each line) and llama2.c's tok*.bin.
#include <bit>
#include <charconv>

#include "core/label.h"
#include "text/formats/base64.h"
#include "text/formats/document.h"
#include "text/formats/formats.h"
#include "text/formats/tokenizer_json.h"
#include "text/models/token_model.h"
#include "text/pipeline/byte_alphabet.h"

namespace limpid::text {
namespace {

struct Encoding {
  const char* name;        // stands in the file's name
  const char* expression;  // known_expressions
  std::vector<std::pair<const char*, int64_t>> special;
};

// openai/tiktoken, openai_public.py; a file says neither its expression nor its special tokens.
const std::vector<Encoding>& encodings() {
  static const std::vector<Encoding> k_all = {
      {"o200k", "o200k_base", {{"<|endoftext|>", 199999}, {"<|endofprompt|>", 200018}}},
      {"p50k", "gpt2", {{"<|endoftext|>", 50256}}},
      {"r50k", "gpt2", {{"<|endoftext|>", 50256}}},
      {"gpt2", "gpt2", {{"<|endoftext|>", 50256}}},
      {"multilingual", "gpt2", {{"<|endoftext|>", 50257}}},
      {"qwen", "qwen", {{"<|endoftext|>", 151643}, {"<|im_start|>", 151644}, {"<|im_end|>", 151645}}},
      {"cl100k",
       "cl100k_base",
       {{"<|endoftext|>", 100257},
        {"<|fim_prefix|>", 100258},
        {"<|fim_middle|>", 100259},
        {"<|fim_suffix|>", 100260},
        {"<|endofprompt|>", 100276}}},
      // Llama 3 calls its file tokenizer.model.
      {"tokenizer.model", "llama3", {{"<|begin_of_text|>", 128000}, {"<|end_of_text|>", 128001}}},
  };
  return k_all;
}

const Encoding& encoding_of(const std::string& name) {
  const std::string file = name.substr(name.find_last_of('/') == name.npos ? 0 : name.find_last_of('/') + 1);
  for (const Encoding& each : encodings()) {
    if (file.find(each.name) != file.npos) return each;
  }
  static const Encoding k_unnamed{"", "cl100k_base", {}};
  return k_unnamed;
}

struct Line {
  std::string token;
  int64_t rank;
};

Line read_line(std::string_view line, size_t number) {
  const size_t blank = line.find(' ');
  Line out;
  const std::string_view rank = blank == line.npos ? "" : line.substr(blank + 1);
  const auto [end, error] = std::from_chars(rank.data(), rank.data() + rank.size(), out.rank);
  if (error != std::errc() || end != rank.data() + rank.size() || rank.empty() || out.rank < 0) {
    fail_work("line ", number, " is ", in_quotes(line), ", expected a token in base64, a blank and its rank");
  }
  try {
    out.token = from_base64(line.substr(0, blank));
  } catch (const Error& wrong) {
    fail_work("line ", number, ": ", wrong.what());
  }
  return out;
}

Json vocabulary_of(std::string_view bytes, Json& scores) {
  std::vector<Line> read;
  size_t number = 0;
  int64_t greatest = -1;
  for (const std::string_view line : lines_of(bytes)) {
    ++number;
    if (!line.empty()) read.push_back(read_line(line, number));
    if (!line.empty()) greatest = std::max(greatest, read.back().rank);
  }
  if (read.empty()) fail_work("it has no tokens");
  if (greatest > Vocabulary::greatest_id(read.size())) {
    fail_work("rank ", greatest, " for ", read.size(), " tokens, expected at most ",
              Vocabulary::greatest_id(read.size()));
  }
  Json vocabulary(std::vector<Json>(static_cast<size_t>(greatest) + 1));
  scores = vocabulary;
  for (const Line& line : read) {
    Json& slot = vocabulary[static_cast<size_t>(line.rank)];
    if (!slot.is_null()) fail_work("rank ", line.rank, " stands twice");
    slot = ByteAlphabet::get().written(line.token);
    scores[static_cast<size_t>(line.rank)] = -static_cast<double>(line.rank);
  }
  return vocabulary;
}

// What is left of a binary file.
class Binary {
 public:
  explicit Binary(std::string_view bytes) : bytes_(bytes) {}
  bool done() const { return at_ == bytes_.size(); }
  std::string_view take(size_t size) {
    if (size > bytes_.size() - at_) fail_work("it ends at byte ", bytes_.size(), " inside a token");
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  uint32_t word() {
    uint32_t value = 0;
    const std::string_view four = take(4);
    for (size_t i = 0; i < 4; ++i) value |= uint32_t{static_cast<unsigned char>(four[i])} << (8 * i);
    return value;
  }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
};

}  // namespace

std::unique_ptr<Tokenizer> read_tiktoken(std::string_view bytes, const std::string& name,
                                         const SideFiles& beside) {
  const JsonSource source{name};
  try {
    const Encoding& encoding = encoding_of(name);
    Json scores;
    Json vocabulary = vocabulary_of(bytes, scores);
    const auto size = static_cast<int64_t>(vocabulary.size());
    Json added = Json::array();
    SpecialIds ids;
    for (const auto& [content, id] : encoding.special) {
      if (id < size || id > size + 65536) continue;  // of another vocabulary
      added.push_back(added_token(content, id, true));
      const std::string_view role = content;
      if (role == "<|begin_of_text|>") ids.bos = id;
      if (role == "<|endoftext|>" || role == "<|end_of_text|>") ids.eos = id;
    }
    const bool add_bos = beside.flag("add_bos_token").value_or(ids.bos.has_value());
    const Json document = {
        {"added_tokens", std::move(added)},
        {"pre_tokenizer", byte_level_cuts(known_expressions(encoding.expression))},
        {"post_processor", around_template(add_bos ? ids.bos : std::nullopt, std::nullopt)},
        {"decoder", {{"type", "ByteLevel"}}},
        {"model",
         {{"type", "BPE"},
          {"vocab", std::move(vocabulary)},
          {"scores", std::move(scores)},
          {"ignore_merges", true}}}};
    return pipeline_from_json(document, source, ids);
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with(name)) throw;
    source.fail("as tiktoken's ranks: ", error.what());
  }
}

std::unique_ptr<Tokenizer> read_llama2c(std::string_view bytes, const std::string& name) {
  const JsonSource source{name};
  try {
    Binary file(bytes);
    const uint32_t longest = file.word();
    std::vector<Piece> pieces;
    while (!file.done()) {
      Piece piece;
      piece.score = std::bit_cast<float>(file.word());
      const uint32_t size = file.word();
      if (size > longest) {
        fail_work("token ", pieces.size(), " says ", size, " bytes, expected at most ", longest,
                  " (the file's first number)");
      }
      const size_t id = pieces.size();
      const std::string text(file.take(size));
      for (const char byte : text) byte == ' ' ? piece.text += "\xE2\x96\x81" : piece.text += byte;
      if (id < 3) {
        piece.type = id == 0 ? PieceType::unknown : PieceType::control;
        piece.text = id == 0 ? "<unk>" : id == 1 ? "<s>" : "</s>";
      } else if (byte_of_name(text) >= 0) {
        piece.type = PieceType::byte;
      }
      pieces.push_back(std::move(piece));
    }
    if (pieces.size() < 3 + 256)
      fail_work("it has ", pieces.size(), " tokens, expected 3 special ones and 256 bytes at least");
    PieceOptions options;
    options.byte_fallback = true;
    options.normalizer = sentencepiece_normalizer_json(true, false);
    options.add_bos = true;
    options.special.unk = 0;
    options.special.bos = 1;
    options.special.eos = 2;
    return pipeline_from_json(pieces_document(pieces, options), source, options.special);
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with(name)) throw;
    source.fail("as llama2.c's tokenizer: ", error.what());
  }
}

}  // namespace limpid::text
