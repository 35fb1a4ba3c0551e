// Families that number SentencePiece's pieces in fairseq's order.  tests/tokenizer_folders.py holds them to
// the library with trained models.
#include <gtest/gtest.h>

#include "text/formats/test_folder.h"

namespace limpid {
namespace {

using text::Folder;
using text::message_of;
using text::scored;
using FairseqIds = std::vector<int64_t>;

const std::string k_xlm_pieces = scored("<unk>", 2) + scored("<s>", 3) + scored("</s>", 3) + scored("▁") +
                                 scored("a") + scored("b") + scored("▁ab");

Folder named_folder(const std::string& config, const std::string& pieces = k_xlm_pieces,
                    const std::string& model = "{}") {
  Folder folder("fairseq");
  folder.write("sentencepiece.bpe.model", pieces);
  folder.write("tokenizer_config.json", config);
  folder.write("config.json", model);
  return folder;
}
std::unique_ptr<Tokenizer> of_class(const std::string& name, const std::string& more = "") {
  return named_folder(R"({"tokenizer_class":")" + name + "\"" + more + "}").tokenizer();
}

TEST(XlmRobertaTokenizer, PiecesStandBehindFairseqsFour) {
  for (const auto& tokenizer :
       {of_class("XLMRobertaTokenizer"), of_class("XLMRobertaTokenizerFast"),
        named_folder("{}", k_xlm_pieces, R"({"model_type":"xlm-roberta"})").tokenizer()}) {
    EXPECT_EQ(tokenizer->encode_for_model("ab a").ids, (FairseqIds{0, 7, 4, 5, 2}));
    EXPECT_EQ(tokenizer->encode_for_model("ab", "a").ids, (FairseqIds{0, 7, 2, 2, 4, 5, 2}));
    EXPECT_EQ(tokenizer->encode("aéé"), (FairseqIds{4, 5, 3}));
    EXPECT_EQ(tokenizer->special_ids(), (SpecialIds{0, 2, 3, 2, 1, 0, 8}));
    EXPECT_EQ(tokenizer->encode("ab <mask>a", Specials::mask_as_token), (FairseqIds{7, 8, 4, 5}));
    EXPECT_EQ(tokenizer->decode(FairseqIds{0, 7, 4, 5, 2}, DecodeSpecials::skip), "ab a");
    EXPECT_EQ(tokenizer->vocabulary(), 9);
  }
}

TEST(CamembertTokenizer, HasItsOwnSAndAnotherUnk) {
  const auto tokenizer = of_class("CamembertTokenizer");
  EXPECT_EQ(tokenizer->encode_for_model("ab").ids, (FairseqIds{5, 10, 6}));
  EXPECT_EQ(tokenizer->encode("é"), (FairseqIds{7, 3}));
  EXPECT_EQ(tokenizer->special_ids().mask, 11);
  EXPECT_EQ(tokenizer->special_ids().pad, 1);
}

TEST(XglmTokenizer, BeginsWithTheEnd) {
  const auto tokenizer = of_class("XGLMTokenizer");
  EXPECT_EQ(tokenizer->encode_for_model("ab").ids, (FairseqIds{2, 7}));
  EXPECT_EQ(tokenizer->encode_for_model("ab", "a").ids, (FairseqIds{2, 7, 2, 2, 4, 5}));
  EXPECT_EQ(tokenizer->special("<madeupword6>"), 14);
}

TEST(MbartTokenizer, LanguagesStandBehindThePieces) {
  const auto old = of_class("MBartTokenizer", R"(,"src_lang":"de_DE")");
  EXPECT_EQ(old->special("ar_AR"), 8);
  EXPECT_EQ(old->encode_for_model("ab").ids, (FairseqIds{7, 2, 10}));
  EXPECT_EQ(old->special_ids().mask, 33);
  const auto many = of_class("MBart50Tokenizer");
  EXPECT_EQ(many->encode_for_model("ab").ids, (FairseqIds{11, 7, 2}));
  EXPECT_EQ(many->special("sl_SI"), 59);
  EXPECT_EQ(many->special_ids().mask, 60);
  Folder unnamed = named_folder("{}", k_xlm_pieces, R"({"model_type":"mbart"})");
  unnamed.write("special_tokens_map.json", R"({"additional_special_tokens":["ar_AR","sl_SI"]})");
  EXPECT_EQ(unnamed.tokenizer()->special("sl_SI"), 59);
  EXPECT_EQ(named_folder("{}", k_xlm_pieces, R"({"model_type":"mbart","tokenizer_class":"MBart50Tokenizer"})")
                .tokenizer()
                ->special("sl_SI"),
            59);
}

TEST(NllbTokenizer, TheLanguageStandsBeforeOrBehind) {
  const auto tokenizer = of_class("NllbTokenizer", R"(,"src_lang":"ace_Latn")");
  EXPECT_EQ(tokenizer->encode_for_model("ab").ids, (FairseqIds{9, 7, 2}));
  EXPECT_EQ(tokenizer->special("zul_Latn"), 209);
  EXPECT_EQ(tokenizer->special_ids().mask, 210);
  const auto legacy = of_class("NllbTokenizer", R"(,"src_lang":"ace_Latn","legacy_behaviour":true)");
  EXPECT_EQ(legacy->encode_for_model("ab").ids, (FairseqIds{7, 2, 9}));
  // Another order of the tokens behind the pieces, which the folder says.
  const auto numbered = of_class(
      "NllbTokenizer",
      R"(,"src_lang":"ace_Latn","added_tokens_decoder":{"8":{"content":"<mask>","special":true,"lstrip":true},"9":{"content":"ace_Arab","special":true},"10":{"content":"ace_Latn","special":true}})");
  EXPECT_EQ(numbered->special_ids().mask, 8);
  EXPECT_EQ(numbered->encode_for_model("ab").ids, (FairseqIds{10, 7, 2}));
}

TEST(PegasusTokenizer, PiecesStandBehindAHundredNames) {
  const auto tokenizer =
      named_folder(R"({"tokenizer_class":"PegasusTokenizer"})",
                   scored("<pad>", 3) + scored("</s>", 3) + scored("<unk>", 2) + scored("▁") + scored("a"))
          .tokenizer();
  EXPECT_EQ(tokenizer->encode_for_model("a").ids, (FairseqIds{106, 107, 1}));
  EXPECT_EQ(tokenizer->encode("é"), (FairseqIds{106, 105}));
  EXPECT_EQ(tokenizer->special("<unk_102>"), 104);
  EXPECT_EQ(tokenizer->special_ids().mask, 3);
}

TEST(FairseqTokenizers, WhatIsWrongWithThemIsSaid) {
  const auto said = [](const std::string& config, const std::string& pieces) {
    const Folder folder = named_folder(config, pieces);
    return message_of(Error::Kind::work, [&] { folder.tokenizer(); });
  };
  const std::string xlm = R"({"tokenizer_class":"XLMRobertaTokenizer"})";
  EXPECT_HAS(said(xlm, scored("<unk>", 2)), "1 pieces, expected at least the 3");
  EXPECT_HAS(said(xlm, scored("a") + scored("b") + scored("c")), "piece 0 is \"a\"");
  EXPECT_HAS(said(R"({"tokenizer_class":"BarthezTokenizer"})", k_xlm_pieces), "expected its tokenizer.json");
  EXPECT_HAS(said(R"({"tokenizer_class":"NllbTokenizer","src_lang":"klingon"})", k_xlm_pieces),
             "\"klingon\"");
  EXPECT_HAS(said(R"({"tokenizer_class":"MBartTokenizer","src_lang":"<s>x"})", k_xlm_pieces), "src_lang");
}

}  // namespace
}  // namespace limpid
