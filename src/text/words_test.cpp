#include "text/test_text.h"
#include "text/utf8.h"

namespace limpid::text {
namespace {

TEST(Words, AreNumberedAsTheyAppear) {
  const auto words = word_tokenizer_from("Life is  short,\n life is Life");
  EXPECT_EQ(words->kind(), "words");
  EXPECT_EQ(words->vocabulary(), 4);
  EXPECT_EQ(words->encode("short, life is"), (std::vector<int64_t>{2, 3, 1}));
  EXPECT_EQ(words->decode(std::vector<int64_t>{0, 1, 2}), "Life is short,");
  EXPECT_EQ(words->encode_with_spans(" Life  is ").spans, (std::vector<Span>{{1, 5}, {7, 9}}));
  EXPECT_TRUE(words->encode(" \n").empty());
}

TEST(Words, AnUnknownWordIsNamedWithItsPlaceAndCloseOnes) {
  const auto words = word_tokenizer_from(
      "Life is short art is long opportunity fleeting experience deceptive "
      "judgement difficult said the physician of Kos");
  const std::string message = message_of(Error::Kind::call, [&] { words->encode("Life is shrot"); });
  EXPECT_HAS(message, "\"shrot\", word 3 of the text (byte 8)");
  EXPECT_HAS(message, "16 words");
  EXPECT_HAS(message, "close to it: \"short\"");
  EXPECT_HAS(message_of(Error::Kind::call, [&] { words->encode("life"); }), "close to it: \"Life\"");
  const std::string none = message_of(Error::Kind::call, [&] { words->encode("xylophone"); });
  EXPECT_HAS(none, "the first are: \"Life\", \"is\", \"short\"");
  EXPECT_HAS(message_of(Error::Kind::call, [] { word_tokenizer({"a", "b"})->encode("zebra"); }),
             "2 words of the vocabulary; they are: \"a\", \"b\"");
}

TEST(Words, RefuseListsThatAreNone) {
  EXPECT_HAS(message_of(Error::Kind::call, [] { word_tokenizer({}); }), "no words");
  EXPECT_HAS(message_of(Error::Kind::call, [] { word_tokenizer_from(" \n"); }), "holds no words");
  EXPECT_HAS(message_of(Error::Kind::call, [] { word_tokenizer({"a", ""}); }), "entry 1 is \"\"");
  EXPECT_HAS(message_of(Error::Kind::call, [] { word_tokenizer({"a b"}); }), "without white space");
  EXPECT_HAS(message_of(Error::Kind::call, [] { word_tokenizer({"a", "b", "a"}); }),
             "entry 2, \"a\", repeats entry 0");
}

RC_GTEST_PROP(Words, ComeBackWithOneSpaceBetween, ()) {
  const std::string text =
      *rc::gen::suchThat(any_bytes(), [](const std::string& s) { return !words_in(s).empty(); });
  const auto words = word_tokenizer_from(text);
  std::string spaced;
  for (const Span& w : words_in(text)) {
    if (!spaced.empty()) spaced += ' ';
    spaced += text.substr(w.begin, w.end - w.begin);
  }
  RC_ASSERT(words->decode(words->encode(text)) == spaced);
  const auto again = tokenizer_from_json(words->to_json());
  RC_ASSERT(again->encode(text) == words->encode(text));
  RC_ASSERT(again->to_json() == words->to_json());
}

}  // namespace
}  // namespace limpid::text
