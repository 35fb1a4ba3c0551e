// The last pages of a deck: what this run shows, and questions about it.
#include <algorithm>
#include <cmath>

#include "draw/figures/deck.h"
#include "draw/figures/legend.h"
#include "trace/looks.h"
#include "trace/quiz.h"

namespace limpid::draw {

namespace {

constexpr double k_statement = 32, k_question = 32, k_choice = 28;

std::string label_of(const Reading& reading, Axis axis, int64_t place) {
  return word_of(reading, axis, place, k_statement, 320);
}

// The sources of a sentence's numbers, in order, and as they are written: "(0.38)".
using Sources = std::vector<std::pair<Source, std::string>>;

// A sentence with numbers, each with its source, in large letters; returns where the next begins.
double statement(Scene& scene, const std::string& text, const Sources& sources, double y, double width) {
  // One text a line; the sources go with the line that shows the number, in order.
  const size_t before = scene.texts.size();
  const double height = add_paragraph(scene, TextKind::note, text, {0, y}, width, k_statement);
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
  return y + height + 28;
}

std::string sharpness(double evenness) {
  return evenness > 0.97   ? "it hardly chooses."
         : evenness > 0.75 ? "it leans, but hears everyone."
         : evenness > 0.4  ? "it chooses."
                           : "it hears almost nobody else.";
}

class Insight {
 public:
  Insight(const Reading& reading, const FigureOptions& o) : reading_(reading), o_(o) {
    words_ = {"Key insight", "Computed from this very run.", "", ""};
  }

  void add(std::vector<Slide>& pages) {
    looking();
    expecting();
    if (scene_.texts.empty()) return;
    double right = 0;
    for (const SceneText& text : scene_.texts) right = std::max(right, text.bounds().right());
    scene_.width = right;
    scene_.height = y_ - 28;
    scene_.description = told(scene_.steps);
    pages.push_back(page_of(words_, scene_));
  }

 private:
  void say(const std::string& text, const Sources& sources) {
    y_ = statement(scene_, text, sources, y_, figure_area(words_).width - 4);
    words_.notes += (words_.notes.empty() ? "" : " ") + text;
    scene_.steps.push_back({text, 0, false, true});
  }

  // Of the head that the deck is about, and whether it is the one that chooses most sharply.
  void looking() {
    if (reading_.layers() == 0) return;
    const auto at = look(reading_, o_.layer, o_.head, o_.token);
    const auto weights = row_matrix_of(reading_.trace(), join("blocks.", o_.layer, ".attn.pattern"), Axis::T,
                                       Axis::S, o_.head, reading_.heads(o_.layer), o_.token);
    if (!at || !weights) return;
    const std::string query = label_of(reading_, Axis::T, o_.token),
                      key = label_of(reading_, Axis::S, at->most);
    const Source most = weights->source_at(o_.token, at->most);
    const std::string share = join("(", written(most, at->most_weight), ")");
    const FigureOptions sharpest = chosen(reading_, {-1, -1, o_.token});
    const bool several = reading_.layers() > 1 || reading_.heads(o_.layer) > 1;
    const bool is_sharpest = sharpest.layer == o_.layer && sharpest.head == o_.head;
    if (at->keys < 2)
      say(join("\"", query, "\" can only look at itself: there is nothing else it may attend to."), {});
    else if (several && is_sharpest)
      say(join("Of all heads, head ", o_.head, " of layer ", o_.layer, " chooses most sharply for \"", query,
               "\": it looks at \"", key, "\" most ", share, "."),
          {{most, share}});
    else
      say(join(several ? join("In layer ", o_.layer, ", head ", o_.head, ", ") : "", "\"", query,
               "\" looks at \"", key, "\" most ", share, "."),
          {{most, share}});
    // The keys that the mask leaves are the first of the row, or all of it.
    bool first = at->keys > 1;
    for (int64_t s = 0; s < at->keys && first; ++s) first = !reading_.masked(o_.layer, o_.head, o_.token, s);
    if (!first) return;
    Source even = weights->row(o_.token).whole(Source::Of::evenness);
    even.extent.back() = at->keys;
    const std::string value = written(even, reading_.trace());
    say(join("Looking everywhere alike would give its weights an entropy of 1; theirs is ", value, ": ",
             sharpness(at->evenness)),
        {{even, value}});
  }

  void expecting() {
    const auto probs = row_matrix_of(reading_.trace(), "probs", Axis::T, Axis::V, 0, 1, o_.token);
    if (!probs || probs->columns < 2) return;
    const bool words = reading_.predicts_each();
    const int64_t row = words ? o_.token : 0;
    int64_t one = 0, two = -1;
    for (int64_t v = 0; v < probs->columns; ++v) {
      if (!std::isfinite(probs->at(row, v))) return;
      if (probs->at(row, v) > probs->at(row, one)) one = v;
    }
    for (int64_t v = 0; v < probs->columns; ++v)
      if (v != one && (two < 0 || probs->at(row, v) > probs->at(row, two))) two = v;
    const Source first = probs->source_at(row, one), second = probs->source_at(row, two);
    const std::string p = join("(", written(first, probs->at(row, one)), ")"),
                      q = join("(", written(second, probs->at(row, two)), ")");
    say(join(reading_.likeliest(join("\"", label_of(reading_, Axis::T, row), "\""),
                                reading_.trace().words_of_pieces ? "token" : reading_.thing(Axis::T)),
             " is \"", label_of(reading_, Axis::V, one), "\" ", p, ", then \"",
             label_of(reading_, Axis::V, two), "\" ", q, "."),
        {{first, p}, {second, q}});
  }

  const Reading& reading_;
  FigureOptions o_;
  PageWords words_;
  Scene scene_;
  double y_ = 0;
};

Slide page_of_question(const Question& question, int number) {
  PageWords words = {join("Question ", number), "The answer stands in the notes.", "",
                     join("Answer: ", letter_of(question.right), ". ", question.explanation)};
  const Rect area = figure_area(words);
  Scene scene;
  double y =
      add_paragraph(scene, TextKind::note, clean(question.text), {0, 0}, area.width - 4, k_question) + 24;
  const double pitch =
      std::clamp((area.height - y) / static_cast<double>(question.choices.size()), 56.0, 84.0);
  for (size_t i = 0; i < question.choices.size(); ++i) {
    SceneBox box;
    const std::string letter = letter_of(i);
    box.name = "answer " + letter;
    box.look = SceneBox::Look::filled;
    box.rect = {0, y, area.width, pitch - 16};
    const double baseline = box.rect.centre().y + 0.36 * k_choice;
    box.texts.push_back(
        text_at(TextKind::index, letter, {28, baseline}, Anchor::start, Role::plain, k_choice));
    box.texts.push_back(text_at(TextKind::token,
                                elided(clean(question.choices[i]), k_choice, area.width - 110),
                                {84, baseline}, Anchor::start, Role::plain, k_choice));
    scene.boxes.push_back(std::move(box));
    y += pitch;
  }
  scene.width = area.width;
  scene.height = y - 16;
  scene.steps.push_back({question.text, 0, false, false});
  for (size_t i = 0; i < question.choices.size(); ++i)
    scene.steps.push_back({join(letter_of(i), ": ", question.choices[i]), 0, false, false});
  scene.description = told(scene.steps);
  return page_of(words, scene);
}

}  // namespace

void add_insight(std::vector<Slide>& pages, const Reading& reading, const FigureOptions& o) {
  Insight(reading, o).add(pages);
}

void add_quiz(std::vector<Slide>& pages, const Trace& trace, const FigureOptions& o) {
  int number = 0;
  for (const Question& question : quiz(trace, {o.layer, o.head, o.token}))
    pages.push_back(page_of_question(question, ++number));
}

}  // namespace limpid::draw
