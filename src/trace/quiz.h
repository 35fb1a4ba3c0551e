// Questions about one run: what a lecture asks at its end, and what a learner is asked in the terminal.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "limpid/trace.h"

namespace limpid {

struct Question {
  /// Which question it is, "largest_weight", and what its sentences name, so that a page can say them in
  /// another language: {"query": "short", "weight": "0.42", ...}.
  std::string kind;
  std::map<std::string, std::string> facts;
  std::string text;
  std::vector<std::string> choices;  // up to four, all different
  /// What each choice is where it is a sentence, "query_key"; empty where choices are words or numbers.
  std::vector<std::string> choice_kinds;
  size_t right = 0;         // of the choices
  std::string explanation;  // why it is right, with the run's numbers
  /// Where the numbers of the explanation come from, in order, each as to_string(Source) has it
  /// (limpid/scene.h): "blocks.0.attn.pattern[0,1,2,3] %.2f".
  std::vector<std::string> sources;
};

/// "A", "B", ...: what a choice is called.
std::string letter_of(size_t choice);

struct QuizOptions {
  int layer = 0, head = 0;
  int token = -1;       // place in the sentence; -1: the last
  bool stages = false;  // ask of queries, keys, values, scores, scaling, heads and softmax too
};

/// The questions that this run can answer: of what it does not hold nothing is asked.  The same run gives the
/// same questions.
std::vector<Question> quiz(const Trace&, const QuizOptions& = {});

}  // namespace limpid
