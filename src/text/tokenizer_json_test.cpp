#include <nlohmann/json.hpp>

#include "text/test_text.h"

namespace limpid::text {
namespace {

std::string refused(const std::string& json) {
  return message_of(Error::Kind::work, [&] { tokenizer_from_json(json); });
}

TEST(TokenizerJson, BringsEveryKindBack) {
  BpeParts parts;
  parts.merges = {{0xff, 0xfe}, {256, 'a'}, {'h', 'e'}};
  parts.special = {"<|endoftext|>", "\xff!"};
  parts.byte_order.resize(256);
  for (size_t i = 0; i < 256; ++i) parts.byte_order[i] = static_cast<uint8_t>(255 - i);
  std::vector<std::unique_ptr<Tokenizer>> all;
  all.push_back(word_tokenizer({"Life", "is", "\xff\x9f", "日本", "\"\\"}));
  all.push_back(character_tokenizer({"\n", "a", "\"", "日"}));
  all.push_back(byte_tokenizer());
  all.push_back(bpe_tokenizer(parts));
  for (const auto& one : all) {
    const auto again = tokenizer_from_json(one->to_json());
    EXPECT_EQ(again->kind(), one->kind());
    EXPECT_EQ(again->to_json(), one->to_json());
    ASSERT_EQ(again->vocabulary(), one->vocabulary());
    for (int64_t id = 0; id < one->vocabulary(); ++id)
      EXPECT_EQ(again->token_bytes(id), one->token_bytes(id));
  }
  EXPECT_EQ(all[3]->token_bytes(0), "\xff");
  EXPECT_EQ(all[3]->token_bytes(256), std::string("\0\1", 2));
  EXPECT_EQ(tokenizer_from_json(all[3]->to_json())->special("\xff!"), 260);
}

TEST(TokenizerJson, WhatIsWrongIsNamed) {
  EXPECT_HAS(refused(""), "not JSON");
  EXPECT_HAS(refused("[1]"), "it is array, expected an object");
  EXPECT_HAS(refused("{}"), "no \"kind\"");
  EXPECT_HAS(refused(R"({"kind":"bytes"} x)"), "not JSON");
  EXPECT_HAS(refused(R"({"kind":"wordpiece"})"), "\"kind\" is \"\"wordpiece\"\", expected \"words\"");
  EXPECT_HAS(refused(R"({"kind":7})"), "\"kind\" is \"7\"");
  EXPECT_HAS(refused(R"({"kind":"words"})"), "no \"words\"");
  EXPECT_HAS(refused(R"({"kind":"words","words":"a b"})"), "\"words\" is string, expected an array");
  EXPECT_HAS(refused(R"({"kind":"words","words":["a",3]})"), "word 1 is number, expected a string");
  EXPECT_HAS(refused(R"({"kind":"words","words":["a",[256]]})"),
             "word 1 has \"256\", expected a whole number from 0 to 255");
  EXPECT_HAS(refused(R"({"kind":"words","words":["a","a"]})"), "repeats entry 0");
  EXPECT_HAS(refused(R"({"kind":"words","words":[]})"), "no words");
  EXPECT_HAS(refused(R"({"kind":"characters","characters":["ab"]})"), "expected one UTF-8 character");
  EXPECT_HAS(refused(R"({"kind":"characters","characters":[[128]]})"), "expected one UTF-8 character");
}

TEST(TokenizerJson, WhatIsWrongWithMergesIsNamed) {
  const auto bpe = [](const std::string& rest) {
    return refused(R"({"kind":"bpe","split":"gpt2",)" + rest + "}");
  };
  EXPECT_HAS(refused(R"({"kind":"bpe","merges":[]})"), "no \"split\"");
  EXPECT_HAS(refused(R"({"kind":"bpe","split":"gpt4","merges":[]})"), "expected \"gpt2\"");
  EXPECT_HAS(bpe(R"("merges":{})"), "\"merges\" is object");
  EXPECT_HAS(bpe(R"("merges":[[104,101],[256]])"), "merge 1 is array, expected an array of two token ids");
  EXPECT_HAS(bpe(R"("merges":[[104,256]])"), "merge 0 has \"256\", expected a whole number from 0 to 255");
  EXPECT_HAS(bpe(R"("merges":[[104,-1]])"), "has \"-1\"");
  EXPECT_HAS(bpe(R"("merges":[[104,1.5]])"), "has \"1.5\"");
  EXPECT_HAS(bpe(R"("merges":[[104,99999999999999999999]])"), "expected a whole number");
  EXPECT_HAS(bpe(R"("merges":[[104,1e999]])"), "not JSON");
  EXPECT_HAS(bpe(R"("merges":[[104,101],[104,101]])"), "which is a token already");
  EXPECT_HAS(bpe(R"("merges":[],"special":[7])"), "special token 0 is number");
  EXPECT_HAS(bpe(R"("merges":[],"special":[""])"), "empty name");
  EXPECT_HAS(bpe(R"("merges":[],"byte_order":[])"), "empty");
  EXPECT_HAS(bpe(R"("merges":[],"byte_order":[1,1])"), "repeats");
  std::string doubling = "[97,97]";  // 2^60 bytes in the last token
  for (int i = 0; i < 60; ++i) doubling += join(",[", 256 + i, ",", 256 + i, "]");
  EXPECT_HAS(bpe("\"merges\":[" + doubling + "]"), "bytes, expected at most");
  const std::string deep = std::string(1 << 20, '[') + std::string(1 << 20, ']');
  EXPECT_HAS(bpe("\"merges\":[" + deep + "]"), "nested more than 64 deep, at \"merges[0]");
}

std::string good_json(int which) {
  BpeParts parts;
  parts.merges = {{'h', 'e'}, {256, 'l'}};
  parts.special = {"<|endoftext|>"};
  return which == 0   ? word_tokenizer({"Life", "is", "\xff"})->to_json()
         : which == 1 ? character_tokenizer({"a", "é"})->to_json()
                      : bpe_tokenizer(parts)->to_json();
}

TEST(TokenizerJson, EveryTruncationIsAnError) {
  for (int which = 0; which < 3; ++which) {
    const std::string json = good_json(which);
    for (size_t size = 0; size < json.size(); ++size) refused(json.substr(0, size));
  }
}

RC_GTEST_PROP(TokenizerJson, DamageIsReadOrRefusedNeverWorse, ()) {
  std::string json = good_json(*rc::gen::inRange(0, 3));
  const auto times = *rc::gen::inRange(1, 4);
  for (int i = 0; i < times; ++i) {
    const auto at = *rc::gen::inRange<size_t>(0, json.size());
    json[at] = *rc::gen::oneOf(rc::gen::arbitrary<char>(), rc::gen::elementOf(std::string("[]{},:\"0129-e")));
  }
  try {
    const auto tokenizer = tokenizer_from_json(json);
    for (int64_t id = 0; id < tokenizer->vocabulary(); ++id) tokenizer->label(id);
  } catch (const Error& error) {
    RC_ASSERT(error.kind() == Error::Kind::work);
  }
}

}  // namespace
}  // namespace limpid::text
