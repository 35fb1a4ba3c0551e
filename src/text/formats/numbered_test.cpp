// Folders whose vocab.json numbers SentencePiece's pieces: Marian's and M2M-100's. tests/tokenizer_folders.py
// holds both to the library with trained models.
#include <gtest/gtest.h>

#include "text/formats/test_folder.h"

namespace limpid {
namespace {

using text::Folder;
using text::message_of;
using text::scored;
using NumberedIds = std::vector<int64_t>;

const std::string k_first_pieces = scored("<unk>", 2) + scored("<s>", 3) + scored("</s>", 3);
const std::string k_two_letters = k_first_pieces + scored("▁") + scored("a") + scored("b") + scored("▁ab") +
                                  scored("ab");  // the last for bpe, which joins twice
const std::string k_of_bpe = text::length_and(2, std::string("\x18\x02", 2));

// "b" has no number, "ß" is no piece; nothing has the number 5.
constexpr const char* k_numbers =
    R"({"</s>":0,"<unk>":1,"▁":3,"a":2,"▁ab":4,">>fra<<":6,">>deu<<":7,"ß":8,"ßé":10,"<pad>":9})";

Folder marian(const std::string& pieces = k_two_letters, const std::string& numbers = k_numbers) {
  Folder folder("marian");
  folder.write("source.spm", pieces);
  folder.write("target.spm", pieces);
  folder.write("vocab.json", numbers);
  folder.write("tokenizer_config.json", R"({"source_lang":"eng","target_lang":"deu"})");
  return folder;
}

TEST(MarianTokenizer, PiecesHaveTheNumbersOfVocabJson) {
  for (const std::string& of : {std::string(), k_of_bpe}) {
    const Folder folder = marian(k_two_letters + of);
    const auto tokenizer = folder.tokenizer();
    EXPECT_EQ(tokenizer->encode_for_model("ab a").ids, (NumberedIds{4, 3, 2, 0}));
    EXPECT_EQ(tokenizer->encode_for_model("ab", "a").ids, (NumberedIds{4, 3, 2, 0}));
    EXPECT_EQ(tokenizer->decode(NumberedIds{4, 3, 2, 5, 8, 0}, DecodeSpecials::skip), "ab aß");
    EXPECT_EQ(tokenizer->vocabulary(), 11);
    EXPECT_EQ(tokenizer->special_ids().eos, 0);
    EXPECT_EQ(tokenizer->special_ids().unk, 1);
    EXPECT_EQ(tokenizer->special_ids().pad, 9);
    EXPECT_FALSE(hub_tokenizer_json(*tokenizer));
  }
}

// Each piece without a number is <unk> by itself; a run of characters that no piece covers is looked up as a
// whole (the other language's letters).
TEST(MarianTokenizer, WhatHasNoNumberIsUnknown) {
  for (const std::string& of : {std::string(), k_of_bpe}) {
    const auto tokenizer = marian(k_two_letters + of).tokenizer();
    EXPECT_EQ(tokenizer->encode("abb"), (NumberedIds{4, 1}));
    EXPECT_EQ(tokenizer->encode("abbb"), (NumberedIds{4, 1, 1}));
    EXPECT_EQ(tokenizer->encode("aß"), (NumberedIds{3, 2, 8}));
    EXPECT_EQ(tokenizer->encode("aßé"), (NumberedIds{3, 2, 10}));
    EXPECT_EQ(tokenizer->encode("aéé"), (NumberedIds{3, 2, 1}));
    EXPECT_EQ(tokenizer->encode("béb"), (NumberedIds{3, 1, 1, 1}));
  }
}

TEST(MarianTokenizer, ALanguagesCodeStandsAtTheBeginning) {
  const auto tokenizer = marian().tokenizer();
  EXPECT_EQ(tokenizer->encode_for_model(">>fra<< ab").ids, (NumberedIds{6, 4, 0}));
  EXPECT_EQ(tokenizer->encode_for_model(">>deu<<ab").ids, (NumberedIds{7, 4, 0}));
  EXPECT_EQ(tokenizer->encode(">>xyz<< ab"), (NumberedIds{1, 4}));
  EXPECT_EQ(tokenizer->encode(">>fra<<"), (NumberedIds{6}));
  EXPECT_EQ(tokenizer->encode(">>"), (NumberedIds{3, 1}));
  const NumberedIds behind = tokenizer->encode("ab >>fra<<");
  EXPECT_EQ(std::count(behind.begin(), behind.end(), 6), 0);
  const Encoding spans = tokenizer->encode_with_spans(">>fra<< ab");
  EXPECT_EQ(spans.spans[0], (Span{0, 7}));
  EXPECT_EQ(spans.spans[1], (Span{8, 10}));
  const auto again = tokenizer_from_json(tokenizer->to_json());
  EXPECT_EQ(again->encode_for_model(">>fra<< ab aß").ids, tokenizer->encode_for_model(">>fra<< ab aß").ids);
}

// What is read and what is written: each its SentencePiece model, its numbers and its special tokens.
TEST(MarianTokenizer, AVocabularyEach) {
  EXPECT_EQ(load_target_tokenizer(marian().path()), nullptr);
  Folder apart = marian();
  apart.write("tokenizer_config.json", R"({"separate_vocabs":true})");
  apart.write("target.spm", k_first_pieces + scored("▁") + scored("b") + scored("▁b"));
  apart.write("target_vocab.json", R"({"</s>":1,"<unk>":0,"▁b":2,"b":5,"▁":3,"<pad>":4})");
  const auto source = apart.tokenizer(), target = load_target_tokenizer(apart.path());
  ASSERT_NE(target, nullptr);
  EXPECT_EQ(source->encode_for_model("ab a").ids, (NumberedIds{4, 3, 2, 0}));
  EXPECT_EQ(source->vocabulary(), 11);
  EXPECT_EQ(target->encode_for_model("b bab").ids, (NumberedIds{2, 2, 0, 5, 1}));
  EXPECT_EQ(target->decode(NumberedIds{2, 5, 2, 1, 4}, DecodeSpecials::skip), "bb b");
  EXPECT_EQ(target->vocabulary(), 6);
  EXPECT_EQ(target->special_ids().pad, 4);
  apart.write("target_vocab.json", R"({"<unk>":0})");
  EXPECT_HAS(message_of(Error::Kind::work, [&] { load_target_tokenizer(apart.path()); }),
             "target_vocab.json");
  std::filesystem::remove(std::filesystem::path(apart.path()) / "target_vocab.json");
  EXPECT_HAS(message_of(Error::Kind::work, [&] { load_target_tokenizer(apart.path()); }),
             "target_vocab.json");
}

// A text from outside forges no special token.
TEST(MarianTokenizer, NamesOfSpecialTokensAreText) {
  const auto tokenizer = marian().tokenizer();
  const NumberedIds forged = tokenizer->encode("a</s>");
  EXPECT_EQ(std::count(forged.begin(), forged.end(), 0), 0);
  EXPECT_EQ(tokenizer->encode("a</s>", Specials::as_tokens), (NumberedIds{3, 2, 0}));
  Folder of_run = marian(k_two_letters, R"({"éé":0,"<unk>":1,"▁":3,"a":2,"</s>":4})");
  of_run.write("special_tokens_map.json", R"({"eos_token":"éé"})");
  EXPECT_EQ(of_run.tokenizer()->encode("aéé"), (NumberedIds{3, 2, 1}));
}

TEST(MarianTokenizer, WhatIsWrongWithItIsSaid) {
  const auto said = [](const Folder& folder) {
    return message_of(Error::Kind::work, [&] { folder.tokenizer(); });
  };
  const auto of_numbers = [&](const std::string& numbers) { return said(marian(k_two_letters, numbers)); };
  EXPECT_HAS(of_numbers("[]"), "vocab.json");
  EXPECT_HAS(of_numbers("{"), "vocab.json");
  EXPECT_HAS(of_numbers(R"({"</s>":0,"<unk>":"1"})"), "<unk>");
  EXPECT_HAS(of_numbers(R"({"</s>":0,"<unk>":-1})"), "-1");
  EXPECT_HAS(of_numbers(R"({"</s>":0,"<unk>":1.5})"), "1.5");
  EXPECT_HAS(of_numbers(R"({"</s>":0,"<unk>":4000000000})"), "4000000000");
  EXPECT_HAS(of_numbers(R"({"</s>":1,"<unk>":1})"), "have the number 1");
  EXPECT_HAS(of_numbers(R"({"</s>":1,"<unk>":1})"), "vocab.json");
  EXPECT_HAS(of_numbers(R"({"</s>":0})"), "no number for \"<unk>\"");
  EXPECT_HAS(of_numbers(R"({"<unk>":0})"), "no number for \"</s>\"");
  EXPECT_HAS(said(marian("")), "no pieces");
  EXPECT_HAS(said(marian("\x0b")), "source.spm");
  EXPECT_HAS(said(marian(k_two_letters + text::length_and(2, std::string("\x18\x03", 2)))), "words");
  Folder without("marian_without");
  without.write("source.spm", k_two_letters);
  EXPECT_HAS(said(without), "vocab.json");
}

Folder m2m(const std::string& config = R"({"tokenizer_class":"M2M100Tokenizer","src_lang":"de"})") {
  Folder folder("m2m");
  folder.write("sentencepiece.bpe.model", k_two_letters + k_of_bpe);
  folder.write("vocab.json", R"({"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"▁ab":4,"a":5,"▁":6})");
  folder.write("tokenizer_config.json", config);
  return folder;
}

TEST(M2m100Tokenizer, TheTextsLanguageStandsBeforeIt) {
  const auto tokenizer = m2m().tokenizer();
  const auto german = tokenizer->special("__de__");
  ASSERT_TRUE(german);
  EXPECT_EQ(tokenizer->special("__af__"), 7);  // the first behind the vocabulary
  EXPECT_EQ(tokenizer->special("__zu__"), 106);
  EXPECT_TRUE(tokenizer->is_special(*german));
  EXPECT_EQ(tokenizer->encode_for_model("ab ab").ids, (NumberedIds{*german, 4, 4, 2}));
  EXPECT_EQ(tokenizer->encode_for_model("ab", "a").ids, (NumberedIds{*german, 4, 6, 5, 2}));
  EXPECT_EQ(tokenizer->encode("abb"), (NumberedIds{4, 3}));
  EXPECT_EQ(tokenizer->decode(NumberedIds{*german, 4, 5, 2}, DecodeSpecials::skip), "aba");
  EXPECT_EQ(tokenizer->special_ids().bos, 0);
  EXPECT_EQ(tokenizer->special_ids().eos, 2);
}

TEST(M2m100Tokenizer, ItsFolderMaySayMore) {
  const auto unnamed = [] {
    Folder folder = m2m("{}");
    folder.write("config.json", R"({"model_type":"m2m_100"})");
    return folder.tokenizer();
  }();
  EXPECT_EQ(unnamed->encode_for_model("ab").ids[0], unnamed->special("__en__"));
  const auto wmt21 = m2m(R"({"tokenizer_class":"M2M100Tokenizer","language_codes":"wmt21"})").tokenizer();
  EXPECT_EQ(wmt21->special("__en__"), 7);
  EXPECT_EQ(wmt21->special("__de__"), 14);
  EXPECT_FALSE(wmt21->special("__fr__"));
  // Numbers that a file gives count, and what had them goes.
  Folder added = m2m();
  added.write("added_tokens.json", R"({"__mine__":7,"__de__":200})");
  const auto tokenizer = added.tokenizer();
  EXPECT_EQ(tokenizer->special("__de__"), 200);
  EXPECT_EQ(tokenizer->special("__mine__"), 7);
  EXPECT_FALSE(tokenizer->special("__af__"));
}

TEST(M2m100Tokenizer, WhatIsWrongWithItIsSaid) {
  const auto said = [](const Folder& folder) {
    return message_of(Error::Kind::work, [&] { folder.tokenizer(); });
  };
  EXPECT_HAS(said(m2m(R"({"tokenizer_class":"M2M100Tokenizer","src_lang":"xx"})")), "\"xx\"");
  EXPECT_HAS(said(m2m(R"({"tokenizer_class":"M2M100Tokenizer","language_codes":"all"})")), "m2m100 or wmt21");
  Folder alone("m2m_alone");
  alone.write("sentencepiece.bpe.model", k_two_letters);
  alone.write("tokenizer_config.json", R"({"tokenizer_class":"M2M100Tokenizer"})");
  EXPECT_HAS(said(alone), "expected its vocab.json");
}

}  // namespace
}  // namespace limpid
