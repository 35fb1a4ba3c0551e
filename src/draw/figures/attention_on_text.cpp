// The sentence with each word shaded by how much the prediction looks at it.
#include <algorithm>
#include <cmath>

#include "draw/figures/attended.h"
#include "draw/figures/legend.h"
#include "draw/layout/layout.h"
#include "trace/word_spans.h"

namespace limpid {

using namespace draw;

namespace {

constexpr double k_word_height = 24, k_number_height = 16, k_line_gap = 10, k_word_gap = 4;
constexpr double k_longest_shaded = 220;
constexpr double k_widest_text = 860;    // a sentence that is read, not a ruler
constexpr size_t k_most_numbered = 120;  // words; of more the shades alone are read

struct ShadedWord {
  WordSpan span;
  std::string label;
  double number = 0;
  Source source;
};

// A token by itself where there are no words to make of it.
std::vector<WordSpan> spans_of(const Trace& trace) {
  if (trace.token_word == "token" && !trace.text.empty()) return words_of(trace.text, trace.tokens);
  std::vector<WordSpan> out;
  for (size_t i = 0; i < trace.tokens.size(); ++i) {
    WordSpan one;
    one.first = static_cast<int64_t>(i);
    one.end = one.first + 1;
    one.label = trace.tokens[i].label;
    out.push_back(std::move(one));
  }
  return out;
}

class TextFigure {
 public:
  TextFigure(const Trace& trace, const LookOptions& o) : trace_(trace), o_(o), of_(trace, o), edits_(trace) {
    if (of_image(trace))
      fail_call(
          "attention-on-text: this run is not of a text; draw attention-on-image or attention-on-series");
    if (static_cast<int64_t>(trace.tokens.size()) != of_.places())
      fail_call("attention-on-text: ", of_.stage(), " has ", of_.places(), " places, the text ",
                trace.tokens.size(), " tokens");
    double largest = 0;
    for (WordSpan& span : spans_of(trace)) {
      ShadedWord word;
      word.label = elided(clean(span.label), k_small_size, k_longest_shaded);
      if (word.label.empty()) word.label = "\xe2\x90\xa3";
      word.number = of_.number(span.first, span.end);
      if (word.number > largest) largest = word.number;
      split_ = split_ || span.count() > 1;
      word.span = std::move(span);
      words_.push_back(std::move(word));
    }
    of_.set_range(0, largest);
    for (ShadedWord& word : words_) word.source = of_.source(word.span.first, word.span.end);
    largest_ = largest;
  }

  Scene make() {
    scene_.title = join("What the prediction looks at: ", Reading(trace_).sentence());
    scene_.texts.push_back(text_at(TextKind::title, "What the prediction looks at", {k_margin, k_margin + 12},
                                   Anchor::start, Role::plain, k_title_size));
    scene_.texts.push_back(text_at(TextKind::index, of_.mark() + of_.which(), {k_margin, k_margin + 32}));
    double y = write_sentence(k_margin + 46);
    y += write_scale(y + 4) + 14;
    say();
    if (const double height = add_outcomes(scene_, trace_, of_.rows(), {k_margin, y}, width()); height > 0)
      y += height + 14;
    add_paragraph(scene_, TextKind::note, said(), {k_margin, y}, width());
    fit_page(scene_);
    scene_.description = told(scene_.steps);
    add_edits(scene_, edits_);
    return std::move(scene_);
  }

 private:
  double width() const { return std::min(o_.width - 2 * k_margin, k_widest_text); }
  bool numbered() const { return words_.size() <= k_most_numbered; }

  // Words in lines, as they are read; returns where they end.
  double write_sentence(double top) {
    const double line = k_word_height + (numbered() ? k_number_height : 0) + k_line_gap;
    double x = k_margin, y = top;
    for (const ShadedWord& word : words_) {
      double wide = text_width(word.label, k_small_size) + 10;
      if (numbered()) wide = std::max(wide, text_width(written(word.source, word.number), k_small_size) + 4);
      if (x > k_margin && x + wide > k_margin + width()) x = k_margin, y += line;
      write_word(word, {x, y, wide, k_word_height});
      x += wide + k_word_gap;
    }
    return y + line;
  }

  void write_word(const ShadedWord& word, const Rect& rect) {
    SceneGrid grid;
    grid.name = join(word.label, ", place ", word.span.first);
    grid.role = Role::weights;
    grid.rect = rect;
    grid.rows = grid.columns = 1;
    grid.values = {word.number};
    grid.low = 0, grid.high = largest_ > 0 ? largest_ : 1;
    grid.source = word.source;
    SceneText text =
        text_at(TextKind::token, word.label, {rect.centre().x, rect.centre().y + 0.36 * k_small_size},
                Anchor::middle, Role::weights);
    text.ground = grid.shade(0, 0);
    grid.texts.push_back(std::move(text));
    if (numbered())
      scene_.texts.push_back(number_at(word.source, word.number,
                                       {rect.centre().x, rect.bottom() + k_number_height - 3}, Anchor::middle,
                                       Role::weights));
    if (of_.rows().one() && word.span.first <= of_.rows().first && of_.rows().first < word.span.end)
      add_outline(scene_, rect, Role::query, join("the row that predicts: ", word.label));
    scene_.grids.push_back(std::move(grid));
  }

  double write_scale(double y) {
    const auto most =
        std::max_element(scene_.grids.begin(), scene_.grids.end(),
                         [](const auto& a, const auto& b) { return a.values[0] < b.values[0]; });
    if (most == scene_.grids.end() || !(largest_ > 0)) return 0;
    return add_scale(scene_, SceneGrid(*most), {k_margin, y});
  }

  std::string said() const {
    std::string out = join("The more a ", split_ ? "word" : trace_.token_word,
                           " stands out, the larger its weight. ", of_.said());
    if (of_.rows().one()) out += " The place whose query it is stands in a frame.";
    if (split_) out += " Of a word that the tokenizer split, the weights of its pieces are added.";
    return out;
  }

  void say() {
    scene_.steps.push_back(
        {join("What the prediction looks at in ", Reading(trace_).sentence(), ". ", said()), 0, false,
         false});
    std::vector<const ShadedWord*> order;
    for (const ShadedWord& word : words_) order.push_back(&word);
    std::stable_sort(order.begin(), order.end(),
                     [](const ShadedWord* a, const ShadedWord* b) { return a->number > b->number; });
    for (size_t i = 0; i < std::min<size_t>(order.size(), 8); ++i)
      scene_.steps.push_back({join("\"", order[i]->label, "\", place ", order[i]->span.first, ": ",
                                   written(order[i]->source, order[i]->number), "."),
                              0, false, true});
  }

  const Trace& trace_;
  LookOptions o_;
  Attended of_;
  Edits edits_;
  std::vector<ShadedWord> words_;
  double largest_ = 0;
  bool split_ = false;
  Scene scene_;
};

}  // namespace

Scene attention_on_text_scene(const Trace& trace, const LookOptions& o) {
  return TextFigure(trace, o).make();
}

}  // namespace limpid
