// Text: bytes <-> token ids.
//
// A Tokenizer cuts a text into tokens and numbers them.  Four kinds are limpid's own:
//   words       runs of non-space characters; a list of known words          "Life is" -> Life, is
//   characters  Unicode code points; a list of known characters              "Life"    -> L, i, f, e
//   bytes       the 256 byte values                                          "é"       -> 195, 169
//   bpe         byte-level byte pair encoding, as GPT-2's (train_bpe)        "Life is" -> Life, ·is
// bytes and bpe take any string of bytes, valid UTF-8 or not, and give the same bytes back.
// load_tokenizer reads those of real models (tokenizer.json, vocab.txt, SentencePiece, tiktoken): bpe,
// wordpiece, unigram and word_level.
//
// A tokenizer never changes after it is made: one may be used from many threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "limpid/api.h"
#include "limpid/error.h"

namespace LIMPID_API limpid {

// ---- the contract --------------------------------------------------------------------------------

/// The bytes [begin, end) of a text.
struct Span {
  size_t begin = 0;
  size_t end = 0;
  bool operator==(const Span&) const = default;
};

/// A text as tokens: token i is ids[i] and covers the bytes spans[i].  Spans ascend and do not overlap;
/// of limpid's own kinds only `words` leaves bytes between them (the white space).  A loaded tokenizer may
/// change a text first: spans are always bytes of the text as it was given, what was dropped is in none, a
/// token that was put in ("▁" before the first word) covers none, and the tokens that one character became
/// share it.
struct Encoding {
  std::vector<int64_t> ids;
  std::vector<Span> spans;
};

/// One text, or a pair, as a model takes it.  The four lists are as long as one another.
struct ModelInput {
  std::vector<int64_t> ids;
  std::vector<int64_t> type_ids;  // 0; 1 for the second text, where the tokenizer tells them apart
  std::vector<Span> spans;        // of the token's own text; empty for tokens that were added
  std::vector<int> text_of;       // 0: the first text's, 1: the second's, -1: added
};

/// The tokens with a meaning of their own, where a tokenizer names them.
struct SpecialIds {
  std::optional<int64_t> bos, eos, unk, sep, pad, cls, mask;
  bool operator==(const SpecialIds&) const = default;
};

/// What the name of a special token, "<|endoftext|>" say, means where it stands in a text.
enum class Specials {
  as_text,        // nothing: it is encoded like any other text, so text from outside cannot forge one
  as_tokens,      // the special token
  mask_as_token,  // the mask (SpecialIds::mask) its token, every other one nothing
};

struct EncodeOptions {
  /// Whether the tokens that the model wants round a text are added ([CLS] and [SEP], say).
  bool add_special = true;
  Specials specials = Specials::as_text;
};

/// What decoding does with special tokens.
enum class DecodeSpecials { keep, skip };

class Tokenizer {
 public:
  virtual ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  /// "words", "characters", "bytes", "bpe", "wordpiece", "unigram" or "word_level".
  virtual std::string kind() const = 0;
  /// How many tokens there are; ids are 0 .. vocabulary()-1.  A loaded one may have ids without a token.
  virtual int64_t vocabulary() const = 0;

  /// The tokens of a text.  Throws Error{call} naming what cannot be encoded, and its place, where the
  /// vocabulary lacks it (words, characters); bytes and bpe never throw.  A loaded tokenizer that is not of
  /// bytes takes what is no UTF-8 for U+FFFD, and throws Error{call} where its regular expression gives up.
  std::vector<int64_t> encode(std::string_view text, Specials specials = Specials::as_text) const;
  /// encode, and which bytes of the text each token covers.
  Encoding encode_with_spans(std::string_view text, Specials specials = Specials::as_text) const;

  /// A text, or two, with the special tokens that the model wants.  limpid's own kinds add none.
  ModelInput encode_for_model(std::string_view text, const EncodeOptions& options = {}) const;
  ModelInput encode_for_model(std::string_view text, std::string_view second,
                              const EncodeOptions& options = {}) const;

  /// The text of some tokens: their bytes one after another, words with one space between.  Undoes
  /// encode exactly, but for the white space of `words` and what a loaded tokenizer changes first.  Throws
  /// Error{call} for an id out of range.  An id without a token says nothing.
  std::string decode(std::span<const int64_t> ids, DecodeSpecials specials = DecodeSpecials::keep) const;

  /// The bytes of one token, which need not be valid UTF-8.  Throws Error{call} for an id out of range.
  std::string token_bytes(int64_t id) const;

  /// One token for people: valid UTF-8 that stays on its line.  A space is shown as "·", so that the
  /// tokens of "Life is" read "Life" and "·is"; a line feed, tab or return as \n, \t, \r; any other
  /// control or invisible character as its code point (<U+200B>); a byte that is no character as
  /// <0x9F>.  It is not meant to be read back: a token may hold a real "·".
  std::string label(int64_t id) const;

  /// The id of a special token by its name; nothing if there is no such token.
  virtual std::optional<int64_t> special(std::string_view name) const;
  /// Whether a token is special.
  virtual bool is_special(int64_t id) const;
  /// The special tokens by what they mean.
  virtual SpecialIds special_ids() const;

  /// The whole tokenizer as JSON text, to keep in a model file's metadata; tokenizer_from_json reads it.
  virtual std::string to_json() const = 0;

 protected:
  Tokenizer() = default;

 private:
  virtual void append(std::string_view text, Specials specials, Encoding& out) const = 0;
  virtual std::string bytes_of(int64_t id) const = 0;  // id is in range
  virtual std::string_view between() const { return ""; }
  // The ids are in range.
  virtual std::string text_of(std::span<const int64_t> ids, DecodeSpecials specials) const;
  virtual ModelInput model_input(std::string_view text, const std::string_view* second,
                                 const EncodeOptions& options) const;
};

/// Decodes a text token by token, as a model writes it.  Nothing comes out that ends inside a character: its
/// first bytes wait for the rest.  All that push and finish gave, one after another, is what decode gives.
/// The tokenizer outlives it.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, DecodeSpecials specials = DecodeSpecials::skip)
      : tokenizer_(&tokenizer), specials_(specials) {}

  /// What the token adds to the text; often nothing.  Throws Error{call} for an id out of range.
  std::string push(int64_t id);
  /// What is left, be it half a character.  The next push begins another text.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  DecodeSpecials specials_;
  std::vector<int64_t> ids_;  // the last tokens, enough to know how the next one reads
  size_t given_ = 0;          // how much of what they say came out
};

/// The tokenizer whose to_json gave `json`, or that a tokenizer.json of Hugging Face describes.  Throws
/// Error{work} naming what is wrong with the text: it comes out of a file.
std::unique_ptr<Tokenizer> tokenizer_from_json(std::string_view json);

/// The tokenizer as a tokenizer.json of Hugging Face, for other programs; nothing where it has no such form:
/// the kind `words`, and what was read from SentencePiece's files.
std::optional<std::string> hub_tokenizer_json(const Tokenizer&);

// ---- words, characters, bytes --------------------------------------------------------------------

/// Words in the order given; a word is any bytes without white space.  Throws Error{call} for an empty
/// list, an empty or repeated word, a word that holds white space.
std::unique_ptr<Tokenizer> word_tokenizer(std::vector<std::string> words);
/// The distinct words of a text in the order they first appear.  White space is Unicode's White_Space.
std::unique_ptr<Tokenizer> word_tokenizer_from(std::string_view text);

/// Characters in the order given, each one code point in UTF-8.  Throws Error{call} for an empty list,
/// a repeated entry, an entry that is not one code point.
std::unique_ptr<Tokenizer> character_tokenizer(std::vector<std::string> characters);
/// The distinct characters of a text in the order of their code points, as nanoGPT's sorted(set(text)).
/// Throws Error{call} where the text is not UTF-8.
std::unique_ptr<Tokenizer> character_tokenizer_from(std::string_view text);

/// Id = byte.
std::unique_ptr<Tokenizer> byte_tokenizer();

// ---- byte pair encoding --------------------------------------------------------------------------
//
// A text is first cut into pieces by GPT-2's regular expression (words with their leading space, runs
// of digits, runs of signs, white space); a token never crosses a piece.  Each piece starts as bytes;
// the pair of neighbours that was merged first in training is merged first, leftmost first, until no
// pair is in the list.  (Sennrich, Haddow, Birch 2016; Radford et al. 2019, section 2.2.)

struct BpeParts {
  /// merges[i] = the two tokens that join into token 256 + i; both have smaller ids.
  std::vector<std::pair<int64_t, int64_t>> merges;
  /// Names of special tokens; ids follow the merges.
  std::vector<std::string> special;
  /// byte_order[id] = the byte that token id < 256 stands for; empty: the byte is the id.
  std::vector<uint8_t> byte_order;
};

/// Throws Error{call} where the parts do not make a vocabulary: a merge of tokens that do not come
/// before it, two tokens with the same bytes, tokens of more than 256 MiB in all, a byte order that is
/// not one, an empty or repeated special name.
std::unique_ptr<Tokenizer> bpe_tokenizer(BpeParts parts);

struct BpeOptions {
  /// Special tokens.  Where a name stands in a training text it divides the text and is not counted.
  std::vector<std::string> special;
  /// Pairs seen less often than this are not merged.
  int64_t min_count = 2;
  /// The longest token, in bytes, that training makes.
  size_t longest_token = 256;
  /// Texts are read in small letters, in training and ever after: a pipeline with Unicode's lower case first.
  bool lower = false;
  /// Texts every word of which, with the space before it, becomes one token, however seldom the texts have
  /// it: the last merges join what is left of them.
  std::vector<std::string> whole;
};

/// Trains a bpe tokenizer of `vocabulary` tokens: 256 bytes, merges, then the special ones.  Each step
/// merges the pair of neighbouring tokens that stands most often in the texts (pieces as above; every
/// place counts, overlapping ones too); of pairs seen equally often the one whose left token has the
/// smallest id, then the one whose right token has.  A pair whose bytes are a token already is passed
/// over.  The same texts give the same tokenizer; the order of the texts does not matter.  Where no
/// pair is left that occurs min_count times, the vocabulary stays smaller than asked for.
/// Throws Error{call} unless vocabulary >= 256 + special.size(), and where the whole words need more merges
/// than it has room for.
std::unique_ptr<Tokenizer> train_bpe(std::span<const std::string_view> texts, int64_t vocabulary,
                                     const BpeOptions& options = {});
std::unique_ptr<Tokenizer> train_bpe(std::string_view text, int64_t vocabulary,
                                     const BpeOptions& options = {});

/// GPT-2's own tokenizer from a folder that holds vocab.bpe (or merges.txt) as published: 50,257 tokens,
/// the last "<|endoftext|>".  Where encoder.json (or vocab.json) lies beside it, the ids are checked
/// against it.  Throws Error{work} where the files are missing or say something else.
std::unique_ptr<Tokenizer> load_gpt2_bpe(const std::string& folder);

// ---- tokenizers of real models ---------------------------------------------------------------------
//
// Everything becomes a pipeline: normalise, cut, encode, add special tokens; and back.

/// A tokenizer from a file or a folder.  In a folder it looks for tokenizer.json (Hugging Face);
/// source.spm with vocab.json (Marian); tokenizer.model, spiece.model, sentencepiece.bpe.model, spm.model
/// (SentencePiece; M2M-100's with vocab.json); vocab.json with merges.txt, or encoder.json with vocab.bpe;
/// vocab.txt (WordPiece); *.tiktoken; tok*.bin (llama2.c), in this order, and reads what
/// tokenizer_config.json, special_tokens_map.json, added_tokens.json and config.json (which family it is)
/// say beside it.  A file may be any of these, or limpid's own JSON.  Throws Error{work} naming the file, the
/// place and what was expected.
std::unique_ptr<Tokenizer> load_tokenizer(const std::string& path);
/// Of a translation model's folder the tokenizer of what it writes, where that has a vocabulary of its own
/// (Marian's separate_vocabs: target.spm with target_vocab.json); load_tokenizer reads the other.  nullptr:
/// there is one for both.
std::unique_ptr<Tokenizer> load_target_tokenizer(const std::string& folder);

/// The tokenizer's part of a GGUF file's metadata: the values of the keys tokenizer.ggml.NAME.
struct GgufTokenizerParts {
  std::string model;                // "llama", "gpt2", "bert" or "t5"
  std::string pre;                  // of gpt2: "gpt-2", "llama-bpe", "qwen2", "smollm", ...; empty: "default"
  std::vector<std::string> tokens;  // by id
  std::vector<float> scores;        // of llama and t5
  std::vector<int32_t> types;  // token_type: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
  std::vector<std::string> merges;  // of gpt2: "a b"
  SpecialIds special;               // bos_token_id, eos_token_id, unknown_token_id, seperator_token_id, ...
  std::optional<bool> add_bos, add_eos;          // add_bos_token, add_eos_token; by the model where not said
  std::optional<bool> add_space_prefix;          // likewise
  std::optional<bool> remove_extra_whitespaces;  // likewise
  std::string precompiled_charsmap;              // its bytes
};

/// Throws Error{work} that begins with `name`, which stands for the file.
std::unique_ptr<Tokenizer> gguf_tokenizer(const GgufTokenizerParts& parts, const std::string& name);

// ---- finding a word's tokens ---------------------------------------------------------------------

/// One occurrence of a word in a text, and the tokens [first_token, end_token) it became.
struct WordPlace {
  Span bytes;
  int64_t first_token = 0;
  int64_t end_token = 0;
  bool operator==(const WordPlace&) const = default;
};

/// Where a word stands in a text.  `word` is "short" (every occurrence, in order) or "short#2" (the
/// second only).  A word is a run of non-space characters, with or without the signs around it: "short"
/// and "short." both find the end of "Life is short."; case counts.  Throws Error{call} that lists the
/// text's words where it is not there, or says how often it is where the number is too large.
/// `tokens` is the text's encoding.
std::vector<WordPlace> find_word(std::string_view text, const Encoding& tokens, std::string_view word);

/// What a person typed to choose a token: `index` where set, else `word`, and which occurrence of it
/// (from 1) where `number` is set.
struct TokenChoice {
  std::optional<int64_t> index;
  std::string word;
  std::optional<int64_t> number;
};

/// Reads "3" or "-1" as an index (what that counts is the caller's), "short#2" as the second "short", and
/// anything else as a word.  In this order: so the word "3" is chosen as "3#1".  Throws Error{call}
/// for an empty string, "short#0" and numbers that are too large.
TokenChoice parse_token_choice(std::string_view argument);

}  // namespace LIMPID_API limpid
