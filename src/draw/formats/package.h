// A zip of parts, as .pptx is one: the same parts give the same bytes on every day (all dates are a zip's
// first).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace limpid::draw {

struct ZipEntry {
  std::string name;  // "ppt/slides/slide1.xml"
  std::string bytes;
};

/// In the order given, deflated.
std::string zipped(const std::vector<ZipEntry>& entries);

/// RFC 4648, in one line.
std::string base64(std::string_view bytes);

}  // namespace limpid::draw
