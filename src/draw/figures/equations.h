// One attention head as lines of matrices: X W_Q = Q, ..., weights V = output.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "draw/figures/canvas.h"

namespace limpid::draw {

struct Part {
  std::string symbol;  // Q
  Role role = Role::plain;
  std::optional<Matrix> matrix, mask;
  bool shares = false;
  Labels rows, columns;
};

struct Equation {
  enum class Line { projection, scores, output };
  Line line = Line::projection;
  std::string words, said;  // above it; as a step of the figure in words
  std::vector<Part> parts;
  std::vector<std::string> signs;  // between them
  std::vector<std::string> under;  // below the signs, where something is to be said
};

/// What the trace holds of them.
std::vector<Equation> equations_of(const Reading&, int layer, int head);

struct EquationForm {
  double most_width = 196, most_height = 182;  // of one matrix
};
inline constexpr double k_scale_width = 140;  // of the key of a matrix's colours

/// The largest form in which all of them, `between` apart, take no more than this room.
EquationForm fitting(const std::vector<Equation>&, Point room, double between);
Point size_of(const Equation&, const EquationForm&);
void add_equation(Scene&, const Equation&, const EquationForm&, const std::string& name, Point at);

}  // namespace limpid::draw
