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
// The least height of a cell with a number, and the longest sentence whose numbers are written where they
// fit.
inline constexpr double k_least_row = 16;
inline constexpr int64_t k_most_in_words = 12;

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

/// How wide the longest label is, at most.
double label_width(const Labels&);
/// Labels left of a grid's rows or above its columns, of so many places each; those of columns stand upright
/// where one is wider than its column.  Thinned where they do not fit.
void label_rows(Scene&, const SceneGrid&, const Labels&, int64_t places, Role = Role::plain);
void label_columns(Scene&, const SceneGrid&, const Labels&, int64_t places, Role = Role::plain);
/// Whether the columns' labels stand upright, `pitch` apart.
bool stands(const Labels&, double pitch);

/// Adds the grid with its top left cell at `at`, and its labels; thinned where they do not fit.
const SceneGrid& add_grid(Scene&, const Matrix&, const Matrix* mask, const GridForm&, Point at);

/// Below a grid without numbers in its cells: what its palest and its deepest colour stand for.  Returns its
/// height.
double add_scale(Scene&, const SceneGrid&, Point at);
/// The widest of its numbers, as they are written.
double widest_number(const Matrix&);
/// Its numbers in the grid's cells, those of holes left out.
void write_cells(SceneGrid&, const Matrix&);

/// A scale for maps of weights.  Of a few tokens it goes from 0 to 1; else to the number that 98 of 100
/// visible cells do not exceed, for the first rows of a causal map see few tokens and would take all colours:
/// larger ones have the deepest too.
struct Scale {
  double low = 0, high = 1;
  size_t grid = 0;    // that holds the cell which is `high`, where it is a cell's
  std::string words;  // says so
};
Scale scale_of(const std::vector<SceneGrid>&, bool few);
/// What the scale of a map is, where it was made by scale_of.
std::string scale_words(const SceneGrid&);

/// Text broken into lines of at most `width`, from `at` on; returns the height it takes.
double add_paragraph(Scene&, TextKind, const std::string& text, Point at, double width,
                     double size = k_small_size);

/// Every token as a figure shows it; of axis S what is looked at, which may be another text (Trace::keys).
std::vector<std::string> token_labels(const Reading&, Axis axis = Axis::T);

/// A place's label, told apart from the same words before and after it: "short#2", as --token has it.
std::string told_apart(const std::vector<std::string>& labels, int64_t place, double width);

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
