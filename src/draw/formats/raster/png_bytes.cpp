#include "draw/formats/raster/png_bytes.h"

#include <zlib.h>

#include "limpid/error.h"

namespace limpid::draw {

namespace {

void put(std::string& out, uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift & 0xff);
}

void chunk(std::string& out, std::string_view kind, std::string_view data) {
  put(out, static_cast<uint32_t>(data.size()));
  const size_t start = out.size();
  out += kind;
  out += data;
  put(out, static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(out.data() + start),
                                       static_cast<uInt>(out.size() - start))));
}

std::string compressed(const std::string& bytes) {
  uLongf size = compressBound(bytes.size());
  std::string out(size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()),
                bytes.size(), 6) != Z_OK)
    fail_work("png: not enough memory to compress ", bytes.size(), " bytes");
  out.resize(size);
  return out;
}

}  // namespace

std::string png_bytes(int64_t width, int64_t height, std::string_view rgb) {
  const auto row = static_cast<size_t>(width) * 3;
  std::string lines;  // each after the number of its filter
  lines.reserve((row + 1) * static_cast<size_t>(height));
  for (int64_t y = 0; y < height; ++y) {
    const std::string_view line = rgb.substr(static_cast<size_t>(y) * row, row);
    // A line that repeats the one above is all zeros under filter 2 (up).
    const bool same = y > 0 && line == rgb.substr(static_cast<size_t>(y - 1) * row, row);
    lines += same ? '\2' : '\0';
    if (same)
      lines.append(row, '\0');
    else
      lines += line;
  }
  std::string head;
  put(head, static_cast<uint32_t>(width));
  put(head, static_cast<uint32_t>(height));
  head += std::string("\x08\x02\0\0\0", 5);  // 8 bits, RGB, no interlacing
  std::string out = "\x89PNG\r\n\x1a\n";
  chunk(out, "IHDR", head);
  chunk(out, "IDAT", compressed(lines));
  chunk(out, "IEND", "");
  return out;
}

}  // namespace limpid::draw
