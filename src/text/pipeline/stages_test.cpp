// Each stage by itself, through a tokenizer.json that has it: what becomes of a text, and which bytes of it.
#include <gtest/gtest.h>

#include "core/json.h"
#include "text/formats/tokenizer_json.h"
#include "text/test_text.h"

namespace limpid {
namespace {

using text::AlignedText;

Json from(const char* description) { return parse_json(description, {"test"}); }

std::string normalized(const char* description, std::string_view given) {
  const Json document = from(description);
  const JsonSource source{"test"};
  return std::string(text::read_normalizer(JsonValue(document, source))->apply(AlignedText(given, 0)).text());
}

// The pieces with a bar between.
std::string cut(const char* description, std::string_view given) {
  const Json document = from(description);
  const JsonSource source{"test"};
  text::Pieces pieces{AlignedText(given, 0), {{0, static_cast<uint32_t>(given.size())}}};
  text::read_pre_tokenizer(JsonValue(document, source), true)->apply(pieces);
  std::string out;
  for (const text::Cut& each : pieces.cuts) {
    out +=
        (out.empty() ? "" : "|") + std::string(pieces.text.text().substr(each.begin, each.end - each.begin));
  }
  return out;
}

std::string decoded(const char* description, std::vector<std::string> tokens) {
  const Json document = from(description);
  const JsonSource source{"test"};
  text::read_decoder(JsonValue(document, source))->apply(tokens);
  std::string out;
  for (const std::string& each : tokens) out += each;
  return out;
}

TEST(Normalizers, DoWhatTheirNamesSay) {
  EXPECT_EQ(normalized(R"({"type":"NFC"})", "e\u0301 \u1100\u1161\u11a8 a\u0323\u0302"), "é 각 ậ");
  EXPECT_EQ(normalized(R"({"type":"NFD"})", "é각"), "e\u0301\u1100\u1161\u11a8");
  EXPECT_EQ(normalized(R"({"type":"NFKC"})", "ﬁ Ａ ½ ｶﾞ"), "fi A 1⁄2 ガ");
  EXPECT_EQ(normalized(R"({"type":"NFKD"})", "ﬁ É"), "fi E\u0301");
  EXPECT_EQ(normalized(R"({"type":"Lowercase"})", "ÀB\u0130Σ"), "àbi\u0307σ");
  EXPECT_EQ(normalized(R"({"type":"Strip","strip_left":true,"strip_right":false})", " \u3000a "), "a ");
  EXPECT_EQ(normalized(R"({"type":"Strip"})", "  \n"), "");
  EXPECT_EQ(normalized(R"({"type":"StripAccents"})", "e\u0301\u20dd"), "e");
  EXPECT_EQ(normalized(R"({"type":"Replace","pattern":{"Regex":"\\s+"},"content":"_"})", "a \t b"), "a_b");
  EXPECT_EQ(normalized(R"({"type":"Replace","pattern":{"String":"aa"},"content":"b"})", "aaa"), "ba");
  EXPECT_EQ(normalized(R"({"type":"Prepend","prepend":"_"})", "a"), "_a");
  EXPECT_EQ(normalized(R"({"type":"Prepend","prepend":"_"})", ""), "");
  EXPECT_EQ(normalized(R"({"type":"Nmt"})", "a\u200bb\x01"), "a b");
  EXPECT_EQ(normalized(R"({"type":"ByteLevel"})", "é "), "Ã©Ġ");
  EXPECT_EQ(normalized(R"({"type":"BertNormalizer"})", "É中\x01\tA"), "e 中  a");
  EXPECT_EQ(normalized(R"({"type":"BertNormalizer","lowercase":false})", "É"), "É");
  EXPECT_EQ(normalized(R"({"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"StripAccents"}]})", "é"),
            "e");
  EXPECT_EQ(normalized(R"({"type":"SentencePiece"})", "  a  b "), "▁a▁b");
  EXPECT_EQ(normalized(R"({"type":"SentencePiece","remove_extra_whitespaces":false})", " a "), "▁▁a▁");
  // Blanks at the end go, be they the one that was put in before a text of nothing else.
  EXPECT_EQ(normalized(R"({"type":"SentencePiece"})", "  ▁ "), "");
  EXPECT_EQ(normalized(R"({"type":"SentencePiece"})", "▁▁a ▁"), "▁▁▁a");
  EXPECT_EQ(normalized(R"({"type":"SentencePiece","remove_extra_whitespaces":false})", "▁"), "▁▁");
}

TEST(PreTokenizers, DoWhatTheirNamesSay) {
  EXPECT_EQ(cut(R"({"type":"Whitespace"})", "Hi, you_1 é!?"), "Hi|,|you_1|é|!?");
  EXPECT_EQ(cut(R"({"type":"WhitespaceSplit"})", " a,b\u3000c"), "a,b|c");
  EXPECT_EQ(cut(R"({"type":"BertPreTokenizer"})", "a,b  c"), "a|,|b|c");
  EXPECT_EQ(cut(R"({"type":"Punctuation"})", "a?!b"), "a|?|!|b");
  EXPECT_EQ(cut(R"({"type":"Punctuation","behavior":"Contiguous"})", "a?!b"), "a|?!|b");
  EXPECT_EQ(cut(R"({"type":"Digits"})", "a12b"), "a|12|b");
  EXPECT_EQ(cut(R"({"type":"Digits","individual_digits":true})", "a12b"), "a|1|2|b");
  EXPECT_EQ(cut(R"({"type":"CharDelimiterSplit","delimiter":"-"})", "a-b--c"), "a|b|c");
  EXPECT_EQ(cut(R"({"type":"FixedLength","length":2})", "aébc é"), "aé|bc| é");
  EXPECT_EQ(cut(R"({"type":"Metaspace"})", "a b"), "▁a|▁b");
  EXPECT_EQ(cut(R"({"type":"Metaspace","prepend_scheme":"never","split":false})", "a b"), "a▁b");
  EXPECT_EQ(cut(R"({"type":"ByteLevel"})", "Hi you"), "ĠHi|Ġyou");
  EXPECT_EQ(cut(R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":false})", "Hi you"), "HiĠyou");
}

TEST(PreTokenizers, SplitHasFiveBehaviors) {
  const auto split = [](const std::string& behavior, bool invert) {
    const std::string document = join(R"({"type":"Split","pattern":{"String":"-"},"behavior":")", behavior,
                                      R"(","invert":)", invert ? "true" : "false", "}");
    return cut(document.c_str(), "the-final--countdown");
  };
  EXPECT_EQ(split("Removed", false), "the|final|countdown");
  EXPECT_EQ(split("Isolated", false), "the|-|final|-|-|countdown");
  EXPECT_EQ(split("MergedWithPrevious", false), "the-|final-|-|countdown");
  EXPECT_EQ(split("MergedWithNext", false), "the|-final|-|-countdown");
  EXPECT_EQ(split("Contiguous", false), "the|-|final|--|countdown");
  EXPECT_EQ(split("Removed", true), "-|-|-");
}

TEST(Decoders, DoWhatTheirNamesSay) {
  EXPECT_EQ(decoded("null", {"a", "b"}), "a b");
  EXPECT_EQ(decoded(R"({"type":"ByteLevel"})", {"Ã", "©", "<中>"}), "é<中>");
  EXPECT_EQ(decoded(R"({"type":"WordPiece"})", {"play", "##ing", ",", "do", "n't"}), "playing, don't");
  EXPECT_EQ(decoded(R"({"type":"Metaspace"})", {"▁a", "▁b"}), "a b");
  EXPECT_EQ(decoded(R"({"type":"BPEDecoder"})", {"a</w>", "b", "c</w>"}), "a bc");
  EXPECT_EQ(decoded(R"({"type":"ByteFallback"})", {"<0xC3>", "<0xA9>", "a"}), "éa");
  EXPECT_EQ(
      decoded(
          R"({"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]})",
          {"  a", " b"}),
      " a b");
  EXPECT_EQ(decoded(R"({"type":"Replace","pattern":{"String":"_"},"content":" "})", {"a_b"}), "a b");
  EXPECT_EQ(decoded(R"({"type":"CTC"})", {"<pad>", "h", "h", "<pad>", "i", "|", "|"}), "hi ");
}

TEST(Regex, IsOnigurumas) {
  EXPECT_EQ(text::pcre2_pattern(R"(\h{,3}(?m:.)\u00e9[^\s&&[^a]])").find("\\s"), std::string::npos);
  const auto finds = [](const char* pattern, std::string_view in) {
    const text::Regex regex(pattern);
    text::Regex::Matcher matcher(regex);
    std::string out;
    text::Regex::each_match(matcher, in, [&](size_t begin, size_t end) {
      out += "<" + std::string(in.substr(begin, end - begin)) + ">";
    });
    return out;
  };
  EXPECT_EQ(finds(R"(\p{L}++|\p{N}{1,3})", "abc1234é"), "<abc><123><4><é>");
  EXPECT_EQ(finds(R"(\s+(?!\S)|\s)", "a   b"), "<  >< >");
  EXPECT_EQ(finds(R"((?i:'S|'T))", "it's 'T"), "<'s><'T>");
  EXPECT_EQ(finds(R"([\p{L}&&[^a-c]]+)", "abcdefa"), "<def>");
  EXPECT_EQ(finds(R"(x*)", "axxb"), "<><xx><>");
  EXPECT_EQ(finds(R"(\w+)", "e\u0301a_1 \u180e"), "<e\u0301a_1>");
  EXPECT_EQ(finds(R"(\s)", "\u180e\u0085"), "<\u0085>");
  EXPECT_EQ(finds("^b$", "a\nb\nc"), "<b>");
}

TEST(Regex, GivesUpInsteadOfRunningForEver) {
  const text::Regex regex(R"((a|aa)+$)");
  text::Regex::Matcher matcher(regex);
  Span found;
  const std::string text = std::string(100, 'a') + "b";
  EXPECT_HAS(text::message_of(Error::Kind::call, [&] { matcher.next(text, 0, found); }), "gives up");
}

TEST(AlignedText, KnowsWhereEveryByteCameFrom) {
  const std::string given = "  É ﬁx";
  const Json document = from(R"({"type":"Sequence","normalizers":[{"type":"Strip"},{"type":"NFKD"},
                                {"type":"StripAccents"},{"type":"Lowercase"},{"type":"Prepend","prepend":"_"}]})");
  const JsonSource source{"test"};
  const AlignedText made = text::read_normalizer(JsonValue(document, source))->apply(AlignedText(given, 10));
  ASSERT_EQ(made.text(), "_e fix");
  EXPECT_EQ(made.origin(0, 1), (Span{12, 12}));
  EXPECT_EQ(made.origin(1, 2), (Span{12, 14}));
  EXPECT_EQ(made.origin(2, 3), (Span{14, 15}));
  EXPECT_EQ(made.origin(3, 5), (Span{15, 18}));
  EXPECT_EQ(made.origin(5, 6), (Span{18, 19}));
  EXPECT_EQ(made.part(3, 6).origin(2, 3), (Span{18, 19}));
}

}  // namespace
}  // namespace limpid
