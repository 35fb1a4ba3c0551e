// Tokenizer files that are wrong: each is one clear error, none a crash, a loop or memory for what is not
// there.
#include <gtest/gtest.h>

#include <limits>

#include "limpid/files.h"
#include "text/formats/base64.h"
#include "text/formats/formats.h"
#include "text/test_text.h"

namespace limpid {
namespace {

struct Wrong {
  const char* what;
  std::string json;
  const char* said;  // a piece of the message
};

// A small file that is right but for what is put into it.
std::string file(
    const std::string& more,
    const std::string& model = R"({"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]})") {
  return "{" + more + (more.empty() ? "" : ",") + "\"model\":" + model + "}";
}
std::string bpe(const std::string& vocab, const std::string& merges) {
  return file("", R"({"type":"BPE","vocab":)" + vocab + R"(,"merges":)" + merges + "}");
}

const std::vector<Wrong>& table() {
  static const std::vector<Wrong> k_table = {
      {"no model", R"({"model":null})", "model"},
      {"a model that is a list", R"({"model":[]})", "model"},
      {"an unknown model", file("", R"({"type":"Magic","vocab":{}})"), "\"Magic\", expected BPE"},
      {"a model without vocabulary", file("", "{}"), "no \"vocab\""},
      {"a type that is a number", file("", R"({"type":7,"vocab":{}})"), "model.type is 7"},
      {"no tokens", bpe("{}", "[]"), "no token"},
      {"a vocabulary that is a word", bpe("\"a\"", "[]"), "model.vocab"},
      {"an id that is a word", bpe(R"({"a":"0"})", "[]"), "model.vocab.a"},
      {"a negative id", bpe(R"({"a":-1})", "[]"), "model.vocab.a is -1"},
      {"a fraction of an id", bpe(R"({"a":0.5})", "[]"), "0.5"},
      {"an id that would take memory", bpe(R"({"a":2000000000})", "[]"), "2000000000, expected 0 to"},
      {"an id twice", bpe(R"({"a":0,"b":0})", "[]"), "have the id 0"},
      {"a token twice", bpe(R"({"a":0,"a":1})", "[]"), "a"},
      {"merges that are an object", bpe(R"({"a":0})", "{}"), "model.merges"},
      {"a merge of one", bpe(R"({"a":0})", R"(["a"])"), "model.merges[0]"},
      {"a merge of three", bpe(R"({"a":0})", R"([["a","a","a"]])"), "has 3 tokens"},
      {"a merge of numbers", bpe(R"({"a":0})", "[[0,0]]"), "model.merges[0][0]"},
      {"a merge of what is no token", bpe(R"({"a":0})", R"(["a x"])"), "merge 0 has \"x\""},
      {"a merge into what is no token", bpe(R"({"a":0})", R"(["a a"])"), "merge 0 has \"aa\""},
      {"an unknown token that is none",
       file("", R"({"type":"BPE","vocab":{"a":0},"merges":[],"unk_token":"?"})"), "unknown token \"?\""},
      {"a prefix longer than what it begins",
       file("", R"({"type":"BPE","vocab":{"a":0},"merges":["a a"],"continuing_subword_prefix":"####"})"),
       "merge 0"},
      {"WordPiece without its unknown token", file("", R"({"type":"WordPiece","vocab":{"a":0}})"), "[UNK]"},
      {"a word length below 0",
       file("", R"({"type":"WordPiece","vocab":{"[UNK]":0},"max_input_chars_per_word":-4})"),
       "max_input_chars_per_word is -4"},
      {"Unigram with an object", file("", R"({"type":"Unigram","vocab":{"a":0}})"), "model.vocab"},
      {"Unigram with a score that is a word", file("", R"({"type":"Unigram","vocab":[["a","b"]]})"),
       "model.vocab[0][1]"},
      {"Unigram with three", file("", R"({"type":"Unigram","vocab":[["a",0,0]]})"), "[piece, score]"},
      {"an unk_id past the end", file("", R"({"type":"Unigram","vocab":[["a",0]],"unk_id":1})"),
       "unk_id is 1"},
      {"an unknown normaliser", file(R"("normalizer":{"type":"Upper"})"),
       "normalizer.type is \"Upper\", expected"},
      {"a normaliser in a list",
       file(R"("normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"X"}]})"),
       "normalizer.normalizers[1].type is \"X\""},
      {"a normaliser without a type", file(R"("normalizer":{})"), "type"},
      {"wrong base64", file(R"("normalizer":{"type":"Precompiled","precompiled_charsmap":"a?=="})"),
       "base64"},
      {"a map that is cut", file(R"("normalizer":{"type":"Precompiled","precompiled_charsmap":"/////wAA"})"),
       "trie"},
      {"a pattern of neither kind",
       file(R"("normalizer":{"type":"Replace","pattern":{"Glob":"*"},"content":""})"), "pattern"},
      {"a regular expression without its end",
       file(R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"(a"},"behavior":"Isolated"})"),
       "regular expression"},
      {"a set without its end",
       file(R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"[a"},"behavior":"Isolated"})"),
       "set without"},
      {"an unknown class",
       file(R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"\\p{Nothing}"},"behavior":"Isolated"})"),
       "regular expression"},
      {"parentheses without end",
       file(R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":")" + std::string(5000, '(') +
            std::string(5000, ')') + R"("},"behavior":"Isolated"})"),
       "regular expression"},
      {"an unknown behavior",
       file(R"("pre_tokenizer":{"type":"Split","pattern":{"String":"a"},"behavior":"Burn"})"),
       "\"Burn\", expected Removed"},
      {"an unknown pre-tokenizer", file(R"("pre_tokenizer":{"type":"Scissors"})"),
       "pre_tokenizer.type is \"Scissors\""},
      {"a mark of two characters", file(R"("pre_tokenizer":{"type":"Metaspace","replacement":"__"})"),
       "one character"},
      {"a flag that is a number", file(R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":1})"),
       "add_prefix_space is 1"},
      {"a length of nothing", file(R"("pre_tokenizer":{"type":"FixedLength","length":0})"), "length is 0"},
      {"an unknown post-processor", file(R"("post_processor":{"type":"Polish"})"),
       "post_processor.type is \"Polish\""},
      {"a template without its token",
       file(
           R"("post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[X]","type_id":0}}],"pair":[],"special_tokens":{}})"),
       "[X]"},
      {"a template with a token past the end",
       file(R"("post_processor":{"type":"BertProcessing","cls":["c",9],"sep":["s",1]})"),
       "token 9, expected an id below 3"},
      {"a template of another text",
       file(
           R"("post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"C","type_id":0}}],"pair":[],"special_tokens":{}})"),
       "\"C\", expected A"},
      {"an unknown decoder", file(R"("decoder":{"type":"Guess"})"), "decoder.type is \"Guess\""},
      {"a decoder that strips nothing", file(R"("decoder":{"type":"Strip","content":"","start":1,"stop":0})"),
       "content"},
      {"added tokens that are an object", file(R"("added_tokens":{"a":1})"), "added_tokens"},
      {"an added token without an id", file(R"("added_tokens":[{"content":"x"}])"), "added_tokens[0]"},
      {"an added token far away", file(R"("added_tokens":[{"content":"x","id":1000000000}])"), "1000000000"},
      {"an id for two added tokens",
       file(R"("added_tokens":[{"content":"x","id":5},{"content":"y","id":5}])"), "have the id 5"},
      {"an added token that is a book",
       file(R"("added_tokens":[{"content":")" + std::string(5000, 'x') + R"(","id":5}])"), "5000 bytes"},
      {"nested too deep", "{\"model\":" + std::string(100, '[') + std::string(100, ']') + "}", "nested"},
      {"cut in the middle", R"({"model":{"type":"BPE","vocab":{"a")", "line"},
      {"limpid's own without a tokenizer", R"({"kind":"pipeline"})", "tokenizer"},
      {"limpid's own with a wrong special id",
       R"({"kind":"pipeline","special_ids":{"eos":70},"tokenizer":)" + file("") + "}", "eos"},
  };
  return k_table;
}

TEST(HostileTokenizerJson, IsOneClearError) {
  ASSERT_GE(table().size(), 30u);
  EXPECT_EQ(tokenizer_from_json(file(""))->encode("ab"),
            std::vector<int64_t>{2});  // the file itself is right
  for (const Wrong& wrong : table()) {
    const std::string message = text::message_of(Error::Kind::work, [&] { tokenizer_from_json(wrong.json); });
    EXPECT_NE(message.find(wrong.said), std::string::npos) << wrong.what << ": " << message;
    EXPECT_LT(message.size(), 1200u) << wrong.what << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << wrong.what << ": " << message;
  }
}

// ---- binary files

std::string field(int number, std::string_view bytes) {
  return std::string(1, static_cast<char>(number << 3 | 2)) + static_cast<char>(bytes.size()) +
         std::string(bytes);
}
std::string piece(std::string_view text, int type = 1) {
  return field(1, field(1, text) + std::string("\x15\0\0\x80\xbf", 5) + "\x18" + static_cast<char>(type));
}
// trainer: bpe
const std::string k_bpe = field(2, std::string("\x18\x02", 2));

TEST(HostileSentencePiece, IsOneClearError) {
  const std::string right = piece("<unk>", 2) + piece("a") + piece("b") + piece("ab") + k_bpe;
  const text::SideFiles none;
  EXPECT_EQ(text::read_sentencepiece(right, "x.model", none)->vocabulary(), 4);
  for (size_t size = 0; size < right.size(); ++size) {  // cut anywhere: an error, or what is whole so far
    try {
      text::read_sentencepiece(right.substr(0, size), "x.model", none)->encode("abc");
    } catch (const Error& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with("x.model: ")) << error.what();
    }
  }
  for (size_t at = 0; at < right.size(); ++at) {  // every byte changed
    for (const unsigned char to : {0x00, 0x7F, 0x80, 0xFF}) {
      std::string changed = right;
      changed[at] = static_cast<char>(to);
      try {
        text::read_sentencepiece(changed, "x.model", none)->encode("abc ab");
      } catch (const Error&) {
      }
    }
  }
  const auto said = [&](const std::string& bytes) {
    return text::message_of(Error::Kind::work, [&] { text::read_sentencepiece(bytes, "x.model", none); });
  };
  EXPECT_HAS(said(""), "no pieces");
  EXPECT_HAS(said("\x0a\xff\xff\xff\xff\x7f"), "bytes");
  EXPECT_HAS(said(std::string(20, '\xff')), "more than 10 bytes");
  EXPECT_HAS(said("\x0b"), "wire type 3");
  EXPECT_HAS(said(piece("a", 9)), "type 9");
  EXPECT_HAS(said(piece("\xff")), "UTF-8");
  EXPECT_HAS(said(field(1, "\x08\x01")), "wire type");
}

TEST(HostileOthers, AreOneClearError) {
  const text::SideFiles none;
  const auto tiktoken = [&](const std::string& bytes) {
    return text::message_of(Error::Kind::work, [&] { text::read_tiktoken(bytes, "x.tiktoken", none); });
  };
  EXPECT_HAS(tiktoken(""), "no tokens");
  EXPECT_HAS(tiktoken("YQ== 0\nYg=="), "line 2");
  EXPECT_HAS(tiktoken("YQ== 0\n!!!! 1"), "line 2: base64");
  EXPECT_HAS(tiktoken("YQ== 0\nYg== 0"), "rank 0 stands twice");
  EXPECT_HAS(tiktoken("YQ== 4000000000"), "expected at most");
  EXPECT_HAS(tiktoken("YQ== -1"), "line 1");
  const auto llama2c = [&](const std::string& bytes) {
    return text::message_of(Error::Kind::work, [&] { text::read_llama2c(bytes, "tok.bin"); });
  };
  EXPECT_HAS(llama2c(""), "ends at byte 0");
  EXPECT_HAS(llama2c(std::string(12, '\xff')), "ends at byte");
  EXPECT_HAS(llama2c(std::string("\x01\0\0\0\0\0\0\0\xff\0\0\0", 12)), "says 255 bytes");
  EXPECT_HAS(text::message_of(Error::Kind::work, [&] { text::read_vocab_txt("a\nb\n", "vocab.txt", none); }),
             "[UNK]");
  EXPECT_HAS(
      text::message_of(Error::Kind::work, [&] { text::read_vocab_txt("[UNK]\n\xff\n", "vocab.txt", none); }),
      "line 2");
  EXPECT_HAS(text::message_of(Error::Kind::work, [] { load_tokenizer("no/such/file.json"); }),
             "no/such/file.json");
  EXPECT_HAS(text::message_of(Error::Kind::work, [] { load_tokenizer(LIMPID_SOURCE_DIR "/src/text"); }),
             "looked for tokenizer.json");
  EXPECT_HAS(text::message_of(Error::Kind::work, [] { load_tokenizer(LIMPID_SOURCE_DIR "/LICENSE"); }),
             "expected tokenizer.json");
  GgufTokenizerParts gguf;
  const auto refused = [&] {
    return text::message_of(Error::Kind::work, [&] { gguf_tokenizer(gguf, "x.gguf"); });
  };
  EXPECT_HAS(refused(), "no tokens");
  gguf.tokens = {"a", "b"};
  EXPECT_HAS(refused(), "expected llama, gpt2, bert or t5");
  gguf.model = "gpt2";
  gguf.pre = "magic";
  EXPECT_HAS(refused(), "expected one of gpt-2");
  gguf.pre = "";
  gguf.merges = {"a x"};
  EXPECT_HAS(refused(), "merge 0");
  gguf.merges.clear();
  gguf.types = {1};
  EXPECT_HAS(refused(), "1 token types for 2 tokens");
  gguf.types = {1, 9};
  EXPECT_HAS(refused(), "");
  gguf.types.clear();
  gguf.model = "llama";
  EXPECT_HAS(refused(), "scores");
  gguf.scores = {0, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_HAS(refused(), "score");
  gguf.special.bos = 9;
  EXPECT_HAS(refused(), "special token is 9");
}

TEST(Base64, GoesThereAndBack) {
  for (const std::string each : {"", "a", "ab", "abc", "\xff\x00\x10z"}) {
    EXPECT_EQ(text::from_base64(text::to_base64(each)), each);
  }
  EXPECT_EQ(text::to_base64("ab"), "YWI=");
}

}  // namespace
}  // namespace limpid
