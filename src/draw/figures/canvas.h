// What the figures of numbers are written with: texts with their sources, grids with their labels.
#pragma once

#include <string>
#include <vector>

#include "draw/figures/matrix.h"
#include "draw/scene/text.h"
#include "draw/scene/transform.h"
#include "limpid/draw.h"
#include "trace/reading.h"

namespace limpid::draw {

using TextKind = SceneText::Kind;
using Anchor = SceneText::Anchor;

// A row of a grid that a text fits into, and the least size of a cell anybody can see.
inline constexpr double k_cell_height = 26, k_least_cell = 4;

SceneText text_at(TextKind, const std::string& text, Point at, Anchor = Anchor::start, Role = Role::plain,
                  double size = k_small_size);
/// A number of the run, as its source writes it.
SceneText number_at(const Source&, double number, Point at, Anchor = Anchor::start, Role = Role::plain,
                    double size = k_small_size);

/// How a grid is labelled along one side; empty: not at all.
struct Labels {
  std::vector<std::string> texts;  // one for each place of the matrix (not of the grid)
  TextKind kind = TextKind::token;
  double most = 76;  // the widest label
};

struct GridForm {
  std::string name;  // unique in the scene
  Role role = Role::plain;
  double most_width = 200, most_height = 200;
  double cell_width = 46;                          // where its numbers are written, and the most otherwise
  bool numbers = true;                             // in the cells, where all of them fit
  bool shares = false;                             // from 0 to 1
  std::optional<std::pair<double, double>> range;  // of the scale, where several grids share one
  Labels rows, columns;
};

/// How large such a grid will be, its labels left out.
struct GridSize {
  int64_t rows = 0, columns = 0;  // cells
  double width = 0, height = 0;
  bool numbers = false;
};
GridSize size_of(const Matrix&, const GridForm&);
/// The room its labels take: to the left of it and above it.
Point label_room(const Matrix&, const GridForm&);

/// Adds the grid with its top left cell at `at`, and its labels; thinned where they do not fit.
const SceneGrid& add_grid(Scene&, const Matrix&, const Matrix* mask, const GridForm&, Point at);

/// Below a grid without numbers in its cells: what its palest and its deepest colour stand for.  Returns its
/// height.
double add_scale(Scene&, const SceneGrid&, Point at);

/// Text broken into lines of at most `width`, from `at` on; returns the height it takes.
double add_paragraph(Scene&, TextKind, const std::string& text, Point at, double width,
                     double size = k_small_size);

/// Every token as a figure shows it.
std::vector<std::string> token_labels(const Reading&);

/// The page grows to hold everything that stands on it, with a margin.
void fit_page(Scene&);

/// The least and the largest number of these rows of a matrix.
std::pair<double, double> range_of(const Matrix&, const std::vector<int64_t>& rows);

/// Everything of `part` also in `scene`; connectors keep their boxes.
void append(Scene& scene, const Scene& part);

/// "Life" in quotes, at most so long.
std::string quoted(const std::string& label);
/// "a", "a and b", "a, b and c"
std::string listed(const std::vector<std::string>& words);

}  // namespace limpid::draw
