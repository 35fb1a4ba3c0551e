// Training: a recipe, a trainer that can stop and go on to the same bits, and what it reports.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "limpid/api.h"
#include "limpid/data.h"
#include "limpid/heads.h"
#include "limpid/model.h"
#include "limpid/ranks.h"
#include "limpid/recipe.h"

namespace LIMPID_API limpid {

/// The texts of a recipe, read from `folder` (recipe.data) or from the caller's files.  Throws Error{work}
/// naming the file.
std::vector<std::string> read_texts(const Recipe&, const std::string& folder,
                                    const std::vector<std::string>& files);

/// Examples in the parts that a run tells apart; without `held_out` the recipe's share is drawn.
template <class Examples>
struct Parts {
  Examples training;
  std::optional<Examples> held_out, test;
};

/// What a task learns from: texts (next_word), texts and images with their classes, a table of series, pairs
/// of texts; of an algorithm nothing.
using TrainingData = std::variant<std::monostate, std::vector<std::string>, Parts<LabelledTexts>,
                                  Parts<LabelledImages>, SeriesTable, Parts<TextPairs>>;

/// The data that a recipe names, read from `folder`, or from the caller's files in place of the recipe's
/// training (and held-out and test) files, and parted: the parts that no file gives are drawn by the seed.
/// Throws Error{work} naming the file.
TrainingData read_training_data(const Recipe&, const std::string& folder,
                                const std::vector<std::string>& files = {});
/// What was left out of it, for people; empty: nothing.
std::vector<std::string> skipped_rows(const TrainingData&);

/// What kind a head was of at a report, as measure_heads() finds it.
struct SeenHead {
  std::string attention;  // "blocks.0.attn"
  int64_t layer = 0, head = 0;
  HeadKind kind = HeadKind::mixed;
  double score = 0;
};

/// One report.  The first, of number 0, is the state before any step.
struct Epoch {
  int64_t number = 0;
  int64_t step = 0;  // after it
  double loss = 0;   // mean training loss of the epoch (before any step: of the first batch)
  double accuracy =
      0;  // how often the likeliest token was right, on what `validation` says (or the training text)
  std::optional<double> validation;       // mean loss over what is held out
  std::map<std::string, double> metrics;  // of what is held out: "f1", "mse", ... as Evaluation's
  double tokens_per_second = 0;
  double seconds = 0;  // since the run began, earlier parts of a resumed run included
  double learning_rate = 0;
  bool best = false;        // the best validation (else training) loss so far
  std::string observation;  // one computed sentence: how fast it learns, since when it is flat or overfits
  std::vector<SeenHead> heads;  // of tasks that read texts; empty where heads cannot be measured
};
/// One line of JSON.
std::string to_json(const Epoch&);

/// What the last epochs show, in one sentence.
std::string observe(const std::vector<Epoch>& history);
/// The heads that are of a kind at the last report for the first time: "step 500: head 3 of layer 1 became an
/// induction head (0.71)".  Of more than `most` the last line says how many more.
std::vector<std::string> new_kinds(const std::vector<Epoch>& history, size_t most = 6);

struct TrainerCallbacks {
  std::function<void(int64_t step, int64_t steps, double loss)> on_step;
  std::function<void(const Epoch&)> on_epoch;
  /// Asked after every step; true stops the run (a checkpoint can then be saved).  Of several ranks any may
  /// say so: all stop after the same step.
  std::function<bool()> stop;
  /// Called after every step, its report included: what save() writes then goes on to the same bits.
  std::function<void()> between;
};

class Trainer {
 public:
  /// Trains the tokenizer and draws the parameters.  Throws Error{call} for a text that is too short for the
  /// recipe.
  /// With `base` the run begins from that model: its network (a head of the task in place of its own), its
  /// parameters, its tokenizer; all learn, or with Recipe::lora low-rank adapters, which are in the model's
  /// matrices in the end.
  Trainer(const Recipe&, const TrainingData&, const Model* base = nullptr);
  Trainer(const Recipe& recipe, const std::vector<std::string>& texts)
      : Trainer(recipe, TrainingData(texts)) {}
  /// Goes on from a checkpoint, to the same bits as a run that never stopped.  Throws Error{work} if the file
  /// is not a checkpoint, Error{call} if it belongs to another text.
  Trainer(const std::string& checkpoint, const TrainingData&, const Model* base = nullptr);
  Trainer(const std::string& checkpoint, const std::vector<std::string>& texts)
      : Trainer(checkpoint, TrainingData(texts)) {}
  ~Trainer();

  /// From now on every step's batch, and every evaluation, is parted among these ranks, which outlive the
  /// trainer and all do as this one does; to rounding the numbers are those of one process.  What is saved
  /// does not depend on how many there are.  Throws Error{work} on all ranks where one of them has another
  /// recipe, other data, other parameters, or computes by other instructions.
  void share_with(Ranks&);
  /// Until the recipe's last step, or `stop`, or no patience is left.  Returns the reports so far.  A run
  /// that has not begun reports its state first, as epoch 0.  Throws Error{work} naming the first stage that
  /// was not finite when a loss or a gradient is no number; the step is then not taken, and keep_best() has
  /// the best parameters that were reported.
  const std::vector<Epoch>& run(const TrainerCallbacks& = {});
  /// One step; returns its loss.
  double step();
  /// What the model does on examples that it has not learned from.
  struct Evaluation {
    double loss = 0;      // mean of what counts: nats a token or example; of numbers the mean squared error
    double accuracy = 0;  // how often the likeliest was right
    int64_t tokens = 0;   // predicted: tokens, classes, numbers
    int64_t examples = 0;
    int64_t characters = 0;  // code points the predicted tokens stand for, where they stand for text
    /// Classes: "accuracy", "f1" (of two classes that of the second, of more the mean over all).  Numbers:
    /// "mse", "mae".  Words: "whole", how often every word of an example was right.
    std::map<std::string, double> metrics;
    std::vector<int64_t> confusion;  // classes: how often class i was called j, [true, said]; else empty
    double loss_per_character() const;
  };
  /// Over what is held out (where nothing is, over what is learned from).
  Evaluation evaluate();
  /// Over the test examples; throws Error{call} where the data has none.
  Evaluation evaluate_test();
  bool has_test() const;

  /// The run goes on until this step in place of the recipe's last.  Throws Error{call} for fewer than are
  /// done.
  void set_steps(int64_t steps);
  int64_t steps_done() const;
  /// Whether `stop` ended the last run(), on whichever rank.
  bool stopped() const;
  /// Whether the run ended because a number of it was not finite.
  bool not_finite() const;
  /// The reports so far, those before a resume included.
  const std::vector<Epoch>& history() const;
  const Recipe& recipe() const;
  /// The model as trained so far.
  Model& model();
  void keep_best();  // puts the best parameters seen back into the model
  /// Calls it with the model as reports judge it: with Recipe::average, of the running mean of the weights.
  void with_judged_model(const std::function<void(const Model&)>&);

  /// Everything needed to go on, as one file that appears whole.
  void save(const std::string& path) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// How far a run is, by its checkpoint.
struct RunProgress {
  int64_t step = 0, steps = 0;  // done; of the recipe
};
/// Throws Error{work} for a file that is no checkpoint.
RunProgress checkpoint_progress(const std::string& checkpoint);
/// The model of a run that goes on, as its reports judge it; classes and whatever else only the data says are
/// not known.  Throws Error{work} for a file that is no checkpoint.
Model checkpoint_model(const std::string& checkpoint);

/// A simple rule that foretells, on the windows that a network is judged on.
struct Baseline {
  std::string name;
  double mse = 0, mae = 0;
};

struct TaskEvaluationOptions {
  int64_t beams = 0;  // of translations; 0: as the model says
  /// Leaves out the last batch where it is not full, as many published figures of forecasts do by mistake.
  bool drop_last = false;
  std::function<void(double done, const std::string& next)> progress;
};

struct TaskEvaluation {
  std::string part;  // "test", "held out"
  Trainer::Evaluation seen;
  std::vector<std::string> classes;
  std::vector<Baseline> baselines;  // of forecasts
  std::optional<double> bleu;       // of translations
  std::vector<std::string> said;    // the translations
};

/// How a trained model does on the test examples of a recipe's data, or where there are none on what is held
/// out.  Throws Error{call} for a model of other classes, columns or sizes.
TaskEvaluation evaluate_task(const Model&, const Recipe&, const TrainingData&,
                             const TaskEvaluationOptions& = {});

/// How near texts come to their references, 0 to 100: BLEU as sacreBLEU computes it by default (cased, 13a).
double bleu(const std::vector<std::string>& said, const std::vector<std::string>& references);

}  // namespace LIMPID_API limpid
