#include "text/test_text.h"

namespace limpid::text {
namespace {

TEST(Bytes, AreTheirOwnIds) {
  const auto bytes = byte_tokenizer();
  EXPECT_EQ(bytes->kind(), "bytes");
  EXPECT_EQ(bytes->vocabulary(), 256);
  EXPECT_EQ(bytes->encode("é\n"), (std::vector<int64_t>{0xc3, 0xa9, 10}));
  EXPECT_TRUE(bytes->encode("").empty());
  EXPECT_EQ(bytes->special("<|endoftext|>"), std::nullopt);
}

RC_GTEST_PROP(Bytes, EveryStringComesBack, ()) {
  const auto bytes = byte_tokenizer();
  const std::string text = *any_bytes();
  const Encoding tokens = bytes->encode_with_spans(text);
  RC_ASSERT(bytes->decode(tokens.ids) == text);
  RC_ASSERT(spans_are_the_tokens(*bytes, text, tokens));
}

TEST(Bytes, RefuseIdsOutOfRange) {
  const auto bytes = byte_tokenizer();
  const std::vector<int64_t> ids{1, 2, 256};
  EXPECT_HAS(message_of(Error::Kind::call, [&] { bytes->decode(ids); }),
             "ids[2] is 256, expected 0 <= id < 256");
  EXPECT_HAS(message_of(Error::Kind::call, [&] { bytes->token_bytes(-1); }), "id is -1");
  EXPECT_HAS(message_of(Error::Kind::call, [&] { bytes->label(999); }), "id is 999");
}

}  // namespace
}  // namespace limpid::text
