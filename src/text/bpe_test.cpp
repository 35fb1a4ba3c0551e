#include <chrono>
#include <map>
#include <random>
#include <thread>

#include "text/pieces.h"
#include "text/test_text.h"

namespace limpid::text {
namespace {

using Ids = std::vector<int64_t>;

// l o w e r _ : the merges of Sennrich's example, in ids.
BpeParts small_parts() {
  BpeParts parts;
  parts.merges = {{'l', 'o'}, {256, 'w'}, {'e', 'r'}, {' ', 257}, {257, 258}, {'a', 'a'}, {261, 261}};
  parts.special = {"<|endoftext|>"};
  return parts;
}

// What encoding means, written plainly: in each piece, as long as any pair of neighbours is in the list,
// merge every occurrence of the one that comes first in it, from left to right.
Ids encode_plainly(const BpeParts& parts, std::string_view text) {
  std::map<std::pair<int64_t, int64_t>, size_t> ranks;
  for (size_t i = 0; i < parts.merges.size(); ++i) ranks[parts.merges[i]] = i;
  Ids all;
  for_each_piece(text, [&](std::string_view piece) {
    Ids ids;
    for (const char c : piece) ids.push_back(static_cast<unsigned char>(c));
    while (true) {
      size_t best = parts.merges.size();
      for (size_t i = 0; i + 1 < ids.size(); ++i) {
        const auto rank = ranks.find({ids[i], ids[i + 1]});
        if (rank != ranks.end()) best = std::min(best, rank->second);
      }
      if (best == parts.merges.size()) break;
      Ids merged;
      for (size_t i = 0; i < ids.size(); ++i) {
        const bool here = i + 1 < ids.size() && std::pair(ids[i], ids[i + 1]) == parts.merges[best];
        merged.push_back(here ? static_cast<int64_t>(256 + best) : ids[i]);
        i += here;
      }
      ids = merged;
    }
    all.insert(all.end(), ids.begin(), ids.end());
  });
  return all;
}

TEST(Bpe, MergesByRank) {
  const auto bpe = bpe_tokenizer(small_parts());
  EXPECT_EQ(bpe->kind(), "bpe");
  EXPECT_EQ(bpe->vocabulary(), 256 + 7 + 1);
  EXPECT_EQ(bpe->encode("low lower"), (Ids{257, 259, 258}));  // " low" came before "lower"
  EXPECT_EQ(bpe->encode("lower"), (Ids{260}));
  EXPECT_EQ(bpe->encode("aaaaa"), (Ids{262, 'a'}));  // from the left
  EXPECT_EQ(bpe->token_bytes(259), " low");
  EXPECT_EQ(bpe->label(259), "·low");
  EXPECT_EQ(bpe->encode_with_spans("low lower").spans, (std::vector<Span>{{0, 3}, {3, 7}, {7, 9}}));
}

TEST(Bpe, SpecialTokensComeOnlyWhenAskedFor) {
  const auto bpe = bpe_tokenizer(small_parts());
  const std::string text = "low<|endoftext|>low";
  EXPECT_EQ(bpe->special("<|endoftext|>"), 263);
  EXPECT_EQ(bpe->special("<|pad|>"), std::nullopt);
  for (const int64_t id : bpe->encode(text)) EXPECT_NE(id, 263);
  EXPECT_EQ(bpe->encode(text, Specials::as_tokens), (Ids{257, 263, 257}));
  EXPECT_EQ(bpe->encode_with_spans(text, Specials::as_tokens).spans,
            (std::vector<Span>{{0, 3}, {3, 16}, {16, 19}}));
  EXPECT_EQ(bpe->decode(Ids{257, 263, 257}), text);
  EXPECT_EQ(bpe->label(263), "<|endoftext|>");
}

const Tokenizer& trained() {
  static const auto bpe = [] {
    BpeOptions options;
    options.special = {"<|endoftext|>"};
    return train_bpe("the then there \xff\xff\xff 日本日本 \n\n\n\n the 'll 'll 😀😀 aaaa aaaa abab abab",
                     330, options);
  }();
  return *bpe;
}

RC_GTEST_PROP(Bpe, EveryStringComesBack, ()) {
  const std::string text = *any_bytes();
  for (const Specials specials : {Specials::as_text, Specials::as_tokens}) {
    const Encoding tokens = trained().encode_with_spans(text, specials);
    RC_ASSERT(trained().decode(tokens.ids) == text);
    RC_ASSERT(spans_are_the_tokens(trained(), text, tokens));
  }
}

RC_GTEST_PROP(Bpe, EncodesAsThePlainWayDoes, ()) {
  // Merges of merges, overlaps and long runs: few letters, many merges, drawn at random.
  const auto parts = *rc::gen::exec([] {
    BpeParts made;
    std::map<std::string, int64_t> ids{{"a", 'a'}, {"b", 'b'}, {" ", ' '}};
    const auto count = *rc::gen::inRange(0, 30);
    for (int i = 0; i < count; ++i) {
      const auto left =
          *rc::gen::elementOf(std::vector<std::pair<const std::string, int64_t>>(ids.begin(), ids.end()));
      const auto right =
          *rc::gen::elementOf(std::vector<std::pair<const std::string, int64_t>>(ids.begin(), ids.end()));
      if (!ids.emplace(left.first + right.first, static_cast<int64_t>(256 + made.merges.size())).second)
        continue;
      made.merges.emplace_back(left.second, right.second);
    }
    return std::tuple(made.merges);
  });
  BpeParts made;
  made.merges = std::get<0>(parts);
  const auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("aaabbb ")));
  RC_ASSERT(bpe_tokenizer(made)->encode(text) == encode_plainly(made, text));
}

// Quadratic work on one long piece would take hours, not seconds.
TEST(Bpe, AMegabyteWithoutASpaceIsQuick) {
  std::mt19937 random(1);
  std::string letters(1 << 20, 'a'), same(1 << 20, 'a'), spaces(1 << 20, ' '), broken(1 << 20, '\xff');
  for (char& c : letters) c = "abthen"[random() % 6];
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& text : {letters, same, spaces, broken}) {
    EXPECT_TRUE(trained().decode(trained().encode(text)) == text);
  }
  const auto bpe = train_bpe(letters, 1000);
  EXPECT_TRUE(bpe->decode(bpe->encode(letters)) == letters);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

TEST(Bpe, ManyThreadsMayShareOne) {
  const std::string text = "then there the 日本 aaaa abab \n\n";
  const Ids expected = trained().encode(text);
  std::vector<Ids> got(4);
  std::vector<std::thread> threads;
  for (Ids& mine : got) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) mine = trained().encode(text);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Ids& mine : got) EXPECT_EQ(mine, expected);
}

TEST(Bpe, RefusesPartsThatMakeNoVocabulary) {
  const auto refused = [](const std::function<void(BpeParts&)>& spoil) {
    BpeParts parts = small_parts();
    spoil(parts);
    return message_of(Error::Kind::call, [&] { bpe_tokenizer(parts); });
  };
  EXPECT_HAS(refused([](BpeParts& p) { p.merges[1] = {257, 'w'}; }),
             "merge 1 joins tokens 257 and 119 into 257");
  EXPECT_HAS(refused([](BpeParts& p) { p.merges[0].first = -1; }), "expected tokens from 0 to 255");
  EXPECT_HAS(refused([](BpeParts& p) { p.merges.push_back({'l', 'o'}); }),
             "makes \"lo\", which is a token already");
  EXPECT_HAS(refused([](BpeParts& p) { p.special = {""}; }), "empty name");
  EXPECT_HAS(refused([](BpeParts& p) { p.special = {"x", "x"}; }), "named twice");
  EXPECT_HAS(refused([](BpeParts& p) { p.byte_order = {1, 2, 3}; }), "expected 256");
  EXPECT_HAS(refused([](BpeParts& p) { p.byte_order.assign(256, 7); }), "repeats a byte");
  EXPECT_HAS(refused([](BpeParts& p) {
               for (int64_t i = 0; i < 40; ++i) p.merges.emplace_back(262 + i, 262 + i);  // 2^42 bytes
             }),
             "bytes, expected at most");
}

}  // namespace
}  // namespace limpid::text
