#include <map>
#include <set>

#include "text/pieces.h"
#include "text/test_text.h"

#include <nlohmann/json.hpp>

namespace limpid::text {
namespace {

using Merges = std::vector<std::pair<int64_t, int64_t>>;

Merges merges_of(const Tokenizer& bpe) {
  return nlohmann::json::parse(bpe.to_json())["merges"].get<Merges>();
}

// By hand.  a a a b d a a a b a c: the pair aa stands at four places, ab at two.
//   1. aa -> 256      256 a b d 256 a b a c      (256,a) and (a,b) stand twice: a < 256
//   2. ab -> 257      256 257 d 256 257 a c
//   3. 256 257 -> 258 258 d 258 a c              every pair left stands once
TEST(TrainBpe, TheTextbookExample) {
  const auto bpe = train_bpe("aaabdaaabac", 1000);
  EXPECT_EQ(merges_of(*bpe), (Merges{{'a', 'a'}, {'a', 'b'}, {256, 257}}));
  EXPECT_EQ(bpe->vocabulary(), 259);
  EXPECT_EQ(bpe->encode("aaabdaaabac"), (std::vector<int64_t>{258, 'd', 258, 'a', 'c'}));
  EXPECT_EQ(train_bpe("aaabdaaabac", 257)->vocabulary(), 257);
}

TEST(TrainBpe, OptionsDoSomething) {
  BpeOptions options;
  options.min_count = 3;
  EXPECT_EQ(merges_of(*train_bpe("aaabdaaabac", 1000, options)), (Merges{{'a', 'a'}}));
  options = {};
  options.longest_token = 2;
  EXPECT_EQ(merges_of(*train_bpe("aaabdaaabac", 1000, options)), (Merges{{'a', 'a'}, {'a', 'b'}}));
  options = {};
  options.special = {"bd"};
  const auto bpe = train_bpe("aaabdaaabac", 1000, options);  // aaa, aaabac
  EXPECT_EQ(merges_of(*bpe), (Merges{{'a', 'a'}, {256, 'a'}}));
  EXPECT_EQ(bpe->special("bd"), 258);
}

// What training means, written plainly: count every pair anew before each merge.
Merges train_plainly(const std::vector<std::string>& texts, size_t merges, const BpeOptions& options) {
  std::vector<std::vector<int64_t>> pieces;
  for (const std::string& text : texts) {
    for_each_piece(text, [&](std::string_view piece) {
      pieces.emplace_back();
      for (const char c : piece) pieces.back().push_back(static_cast<unsigned char>(c));
    });
  }
  std::vector<std::string> tokens;
  for (int i = 0; i < 256; ++i) tokens.emplace_back(1, static_cast<char>(i));
  Merges made;
  while (made.size() < merges) {
    std::map<std::pair<int64_t, int64_t>, int64_t> counts;
    for (const auto& piece : pieces) {
      for (size_t i = 0; i + 1 < piece.size(); ++i) ++counts[{piece[i], piece[i + 1]}];
    }
    std::pair<int64_t, int64_t> best;
    int64_t most = 0;
    for (const auto& [pair, count] : counts) {  // in the order of ids, so the first of equals stays
      const std::string joined =
          tokens[static_cast<size_t>(pair.first)] + tokens[static_cast<size_t>(pair.second)];
      const bool taken = std::find(tokens.begin(), tokens.end(), joined) != tokens.end();
      if (taken || joined.size() > options.longest_token || count <= most) continue;
      most = count;
      best = pair;
    }
    if (most < options.min_count) break;
    tokens.push_back(tokens[static_cast<size_t>(best.first)] + tokens[static_cast<size_t>(best.second)]);
    made.push_back(best);
    for (auto& piece : pieces) {
      std::vector<int64_t> merged;
      for (size_t i = 0; i < piece.size(); ++i) {
        const bool here = i + 1 < piece.size() && std::pair(piece[i], piece[i + 1]) == best;
        merged.push_back(here ? static_cast<int64_t>(tokens.size() - 1) : piece[i]);
        i += here;
      }
      piece = merged;
    }
  }
  return made;
}

RC_GTEST_PROP(TrainBpe, LearnsWhatThePlainWayLearns, ()) {
  const auto letters = rc::gen::elementOf(std::string("aaaabbc  \xff"));
  const auto texts = *rc::gen::container<std::vector<std::string>>(rc::gen::container<std::string>(letters));
  const auto merges = *rc::gen::inRange<size_t>(0, 60);
  BpeOptions options;
  options.min_count = *rc::gen::inRange<int64_t>(1, 4);
  options.longest_token = *rc::gen::elementOf(std::vector<size_t>{2, 5, 256});
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const auto bpe = train_bpe(views, static_cast<int64_t>(256 + merges), options);
  RC_ASSERT(merges_of(*bpe) == train_plainly(texts, merges, options));
}

TEST(TrainBpe, WholeWordsAreOneTokenEachHoweverSeldomTheyAre) {
  const std::string text = "the cat sat on the mat and the rat sat on the hat; short, shorter, shot";
  BpeOptions options;
  options.whole = {"Life is short, isn't it?", "the mat"};
  const auto bpe = train_bpe(text, 256 + 22, options);
  EXPECT_EQ(bpe->vocabulary(), 256 + 22);
  for (const std::string& sentence : options.whole) {
    std::vector<std::string> pieces, tokens;
    for_each_piece(sentence, [&](std::string_view piece) { pieces.emplace_back(piece); });
    for (const int64_t id : bpe->encode(sentence)) tokens.push_back(bpe->token_bytes(id));
    EXPECT_EQ(tokens, pieces);
  }
  // All else is learned as without them: the merges that are seen most often come first.
  const Merges plain = merges_of(*train_bpe(text, 256 + 5)), own = merges_of(*bpe);
  EXPECT_EQ(Merges(own.begin(), own.begin() + 5), plain);
  EXPECT_EQ(own.size(), 22u);
}

TEST(TrainBpe, WholeWordsInSmallLetters) {
  BpeOptions options;
  options.lower = true;
  options.whole = {"Life IS short"};
  EXPECT_EQ(train_bpe("life is", 300, options)->encode("LIFE is Short").size(), 3u);
}

TEST(TrainBpe, WholeWordsThatNeedMoreRoomAreRefused) {
  BpeOptions options;
  options.whole = {"philosophy"};
  EXPECT_EQ(train_bpe("", 256 + 9, options)->encode("philosophy").size(), 1u);
  const std::string message = message_of(Error::Kind::call, [&] { train_bpe("", 256 + 8, options); });
  EXPECT_HAS(message, "whole words take up to 9 merges");
  EXPECT_HAS(message, "room for 8");
}

TEST(TrainBpe, TheOrderOfTheTextsDoesNotMatter) {
  const std::vector<std::string_view> texts{"the cat sat on the mat", "a cat and a bat", "that mat"};
  const std::vector<std::string_view> back(texts.rbegin(), texts.rend());
  const auto bpe = train_bpe(texts, 300);
  EXPECT_GT(bpe->vocabulary(), 256);
  EXPECT_EQ(bpe->to_json(), train_bpe(back, 300)->to_json());
  EXPECT_EQ(bpe->to_json(), train_bpe(texts, 300)->to_json());
}

TEST(TrainBpe, RefusesSizesThatCannotBe) {
  BpeOptions options;
  options.special = {"<|endoftext|>"};
  EXPECT_HAS(message_of(Error::Kind::call, [&] { train_bpe("abc", 256, options); }),
             "vocabulary is 256, expected at least 257");
  options.min_count = 0;
  EXPECT_HAS(message_of(Error::Kind::call, [&] { train_bpe("abc", 300, options); }), "min_count is 0");
  EXPECT_EQ(train_bpe("", 300)->vocabulary(), 256);
}

}  // namespace
}  // namespace limpid::text
