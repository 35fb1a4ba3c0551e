// Pages of a deck for a hall: a heading, a figure that fills the page, a sentence and an equation at the
// foot, a page number.  No text is smaller than 18 pt, but the numbers in the cells of grids, which have 12
// at least.
#pragma once

#include <string>
#include <vector>

#include "draw/figures/canvas.h"
#include "draw/figures/equations.h"

namespace limpid::draw {

// A page is 13.333 by 7.5 inches; a unit of the scene is 0.75 pt on it.
inline constexpr double k_page_width = 1280, k_page_height = 720, k_page_margin = 40;
inline constexpr double k_hall_size = 24, k_hall_cell_size = 16;  // 18 pt, 12 pt

/// What a page says beside its figure.
struct PageWords {
  std::string title;
  std::string foot;      // a sentence below the figure
  std::string equation;  // as an operation states it; it is typeset
  std::string notes;     // what the speaker may say; empty: the figure's description
};

/// Where the figure stands, between heading and foot.
Rect figure_area(const PageWords&);

/// The page with this figure in the middle of its area, scaled to fill it (at most doubled).  The caller's
/// texts are as large as they should be once it is scaled.
Slide page_of(const PageWords&, const Scene& figure);
/// The largest scale at which a figure of this size stands in the page's area.
double page_scale(const PageWords&, double width, double height);

/// "3" in the corner of each page.
void number_pages(std::vector<Slide>& pages);

/// What a place is called, at most `width` wide at that size: its word; else its number.
std::string word_of(const Reading&, Axis, int64_t place, double size, double width);

/// The layer, head and token that a deck is about.  Where none was asked for (-1) it is the head that chooses
/// most sharply for the token, which is the one that the key insight is about.
FigureOptions chosen(const Reading&, FigureOptions);
/// A deck that was not told its layer chooses the one of the sharpest head; of a longer text than this it
/// shows layer 0, because the choice would need the matrices of every layer in memory (of 20,000 tokens and
/// the built-in model 430 MB).
constexpr int64_t k_most_tokens_to_choose = 4096;
/// The layer that was asked for, that rule's, or -1: to be chosen from what was seen.
int deck_layer(int64_t length, const FigureOptions&);

// ---- its parts, in teaching order ----------------------------------------------------------------

/// The network one step a page: what the step reads, itself, where its result goes, each with its shape;
/// below, the whole network as a small map that grows step by step.
void add_steps(std::vector<Slide>& pages, const Scene& network, const std::string& title);
/// One equation of a head a page, with the run's numbers.
void add_numbers(std::vector<Slide>& pages, const Reading&, const FigureOptions&);
/// One token's query against every key, and the values by their weights.
void add_token(std::vector<Slide>& pages, const Reading&, const FigureOptions&);
/// Every head as a small map, the chosen one marked; and the chosen one's lines from token to token.
void add_heads(std::vector<Slide>& pages, const Reading&, const FigureOptions&);
/// The key insight, and questions about this run with their answers in the notes.
void add_insight(std::vector<Slide>& pages, const Reading&, const FigureOptions&);
void add_quiz(std::vector<Slide>& pages, const Trace&, const FigureOptions&);

}  // namespace limpid::draw
