// Whole pipelines: pairs, special tokens, spans, streams, long inputs.
#include <gtest/gtest.h>

#include <ctime>

#include "limpid/files.h"
#include "text/pipeline/byte_alphabet.h"
#include "text/test_text.h"
#include "text/utf8.h"

namespace limpid {
namespace {

using Ids = std::vector<int64_t>;

std::unique_ptr<Tokenizer> bert() {
  return tokenizer_from_json(R"({"added_tokens":[{"id":0,"content":"[CLS]","special":true,"normalized":false},
    {"id":1,"content":"[SEP]","special":true,"normalized":false},
    {"id":6,"content":"<m>","special":true,"normalized":false,"lstrip":true,"rstrip":true},
    {"id":7,"content":"new","single_word":true,"normalized":true}],
    "normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"BertPreTokenizer"},
    "post_processor":{"type":"BertProcessing","cls":["[CLS]",0],"sep":["[SEP]",1]},"decoder":{"type":"WordPiece"},
    "model":{"type":"WordPiece","vocab":{"[CLS]":0,"[SEP]":1,"[UNK]":2,"play":3,"##ing":4,",":5}}})");
}

// All 256 bytes, and a few merges.
std::unique_ptr<Tokenizer> byte_level(const std::string& more = "") {
  const text::ByteAlphabet& alphabet = text::ByteAlphabet::get();
  std::string vocab;
  for (int byte = 0; byte < 256; ++byte) {
    std::string c = alphabet.character(static_cast<uint8_t>(byte));
    if (c == "\"" || c == "\\") c = "\\" + c;
    vocab += "\"" + c + "\":" + std::to_string(byte) + ",";
  }
  return tokenizer_from_json(
      R"({"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"decoder":{"type":"ByteLevel"},)" +
      more + R"("model":{"type":"BPE","vocab":{)" + vocab +
      R"("aa":256,"aaaa":257,"Ġa":258,"Ã©":259},"merges":["a a",["aa","aa"],"Ġ a","Ã ©"]}})");
}

TEST(Pipeline, AddsSpecialTokensAndTellsTextsApart) {
  const auto tokenizer = bert();
  EXPECT_EQ(tokenizer->kind(), "wordpiece");
  EXPECT_EQ(tokenizer->vocabulary(), 8);
  const ModelInput one = tokenizer->encode_for_model("Playing,");
  EXPECT_EQ(one.ids, (Ids{0, 3, 4, 5, 1}));
  EXPECT_EQ(one.spans, (std::vector<Span>{{0, 0}, {0, 4}, {4, 7}, {7, 8}, {0, 0}}));
  EXPECT_EQ(one.text_of, (std::vector<int>{-1, 0, 0, 0, -1}));
  const ModelInput two = tokenizer->encode_for_model("play", "é playing");
  EXPECT_EQ(two.ids, (Ids{0, 3, 1, 2, 3, 4, 1}));
  EXPECT_EQ(two.type_ids, (Ids{0, 0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(two.spans[3], (Span{0, 2}));
  EXPECT_EQ(tokenizer->encode_for_model("play", "play", {false, Specials::as_text}).ids, (Ids{3, 3}));
  EXPECT_EQ(tokenizer->decode(two.ids, DecodeSpecials::skip), "play [UNK] playing");
  EXPECT_EQ(tokenizer->special_ids().cls, 0);
  EXPECT_EQ(tokenizer->special_ids().unk, 2);
}

TEST(Pipeline, TextCannotForgeASpecialToken) {
  const auto tokenizer = bert();
  EXPECT_EQ(tokenizer->encode("[SEP]", Specials::as_tokens), (Ids{1}));
  EXPECT_EQ(tokenizer->encode("[SEP]"), (Ids{2, 2, 2}));
  const auto words = tokenizer_from_json(R"({"added_tokens":[{"id":0,"content":"</s>","special":true}],
    "model":{"type":"Unigram","unk_id":1,"vocab":[["</s>",0],["?",-9],["a",-1]]}})");
  EXPECT_EQ(words->encode("a</s>", Specials::as_tokens), (Ids{2, 0}));
  EXPECT_EQ(words->encode("a</s>"), (Ids{2, 1}));
}

TEST(Pipeline, TheMaskAloneCanBeAToken) {
  const auto tokenizer = tokenizer_from_json(
      R"({"added_tokens":[{"id":0,"content":"</s>","special":true},{"id":2,"content":"<mask>","special":true}],
    "model":{"type":"Unigram","unk_id":1,"vocab":[["</s>",0],["?",-9],["<mask>",0],["a",-1]]}})");
  EXPECT_EQ(tokenizer->special_ids().mask, 2);
  EXPECT_EQ(tokenizer->encode("a<mask></s>", Specials::as_tokens), (Ids{3, 2, 0}));
  EXPECT_EQ(tokenizer->encode("a<mask></s>", Specials::mask_as_token), (Ids{3, 2, 1}));
  EXPECT_EQ(tokenizer->encode("a<mask></s>"), (Ids{3, 1, 3, 1}));               // the mask's own "a"
  EXPECT_EQ(bert()->encode("[SEP]", Specials::mask_as_token), (Ids{2, 2, 2}));  // it has none
}

TEST(Pipeline, AddedTokensTakeTheirBlanksAndStandAlone) {
  const auto tokenizer = bert();
  const Encoding tokens = tokenizer->encode_with_spans("play  <m> , new newer", Specials::as_tokens);
  EXPECT_EQ(tokens.ids, (Ids{3, 6, 5, 7, 2}));
  EXPECT_EQ(tokens.spans[1], (Span{4, 10}));
}

TEST(Pipeline, ReadsBackWhatItWrote) {
  for (const auto& tokenizer : {bert(), byte_level()}) {
    const auto again = tokenizer_from_json(tokenizer->to_json());
    EXPECT_EQ(again->to_json(), tokenizer->to_json());
    EXPECT_EQ(again->encode("playing aaaa é"), tokenizer->encode("playing aaaa é"));
    EXPECT_EQ(again->special_ids(), tokenizer->special_ids());
  }
}

RC_GTEST_PROP(Pipeline, ByteLevelGivesEveryStringBack, ()) {
  static const auto tokenizer = byte_level();
  const std::string given = *text::any_bytes();
  const Encoding tokens = tokenizer->encode_with_spans(given);
  RC_ASSERT(tokenizer->decode(tokens.ids) == given);
  RC_ASSERT(text::spans_are_the_tokens(*tokenizer, given, tokens));
  StreamDecoder stream(*tokenizer);
  std::string streamed;
  for (const int64_t id : tokens.ids) {
    const std::string part = stream.push(id);
    if (text::is_valid_utf8(given)) RC_ASSERT(text::is_valid_utf8(part));
    streamed += part;
  }
  RC_ASSERT(streamed + stream.finish() == given);
}

RC_GTEST_PROP(Pipeline, SpansStayInTheText, ()) {
  static const auto tokenizer = bert();
  const std::string given = *text::any_bytes();
  const Encoding tokens = tokenizer->encode_with_spans(given, Specials::as_tokens);
  size_t at = 0;
  for (const Span& span : tokens.spans) {
    RC_ASSERT(span.begin >= at);
    RC_ASSERT(span.end >= span.begin);
    RC_ASSERT(span.end <= given.size());
    at = span.begin;
  }
}

TEST(StreamDecoder, NeverEndsInsideACharacter) {
  const auto tokenizer = byte_level();
  StreamDecoder stream(*tokenizer);
  EXPECT_EQ(stream.push(0xF0), "");
  EXPECT_EQ(stream.push(0x9F), "");
  EXPECT_EQ(stream.push(0x98), "");
  EXPECT_EQ(stream.push(0x80), "😀");
  EXPECT_EQ(stream.push(0xE2), "");
  EXPECT_EQ(stream.finish(), "\xE2");
  EXPECT_EQ(stream.push('a'), "a");  // another text
  EXPECT_THROW(stream.push(100000), Error);
  EXPECT_EQ(stream.push('b'), "b");
}

TEST(StreamDecoder, LongTextsEqualDecode) {
  const auto tokenizer =
      tokenizer_from_json(R"({"pre_tokenizer":{"type":"Metaspace"},"decoder":{"type":"Metaspace"},
    "model":{"type":"Unigram","unk_id":0,"vocab":[["?",-9],["▁",-3],["▁a",-1],["b",-1],["▁▁",-2]]}})");
  Ids ids;
  for (int i = 0; i < 500; ++i) ids.push_back(i % 7 == 3 ? 1 : i % 5 == 2 ? 4 : 2 + i % 2);
  StreamDecoder stream(*tokenizer);
  std::string streamed;
  for (const int64_t id : ids) streamed += stream.push(id);
  EXPECT_EQ(streamed + stream.finish(), tokenizer->decode(ids));
}

// No input takes time quadratic in its length.
TEST(Pipeline, AMillionOfOneLetter) {
  const std::string given(1 << 20, 'a');
  const std::clock_t start = std::clock();  // processor time: other programs may be running
  const auto tokenizer = byte_level();
  EXPECT_EQ(tokenizer->encode(given).size(), given.size() / 4);
  EXPECT_EQ(bert()->encode(given), Ids{2});
  const auto scored = tokenizer_from_json(
      R"({"model":{"type":"BPE","vocab":["?","a","aa","aaa","aaaa"],"scores":[null,-9,-1,-2,-3],"unk_token":"?"}})");
  EXPECT_EQ(scored->encode(given).size(), given.size() / 4);
  const auto unigram = tokenizer_from_json(
      R"({"model":{"type":"Unigram","unk_id":0,"vocab":[["?",-9],["a",-2],["aaa",-3]]}})");
  EXPECT_GT(unigram->encode(given).size(), given.size() / 3 - 1);
  const std::string marks = [] {
    std::string text = "a";
    for (int i = 0; i < 200000; ++i) text += i % 2 ? "\u0301" : "\u0323";
    return text;
  }();
  EXPECT_GT(byte_level(R"("normalizer":{"type":"NFC"},)")->encode(marks).size(), 1000u);
  EXPECT_LT((std::clock() - start) / CLOCKS_PER_SEC, 20);
}

TEST(Bpe, WordsHaveBeginningsAndEnds) {
  const auto clip =
      tokenizer_from_json(R"({"pre_tokenizer":{"type":"WhitespaceSplit"},"decoder":{"type":"BPEDecoder"},
    "model":{"vocab":{"a":0,"b</w>":1,"ab</w>":2,"a</w>":3},"merges":["a b</w>"],"end_of_word_suffix":"</w>"}})");
  EXPECT_EQ(clip->encode("ab a aa"), (Ids{2, 3, 0, 3}));
  EXPECT_EQ(clip->decode(Ids{2, 3}), "ab a");
  const auto prefixed = tokenizer_from_json(R"({"model":{"vocab":{"a":0,"##b":1,"ab":2},"merges":["a ##b"],
    "continuing_subword_prefix":"##"}})");
  EXPECT_EQ(prefixed->encode("ab"), (Ids{2}));
}

TEST(Bpe, UnknownCharacters) {
  const auto with = [](const char* more) {
    return tokenizer_from_json(std::string(R"({"model":{"type":"BPE","vocab":{"?":0,"a":1},"merges":[])") +
                               more + "}}");
  };
  EXPECT_EQ(with("")->encode("axya"), (Ids{1, 1}));
  EXPECT_EQ(with(R"(,"unk_token":"?")")->encode("axya"), (Ids{1, 0, 0, 1}));
  EXPECT_EQ(with(R"(,"unk_token":"?","fuse_unk":true)")->encode("axya"), (Ids{1, 0, 1}));
}

TEST(WordLevel, KnowsWordsOrDoesNot) {
  const auto words = tokenizer_from_json(
      R"({"pre_tokenizer":{"type":"Whitespace"},"model":{"vocab":{"?":0,"a":3},"unk_token":"?"}})");
  EXPECT_EQ(words->encode("a b a"), (Ids{3, 0, 3}));
  EXPECT_EQ(words->vocabulary(), 4);
  EXPECT_EQ(words->decode(Ids{3, 1, 3}), "a a");  // id 1 is a hole
  const auto strict = tokenizer_from_json(R"({"model":{"type":"WordLevel","vocab":{"a":0}}})");
  EXPECT_HAS(text::message_of(Error::Kind::call, [&] { strict->encode("b"); }), "\"b\"");
}

}  // namespace
}  // namespace limpid
