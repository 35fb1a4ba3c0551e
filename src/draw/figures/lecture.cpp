// The deck for one sentence, in teaching order.
#include <algorithm>
#include <cmath>

#include "draw/figures/deck.h"
#include "draw/figures/edits.h"
#include "draw/figures/equations.h"
#include "draw/figures/legend.h"
#include "draw/layout/layout.h"

namespace limpid {

using namespace draw;

namespace {

class Lecture {
 public:
  Lecture(const Trace& trace, const FigureOptions& o) : trace_(trace), reading_(trace), edits_(trace), o_(o) {
    o_.width = k_figure_area.width;
    o_.height = k_figure_area.height;
  }

  std::vector<Slide> make() {
    sentence();
    network();
    attention();
    numbers();
    token();
    heads();
    next();
    add_insight(pages_, trace_);
    add_quiz(pages_, trace_, o_);
    for (Slide& page : pages_) mark_page(page, edits_);
    return std::move(pages_);
  }

 private:
  void sentence() {
    Scene scene;
    const std::vector<std::string> labels = token_labels(reading_);
    double x = 0, y = 0;
    const size_t most = 60;
    for (size_t i = 0; i < std::min(labels.size(), most); ++i) {
      SceneBox box;
      const std::string word = elided(labels[i], 18, 240);
      const double width = std::max(text_width(word, 18) + 28, 60.0);
      if (x > 0 && x + width > 1040) x = 0, y += 82;
      box.name = join("word ", i);
      box.look = SceneBox::Look::filled;
      box.rect = {x, y, width, 44};
      box.texts.push_back(
          text_at(TextKind::token, word, {x + width / 2, y + 29}, Anchor::middle, Role::plain, 18));
      scene.texts.push_back(text_at(TextKind::index, "X" + subscript(static_cast<int64_t>(i) + 1),
                                    {x + width / 2, y + 64}, Anchor::middle, Role::plain, 14));
      scene.boxes.push_back(std::move(box));
      x += width + 14;
    }
    fit_page(scene);
    const std::string words = join(
        "The sentence is cut into ", labels.size(), " ", reading_.thing(Axis::T),
        labels.size() == 1 ? "" : "s", labels.size() > most ? join("; the first ", most, " are drawn") : "",
        ". Each is a place X1 to X", labels.size(), " of the sequence that the network reads.");
    scene.steps.push_back({words, 0, false, false});
    scene.description = words;
    pages_.push_back(page_of(reading_.sentence(), scene, clean(trace_.title), words));
  }

  SceneOptions network_options() const {
    SceneOptions options = of_run(trace_, {});
    options.title = trace_.title;
    options.width = k_figure_area.width - 50;
    options.legend = false;
    return options;
  }

  // The whole network; its blocks closed where it would not fit otherwise.
  void network() {
    SceneOptions options = network_options();
    Scene whole = network_scene(*trace_.graph, options);
    const bool closed = !fits_page(whole) && reading_.layers() > 0;
    if (closed) {
      options.open = {"none"};
      whole = network_scene(*trace_.graph, options);
    }
    open_ = !closed;
    add_build_up(pages_, whole, "The network");
  }

  // The inside of a layer, where the network did not show it yet.
  void attention() {
    if (open_ || reading_.layers() == 0) return;
    add_build_up(pages_, attention_scene(*trace_.graph, o_.layer, network_options()), "Inside of attention");
  }

  void numbers() {
    if (reading_.layers() == 0) return;
    const std::vector<Equation> all = equations_of(reading_, o_.layer, o_.head);
    const auto of = [&](Equation::Line line) {
      std::vector<Equation> some;
      for (const Equation& e : all)
        if (e.line == line) some.push_back(e);
      return some;
    };
    lines(of(Equation::Line::projection), "The numbers: queries, keys and values");
    lines(of(Equation::Line::scores), "The numbers: scores and weights");
    lines(of(Equation::Line::output), "The numbers: the output");
  }

  void lines(const std::vector<Equation>& equations, const std::string& title) {
    if (equations.empty()) return;
    Scene scene;
    const EquationForm form = fitting(equations, {k_figure_area.width, k_figure_area.height - 30}, 16);
    double y = 0;
    std::string notes, foot = join("Layer ", o_.layer, ", head ", o_.head, ". ");
    for (size_t i = 0; i < equations.size(); ++i) {
      add_equation(scene, equations[i], form, join("line ", i + 1), {0, y}, edits_);
      y += size_of(equations[i], form).y + 16;
      scene.steps.push_back({equations[i].said, 0, false, true});
      notes += (notes.empty() ? "" : " ") + equations[i].said;
      foot += equations[i].words + ". ";
    }
    fit_page(scene);
    scene.description = told(scene.steps);
    pages_.push_back(page_of(title, scene, foot, notes));
  }

  void token() {
    if (reading_.layers() == 0) return;
    Scene scene = token_scene(trace_, o_);
    pages_.push_back(page_of("One " + reading_.thing(Axis::T) + "'s way", scene,
                             "Query against every key, softmax, and the values by their weights.", ""));
  }

  void heads() {
    if (reading_.layers() == 0) return;
    if (reading_.layers() > 1 || reading_.heads(0) > 1)
      for (const Slide& page : heads_pages(trace_, o_))
        pages_.push_back(page_of("Every head", page.scene, "", page.notes));
    pages_.push_back(page_of("One head: who looks at whom", head_scene(trace_, o_), "", ""));
  }

  // The likeliest candidates, as bars.
  void next() {
    const auto probs = matrix_of(trace_, "probs", Axis::T, Axis::V, 0, 1);
    if (!probs) return;
    const int64_t last = probs->rows - 1;
    std::vector<int64_t> best;
    for (int64_t v = 0; v < probs->columns; ++v) best.push_back(v);
    const size_t count = std::min<size_t>(best.size(), 10);
    std::partial_sort(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(count), best.end(),
                      [&](int64_t a, int64_t b) {
                        const double x = probs->at(last, a), y = probs->at(last, b);
                        return x != y ? x > y : a < b;
                      });
    Scene scene;
    const bool words = probs->row_axis >= 0;
    const std::string title = words ? join("What comes after ", quoted(clean(reading_.label(Axis::T, last))))
                                    : std::string("The answer");
    scene.steps.push_back({title + ", the likeliest first:", 0, false, false});
    double y = 0;
    for (size_t i = 0; i < count; ++i) {
      const Source source = probs->source_at(last, best[i]);
      const double p = probs->at(last, best[i]);
      const std::string label = word_of(reading_, Axis::V, best[i], 200);
      scene.texts.push_back(text_at(TextKind::token, label, {210, y + 22}, Anchor::end, Role::plain, 16));
      if (std::isfinite(p) && p > 0.0005)
        scene.bars.push_back({join("probability ", i + 1),
                              {224, y + 6, 640 * std::min(p, 1.0), 22},
                              Role::plain,
                              0.5,
                              source});
      const SceneText number = number_at(source, p, {224 + 640 * std::clamp(p, 0.0, 1.0) + 10, y + 22},
                                         Anchor::start, Role::plain, 16);
      scene.texts.push_back(number);
      scene.steps.push_back({join("\"", label, "\": ", number.text), 0, false, true});
      y += 44;
    }
    fit_page(scene);
    scene.description = told(scene.steps);
    const std::string foot =
        join("One probability for each of ", probs->columns, " candidates; all together they add up to 1.");
    pages_.push_back(page_of(title, scene, foot, scene.description));
  }

  const Trace& trace_;
  Reading reading_;
  Edits edits_;
  FigureOptions o_;
  bool open_ = false;
  std::vector<Slide> pages_;
};

}  // namespace

std::vector<Slide> lecture(const Trace& trace, const FigureOptions& o) { return Lecture(trace, o).make(); }

}  // namespace limpid
