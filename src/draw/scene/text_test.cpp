#include "draw/scene/text.h"

#include <gtest/gtest.h>

namespace limpid {
namespace {

TEST(DrawTextTest, WidthsAreTheFonts) {
  EXPECT_DOUBLE_EQ(draw::text_width("A", 2048), 1401);  // DejaVu Sans 2.37, hmtx
  EXPECT_DOUBLE_EQ(draw::text_width("Ab", 2048), 1401 + 1300);
  EXPECT_DOUBLE_EQ(draw::text_width("\xc3\x97", 2048), 1716);
  EXPECT_DOUBLE_EQ(draw::text_width("e\xcc\x81", 2048), draw::text_width("e", 2048));
}

TEST(DrawTextTest, CleanTextIsOneLine) {
  EXPECT_EQ(draw::clean("a\tb\n c "), "a b c");
  EXPECT_EQ(draw::clean(std::string("a\0b", 3)), "ab");
  EXPECT_EQ(draw::clean("\xe2\x80\xae"
                        "abc"),
            "abc");
  EXPECT_EQ(draw::clean("a\xff"), "a\xef\xbf\xbd");
}

TEST(DrawTextTest, CutAndWrapped) {
  EXPECT_EQ(draw::elided("short", 12, 100), "short");
  const std::string cut = draw::elided(std::string(300, 'm'), 12, 100);
  EXPECT_LE(draw::text_width(cut, 12), 100);
  EXPECT_TRUE(cut.ends_with("\xe2\x80\xa6"));
  EXPECT_EQ(draw::wrapped("Linear Transform (Q)", 14, 104),
            (std::vector<std::string>{"Linear", "Transform (Q)"}));
  for (const std::string& line : draw::wrapped("one two three four five six " + std::string(80, 'x'), 14, 90))
    EXPECT_LE(draw::text_width(line, 14), 90);
  EXPECT_EQ(draw::subscript(12), "\xe2\x82\x81\xe2\x82\x82");
}

}  // namespace
}  // namespace limpid
