// PNG: libpng does it.  Its errors jump (longjmp), so nothing that a function below owns may need a
// destructor between setjmp and a call of libpng: all that is owned stands in PngFile, whose owner is
// outside.
#include <png.h>

#include <array>
#include <cstring>

#include "core/label.h"
#include "files/image/image.h"

namespace limpid {

namespace {

constexpr double k_most_deflated = 1032;            // bytes that deflate makes of one
constexpr png_alloc_size_t k_most_chunk = 1 << 22;  // of what is not pixels: a palette, EXIF

struct PngFile {
  png_structp png = nullptr;
  png_infop info = nullptr;
  Bytes left;
  std::array<char, 200> message{};
  // Of the rows that come out.
  StatedSize size;
  int orientation = 1;

  explicit PngFile(Bytes bytes) : left(bytes) {}
  PngFile(const PngFile&) = delete;
  PngFile& operator=(const PngFile&) = delete;
  ~PngFile() { png_destroy_read_struct(&png, &info, nullptr); }
};

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  auto& file = *static_cast<PngFile*>(png_get_error_ptr(png));
  std::strncpy(file.message.data(), message, file.message.size() - 1);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}  // what is wrong beside the pixels

void give_bytes(png_structp png, png_bytep into, size_t count) {
  auto& file = *static_cast<PngFile*>(png_get_io_ptr(png));
  if (count > file.left.size()) png_error(png, "it ends too early; it was cut short");
  std::memcpy(into, file.left.data(), count);
  file.left = file.left.subspan(count);
}

void set_up(PngFile& file) {
  // Colour profiles, texts and the like are not read: they may be compressed, and change no pixel here.
  static const png_byte k_unread[] =
      "iCCP\0tEXt\0zTXt\0iTXt\0sPLT\0hIST\0pCAL\0sCAL\0sBIT\0gAMA\0cHRM\0sRGB\0bKGD";
  png_set_keep_unknown_chunks(file.png, PNG_HANDLE_CHUNK_NEVER, k_unread, sizeof k_unread / 5);
  png_set_chunk_malloc_max(file.png, k_most_chunk);
  png_set_user_limits(file.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // image_of_size says what is too large
  png_set_read_fn(file.png, &file, give_bytes);
}

// The sizes, and how rows are to come: 8 bits, palettes as colours, transparency as alpha.
bool read_header(PngFile& file) {
  if (setjmp(png_jmpbuf(file.png))) return false;
  set_up(file);
  png_read_info(file.png, file.info);
  png_set_expand(file.png);
  png_set_strip_16(file.png);
  file.size.height = png_get_image_height(file.png, file.info);
  file.size.width = png_get_image_width(file.png, file.info);
  const auto row = static_cast<double>(png_get_rowbytes(file.png, file.info));  // as the file has it
  file.size.least_bytes = static_cast<double>(file.size.height) * row / k_most_deflated;
  const int colour = png_get_color_type(file.png, file.info);
  const bool transparent = png_get_valid(file.png, file.info, PNG_INFO_tRNS) != 0;
  const bool alpha = (colour & PNG_COLOR_MASK_ALPHA) != 0 || transparent;
  file.size.channels = ((colour & PNG_COLOR_MASK_COLOR) ? 3 : 1) + int64_t{alpha};
  return true;
}

bool read_rows(PngFile& file, png_bytep rows) {
  if (setjmp(png_jmpbuf(file.png))) return false;
  const int passes = png_set_interlace_handling(file.png);
  png_read_update_info(file.png, file.info);
  const auto row = static_cast<size_t>(file.size.width * file.size.channels);
  if (png_get_rowbytes(file.png, file.info) != row) png_error(file.png, "its rows have an unexpected size");
  for (int pass = 0; pass < passes; ++pass)
    for (int64_t y = 0; y < file.size.height; ++y)
      png_read_row(file.png, rows + static_cast<size_t>(y) * row, nullptr);
  png_read_end(file.png, file.info);
  png_bytep exif = nullptr;
  png_uint_32 size = 0;
  if (png_get_eXIf_1(file.png, file.info, &size, &exif))
    file.orientation = exif_orientation({reinterpret_cast<const std::byte*>(exif), size});
  return true;
}

[[noreturn]] void fail_png(const PngFile& file, const std::string& name) {
  fail_work(name, ": the PNG cannot be read: ", visible_line(file.message.data()));
}

}  // namespace

StoredImage read_png(Bytes bytes, const std::string& name) {
  PngFile file(bytes);
  file.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &file, on_error, on_warning);
  file.info = file.png ? png_create_info_struct(file.png) : nullptr;
  if (!file.info) fail_work(name, ": libpng could not be started");
  if (!read_header(file)) fail_png(file, name);
  StoredImage image{image_of_size(file.size, bytes, name)};
  if (!read_rows(file, image.pixels.data<uint8_t>())) fail_png(file, name);
  image.orientation = file.orientation;
  return image;
}

}  // namespace limpid
