// The heads figure: every layer and head as a small map of its weights, or those of one layer, larger.
#include <algorithm>
#include <cmath>
#include <set>

#include "draw/figures/canvas.h"
#include "draw/figures/edits.h"
#include "draw/figures/legend.h"
#include "draw/figures/weight_maps.h"
#include "draw/layout/layout.h"

namespace limpid {

using namespace draw;

namespace {

constexpr double k_most_panel = 168, k_most_large = 320, k_least_panel = 44, k_panel_gap = 14;
constexpr double k_small_cell = 2.5;  // of a map that is looked at as a whole
constexpr double k_named_cell = 14;   // of a map whose places are named
constexpr double k_header = 20;       // "head 2" above a map
constexpr double k_most_label = 66;   // of a word beside a map

// Maps side by side.
struct Row {
  int64_t layer = 0, first_head = 0, heads = 0;
};

struct Plan {
  std::vector<std::vector<Row>> pages;
  double panel = 0;      // the longer side of a map
  double left = 0;       // of the maps
  bool headers = false;  // above every row: each has heads of its own
  bool named = false;    // places have their words beside the outer maps
};

struct Labelling {
  double rows = 0, columns = 0;  // room for words left of the maps and above them
};

Labelling labelling(const WeightMaps& maps) {
  Labelling out;
  for (const std::string& word : maps.rows()) out.rows = std::max(out.rows, text_width(word, k_small_size));
  for (const std::string& word : maps.columns())
    out.columns = std::max(out.columns, text_width(word, k_small_size));
  out.rows = std::min(out.rows, k_most_label) + 8;
  out.columns = std::min(out.columns, k_most_label) + 8;
  return out;
}

int64_t places(const WeightMaps& maps) {
  return static_cast<int64_t>(std::max(maps.rows().size(), maps.columns().size()));
}

// As large as `columns` maps beside and `rows` below one another can be in that room.
double panel_for(int64_t rows, int64_t columns, Point room, double header) {
  return std::min(room.x / static_cast<double>(columns) - k_panel_gap,
                  (room.y + k_panel_gap) / static_cast<double>(rows) - k_panel_gap - header);
}

// All heads of one layer, in as many rows as make them largest.
Plan plan_layer(const WeightMaps& maps, int64_t layer, Point room) {
  Plan plan;
  plan.headers = true;
  const int64_t heads = maps.heads(layer);
  int64_t best = 1;
  for (int64_t columns = 1; columns <= heads; ++columns) {
    const double panel = panel_for((heads + columns - 1) / columns, columns, room, k_header);
    if (panel >= std::min(plan.panel + 0.5, k_most_large)) {
      plan.panel = std::min(panel, k_most_large);
      best = columns;
    }
  }
  int64_t rows_a_page = (heads + best - 1) / best;
  if (plan.panel < k_least_panel) {
    best = std::max<int64_t>(1, static_cast<int64_t>(room.x / (k_least_panel + k_panel_gap)));
    rows_a_page = std::max<int64_t>(
        1, static_cast<int64_t>((room.y + k_panel_gap) / (k_least_panel + k_panel_gap + k_header)));
    plan.panel = std::min(panel_for(1, best, room, k_header), k_least_panel);
  }
  for (int64_t first = 0; first < heads; first += best) {
    if (plan.pages.empty() || static_cast<int64_t>(plan.pages.back().size()) == rows_a_page)
      plan.pages.emplace_back();
    plan.pages.back().push_back({layer, first, std::min(best, heads - first)});
  }
  return plan;
}

// Layers from top to bottom, heads from left to right, and as many pages as it takes.
Plan plan_all(const WeightMaps& maps, Point room) {
  Plan plan;
  int64_t heads = 0;
  for (int64_t layer : maps.layers()) heads = std::max(heads, maps.heads(layer));
  const auto parts = [](int64_t count, double length) {
    const auto most =
        std::max<int64_t>(1, static_cast<int64_t>((length + k_panel_gap) / (k_least_panel + k_panel_gap)));
    return even_bins(count, (count + most - 1) / most);
  };
  const std::vector<int64_t> rows = parts(static_cast<int64_t>(maps.layers().size()), room.y),
                             columns = parts(heads, room.x);
  int64_t tallest = 1, widest = 1;
  for (size_t r = 0; r + 1 < rows.size(); ++r)
    for (size_t c = 0; c + 1 < columns.size(); ++c) {
      plan.pages.emplace_back();
      for (int64_t i = rows[r]; i < rows[r + 1]; ++i)
        plan.pages.back().push_back(
            {maps.layers()[static_cast<size_t>(i)], columns[c], columns[c + 1] - columns[c]});
      tallest = std::max(tallest, rows[r + 1] - rows[r]);
      widest = std::max(widest, columns[c + 1] - columns[c]);
    }
  plan.panel = std::min(k_most_panel, panel_for(tallest, widest, room, 0));
  return plan;
}

Plan plan_of(const WeightMaps& maps, const FigureOptions& o) {
  const double height = o.height > 0 ? o.height - 192 : 710;
  const Labelling label = labelling(maps);
  const auto with = [&](bool named) {
    const double left = (o.one_layer ? 0 : 66) + (named ? label.rows : 0);
    const Point room = {o.width - 2 * k_margin - left, height - (named ? label.columns : 0)};
    Plan plan = o.one_layer ? plan_layer(maps, o.layer, room) : plan_all(maps, room);
    plan.left = k_margin + left;
    plan.named = named;
    return plan;
  };
  const Plan named = with(true);
  return named.panel / static_cast<double>(places(maps)) >= k_named_cell ? named : with(false);
}

std::string span_words(const char* word, int64_t first, int64_t last) {
  return first == last ? join(word, " ", first) : join(word, "s ", first, " to ", last);
}

// ---- one page ------------------------------------------------------------------------------------

class HeadsPage {
 public:
  HeadsPage(const WeightMaps& maps, const FigureOptions& o, const Plan& plan, const std::vector<Row>& rows)
      : maps_(maps), o_(o), plan_(plan), rows_(rows) {
    const double ratio = static_cast<double>(std::max<size_t>(maps.rows().size(), 1)) /
                         static_cast<double>(std::max<size_t>(maps.columns().size(), 1));
    width_ = plan.panel * std::clamp(1 / ratio, 0.2, 1.0);
    height_ = plan.panel * std::clamp(ratio, 0.2, 1.0);
  }

  Scene make(const std::string& of_pages) {
    const std::string which = span();
    const std::string title =
        o_.one_layer ? join("Who looks at whom, in layer ", o_.layer) : "Who looks at whom, in every head";
    scene_.title =
        (o_.one_layer ? join("The heads of layer ", o_.layer, ": ") : "Every head: ") + maps_.title();
    scene_.texts.push_back(
        text_at(TextKind::title, title, {k_margin, k_margin + 12}, Anchor::start, Role::plain, k_title_size));
    if (!of_pages.empty())
      scene_.texts.push_back(
          text_at(TextKind::index, join(of_pages, ": ", which), {k_margin, k_margin + 30}, Anchor::start));
    double y = k_margin + 38 + k_header + (plan_.named ? labelling(maps_).columns : 0);
    for (const Row& row : rows_) {
      write_row(row, y);
      y += height_ + k_panel_gap + (plan_.headers ? k_header : 0);
    }
    const Scale scale = scale_of(scene_.grids, small());
    for (SceneGrid& grid : scene_.grids) grid.low = scale.low, grid.high = scale.high;
    write_numbers();
    if (!scene_.grids.empty()) add_scale(scene_, SceneGrid(scene_.grids[scale.grid]), {plan_.left, y});
    write_words(y + 26, which, scale.words);
    fit_page(scene_);
    scene_.description = told(scene_.steps);
    if (maps_.edits()) add_edits(scene_, *maps_.edits());
    return std::move(scene_);
  }

 private:
  std::string span() const {
    int64_t first = rows_[0].first_head, last = first;
    for (const Row& row : rows_) last = std::max(last, row.first_head + row.heads - 1);
    return join(span_words("layer", rows_.front().layer, rows_.back().layer), ", ",
                span_words("head", first, last));
  }

  void write_row(const Row& row, double y) {
    const bool first = &row == &rows_.front();
    if (!o_.one_layer)
      scene_.texts.push_back(text_at(TextKind::index, join("layer ", row.layer),
                                     {k_margin + 58, y + height_ / 2 + 4}, Anchor::end));
    const double above = plan_.named && first ? labelling(maps_).columns : 0;
    const bool short_names = width_ < 52;
    if (short_names && first && !o_.one_layer)
      scene_.texts.push_back(text_at(TextKind::index, "head", {k_margin + 58, y - 8 - above}, Anchor::end));
    if (plan_.named) write_row_labels(y);
    for (int64_t h = row.first_head; h < std::min(row.first_head + row.heads, maps_.heads(row.layer)); ++h) {
      const auto weights = maps_.weights(row.layer, h);
      if (!weights) continue;
      const double x = plan_.left + static_cast<double>(h - row.first_head) * (width_ + k_panel_gap);
      write_map(*weights, row.layer, h, {x, y, width_, height_});
      if (first || plan_.headers)
        scene_.texts.push_back(text_at(TextKind::index, short_names ? std::to_string(h) : join("head ", h),
                                       {x + width_ / 2, y - 8 - above}, Anchor::middle));
      if (plan_.named && first) write_column_labels(x, y);
    }
  }

  void write_map(const Matrix& weights, int64_t layer, int64_t head, const Rect& rect) {
    const auto mask = maps_.mask(layer, head);
    SceneGrid grid = grid_of(weights, mask ? &*mask : nullptr, static_cast<int64_t>(height_ / k_small_cell),
                             static_cast<int64_t>(width_ / k_small_cell));
    grid.name = join("layer ", layer, ", head ", head);
    grid.role = Role::weights;
    grid.rect = rect;
    pooled_ = pooled_ || grid.pooled();
    masked_ = masked_ || std::find(grid.masked.begin(), grid.masked.end(), true) != grid.masked.end();
    matrices_.push_back(weights);
    scene_.grids.push_back(std::move(grid));
    if (!maps_.edited(layer, head)) return;
    mark_cut(scene_, scene_.grids.back(), *maps_.edits(), layer, head);
    scene_.texts.push_back(text_at(TextKind::name, "\xe2\x9c\x8e", {rect.right() + 1, rect.bottom()}));
  }

  void write_row_labels(double y) {
    const double pitch = height_ / static_cast<double>(maps_.rows().size());
    for (size_t i = 0; i < maps_.rows().size(); ++i)
      scene_.texts.push_back(text_at(
          TextKind::token, elided(maps_.rows()[i], k_small_size, k_most_label),
          {plan_.left - 6, y + pitch * (static_cast<double>(i) + 0.5) + 0.36 * k_small_size}, Anchor::end));
  }

  void write_column_labels(double x, double y) {
    const double pitch = width_ / static_cast<double>(maps_.columns().size());
    for (size_t i = 0; i < maps_.columns().size(); ++i) {
      SceneText text =
          text_at(TextKind::token, elided(maps_.columns()[i], k_small_size, k_most_label),
                  {x + pitch * (static_cast<double>(i) + 0.5) + 0.36 * k_small_size, y - 6}, Anchor::start);
      text.upright = true;
      scene_.texts.push_back(text);
    }
  }

  bool small() const { return places(maps_) <= k_most_in_words; }

  // In the cells of all maps, or of none.
  void write_numbers() {
    if (!small()) return;
    for (const Matrix& m : matrices_)
      if (m.rows * m.columns == 0 || height_ / static_cast<double>(m.rows) < k_least_row ||
          widest_number(m) + 4 > width_ / static_cast<double>(m.columns))
        return;
    for (size_t i = 0; i < matrices_.size(); ++i) write_cells(scene_.grids[i], matrices_[i]);
  }

  void write_words(double y, const std::string& which, const std::string& scale) {
    std::string words =
        join("A row is a ", maps_.thing(), " that looks, a column one that is looked at, both in ",
             maps_.thing() == "patch" ? "their order" : "the order of the sentence",
             "; the more a cell stands out, the larger its weight. ", scale);
    words += maps_.note();
    if (masked_) words += " Grey cells are masked.";
    if (pooled_) words += " Maps are pooled: a cell is the mean of several.";
    double width = 0;
    for (const SceneGrid& grid : scene_.grids) width = std::max(width, grid.rect.right());
    add_paragraph(scene_, TextKind::note, words, {k_margin, y},
                  std::max(width - k_margin, std::min(o_.width - 2 * k_margin, 520.0)));
    scene_.steps.push_back(
        {join("Every head of ", which, " as a small map, ", maps_.title(), ". ", words,
              o_.one_layer ? " Heads stand from left to right."
                           : " Layers stand from top to bottom, heads from left to right."),
         0, false, false});
  }

  const WeightMaps& maps_;
  const FigureOptions& o_;
  const Plan& plan_;
  const std::vector<Row>& rows_;
  double width_ = 0, height_ = 0;  // of a map
  bool pooled_ = false, masked_ = false;
  std::vector<Matrix> matrices_;  // of the grids
  Scene scene_;
};

std::vector<Slide> pages_of(const WeightMaps& maps, const FigureOptions& o) {
  if (o.one_layer) maps.require(o.layer, 0);
  if (maps.layers().empty() || (o.one_layer && !maps.weights(o.layer, 0)))
    fail_call("heads: the trace holds no attention weights; trace with --observe \"blocks.*.attn.pattern\"");
  const Plan plan = plan_of(maps, o);
  std::vector<Slide> out;
  for (size_t i = 0; i < plan.pages.size(); ++i) {
    const std::string number = plan.pages.size() > 1 ? join("Page ", i + 1, " of ", plan.pages.size()) : "";
    Slide slide;
    slide.scene = HeadsPage(maps, o, plan, plan.pages[i]).make(number);
    slide.title = slide.scene.title;
    slide.notes = slide.scene.description;
    out.push_back(std::move(slide));
  }
  return out;
}

}  // namespace

std::vector<Slide> heads_pages(const Trace& trace, const FigureOptions& o) {
  return pages_of(WeightMaps(trace), o);
}

std::vector<Slide> heads_pages(const OwnWeights& own, const FigureOptions& o) {
  return pages_of(WeightMaps(own), o);
}

}  // namespace limpid
