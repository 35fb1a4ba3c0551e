// What the makers of questions share.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "trace/looks.h"
#include "trace/quiz.h"

namespace limpid {

/// A number of the run: as it is written, and where it comes from.
struct Cited {
  std::string text, source;
};
/// `at`: the place on each axis; the first of the others.
Cited cited(const Trace&, const std::string& name, const std::map<Axis, int64_t>& at);

/// Up to four different labels, the right one (which comes first) among them, in the alphabet's order, so
/// that its place tells nothing.
void choose(Question&, const std::vector<std::string>& labels);

/// Choices that are sentences, each with what it is, the right one first.
void choose_kinds(Question&, const std::vector<std::pair<std::string, std::string>>& kinds_and_labels);

/// The word at a place, or its number.
std::string label_of(const Reading&, Axis, int64_t place);

/// Of queries, keys, values, scores, scaling, heads and softmax, at the head and query of `look`.  Nothing is
/// asked whose numbers do not fulfil the equation that the answer states (an edited run's, say).
void ask_of_stages(const Reading&, const QuizOptions&, const Look& look, std::vector<Question>&);

}  // namespace limpid
