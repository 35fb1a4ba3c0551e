// Which format an image has, and what may come out of it.
#include "files/byte_source.h"
#include "files/growth.h"
#include "files/image/image.h"
#include "files/recognize.h"

namespace limpid {

namespace {

bool starts_with(Bytes bytes, std::string_view begin) {
  return bytes.size() >= begin.size() &&
         std::string_view(reinterpret_cast<const char*>(bytes.data()), begin.size()) == begin;
}

StoredImage read_stored(Bytes bytes, const std::string& name) {
  if (starts_with(bytes, "\x89PNG\r\n\x1a\n")) return read_png(bytes, name);
  if (starts_with(bytes, "\xff\xd8\xff")) return read_jpeg(bytes, name);
  const RecognizedFile seen = recognize(*memory_source(bytes, name));
  fail_work(name, " is ", seen.what, ", expected a PNG or JPEG image",
            seen.kind == FileKind::image || seen.kind == FileKind::empty ? "; " + seen.advice : "");
}

}  // namespace

Tensor image_of_size(const StatedSize& size, Bytes file, const std::string& name) {
  const auto [height, width, channels, least_bytes] = size;
  if (height < 1 || width < 1) fail_work(name, ": the image has ", width, " by ", height, " pixels");
  if (height > k_most_pixels / width)
    fail_work(name, ": the image has ", width, " by ", height, " pixels, more than the ", k_most_pixels,
              " that limpid reads; make it smaller");
  const Shape shape = {{Axis::Y, height}, {Axis::X, width}, {Axis::K, channels}};
  if (least_bytes > static_cast<double>(file.size()))
    fail_work(name, ": it says that it has ", width, " by ", height, " pixels, which its ", file.size(),
              " bytes cannot hold");
  if (static_cast<uint64_t>(shape.count()) > most_unpacked(file.size()))
    fail_work(name, ": its ", file.size(), " bytes unpack to ", width, " by ", height,
              " pixels; it was made to fill the memory");
  return Tensor(DType::u8, shape);
}

Tensor read_image(Bytes bytes, std::string_view name) {
  StoredImage image = read_stored(bytes, std::string(name));
  return turned(std::move(image.pixels), image.orientation);
}

Tensor read_image(const std::filesystem::path& path) {
  std::error_code none;
  if (std::filesystem::is_directory(path, none))
    fail_work(path.string(), " is a folder, expected a PNG or JPEG image");
  const std::string content = read_file(path);
  return read_image(bytes_of(content), path.string());
}

}  // namespace limpid
