#include "draw/formats/raster/rsvg.h"

#include <dlfcn.h>

#include <string>

#include "limpid/error.h"

namespace limpid::draw {

namespace {

#ifdef __APPLE__
constexpr const char* k_libraries[] = {"librsvg-2.2.dylib", "/opt/homebrew/lib/librsvg-2.2.dylib",
                                       "/usr/local/lib/librsvg-2.2.dylib"};
#else
constexpr const char* k_libraries[] = {"librsvg-2.so.2"};
#endif

struct Loaded {
  Rsvg calls = {};
  std::string missing;  // what could not be found; empty when all is there
};

template <class Function>
void find(void* library, const char* name, Function& function, std::string& missing) {
  function = reinterpret_cast<Function>(dlsym(library, name));  // a library's own libraries are searched too
  if (!function && missing.empty()) missing = name;
}

Loaded load() {
  Loaded loaded;
  void* library = nullptr;
  for (const char* name : k_libraries)
    if (!library) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    loaded.missing = k_libraries[0];
    return loaded;
  }
  Rsvg& c = loaded.calls;
  std::string& missing = loaded.missing;
  find(library, "rsvg_handle_new_from_data", c.handle_new_from_data, missing);
  find(library, "rsvg_handle_render_document", c.handle_render_document, missing);
  find(library, "g_object_unref", c.object_unref, missing);
  find(library, "g_error_free", c.error_free, missing);
  find(library, "cairo_image_surface_create", c.image_surface_create, missing);
  find(library, "cairo_image_surface_get_data", c.image_surface_get_data, missing);
  find(library, "cairo_image_surface_get_stride", c.image_surface_get_stride, missing);
  find(library, "cairo_pdf_surface_create_for_stream", c.pdf_surface_create_for_stream, missing);
  find(library, "cairo_pdf_surface_set_size", c.pdf_surface_set_size, missing);
  find(library, "cairo_pdf_surface_set_metadata", c.pdf_surface_set_metadata, missing);
  find(library, "cairo_surface_flush", c.surface_flush, missing);
  find(library, "cairo_surface_finish", c.surface_finish, missing);
  find(library, "cairo_surface_status", c.surface_status, missing);
  find(library, "cairo_surface_destroy", c.surface_destroy, missing);
  find(library, "cairo_create", c.create, missing);
  find(library, "cairo_show_page", c.show_page, missing);
  find(library, "cairo_status", c.status, missing);
  find(library, "cairo_destroy", c.destroy, missing);
  find(library, "cairo_status_to_string", c.status_to_string, missing);
  return loaded;
}

}  // namespace

const Rsvg& rsvg() {
  static const Loaded loaded = load();
  if (!loaded.missing.empty())
    fail_work("PNG and PDF are painted by librsvg (2.46 or later), and this machine has no ", loaded.missing,
              "; on Debian: apt-get install librsvg2-2 fonts-dejavu-core.  .svg needs nothing");
  return loaded.calls;
}

}  // namespace limpid::draw
