// Training: a recipe, a trainer that can stop and go on to the same bits, and what it reports.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "limpid/api.h"
#include "limpid/model.h"

namespace LIMPID_API limpid {

/// A part of a text to learn from.
struct TextPart {
  std::string file;  // relative to the folder the caller gives
  int64_t skip = 0;  // characters (code points) to leave out at the start: a header, a licence
  int64_t take = 0;  // characters to read after that; 0: to the end
};

/// How the text is cut into examples.
enum class Examples {
  stream,  // windows of `context` tokens from anywhere in the text (a large text)
  lines,   // every line is one example, read from its start (a few sentences)
};

/// Everything a training run depends on, beside its text.  The same recipe, text and machine give the same
/// bits.
struct Recipe {
  NetworkConfig network;                 // its vocabulary is filled in from the tokenizer
  std::string tokenizer = "characters";  // characters, words, bytes, bpe
  int64_t vocabulary = 4096;             // of a bpe tokenizer
  std::vector<TextPart> data;            // empty: the caller's text
  Examples examples = Examples::stream;
  double validation = 0.1;  // the last part of every text is held out
  int64_t steps = 1000;
  int64_t batch = 12;    // windows a step (stream); lines are learned one at a time
  int64_t context = 64;  // tokens a window
  int64_t epoch = 0;     // steps between two reports; 0: one pass over the text
  double learning_rate = 1e-3;
  double least_rate = 1e-4;  // where the cosine ends
  int64_t warm_up = 100;     // steps
  double beta1 = 0.9, beta2 = 0.99;
  double epsilon = 1e-8;
  double weight_decay = 0.1;  // of matrices and embeddings, not of gains and biases
  double clip = 1.0;          // the largest norm of the gradient; 0: as it is
  int64_t patience = 0;       // epochs without a better validation loss before it stops; 0: never
  uint64_t seed = 1337;
  std::string title;  // what the model is called
};

/// A recipe from JSON; throws Error{call} naming an unknown or impossible setting.  docs/recipes.md lists
/// them.
Recipe recipe_from_json(std::string_view json);
std::string to_json(const Recipe&);

/// The texts of a recipe, read from `folder` (recipe.data) or from the caller's files.  Throws Error{work}
/// naming the file.
std::vector<std::string> read_texts(const Recipe&, const std::string& folder,
                                    const std::vector<std::string>& files);

/// One report.  The first, of number 0, is the state before any step.
struct Epoch {
  int64_t number = 0;
  int64_t step = 0;  // after it
  double loss = 0;   // mean training loss of the epoch, nats per token (before any step: of the first batch)
  double accuracy =
      0;  // how often the likeliest token was right, on what `validation` says (or the training text)
  std::optional<double> validation;  // mean loss over the held-out text
  double tokens_per_second = 0;
  double seconds = 0;  // since the run began, earlier parts of a resumed run included
  double learning_rate = 0;
  bool best = false;        // the best validation (else training) loss so far
  std::string observation;  // one computed sentence: how fast it learns, since when it is flat or overfits
};
/// One line of JSON.
std::string to_json(const Epoch&);

/// What the last epochs show, in one sentence.
std::string observe(const std::vector<Epoch>& history);

struct TrainerCallbacks {
  std::function<void(int64_t step, int64_t steps, double loss)> on_step;
  std::function<void(const Epoch&)> on_epoch;
  /// Asked after every step; true stops the run (a checkpoint can then be saved).
  std::function<bool()> stop;
};

class Trainer {
 public:
  /// Trains the tokenizer and draws the parameters.  Throws Error{call} for a text that is too short for the
  /// recipe.
  Trainer(const Recipe&, const std::vector<std::string>& texts);
  /// Goes on from a checkpoint, to the same bits as a run that never stopped.  Throws Error{work} if the file
  /// is not a checkpoint, Error{call} if it belongs to another text.
  Trainer(const std::string& checkpoint, const std::vector<std::string>& texts);
  ~Trainer();

  /// Until the recipe's last step, or `stop`, or no patience is left.  Returns the reports so far.  A run
  /// that has not begun reports its state first, as epoch 0.  Throws Error{work} naming the first stage that
  /// was not finite when a loss or a gradient is no number; the step is then not taken, and keep_best() has
  /// the best parameters that were reported.
  const std::vector<Epoch>& run(const TrainerCallbacks& = {});
  /// One step; returns its loss.
  double step();
  /// Mean loss per token over the held-out text in windows of `context` (the training text where nothing is
  /// held out).
  struct Evaluation {
    double loss = 0;
    double accuracy = 0;
    int64_t tokens = 0;
    int64_t characters = 0;  // code points the predicted tokens stand for
    double loss_per_character() const;
  };
  Evaluation evaluate();

  int64_t steps_done() const;
  /// Whether the run ended because a number of it was not finite.
  bool not_finite() const;
  /// The reports so far, those before a resume included.
  const std::vector<Epoch>& history() const;
  const Recipe& recipe() const;
  /// The model as trained so far (the best on the held-out text, where there is one, if `best`).
  Model& model();
  void keep_best();  // puts the best parameters seen back into the model

  /// Everything needed to go on, as one file that appears whole.
  void save(const std::string& path) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace LIMPID_API limpid
