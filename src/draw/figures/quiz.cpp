// The last pages of a deck: what this run shows, and three questions about it.
#include <algorithm>
#include <cmath>

#include "draw/figures/deck.h"
#include "draw/figures/legend.h"
#include "draw/layout/layout.h"
#include "trace/looks.h"

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

struct Question {
  std::string words, answer;
  std::vector<std::string> options;
};

Slide page_of_question(const Question& question, int number) {
  Scene scene;
  double y = add_paragraph(scene, TextKind::note, question.words, {0, 0}, 1060, 22) + 26;
  for (size_t i = 0; i < question.options.size(); ++i) {
    SceneBox box;
    const std::string letter(1, static_cast<char>('A' + i));
    box.name = "answer " + letter;
    box.look = SceneBox::Look::filled;
    box.rect = {0, y, 760, 52};
    box.texts.push_back(text_at(TextKind::index, letter, {24, y + 33}, Anchor::start, Role::plain, 18));
    box.texts.push_back(text_at(TextKind::token, elided(question.options[i], 18, 660), {70, y + 33},
                                Anchor::start, Role::plain, 18));
    scene.boxes.push_back(std::move(box));
    y += 68;
  }
  fit_page(scene);
  scene.steps.push_back({question.words, 0, false, false});
  for (size_t i = 0; i < question.options.size(); ++i)
    scene.steps.push_back({join(static_cast<char>('A' + i), ": ", question.options[i]), 0, false, false});
  scene.description = told(scene.steps);
  return page_of(join("Question ", number), scene, "The answer stands in the notes.",
                 "Answer: " + question.answer);
}

// Up to four different labels, the right one among them, in the alphabet's order, so that its place tells
// nothing.
std::vector<std::string> options_of(std::vector<std::string> labels) {
  std::vector<std::string> out;
  for (std::string& label : labels)
    if (out.size() < 4 && std::find(out.begin(), out.end(), label) == out.end())
      out.push_back(std::move(label));
  std::sort(out.begin(), out.end());
  return out;
}

std::string letter_of(const std::vector<std::string>& options, const std::string& right) {
  const auto at = std::find(options.begin(), options.end(), right) - options.begin();
  return std::string(1, static_cast<char>('A' + at));
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
  const Reading reading(trace);
  const int64_t last = reading.length() - 1;
  std::vector<Question> questions;
  const auto weights = reading.layers() > 0 ? weights_of(reading, o.layer, o.head) : std::nullopt;
  const auto look_at = weights ? look(reading, o.layer, o.head, last) : std::nullopt;
  if (look_at && look_at->keys > 1) {
    Question q;
    const std::string query = label_of(reading, Axis::T, last),
                      right = label_of(reading, Axis::S, look_at->most);
    std::vector<std::string> labels = {right};
    for (int64_t s = last; s >= 0; --s) labels.push_back(label_of(reading, Axis::S, s));
    q.options = options_of(labels);
    q.words = join("In layer ", o.layer, ", head ", o.head, ": which ", reading.thing(Axis::T), " does \"",
                   query, "\" look at most?");
    const Source source = weights->source_at(last, look_at->most);
    q.answer = join(letter_of(q.options, right), ", \"", right, "\", with a weight of ",
                    written(source, look_at->most_weight), ".");
    questions.push_back(std::move(q));
  }
  if (look_at) {
    Question q;
    // Whether the first token may look at the last tells a causal mask from none.
    const bool causal = last > 0 && reading.masked(o.layer, o.head, 0, last);
    const std::string first = label_of(reading, Axis::T, 0), thing = reading.thing(Axis::T);
    q.words = causal ? join("Why is most of the row of \"", first, "\" in the map of weights empty?")
                     : join("What do the weights in the row of \"", first, "\" add up to?");
    if (causal) {
      q.options = {"It is the shortest " + thing,
                   join("It may only look at itself: later ", thing, "s are masked"), "Its query is zero",
                   "Softmax rounds small weights to zero"};
      q.answer = join("B. A mask hides what comes later, so the first ", thing,
                      " has nobody to look at but itself.");
    } else {
      q.options = {"To the number of " + thing + "s", "To the width of a head", "To one", "To anything"};
      q.answer = "C. Softmax makes every row of weights add up to one, with or without a mask.";
    }
    questions.push_back(std::move(q));
  }
  if (const auto best = likeliest(reading, 4)) {
    Question q;
    std::vector<std::string> labels;
    for (int64_t place : best->places) labels.push_back(label_of(reading, Axis::V, place));
    const std::string right = labels[0];
    q.options = options_of(labels);
    q.words = best->probs.row_axis >= 0 ? join("Which ", reading.thing(Axis::T),
                                               " does the network expect after ", reading.sentence(), "?")
                                        : std::string("Which class does the network expect?");
    q.answer = join(letter_of(q.options, right), ", \"", right, "\", with a probability of ",
                    written(best->probs.source_at(best->row, best->places[0]), trace), ".");
    questions.push_back(std::move(q));
  }
  for (size_t i = 0; i < questions.size(); ++i)
    pages.push_back(page_of_question(questions[i], static_cast<int>(i) + 1));
}

}  // namespace limpid::draw
