// A series as it was read, what is foretold, and below it the patches shaded by how much that looks at them.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "draw/figures/attended.h"
#include "draw/figures/legend.h"
#include "draw/figures/plot.h"
#include "draw/layout/layout.h"

namespace limpid {

using namespace draw;

namespace {

constexpr double k_series_axis = 62, k_curve_height = 240, k_patch_height = 14;
constexpr double k_widest_plot = 1040;
constexpr size_t k_named_patches = 3;

// Moments of a patch: every `apart`-th of [first, end).
struct Moments {
  int64_t place = 0, first = 0, end = 0, apart = 1;
  double number = 0;
};

// "24-31", "24" for one, "3,27" and "3,27..699" for moments that lie apart.
std::optional<Moments> moments_of(const std::string& label) {
  long long first = -1, next = -1, last = -1;
  const int found = std::sscanf(label.c_str(), "%lld,%lld..%lld", &first, &next, &last);
  if (found < 1 || first < 0 || (found > 1 && next <= first)) return std::nullopt;
  if (found > 1) return Moments{0, first, (found == 3 ? last : next) + 1, next - first, 0};
  const int ends = std::sscanf(label.c_str(), "%lld-%lld", &first, &last);
  return Moments{0, first, (ends == 2 ? last : first) + 1, 1, 0};
}

class SeriesFigure {
 public:
  SeriesFigure(const Trace& trace, const SeriesLook& o)
      : trace_(trace), o_(o), reading_(trace), edits_(trace), read_(value("values", 3)) {
    length_ = read_.shape()[1].size;
    const int64_t columns = read_.shape()[2].size;
    column_ = o.column < 0 ? columns - 1 : o.column;
    if (column_ >= columns)
      fail_call("attention-on-series: column ", column_, " does not exist: the series has ",
                columns == 1 ? "one column, 0" : join("the columns 0 to ", columns - 1));
    if (trace.values.count("prediction") > 0) {
      ahead_ = &value("prediction", 3);
      horizon_ = ahead_->shape()[1].size;
    }
    if (!o.truth.empty() && static_cast<int64_t>(o.truth.size()) != horizon_)
      fail_call("attention-on-series: the truth has ", o.truth.size(), " moments, the forecast ", horizon_);
    of_.emplace(trace, o, column_);
    find_patches();
  }

  Scene make() {
    scene_.title = join("What the forecast looks at: ", reading_.sentence());
    scene_.texts.push_back(text_at(TextKind::title, elided(clean(scene_.title), k_title_size, 700),
                                   {k_margin, k_margin + 12}, Anchor::start, Role::plain, k_title_size));
    scene_.texts.push_back(text_at(TextKind::index, of_->mark() + of_->which(), {k_margin, k_margin + 32}));
    area_ = {k_margin + k_series_axis, k_margin + 50,
             std::clamp(o_.width - 2 * k_margin - k_series_axis - 20, 160.0, k_widest_plot), k_curve_height};
    draw_curves();
    double y = draw_patches(area_.bottom() + 8);
    y = draw_moments(y + 16) + 12;
    y = draw_keys(y) + 4;
    y += write_most(y) + 10;
    const double width = std::min(area_.right() - k_margin, 820.0);
    add_paragraph(scene_, TextKind::note, said(), {k_margin, y}, width);
    fit_page(scene_);
    say();
    add_edits(scene_, edits_);
    return std::move(scene_);
  }

 private:
  const Tensor& value(const std::string& name, int rank) const {
    const auto kept = trace_.values.find(name);
    if (kept == trace_.values.end() || kept->second.shape().rank() != rank)
      fail_call("attention-on-series: the trace does not hold the series, ", name,
                "; trace a series with --observe ", name);
    return kept->second;
  }

  void find_patches() {
    for (size_t i = 0; i < trace_.tokens.size() && static_cast<int64_t>(i) < of_->places(); ++i) {
      std::optional<Moments> at = moments_of(trace_.tokens[i].label);
      if (!at || at->end > length_) continue;
      at->place = static_cast<int64_t>(i);
      at->number = of_->number(at->place, at->place + 1);
      patches_.push_back(*at);
    }
    if (patches_.empty())
      fail_call(
          "attention-on-series: the places of this run are not called by their moments, so they are no "
          "patches of a series");
    const auto by_number = [](const Moments& a, const Moments& b) { return a.number < b.number; };
    const auto [least, most] = std::minmax_element(patches_.begin(), patches_.end(), by_number);
    least_ = static_cast<size_t>(least - patches_.begin());
    most_ = static_cast<size_t>(most - patches_.begin());
    of_->set_range(least->number, most->number);
  }

  // As the file has it: what was read is (x - mean) / deviation.
  double shown(double v) const { return v * o_.deviation + o_.mean; }
  double x_of(double moment) const {
    return area_.x + moment / static_cast<double>(std::max<int64_t>(length_ + horizon_, 1)) * area_.width;
  }

  void draw_curves() {
    std::vector<double> read, ahead, truth;
    for (int64_t i = 0; i < length_; ++i) read.push_back(shown(read_.at({0, i, column_})));
    for (int64_t i = 0; i < horizon_; ++i) ahead.push_back(shown(ahead_->at({0, i, column_})));
    for (double v : o_.truth) truth.push_back(shown(v));
    double low = INFINITY, high = -INFINITY;
    for (const auto* list : {&read, &ahead, &truth})
      for (double v : *list)
        if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
    if (!(low <= high)) low = 0, high = 1;
    const double room = high > low ? 0.06 * (high - low) : 0.5;
    low_ = low - room, high_ = high + room;
    add_value_axis(scene_, area_, low_, high_);
    if (horizon_ > 0) {
      SceneLine now;
      now.name = "where the forecast begins";
      now.points = {{x_of(static_cast<double>(length_)), area_.y},
                    {x_of(static_cast<double>(length_)), area_.bottom()}};
      now.faint = true;
      now.dashed = true;
      now.width = 1.4;
      scene_.lines.push_back(std::move(now));
    }
    add_curve("the series as it was read", read, 0, {Role::plain, false});
    add_curve("what came", truth, length_, {Role::plain, true});
    add_curve("the forecast", ahead, length_, {Role::value, false});
  }

  struct CurveLook {
    Role role = Role::plain;
    bool dashed = false;
  };
  // Moments stand in the middle of what they take; where a number is none, the curve breaks.
  void add_curve(const std::string& name, const std::vector<double>& values, int64_t first,
                 const CurveLook& look) {
    if (values.empty()) return;
    keys_.push_back({name, look});
    std::vector<Point> piece;
    const auto flush = [&] {
      if (piece.size() == 1) scene_.marks.push_back({piece[0], look.role});
      if (piece.size() > 1) {
        SceneLine line;
        line.name = name;
        line.points = piece;
        line.role = look.role;
        line.width = 1.8;
        line.dashed = look.dashed;
        scene_.lines.push_back(std::move(line));
      }
      piece.clear();
    };
    for (size_t i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i])) {
        flush();
        continue;
      }
      const double y = area_.bottom() - (values[i] - low_) / (high_ - low_) * area_.height;
      piece.push_back({x_of(static_cast<double>(first) + static_cast<double>(i) + 0.5), y});
    }
    flush();
  }

  // Patches that share moments stand below one another; returns where they end.
  double draw_patches(double top) {
    std::vector<int64_t> ends;  // of each line of patches
    for (const Moments& patch : patches_) {
      size_t line = 0;
      while (line < ends.size() && ends[line] > patch.first) ++line;
      if (line == ends.size()) ends.push_back(0);
      ends[line] = patch.end;
      SceneGrid grid;
      grid.name = join("moments ", patch.first, " to ", patch.end - 1, one_in(patch));
      grid.role = Role::weights;
      const double x = x_of(static_cast<double>(patch.first));
      grid.rect = {x, top + (k_patch_height + 1) * static_cast<double>(line),
                   x_of(static_cast<double>(patch.end)) - x, k_patch_height};
      grid.rows = grid.columns = 1;
      grid.values = {patch.number};
      grid.low = patches_[least_].number, grid.high = patches_[most_].number;
      grid.source = of_->source(patch.place, patch.place + 1);
      if (patch.apart > 1) name_patch(patch, grid.rect);
      scene_.grids.push_back(std::move(grid));
    }
    scene_.texts.push_back(
        text_at(TextKind::name, "patches", {area_.x - 8, top + 11}, Anchor::end, Role::weights));
    return top + (k_patch_height + 1) * static_cast<double>(ends.size());
  }

  // Behind a patch that is one phase of a period, which: the last of its moments.
  void name_patch(const Moments& patch, const Rect& bar) {
    const std::string text = name_of(patch.end - 1);
    if (bar.right() + 8 + text_width(text, k_small_size) > area_.right() + 20) return;
    scene_.texts.push_back(text_at(TextKind::tick, text, {bar.right() + 8, bar.bottom() - 3}));
  }
  static std::string one_in(const Moments& patch) {
    return patch.apart > 1 ? join(", one in ", patch.apart) : "";
  }

  // What a moment is called: by its time, or counted from the end of what was read.
  std::string name_of(int64_t moment) const {
    const auto i = static_cast<size_t>(moment);
    if (i < o_.times.size()) return elided(clean(o_.times[i]), k_small_size, 150);
    return moment < length_ ? join(moment - length_) : join("+", moment - length_ + 1);
  }

  double draw_moments(double y) {
    double right = -1e9;
    const int64_t all = length_ + horizon_;
    const auto add = [&](int64_t moment, double most) {
      const std::string text = name_of(moment);
      const double half = text_width(text, k_small_size) / 2;
      const double at = std::clamp(x_of(static_cast<double>(moment) + 0.5),
                                   area_.x + half - k_series_axis / 2, area_.right() - half + 10);
      if (at - half < right + 10 || at + half > most) return;
      scene_.texts.push_back(text_at(TextKind::tick, text, {at, y}, Anchor::middle));
      right = at + half;
    };
    const double last = area_.right() + 12 - text_width(name_of(all - 1), k_small_size);
    for (int64_t i = 0; i < 4; ++i) add(i * length_ / 4, last - 10);
    add(length_ - 1, last - 10);
    add(all - 1, 1e9);
    return y;
  }

  double draw_keys(double y) {
    double x = area_.x;
    for (const auto& [name, look] : keys_) {
      SceneLine key;
      key.points = {{x, y + 8}, {x + 26, y + 8}};
      key.role = look.role;
      key.width = 2;
      key.dashed = look.dashed;
      scene_.lines.push_back(std::move(key));
      const std::string words = name == "the forecast" ? name + edit_of_forecast() : name;
      scene_.texts.push_back(text_at(TextKind::legend, words, {x + 34, y + 12}, Anchor::start, look.role));
      x += 34 + text_width(words, k_small_size) + 24;
      if (x > area_.right() - 160) x = area_.x, y += 20;
    }
    if (x > area_.x) y += 20;
    return y + add_weight_scale(y);
  }

  // From the least weight to the largest.
  double add_weight_scale(double y) {
    const auto number = [&](const Moments& patch, double x) {
      return number_at(of_->source(patch.place, patch.place + 1), patch.number, {x, y + 12});
    };
    SceneText least = number(patches_[least_], area_.x);
    SceneGrid key;
    key.name = "colours of the patches";
    key.role = Role::weights;
    key.rows = 1, key.columns = 16;
    for (int64_t i = 0; i < key.columns; ++i) key.values.push_back(static_cast<double>(i) / 15);
    key.rect = {least.bounds().right() + 6, y + 3, 36, 9};
    scene_.texts.push_back(number(patches_[most_], key.rect.right() + 6));
    scene_.texts.push_back(std::move(least));
    scene_.grids.push_back(std::move(key));
    return 18;
  }
  std::string edit_of_forecast() const {
    const std::string edit = edits_.of("prediction");
    return edit.empty() ? "" : " (" + k_pencil + edit + ")";
  }

  double write_most(double y) {
    std::vector<const Moments*> order;
    for (const Moments& patch : patches_) order.push_back(&patch);
    std::stable_sort(order.begin(), order.end(),
                     [](const Moments* a, const Moments* b) { return a->number > b->number; });
    if (order.size() > k_named_patches) order.resize(k_named_patches);
    scene_.texts.push_back(text_at(TextKind::title, "Looked at most, moments", {k_margin, y + 12},
                                   Anchor::start, Role::plain, k_title_size));
    most_said_ = "Looked at most: ";
    for (size_t i = 0; i < order.size(); ++i) {
      const Source source = of_->source(order[i]->place, order[i]->place + 1);
      SceneText text =
          text_at(TextKind::number, join(told_moments(*order[i]), ": ", written(source, order[i]->number)),
                  {k_margin, y + 32 + 20 * static_cast<double>(i)});
      text.sources = {source};
      most_said_ += join(i ? "; " : "", text.text);
      scene_.texts.push_back(std::move(text));
    }
    return 24 + 20 * static_cast<double>(order.size());
  }
  // By what a person counts from: the moment that is foretold first is 0.
  std::string told_moments(const Moments& patch) const {
    const auto first = static_cast<size_t>(patch.first), last = static_cast<size_t>(patch.end - 1);
    if (last < o_.times.size())
      return join(clean(o_.times[first]), " to ", clean(o_.times[last]), one_in(patch));
    return join(patch.first - length_, " to ", patch.end - 1 - length_, one_in(patch));
  }

  std::string said() const {
    const int64_t apart = patches_[0].apart;
    const std::string where = apart > 1 ? join("from its first moment to its last, of which it reads one in ",
                                               apart, " (the last is named beside it)")
                                        : "under its own moments";
    std::string out = join("Below the curve stand the patches that the network reads, each ", where,
                           "; the more one stands out, the larger its weight, from the least to the "
                           "largest. ",
                           of_->said());
    if (read_.shape()[2].size > 1)
      out += join(" Each column is read by itself: this is ", column_name(), ", the others are ",
                  read_.shape()[2].size - 1, " more.");
    if (o_.times.empty()) out += " Moments are counted from the one that is foretold first, 0.";
    if (o_.mean == 0 && o_.deviation == 1) out += " Numbers are as the network read them.";
    return out;
  }
  std::string column_name() const {
    return o_.name.empty() ? join("column ", column_) : "\"" + clean(o_.name) + "\"";
  }

  void say() {
    scene_.steps.push_back({join(scene_.title, ", ", column_name(), ": ", length_, " moments read, ",
                                 horizon_, " foretold. ", said()),
                            0, false, false});
    scene_.steps.push_back({most_said_ + ".", 0, false, true});
    scene_.description = told(scene_.steps);
  }

  const Trace& trace_;
  SeriesLook o_;
  Reading reading_;
  Edits edits_;
  const Tensor& read_;
  const Tensor* ahead_ = nullptr;
  std::optional<Attended> of_;
  int64_t length_ = 0, horizon_ = 0, column_ = 0;
  std::vector<Moments> patches_;
  std::vector<std::pair<std::string, CurveLook>> keys_;
  double low_ = 0, high_ = 1;
  size_t least_ = 0, most_ = 0;  // patches
  std::string most_said_;
  Rect area_;
  Scene scene_;
};

}  // namespace

Scene attention_on_series_scene(const Trace& trace, const SeriesLook& o) {
  return SeriesFigure(trace, o).make();
}

}  // namespace limpid
