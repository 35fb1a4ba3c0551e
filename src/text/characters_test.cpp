#include "limpid/files.h"
#include "text/test_text.h"
#include "text/utf8.h"

namespace limpid::text {
namespace {

TEST(Characters, AreSortedByCodePoint) {
  const auto characters = character_tokenizer_from("héllo\n日a");
  EXPECT_EQ(characters->kind(), "characters");
  EXPECT_EQ(characters->vocabulary(), 7);  // \n a h l o é 日
  EXPECT_EQ(characters->encode("hé\n日"), (std::vector<int64_t>{2, 5, 0, 6}));
  EXPECT_EQ(characters->token_bytes(6), "日");
  EXPECT_EQ(characters->encode_with_spans("aé日").spans, (std::vector<Span>{{0, 1}, {1, 3}, {3, 6}}));
}

TEST(Characters, AnUnknownCharacterIsNamedWithItsPlace) {
  const auto characters = character_tokenizer_from("ab\né");
  const std::string message = message_of(Error::Kind::call, [&] { characters->encode("éaZb"); });
  EXPECT_HAS(message, "\"Z\" (U+005A), character 3 of the text (byte 3), is not one of the 4 characters");
  EXPECT_HAS(message, "\\nabé");
  EXPECT_HAS(message_of(Error::Kind::call, [&] { characters->encode("a\xff"); }), "<0xFF> at byte 1");
}

TEST(Characters, RefuseListsThatAreNone) {
  EXPECT_HAS(message_of(Error::Kind::call, [] { character_tokenizer({}); }), "no characters");
  EXPECT_HAS(message_of(Error::Kind::call, [] { character_tokenizer_from(""); }), "the text is empty");
  EXPECT_HAS(message_of(Error::Kind::call, [] { character_tokenizer_from("ab\x80"); }),
             "<0x80> at byte 2 (character 3)");
  EXPECT_HAS(message_of(Error::Kind::call, [] { character_tokenizer({"a", "bc"}); }), "entry 1 is \"bc\"");
  EXPECT_HAS(message_of(Error::Kind::call, [] { character_tokenizer({"\xff"}); }), "one UTF-8 character");
  EXPECT_HAS(message_of(Error::Kind::call, [] { character_tokenizer({"a", "b", "a"}); }), "repeats entry 0");
}

RC_GTEST_PROP(Characters, EveryTextComesBack, ()) {
  const std::string text =
      *rc::gen::suchThat(any_bytes(), [](const std::string& s) { return !s.empty() && is_valid_utf8(s); });
  const auto characters = character_tokenizer_from(text);
  const Encoding tokens = characters->encode_with_spans(text);
  RC_ASSERT(characters->decode(tokens.ids) == text);
  RC_ASSERT(spans_are_the_tokens(*characters, text, tokens));
  const auto again = tokenizer_from_json(characters->to_json());
  RC_ASSERT(again->encode(text) == tokens.ids);
}

// The vocabulary and the first ids that nanoGPT's data/shakespeare_char/prepare.py makes.
TEST(Characters, OfTinyShakespeareAreNanoGptsSixtyFive) {
  const auto path = data_folder() / "text" / "tinyshakespeare" / "input.txt";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no " << path;
  const auto characters = character_tokenizer_from(read_file(path));
  EXPECT_EQ(characters->vocabulary(), 65);
  EXPECT_EQ(characters->encode("First"), (std::vector<int64_t>{18, 47, 56, 57, 58}));
}

}  // namespace
}  // namespace limpid::text
