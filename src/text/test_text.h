// What several tests of this folder need: nasty strings, error messages, the shared data.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "limpid/text.h"

namespace limpid::text {

/// The message of the limpid::Error of that kind which `call` throws; fails the test where it does not.
inline std::string message_of(Error::Kind kind, const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

#define EXPECT_HAS(text, piece) EXPECT_NE(std::string(text).find(piece), std::string::npos) << (text)

/// Strings of any bytes: letters, emoji, CJK, right-to-left, marks, spaces of all kinds, NULs, bytes that
/// are no character, cut characters.
inline rc::Gen<std::string> any_bytes() {
  static const std::vector<std::string> k_parts = {"a",
                                                   "ab",
                                                   "the",
                                                   " the",
                                                   " ",
                                                   "  ",
                                                   "\n",
                                                   "\r\n",
                                                   "\t",
                                                   "'s",
                                                   "'ll",
                                                   "I'd",
                                                   "123",
                                                   "-",
                                                   "...",
                                                   "é",
                                                   "ñ",
                                                   "日本",
                                                   "語。",
                                                   "مرحبا",
                                                   "שלום",
                                                   "\u200f",
                                                   "😀",
                                                   "👩‍👩‍👧",
                                                   "❤️",
                                                   "e\u0301",
                                                   "\u0301",
                                                   "\u00a0",
                                                   "\u3000",
                                                   "\u2028",
                                                   "ß",
                                                   "𝔘",
                                                   "<|endoftext|>",
                                                   "<|",
                                                   "\x1b[31m",
                                                   "\xff",
                                                   "\xc3",
                                                   "\xe2\x82",
                                                   "\xf0\x9f",
                                                   "\x80",
                                                   "\xed\xa0\x80",
                                                   "\xc0\xaf",
                                                   std::string(1, '\0')};
  return rc::gen::map(
      rc::gen::container<std::vector<std::string>>(
          rc::gen::oneOf(rc::gen::elementOf(k_parts),
                         rc::gen::map(rc::gen::arbitrary<char>(), [](char c) { return std::string(1, c); }))),
      [](const std::vector<std::string>& parts) {
        std::string all;
        for (const std::string& part : parts) all += part;
        return all;
      });
}

/// Spans ascend, cover the text without gaps, and each is its token's bytes.
inline bool spans_are_the_tokens(const Tokenizer& tokenizer, std::string_view text, const Encoding& tokens) {
  if (tokens.ids.size() != tokens.spans.size()) return false;
  size_t at = 0;
  for (size_t i = 0; i < tokens.ids.size(); ++i) {
    const Span& span = tokens.spans[i];
    if (span.begin != at || span.end <= span.begin || span.end > text.size()) return false;
    if (tokenizer.token_bytes(tokens.ids[i]) != text.substr(span.begin, span.end - span.begin)) return false;
    at = span.end;
  }
  return at == text.size();
}

/// The folder of shared data (LIMPID_DATA, or ../shared/data beside the repository).
inline std::filesystem::path data_folder() {
  const char* given = std::getenv("LIMPID_DATA");
  return given != nullptr ? std::filesystem::path(given)
                          : std::filesystem::path(LIMPID_SOURCE_DIR) / ".." / "shared" / "data";
}

}  // namespace limpid::text
