#include "text/utf8.h"

#include "core/width.h"
#include "text/test_text.h"

namespace limpid::text {
namespace {

TEST(Utf8, KnowsValidFromInvalid) {
  for (const char* good : {"", "abc", "é", "日本語", "😀", "\U0010FFFF", "\u0301"})
    EXPECT_TRUE(is_valid_utf8(good)) << good;
  EXPECT_TRUE(is_valid_utf8(std::string_view("\0", 1)));
  // A lone continuation, cut characters, overlong forms, a surrogate, beyond U+10FFFF.
  for (const char* bad : {"\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc0\xaf", "\xe0\x80\xaf",
                          "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "ok\xfe"}) {
    EXPECT_FALSE(is_valid_utf8(bad)) << bad;
  }
}

TEST(Utf8, ReadsNoByteBeyondTheText) {
  const std::string three = "日";
  EXPECT_FALSE(character_at(std::string_view(three).substr(0, 2), 0).valid);
  EXPECT_EQ(character_at(three, 0).point, U'日');
}

RC_GTEST_PROP(Utf8, CharactersCoverEveryByteAndReadBack, ()) {
  const std::string text = *any_bytes();
  std::string again;
  for (size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    RC_ASSERT(c.size >= 1u && at + c.size <= text.size());
    again += c.valid ? utf8(c.point) : std::string(1, static_cast<char>(c.point));
    at += c.size;
  }
  RC_ASSERT(again == text);
}

TEST(Utf8, FindsWordsBetweenAnyWhiteSpace) {
  const std::string text = "\n Life\u00a0is\u3000short \xff\t";
  std::vector<std::string> words;
  for (const Span& w : words_in(text)) words.push_back(text.substr(w.begin, w.end - w.begin));
  EXPECT_EQ(words, (std::vector<std::string>{"Life", "is", "short", "\xff"}));
  EXPECT_TRUE(words_in(" \n ").empty());
}

TEST(Width, CountsColumns) {
  EXPECT_EQ(display_width("short"), 5u);
  EXPECT_EQ(display_width("日本"), 4u);
  EXPECT_EQ(display_width("e\u0301"), 1u);
  EXPECT_EQ(display_width("😀"), 2u);
  EXPECT_EQ(display_width("שלום"), 4u);
  EXPECT_EQ(display_width("·is"), 3u);
  EXPECT_EQ(display_width("a\nb"), 2u);
  EXPECT_EQ(display_width("\xff"), 1u);
}

TEST(Width, ClipsToColumns) {
  EXPECT_EQ(clip_to_width("short", 5), "short");
  EXPECT_EQ(clip_to_width("short", 4), "sho…");
  EXPECT_EQ(clip_to_width("short", 1), "…");
  EXPECT_EQ(clip_to_width("short", 0), "");
  EXPECT_EQ(clip_to_width("日本語", 4), "日…");                      // half a character is not shown
  EXPECT_EQ(clip_to_width("e\u0301e\u0301e\u0301", 2), "e\u0301…");  // a mark stays on its letter
  EXPECT_EQ(clip_to_width("👩‍👩!", 3), "…");                  // nor is a joined emoji taken apart
  EXPECT_EQ(clip_to_width("👩‍👩!!", 5), "👩‍👩…");
  EXPECT_EQ(clip_to_width("", 0), "");
  EXPECT_EQ(pad_to_width("日本語", 4), "日… ");
  EXPECT_EQ(pad_to_width("is", 4), "is  ");
}

RC_GTEST_PROP(Width, ClippedTextFits, ()) {
  const std::string text = *any_bytes();
  const auto columns = *rc::gen::inRange<size_t>(0, 40);
  const std::string clipped = clip_to_width(text, columns);
  RC_ASSERT(display_width(clipped) <= columns);
  RC_ASSERT(display_width(pad_to_width(text, columns)) == columns);
  if (display_width(text) <= columns) RC_ASSERT(clipped == text);
}

}  // namespace
}  // namespace limpid::text
