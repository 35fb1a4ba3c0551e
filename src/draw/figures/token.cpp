// The token figure: one token's way through one head, with the numbers of the run.  Its query against each
// key, the scores, the weights, each value, their weighted sum.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "draw/figures/canvas.h"
#include "draw/figures/legend.h"
#include "draw/layout/layout.h"

namespace limpid {

using namespace draw;

namespace {

constexpr double k_row = 40, k_arrows = 84, k_number = 74, k_bar = 70, k_label = 96, k_beside_word = 6;

struct Key {
  int64_t place = 0;
  double weight = 0;
};

class TokenFigure {
 public:
  TokenFigure(const Trace& trace, const FigureOptions& o) : trace_(trace), reading_(trace), o_(o) {
    reading_.require_layer(o.layer);
    reading_.require_head(o.layer, o.head);
    query_ = o.token < 0 ? reading_.length() - 1 : o.token;
    if (query_ >= reading_.length())
      fail_call("token ", query_, " does not exist: the sentence has ", reading_.length(), " places, 0 to ",
                reading_.length() - 1);
    labels_ = token_labels(reading_);
    read();
    choose_keys();
  }

  Scene make() {
    scene_.title =
        join(quoted(labels_[static_cast<size_t>(query_)]), " in layer ", o_.layer, ", head ", o_.head);
    place_columns();
    write_sentence();
    write_headers();
    write_query();
    for (size_t i = 0; i < keys_.size(); ++i) write_key(i);
    write_rest();
    write_output();
    fit_page(scene_);
    scene_.description = told(scene_.steps);
    return std::move(scene_);
  }

 private:
  std::optional<Matrix> value(const std::string& name, Axis axis, Axis columns) const {
    auto m = matrix_of(trace_, join("blocks.", o_.layer, ".attn.", name), axis, columns, o_.head,
                       reading_.heads(o_.layer));
    if (!m && axis == Axis::S && columns == Axis::D)
      m = matrix_of(trace_, join("blocks.", o_.layer, ".attn.", name), Axis::T, columns, o_.head,
                    reading_.heads(o_.layer));
    return m;
  }

  // The query's own row.
  std::optional<Matrix> row(const std::string& name, Axis columns) const {
    return row_matrix_of(trace_, join("blocks.", o_.layer, ".attn.", name), Axis::T, columns, o_.head,
                         reading_.heads(o_.layer), query_);
  }

  void read() {
    q_ = row("rot_q", Axis::D);
    k_ = value("rot_k", Axis::S, Axis::D);
    if (!q_) q_ = row("q", Axis::D);
    if (!k_) k_ = value("k", Axis::S, Axis::D);
    v_ = value("v", Axis::S, Axis::D);
    z_ = row("z", Axis::D);
    dot_ = row("raw_scores", Axis::S);
    scaled_ = row("scaled_scores", Axis::S);
    pattern_ = row("pattern", Axis::S);
    for (const auto* needed : {&q_, &k_, &v_, &z_, &pattern_})
      if (!*needed)
        fail_call("token: the trace does not hold all of layer ", o_.layer,
                  "'s queries, keys, values, weights and their sum; trace with --observe blocks.", o_.layer,
                  ".attn.*");
  }

  // Those the mask leaves; of many, the ones with the largest weights, in the sentence's order.
  void choose_keys() {
    std::vector<Key> all;
    for (int64_t s = 0; s < pattern_->columns; ++s)
      if (!reading_.masked(o_.layer, o_.head, query_, s)) all.push_back({s, pattern_->at(query_, s)});
    std::stable_sort(all.begin(), all.end(), [](const Key& a, const Key& b) { return a.weight > b.weight; });
    const double rows = o_.height > 0 ? (o_.height - 150) / k_row : 12;
    const auto most = static_cast<size_t>(std::clamp(rows, 3.0, 12.0));
    for (size_t i = 0; i < all.size(); ++i) (i < most ? keys_ : rest_).push_back(all[i]);
    by_weight_ = keys_;
    std::sort(keys_.begin(), keys_.end(), [](const Key& a, const Key& b) { return a.place < b.place; });
    std::vector<int64_t> places;
    for (const Key& key : keys_) places.push_back(key.place);
    key_range_ = range_of(*k_, places);
    value_range_ = range_of(*v_, places);  // their weighted sum lies within
  }

  GridForm strip(const std::string& name, Role role,
                 std::optional<std::pair<double, double>> range = std::nullopt) const {
    GridForm form;
    form.name = name;
    form.role = role;
    form.cell_width = 42;
    form.most_width = 168;
    form.most_height = k_cell_height;
    form.range = range;
    return form;
  }
  double strip_width(const Matrix& m) const { return size_of(m.row(0), strip("", Role::plain)).width; }

  void place_columns() {
    double label = 0;
    for (const Key& key : keys_) label = std::max(label, text_width(name_of(key.place), k_small_size));
    label_width_ = std::max(std::min(label, k_label), 24.0);
    query_x_ = k_margin;
    key_x_ = query_x_ + std::max(strip_width(*q_), 80.0) + k_arrows;
    strip_x_ = key_x_ + label_width_ + 10;
    dot_x_ = strip_x_ + strip_width(*k_) + k_number;
    scaled_x_ = dot_x_ + (scaled_ ? k_number : 0);
    weight_x_ = scaled_x_ + k_number;
    bar_x_ = weight_x_ + 10;
    value_x_ = bar_x_ + k_bar + 18;
    output_x_ = value_x_ + strip_width(*v_) + k_arrows;
    top_ = k_margin + 96;
    middle_ =
        top_ +
        k_row * (static_cast<double>(std::max<size_t>(keys_.size(), 1)) + (rest_.empty() ? 0 : 0.6)) / 2;
  }

  std::string name_of(int64_t place) const {
    return elided(
        place < static_cast<int64_t>(labels_.size()) ? labels_[static_cast<size_t>(place)] : join("#", place),
        k_small_size, k_label);
  }
  double row_y(size_t i) const { return top_ + k_row * (static_cast<double>(i) + 0.5); }

  // "short" attends to "Life" (0.30), "is" (0.32) and "short" (0.38).
  void write_sentence() {
    const size_t count = std::min<size_t>(by_weight_.size(), 4);
    std::vector<Key> named(by_weight_.begin(), by_weight_.begin() + static_cast<std::ptrdiff_t>(count));
    const bool all = count == keys_.size() && rest_.empty();
    if (all)
      std::sort(named.begin(), named.end(), [](const Key& a, const Key& b) { return a.place < b.place; });
    std::vector<std::string> words;
    std::vector<Source> sources;
    for (const Key& key : named) {
      const Source source = pattern_->source_at(query_, key.place);
      words.push_back(join("\"", name_of(key.place), "\" (", written(source, key.weight), ")"));
      sources.push_back(source);
    }
    const std::string said =
        join("\"", name_of(query_), "\" attends ", all ? "to " : "most to ", listed(words));
    SceneText text =
        text_at(TextKind::number, said, {k_margin, k_margin + 18}, Anchor::start, Role::plain, 16);
    text.sources = sources;
    scene_.texts.push_back(text);
    const std::string where = join("Layer ", o_.layer, ", head ", o_.head, " of ", reading_.sentence());
    scene_.texts.push_back(
        text_at(TextKind::name, elided(clean(where), k_small_size, 900), {k_margin, k_margin + 40}));
    scene_.steps.push_back({said + ". " + where + ". From left to right:", 0, false, false});
  }

  void header(const std::string& words, double x, Anchor anchor, Role role = Role::plain) {
    scene_.texts.push_back(text_at(TextKind::name, words, {x, top_ - 12}, anchor, role));
  }

  void write_headers() {
    header("key", strip_x_, Anchor::start, Role::key);
    header("query \xc2\xb7 key", dot_x_, Anchor::end, Role::weights);
    if (scaled_)
      header(
          "\xc3\xb7 \xe2\x88\x9a"
          "D",
          scaled_x_, Anchor::end, Role::weights);
    header("weight", weight_x_, Anchor::end, Role::weights);
    header("value", value_x_, Anchor::start, Role::value);
    const std::string keys = keys_.size() == 1 ? "the key of " : "the keys of ";
    std::vector<std::string> words;
    for (const Key& key : keys_) words.push_back("\"" + name_of(key.place) + "\"");
    scene_.steps.push_back(
        {join("The query of \"", name_of(query_), "\": ", q_->columns, " numbers."), 0, false, true});
    scene_.steps.push_back(
        {join("An arrow goes from it to ", keys, listed(words), ", the wider the larger the weight."), 0,
         false, true});
  }

  void write_query() {
    const Matrix q = q_->row(query_);
    scene_.texts.push_back(text_at(TextKind::token, name_of(query_), {query_x_, middle_ - 22}, Anchor::start,
                                   Role::plain, k_label_size));
    scene_.texts.push_back(
        text_at(TextKind::name, "query", {query_x_, middle_ + 32}, Anchor::start, Role::query));
    add_grid(scene_, q, nullptr, strip("query", Role::query), {query_x_, middle_ - k_cell_height / 2});
    query_grid_ = last_grid();
  }

  SceneLine& arrow(const Key& key, Point from, Point to) {
    SceneLine line;
    line.name = join(name_of(query_), " attends to ", name_of(key.place));
    line.points = {from, to};
    line.role = Role::weights;
    line.width = 0.8 + 6 * std::clamp(key.weight, 0.0, 1.0);
    line.opacity = 0.35 + 0.65 * std::clamp(key.weight, 0.0, 1.0);
    line.arrow = true;
    line.source = pattern_->source_at(query_, key.place);
    scene_.lines.push_back(std::move(line));
    return scene_.lines.back();
  }

  LineEnd last_grid() const { return {LineEnd::On::grid, static_cast<int>(scene_.grids.size()) - 1}; }

  void write_key(size_t i) {
    const Key& key = keys_[i];
    const double y = row_y(i), baseline = y + 0.36 * k_small_size, corner = y - k_cell_height / 2;
    const std::string place = join(name_of(key.place), ", place ", key.place);
    SceneLine& to_key = arrow(key, {query_x_ + strip_width(*q_), middle_}, {key_x_ - k_beside_word, y});
    to_key.from = query_grid_;
    to_key.to = {LineEnd::On::box, static_cast<int>(scene_.boxes.size())};
    SceneBox word;
    word.name = "key of " + place;
    word.look = SceneBox::Look::bare;
    word.role = Role::key;
    word.rect = {key_x_ - k_beside_word, corner, label_width_ + 2 * k_beside_word, k_cell_height};
    word.texts.push_back(text_at(TextKind::token, name_of(key.place), {key_x_, baseline}, Anchor::start));
    scene_.boxes.push_back(std::move(word));
    add_grid(scene_, k_->row(key.place), nullptr, strip("key of " + place, Role::key, key_range_),
             {strip_x_, corner});
    std::string said = join("\"", name_of(key.place), "\": ");
    const auto number = [&](const std::optional<Matrix>& m, double x, const std::string& word) {
      if (!m) return;
      const SceneText text = number_at(m->source_at(query_, key.place), m->at(query_, key.place),
                                       {x, baseline}, Anchor::end, Role::weights);
      said += word + " " + text.text + ", ";
      scene_.texts.push_back(text);
    };
    number(dot_, dot_x_, "query times key is");
    if (scaled_) number(scaled_, scaled_x_, "scaled");
    const Source weight = pattern_->source_at(query_, key.place);
    const double length = k_bar * std::clamp(key.weight, 0.0, 1.0);
    if (length > 0.3)
      scene_.bars.push_back({"weight of " + place, {bar_x_, y - 7, length, 14}, Role::weights, 0.5, weight});
    const SceneText text = number_at(weight, key.weight, {weight_x_, baseline}, Anchor::end, Role::weights);
    said += join("after softmax its weight is ", text.text, ", by which its value counts.");
    scene_.texts.push_back(text);
    add_grid(scene_, v_->row(key.place), nullptr, strip("value of " + place, Role::value, value_range_),
             {value_x_, corner});
    arrow(key, {value_x_ + strip_width(*v_), y}, {output_x_, middle_}).from = last_grid();
    scene_.steps.push_back({said, 1, false, true});
  }

  void write_rest() {
    if (rest_.empty()) return;
    const Source source = pattern_->source_at(query_, rest_[0].place);
    const std::string words =
        join(rest_.size(), " more, each with a weight of at most ", written(source, rest_[0].weight));
    SceneText text =
        text_at(TextKind::number, "\xe2\x8b\xae  " + words, {key_x_, row_y(keys_.size()) - 6}, Anchor::start);
    text.sources = {source};
    scene_.texts.push_back(text);
    scene_.steps.push_back({words + ", are not drawn.", 1, false, false});
  }

  void write_output() {
    const Matrix z = z_->row(query_);
    add_grid(scene_, z, nullptr, strip("output", Role::value, value_range_),
             {output_x_, middle_ - k_cell_height / 2});
    for (SceneLine& line : scene_.lines)
      if (line.to.on == LineEnd::On::nothing) line.to = last_grid();
    scene_.texts.push_back(
        text_at(TextKind::name, "weighted sum", {output_x_, middle_ - 22}, Anchor::start, Role::value));
    scene_.texts.push_back(
        text_at(TextKind::name, "of the values", {output_x_, middle_ + 32}, Anchor::start, Role::value));
    scene_.steps.push_back({join("All values, each times its weight, add up to ", z.columns,
                                 " numbers: the output for \"", name_of(query_), "\"."),
                            0, false, true});
  }

  const Trace& trace_;
  Reading reading_;
  FigureOptions o_;
  int64_t query_ = 0;
  LineEnd query_grid_;
  std::vector<std::string> labels_;
  std::optional<Matrix> q_, k_, v_, z_, dot_, scaled_, pattern_;
  std::vector<Key> keys_, rest_, by_weight_;
  std::optional<std::pair<double, double>> key_range_, value_range_;  // of the keys and values that are drawn
  double label_width_ = 0, weight_x_ = 0, query_x_ = 0, key_x_ = 0, strip_x_ = 0, dot_x_ = 0, scaled_x_ = 0,
         bar_x_ = 0, value_x_ = 0, output_x_ = 0, top_ = 0, middle_ = 0;
  Scene scene_;
};

}  // namespace

Scene token_scene(const Trace& trace, const FigureOptions& o) { return TokenFigure(trace, o).make(); }

}  // namespace limpid
