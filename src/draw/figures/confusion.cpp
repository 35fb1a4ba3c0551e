// The confusion figure: true classes against those that a model said, as counts in cells.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/json.h"
#include "draw/figures/canvas.h"
#include "draw/figures/legend.h"
#include "draw/layout/layout.h"

namespace limpid {

using namespace draw;

Confusion confusion_from(std::string_view text) {
  const Json json = parse_json(text, {"confusion"});
  if (!json.is_object() || !json.contains("confusion") || !json["confusion"].is_array())
    fail_work("confusion: expected an object with \"confusion\": [[...], ...] and \"classes\": [...]");
  Confusion out;
  for (const Json& row : json["confusion"]) {
    std::vector<int64_t> counts;
    if (!row.is_array()) fail_work("confusion: each row is a list of counts, one of them is no list");
    for (const Json& count : row) {
      if (!count.is_number_integer() || count.get<double>() < 0 || count.get<double>() > 1e15)
        fail_work("confusion: row ", out.counts.size(),
                  " holds what is no count; expected whole numbers, from 0");
      counts.push_back(count.get<int64_t>());
    }
    out.counts.push_back(std::move(counts));
  }
  if (json.contains("model") && json["model"].is_string()) out.model = json["model"].get<std::string>();
  if (json.contains("classes") && json["classes"].is_array())
    for (const Json& name : json["classes"]) {
      if (!name.is_string()) fail_work("confusion: a name in \"classes\" is no text");
      out.classes.push_back(name.get<std::string>());
    }
  return out;
}

namespace {

constexpr double k_least_class = 18, k_most_class = 46;
constexpr double k_longest_class = 190;
constexpr int64_t k_most_classes = 80;
constexpr size_t k_most_pairs = 8;

void require_square(const Confusion& of) {
  const size_t count = of.counts.size();
  if (count == 0) fail_work("confusion: it holds no row; expected one for each class");
  for (size_t r = 0; r < count; ++r)
    if (of.counts[r].size() != count)
      fail_work("confusion: row ", r, " has ", of.counts[r].size(), " counts, expected ", count,
                ", one for each row");
  if (!of.classes.empty() && of.classes.size() != count)
    fail_work("confusion: ", of.classes.size(), " names for ", count, " classes; give one for each");
}

struct ConfusedPair {
  size_t truth = 0, said = 0;
  int64_t count = 0;
};

class ConfusionFigure {
 public:
  ConfusionFigure(const Confusion& of, const std::string& title, double width) : of_(of), width_(width) {
    require_square(of);
    const size_t count = of.counts.size();
    for (size_t i = 0; i < count; ++i) {
      const std::string name = clean(of.classes.empty() ? std::to_string(i) : of.classes[i]);
      names_.push_back(name.empty() ? "\xe2\x90\xa3" : name);
      sums_.push_back(std::accumulate(of.counts[i].begin(), of.counts[i].end(), int64_t{0}));
      right_ += of.counts[i][i];
      all_ += sums_.back();
    }
    scene_.title = !title.empty() ? clean(title)
                                  : join("Which classes are taken for which", of.model.empty() ? "" : ": ",
                                         clean(of.model));
    choose();
  }

  Scene make() {
    scene_.texts.push_back(text_at(TextKind::title, elided(scene_.title, k_title_size, 700),
                                   {k_margin, k_margin + 12}, Anchor::start, Role::plain, k_title_size));
    scene_.texts.push_back(
        text_at(TextKind::count, join(right_, " of ", all_, " right"), {k_margin, k_margin + 32}));
    const Rect at = add_counts();
    write_pairs(at);
    fit_page(scene_);
    scene_.description = told(scene_.steps);
    return std::move(scene_);
  }

 private:
  // All classes, or of more than fit those that are confused most, in their own order.
  void choose() {
    shown_.resize(names_.size());
    std::iota(shown_.begin(), shown_.end(), size_t{0});
    labels_ = {{}, TextKind::token, k_longest_class};
    const double room =
        width_ > 0 ? width_ - 2 * k_margin - std::min(k_longest_class, widest_name()) - 24 : 1e9;
    const auto most = static_cast<size_t>(
        std::clamp<int64_t>(static_cast<int64_t>(room / k_least_class), 2, k_most_classes));
    if (shown_.size() > most) {
      const auto wrong = [&](size_t i) {
        int64_t sum = sums_[i] - of_.counts[i][i];
        for (size_t r = 0; r < names_.size(); ++r) sum += r == i ? 0 : of_.counts[r][i];
        return sum;
      };
      std::stable_sort(shown_.begin(), shown_.end(), [&](size_t a, size_t b) { return wrong(a) > wrong(b); });
      shown_.resize(most);
      std::sort(shown_.begin(), shown_.end());
    }
    for (size_t i : shown_) labels_.texts.push_back(names_[i]);
    pitch_ = std::clamp((width_ > 0 ? room : 900.0) / static_cast<double>(shown_.size()), k_least_class,
                        k_most_class);
  }
  double widest_name() const {
    double width = 0;
    for (const std::string& name : names_) width = std::max(width, text_width(name, k_small_size));
    return width;
  }

  Source source(size_t truth, size_t said) const {
    return {.stage = "confusion",
            .index = {static_cast<int64_t>(truth), static_cast<int64_t>(said)},
            .format = "%.0f"};
  }

  Rect add_counts() {
    const double height = std::max(pitch_, k_least_class);
    SceneGrid grid;
    grid.name = scene_.title;
    grid.role = Role::weights;
    grid.rows = grid.columns = static_cast<int64_t>(shown_.size());
    const double left = k_margin + 20 + label_width(labels_) + 8,
                 above = stands(labels_, pitch_) ? label_width(labels_) : k_small_size;
    grid.rect = {left, k_margin + 66 + above, pitch_ * static_cast<double>(grid.columns),
                 std::min(height, 30.0) * static_cast<double>(grid.rows)};
    grid.source = source(0, 0);
    grid.row_axis = 0, grid.column_axis = 1;
    for (size_t i : shown_) grid.row_at.push_back(static_cast<int64_t>(i));
    grid.row_at.push_back(static_cast<int64_t>(shown_.back()) + 1);
    grid.column_at = grid.row_at;
    for (size_t r : shown_)
      for (size_t c : shown_)
        grid.values.push_back(static_cast<double>(of_.counts[r][c]) /
                              static_cast<double>(std::max<int64_t>(sums_[r], 1)));
    write_counts(grid);
    scene_.texts.push_back(text_at(TextKind::name, "said \xe2\x86\x92", {left, k_margin + 50}));
    scene_.texts.push_back(
        text_at(TextKind::name, "true \xe2\x86\x93", {left - 6, grid.rect.y - 8}, Anchor::end));
    label_rows(scene_, grid, labels_, grid.rows);
    label_columns(scene_, grid, labels_, grid.columns);
    const Rect at = grid.rect;
    scene_.grids.push_back(std::move(grid));
    return at;
  }

  // Those that are not 0 and have the room.
  void write_counts(SceneGrid& grid) {
    for (int64_t r = 0; r < grid.rows; ++r)
      for (int64_t c = 0; c < grid.columns; ++c) {
        const size_t truth = shown_[static_cast<size_t>(r)], said = shown_[static_cast<size_t>(c)];
        const int64_t count = of_.counts[truth][said];
        if (count == 0) continue;
        const Point middle = grid.cell(r, c).centre();
        SceneText text = number_at(source(truth, said), static_cast<double>(count),
                                   {middle.x, middle.y + 0.36 * k_small_size}, Anchor::middle, grid.role);
        if (text.bounds().width + 2 > grid.cell_width()) {
          left_out_ = true;
          continue;
        }
        text.ground = *grid.shade(r, c);
        grid.texts.push_back(std::move(text));
      }
  }

  std::vector<ConfusedPair> pairs() const {
    std::vector<ConfusedPair> out;
    for (size_t r = 0; r < names_.size(); ++r)
      for (size_t c = 0; c < names_.size(); ++c)
        if (r != c && of_.counts[r][c] > 0) out.push_back({r, c, of_.counts[r][c]});
    std::stable_sort(out.begin(), out.end(),
                     [](const ConfusedPair& a, const ConfusedPair& b) { return a.count > b.count; });
    if (out.size() > k_most_pairs) out.resize(k_most_pairs);
    return out;
  }

  std::string words() const {
    std::string out =
        "A row is a true class, a column what was said; a cell holds how many, nothing for none. The more it "
        "stands out, the larger its share of its row, from none to all.";
    if (shown_.size() < names_.size())
      out += join(" Shown are the ", shown_.size(), " classes of ", names_.size(),
                  " that are confused most; counts and shares are of all.");
    if (left_out_) out += " Counts that are wider than their cell are left out.";
    return out;
  }

  void write_pairs(const Rect& at) {
    const double width = std::max(at.right() - k_margin, 420.0);
    scene_.steps.push_back(
        {join(scene_.title, ": ", right_, " of ", all_, " right. ", words()), 0, false, false});
    double y = at.bottom() + 14;
    y += add_paragraph(scene_, TextKind::note, words(), {k_margin, y}, width) + 12;
    const std::vector<ConfusedPair> most = pairs();
    if (most.empty()) return;
    scene_.texts.push_back(text_at(TextKind::title, "Confused most", {k_margin, y + 12}, Anchor::start,
                                   Role::plain, k_title_size));
    y += 32;
    for (const ConfusedPair& pair : most) {
      const Source from = source(pair.truth, pair.said);
      const double room = (width - 230) / 2;
      const std::string number = written(from, static_cast<double>(pair.count));
      SceneText text = text_at(TextKind::number, "", {k_margin, y});
      text.text =
          join(number, " of ", sums_[pair.truth], " times \"", elided(names_[pair.truth], k_small_size, room),
               "\" was taken for \"", elided(names_[pair.said], k_small_size, room), "\"");
      text.sources = {from};
      scene_.texts.push_back(text);
      scene_.steps.push_back({text.text + ".", 0, false, true});
      y += 20;
    }
  }

  const Confusion& of_;
  double width_ = 0, pitch_ = 0;
  std::vector<std::string> names_;
  std::vector<int64_t> sums_;  // of each row
  std::vector<size_t> shown_;  // which classes
  int64_t right_ = 0, all_ = 0;
  bool left_out_ = false;
  Labels labels_;
  Scene scene_;
};

}  // namespace

Scene confusion_scene(const Confusion& of, const std::string& title, double width) {
  return ConfusionFigure(of, title, width).make();
}

}  // namespace limpid
