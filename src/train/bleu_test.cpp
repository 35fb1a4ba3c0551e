// BLEU beside the numbers that sacreBLEU 2.6.0 gives.
#include "train/bleu.h"

#include <gtest/gtest.h>

#include "limpid/train.h"

namespace limpid {
namespace {

using Words = std::vector<std::string>;

TEST(Bleu, CutsTextsAsMteval13aDoes) {
  const std::pair<const char*, Words> cases[] = {
      {"Ein Hund, der 3.5 km/h rennt - schnell!",
       {"Ein", "Hund", ",", "der", "3.5", "km", "/", "h", "rennt", "-", "schnell", "!"}},
      {"A \"quoted\" &quot;text&quot; &amp; more...",
       {"A", "\"", "quoted", "\"", "\"", "text", "\"", "&", "more", ".", ".", "."}},
      {"2016-2017: 1,000.50$ (approx.)",
       {"2016", "-", "2017", ":", "1,000.50", "$", "(", "approx", ".", ")"}},
      {"naïve café—déjà vu", {"naïve", "café—déjà", "vu"}},
      {"a.,b", {"a", ".", ",", "b"}},
      {"  x  ", {"x"}},
      {"1-2 a-b", {"1", "-", "2", "a-b"}},
      {"U.S. \"Mr.\" 5,", {"U", ".", "S", ".", "\"", "Mr", ".", "\"", "5", ","}},
      {".5 5. a.b", {".", "5", "5", ".", "a", ".", "b"}},
      {"„Gut“, sagte er.", {"„Gut“", ",", "sagte", "er", "."}},
  };
  for (const auto& [text, words] : cases) EXPECT_EQ(bleu_tokens(text), words) << text;
}

TEST(Bleu, IsWhatSacrebleuGives) {
  const Words references = {"A dog is running across the grass.", "Two men stand near a red car.",
                            "A girl in pink jumps."};
  EXPECT_NEAR(bleu({"A dog runs across the grass .", "Two men are standing near a red car.",
                    "The girl, in pink, jumps!"},
                   references),
              36.998700439061246, 1e-9);
  EXPECT_NEAR(bleu({"a b c d x"}, {"a y c z x"}), 14.058533129758727, 1e-9);
  EXPECT_NEAR(bleu(references, references), 100, 1e-9);
  EXPECT_EQ(bleu({"hello"}, {"hello there my friend"}), 0);
  EXPECT_THROW(bleu({"one"}, {}), Error);
}

}  // namespace
}  // namespace limpid
