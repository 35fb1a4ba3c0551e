// Pages of a deck: a heading, a figure fitted below it, a sentence at the foot, notes for the speaker.
#pragma once

#include <string>
#include <vector>

#include "draw/figures/canvas.h"

namespace limpid::draw {

// A page is 16:9; a scene's unit is then 0.6 pt on A4 in landscape, and 12 of them a text of 7 pt.
inline constexpr double k_page_width = 1280, k_page_height = 720;
inline constexpr Rect k_figure_area = {40, 84, 1200, 540};

/// The page with this figure, scaled to the area (at most by a half, and not so small that 12 becomes
/// unreadable: such a figure has to be laid out anew, or parted).
/// `equation` stands below the sentence.
Slide page_of(const std::string& title, const Scene& figure, const std::string& foot,
              const std::string& notes, const std::string& equation = "");
/// Whether a figure of this size fits a page and stays readable.
bool fits_page(const Scene&);

/// The network as far as its first `steps` boxes (in the order of scene.steps), the last of them lit.
Scene built_up(const Scene&, size_t steps);
/// How many steps of it have a box.
size_t box_steps(const Scene&);

/// What a place is called, at most `width` wide at size 16: its word; else its number as the sentence has it.
std::string word_of(const Reading&, Axis, int64_t place, double width);

/// Pages that build a network figure up, one step a page; of a figure that is too large for a page, one page
/// says so and shows it small.
void add_build_up(std::vector<Slide>& pages, const Scene& figure, const std::string& title);

/// The last pages: the key insight, and three questions about this run with their answers in the notes.
void add_insight(std::vector<Slide>& pages, const Trace&);
void add_quiz(std::vector<Slide>& pages, const Trace&, const FigureOptions&);

}  // namespace limpid::draw
