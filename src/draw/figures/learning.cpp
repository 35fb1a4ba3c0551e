// The learning figure: where the heads of a layer look in one sentence, step by step of a training run.
#include <algorithm>
#include <cmath>

#include "draw/figures/canvas.h"
#include "draw/figures/legend.h"
#include "draw/figures/weight_maps.h"
#include "draw/layout/layout.h"

namespace limpid {

using namespace draw;

namespace {

constexpr double k_said_width = 118;  // beside a row: its step and losses
constexpr double k_largest_map = 150, k_smallest_map = 30;
constexpr double k_beside = 14;         // between maps
constexpr double k_kind = 30;           // below a map: what kind its head is of
constexpr double k_highest = 1180;      // all rows together
constexpr double k_least_named = 12;    // of a place that has its word beside it
constexpr double k_longest_place = 66;  // beside a map
constexpr double k_least_pixel = 2.5;   // of a map whose cells are pooled

// At most `most` of them, evenly, the first and the last too.
std::vector<const LearningStep*> chosen(const std::vector<LearningStep>& steps, size_t most) {
  std::vector<const LearningStep*> out;
  const size_t count = std::min(steps.size(), std::max<size_t>(most, 1));
  for (size_t i = 0; i < count; ++i)
    out.push_back(
        &steps[count == 1 ? steps.size() - 1
                          : static_cast<size_t>(std::lround(static_cast<double>(i * (steps.size() - 1)) /
                                                            static_cast<double>(count - 1)))]);
  return out;
}

class LearningFigure {
 public:
  LearningFigure(const std::vector<LearningStep>& steps, const LearningOptions& o) : o_(o) {
    if (steps.empty())
      fail_call("learning: there is no watched sentence; give the recipe \"watch\": [\"...\"]");
    maps_.reserve(steps.size());
    for (const LearningStep* step : chosen(steps, o.rows)) {
      rows_.push_back(step);
      maps_.emplace_back(step->trace);
      if (maps_.back().rows() != maps_.front().rows())
        fail_call("learning: step ", number_of_step(*step), " is of another sentence than step ",
                  number_of_step(*rows_.front()));
      maps_.back().require(o.layer, std::max(o.head, 0));
    }
    all_steps_ = steps.size();
    measure();
  }

  Scene make() {
    scene_.title = join("How the heads of layer ", o_.layer, " learned to look: ", maps_[0].title());
    scene_.texts.push_back(text_at(TextKind::title,
                                   join("How the heads of layer ", o_.layer, " learned to look"),
                                   {k_margin, k_margin + 12}, Anchor::start, Role::plain, k_title_size));
    double y = k_margin + 28;
    y += add_paragraph(scene_, TextKind::note, "In " + maps_[0].title(), {k_margin, y}, words_width()) + 26;
    if (named_) y += label_height_;
    for (size_t r = 0; r < rows_.size(); ++r) {
      write_row(r, y);
      y += panel_ + k_kind;
    }
    finish(y);
    return std::move(scene_);
  }

 private:
  static int64_t number_of_step(const LearningStep& step) {
    const auto found = step.trace.numbers.find("step");
    return found == step.trace.numbers.end() ? 0 : found->second;
  }

  void measure() {
    const int64_t all = maps_[0].heads(o_.layer);
    first_ = o_.head < 0 ? 0 : o_.head;
    const double rows = static_cast<double>(rows_.size());
    const double by_height = std::min(k_largest_map, k_highest / rows - k_kind);
    places_ = static_cast<double>(std::max(maps_[0].rows().size(), maps_[0].columns().size()));
    double longest = 0;
    for (const auto* words : {&maps_[0].rows(), &maps_[0].columns()})
      for (const std::string& word : *words) longest = std::max(longest, text_width(word, k_small_size));
    label_height_ = std::min(longest, k_longest_place) + 8;
    const int64_t wanted = o_.head < 0 ? all : 1;
    const auto panel = [&](double left) {
      const double room = o_.width - 2 * k_margin - left;
      return std::min(by_height, room / static_cast<double>(wanted) - k_beside);
    };
    panel_ = panel(k_said_width + label_height_);
    named_ = panel_ / places_ >= k_least_named;
    left_ = k_margin + k_said_width + (named_ ? label_height_ : 0);
    if (!named_) panel_ = panel(k_said_width);
    panel_ = std::max(panel_, k_smallest_map);
    const auto fit =
        std::max<int64_t>(1, static_cast<int64_t>((o_.width - k_margin - left_) / (panel_ + k_beside)));
    heads_ = std::min(wanted, fit);
    left_out_ = wanted - heads_;
  }

  double words_width() const {
    return std::max(left_ + static_cast<double>(heads_) * (panel_ + k_beside) - k_margin, 420.0);
  }

  void write_row(size_t r, double y) {
    const LearningStep& step = *rows_[r];
    const double middle = y + panel_ / 2;
    const TrainingReport& report = step.report;
    scene_.texts.push_back(
        text_at(TextKind::index, join("step ", number_of_step(step)), {k_margin, middle - 8}));
    std::string said = join("Step ", number_of_step(step), ":");
    double line = middle + 10;
    for (const auto& [key, words] : {std::pair("loss", "loss"), std::pair("validation", "held out")}) {
      const auto found = report.numbers.find(key);
      if (found == report.numbers.end() || !std::isfinite(found->second)) continue;
      const Source source{.stage = key, .index = {place_of(report)}, .format = "%.3f"};
      SceneText text = text_at(TextKind::number, "", {k_margin, line});
      text.text = join(words, " ", written(source, found->second));
      text.sources = {source};
      said += (said.ends_with(":") ? " " : ", ") + text.text;
      scene_.texts.push_back(std::move(text));
      line += 18;
    }
    if (named_) write_row_labels(y);
    for (int64_t h = first_; h < first_ + heads_; ++h) {
      const double x = left_ + static_cast<double>(h - first_) * (panel_ + k_beside);
      if (r == 0) write_head(h, x, y);
      write_map(r, h, {x, y, panel_, panel_});
      said += write_kind(report, h, {x, y + panel_ + 14});
    }
    scene_.steps.push_back({said + ".", 0, false, true});
  }

  static int64_t place_of(const TrainingReport& report) {
    const auto found = report.numbers.find("epoch");
    return found == report.numbers.end() ? 0 : static_cast<int64_t>(found->second);
  }

  void write_head(int64_t h, double x, double y) {
    const double above = named_ ? label_height_ : 0;
    scene_.texts.push_back(text_at(TextKind::index, panel_ < 52 ? std::to_string(h) : join("head ", h),
                                   {x + panel_ / 2, y - 8 - above}, Anchor::middle));
    if (!named_) return;
    const std::vector<std::string>& words = maps_[0].columns();
    const double pitch = panel_ / static_cast<double>(words.size());
    for (size_t i = 0; i < words.size(); ++i) {
      SceneText text =
          text_at(TextKind::token, elided(words[i], k_small_size, k_longest_place),
                  {x + pitch * (static_cast<double>(i) + 0.5) + 0.36 * k_small_size, y - 6}, Anchor::start);
      text.upright = true;
      scene_.texts.push_back(std::move(text));
    }
  }

  void write_row_labels(double y) {
    const std::vector<std::string>& words = maps_[0].rows();
    const double pitch = panel_ / static_cast<double>(words.size());
    for (size_t i = 0; i < words.size(); ++i)
      scene_.texts.push_back(text_at(
          TextKind::token, elided(words[i], k_small_size, k_longest_place),
          {left_ - 6, y + pitch * (static_cast<double>(i) + 0.5) + 0.36 * k_small_size}, Anchor::end));
  }

  void write_map(size_t r, int64_t head, const Rect& rect) {
    auto weights = maps_[r].weights(o_.layer, head);
    if (!weights)
      fail_call("learning: step ", number_of_step(*rows_[r]), " holds no attention weights of layer ",
                o_.layer);
    const auto mask = maps_[r].mask(o_.layer, head);
    weights->source.stage = join("step.", number_of_step(*rows_[r]), "/", weights->source.stage);
    const auto most = static_cast<int64_t>(panel_ / k_least_pixel);
    SceneGrid grid = grid_of(*weights, mask ? &*mask : nullptr, most, most);
    grid.name = join("step ", number_of_step(*rows_[r]), ", head ", head);
    grid.role = Role::weights;
    grid.rect = rect;
    pooled_ = pooled_ || grid.pooled();
    masked_ = masked_ || std::find(grid.masked.begin(), grid.masked.end(), true) != grid.masked.end();
    scene_.grids.push_back(std::move(grid));
  }

  // Returns it in words.
  std::string write_kind(const TrainingReport& report, int64_t head, Point at) {
    for (size_t i = 0; i < report.heads.size(); ++i) {
      const TrainingReport::Head& seen = report.heads[i];
      if (seen.layer != o_.layer || seen.head != head || seen.kind == "mixed") continue;
      const Source source{
          .stage = "heads", .index = {place_of(report), static_cast<int64_t>(i)}, .format = "%.2f"};
      SceneText text = text_at(TextKind::number, "", {at.x + panel_ / 2, at.y}, Anchor::middle);
      text.text = join(seen.kind, " ", written(source, seen.score));
      text.sources = {source};
      const std::string said = join("; head ", head, " is ", text.text);
      kinds_ = true;
      if (text.bounds().width <= panel_ + k_beside - 4)
        scene_.texts.push_back(std::move(text));
      else
        unsaid_ = true;
      return said;
    }
    return "";
  }

  void finish(double y) {
    const Scale scale = scale_of(scene_.grids, places_ <= static_cast<double>(k_most_in_words));
    for (SceneGrid& grid : scene_.grids) grid.low = scale.low, grid.high = scale.high;
    add_scale(scene_, SceneGrid(scene_.grids[scale.grid]), {left_, y});
    std::string words = join(
        "A row of maps is a step of the training run, with its losses in nats; a column is a head.  In a map "
        "a row is a ",
        maps_[0].thing(), " that looks, a column one that is looked at, in the order of the sentence. ",
        scale.words);
    if (kinds_) words += " Below a map: the kind of the head at that step, with its score, where it has one.";
    if (unsaid_) words += " Kinds that are wider than their map are left out.";
    if (rows_.size() < all_steps_)
      words += join(" Shown are ", rows_.size(), " of ", all_steps_, " reports.");
    if (left_out_ > 0)
      words +=
          join(" ", left_out_, left_out_ == 1 ? " head is" : " heads are", " left out for want of room.");
    if (masked_) words += " Grey cells are masked.";
    if (pooled_) words += " Maps are pooled: a cell is the mean of several.";
    add_paragraph(scene_, TextKind::note, words, {k_margin, y + 30}, words_width());
    scene_.steps.insert(scene_.steps.begin(), {scene_.title + ". " + words, 0, false, false});
    fit_page(scene_);
    scene_.description = told(scene_.steps);
  }

  const LearningOptions& o_;
  std::vector<const LearningStep*> rows_;
  std::vector<WeightMaps> maps_;
  size_t all_steps_ = 0;
  int64_t first_ = 0, heads_ = 0, left_out_ = 0;
  double panel_ = 0, left_ = 0, label_height_ = 0, places_ = 0;
  bool named_ = false, pooled_ = false, masked_ = false, kinds_ = false, unsaid_ = false;
  Scene scene_;
};

}  // namespace

Scene learning_scene(const std::vector<LearningStep>& steps, const LearningOptions& options) {
  return LearningFigure(steps, options).make();
}

}  // namespace limpid
