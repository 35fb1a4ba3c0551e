// Folders whose vocabulary is a plain one and whose special tokens the family alone knows: DeBERTa's, ESM's.
#include <gtest/gtest.h>

#include <algorithm>

#include "text/formats/formats.h"
#include "text/formats/test_folder.h"

namespace limpid {
namespace {

using text::Folder;
using text::length_and;
using text::scored;

// Ids of [PAD], [CLS], [SEP] and [UNK] as in microsoft/deberta-v3's spm.model.
std::string deberta_pieces() {
  std::string bytes = scored("[PAD]", 3) + scored("[CLS]", 3) + scored("[SEP]", 3) + scored("[UNK]", 2);
  for (const char* text : {"▁", "a", "b", "▁ab", "▁a"}) bytes += scored(text);
  // Trainer: unigram, ids of the four.
  const std::string ids = std::string("\x18\x01", 2) + "\xc0\x02\x03\xc8\x02\x01\xd0\x02\x02\xd8\x02" + '\0';
  return bytes + length_and(2, ids);
}

using Ids = std::vector<int64_t>;

TEST(DebertaTokenizer, PutsClsAndSepAroundATextAndTheMaskBehindThePieces) {
  const Folder folder("deberta");
  folder.write("spm.model", deberta_pieces());
  folder.write("config.json", R"({"model_type":"deberta-v2"})");
  folder.write("tokenizer_config.json", R"({"do_lower_case":false,"vocab_type":"spm"})");
  const auto tokenizer = folder.tokenizer();
  EXPECT_EQ(tokenizer->encode_for_model("ab a").ids, (Ids{1, 7, 8, 2}));
  EXPECT_EQ(tokenizer->encode_for_model("ab", "a").ids, (Ids{1, 7, 2, 8, 2}));
  EXPECT_EQ(tokenizer->special_ids().mask, 9);
  EXPECT_EQ(tokenizer->special_ids().cls, 1);
  EXPECT_EQ(tokenizer->special_ids().sep, 2);
  EXPECT_EQ(tokenizer->special_ids().pad, 0);
  const Ids masked = tokenizer->encode("ab [MASK]", Specials::mask_as_token);
  EXPECT_EQ(std::count(masked.begin(), masked.end(), 9), 1);
  const Ids as_text = tokenizer->encode("ab [MASK]", Specials::as_text);
  EXPECT_EQ(std::count(as_text.begin(), as_text.end(), 9), 0);
}

TEST(DebertaTokenizer, AMaskThatAFileNumbersKeepsItsNumber) {
  const Folder folder("deberta_added");
  folder.write("spm.model", deberta_pieces());
  folder.write("tokenizer_config.json", R"({"tokenizer_class":"DebertaV2Tokenizer"})");
  folder.write("added_tokens.json", R"({"[MASK]":12})");
  folder.write("special_tokens_map.json", R"({"mask_token":"[MASK]","cls_token":"[CLS]"})");
  const auto tokenizer = folder.tokenizer();
  EXPECT_EQ(tokenizer->special_ids().mask, 12);
  EXPECT_EQ(tokenizer->encode_for_model("a").ids, (Ids{1, 8, 2}));
}

// Without the family's name it is a SentencePiece model like any other.
TEST(DebertaTokenizer, IsAskedForByTheFolder) {
  const Folder folder("plain");
  folder.write("spm.model", deberta_pieces());
  EXPECT_EQ(folder.tokenizer()->encode_for_model("a").ids, (Ids{8}));
}

// facebook/esm2_t6_8M_UR50D's vocab.txt, the first lines and the last.
TEST(EsmTokenizer, EveryLetterIsAToken) {
  const Folder folder("esm");
  folder.write("vocab.txt", "<cls>\n<pad>\n<eos>\n<unk>\nL\nA\nG\nM\nK\n.\n<null_1>\n<mask>\n");
  folder.write("config.json", R"({"model_type":"esm"})");
  const auto tokenizer = folder.tokenizer();
  EXPECT_EQ(tokenizer->encode_for_model("MKLA").ids, (Ids{0, 7, 8, 4, 5, 2}));
  EXPECT_EQ(tokenizer->encode_for_model("M K  L").ids, (Ids{0, 7, 8, 4, 2}));
  EXPECT_EQ(tokenizer->encode_for_model("M??K").ids, (Ids{0, 7, 3, 8, 2}));
  EXPECT_EQ(tokenizer->special_ids().mask, 11);
  EXPECT_EQ(tokenizer->special_ids().pad, 1);
  EXPECT_EQ(tokenizer->encode("M<mask>K", Specials::mask_as_token), (Ids{7, 11, 8}));
}

}  // namespace
}  // namespace limpid
