// The deck for one sentence, in teaching order.
#include <algorithm>
#include <cmath>

#include "draw/figures/deck.h"
#include "draw/figures/edits.h"
#include "draw/figures/legend.h"
#include "draw/layout/layout.h"
#include "trace/figures.h"

namespace limpid {

using namespace draw;

namespace {

constexpr double k_one_row = 1e5;  // wide enough for any network

class Lecture {
 public:
  Lecture(const Trace& trace, const FigureOptions& o)
      : trace_(trace), reading_(trace), edits_(trace), o_(chosen(reading_, o)) {
    if (o_.token >= reading_.length())
      fail_call("token ", o_.token, " does not exist: the sentence has ", reading_.length(), " places, 0 to ",
                reading_.length() - 1);
    if (reading_.layers() == 0) return;
    reading_.require_layer(o_.layer);
    reading_.require_head(o_.layer, o_.head);
  }

  std::vector<Slide> make() {
    sentence();
    network();
    if (reading_.layers() > 0) {
      add_numbers(pages_, reading_, o_);
      add_token(pages_, reading_, o_);
      add_heads(pages_, reading_, o_);
    }
    next();
    add_insight(pages_, reading_, o_);
    add_quiz(pages_, trace_, o_);
    for (Slide& page : pages_) mark_page(page, edits_);
    number_pages(pages_);
    return std::move(pages_);
  }

 private:
  void sentence() {
    const std::vector<std::string> labels = token_labels(reading_);
    const auto said = [&](size_t drawn) {
      const std::string some = drawn < labels.size() ? join(" The first ", drawn, " are drawn.") : "";
      if (trace_.words_of_pieces)
        return join(
            "The network reads tokens; here they stand together as ", labels.size(),
            " words: weights of a word's pieces are added where it is looked at and averaged where it "
            "looks.",
            some);
      return join("The ", reading_.thing(Axis::B), " is cut into ",
                  counted(static_cast<int64_t>(labels.size()), reading_.thing(Axis::T)),
                  ". Each is a place of the sequence that the network reads",
                  drawn < labels.size() ? join("; the first ", drawn, " are drawn.") : ".");
    };
    PageWords words = {reading_.sentence(), said(0), "", ""};
    const Rect area = figure_area(words);
    constexpr double k_size = 28, k_high = 50, k_row = 92, k_gap = 16;
    struct Place {
      std::string word;
      double x, width;
      size_t row;
    };
    std::vector<Place> places;
    double x = 0, widest = 0;
    size_t row = 0;
    for (const std::string& label : labels) {
      const std::string word = elided(label, k_size, 320);
      const double width = std::max(text_width(word, k_size) + 28, 72.0);
      if (x > 0 && x + width > area.width) x = 0, ++row;
      if (static_cast<double>(row + 1) * k_row > area.height) break;
      places.push_back({word, x, width, row});
      widest = std::max(widest, x + width);
      x += width + k_gap;
    }
    Scene scene;
    for (size_t i = 0; i < places.size(); ++i) {
      const Place& place = places[i];
      const double y = static_cast<double>(place.row) * k_row;
      SceneBox box;
      box.name = join("word ", i);
      box.look = SceneBox::Look::filled;
      if (static_cast<int>(i) == o_.token) box.role = Role::query;
      box.rect = {place.x, y, place.width, k_high};
      box.texts.push_back(text_at(TextKind::token, place.word, {place.x + place.width / 2, y + 35},
                                  Anchor::middle, Role::plain, k_size));
      scene.texts.push_back(text_at(TextKind::index, std::to_string(i),
                                    {place.x + place.width / 2, y + k_high + 27}, Anchor::middle, Role::plain,
                                    k_hall_size));
      scene.boxes.push_back(std::move(box));
    }
    scene.width = widest;
    scene.height = static_cast<double>(places.empty() ? 1 : places.back().row + 1) * k_row;
    words.foot = said(places.size());
    scene.steps.push_back({words.foot, 0, false, false});
    scene.description = words.foot;
    words.notes =
        join(words.foot, trace_.title.empty() ? "" : " The network is " + clean(trace_.title) + ".");
    pages_.push_back(page_of(words, scene));
  }

  SceneOptions network_options() const {
    SceneOptions options = of_run(trace_, {});
    options.title = trace_.title;
    options.width = k_one_row;
    options.legend = false;
    return options;
  }

  // The whole network; blocks closed where there are several, and then the inside of the chosen layer's
  // attention.
  void network() {
    SceneOptions options = network_options();
    const bool several = reading_.layers() > 1;
    if (several) options.open = {"none"};
    add_steps(pages_, network_scene(*trace_.graph, options), "The network");
    if (several)
      add_steps(pages_, attention_scene(*trace_.graph, o_.layer, network_options()), "Inside of attention");
  }

  // The likeliest candidates, as bars.
  void next() {
    const auto probs = row_matrix_of(trace_, "probs", Axis::T, Axis::V, 0, 1, o_.token);
    if (!probs) return;
    const bool of_words = reading_.predicts_each();
    const int64_t row = of_words ? o_.token : 0;
    std::vector<int64_t> best;
    for (int64_t v = 0; v < probs->columns; ++v) best.push_back(v);
    const std::string title =
        of_words ? join(reading_.predicts_next() ? "What comes after \"" : "The likeliest at \"",
                        word_of(reading_, Axis::T, row, 36, 400), "\"")
                 : std::string("The answer");
    PageWords words = {
        title,
        join("One probability for each of ", probs->columns, " candidates; all together they add up to 1."),
        of_words ? "p[v] = exp(x[v]) / sum_v' exp(x[v'])" : "", ""};
    if (const std::string edit = edits_.of("probs", {-1, o_.token, true}); !edit.empty()) {
      words.foot = join("The probabilities were edited: ", edit, ".");
      if (!words.equation.empty()) words.equation = k_unedited + words.equation;
    }
    const Rect area = figure_area(words);
    const size_t count = std::min<size_t>(best.size(), 8);
    std::partial_sort(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(count), best.end(),
                      [&](int64_t a, int64_t b) {
                        const double x = probs->at(row, a), y = probs->at(row, b);
                        return x != y ? x > y : a < b;
                      });
    constexpr double k_word = 300, k_size = 28;
    const double pitch = std::min(80.0, area.height / static_cast<double>(count)),
                 bar = area.width - k_word - 20 - 130;
    Scene scene;
    scene.steps.push_back({title + ", the likeliest first:", 0, false, false});
    double y = 0;
    for (size_t i = 0; i < count; ++i) {
      const Source source = probs->source_at(row, best[i]);
      const double p = probs->at(row, best[i]), baseline = y + pitch / 2 + 0.36 * k_size;
      const std::string label = word_of(reading_, Axis::V, best[i], k_size, k_word);
      scene.texts.push_back(
          text_at(TextKind::token, label, {k_word, baseline}, Anchor::end, Role::plain, k_size));
      const double length = std::isfinite(p) ? bar * std::clamp(p, 0.0, 1.0) : 0;
      if (length > 0.5)
        scene.bars.push_back({join("probability ", i + 1),
                              {k_word + 20, y + 0.2 * pitch, length, 0.6 * pitch},
                              Role::plain,
                              0.5,
                              source});
      const SceneText number =
          number_at(source, p, {k_word + 32 + length, baseline}, Anchor::start, Role::plain, k_size);
      scene.texts.push_back(number);
      scene.steps.push_back({join("\"", label, "\": ", number.text), 0, false, true});
      y += pitch;
    }
    scene.width = area.width;
    scene.height = y;
    scene.description = told(scene.steps);
    pages_.push_back(page_of(words, scene));
  }

  const Trace& trace_;
  Reading reading_;
  Edits edits_;
  FigureOptions o_;
  std::vector<Slide> pages_;
};

}  // namespace

std::vector<Slide> lecture(const Trace& trace, const FigureOptions& o) { return Lecture(trace, o).make(); }

}  // namespace limpid
