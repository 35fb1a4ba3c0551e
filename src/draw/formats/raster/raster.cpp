#include "draw/formats/raster/raster.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "draw/formats/raster/png_bytes.h"
#include "draw/formats/raster/rsvg.h"
#include "draw/scene/text.h"

namespace limpid::draw {

namespace {

constexpr double k_most_pixels = 64e6, k_longest_side = 32000;  // cairo's own limit is 32,767
constexpr double k_longest_page = 14400;                        // points; what PDF readers hold to

struct Release {
  void operator()(CairoSurface* surface) const { rsvg().surface_destroy(surface); }
  void operator()(Cairo* cairo) const { rsvg().destroy(cairo); }
  void operator()(RsvgHandle* handle) const { rsvg().object_unref(handle); }
};
using Surface = std::unique_ptr<CairoSurface, Release>;
using Context = std::unique_ptr<Cairo, Release>;
using Handle = std::unique_ptr<RsvgHandle, Release>;

void check(int status) {
  if (status != 0) fail_work("cairo: ", rsvg().status_to_string(status));
}

[[noreturn]] void fail(GlibError* error) {
  const std::string message = error && error->message ? error->message : "no reason given";
  if (error) rsvg().error_free(error);
  fail_work("librsvg: ", message);
}

void render(const Scene& scene, Theme theme, Cairo* cairo, double width, double height) {
  PaintOptions options;
  options.theme = theme == Theme::dark ? Theme::dark : Theme::light;
  const std::string svg = paint(scene, format_named("svg"), options);
  GlibError* error = nullptr;
  const Handle handle(
      rsvg().handle_new_from_data(reinterpret_cast<const uint8_t*>(svg.data()), svg.size(), &error));
  if (!handle) fail(error);
  const RsvgRectangle page = {0, 0, width, height};
  if (!rsvg().handle_render_document(handle.get(), cairo, &page, &error)) fail(error);
  check(rsvg().status(cairo));
}

int append(void* closure, const unsigned char* data, unsigned int length) {
  static_cast<std::string*>(closure)->append(reinterpret_cast<const char*>(data), length);
  return 0;
}

}  // namespace

std::string rastered(const Scene& scene, Theme theme, double scale) {
  scale = std::min({scale, std::sqrt(k_most_pixels / std::max(1.0, scene.width * scene.height)),
                    k_longest_side / std::max({1.0, scene.width, scene.height})});
  const int width = std::max(1, static_cast<int>(std::lround(scene.width * scale))),
            height = std::max(1, static_cast<int>(std::lround(scene.height * scale)));
  const Surface surface(rsvg().image_surface_create(k_cairo_rgb24, width, height));
  check(rsvg().surface_status(surface.get()));
  const Context cairo(rsvg().create(surface.get()));
  render(scene, theme, cairo.get(), width, height);
  rsvg().surface_flush(surface.get());
  const unsigned char* data = rsvg().image_surface_get_data(surface.get());
  const auto stride = static_cast<size_t>(rsvg().image_surface_get_stride(surface.get()));
  std::string rgb;
  rgb.reserve(static_cast<size_t>(width) * static_cast<size_t>(height) * 3);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      uint32_t pixel = 0;
      std::memcpy(&pixel, data + static_cast<size_t>(y) * stride + static_cast<size_t>(x) * 4, 4);
      for (int shift = 16; shift >= 0; shift -= 8) rgb += static_cast<char>(pixel >> shift & 0xff);
    }
  return png_bytes(width, height, rgb);
}

std::string printed(const std::vector<Slide>& pages, Theme theme) {
  std::string bytes;
  {
    const Surface surface(rsvg().pdf_surface_create_for_stream(append, &bytes, 1, 1));
    const std::string& first = pages.front().title.empty() ? pages.front().scene.title : pages.front().title;
    rsvg().pdf_surface_set_metadata(surface.get(), k_cairo_title, clean(first).c_str());
    rsvg().pdf_surface_set_metadata(surface.get(), k_cairo_creator, "limpid");
    rsvg().pdf_surface_set_metadata(surface.get(), k_cairo_create_date, "1980-01-01T00:00:00Z");
    const Context cairo(rsvg().create(surface.get()));
    for (const Slide& page : pages) {
      const double longer = std::max({1.0, page.scene.width, page.scene.height}),
                   scale = std::min(0.75, k_longest_page / longer);
      const double width = std::max(1.0, page.scene.width * scale),
                   height = std::max(1.0, page.scene.height * scale);
      rsvg().pdf_surface_set_size(surface.get(), width, height);
      render(page.scene, theme, cairo.get(), width, height);
      rsvg().show_page(cairo.get());
    }
    rsvg().surface_finish(surface.get());
    check(rsvg().surface_status(surface.get()));
  }
  return bytes;
}

}  // namespace limpid::draw
