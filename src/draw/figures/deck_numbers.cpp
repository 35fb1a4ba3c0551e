// A head's equations with the numbers of the run, one a page; and one token's way through it.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "draw/figures/deck.h"
#include "draw/figures/edits.h"
#include "draw/figures/legend.h"
#include "draw/scene/typeset.h"

namespace limpid::draw {

// ---- equations -----------------------------------------------------------------------------------

namespace {

constexpr double k_scale = 2;  // what the matrix figure writes at 12 is 24 on the page

// Parts first to last - 1 of an equation, as one of its own.
Equation slice(const Equation& e, size_t first, size_t last) {
  Equation out = e;
  out.parts.assign(e.parts.begin() + static_cast<std::ptrdiff_t>(first),
                   e.parts.begin() + static_cast<std::ptrdiff_t>(std::min(last, e.parts.size())));
  const auto between = [&](const std::vector<std::string>& all) {
    std::vector<std::string> some;
    for (size_t i = first; i + 1 < last && i < all.size(); ++i) some.push_back(all[i]);
    return some;
  };
  out.signs = between(e.signs);
  out.under = between(e.under);
  out.severed = std::find(out.signs.begin(), out.signs.end(), k_severed) != out.signs.end();
  return out;
}

struct NumbersPage {
  std::string title, equation;
  Equation figure;
};

// Words that the sign's room on a page does not hold are said in the equation below.
void shorten(Equation& e) {
  for (Part& part : e.parts)
    if (const size_t comma = part.symbol.find(", turned"); comma != part.symbol.npos)
      part.symbol = "rot " + part.symbol.substr(0, comma);
}

std::vector<NumbersPage> pages_of(const Reading& reading, const FigureOptions& o) {
  std::vector<NumbersPage> out;
  const std::string blocks = join("blocks.", o.layer, ".attn.");
  for (Equation e : equations_of(reading, o.layer, o.head)) {
    shorten(e);
    if (e.line == Equation::Line::projection && e.parts.size() > 1) {
      std::string symbol = e.parts.back().symbol;
      if (symbol.starts_with(k_pencil)) symbol.erase(0, k_pencil.size());
      const bool bias = reading.graph().find(join(blocks, "b_", symbol)) >= 0;
      const std::string what = symbol == "Q" ? "queries" : symbol == "K" ? "keys" : "values";
      out.push_back(
          {"The numbers: " + what, join(symbol, " = X W_", symbol, bias ? " + b_" + symbol : ""), e});
    } else if (e.line == Equation::Line::scores) {
      const size_t scores = e.parts.size() > 3 ? 3 : e.parts.size();
      const bool softmax = e.parts.size() > 3;
      out.push_back({softmax ? "The numbers: scores" : "The numbers: scores and weights",
                     softmax                      ? "scores = Q K^T / sqrt(D)"
                     : reading.has_sinks(o.layer) ? "weights = softmax(Q K^T / sqrt(D)) beside a sink"
                                                  : "weights = softmax(Q K^T / sqrt(D))",
                     slice(e, 0, scores)});
      if (softmax)
        out.push_back({"The numbers: weights",
                       reading.has_sinks(o.layer) ? "A[t,s] = exp(Z[t,s]) / (exp(sink) + sum_s' exp(Z[t,s']))"
                                                  : "A[t,s] = exp(Z[t,s]) / sum_s' exp(Z[t,s'])",
                       slice(e, 2, 4)});
    } else if (e.line == Equation::Line::output) {
      out.push_back({"The numbers: the output", "z[t] = sum_s A[t,s] v[s]", e});
    }
  }
  return out;
}

// As large as the page with these words lets it be.
Scene drawn(const Equation& figure, const PageWords& words, const std::string& name, const Edits& edits) {
  const Rect area = figure_area(words);
  Scene scene;
  add_equation(scene, figure, fitting({figure}, {area.width / k_scale - 4, area.height / k_scale - 4}, 0),
               name, {0, 0}, edits);
  return scene;
}

}  // namespace

void add_numbers(std::vector<Slide>& pages, const Reading& reading, const FigureOptions& o) {
  const Edits edits(reading.trace());
  int line = 0;
  for (const NumbersPage& page : pages_of(reading, o)) {
    PageWords words = {page.title, join(page.figure.words, ". Layer ", o.layer, ", head ", o.head, "."),
                       page.equation, page.figure.said};
    if (page.figure.line == Equation::Line::scores && page.figure.parts.size() == 2)
      words.foot = join("Softmax turns every row of scores into ", reading.weights_said(o.layer), ". Layer ",
                        o.layer, ", head ", o.head, ".");
    if (page.figure.severed) {
      words.foot += " What follows the bar was edited: it is not computed from what stands before it.";
      words.equation = k_unedited + words.equation;
    }
    Scene scene = drawn(page.figure, words, join("line ", ++line), edits);
    if (std::any_of(scene.grids.begin(), scene.grids.end(), [](const SceneGrid& g) { return g.pooled(); })) {
      words.foot += " Cells are means of several.";
      scene = drawn(page.figure, words, join("line ", line), edits);
    }
    double right = 0, bottom = 0;
    for (SceneText& text : scene.texts) {
      if (text.text.find('_') != text.text.npos &&
          (text.kind == TextKind::title || text.kind == TextKind::name))
        text = typeset(text);
      right = std::max(right, text.bounds().right()), bottom = std::max(bottom, text.bounds().bottom());
    }
    for (const SceneGrid& grid : scene.grids)
      right = std::max(right, grid.rect.right()), bottom = std::max(bottom, grid.rect.bottom());
    scene.width = right;
    scene.height = bottom;
    scene.description = page.figure.said;
    pages.push_back(page_of(words, scene));
  }
}

// ---- one token -----------------------------------------------------------------------------------

namespace {

constexpr double k_word = 28, k_number = 26, k_word_width = 240, k_header = 44;
constexpr double k_most_line = 90, k_least_line = 42;

struct Key {
  int64_t place = 0;
  double weight = 0;
};

class TokenPages {
 public:
  TokenPages(const Reading& reading, const FigureOptions& o)
      : reading_(reading), edits_(reading.trace()), o_(o) {
    const auto value = [&](const char* name, Axis rows, Axis columns) {
      auto m = matrix_of(reading.trace(), join("blocks.", o.layer, ".attn.", name), rows, columns, o.head,
                         reading.heads(o.layer));
      if (!m && rows == Axis::S && columns == Axis::D)
        m = matrix_of(reading.trace(), join("blocks.", o.layer, ".attn.", name), Axis::T, columns, o.head,
                      reading.heads(o.layer));
      return m;
    };
    const auto row = [&](const char* name, Axis columns) {
      return row_matrix_of(reading.trace(), join("blocks.", o.layer, ".attn.", name), Axis::T, columns,
                           o.head, reading.heads(o.layer), o.token);
    };
    dot_ = row("raw_scores", Axis::S);
    scaled_ = row("scaled_scores", Axis::S);
    pattern_ = row("pattern", Axis::S);
    v_ = value("v", Axis::S, Axis::D);
    z_ = row("z", Axis::D);
    query_ = o.token;
  }

  void add(std::vector<Slide>& pages) {
    if (!pattern_) return;
    name_ = word_of(reading_, Axis::T, query_, k_word, k_word_width);
    scores(pages);
    if (v_ && z_) values(pages);
  }

 private:
  // Those the mask leaves; of many, the ones with the largest weights, in the sentence's order.
  std::vector<Key> heaviest(size_t most) {
    std::vector<Key> all;
    for (int64_t s = 0; s < pattern_->columns; ++s)
      if (!reading_.masked(o_.layer, o_.head, query_, s)) all.push_back({s, pattern_->at(query_, s)});
    std::stable_sort(all.begin(), all.end(), [](const Key& a, const Key& b) { return a.weight > b.weight; });
    rest_.assign(all.begin() + static_cast<std::ptrdiff_t>(std::min(most, all.size())), all.end());
    all.resize(std::min(most, all.size()));
    std::sort(all.begin(), all.end(), [](const Key& a, const Key& b) { return a.place < b.place; });
    return all;
  }

  static size_t rows_in(double height) { return static_cast<size_t>(std::max(1.0, height / k_least_line)); }

  void rest(Scene& scene, double y) {
    if (rest_.empty()) return;
    const Source source = pattern_->source_at(query_, rest_[0].place);
    const std::string most = written(source, rest_[0].weight);
    SceneText text = text_at(
        TextKind::number,
        join(rest_.size(), " more, each with a weight ", most.starts_with("<") ? "" : "of at most ", most),
        {0, y + 26}, Anchor::start, Role::plain, k_hall_size);
    text.sources = {source};
    scene.texts.push_back(text);
  }

  std::string word(int64_t place) const { return word_of(reading_, Axis::S, place, k_word, k_word_width); }

  void scores(std::vector<Slide>& pages) {
    const std::string edit = edit_of_weights();
    const std::string said =
        join(edit.empty()
                 ? join("Its query against every key: dot product, scaled, and softmax makes ",
                        reading_.weights_said(o_.layer), ".", cut_words())
                 : join("Its query against every key. Edited on the way (", elided(edit, k_hall_size, 500),
                        "): what is marked is not computed from what stands before it."),
             " Layer ", o_.layer, ", head ", o_.head, ".");
    PageWords words = {join("\"", name_, "\": who it looks at"), said, "", ""};
    const Rect area = figure_area(words);
    std::vector<Key> keys = heaviest(rows_in(area.height - k_header));
    if (!rest_.empty()) keys = heaviest(rows_in(area.height - k_header - 36));
    const double row = std::clamp((area.height - k_header - (rest_.empty() ? 0 : 36)) /
                                      static_cast<double>(std::max<size_t>(keys.size(), 1)),
                                  k_least_line, k_most_line);
    const double dot_x = k_word_width + 170, scaled_x = dot_x + 160, weight_x = scaled_x + 160,
                 bar_x = weight_x + 24, bar_width = area.width - bar_x - 4;
    Scene scene;
    const auto header = [&](SceneText text) {
      text.at.y = 28;
      scene.texts.push_back(std::move(text));
    };
    const auto column = [&](const std::string& words_of_it, double x) {
      header(typeset(text_at(TextKind::name, words_of_it, {x, 0}, Anchor::end, Role::weights, k_hall_size)));
    };
    header(text_at(TextKind::name, pencil(edit_of("k", false)) + "key", {0, 0}, Anchor::start, Role::key,
                   k_hall_size));
    if (dot_) column(edit_of("raw_scores").empty() ? "q . k" : k_pencil + "score", dot_x);
    if (scaled_) column(edit_of("scaled_scores").empty() ? "q . k / sqrt(D)" : k_pencil + "scaled", scaled_x);
    column(pencil(edit) + "weight", weight_x);
    scene.steps.push_back({join("The query of \"", name_, "\" against the keys:"), 0, false, false});
    double y = k_header;
    for (const Key& key : keys) {
      const double baseline = y + row / 2 + 0.36 * k_number;
      scene.texts.push_back(
          text_at(TextKind::token, word(key.place), {0, baseline}, Anchor::start, Role::plain, k_word));
      std::string line = join("\"", word(key.place), "\":");
      const auto number = [&](const std::optional<Matrix>& m, double x, const char* what) {
        if (!m) return;
        scene.texts.push_back(number_at(m->source_at(query_, key.place), m->at(query_, key.place),
                                        {x, baseline}, Anchor::end, Role::weights, k_number));
        line += join(" ", what, " ", scene.texts.back().text, ",");
      };
      number(dot_, dot_x, "query times key");
      number(scaled_, scaled_x, "scaled");
      number(pattern_, weight_x, "weight");
      line.back() = '.';
      if (const double length = bar_width * std::clamp(key.weight, 0.0, 1.0); length > 0.5)
        scene.bars.push_back({join("weight of ", word(key.place), ", place ", key.place),
                              {bar_x, y + row / 2 - 0.3 * row, length, 0.6 * row},
                              Role::weights,
                              0.5,
                              pattern_->source_at(query_, key.place)});
      scene.steps.push_back({line, 0, false, true});
      y += row;
    }
    rest(scene, y);
    scene.width = area.width;
    scene.height = y + (rest_.empty() ? 0 : 36);
    finish(pages, words, std::move(scene));
  }

  void values(std::vector<Slide>& pages) {
    PageWords words = {join("\"", name_, "\": what it gathers"),
                       join("Each value counts by its weight; their sum is the output. Layer ", o_.layer,
                            ", head ", o_.head, "."),
                       "z[t] = sum_s A[t,s] v[s]", ""};
    const std::string edit = edit_of("z");
    if (!edit.empty()) {
      words.foot = join("The output was edited (", elided(edit, k_hall_size, 500),
                        "): it is not the sum of the values. Layer ", o_.layer, ", head ", o_.head, ".");
      words.equation = k_unedited + words.equation;
    }
    const Rect area = figure_area(words);
    constexpr double k_sum = 66;
    std::vector<Key> keys = heaviest(rows_in(area.height - k_sum));
    if (!rest_.empty()) keys = heaviest(rows_in(area.height - k_sum - 36));
    const double row = std::clamp((area.height - k_sum - (rest_.empty() ? 0 : 36)) /
                                      static_cast<double>(std::max<size_t>(keys.size(), 1)),
                                  k_least_line, k_most_line);
    const double weight_x = k_word_width + 150, strip_x = weight_x + 50;
    std::vector<int64_t> places;
    for (const Key& key : keys) places.push_back(key.place);
    const auto range = range_of(*v_, places);
    Scene scene;
    double y = 0;
    for (const Key& key : keys) {
      const double baseline = y + row / 2 + 0.36 * k_number;
      const std::string name = word(key.place);
      scene.texts.push_back(
          text_at(TextKind::token, name, {0, baseline}, Anchor::start, Role::plain, k_word));
      scene.texts.push_back(number_at(pattern_->source_at(query_, key.place), key.weight,
                                      {weight_x, baseline}, Anchor::end, Role::weights, k_number));
      scene.texts.push_back(text_at(TextKind::label, "\xc3\x97", {weight_x + 25, baseline}, Anchor::middle,
                                    Role::plain, k_number));
      strip(scene, v_->row(key.place), join("value of ", name, ", place ", key.place),
            {strip_x, y + 3, area.width - strip_x, row - 6}, range);
      scene.steps.push_back(
          {join("The value of \"", name, "\" times ", scene.texts[scene.texts.size() - 2].text, "."), 0,
           false, true});
      y += row;
    }
    rest(scene, y);
    if (!rest_.empty()) y += 36;
    SceneLine rule;
    rule.name = "sum";
    rule.points = {{0, y + 6}, {area.width, y + 6}};
    rule.faint = true;
    scene.lines.push_back(rule);
    scene.texts.push_back(
        text_at(TextKind::name, join(pencil(edit), "output for \"", elided(name_, k_hall_size, 170), "\""),
                {0, y + 16 + 25 + 0.36 * k_number}, Anchor::start, Role::value, k_hall_size));
    strip(scene, z_->row(query_), "output", {strip_x, y + 16, area.width - strip_x, 50 - 2}, range);
    scene.steps.push_back({edit.empty() ? join("Together they are the output for \"", name_, "\".")
                                        : join("The output for \"", name_, "\" was edited: ", edit, "."),
                           0, false, true});
    scene.width = area.width;
    scene.height = y + k_sum;
    finish(pages, words, std::move(scene));
  }

  void strip(Scene& scene, const Matrix& m, const std::string& name, const Rect& room,
             const std::pair<double, double>& range) const {
    SceneGrid grid = grid_of(m, nullptr, 1, static_cast<int64_t>(room.width / k_least_cell));
    grid.name = name;
    grid.role = Role::value;
    const double cell = std::min(100.0, room.width / static_cast<double>(grid.columns));
    grid.rect = {room.x, room.y, cell * static_cast<double>(grid.columns), room.height};
    if (!grid.pooled()) std::tie(grid.low, grid.high) = range;
    double widest = 0;
    for (int64_t c = 0; c < m.columns; ++c)
      widest = std::max(widest, text_width(written(m.source, m.at(0, c)), 1));
    const double size = std::min(k_number, (cell - 8) / std::max(widest, 0.1));
    if (!grid.pooled() && size >= k_hall_cell_size)
      for (int64_t c = 0; c < grid.columns; ++c)
        if (const auto shade = grid.shade(0, c)) {
          const Point middle = grid.cell(0, c).centre();
          SceneText text = number_at(m.source_at(0, c), m.at(0, c), {middle.x, middle.y + 0.36 * size},
                                     Anchor::middle, Role::value, size);
          text.ground = *shade;
          grid.texts.push_back(text);
        }
    scene.grids.push_back(std::move(grid));
  }

  static void finish(std::vector<Slide>& pages, const PageWords& words, Scene scene) {
    scene.description = told(scene.steps);
    pages.push_back(page_of(words, scene));
  }

  // What an edit made of this head of a value, in the query's row where it counts queries; cut edges are in
  // what the mask leaves.
  std::string edit_of(const char* name, bool by_query = true) const {
    return edits_.of(join("blocks.", o_.layer, ".attn.", name), {o_.head, by_query ? query_ : -1, false});
  }
  std::string edit_of_weights() const {
    std::string out;
    for (const char* name : {"raw_scores", "scaled_scores", "scores", "pattern"})
      if (const std::string edit = edit_of(name); !edit.empty()) out += (out.empty() ? "" : "; ") + edit;
    return out;
  }
  // The keys whose edges an edit took away: they are not among those that the query sees.
  std::string cut_words() const {
    std::string out;
    for (const auto& [query, key] : edits_.cut(o_.layer, o_.head))
      if (query == query_) out += join(out.empty() ? " \xc3\x97 edges cut: " : ", ", "\"", word(key), "\"");
    return out.empty() ? "" : out + ".";
  }
  static std::string pencil(const std::string& edit) { return edit.empty() ? "" : k_pencil; }

  const Reading& reading_;
  Edits edits_;
  FigureOptions o_;
  int64_t query_ = 0;
  std::string name_;
  std::optional<Matrix> dot_, scaled_, pattern_, v_, z_;
  std::vector<Key> rest_;
};

}  // namespace

void add_token(std::vector<Slide>& pages, const Reading& reading, const FigureOptions& o) {
  TokenPages(reading, o).add(pages);
}

}  // namespace limpid::draw
