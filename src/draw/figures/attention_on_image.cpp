// The image as the network read it, with the weights of a prediction over it: rolled out, and of every head
// of a layer.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "draw/figures/attended.h"
#include "draw/figures/legend.h"
#include "draw/layout/layout.h"

namespace limpid {

using namespace draw;

namespace {

constexpr double k_large_panel = 196, k_small_panel = 132, k_image_gap = 18;
constexpr double k_image_header = 20, k_image_footer = 40;  // above and below a panel
constexpr int64_t k_most_cells = 64;                        // a side of a panel

// How patches lie in the image.
struct Patches {
  int64_t before = 0, rows = 0, columns = 0;  // places before the first of them
  int64_t cells = 1;                          // a side of a patch
};

// The last place is called by its line and column.
Patches patches_of(const Trace& trace, const Shape& pixels) {
  long long row = -1, column = -1;
  if (!trace.tokens.empty()) std::sscanf(trace.tokens.back().label.c_str(), "%lld,%lld", &row, &column);
  Patches out;
  out.rows = row + 1, out.columns = column + 1;
  const auto places = static_cast<int64_t>(trace.tokens.size());
  const int64_t height = pixels[2].size, width = pixels[3].size;
  if (row < 0 || column < 0 || row >= height || column >= width || out.rows * out.columns > places ||
      height % out.rows != 0 || width % out.columns != 0)
    fail_call(
        "attention-on-image: the places of this run are not called by line and column, so they are no "
        "patches of an image");
  out.before = places - out.rows * out.columns;
  const int64_t side = std::min(height / out.rows, width / out.columns);
  for (int64_t cells = 1; cells <= side; ++cells)
    if (height / out.rows % cells == 0 && width / out.columns % cells == 0 &&
        cells * std::max(out.rows, out.columns) <= k_most_cells)
      out.cells = cells;
  return out;
}

class ImageFigure {
 public:
  ImageFigure(const Trace& trace, const LookOptions& o)
      : trace_(trace), o_(o), reading_(trace), edits_(trace) {
    const auto kept = trace.values.find("pixels");
    if (kept == trace.values.end() || kept->second.shape().rank() != 4)
      fail_call(
          "attention-on-image: the trace does not hold the image, pixels; trace an image with --observe "
          "pixels");
    pixels_ = &kept->second;
    patches_ = patches_of(trace, pixels_->shape());
    layer_ = o.layer < 0 ? static_cast<int>(reading_.layers()) - 1 : o.layer;
    reading_.require_layer(layer_);
    if (o.head >= 0) reading_.require_head(layer_, o.head);
    read_picture();
  }

  Scene make() {
    scene_.title = join("What the prediction looks at: ", reading_.sentence());
    scene_.texts.push_back(text_at(TextKind::title, elided(clean(scene_.title), k_title_size, 700),
                                   {k_margin, k_margin + 12}, Anchor::start, Role::plain, k_title_size));
    const double top = k_margin + 26;
    const auto [wide, tall] = panel_size(k_large_panel);
    add_picture({k_margin, top + k_image_header, wide, tall});
    const Attended all(trace_, {.token = o_.token});
    const double pitch = std::max(wide, text_width(all.which(), k_small_size)) + k_image_gap;
    scene_.steps.push_back({"", 0, false, false});
    add_panel(all, all.which(), {k_margin + pitch, top + k_image_header, wide, tall});
    const double right = k_margin + 2 * pitch + 10;
    const double beside = o_.width - right - k_margin;
    double y = top + k_image_header + tall + k_image_footer + 12;
    if (beside >= 260)
      add_outcomes(scene_, trace_, all.rows(), {right, top + 4}, beside);
    else
      y += add_outcomes(scene_, trace_, all.rows(), {k_margin, y}, o_.width - 2 * k_margin) + 12;
    y = add_heads(y) + 14;
    add_paragraph(scene_, TextKind::note, words(all), {k_margin, y},
                  std::min(o_.width - 2 * k_margin, 760.0));
    fit_page(scene_);
    scene_.steps.front().text = join(scene_.title, ". ", words(all));
    scene_.description = told(scene_.steps);
    add_edits(scene_, edits_);
    return std::move(scene_);
  }

 private:
  // Cells of whole units, so that no seams show between them.
  Point panel_size(double most) const {
    const auto rows = static_cast<double>(lines_.size() - 1),
               columns = static_cast<double>(columns_.size() - 1);
    const double cell = std::max(1.0, std::round(most / std::max(rows, columns)));
    return {cell * columns, cell * rows};
  }

  // The darkest number of the image black, the lightest white: each cell the mean of its pixels.
  void read_picture() {
    const Tensor numbers = pixels_->to(DType::f64);
    const Shape& shape = pixels_->shape();
    const int64_t channels = shape[1].size, height = shape[2].size, width = shape[3].size;
    const double* at = numbers.data<double>();
    const auto [low, high] = std::minmax_element(at, at + channels * height * width);
    const double least = *low, span = *high > *low ? *high - *low : 1;
    lines_ = even_bins(height, patches_.rows * patches_.cells);
    columns_ = even_bins(width, patches_.columns * patches_.cells);
    for (size_t r = 0; r + 1 < lines_.size(); ++r)
      for (size_t c = 0; c + 1 < columns_.size(); ++c) {
        std::vector<double> means;
        for (int64_t k = 0; k < channels; ++k) {
          double sum = 0;
          for (int64_t y = lines_[r]; y < lines_[r + 1]; ++y)
            for (int64_t x = columns_[c]; x < columns_[c + 1]; ++x) sum += at[(k * height + y) * width + x];
          means.push_back(sum /
                          static_cast<double>((lines_[r + 1] - lines_[r]) * (columns_[c + 1] - columns_[c])));
        }
        double mean = 0;
        for (double v : means) mean += v / static_cast<double>(channels);
        brightness_.push_back(mean);
        const auto byte = [&](double v) {
          return static_cast<uint32_t>(std::lround(std::clamp((v - least) / span, 0.0, 1.0) * 255));
        };
        const bool colours = channels == 3;
        picture_.push_back(colours ? byte(means[0]) << 16 | byte(means[1]) << 8 | byte(means[2])
                                   : byte(mean) * 0x010101);
      }
  }

  SceneGrid panel(const std::string& name, const Rect& rect) const {
    SceneGrid grid;
    grid.name = name;
    grid.rect = rect;
    grid.rows = static_cast<int64_t>(lines_.size()) - 1;
    grid.columns = static_cast<int64_t>(columns_.size()) - 1;
    grid.picture = picture_;
    return grid;
  }

  void add_picture(const Rect& rect) {
    SceneGrid grid = panel("the image as the network read it", rect);
    grid.values = brightness_;
    const auto [low, high] = std::minmax_element(brightness_.begin(), brightness_.end());
    grid.low = *low, grid.high = *high;
    const int64_t channels = pixels_->shape()[1].size;
    grid.source = {
        .stage = "pixels",
        .index = {0, 0, 0, 0},
        .of = channels > 1 || patch_height() != patches_.cells ? Source::Of::mean : Source::Of::cell};
    if (grid.source.of == Source::Of::mean) grid.source.extent = {1, channels, 1, 1};
    grid.row_axis = 2, grid.column_axis = 3;
    grid.row_at = lines_, grid.column_at = columns_;
    scene_.texts.push_back(text_at(TextKind::name, "as it was read", {rect.x, rect.y - 6}));
    scene_.grids.push_back(std::move(grid));
  }
  int64_t patch_height() const { return pixels_->shape()[2].size / patches_.rows; }

  int64_t place(int64_t row, int64_t column) const {
    return patches_.before + row / patches_.cells * patches_.columns + column / patches_.cells;
  }

  // Each patch tinted by its weight, with its scale and what lies on no patch below it.
  void add_panel(Attended of, const std::string& name, const Rect& rect) {
    int64_t most = patches_.before, least = most;
    std::vector<double> weights;
    for (int64_t i = 0; i < of.places(); ++i) {
      weights.push_back(of.number(i, i + 1));
      if (i >= patches_.before && weights.back() > weights[static_cast<size_t>(most)]) most = i;
      if (i >= patches_.before && weights.back() < weights[static_cast<size_t>(least)]) least = i;
    }
    const auto weight = [&](int64_t i) { return weights[static_cast<size_t>(i)]; };
    of.set_range(weight(least), weight(most));
    SceneGrid grid = panel(join(name, ": ", scene_.grids.size()), rect);
    grid.role = Role::weights;
    for (int64_t r = 0; r < grid.rows; ++r)
      for (int64_t c = 0; c < grid.columns; ++c) grid.values.push_back(weight(place(r, c)));
    grid.low = weight(least), grid.high = weight(most);
    grid.source = of.source(0, 1);
    grid.row_axis = grid.column_axis = of.place_axis();
    for (int64_t r = 0; r < grid.rows; ++r)
      grid.row_at.push_back(patches_.before + r / patches_.cells * patches_.columns);
    grid.row_at.push_back(patches_.before + (patches_.rows - 1) * patches_.columns);
    for (int64_t c = 0; c <= grid.columns; ++c) grid.column_at.push_back(c / patches_.cells);
    scene_.texts.push_back(
        text_at(of.rolled_out() ? TextKind::name : TextKind::index, of.mark() + name, {rect.x, rect.y - 6}));
    scene_.grids.push_back(std::move(grid));
    add_scale_below(number_at(of.source(least, least + 1), weight(least), {rect.x, rect.bottom() + 16}),
                    number_at(of.source(most, most + 1), weight(most), {}));
    std::string said = join(name, ": most on the patch of line ", (most - patches_.before) / patches_.columns,
                            ", column ", (most - patches_.before) % patches_.columns, " (",
                            written(of.source(most, most + 1), weight(most)), ")");
    if (patches_.before > 0) said += add_rest(of, rect);
    scene_.steps.push_back({said + ".", 0, false, true});
  }

  // What the scale's colours are over black and over white.
  void add_scale_below(SceneText least, SceneText most) {
    SceneGrid key;
    key.name = join("colours of ", scene_.grids.back().name);
    key.role = Role::weights;
    key.rows = 2, key.columns = 12;
    for (int64_t i = 0; i < 24; ++i) {
      key.values.push_back(static_cast<double>(i % 12) / 11);
      key.picture.push_back(i < 12 ? 0x000000u : 0xffffffu);
    }
    key.rect = {std::ceil(least.bounds().right()) + 5, least.at.y - 10, 36, 12};
    most.at = {key.rect.right() + 5, least.at.y};
    scene_.texts.push_back(std::move(least));
    scene_.texts.push_back(std::move(most));
    scene_.grids.push_back(std::move(key));
  }

  // The places before the patches take weight too.
  std::string add_rest(const Attended& of, const Rect& rect) {
    const Source source = of.source(0, patches_.before);
    const double rest = of.number(0, patches_.before);
    const std::string on = patches_.before == 1 ? clean(reading_.label(Axis::S, 0)) : "no patch";
    SceneText text = text_at(TextKind::number, join("on ", on, ": ", written(source, rest)),
                             {rect.x, rect.bottom() + 6 + 28});
    text.sources = {source};
    scene_.texts.push_back(std::move(text));
    return join(", on ", on, " ", written(source, rest));
  }

  double add_heads(double y) {
    const int64_t heads = reading_.heads(layer_), first = std::max(o_.head, 0),
                  end = o_.head < 0 ? heads : first + 1;
    const auto [wide, tall] = panel_size(k_small_panel);
    const double pitch = std::max(wide, k_small_panel) + k_image_gap;
    scene_.texts.push_back(text_at(TextKind::index, join("layer ", layer_), {k_margin, y + 12}, Anchor::start,
                                   Role::plain, k_title_size));
    y += 22;
    double x = k_margin;
    for (int64_t h = first; h < end; ++h) {
      if (x > k_margin && x + pitch - k_image_gap > o_.width - k_margin)
        x = k_margin, y += k_image_header + tall + k_image_footer + 6;
      add_panel(Attended(trace_, {.layer = layer_, .head = static_cast<int>(h), .token = o_.token}),
                join("head ", h), {x, y + k_image_header, wide, tall});
      x += pitch;
    }
    return y + k_image_header + tall + k_image_footer;
  }

  std::string words(const Attended& all) const {
    std::string out = join(
        "The image is shown as the network read it, its least number black, its largest white; over it each "
        "patch is "
        "tinted, the more, the larger its weight, from the least of the panel to its largest. The weights "
        "are those "
        "of ",
        all.rows().words,
        ". Rolled out: from layer to layer a row is half what the mean of the heads gathers and half "
        "itself (Abnar and Zuidema 2020).");
    if (patch_height() != patches_.cells) out += " Pixels are pooled: a cell is the mean of several.";
    return out;
  }

  const Trace& trace_;
  LookOptions o_;
  Reading reading_;
  Edits edits_;
  const Tensor* pixels_ = nullptr;
  Patches patches_;
  int layer_ = 0;
  std::vector<int64_t> lines_, columns_;  // borders of cells, in pixels
  std::vector<double> brightness_;
  std::vector<uint32_t> picture_;
  Scene scene_;
};

}  // namespace

Scene attention_on_image_scene(const Trace& trace, const LookOptions& o) {
  return ImageFigure(trace, o).make();
}

}  // namespace limpid
