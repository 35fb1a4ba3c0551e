// Recipes: everything a training run depends on, beside its data.  The same recipe, data and machine give the
// same bits.  As JSON: docs/recipes.md lists the settings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "limpid/api.h"
#include "limpid/data.h"
#include "limpid/network.h"
#include "limpid/optimizer.h"

namespace LIMPID_API limpid {

/// What a network learns to do, and so what its data is.
enum class Task {
  next_word,    // texts: which token comes next
  classes,      // texts, each of a class
  images,       // images, each of a class
  forecast,     // a table of series: what comes next in each column
  translation,  // pairs of texts: the second beside the first
  algorithm,    // generated: sort, reverse, copy, add, induction
};
std::string_view name(Task);
/// Does the network read texts?
bool reads_texts(Task);

/// A part of a text to learn from.
struct TextPart {
  std::string file;  // relative to the folder the caller gives
  int64_t skip = 0;  // characters (code points) to leave out at the start: a header, a licence
  int64_t take = 0;  // characters to read after that; 0: to the end
};

/// How texts are cut into examples (next_word).
enum class Examples {
  stream,  // windows of `context` tokens from anywhere in the text (a large text)
  lines,   // every line is one example, read from its start (a few sentences)
};

/// Where the examples of the other tasks lie, relative to the folder the caller gives: one table of texts and
/// classes; images and their labels (IDX), or a folder with a folder a class; one table of series; the texts
/// and their translations (or one table of both).
struct ExampleFiles {
  std::vector<std::string> training, held_out, test;  // without `held_out`, Recipe::validation is drawn
  std::string text, label;                            // a table's columns by name; empty: the usual names
  bool no_repeats = false;                            // exact repeats of a text are left out first
  double test_share = 0;  // without `test`: so much of the examples is drawn for it, by the seed
};

/// Which part of a table of series is learned from, and how far it is read and foretold.  Rows of the table
/// in order: training, then held out, then test; all columns are brought to mean 0 and deviation 1 by the
/// training rows first.
struct ForecastOptions {
  int64_t look_back = 96, horizon = 96;  // rows
  std::vector<std::string> columns;      // empty: all
  int64_t period = 0;  // rows of a season, of which simple rules make use that the network is compared with
  int64_t training = 0, held_out = 0, test = 0;  // rows; 0: seven tenths, one tenth, two tenths
};

/// Sequences that are made, and what stands behind each: "3 1 2 = 1 2 3".
struct AlgorithmOptions {
  std::string kind = "sort";  // sort, reverse, copy, add, induction
  int64_t length = 6;         // symbols of a sequence; digits of a summand
  int64_t symbols = 10;       // different ones
};

enum class OptimizerKind {
  adamw,
  muon,  // the matrices inside blocks by Muon, all else by AdamW
};

/// How what the backward pass reads of the forward pass is kept until then.
enum class Activations {
  f32,
  bf16,  // rounded to nearest, ties to even: half the memory; the forward pass itself is in f32
};

/// Low-rank adapters in place of the matrices inside the blocks (Hu 2021): rank 0: none.
struct LoraOptions {
  int64_t rank = 0;
  double alpha = 16;  // the adapters' share is alpha / rank
};

struct Recipe {
  Task task = Task::next_word;
  NetworkConfig network;                 // its vocabulary, classes and columns are filled in from the data
  std::string tokenizer = "characters";  // characters, words, bytes, bpe
  int64_t vocabulary = 4096;             // of a bpe tokenizer
  bool lower = false;                    // texts are read in small letters
  std::vector<std::string> whole_words;  // of bpe: texts every word of which is one token
  std::vector<TextPart> data;            // next_word; empty: the caller's text
  ExampleFiles files;                    // of the other tasks
  ForecastOptions forecast;
  AlgorithmOptions algorithm;
  AugmentOptions augment;   // of the images that are learned from
  double word_dropout = 0;  // so many of a text's tokens are left out, anew at every step (classes)
  Examples examples = Examples::stream;
  double validation = 0.1;  // held out: the last part of every text; of examples so many, drawn by the seed
  int64_t steps = 1000;
  int64_t batch = 12;      // windows a step (stream), examples a step; lines are learned one at a time
  int64_t accumulate = 1;  // batches whose gradients are averaged for a step
  // Texts of different lengths (classes, translation) stand one behind another in a batch, so that nothing is
  // computed for padding, where the network can read them so (packs()).
  bool pack = true;
  Activations activations = Activations::f32;
  int64_t context = 64;  // tokens a window; the most tokens that are read of a text
  int64_t epoch = 0;     // steps between two reports; 0: one pass over the data
  OptimizerKind optimizer = OptimizerKind::adamw;
  LoraOptions lora;  // with a model to begin from
  Decay schedule = Decay::cosine;
  double cooldown = 0.2;  // of all steps, at the end, in which the rate falls (warm-up-stable-decay)
  double learning_rate = 1e-3;
  double least_rate = 1e-4;  // where the schedule ends
  int64_t warm_up = 100;     // steps
  double beta1 = 0.9, beta2 = 0.99;
  double epsilon = 1e-8;
  double weight_decay = 0.1;  // of matrices and embeddings, not of gains and biases
  double clip = 1.0;          // the largest norm of the gradient; 0: as it is
  double average = 0;         // the model is a running mean of the weights, of which so much stays each step
  int64_t patience = 0;       // epochs without a better validation loss before it stops; 0: never
  uint64_t seed = 1337;
  std::string title;  // what the model is called
  // Of tasks that read texts: sentences whose attention is kept at every report (run_folder.h).
  std::vector<std::string> watch;
};

/// A recipe from JSON; throws Error{call} naming an unknown or impossible setting.
Recipe recipe_from_json(std::string_view json);
std::string to_json(const Recipe&);

}  // namespace LIMPID_API limpid
