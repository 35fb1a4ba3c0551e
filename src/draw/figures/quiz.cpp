// The last pages of a deck: what this run shows, and three questions about it.
#include <algorithm>
#include <cmath>

#include "draw/figures/deck.h"
#include "draw/figures/legend.h"
#include "draw/layout/layout.h"
#include "trace/looks.h"
#include "trace/quiz.h"

namespace limpid::draw {

namespace {

std::string label_of(const Reading& reading, Axis axis, int64_t place) {
  return word_of(reading, axis, place, 180);
}

std::optional<Matrix> weights_of(const Reading& reading, int64_t layer, int64_t head) {
  return matrix_of(reading.trace(), join("blocks.", layer, ".attn.pattern"), Axis::T, Axis::S, head,
                   reading.heads(layer));
}

// The sources of a sentence's numbers, in order, and as they are written: "(0.38)".
using Sources = std::vector<std::pair<Source, std::string>>;

// A sentence with numbers, each with its source, in large letters; returns where the next begins.
double statement(Scene& scene, const std::string& text, const Sources& sources, double y) {
  // One text a line; the sources go with the line that shows the number, in order.
  const size_t before = scene.texts.size();
  const double height = add_paragraph(scene, TextKind::note, text, {0, y}, 1080, 20);
  size_t next = 0;
  for (size_t i = before; i < scene.texts.size(); ++i) {
    SceneText& line = scene.texts[i];
    for (size_t at = 0; next < sources.size(); ++next) {
      const size_t found = line.text.find(sources[next].second, at);
      if (found == line.text.npos) break;
      line.sources.push_back(sources[next].first);
      line.kind = TextKind::number;
      at = found + sources[next].second.size();
    }
  }
  return y + height + 18;
}

// The head of the last word that chooses most.
std::optional<Look> sharpest(const Reading& reading, int64_t query) {
  const std::vector<Look> looks = looks_of(reading, query);
  if (looks.empty()) return std::nullopt;
  return *std::min_element(looks.begin(), looks.end(), [](const Look& a, const Look& b) {
    if ((a.keys > 1) != (b.keys > 1)) return a.keys > 1;
    return a.evenness < b.evenness;
  });
}

struct Likeliest {
  std::vector<int64_t> places;  // the likeliest first
  Matrix probs;
  int64_t row = 0;
};

std::optional<Likeliest> likeliest(const Reading& reading, size_t count) {
  const auto probs = matrix_of(reading.trace(), "probs", Axis::T, Axis::V, 0, 1);
  if (!probs || probs->columns < 2) return std::nullopt;
  Likeliest out;
  out.probs = *probs;
  out.row = probs->rows - 1;
  for (int64_t v = 0; v < probs->columns; ++v) {
    if (!std::isfinite(probs->at(out.row, v))) return std::nullopt;
    out.places.push_back(v);
  }
  count = std::min(count, out.places.size());
  std::partial_sort(out.places.begin(), out.places.begin() + static_cast<std::ptrdiff_t>(count),
                    out.places.end(), [&](int64_t a, int64_t b) {
                      const double x = probs->at(out.row, a), y = probs->at(out.row, b);
                      return x != y ? x > y : a < b;
                    });
  out.places.resize(count);
  return out;
}

Slide page_of_question(const Question& question, int number) {
  Scene scene;
  double y = add_paragraph(scene, TextKind::note, clean(question.text), {0, 0}, 1060, 22) + 26;
  for (size_t i = 0; i < question.choices.size(); ++i) {
    SceneBox box;
    const std::string letter = letter_of(i);
    box.name = "answer " + letter;
    box.look = SceneBox::Look::filled;
    box.rect = {0, y, 760, 52};
    box.texts.push_back(text_at(TextKind::index, letter, {24, y + 33}, Anchor::start, Role::plain, 18));
    box.texts.push_back(text_at(TextKind::token, elided(clean(question.choices[i]), 18, 660), {70, y + 33},
                                Anchor::start, Role::plain, 18));
    scene.boxes.push_back(std::move(box));
    y += 68;
  }
  fit_page(scene);
  scene.steps.push_back({question.text, 0, false, false});
  for (size_t i = 0; i < question.choices.size(); ++i)
    scene.steps.push_back({join(letter_of(i), ": ", question.choices[i]), 0, false, false});
  scene.description = told(scene.steps);
  return page_of(join("Question ", number), scene, "The answer stands in the notes.",
                 join("Answer: ", letter_of(question.right), ". ", question.explanation));
}

}  // namespace

void add_insight(std::vector<Slide>& pages, const Trace& trace) {
  const Reading reading(trace);
  const int64_t last = reading.length() - 1;
  Scene scene;
  double y = 0;
  std::string notes;
  const auto say = [&](const std::string& text, const Sources& sources) {
    y = statement(scene, text, sources, y);
    notes += (notes.empty() ? "" : " ") + text;
    scene.steps.push_back({text, 0, false, true});
  };
  const auto look = sharpest(reading, last);
  if (const auto weights = look ? weights_of(reading, look->layer, look->head) : std::nullopt;
      look && weights) {
    const std::string query = label_of(reading, Axis::T, last), key = label_of(reading, Axis::S, look->most);
    const Source most = weights->source_at(last, look->most);
    const std::string share = join("(", written(most, look->most_weight), ")");
    const bool several = reading.layers() > 1 || reading.heads(look->layer) > 1;
    if (look->keys < 2)
      say(join("\"", query, "\" can only look at itself: there is nothing else it may attend to."), {});
    else if (several)
      say(join("Of all heads, head ", look->head, " of layer ", look->layer, " chooses most sharply for \"",
               query, "\": it looks at \"", key, "\" most ", share, "."),
          {{most, share}});
    else
      say(join("\"", query, "\" looks at \"", key, "\" most ", share, "."), {{most, share}});
    // The keys that the mask leaves are the first of the row, or all of it.
    bool first = look->keys > 1;
    for (int64_t s = 0; s < look->keys && first; ++s)
      first = !reading.masked(look->layer, look->head, last, s);
    if (first) {
      Source even = weights->row(last).whole(Source::Of::evenness);
      even.extent.back() = look->keys;
      const std::string value = join("(", written(even, trace), ")");
      say(join("Looking everywhere alike would give its weights an entropy of 1; they have ", value, ": ",
               look->evenness > 0.97   ? "it hardly chooses."
               : look->evenness > 0.75 ? "it leans, but hears everyone."
               : look->evenness > 0.4  ? "it chooses."
                                       : "it hears almost nobody else."),
          {{even, value}});
    }
  }
  if (const auto best = likeliest(reading, 2)) {
    const Source one = best->probs.source_at(best->row, best->places[0]),
                 two = best->probs.source_at(best->row, best->places[1]);
    const bool words = best->probs.row_axis >= 0;
    const std::string p = join("(", written(one, trace), ")"), q = join("(", written(two, trace), ")");
    say(join(words ? join("After \"", label_of(reading, Axis::T, last), "\" the likeliest next ",
                          reading.thing(Axis::T))
                   : std::string("The likeliest class"),
             " is \"", label_of(reading, Axis::V, best->places[0]), "\" ", p, ", then \"",
             label_of(reading, Axis::V, best->places[1]), "\" ", q, "."),
        {{one, p}, {two, q}});
  }
  if (scene.texts.empty()) return;
  fit_page(scene);
  scene.description = told(scene.steps);
  pages.push_back(page_of("Key insight", scene, "Computed from this very run.", notes));
}

void add_quiz(std::vector<Slide>& pages, const Trace& trace, const FigureOptions& o) {
  int number = 0;
  for (const Question& question : quiz(trace, {o.layer, o.head, o.token}))
    pages.push_back(page_of_question(question, ++number));
}

}  // namespace limpid::draw
