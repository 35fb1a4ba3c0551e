#include "explore/given_input.h"

#include <cmath>
#include <cstring>

#include "text/formats/base64.h"

namespace limpid::explore {

namespace {

constexpr int64_t k_most_side = 4096, k_most_moments = 1 << 16;

const PatchInputs& patches_of(const Model& model) { return *std::get<Architecture>(model.config()).patches; }
const SeriesInputs& moments_of(const Model& model) { return *std::get<Architecture>(model.config()).series; }

void require_fields(const JsonValue& given, std::initializer_list<std::string_view> known) {
  given.each_entry([&](const std::string& key, const JsonValue&) {
    std::string list;
    for (const std::string_view each : known) {
      if (key == each) return;
      list += (list.empty() ? "" : ", ") + std::string(each);
    }
    given.fail("has a field \"", key, "\"; there are ", list);
  });
}

std::string bytes_of_text(const JsonValue& text) {
  try {
    return text::from_base64(text.text());
  } catch (const Error& error) {
    text.fail("is not base64: ", error.what());
  }
}

Tensor blank_image(const Model& model) {
  const PatchInputs& o = patches_of(model);
  Tensor image(DType::u8, {{Axis::Y, o.height}, {Axis::X, o.width}, {Axis::K, o.channels}});
  std::memset(image.raw(), 0, image.bytes());
  return model.image_input(image);
}

// Of the network's own size: neither resized nor cropped.
Tensor prepared_image(const Model& model, const Tensor& image, const JsonValue& given) {
  const PatchInputs& o = patches_of(model);
  if (image.shape()[0].size != o.height || image.shape()[1].size != o.width)
    given.fail("is prepared, and has ", image.shape()[1].size, " by ", image.shape()[0].size,
               " pixels; the network reads ", o.width, " by ", o.height);
  if (!model.tasks().image) return model.image_input(image);  // says why there is none
  ImageProcessor processor = *model.tasks().image;
  processor.resize.reset();
  processor.crop.reset();
  processor.shortest_edge = 0;
  return processor(image);
}

}  // namespace

std::string kind_of_input(const Model& model) {
  return reads_images(model.config()) ? "image" : reads_series(model.config()) ? "series" : "text";
}

Tensor image_of(const Model& model, const JsonValue& given) {
  if (!reads_images(model.config()))
    given.fail("is given, and this model reads ", reads_series(model.config()) ? "series" : "texts",
               "; leave it out");
  require_fields(given, {"width", "height", "channels", "pixels", "prepared"});
  const int64_t width = given.at("width").integer(1, k_most_side),
                height = given.at("height").integer(1, k_most_side),
                channels = given.at("channels").integer(1, 4);
  const std::string bytes = bytes_of_text(given.at("pixels"));
  if (static_cast<int64_t>(bytes.size()) != width * height * channels)
    given.at("pixels").fail("holds ", bytes.size(), " bytes, expected ", height, " lines of ", width,
                            " pixels of ", channels, channels == 1 ? " byte" : " bytes", ": ",
                            width * height * channels);
  Tensor image(DType::u8, {{Axis::Y, height}, {Axis::X, width}, {Axis::K, channels}});
  std::memcpy(image.raw(), bytes.data(), bytes.size());
  if (!given.has("prepared") || !given.at("prepared").boolean()) return model.image_input(image);
  return prepared_image(model, image, given);
}

Tensor series_of(const Model& model, const JsonValue& given) {
  if (!reads_series(model.config()))
    given.fail("is given, and this model reads ", reads_images(model.config()) ? "images" : "texts",
               "; leave it out");
  require_fields(given, {"values"});
  const SeriesInputs& o = moments_of(model);
  const JsonValue rows = given.at("values");
  const auto count = static_cast<int64_t>(rows.size());
  if (count < o.length || count > k_most_moments)
    rows.fail("has ", count, " rows, expected ", o.length, ", which the model reads, to ", k_most_moments);
  const std::optional<SeriesScale>& scale = model.tasks().series;
  Tensor out(DType::f32, {{Axis::B, 1}, {Axis::X, o.length}, {Axis::K, o.channels}});
  for (int64_t r = 0; r < o.length; ++r) {
    const JsonValue row = rows.at(static_cast<size_t>(count - o.length + r));
    if (static_cast<int64_t>(row.size()) != o.channels)
      row.fail("has ", row.size(), " numbers, expected ", o.channels, ", one a column");
    for (int64_t k = 0; k < o.channels; ++k) {
      const auto i = static_cast<size_t>(k);
      const double x = row.at(i).real();
      const auto inside = static_cast<float>(scale ? (x - scale->mean[i]) / scale->deviation[i] : x);
      if (!std::isfinite(inside)) row.at(i).fail("is ", x, ", which is too large for the model to read");
      out.data<float>()[r * o.channels + k] = inside;
    }
  }
  return out;
}

Tensor blank_input(const Model& model) {
  if (reads_images(model.config())) return blank_image(model);
  if (!reads_series(model.config())) return {};
  const SeriesInputs& o = moments_of(model);
  Tensor out(DType::f32, {{Axis::B, 1}, {Axis::X, o.length}, {Axis::K, o.channels}});
  std::memset(out.raw(), 0, out.bytes());
  return out;
}

std::string blank_name(const Model& model) {
  return reads_images(model.config())   ? "a blank image"
         : reads_series(model.config()) ? "a blank series"
                                        : "";
}

double outside(const Model& model, int64_t column, double inside) {
  const std::optional<SeriesScale>& scale = model.tasks().series;
  const auto i = static_cast<size_t>(column);
  return scale ? inside * scale->deviation[i] + scale->mean[i] : inside;
}

}  // namespace limpid::explore
