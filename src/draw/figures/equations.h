// One attention head as lines of matrices: X W_Q = Q, ..., weights V = output.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "draw/figures/canvas.h"
#include "draw/figures/edits.h"

namespace limpid::draw {

struct Part {
  std::string symbol;  // Q
  Role role = Role::plain;
  std::optional<Matrix> matrix, mask;
  bool shares = false;
  bool square = false;  // of queries and keys
  std::string edit;     // what an edit of the run made of it; empty: nothing
  Labels rows, columns;
};

struct Equation {
  enum class Line { projection, scores, output };
  Line line = Line::projection;
  std::string words, said;  // above it; as a step of the figure in words
  std::vector<Part> parts;
  std::vector<std::string> signs;  // between them
  std::vector<std::string> under;  // below the signs, where something is to be said
  bool severed = false;            // some sign is a bar: what follows it was edited
  /// Of its weights or scores: which cells were cut by an edit.
  int64_t layer = 0, head = 0;
};

/// What the trace holds of them.
std::vector<Equation> equations_of(const Reading&, int layer, int head);

struct EquationForm {
  double most_width = 196, most_height = 182;      // of one matrix
  double square_width = 196, square_height = 182;  // of one of queries and keys
  double room = 0;                                 // a line that is wider goes on below; 0: it does not
};
inline constexpr double k_scale_width = 140;  // of the key of a matrix's colours

/// The largest form in which all of them, `between` apart, take no more than this room.
/// A line that is wider than `wrap` goes on below (0: none does).
EquationForm fitting(const std::vector<Equation>&, Point room, double between, double wrap = 0);
/// Whether every matrix of queries and keys has its numbers in its cells.
bool squares_have_numbers(const std::vector<Equation>&, const EquationForm&);
Point size_of(const Equation&, const EquationForm&);
void add_equation(Scene&, const Equation&, const EquationForm&, const std::string& name, Point at,
                  const Edits& edits);

}  // namespace limpid::draw
