// A PNG file from pixels (W3C PNG, 3rd edition), for pictures of cells and of whole figures.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace limpid::draw {

/// `rgb` holds three bytes a pixel, row by row from the top.  No dates, no text: the same pixels, the same
/// bytes.
std::string png_bytes(int64_t width, int64_t height, std::string_view rgb);

}  // namespace limpid::draw
