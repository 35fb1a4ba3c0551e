// The training figure: loss and accuracy, report by report, with what the run said about itself.
#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/json.h"
#include "draw/figures/canvas.h"
#include "draw/figures/legend.h"
#include "draw/figures/plot.h"
#include "draw/layout/layout.h"

namespace limpid {

using namespace draw;

namespace {

std::vector<TrainingReport::Head> heads_of_report(const Json& json, const JsonSource& source) {
  std::vector<TrainingReport::Head> out;
  JsonValue(json, source).each_item([&](const JsonValue& each) {
    out.push_back({each.at("attention").text(), each.at("layer").integer(0, k_json_most_count),
                   each.at("head").integer(0, k_json_most_count), clean(each.at("kind").text()),
                   each.at("score").real()});
  });
  return out;
}

}  // namespace

std::vector<TrainingReport> training_reports(std::string_view lines) {
  std::vector<TrainingReport> out;
  int number = 0;
  for (std::string_view rest = lines; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    const Json json = parse_json(line, {join("training log, line ", number)});
    if (!json.is_object() || !json.contains("loss"))
      fail_work("training log, line ", number,
                ": expected an object with \"loss\", as limpid train writes it");
    TrainingReport report;
    for (const auto& [key, value] : json.items()) {
      if (value.is_number()) report.numbers[key] = value.get<double>();
      if (value.is_null()) report.numbers[key] = NAN;  // JSON has no way to write one
    }
    if (const auto said = json.find("observation"); said != json.end() && said->is_string())
      report.observation = clean(said->get<std::string>());
    if (const auto heads = json.find("heads"); heads != json.end())
      report.heads = heads_of_report(*heads, {join("training log, line ", number)});
    out.push_back(std::move(report));
  }
  if (out.empty()) fail_work("training log: it holds no reports");
  return out;
}

namespace {

constexpr double k_plot_width = 500, k_plot_height = 240, k_axis = 62;
constexpr double k_last_tick = 16;    // half of the last epoch's number, which stands beyond the plot
constexpr double k_least_plot = 160;  // wide
constexpr double k_tick = 60;         // between two labels of the epochs

double number(const TrainingReport& report, const std::string& key) {
  const auto found = report.numbers.find(key);
  return found == report.numbers.end() ? NAN : found->second;
}

struct Curve {
  std::string key, words;
  Role role = Role::plain;
  bool dashed = false;
};

class Plot {
 public:
  Plot(Scene& scene, const std::vector<TrainingReport>& run, Point at, double width, const std::string& title)
      : scene_(scene), run_(run), area_{at.x + k_axis, at.y + 26, width, k_plot_height} {
    scene_.texts.push_back(text_at(TextKind::title, elided(title, k_title_size, k_axis + width),
                                   {at.x, at.y + 12}, Anchor::start, Role::plain, k_title_size));
  }

  void draw(const std::vector<Curve>& curves, bool share) {
    low_ = INFINITY, high_ = -INFINITY;
    for (const Curve& curve : curves)
      for (const TrainingReport& report : run_)
        if (const double v = number(report, curve.key); std::isfinite(v))
          low_ = std::min(low_, v), high_ = std::max(high_, v);
    if (!(low_ <= high_)) low_ = 0, high_ = 1;
    if (share) low_ = std::min(low_, 0.0), high_ = std::max(high_, std::min(1.0, high_ * 1.1));
    if (high_ - low_ < 1e-9) low_ -= 0.5, high_ += 0.5;
    const double room = 0.06 * (high_ - low_);
    if (!share) low_ -= room, high_ += room;
    axes();
    for (size_t i = 0; i < curves.size(); ++i) draw(curves[i], static_cast<int>(i));
  }

 private:
  double x_of(size_t i) const {
    const double share =
        run_.size() > 1 ? static_cast<double>(i) / static_cast<double>(run_.size() - 1) : 0.5;
    return area_.x + share * area_.width;
  }
  double y_of(double v) const { return area_.bottom() - (v - low_) / (high_ - low_) * area_.height; }

  void axes() {
    add_value_axis(scene_, area_, low_, high_);
    const size_t count = run_.size(),
                 most = std::clamp<size_t>(static_cast<size_t>(area_.width / k_tick), 2, 8),
                 stride = std::max<size_t>(1, (count + most - 1) / most);
    for (size_t i = 0; i < count; i += stride) {
      const double epoch = number(run_[i], "epoch");
      scene_.texts.push_back(text_at(TextKind::tick,
                                     tick_text(std::isfinite(epoch) ? epoch : static_cast<double>(i), 1),
                                     {x_of(i), area_.bottom() + 18}, Anchor::middle));
    }
    scene_.texts.push_back(
        text_at(TextKind::name, "epoch", {area_.x + area_.width / 2, area_.bottom() + 36}, Anchor::middle));
  }

  void draw(const Curve& curve, int place) {
    std::vector<std::vector<Point>> pieces(1);
    size_t last = 0, best = 0;
    bool any = false;
    for (size_t i = 0; i < run_.size(); ++i) {
      const double v = number(run_[i], curve.key);
      if (!std::isfinite(v)) {
        pieces.emplace_back();
        continue;
      }
      pieces.back().push_back({x_of(i), y_of(v)});
      last = i;
      const double now = number(run_[best], curve.key);
      if (!any || (curve.key == "accuracy" ? v > now : v < now)) best = i;
      any = true;
    }
    if (!any) return;
    for (const std::vector<Point>& piece : pieces) {
      if (piece.size() == 1) scene_.marks.push_back({piece[0], curve.role});
      if (piece.size() < 2) continue;
      SceneLine line;
      line.name = curve.words;
      line.points = piece;
      line.role = curve.role;
      line.width = 2;
      line.dashed = curve.dashed;
      scene_.lines.push_back(std::move(line));
    }
    const double v = number(run_[best], curve.key);
    scene_.marks.push_back({{x_of(best), y_of(v)}, curve.role});
    // The key of the curve, with its best number, below the plot.
    const double y = area_.bottom() + 58 + 20 * place;
    // Below a narrow plot the words begin where its axis does.
    const double x = area_.width < k_plot_width ? area_.x - k_axis : area_.x;
    SceneLine key;
    key.points = {{x, y - 4}, {x + 26, y - 4}};
    key.role = curve.role;
    key.width = 2;
    key.dashed = curve.dashed;
    scene_.lines.push_back(key);
    const auto source = [&](size_t i) {
      return Source{.stage = curve.key, .index = {static_cast<int64_t>(i)}, .format = "%.3f"};
    };
    const double epoch = number(run_[best], "epoch");
    SceneText text = text_at(TextKind::number, "", {x + 34, y}, Anchor::start);
    text.text = join(curve.words, ": best ", written(source(best), v), " (epoch ",
                     tick_text(std::isfinite(epoch) ? epoch : static_cast<double>(best), 1), "), last ",
                     written(source(last), number(run_[last], curve.key)));
    text.sources = {source(best), source(last)};
    scene_.texts.push_back(text);
    scene_.steps.push_back({text.text + ".", 0, false, true});
  }

  Scene& scene_;
  const std::vector<TrainingReport>& run_;
  Rect area_;
  double low_ = 0, high_ = 1;
};

bool has(const std::vector<TrainingReport>& run, const std::string& key) {
  return std::any_of(run.begin(), run.end(),
                     [&](const TrainingReport& r) { return std::isfinite(number(r, key)); });
}

// The first report, those where the tone changes, and the last: at most eight.
std::vector<size_t> telling(const std::vector<TrainingReport>& run) {
  const auto tone = [](const TrainingReport& r) {
    return r.observation.substr(0, r.observation.find_first_of(":,"));
  };
  std::vector<size_t> out;
  for (size_t i = 0; i < run.size(); ++i)
    if (!run[i].observation.empty() &&
        (out.empty() || i + 1 == run.size() || tone(run[i]) != tone(run[out.back()])))
      out.push_back(i);
  if (out.size() > 8) out.erase(out.begin() + 4, out.end() - 4);
  return out;
}

}  // namespace

Scene training_scene(const std::vector<TrainingReport>& run, const std::string& title, double width) {
  if (run.empty()) fail_call("training: there are no reports to draw");
  Scene scene;
  scene.title = title.empty() ? "A training run" : clean(title);
  const double room = width - 2 * k_margin;
  const bool narrow = room < 2 * (k_axis + k_plot_width) + 40;  // the plots stand below one another
  const double plot =
      narrow ? std::clamp(room - k_axis - k_last_tick, k_least_plot, k_plot_width) : k_plot_width;
  scene.texts.push_back(text_at(TextKind::heading, elided(scene.title, 16, std::min(room, 1000.0)),
                                {k_margin, k_margin + 14}, Anchor::start, Role::plain, 16));
  scene.steps.push_back(
      {join(scene.title, ", ", run.size(), run.size() == 1 ? " report:" : " reports:"), 0, false, false});
  double top = k_margin + 40;
  std::vector<Curve> losses = {{"loss", "training loss", Role::plain, false}};
  if (has(run, "validation")) losses.push_back({"validation", "validation loss", Role::weights, true});
  const auto height = [](size_t curves) {
    return k_plot_height + 26 + 58 + 20 * static_cast<double>(curves) + 10;
  };
  Plot(scene, run, {k_margin, top}, plot, "Loss, nats per token").draw(losses, false);
  double y = top + height(losses.size());
  if (has(run, "accuracy")) {
    if (narrow) top = y + 10;
    Plot(scene, run, {narrow ? k_margin : k_margin + k_axis + k_plot_width + 40, top}, plot,
         narrow ? "Accuracy" : "Accuracy: how often the likeliest was right")
        .draw({{"accuracy", "accuracy", Role::weights, false}}, true);
    y = std::max(y, top + height(1));
  }
  const std::vector<size_t> said = telling(run);
  if (!said.empty()) {
    scene.texts.push_back(text_at(TextKind::title, "What the run said", {k_margin, y + 12}, Anchor::start,
                                  Role::plain, k_title_size));
    y += 34;
  }
  for (size_t i : said) {
    const double epoch = number(run[i], "epoch");
    scene.texts.push_back(text_at(
        TextKind::index, join("epoch ", tick_text(std::isfinite(epoch) ? epoch : static_cast<double>(i), 1)),
        {k_margin, y}));
    Scene words;
    const double height_of_words =
        add_paragraph(words, TextKind::number, run[i].observation,
                      {k_margin + 90, y - k_ascent * k_small_size}, std::clamp(room - 90, 120.0, 980.0));
    for (SceneText& text : words.texts)
      text.sources = {{.stage = "observation", .index = {static_cast<int64_t>(i)}, .format = "text"}};
    append(scene, words);
    scene.steps.push_back(
        {join("After epoch ", tick_text(std::isfinite(epoch) ? epoch : static_cast<double>(i), 1), ": ",
              run[i].observation, "."),
         0, false, true});
    y += std::max(20.0, height_of_words + 4);
  }
  fit_page(scene);
  scene.description = told(scene.steps);
  return scene;
}

}  // namespace limpid
