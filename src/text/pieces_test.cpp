#include "text/pieces.h"

#include "text/test_text.h"

namespace limpid::text {
namespace {

using Strings = std::vector<std::string>;

Strings pieces(std::string_view text) {
  Strings out;
  for_each_piece(text, [&](std::string_view piece) { out.emplace_back(piece); });
  return out;
}

TEST(Pieces, AreGpt2s) {
  EXPECT_EQ(pieces("I'll go  home\n\n"), (Strings{"I", "'ll", " go", " ", " home", "\n\n"}));
  EXPECT_EQ(pieces("Hello, world! 123abc"), (Strings{"Hello", ",", " world", "!", " 123", "abc"}));
  EXPECT_EQ(pieces("don't DON'T we're"), (Strings{"don", "'t", " DON", "'", "T", " we", "'re"}));
  EXPECT_EQ(pieces("a \n b"), (Strings{"a", " \n", " b"}));
  EXPECT_EQ(pieces("  x"), (Strings{" ", " x"}));
  EXPECT_EQ(pieces("\tx"), (Strings{"\t", "x"}));  // only a space joins the word after it
  EXPECT_EQ(pieces("   "), (Strings{"   "}));
  EXPECT_EQ(pieces(" 日本語 и 42"), (Strings{" 日本語", " и", " 42"}));
  EXPECT_EQ(pieces("e\u0301"), (Strings{"e", "\u0301"}));  // a mark is no letter
  EXPECT_EQ(pieces("a\u00a0\u00a0b"), (Strings{"a", "\u00a0", "\u00a0", "b"}));
  EXPECT_EQ(pieces("a\u180eb"), (Strings{"a", "\u180e", "b"}));
  EXPECT_TRUE(pieces("").empty());
}

TEST(Pieces, BytesThatAreNoCharacterStandAlone) {
  EXPECT_EQ(pieces("ab\xff\xfe cd\xc3"), (Strings{"ab", "\xff\xfe", " cd", "\xc3"}));
  EXPECT_EQ(pieces("a \xff"), (Strings{"a", " ", "\xff"}));
}

RC_GTEST_PROP(Pieces, AreTheWholeText, ()) {
  const std::string text = *any_bytes();
  std::string joined;
  for (const std::string& piece : pieces(text)) {
    RC_ASSERT(!piece.empty());
    joined += piece;
  }
  RC_ASSERT(joined == text);
}

TEST(SpecialFinder, FindsTheFirstAndOfThoseTheLongest) {
  const Strings names{"<a>", "<a><b>", "zz"};
  SpecialFinder finder("x<a><b>y<a>zzz", names);
  auto found = finder.next(0);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->place, (Span{1, 7}));
  EXPECT_EQ(found->name, 1u);
  found = finder.next(7);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->place, (Span{8, 11}));
  found = finder.next(11);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->place, (Span{11, 13}));
  EXPECT_FALSE(finder.next(13));
}

}  // namespace
}  // namespace limpid::text
