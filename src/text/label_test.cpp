#include "core/label.h"

#include "text/test_text.h"
#include "text/utf8.h"

namespace limpid::text {
namespace {

TEST(Label, ShowsWhatIsThere) {
  EXPECT_EQ(visible("Life"), "Life");
  EXPECT_EQ(visible(" is"), "·is");
  EXPECT_EQ(visible("   "), "···");
  EXPECT_EQ(visible("\n\t\r"), "\\n\\t\\r");
  EXPECT_EQ(visible(std::string_view("\0", 1)), "<U+0000>");
  EXPECT_EQ(visible("\x1b[31m"), "<U+001B>[31m");
  EXPECT_EQ(visible("\x9f"), "<0x9F>");
  EXPECT_EQ(visible("\xe6\x97"), "<0xE6><0x97>");  // two bytes of a cut character
  EXPECT_EQ(visible("日本"), "日本");
  EXPECT_EQ(visible("e\u0301"), "e\u0301");
  EXPECT_EQ(visible("\u0301"), "◌\u0301");  // a mark alone would sit on what stands before it
  EXPECT_EQ(visible(" \u0301"), "·◌\u0301");
  EXPECT_EQ(visible("\u202e"), "<U+202E>");  // right-to-left override
  EXPECT_EQ(visible("\u200b"), "<U+200B>");
  EXPECT_EQ(visible("\u00a0"), "<U+00A0>");
  EXPECT_EQ(visible("\u2028"), "<U+2028>");
  EXPECT_EQ(visible("👩‍👩"), "👩‍👩");
  EXPECT_EQ(visible("\u200d"), "<U+200D>");
  EXPECT_EQ(visible("<|endoftext|>"), "<|endoftext|>");
}

TEST(Label, OfATokenizer) {
  EXPECT_EQ(byte_tokenizer()->label(0x9f), "<0x9F>");
  EXPECT_EQ(byte_tokenizer()->label('a'), "a");
  EXPECT_EQ(byte_tokenizer()->label(' '), "·");
  EXPECT_EQ(character_tokenizer_from("a\n")->label(0), "\\n");
  EXPECT_EQ(word_tokenizer_from("Life is")->label(1), "is");
}

TEST(Label, QuotesForMessagesAreShort) {
  EXPECT_EQ(in_quotes("Life is\n"), "\"Life is\\n\"");
  EXPECT_LT(in_quotes(std::string(1 << 20, 'x')).size(), 60u);
}

RC_GTEST_PROP(Label, IsAlwaysOneLineOfText, ()) {
  const std::string label = visible(*any_bytes());
  RC_ASSERT(is_valid_utf8(label));
  for (const char c : label) RC_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  for (size_t at = 0; at < label.size();) {
    const Character c = character_at(label, at);
    RC_ASSERT(!is_space(c.point) && (c.point < 0x80 || c.point > 0x9f));
    RC_ASSERT(c.point < 0x202a || c.point > 0x202e);  // no direction overrides
    at += c.size;
  }
}

}  // namespace
}  // namespace limpid::text
