// What is open: a model, the text that it reads, and what is changed of the run.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "explore/host.h"
#include "limpid/engine.h"

namespace limpid::explore {

/// Numbers of a value from a run of another text, in the place of this text's.
struct Patch {
  std::string name, text;
  std::map<Axis, int64_t> where, at;  // of this run, of the other
};

struct Opened {
  std::string model_name;
  Subject subject;
  std::string text;  // as it was given; with what was written since
  std::vector<int64_t>
      tokens;                // of the text (of an encoder-decoder: its source); empty for a subject's input
  int64_t input_number = 0;  // which of those that were given; 0: the subject's
  bool as_text = false;      // tokens are what the tokenizer makes of `text`
  std::optional<std::vector<int64_t>> target;  // of an encoder-decoder: what its decoder reads
  size_t given = 0;  // how many of the tokens, or of the target, were there before the model wrote

  std::vector<Edit> edits;
  std::vector<std::string> edit_texts;             // of all changes, as they were asked for
  std::vector<Patch> patches;                      // beside `edits`, whose numbers come from other runs
  std::vector<std::pair<int64_t, int64_t>> swaps;  // place, token

  /// Throws Error{call} for a stored run, saying how its network is given.
  const Model& model() const;
  /// Reads a text: its network is made where it is made for each, and its tokens are.
  void read_text(const std::string& read);
  bool changed() const { return !edit_texts.empty() || !swaps.empty(); }
  /// The tokens with the swaps made.
  std::vector<int64_t> swapped() const;
  /// The same without edits, patches and swaps.  Throws Error{call} for a stored run that was edited: of the
  /// other nothing is known.
  Opened unedited() const;
  /// What a run of it is told apart by.
  std::string key() const;
};

}  // namespace limpid::explore
