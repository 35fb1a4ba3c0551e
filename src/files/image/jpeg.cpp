// JPEG: libjpeg does it.  Its errors jump (longjmp), so nothing that a function below owns may need a
// destructor between setjmp and a call of libjpeg: all that is owned stands in JpegFile, whose owner is
// outside.
#include <csetjmp>
#include <cstdio>
#include <cstring>

// jpeglib.h needs FILE and size_t declared before it.
#include <jpeglib.h>

#include <jerror.h>

#include "core/label.h"
#include "files/image/image.h"

namespace limpid {

namespace {

constexpr double k_most_pixels_a_byte = 8 * 64;  // a block of 8 by 8 takes at least one bit
// Each scan of a progressive file goes over the whole image: cameras and programs write about ten.
constexpr int k_most_scans = 200;

struct JpegFile {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf back{};
  char message[JMSG_LENGTH_MAX] = "";
  int orientation = 1;
  bool made = false;

  JpegFile() = default;
  JpegFile(const JpegFile&) = delete;
  JpegFile& operator=(const JpegFile&) = delete;
  ~JpegFile() {
    if (made) jpeg_destroy_decompress(&jpeg);
  }
};

JpegFile& file_of(j_common_ptr jpeg) { return *static_cast<JpegFile*>(jpeg->client_data); }

[[noreturn]] void on_error(j_common_ptr jpeg) {
  JpegFile& file = file_of(jpeg);
  jpeg->err->format_message(jpeg, file.message);
  std::longjmp(file.back, 1);
}

// Warnings of these say that pixels were lost: libjpeg would go on with grey ones.
void on_message(j_common_ptr jpeg, int level) {
  if (level >= 0) return;
  switch (jpeg->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_MUST_RESYNC:
      on_error(jpeg);
    default:
      return;
  }
}

[[noreturn]] void fail_with(JpegFile& file, const char* message) {
  std::snprintf(file.message, sizeof file.message, "%s", message);
  std::longjmp(file.back, 1);
}

void on_progress(j_common_ptr jpeg) {
  if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number > k_most_scans)
    fail_with(file_of(jpeg), "it goes over the image too often; it was made to fill time");
}

void read_orientation(JpegFile& file) {
  static constexpr char k_begin[] = "Exif\0";  // and its own zero
  for (jpeg_saved_marker_ptr marker = file.jpeg.marker_list; marker; marker = marker->next) {
    if (marker->data_length < sizeof k_begin || std::memcmp(marker->data, k_begin, sizeof k_begin) != 0)
      continue;
    file.orientation = exif_orientation({reinterpret_cast<const std::byte*>(marker->data) + sizeof k_begin,
                                         marker->data_length - sizeof k_begin});
    return;
  }
}

// What stands before the pixels; says what limpid does not read.
bool read_header(JpegFile& file, Bytes bytes) {
  if (setjmp(file.back)) return false;
  jpeg_create_decompress(&file.jpeg);
  file.made = true;
  file.jpeg.client_data = &file;
  file.progress.progress_monitor = on_progress;
  file.jpeg.progress = &file.progress;
  jpeg_mem_src(&file.jpeg, reinterpret_cast<const unsigned char*>(bytes.data()),
               static_cast<unsigned long>(bytes.size()));
  jpeg_save_markers(&file.jpeg, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(&file.jpeg, TRUE);
  if (file.jpeg.arith_code)
    fail_with(file, "it uses arithmetic coding; save it as an ordinary JPEG or a PNG");
  if (file.jpeg.data_precision != 8) fail_with(file, "its numbers do not have 8 bits; save it as a PNG");
  switch (file.jpeg.jpeg_color_space) {
    case JCS_GRAYSCALE:
      file.jpeg.out_color_space = JCS_GRAYSCALE;
      break;
    case JCS_RGB:
    case JCS_YCbCr:
      file.jpeg.out_color_space = JCS_RGB;
      break;
    case JCS_CMYK:
    case JCS_YCCK:
      fail_with(file, "its colours are CMYK, for print; convert it to RGB first");
    default:
      fail_with(file, "its colours are of no kind that limpid reads (grey, RGB, YCbCr)");
  }
  read_orientation(file);
  jpeg_calc_output_dimensions(&file.jpeg);
  return true;
}

bool read_rows(JpegFile& file, unsigned char* rows) {
  if (setjmp(file.back)) return false;
  jpeg_start_decompress(&file.jpeg);
  const size_t row =
      static_cast<size_t>(file.jpeg.output_width) * static_cast<size_t>(file.jpeg.output_components);
  while (file.jpeg.output_scanline < file.jpeg.output_height) {
    JSAMPROW line = rows + file.jpeg.output_scanline * row;
    jpeg_read_scanlines(&file.jpeg, &line, 1);
  }
  jpeg_finish_decompress(&file.jpeg);
  return true;
}

[[noreturn]] void fail_jpeg(const JpegFile& file, const std::string& name) {
  fail_work(name, ": the JPEG cannot be read: ", visible_line(file.message));
}

}  // namespace

StoredImage read_jpeg(Bytes bytes, const std::string& name) {
  JpegFile file;
  file.jpeg.err = jpeg_std_error(&file.errors);
  file.errors.error_exit = on_error;
  file.errors.emit_message = on_message;
  file.jpeg.client_data = &file;  // errors come before jpeg_create_decompress keeps it
  if (!read_header(file, bytes)) fail_jpeg(file, name);
  StatedSize size = {file.jpeg.output_height, file.jpeg.output_width, file.jpeg.out_color_components};
  size.least_bytes =
      static_cast<double>(size.height) * static_cast<double>(size.width) / k_most_pixels_a_byte;
  StoredImage image{image_of_size(size, bytes, name)};
  if (!read_rows(file, image.pixels.data<uint8_t>())) fail_jpeg(file, name);
  image.orientation = file.orientation;
  return image;
}

}  // namespace limpid
