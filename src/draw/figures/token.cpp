// The token figure: one token's way through one head, with the numbers of the run.  Its query against each
// key, the scores, the weights, each value, their weighted sum.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "draw/figures/canvas.h"
#include "draw/figures/edits.h"
#include "draw/figures/legend.h"
#include "draw/layout/layout.h"

namespace limpid {

using namespace draw;

namespace {

constexpr double k_row = 40, k_arrows = 84, k_number = 74, k_bar = 70, k_label = 96, k_beside_word = 6;

struct Key {
  int64_t place = 0;
  double weight = 0;
  bool cut = false;  // an edit took the edge to it away
};

class TokenFigure {
 public:
  TokenFigure(const Trace& trace, const FigureOptions& o)
      : trace_(trace), reading_(trace), edits_(trace), o_(o) {
    reading_.require_layer(o.layer);
    reading_.require_head(o.layer, o.head);
    query_ = o.token < 0 ? reading_.length() - 1 : o.token;
    if (query_ >= reading_.length())
      fail_call("token ", query_, " does not exist: the sentence has ", reading_.length(), " places, 0 to ",
                reading_.length() - 1);
    labels_ = token_labels(reading_);
    key_labels_ = token_labels(reading_, Axis::S);
    narrow_ = o.width < 760;
    read();
    choose_keys();
  }

  Scene make() {
    scene_.title = join("\"", told_apart(labels_, query_, 140), "\" in layer ", o_.layer, ", head ", o_.head);
    place_columns();
    write_sentence();
    write_headers();
    write_query();
    for (size_t i = 0; i < keys_.size(); ++i) write_key(i);
    write_rest();
    write_output();
    fit_page(scene_);
    scene_.description = told(scene_.steps);
    add_edits(scene_, edits_);
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

  // What an edit made of this head of the value that a matrix shows, in the query's row where it counts
  // queries; cut edges are drawn as such.  Empty: nothing.
  std::string edit_of(const std::string& name, bool by_query) const {
    return edits_.of(name, {o_.head, by_query ? query_ : -1, false});
  }
  std::string edit_of(const std::optional<Matrix>& m) const {
    return m ? edit_of(m->source.stage, &m != &k_ && &m != &v_) : "";
  }
  static std::string pencil(const std::string& edit) { return edit.empty() ? "" : k_pencil; }
  // Whether the weights are the softmax of the dot products: no score on the way was edited.
  bool weights_computed() const {
    return edit_of(dot_).empty() && edit_of(scaled_).empty() && edit_of(pattern_).empty() &&
           edit_of(join("blocks.", o_.layer, ".attn.scores"), true).empty();
  }

  // Those the mask leaves, and those whose edges were cut; of many, the ones with the largest weights, in the
  // sentence's order.
  void choose_keys() {
    std::vector<Key> all;
    std::set<int64_t> cut;
    for (const auto& [query, key] : edits_.cut(o_.layer, o_.head))
      if (query == query_) cut.insert(key);
    // Where the weights were edited, a weight of 0 does not tell what the mask takes away.
    const bool told =
        edit_of(pattern_).empty() || matrix_of(trace_, join("blocks.", o_.layer, ".attn.scores"), Axis::T,
                                               Axis::S, o_.head, reading_.heads(o_.layer));
    for (int64_t s = 0; s < pattern_->columns; ++s)
      if (cut.count(s) > 0 || !told || !reading_.masked(o_.layer, o_.head, query_, s))
        all.push_back({s, pattern_->at(query_, s), cut.count(s) > 0});
    std::stable_sort(all.begin(), all.end(),
                     [](const Key& a, const Key& b) { return a.cut != b.cut ? a.cut : a.weight > b.weight; });
    const double rows = o_.height > 0 ? (o_.height - 150) / k_row : 12;
    const auto most = static_cast<size_t>(std::clamp(rows, 3.0, 12.0));
    for (size_t i = 0; i < all.size(); ++i) (i < most ? keys_ : rest_).push_back(all[i]);
    by_weight_ = keys_;
    std::erase_if(by_weight_, [](const Key& key) { return key.cut; });
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
    form.cell_width = narrow_ ? 16 : 42;
    form.most_width = narrow_ ? 64 : 168;
    form.most_height = k_cell_height;
    form.range = range;
    return form;
  }
  double strip_width(const Matrix& m) const { return size_of(m.row(0), strip("", Role::plain)).width; }

  void place_columns() {
    double label = 0;
    for (const Key& key : keys_) label = std::max(label, text_width(name_of(key.place), k_small_size));
    label_width_ = std::max(std::min(label, k_label), 24.0);
    if (narrow_) label_width_ = std::min(label_width_, 60.0);
    const double arrows = narrow_ ? 34 : k_arrows, number = narrow_ ? 58 : k_number;
    query_x_ = k_margin;
    key_x_ = query_x_ + std::max(strip_width(*q_), 80.0) + arrows;
    strip_x_ = key_x_ + label_width_ + 10;
    dot_x_ = strip_x_ + strip_width(*k_) + (narrow_ ? 70 : number);
    scaled_x_ = dot_x_ + (scaled_ ? number : 0);
    weight_x_ = scaled_x_ + number;
    bar_x_ = weight_x_ + 10;
    value_x_ = narrow_ ? strip_x_ : bar_x_ + k_bar + 18;
    output_x_ = value_x_ + strip_width(*v_) + k_arrows;
    top_ = k_margin + (narrow_ ? 120 : 96);
    middle_ =
        top_ +
        k_row * (static_cast<double>(std::max<size_t>(keys_.size(), 1)) + (rest_.empty() ? 0 : 0.6)) / 2;
    below_ = narrow_ ? 2 * (middle_ - top_) + 46 : 0;
  }

  std::string name_in(const std::vector<std::string>& labels, int64_t place) const {
    return elided(
        place < static_cast<int64_t>(labels.size()) ? labels[static_cast<size_t>(place)] : join("#", place),
        k_small_size, narrow_ ? 60 : k_label);
  }
  std::string name_of(int64_t key) const { return name_in(key_labels_, key); }
  std::string query_name() const { return name_in(labels_, query_); }
  double row_y(size_t i) const { return top_ + k_row * (static_cast<double>(i) + 0.5); }

  // "short" attends to "Life" (0.30), "is" (0.32) and "short" (0.38).
  void write_sentence() {
    const size_t count = std::min<size_t>(by_weight_.size(), 4);
    std::vector<Key> named(by_weight_.begin(), by_weight_.begin() + static_cast<std::ptrdiff_t>(count));
    const bool all = count == by_weight_.size() && rest_.empty();
    if (all)
      std::sort(named.begin(), named.end(), [](const Key& a, const Key& b) { return a.place < b.place; });
    std::vector<std::string> words;
    std::vector<Source> sources;
    for (const Key& key : named) {
      const Source source = pattern_->source_at(query_, key.place);
      words.push_back(
          join("\"", told_apart(key_labels_, key.place, k_label), "\" (", written(source, key.weight), ")"));
      sources.push_back(source);
    }
    const std::string said = words.empty()
                                 ? join("\"", told_apart(labels_, query_, k_label), "\" attends to nothing")
                                 : join("\"", told_apart(labels_, query_, k_label), "\" attends ",
                                        all ? "to " : "most to ", listed(words));
    const std::string where = join("Layer ", o_.layer, ", head ", o_.head, " of ", reading_.sentence());
    if (narrow_) {  // the weights stand in the rows below
      scene_.texts.push_back(text_at(TextKind::title,
                                     join("Whom \"", told_apart(labels_, query_, k_label), "\" attends to"),
                                     {k_margin, k_margin + 14}, Anchor::start, Role::plain, k_title_size));
      add_paragraph(scene_, TextKind::name, clean(where), {k_margin, k_margin + 24}, o_.width - 2 * k_margin);
    } else {
      SceneText text = text_at(words.empty() ? TextKind::title : TextKind::number, said,
                               {k_margin, k_margin + 18}, Anchor::start, Role::plain, 16);
      text.sources = sources;
      scene_.texts.push_back(text);
      scene_.texts.push_back(
          text_at(TextKind::name, elided(clean(where), k_small_size, 900), {k_margin, k_margin + 40}));
    }
    scene_.steps.push_back({said + ". " + where + ". From left to right:", 0, false, false});
  }

  void header(const std::string& words, double x, Anchor anchor, Role role = Role::plain, double lower = 0) {
    scene_.texts.push_back(text_at(TextKind::name, words, {x, top_ - 12 + lower}, anchor, role));
  }

  void write_headers() {
    header(pencil(edit_of(k_)) + "key", strip_x_, Anchor::start, Role::key);
    header(edit_of(dot_).empty() ? "query \xc2\xb7 key" : k_pencil + "score", dot_x_, Anchor::end,
           Role::weights);
    if (scaled_)
      header(edit_of(scaled_).empty() ? "\xc3\xb7 \xe2\x88\x9a"
                                        "D"
                                      : k_pencil + "scaled",
             scaled_x_, Anchor::end, Role::weights);
    header(pencil(weights_computed() ? "" : "edited") + "weight", weight_x_, Anchor::end, Role::weights);
    header(pencil(edit_of(v_)) + "value", value_x_, Anchor::start, Role::value, below_);
    const std::string keys = keys_.size() == 1 ? "the key of " : "the keys of ";
    std::vector<std::string> words;
    for (const Key& key : keys_) words.push_back("\"" + name_of(key.place) + "\"");
    scene_.steps.push_back(
        {join("The query of \"", query_name(), "\": ", q_->columns, " numbers."), 0, false, true});
    scene_.steps.push_back(
        {join("An arrow goes from it to ", keys, listed(words), ", the wider the larger the weight."), 0,
         false, true});
  }

  void write_query() {
    const Matrix q = q_->row(query_);
    scene_.texts.push_back(text_at(TextKind::token, query_name(), {query_x_, middle_ - 22}, Anchor::start,
                                   Role::plain, k_label_size));
    scene_.texts.push_back(text_at(TextKind::name, pencil(edit_of(q_)) + "query", {query_x_, middle_ + 32},
                                   Anchor::start, Role::query));
    add_grid(scene_, q, nullptr, strip("query", Role::query), {query_x_, middle_ - k_cell_height / 2});
    query_grid_ = last_grid();
  }

  // Dashed and without its head where what it leads to was edited.
  SceneLine& arrow(const Key& key, Point from, Point to, bool computed) {
    SceneLine line;
    line.name = join(query_name(), " attends to ", name_of(key.place));
    line.points = {from, to};
    line.role = Role::weights;
    line.width = 0.8 + 6 * std::clamp(key.weight, 0.0, 1.0);
    line.opacity = 0.35 + 0.65 * std::clamp(key.weight, 0.0, 1.0);
    line.arrow = computed;
    line.dashed = !computed;
    line.source = pattern_->source_at(query_, key.place);
    scene_.lines.push_back(std::move(line));
    return scene_.lines.back();
  }

  LineEnd last_grid() const { return {LineEnd::On::grid, static_cast<int>(scene_.grids.size()) - 1}; }

  void write_key(size_t i) {
    const Key& key = keys_[i];
    const double y = row_y(i), baseline = y + 0.36 * k_small_size, corner = y - k_cell_height / 2;
    const std::string place = join(name_of(key.place), ", place ", key.place);
    if (!key.cut) {
      SceneLine& to_key =
          arrow(key, {query_x_ + strip_width(*q_), middle_}, {key_x_ - k_beside_word, y}, weights_computed());
      to_key.from = query_grid_;
      to_key.to = {LineEnd::On::box, static_cast<int>(scene_.boxes.size())};
    }
    SceneBox name;
    name.name = "key of " + place;
    name.look = SceneBox::Look::bare;
    name.role = Role::key;
    name.rect = {key_x_ - k_beside_word, corner, label_width_ + 2 * k_beside_word, k_cell_height};
    name.texts.push_back(text_at(TextKind::token, name_of(key.place), {key_x_, baseline}, Anchor::start));
    scene_.boxes.push_back(std::move(name));
    add_grid(scene_, k_->row(key.place), nullptr, strip("key of " + place, Role::key, key_range_),
             {strip_x_, corner});
    if (key.cut) {
      scene_.texts.push_back(text_at(TextKind::name, "\xc3\x97 edge cut",
                                     {strip_x_ + strip_width(*k_) + 12, baseline}, Anchor::start,
                                     Role::weights));
      scene_.steps.push_back(
          {join("The edge to \"", name_of(key.place), "\" was cut: it is not seen."), 1, false, true});
      return;
    }
    std::string said = join("\"", name_of(key.place), "\": ");
    const auto number = [&](const std::optional<Matrix>& m, double x, const std::string& word) {
      if (!m) return;
      const SceneText text = number_at(m->source_at(query_, key.place), m->at(query_, key.place),
                                       {x, baseline}, Anchor::end, Role::weights);
      said += word + " " + text.text + ", ";
      scene_.texts.push_back(text);
    };
    number(dot_, dot_x_, edit_of(dot_).empty() ? "query times key is" : "the score, edited, is");
    if (scaled_) number(scaled_, scaled_x_, edit_of(scaled_).empty() ? "scaled" : "edited after scaling");
    const Source weight = pattern_->source_at(query_, key.place);
    const double length = k_bar * std::clamp(key.weight, 0.0, 1.0);
    if (length > 0.3 && !narrow_)
      scene_.bars.push_back({"weight of " + place, {bar_x_, y - 7, length, 14}, Role::weights, 0.5, weight});
    const SceneText text = number_at(weight, key.weight, {weight_x_, baseline}, Anchor::end, Role::weights);
    said += join(edit_of(pattern_).empty() ? "after softmax its weight is " : "its weight, edited, is ",
                 text.text, ", by which its value counts.");
    scene_.texts.push_back(text);
    add_grid(scene_, v_->row(key.place), nullptr, strip("value of " + place, Role::value, value_range_),
             {value_x_, corner + below_});
    const LineEnd value_grid = last_grid();
    if (narrow_)
      scene_.texts.push_back(
          text_at(TextKind::token, name_of(key.place), {key_x_, baseline + below_}, Anchor::start));
    arrow(key, {value_x_ + strip_width(*v_), y + below_}, {output_x_, middle_ + below_}, edit_of(z_).empty())
        .from = value_grid;
    scene_.steps.push_back({said, 1, false, true});
  }

  void write_rest() {
    if (rest_.empty()) return;
    const Source source = pattern_->source_at(query_, rest_[0].place);
    const std::string most = written(source, rest_[0].weight);
    const std::string words =
        join(rest_.size(), " more, each with a weight ", most.starts_with("<") ? "" : "of at most ", most);
    SceneText text = text_at(TextKind::number, "\xe2\x8b\xae  " + words,
                             {narrow_ ? k_margin : key_x_, row_y(keys_.size()) - 6}, Anchor::start);
    text.sources = {source};
    scene_.texts.push_back(text);
    scene_.steps.push_back({words + ", are not drawn.", 1, false, false});
  }

  void write_output() {
    const Matrix z = z_->row(query_);
    add_grid(scene_, z, nullptr, strip("output", Role::value, value_range_),
             {output_x_, middle_ + below_ - k_cell_height / 2});
    for (SceneLine& line : scene_.lines)
      if (line.to.on == LineEnd::On::nothing) line.to = last_grid();
    const std::string edit = edit_of(z_);
    const auto beside = [&](const std::string& words, double y) {
      scene_.texts.push_back(
          text_at(TextKind::name, words, {output_x_, middle_ + below_ + y}, Anchor::start, Role::value));
    };
    beside(edit.empty() ? "weighted sum" : k_pencil + "output", -22);
    beside(edit.empty() ? "of the values" : elided(edit, k_small_size, 168), 32);
    if (!edit.empty()) {
      scene_.steps.push_back({join("The output for \"", query_name(),
                                   "\" is not the weighted sum of the values: it was edited (", edit, ")."),
                              0, false, true});
      return;
    }
    scene_.steps.push_back({join("All values, each times its weight, add up to ", z.columns,
                                 " numbers: the output for \"", query_name(), "\"."),
                            0, false, true});
  }

  const Trace& trace_;
  Reading reading_;
  Edits edits_;
  FigureOptions o_;
  int64_t query_ = 0;
  LineEnd query_grid_;
  std::vector<std::string> labels_, key_labels_;
  std::optional<Matrix> q_, k_, v_, z_, dot_, scaled_, pattern_;
  std::vector<Key> keys_, rest_, by_weight_;
  std::optional<std::pair<double, double>> key_range_, value_range_;  // of the keys and values that are drawn
  double label_width_ = 0, weight_x_ = 0, query_x_ = 0, key_x_ = 0, strip_x_ = 0, dot_x_ = 0, scaled_x_ = 0,
         bar_x_ = 0, value_x_ = 0, output_x_ = 0, top_ = 0, middle_ = 0;
  bool narrow_ = false;  // a column of a paper: values and output stand below
  double below_ = 0;     // by how much
  Scene scene_;
};

}  // namespace

Scene token_scene(const Trace& trace, const FigureOptions& o) { return TokenFigure(trace, o).make(); }

}  // namespace limpid
