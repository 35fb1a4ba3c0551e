// The few calls of librsvg and cairo that turn an SVG into pixels or a PDF.
//
// The two are found when a figure is first painted, not when limpid is linked: they bring some forty
// libraries with them, which no program that only runs a network should have to carry (docs/decisions/0005).
// Types are those of librsvg 2.46 and cairo 1.10 or later, whose binary interfaces have not changed since;
// scripts/check_formats.sh holds these declarations to the installed headers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace limpid::draw {

struct CairoSurface;
struct Cairo;
struct RsvgHandle;
struct RsvgRectangle {
  double x, y, width, height;
};
struct GlibError {
  uint32_t domain;
  int code;
  char* message;
};
using CairoWrite = int (*)(void* closure, const unsigned char* data, unsigned int length);

inline constexpr int k_cairo_rgb24 = 1;  // four bytes a pixel, 0x00rrggbb in the machine's order
inline constexpr int k_cairo_title = 0, k_cairo_creator = 4, k_cairo_create_date = 5;  // cairo_pdf_metadata_t

/// Each is the C function of that name (rsvg.cpp has the whole names).
struct Rsvg {
  RsvgHandle* (*handle_new_from_data)(const uint8_t* data, size_t length, GlibError** error);
  int (*handle_render_document)(RsvgHandle*, Cairo*, const RsvgRectangle* viewport, GlibError** error);
  void (*object_unref)(void*);
  void (*error_free)(GlibError*);
  CairoSurface* (*image_surface_create)(int format, int width, int height);
  unsigned char* (*image_surface_get_data)(CairoSurface*);
  int (*image_surface_get_stride)(CairoSurface*);
  CairoSurface* (*pdf_surface_create_for_stream)(CairoWrite, void* closure, double width, double height);
  void (*pdf_surface_set_size)(CairoSurface*, double width, double height);
  void (*pdf_surface_set_metadata)(CairoSurface*, int what, const char* text);
  void (*surface_flush)(CairoSurface*);
  void (*surface_finish)(CairoSurface*);
  int (*surface_status)(CairoSurface*);
  void (*surface_destroy)(CairoSurface*);
  Cairo* (*create)(CairoSurface*);
  void (*show_page)(Cairo*);
  int (*status)(Cairo*);
  void (*destroy)(Cairo*);
  const char* (*status_to_string)(int status);
};

/// Throws Error{work} saying what to install where the libraries are not there.
const Rsvg& rsvg();

}  // namespace limpid::draw
