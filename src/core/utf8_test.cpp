#include "core/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace limpid {
namespace {

// UTF-8 of any number, surrogates and too large ones too: what an encoder without checks writes.
std::string encoded(uint32_t c) {
  const auto byte = [](uint32_t b) { return static_cast<char>(b); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xc0 | c >> 6), byte(0x80 | (c & 0x3f))};
  if (c < 0x10000) return {byte(0xe0 | c >> 12), byte(0x80 | (c >> 6 & 0x3f)), byte(0x80 | (c & 0x3f))};
  return {byte(0xf0 | c >> 18), byte(0x80 | (c >> 12 & 0x3f)), byte(0x80 | (c >> 6 & 0x3f)),
          byte(0x80 | (c & 0x3f))};
}

TEST(Utf8, takes_every_character_and_no_surrogate) {
  for (uint32_t c = 0; c <= 0x1fffff; ++c) {
    const bool character = c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
    ASSERT_EQ(is_utf8(encoded(c)), character) << std::hex << c;
  }
}

TEST(Utf8, names_the_first_wrong_byte) {
  EXPECT_EQ(first_not_utf8(""), std::string_view::npos);
  EXPECT_EQ(first_not_utf8("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82"), std::string_view::npos);
  EXPECT_EQ(first_not_utf8("ab\xff"), 2u);
  EXPECT_EQ(first_not_utf8("ab\x80"), 2u);     // continues nothing
  EXPECT_EQ(first_not_utf8("a\xe2\x82"), 1u);  // cut off
  EXPECT_EQ(first_not_utf8("\xc0\x80"), 0u);   // overlong
  EXPECT_EQ(first_not_utf8("\xe0\x80\x80"), 0u);
  EXPECT_EQ(first_not_utf8("\xf0\x80\x80\x80"), 0u);
  EXPECT_EQ(first_not_utf8(std::string("\xc3(", 2)), 0u);
}

}  // namespace
}  // namespace limpid
