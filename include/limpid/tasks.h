// What models are for: a text's or an image's vector, its hidden words, its class, its translation;
// of a series what comes next.
//
//   Model model = Model::load("all-MiniLM-L6-v2");               // a folder of the hub
//   Embeddings e = embed(model, {"Life is short", "Art is long"});
//   double alike = cosines(e.vectors).at({0, 1});
//
// Texts are a person's: names of special tokens in them are text, but for the mask of fill().  Texts of
// different lengths run at once; a text's numbers have the same bits in every batch.  Sums are in double.
// Where a result would hold a NaN or an infinity, it is an Error{work} naming the text.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "limpid/api.h"
#include "limpid/model.h"

namespace LIMPID_API limpid {

/// How texts are run.
struct BatchOptions {
  int64_t batch = 32;  // at most so many at once
  /// `done` from 0 to 1, over all texts, and the stage that comes next.
  std::function<void(double done, const std::string& next)> progress;
};

/// How many tokens of a text are read: as the model's folder says, else its context; INT64_MAX: all.  embed
/// and classify cut a longer text and say so.
int64_t longest_text(const Model&);

// ---- images --------------------------------------------------------------------------------------

/// An image that is read when its turn comes: u8 [Y,X,K], as read_image() gives it.
struct ImageSource {
  std::string name;  // for people
  std::function<Tensor()> read;
};
/// A PNG or JPEG file.
ImageSource image_file(const std::string& path);
/// The same in memory, which outlives the source.
ImageSource image_in_memory(Bytes, const std::string& name);
/// The .png, .jpg and .jpeg files of a folder (in capitals too), by name.  Throws Error{work} where there is
/// none.
std::vector<ImageSource> images_in_folder(const std::string& path);

// ---- vectors of texts ----------------------------------------------------------------------------

struct EmbedOptions {
  std::optional<Pooling> pooling;  // left out: as the model's folder says, else the mean
  std::optional<bool> normalize;   // to length 1; left out: as the folder says, else not
  BatchOptions run;
};

struct Embeddings {
  Tensor vectors;  // f32 [texts, width]
  Pooling pooling = Pooling::mean;
  bool own = false;  // the network ends in a vector (CLIP's projection), and it was taken: no pooling
  bool normalized = false;
  std::vector<int64_t> tokens;     // of each text, special ones included
  std::vector<std::string> notes;  // which texts were cut, or hold unknown words
};

/// A vector a text, from the last hidden state over its tokens (those that the tokenizer adds included), or
/// the one that the network itself ends in, unless `pooling` asks for another.
/// Throws Error{call} for a network without one (the textbook's), for texts of no token, and for a folder
/// that asks for what limpid does not have, unless `pooling` says what to do instead.
Embeddings embed(const Model&, const std::vector<std::string>& texts, const EmbedOptions& = {});

/// The same of images, of a network that reads them.  Left out, the pooling is the first row where the
/// network puts a class token before the patches, else the mean; `normalize` is not.  `tokens` counts rows.
Embeddings embed_images(const Model&, const std::vector<ImageSource>&, const EmbedOptions& = {});

/// The cosine of each pair of rows: f64 [texts, texts]; 0 where one of them is all 0.
Tensor cosines(const ConstView& vectors);

// ---- hidden words --------------------------------------------------------------------------------

struct FillOptions {
  int64_t top = 5;  // tokens a mask
  std::function<void(double done, const std::string& next)> progress;
};

struct TokenGuess {
  int64_t id = 0;
  std::string label;  // for people (Tokenizer::label)
  double probability = 0;
};

/// One mask of a text: each is predicted while the others stay hidden.
struct FilledMask {
  int64_t token = 0;                // its place among the text's tokens
  Span place;                       // the bytes of FilledText::text that it covers
  std::vector<TokenGuess> guesses;  // the likeliest first
};

struct FilledText {
  std::string text;  // as it ran: masks written as the tokenizer has them
  std::vector<FilledMask> masks;
  std::string filled;              // the text with the likeliest token in place of each mask
  std::vector<std::string> notes;  // words that the tokenizer does not know
};

/// The likeliest tokens for every mask.  A mask is written as the model's tokenizer calls it, or [MASK].
/// Throws Error{call} for a model that predicts no hidden words, a text without a mask (saying how one is
/// written), and a text longer than the model reads.
std::vector<FilledText> fill(const Model&, const std::vector<std::string>& texts, const FillOptions& = {});

/// The text with the tokenizer's own name in place of each [MASK]: what Model::encode and Model::trace take
/// with Specials::mask_as_token.
std::string with_own_mask(const Model&, const std::string& text);

// ---- classes -------------------------------------------------------------------------------------

struct ClassScore {
  int64_t id = 0;
  std::string name;  // ModelTasks::classes
  double logit = 0;
  /// Of one class among the others (softmax), or of each by itself (sigmoid;
  /// ModelTasks::independent_classes).
  double probability = 0;
};

struct LabelledToken {
  int64_t id = 0;
  std::string label;  // for people
  Span place;         // empty: the tokenizer added it
  ClassScore best;
};

/// A run of tokens without white space between them: its class is its first token's.
struct LabelledWord {
  std::string text;
  Span place;
  ClassScore best;
};

struct Classified {
  std::string text;
  std::vector<ClassScore> classes;    // of the text, the likeliest first; empty where each token has one
  std::vector<LabelledToken> tokens;  // where each has one
  std::vector<LabelledWord> words;
};

struct Classes {
  std::vector<Classified> texts;
  std::vector<std::string> notes;  // which texts were cut, or hold unknown words
};

/// The classes of texts, or of their tokens, as the model is made for.  Throws Error{call} for a model that
/// tells no classes apart.
Classes classify(const Model&, const std::vector<std::string>& texts, const BatchOptions& = {});

/// The classes of images: Classified::text is the image's name.
Classes classify_images(const Model&, const std::vector<ImageSource>&, const BatchOptions& = {});

/// Which of these texts each image is most like, of a network of texts and images (CLIP): ClassScore::name is
/// the text, its logit how alike they are, its probability that of the text among all (SigLIP: of this text
/// by itself).  Throws Error{call} for another network and for no texts.
Classes match_texts(const Model&, const std::vector<ImageSource>&, const std::vector<std::string>& texts,
                    const BatchOptions& = {});

// ---- what comes next in a series -----------------------------------------------------------------

struct Forecast {
  std::vector<std::string> columns;  // as the model calls them; "0", "1", ... where it does not
  Tensor values;                     // f64 [moments,columns], at the size of what was read
};

/// What comes after the last rows of a table [rows,columns], of which as many are read as the model reads
/// (SeriesTable::values of the model's columns).  Throws Error{call} for a model that foretells nothing, for
/// another number of columns, for too few rows, and where a number of those that are read is not finite.
Forecast forecast(const Model&, const ConstView& rows);

// ---- a text beside another -----------------------------------------------------------------------

struct TranslateOptions {
  int64_t beams =
      0;  // texts written side by side, of which the likeliest stays; 0: as the model's folder says
  /// The sum of a text's log probabilities is divided by its tokens to this power; left out: as the folder
  /// says.
  std::optional<double> length_penalty;
  int64_t tokens = 0;  // at most so many; 0: three for each that is read, and 20
  /// The language to write and the one that is read, as the tokenizer calls them: "fr" or "__fr__" (M2M-100),
  /// "fr_XX" (mBART-50), "fra_Latn" (NLLB), "fra" or ">>fra<<" (Marian); empty: as the folder says.
  std::string to, from;
  std::function<void(double done, const std::string& next)> progress;
};

struct Translated {
  std::string text, translation;
  std::vector<int64_t> source, ids;  // the tokens of both; what was written without its start and end
  double log_probability = 0;        // of all tokens written, the end included
  bool ended = false;                // the model ended it, not the limit
};

/// What an encoder-decoder writes beside each text: a translation, a summary, whatever it was trained for.
/// Throws Error{call} for another model, for a text longer than it reads, and for a language that it does not
/// have, listing those that it has.
std::vector<Translated> translate(const Model&, const std::vector<std::string>& texts,
                                  const TranslateOptions& = {});
/// The same of token ids; needs no tokenizer, without which `text` and `translation` stay empty.  `from` is
/// for texts: the ids hold their language themselves.
Translated translate(const Model&, const std::vector<int64_t>& source, const TranslateOptions& = {});

}  // namespace LIMPID_API limpid
