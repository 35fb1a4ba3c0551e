#include "text/test_text.h"

namespace limpid::text {
namespace {

using Places = std::vector<WordPlace>;

// "Life is short" under merges that split: L i fe | ·is | ·sho rt
const Tokenizer& bpe() {
  static const auto made = [] {
    BpeParts parts;
    parts.merges = {{'f', 'e'}, {'i', 's'}, {' ', 257}, {'s', 'h'}, {' ', 259}, {260, 'o'}, {'r', 't'}};
    return bpe_tokenizer(parts);
  }();
  return *made;
}

Places find(const std::string& text, std::string_view word) {
  return find_word(text, bpe().encode_with_spans(text), word);
}

TEST(FindWord, GivesTheTokensAWordBecame) {
  EXPECT_EQ(find("Life is short", "Life"), (Places{{{0, 4}, 0, 3}}));
  EXPECT_EQ(find("Life is short", "is"), (Places{{{5, 7}, 3, 4}}));
  EXPECT_EQ(find("Life is short", "short"), (Places{{{8, 13}, 4, 6}}));
}

TEST(FindWord, CountsOccurrences) {
  const std::string text = "is short. is \"short\" short";
  EXPECT_EQ(find(text, "short").size(), 3u);
  EXPECT_EQ(find(text, "short#2"), (Places{find(text, "short")[1]}));
  EXPECT_EQ(find(text, "short#2")[0].bytes, (Span{14, 19}));
  EXPECT_EQ(find(text, "short.").size(), 1u);
  EXPECT_EQ(find(text, "\"short\"").size(), 1u);
  EXPECT_EQ(find("it isn't, (isn't)", "isn't").size(), 2u);
  EXPECT_EQ(find("a - b", "-").size(), 1u);
  EXPECT_EQ(find("日本 日本", "日本#2")[0].bytes, (Span{7, 13}));
  EXPECT_EQ(find("#1 #2", "#2")[0].bytes, (Span{3, 5}));
}

TEST(FindWord, WorksForEveryKind) {
  const std::string text = "Life is short";
  const auto words = word_tokenizer_from(text);
  EXPECT_EQ(find_word(text, words->encode_with_spans(text), "short"), (Places{{{8, 13}, 2, 3}}));
  const auto characters = character_tokenizer_from(text);
  EXPECT_EQ(find_word(text, characters->encode_with_spans(text), "is"), (Places{{{5, 7}, 5, 7}}));
}

TEST(FindWord, SaysWhatIsThere) {
  const auto refused = [](const std::string& text, std::string_view word) {
    return message_of(Error::Kind::call, [&] { find(text, word); });
  };
  EXPECT_HAS(refused("Life is short", "long"), "no word \"long\"; its words are \"Life\", \"is\", \"short\"");
  EXPECT_HAS(refused("Life is short", "short#2"), "occurrence 2 of \"short\", which occurs once");
  EXPECT_HAS(refused("is is it", "is#3"),
             "which occurs 2 times; the text's words are \"is\", \"is\", \"it\"");
  EXPECT_HAS(refused("is", "is#0"), "the first is #1");
  EXPECT_HAS(refused(" ", "is"), "it has no words");
  EXPECT_HAS(refused("is", ""), "empty");
  EXPECT_HAS(message_of(Error::Kind::call, [] { find_word("Life is", {}, "is"); }),
             "expected the tokens of this text");
}

TEST(ParseTokenChoice, IndexThenNumberedWordThenWord) {
  EXPECT_EQ(parse_token_choice("3").index, 3);
  EXPECT_EQ(parse_token_choice("-1").index, -1);
  EXPECT_EQ(parse_token_choice("short").word, "short");
  EXPECT_FALSE(parse_token_choice("short").index || parse_token_choice("short").number);
  EXPECT_EQ(parse_token_choice("short#2").word, "short");
  EXPECT_EQ(parse_token_choice("short#2").number, 2);
  EXPECT_EQ(parse_token_choice("3#1").word, "3");  // the word "3"
  EXPECT_EQ(parse_token_choice("3#1").number, 1);
  EXPECT_EQ(parse_token_choice("C#").word, "C#");
  EXPECT_EQ(parse_token_choice("C##2").word, "C#");
  EXPECT_EQ(parse_token_choice("#2").word, "#2");
  EXPECT_EQ(parse_token_choice("-").word, "-");
  EXPECT_EQ(parse_token_choice("3rd").word, "3rd");
  EXPECT_HAS(message_of(Error::Kind::call, [] { parse_token_choice(""); }),
             "expected an index, a word or word#2");
  EXPECT_HAS(message_of(Error::Kind::call, [] { parse_token_choice("x#0"); }), "occurrence 0");
  EXPECT_HAS(message_of(Error::Kind::call, [] { parse_token_choice("99999999999999999999"); }), "too large");
}

}  // namespace
}  // namespace limpid::text
