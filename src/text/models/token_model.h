// The third stage: a piece becomes tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace limpid::text {

/// A token and the bytes of the piece that it covers.
struct Token {
  uint32_t id = 0;
  uint32_t begin = 0, end = 0;
};

/// Pieces and their ids.  Ids may have holes.
class Vocabulary {
 public:
  Vocabulary() = default;
  /// Throws Error{work} for an id that two pieces have, and for ids far above the number of pieces (they
  /// would take memory for tokens that are not there).  Of a piece that stands twice the later id counts.
  explicit Vocabulary(std::vector<std::pair<std::string, int64_t>> entries);

  /// One more than the greatest id.
  int64_t size() const { return static_cast<int64_t>(pieces_.size()); }
  bool has(int64_t id) const { return id >= 0 && id < size() && there_[static_cast<size_t>(id)]; }
  /// "" for a hole.
  const std::string& piece(int64_t id) const { return pieces_[static_cast<size_t>(id)]; }
  std::optional<uint32_t> id(std::string_view piece) const {
    const auto found = ids_.find(piece);
    if (found == ids_.end()) return std::nullopt;
    return found->second;
  }
  size_t longest() const { return longest_; }

  /// The greatest id that a list of `count` tokens may have.
  static int64_t greatest_id(size_t count) { return static_cast<int64_t>(16 * count + 65536); }

 private:
  std::vector<std::string> pieces_;
  std::vector<bool> there_;
  std::unordered_map<std::string_view, uint32_t> ids_;  // into pieces_
  size_t longest_ = 0;
};

/// Ids that a text may not become as it stands: the special tokens'.
using IdSet = std::vector<bool>;
inline bool holds(const IdSet* set, uint32_t id) { return set != nullptr && id < set->size() && (*set)[id]; }

/// Never changes; used from many threads.
class TokenModel {
 public:
  explicit TokenModel(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {}
  virtual ~TokenModel() = default;
  /// "bpe", "wordpiece", "unigram", "word_level"
  virtual std::string kind() const = 0;
  const Vocabulary& vocabulary() const { return vocabulary_; }

  /// Encodes one piece after another, and keeps its memory between them.
  class Encoder {
   public:
    virtual ~Encoder() = default;
    /// Appends the piece's tokens, in order.  Throws Error{call} for what the vocabulary cannot say.
    virtual void encode(std::string_view piece, std::vector<Token>& out) = 0;
  };
  /// `forbidden` (may be null) outlives the encoder.
  virtual std::unique_ptr<Encoder> encoder(const IdSet* forbidden) const = 0;

 protected:
  /// The tokens <0x00> .. <0xFF>; empty where one is missing.
  std::vector<uint32_t> byte_tokens() const;

 private:
  Vocabulary vocabulary_;
};

// ---- bpe.cpp
struct BpeModelParts {
  Vocabulary vocabulary;
  /// What joins, the first first.
  std::vector<std::pair<std::string, std::string>> merges;
  /// Instead of merges: the score of each id.  Two neighbours whose text is a piece join, the one with the
  /// highest score first (SentencePiece, tiktoken).  NaN: the piece is not made by joining.
  std::vector<double> scores;
  std::optional<std::string> unk;
  std::string continuing_prefix, word_suffix;
  bool fuse_unk = false, byte_fallback = false, ignore_merges = false;
  /// A piece is raw bytes, which the vocabulary writes in GPT-2's alphabet.
  bool of_bytes = false;
};
std::unique_ptr<TokenModel> bpe_model(BpeModelParts);

// ---- wordpiece.cpp
struct WordPieceParts {
  Vocabulary vocabulary;
  std::string unk = "[UNK]", continuing_prefix = "##";
  size_t longest_word = 100;  // characters
};
std::unique_ptr<TokenModel> wordpiece_model(WordPieceParts);

// ---- unigram.cpp
struct UnigramParts {
  Vocabulary vocabulary;
  std::vector<double> scores;  // by id; NaN: never found in a text
  std::optional<uint32_t> unk;
  bool byte_fallback = false;
  /// The sums of scores are rounded to float, as SentencePiece's.
  bool in_float = false;
  /// The score that an unknown character's is 10 below; nothing: the least score.
  std::optional<double> least_score;
};
std::unique_ptr<TokenModel> unigram_model(UnigramParts);

// ---- renumbered.cpp
/// Cuts as `pieces`, whose tokens become the numbers that their texts have; one without a number is `unk`.
/// So is a run of characters that no piece covers, which is looked up as a whole.
struct RenumberedParts {
  std::unique_ptr<TokenModel> pieces;
  std::optional<uint32_t> pieces_unk;  // their own id of what is unknown
  Vocabulary numbers;
  std::string unk;
};
std::unique_ptr<TokenModel> renumbered_model(RenumberedParts);

// ---- word_level.cpp
std::unique_ptr<TokenModel> word_level_model(Vocabulary vocabulary, std::optional<std::string> unk);

}  // namespace limpid::text
