#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "limpid/model.h"
#include "trace/word_spans.h"

namespace limpid {
namespace {

TEST(Words, AddWhereTheyAreLookedAtAndAverageWhereTheyLook) {
  Model model = Model::builtin();
  const Trace tokens = model.trace("Das Leben ist sch\xc3\xb6n, don't you think?"), words = in_words(tokens);
  ASSERT_LT(words.tokens.size(), tokens.tokens.size());
  std::string list;
  for (const Token& word : words.tokens) list += word.label + "|";
  EXPECT_EQ(list, "Das|Leben|ist|sch\xc3\xb6n|,|don't|you|think|?|");
  EXPECT_NE(words.notes.back().find("are shown as 9 words"), std::string::npos);
  const Tensor& a = tokens["blocks.1.attn.pattern"];
  const Tensor& b = words["blocks.1.attn.pattern"];
  const auto count = static_cast<int64_t>(words.tokens.size());
  for (int64_t h = 0; h < b.shape()[1].size; ++h)
    for (int64_t t = 0; t < count; ++t) {
      double sum = 0;
      for (int64_t s = 0; s < count; ++s) sum += b.at({0, h, t, s});
      EXPECT_NEAR(sum, 1, 1e-6);
    }
  // A cell by hand: what "schön" gives to "Leben".
  const auto pieces = [&](const char* label) {
    std::vector<int64_t> out;
    for (const Token& word : words.tokens)
      if (word.label == label)
        for (size_t i = 0; i < tokens.tokens.size(); ++i)
          if (tokens.tokens[i].begin >= word.begin && tokens.tokens[i].end <= word.end)
            out.push_back(static_cast<int64_t>(i));
    return out;
  };
  const auto from = pieces("sch\xc3\xb6n"), to = pieces("Leben");
  ASSERT_GT(from.size(), 1u);
  double sum = 0;
  for (int64_t i : from)
    for (int64_t j : to) sum += a.at({0, 2, i, j});
  EXPECT_NEAR(b.at({0, 2, 3, 1}), sum / static_cast<double>(from.size()), 1e-12);
  // What is expected after a word is what its last piece expects.
  for (int64_t v = 0; v < 20; ++v)
    EXPECT_EQ(words["probs"].at({0, 3, v}), tokens["probs"].at({0, from.back(), v}));
}

TEST(Words, AreFoundInAnyText) {
  Model model = Model::builtin();
  for (const char* text : {"a", " ", "\n\n", "x  y", "\xf0\x9f\x8c\xb3", "\xff\xfe", "caf\xc3\xa9\xff"}) {
    const Trace tokens = model.trace(text), words = in_words(tokens);
    EXPECT_EQ(words.tokens.front().begin, 0u);
    EXPECT_EQ(words.tokens.back().end, std::string(text).size());
    EXPECT_EQ(words["blocks.0.attn.pattern"].shape()[2].size, static_cast<int64_t>(words.tokens.size()));
  }
}

// A field says it, not the words of a note; a trace by tokens, as every trace of before, has no such field.
TEST(Words, AreKnownAfterTheyWereStored) {
  Model model = Model::builtin();
  const Trace tokens = model.trace("sch\xc3\xb6n don't"), words = in_words(tokens);
  EXPECT_FALSE(tokens.words_of_pieces);
  EXPECT_TRUE(words.words_of_pieces);
  EXPECT_EQ(to_json(tokens).find("words_of_pieces"), std::string::npos);
  for (const char* ending : {".safetensors", ".npz"}) {
    const std::string path =
        (std::filesystem::temp_directory_path() / join("limpid_words_", ::getpid(), ending)).string();
    Trace silent = words;
    silent.notes.clear();
    save(silent, path);
    EXPECT_TRUE(load_trace(path).words_of_pieces);
    save(tokens, path);
    EXPECT_FALSE(load_trace(path).words_of_pieces);
    std::filesystem::remove(path);
  }
}

std::string told(const std::string& text, const std::vector<Token>& tokens) {
  std::string out;
  for (const WordSpan& word : words_of(text, tokens))
    out += join(word.label, word.added ? "+" : "", " ", word.first, ":", word.end, "|");
  return out;
}

// Tokens that begin or end a text cover nothing of it, and are no part of the word beside them; the parts of
// a character, of which the last alone covers something, are one.
TEST(Words, OfTokensThatCoverNothing) {
  EXPECT_EQ(told("dogs run",
                 {{0, "<s>", 0, 0}, {1, "dog", 0, 3}, {2, "s", 3, 4}, {3, " run", 4, 8}, {4, "</s>", 8, 8}}),
            "<s>+ 0:1|dogs 1:3|run 3:4|</s>+ 4:5|");
  EXPECT_EQ(
      told("sch\xc3\xb6n", {{0, "sch", 0, 3}, {1, "<0xC3>", 3, 3}, {2, "<0xB6>", 3, 5}, {3, "n", 5, 6}}),
      "sch\xc3\xb6n 0:4|");
  EXPECT_EQ(told("ja", {{0, "[CLS]", 0, 0}, {1, "\xe2\x96\x81", 0, 0}, {2, "ja", 0, 2}}),
            "[CLS]+ 0:1|ja 1:3|");
  EXPECT_EQ(told("a  b ", {{0, "a", 0, 1}, {1, " ", 1, 2}, {1, " ", 2, 3}, {2, "b", 3, 4}, {1, " ", 4, 5}}),
            "a 0:1|b 1:4|  4:5|");                                        // blanks are the word's behind them
  EXPECT_EQ(told("", {{7, "7", 0, 0}, {8, "8", 0, 0}}), "7 0:1|8 1:2|");  // bare ids
}

TEST(Words, OfAStoredTraceWhosePlacesAreWrongAreStillWords) {
  EXPECT_NO_THROW(words_of("abc", {{0, "x", 90, 95}, {1, "y", 2, 1}, {2, "z", 3, 999}}));
}

// Where the text and what it looks at are two, each has words of its own.
TEST(Words, OfACrossAttention) {
  const char* json =
      R"({"network":"parts","inputs":{"vocabulary":256,"width":8},
          "encoder":{"inputs":{"vocabulary":256,"width":8},
                     "stack":{"layers":1,"blocks":[{"attention":{"heads":1,"width":8,"out_width":8},"feed_forward":{"width":8}}]}},
          "stack":{"layers":1,"blocks":[{"attention":{"heads":1,"width":8,"out_width":8,"mask":"causal"},
                                         "cross":{"heads":1,"width":8,"out_width":8},"feed_forward":{"width":8}}]},
          "head":{"kind":"next_word"}})";
  const Model model = Model::fresh(network_from_json(json), byte_tokenizer(), 3);
  TraceOptions options;
  options.target = {0, 'h', 'i'};
  const Trace cross = part_of(model.trace("ein Hund", options), NetworkPart::cross), words = in_words(cross);
  ASSERT_EQ(words.keys.size(), 2u);  // "ein", "Hund" with the blank before it
  EXPECT_EQ(words.keys[1].label, "Hund");
  const Tensor &by_words = words["blocks.0.attn.pattern"], &by_tokens = cross["blocks.0.attn.pattern"];
  const auto last = static_cast<int64_t>(words.tokens.size()) - 1;
  double sum = 0;
  for (int64_t t : {1, 2})
    for (int64_t s = 3; s < 8; ++s) sum += by_tokens.at({0, 0, t, s});
  EXPECT_NEAR(by_words.at({0, 0, last, 1}), sum / 2, 1e-7);
}

TEST(Words, NeedAText) {
  const Model silent =
      Model::fresh(GptConfig{.vocabulary = 8, .layers = 1, .heads = 1, .width = 4}, nullptr, 1);
  EXPECT_THROW(in_words(silent.trace(std::vector<int64_t>{1, 2, 3})), Error);
}

TEST(Labels, NameWhichPartOfACharacterATokenIs) {
  Model model = Model::builtin();
  const Trace trace = model.trace("sch\xc3\xb6n");
  int parts = 0;
  for (const Token& token : trace.tokens) {
    EXPECT_EQ(token.label.find("<0x"), std::string::npos) << token.label;
    parts += token.label.find("\xc3\xb6 ") != std::string::npos;
  }
  EXPECT_EQ(parts, 2);
}

}  // namespace
}  // namespace limpid
