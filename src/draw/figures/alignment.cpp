// The alignment figure: an encoder-decoder's cross-attention as words of its text against words of the
// source.
#include <algorithm>
#include <cmath>

#include "draw/figures/attended.h"
#include "draw/figures/legend.h"
#include "draw/layout/layout.h"
#include "trace/word_spans.h"

namespace limpid {

using namespace draw;

namespace {

constexpr double k_least_column = 15, k_most_column = 46;  // of a column
constexpr double k_row_pitch = 24;
constexpr double k_longest_word = 150;
constexpr int64_t k_most_numbered_words = 20;  // words a side

std::string cross_pattern(int64_t layer) { return join("blocks.", layer, ".cross_attn.pattern"); }

int64_t cross_layers(const Graph& graph) {
  int64_t layers = 0;
  for (const Value& value : graph.values())
    if (const int layer = Reading::layer_of(value.name); layer >= 0 && value.name == cross_pattern(layer))
      layers = std::max<int64_t>(layers, layer + 1);
  return layers;
}

int64_t layer_asked(const Graph& graph, const LookOptions& o) {
  const int64_t layers = cross_layers(graph);
  if (layers == 0)
    fail_call(
        "alignment: this network has no cross-attention, which an encoder-decoder's text looks at its source "
        "with");
  if (o.layer >= layers)
    fail_call("layer ", o.layer, " does not exist: this network has ",
              layers == 1 ? "one layer, 0" : join("the layers 0 to ", layers - 1));
  return o.layer < 0 ? layers - 1 : o.layer;
}

// The weights from words to words.
class Alignment {
 public:
  Alignment(const Trace& trace, const LookOptions& o) : trace_(trace) {
    if (!trace.graph) fail_call("alignment: the trace has no graph, so there is nothing to show");
    layer = layer_asked(*trace.graph, o);
    const auto kept = trace.values.find(cross_pattern(layer));
    if (kept == trace.values.end() || kept->second.shape().rank() != 4)
      fail_call("alignment: the trace does not hold ", cross_pattern(layer), "; trace with --observe ",
                cross_pattern(layer));
    const Shape& shape = kept->second.shape();  // [B,H,T,S]
    heads = shape[1].size;
    head = o.head;
    if (head >= heads)
      fail_call("head ", head, " does not exist: layer ", layer, " has ",
                heads == 1 ? "one head, 0" : join("the heads 0 to ", heads - 1));
    if (shape[2].size != static_cast<int64_t>(trace.tokens.size()) ||
        shape[3].size != static_cast<int64_t>(trace.source.size()))
      fail_call("alignment: ", cross_pattern(layer), " is ", shape.text(), ", and the trace has ",
                trace.tokens.size(), " tokens and ", trace.source.size(), " of the source");
    find_words();
    for (int64_t t = 0; t < rows(); ++t)
      for (int64_t s = 0; s < columns(); ++s) {
        weights_.push_back(number_of(source_at(t, s), trace));
        largest = std::max(largest, weights_.back());
      }
    format_ = format_of(largest);
  }

  int64_t rows() const { return static_cast<int64_t>(target.size()); }
  int64_t columns() const { return static_cast<int64_t>(source.size()); }
  double at(int64_t t, int64_t s) const { return weights_[static_cast<size_t>(t * columns() + s)]; }

  Source source_at(int64_t t, int64_t s) const {
    const WordSpan &query = target[static_cast<size_t>(t)], &key = source[static_cast<size_t>(s)];
    Source out = whole();
    out.index[2] = query.first, out.index[3] = key.first;
    out.extent[2] = query.count(), out.extent[3] = key.count();
    return out;
  }
  // Of a grid: rows and columns still to be chosen.
  Source whole() const {
    return {.stage = cross_pattern(layer),
            .index = {0, head < 0 ? 0 : head, 0, 0},
            .format = format_,
            .of = Source::Of::mass,
            .extent = {1, head < 0 ? heads : 1, 1, 1}};
  }
  /// The source word that the word looks at most; -1 where there is none.
  int64_t strongest(int64_t t) const {
    int64_t best = -1;
    for (int64_t s = 0; s < columns(); ++s)
      if (!source[static_cast<size_t>(s)].added && std::isfinite(at(t, s)) &&
          (best < 0 || at(t, s) > at(t, best)))
        best = s;
    return best;
  }
  bool split() const {
    const auto several = [](const WordSpan& word) { return word.count() > 1; };
    return std::any_of(target.begin(), target.end(), several) ||
           std::any_of(source.begin(), source.end(), several);
  }
  std::string which() const {
    return join("layer ", layer, ", ",
                head >= 0    ? join("head ", head)
                : heads == 1 ? "head 0"
                             : join("mean of its ", heads, " heads"));
  }

  int64_t layer = 0, heads = 1, head = -1;
  double largest = 0;
  // Words of the text by the rows that chose them: the token of row t was chosen by row t - 1, here t.
  std::vector<WordSpan> target, source;

 private:
  void find_words() {
    const std::vector<Token> written(trace_.tokens.begin() + (trace_.tokens.empty() ? 0 : 1),
                                     trace_.tokens.end());
    target = words_of(trace_.text, written);
    while (!target.empty() && target.back().added) target.pop_back();
    target.erase(target.begin(), std::find_if(target.begin(), target.end(),
                                              [](const WordSpan& word) { return !word.added; }));
    if (target.empty())
      fail_call("alignment: the text has no word behind its first token; give one as --decoder TEXT");
    source = words_of(trace_.source_text, trace_.source);
  }

  const Trace& trace_;
  std::string format_ = "%.2f";
  std::vector<double> weights_;
};

std::vector<std::string> word_labels(const std::vector<WordSpan>& words) {
  std::vector<std::string> out;
  for (const WordSpan& word : words) {
    const std::string label = clean(word.label);
    out.push_back(label.empty() ? "\xe2\x90\xa3" : label);
  }
  return out;
}

class AlignmentFigure {
 public:
  AlignmentFigure(const Trace& trace, const LookOptions& o) : o_(o), of_(trace, o), edits_(trace) {
    rows_ = {word_labels(of_.target), TextKind::token, k_longest_word};
    columns_ = {word_labels(of_.source), TextKind::token, k_longest_word};
  }

  Scene make() {
    scene_.title = join("Which source word each word looked at, ", of_.which());
    const std::string mark = edits_.of(cross_pattern(of_.layer), of_.head).empty() ? "" : k_pencil;
    scene_.texts.push_back(text_at(TextKind::title, "Which source word each word looked at",
                                   {k_margin, k_margin + 12}, Anchor::start, Role::plain, k_title_size));
    scene_.texts.push_back(
        text_at(TextKind::index, mark + of_.which(), {k_margin, k_margin + 32}, Anchor::start));
    const SceneGrid grid = add_weights();
    for (int64_t t = 0; t < of_.rows(); ++t) mark_strongest(grid, t);
    write_words(grid);
    fit_page(scene_);
    say(grid);
    add_edits(scene_, edits_);
    return std::move(scene_);
  }

 private:
  const SceneGrid& add_weights() {
    const double left = k_margin + label_width(rows_) + 8, room = o_.width - k_margin - left;
    const double pitch = std::clamp(room / static_cast<double>(of_.columns()), k_least_column, k_most_column);
    SceneGrid grid;
    grid.name = scene_.title;
    grid.role = Role::weights;
    grid.rows = of_.rows();
    grid.columns = of_.columns();
    const double above = stands(columns_, pitch) ? label_width(columns_) : k_small_size;
    grid.rect = {left, k_margin + 76 + above, pitch * static_cast<double>(grid.columns),
                 k_row_pitch * static_cast<double>(grid.rows)};
    grid.source = of_.whole();
    grid.row_axis = 2, grid.column_axis = 3;
    for (const WordSpan& word : of_.target) grid.row_at.push_back(word.first);
    grid.row_at.push_back(of_.target.back().end);
    for (const WordSpan& word : of_.source) grid.column_at.push_back(word.first);
    grid.column_at.push_back(of_.source.back().end);
    for (int64_t t = 0; t < grid.rows; ++t)
      for (int64_t s = 0; s < grid.columns; ++s) grid.values.push_back(of_.at(t, s));
    const bool numbers = std::max(grid.rows, grid.columns) <= k_most_numbered_words && widest() + 4 <= pitch;
    const Scale scale = scale_of({grid}, numbers);
    grid.low = scale.low, grid.high = scale.high;
    if (numbers) write_numbers(grid);
    scene_.texts.push_back(
        text_at(TextKind::name, "source \xe2\x86\x92", {left, k_margin + 56}, Anchor::start, Role::key));
    scene_.texts.push_back(
        text_at(TextKind::name, "text \xe2\x86\x93", {left - 6, grid.rect.y - 8}, Anchor::end, Role::query));
    label_rows(scene_, grid, rows_, grid.rows);
    label_columns(scene_, grid, columns_, grid.columns);
    scene_.grids.push_back(std::move(grid));
    return scene_.grids.back();
  }

  double widest() const {
    double width = 0;
    for (int64_t t = 0; t < of_.rows(); ++t)
      for (int64_t s = 0; s < of_.columns(); ++s)
        width = std::max(width, text_width(written(of_.source_at(t, s), of_.at(t, s)), k_small_size));
    return width;
  }

  void write_numbers(SceneGrid& grid) const {
    for (int64_t t = 0; t < grid.rows; ++t)
      for (int64_t s = 0; s < grid.columns; ++s) {
        const auto shade = grid.shade(t, s);
        if (!shade) continue;
        const Point middle = grid.cell(t, s).centre();
        SceneText text = number_at(of_.source_at(t, s), of_.at(t, s),
                                   {middle.x, middle.y + 0.36 * k_small_size}, Anchor::middle, grid.role);
        text.ground = *shade;
        grid.texts.push_back(std::move(text));
      }
  }

  void mark_strongest(const SceneGrid& grid, int64_t t) {
    const int64_t best = of_.strongest(t);
    if (best < 0) return;
    add_outline(scene_, grid.cell(t, best), Role::key,
                join("strongest: ", rows_.texts[static_cast<size_t>(t)], " looks at ",
                     columns_.texts[static_cast<size_t>(best)]));
    scene_.lines.back().source = of_.source_at(t, best);
  }

  std::string words(const SceneGrid& grid) const {
    std::string out =
        "A row is a word of the text, a column a word of the source; the more a cell stands out, the larger "
        "the "
        "weight. A row is the query of the token before the word, whose probabilities chose it. The source "
        "word "
        "that it looked at most is framed (* in plain text). ";
    if (grid.texts.empty()) out += scale_words(grid) + " ";
    if (of_.split())
      out +=
          "Of a word that the tokenizer split, the weights of its pieces are added where it is looked at and "
          "averaged where it looks. ";
    if (std::any_of(of_.source.begin(), of_.source.end(), [](const WordSpan& word) { return word.added; }))
      out += "Tokens that begin or end the source are shown, and not framed. ";
    out.pop_back();
    return out;
  }

  void write_words(const SceneGrid& grid) {
    double y = grid.rect.bottom() + 12;
    if (grid.texts.empty()) y += add_scale(scene_, grid, {grid.rect.x, y});
    add_paragraph(scene_, TextKind::note, words(grid), {k_margin, y + 8},
                  std::max(grid.rect.right() - k_margin, std::min(560.0, o_.width - 2 * k_margin)));
  }

  void say(const SceneGrid& grid) {
    scene_.steps.push_back(
        {join("Which source word each word of the text looked at, ", of_.which(), ". ", words(grid)), 0,
         false, false});
    for (int64_t t = 0; t < of_.rows(); ++t) {
      const int64_t best = of_.strongest(t);
      if (best < 0) continue;
      scene_.steps.push_back({join("\"", rows_.texts[static_cast<size_t>(t)], "\" looked most at \"",
                                   columns_.texts[static_cast<size_t>(best)], "\" (",
                                   written(of_.source_at(t, best), of_.at(t, best)), ")."),
                              0, false, true});
    }
    scene_.description = told(scene_.steps);
  }

  LookOptions o_;
  Alignment of_;
  Edits edits_;
  Labels rows_, columns_;
  Scene scene_;
};

}  // namespace

Scene alignment_scene(const Trace& trace, const LookOptions& o) { return AlignmentFigure(trace, o).make(); }

std::vector<Observation> alignment_reads(const Graph& graph, const LookOptions& o) {
  return {{cross_pattern(layer_asked(graph, o)), Depth::full}};
}

std::string moses_alignment(const Trace& trace, const LookOptions& o) {
  const Alignment of(trace, o);
  // Words alone are counted.
  std::vector<int64_t> place;
  int64_t next = 0;
  for (const WordSpan& word : of.source) place.push_back(word.added ? -1 : next++);
  std::string out;
  next = 0;
  for (int64_t t = 0; t < of.rows(); ++t) {
    if (of.target[static_cast<size_t>(t)].added) continue;
    const int64_t best = of.strongest(t), number = next++;
    if (best >= 0) out += join(out.empty() ? "" : " ", place[static_cast<size_t>(best)], "-", number);
  }
  return out + "\n";
}

}  // namespace limpid
