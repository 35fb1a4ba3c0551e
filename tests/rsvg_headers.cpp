// Compiled by scripts/check_formats.py, never linked: what src/draw/formats/rsvg.h declares has the types
// that the installed headers of librsvg and cairo have.
#include <cairo-pdf.h>
#include <librsvg/rsvg.h>

#include <type_traits>

#include "draw/formats/raster/rsvg.h"

namespace {

// Pointers stand for pointers (the structs are opaque), numbers for numbers of their kind and size.
template <class A, class B>
constexpr bool alike() {
  if constexpr (std::is_pointer_v<A> && std::is_pointer_v<B>)
    return true;
  else if constexpr (std::is_void_v<A> || std::is_void_v<B>)
    return std::is_void_v<A> && std::is_void_v<B>;
  else
    return !std::is_pointer_v<A> && !std::is_pointer_v<B> && sizeof(A) == sizeof(B) &&
           std::is_floating_point_v<A> == std::is_floating_point_v<B>;
}

template <class Ours, class Theirs>
struct Same : std::false_type {};
template <class A, class... As, class B, class... Bs>
struct Same<A (*)(As...), B (*)(Bs...)> : std::bool_constant<sizeof...(As) == sizeof...(Bs)> {
  static constexpr bool all() {
    if constexpr (sizeof...(As) == sizeof...(Bs))
      return alike<A, B>() && (alike<As, Bs>() && ...);
    else
      return false;
  }
};

using limpid::draw::Rsvg;
#define HOLDS(member, function) \
  static_assert(Same<decltype(Rsvg::member), decltype(&function)>::all(), #function)
HOLDS(handle_new_from_data, rsvg_handle_new_from_data);
HOLDS(handle_render_document, rsvg_handle_render_document);
HOLDS(object_unref, g_object_unref);
HOLDS(error_free, g_error_free);
HOLDS(image_surface_create, cairo_image_surface_create);
HOLDS(image_surface_get_data, cairo_image_surface_get_data);
HOLDS(image_surface_get_stride, cairo_image_surface_get_stride);
HOLDS(pdf_surface_create_for_stream, cairo_pdf_surface_create_for_stream);
HOLDS(pdf_surface_set_size, cairo_pdf_surface_set_size);
HOLDS(pdf_surface_set_metadata, cairo_pdf_surface_set_metadata);
HOLDS(surface_flush, cairo_surface_flush);
HOLDS(surface_finish, cairo_surface_finish);
HOLDS(surface_status, cairo_surface_status);
HOLDS(surface_destroy, cairo_surface_destroy);
HOLDS(create, cairo_create);
HOLDS(show_page, cairo_show_page);
HOLDS(status, cairo_status);
HOLDS(destroy, cairo_destroy);
HOLDS(status_to_string, cairo_status_to_string);
#undef HOLDS

static_assert(limpid::draw::k_cairo_rgb24 == CAIRO_FORMAT_RGB24);
static_assert(limpid::draw::k_cairo_title == CAIRO_PDF_METADATA_TITLE);
static_assert(limpid::draw::k_cairo_creator == CAIRO_PDF_METADATA_CREATOR);
static_assert(limpid::draw::k_cairo_create_date == CAIRO_PDF_METADATA_CREATE_DATE);
static_assert(sizeof(limpid::draw::RsvgRectangle) == sizeof(::RsvgRectangle));
static_assert(sizeof(limpid::draw::GlibError) == sizeof(::GError));

}  // namespace
