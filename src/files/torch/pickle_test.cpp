#include "files/torch/pickle.h"

#include <gtest/gtest.h>

#include "files/test_files.h"
#include "files/torch/contents.h"
#include "files/torch/pickle_builder.h"

namespace limpid::torch {
namespace {

// The plain values as JSON.
std::string values(const std::string& bytes) {
  return contents_of(read_pickle(bytes_of(bytes), "x.pt"), "x.pt").values;
}
std::string values_of(const std::string& value) { return values(pickle(value)); }
std::string error(const std::string& bytes) {
  return error_of([&] { values(bytes); });
}
std::string refusal(const std::string& value) {
  try {
    values_of(value);
  } catch (const PickleRefusal& e) {
    return e.what();
  }
  return "";
}

TEST(Pickle, PlainValues) {
  EXPECT_EQ(values_of("N"), "null");
  EXPECT_EQ(values_of(list({"\x88", "\x89", "I01\n", "I00\n", "I-12\n", "L7L\n", "L-7\n"})),
            "[true,false,true,false,-12,7,-7]");
  EXPECT_EQ(
      values_of(list({"K\xff", "M\xff\xff", "J\xff\xff\xff\xff", wide(INT64_MIN), std::string("\x8a\0", 2)})),
      "[255,65535,-1,-9223372036854775808,0]");
  EXPECT_EQ(values_of(list({"F-0.5\n", std::string("G\x3f\xf8\0\0\0\0\0\0", 9), "Finf\n", "Fnan\n"})),
            R"([-0.5,1.5,"Infinity","NaN"])");
  EXPECT_EQ(values_of(list({text("a\"b"), "U\2xy", "S'q'\n", "V\\u00e9\xe9\\U0001f600\n", "\x8c\1z"})),
            "[\"a\\\"b\",\"xy\",\"q\",\"\u00e9\u00e9\U0001f600\",\"z\"]");
  EXPECT_EQ(values_of(list({std::string("C\2\0\xff", 4),
                            call("_codecs", "encode", {text("\u00ff"), text("latin1")}),
                            call("__builtin__", "bytes", {})})),
            R"([{"bytes":"00ff"},{"bytes":"ff"},{"bytes":""}])");
  EXPECT_EQ(values_of(list({")", "N\x85", "K\1K\2\x86", "(K\1K\2l", "(K\1t", "\x8f(K\7\x90", "(K\7\x91"})),
            "[[],[null],[1,2],[1,2],[1],[7],[7]]");
  EXPECT_EQ(values_of(list({"(K\1K\2d", dict({text("a"), "N"}), "}" + text("k") + "K\1s"})),
            R"([{"1":2},{"a":null},{"k":1}])");
}

TEST(Pickle, IntegersBeyond64Bits) {
  EXPECT_EQ(values_of(std::string("\x8a\x09\0\0\0\0\0\0\0\0\1", 11)), "\"0x10000000000000000\"");
  EXPECT_EQ(values_of(std::string("\x8a\x09\0\0\0\0\0\0\0\0\xff", 11)), "\"-0x10000000000000000\"");
  EXPECT_EQ(values_of(std::string("\x8a\x09\0\0\0\0\0\0\0\x80\0", 11)), "\"0x8000000000000000\"");
}

TEST(Pickle, TheMemoAndTheStack) {
  EXPECT_EQ(values_of("](" + text("a") + "q\5h\5e"), R"(["a","a"])");
  EXPECT_EQ(values_of("](" + text("a") + "p70000\ng70000\ne"), R"(["a","a"])");
  EXPECT_EQ(values_of("](" + text("a") + "\x94h" + std::string(1, '\0') + "e"), R"(["a","a"])");
  EXPECT_EQ(values_of("K\1K\2(K\3("
                      "1"
                      "0"
                      "0"),
            "2");
  EXPECT_EQ(values_of("](K\1"
                      "2"
                      "e"),
            "[1,1]");
  EXPECT_TRUE(holds(error(pickle("h\5")), {"x.pt", "byte 2", "value 5, which it never remembered"}));
  EXPECT_TRUE(holds(error("."), {"more from its stack"}));
  EXPECT_TRUE(holds(error(pickle("0")), {"more from its stack"}));
  EXPECT_TRUE(holds(error(pickle("K\1(\x86")), {"more from its stack"}));
  EXPECT_TRUE(holds(error(pickle("t")), {"mark"}));
  EXPECT_TRUE(holds(error("(."), {"more from its stack"}));
}

TEST(Pickle, OfPyTorchAndPython) {
  EXPECT_EQ(values_of(call("torch", "device", {text("cuda"), integer(1)})), "\"cuda:1\"");
  EXPECT_EQ(values_of(global("torch", "float32")), "\"torch.float32\"");
  EXPECT_EQ(values_of(call("torch", "Size", {sizes({1, 2})})), "[1,2]");
  EXPECT_EQ(values_of(call("__builtin__", "set", {list({integer(3)})})), "[3]");
  EXPECT_EQ(
      values_of(text("collections") + text("OrderedDict") + "\x93)R" + dict({text("_metadata"), "N"}) + "b"),
      "{}");
  EXPECT_EQ(values_of(call("collections", "OrderedDict", {list({list({text("a"), integer(1)})})})),
            R"({"a":1})");
}

TEST(Pickle, WhatElseItAsksForIsRefusedByName) {
  const auto refused = [](const std::string& value, const std::string& asked) {
    return holds(refusal(value), {"x.pt: the pickle asks for " + asked, "limpid runs nothing from a file"});
  };
  EXPECT_TRUE(refused(call("os", "system", {text("true")}), "os.system;"));
  EXPECT_TRUE(refused(text("builtins") + text("eval") + "\x93", "builtins.eval;"));
  EXPECT_TRUE(refused("(ios\nsystem\n", "os.system;"));
  EXPECT_TRUE(refused(global("torch.storage", "_load_from_bytes"), "torch.storage._load_from_bytes;"));
  EXPECT_TRUE(refused(global("o\x1b[31m", "s"), "o"));
  EXPECT_EQ(refusal(global("o\x1b[31m", "s")).find('\x1b'), std::string::npos);
  EXPECT_TRUE(refused(call("torch", "FloatStorage", {integer(9)}), "a new FloatStorage"));
  EXPECT_TRUE(refused(call("torch", "Tensor", {}), "a new Tensor"));
  EXPECT_TRUE(refused("(" + global("collections", "OrderedDict") + "o", "a new object"));
  EXPECT_TRUE(refused("P7\n", "an object of another program"));
  EXPECT_TRUE(refused("\x82\1", "an object of Python's extension registry"));
  EXPECT_TRUE(refused("\x97", "a buffer outside the file"));
  EXPECT_TRUE(refused("](K\1e}b", "attributes of a list"));
  EXPECT_TRUE(refused(call("_codecs", "encode", {text("x"), text("rot13")}), "the encoding \"rot13\""));
  EXPECT_TRUE(refused(tuple({text("module"), "N", "N", "N"}) + "Q", "a saved \"module\""));
}

TEST(Pickle, Damaged) {
  for (const auto& [bytes, words] : std::vector<std::pair<std::string, std::string>>{
           {"", "ends here"},
           {"\x80\x02", "ends here"},
           {"\x80\x63N.", "protocol 99"},
           {std::string("X\xff\xff\xff\x7f", 5) + "a.", "ends here, 2147483647 bytes"},
           {"\x8e" + raw(UINT64_MAX) + ".", "ends here"},
           {"\x8b" + raw(UINT32_MAX) + ".", "ends here"},
           {"I12", "a line that does not end"},
           {"Ix\n.", "an integer is written \"x\""},
           {"F1e\n.", "a float is written"},
           {"S'a\n.", "a text is written"},
           {"V\\ud800\n.", "a character that is none"},
           {"V\\u12\n.", "a text is written"},
           {"\xff.", "0xff is no opcode"},
           {pickle("NNa"), "what is added to is None, expected a list"},
           {pickle("}(NNNu"), "a key without a value"},
           {pickle("(Nd"), "a key without a value"},
           {pickle("N)R"), "what is called is None"},
           {pickle(global("torch", "Size") + "NR"), "the arguments of a call is None"},
           {pickle(dict({list({}), "N"})), "a key is a list"},
           {pickle(dict({text("0"), "N", "K" + std::string(1, '\0'), "N"})), "two keys are written \"0\""},
       })
    EXPECT_TRUE(holds(error(bytes), {"x.pt", words})) << bytes;
}

TEST(Pickle, TakesNoMoreThanItShould) {
  EXPECT_TRUE(holds(error(pickle("]q\1h\1a")), {"nested more than 60 deep", "holds itself"}));
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "]";
  EXPECT_TRUE(holds(error(pickle(deep + std::string(99'999, 'a'))), {"nested more than 60 deep"}));
  std::string doubling = "]q" + std::string(1, '\0');  // each list holds the one before twice
  for (char i = 1; i < 50; ++i)
    doubling += "](h" + std::string(1, static_cast<char>(i - 1)) + "h" +
                std::string(1, static_cast<char>(i - 1)) + "eq" + std::string(1, i);
  EXPECT_TRUE(holds(error(pickle(doubling)), {"when written out"}));
  std::string same = "](" + std::string(5000, 'N') +
                     "eq\1"
                     "0](";
  for (int i = 0; i < 1000; ++i) same += "h\1";
  EXPECT_TRUE(holds(error(pickle(same + "e")), {"when each is counted wherever it stands"}));
  std::string echo = text(std::string(1 << 20, 'x')) +
                     "q\1"
                     "0](";
  for (int i = 0; i < 400; ++i) echo += "h\1";
  EXPECT_TRUE(holds(error(pickle(echo + "e")), {"take more than"}));
  EXPECT_TRUE(holds(error(std::string(5 << 20, 'N')), {"more than 4194304 values"}));
  EXPECT_TRUE(holds(error(std::string(5 << 20, '(')), {"more than 4194304 marks"}));
  EXPECT_TRUE(holds(error("N" + std::string(5 << 20, '2')), {"more than 4194304 values on its stack"}));
  std::string copies = "](" + std::string(1 << 16, 'N') +
                       "eq\1"
                       "0";  // a set of a list, again and again
  for (int i = 0; i < 1000; ++i)
    copies += global("__builtin__", "set") +
              "h\1\x85R"
              "0";
  EXPECT_TRUE(holds(error(pickle(copies + "N")), {"lists that are made of lists"}));
  std::string bytes = text(std::string(1 << 20, 'x')) +
                      "q\1"
                      "0" +
                      text("latin1") +
                      "q\2"
                      "0";
  for (int i = 0; i < 300; ++i)
    bytes += global("_codecs", "encode") +
             "h\1h\2\x86R"
             "0";
  EXPECT_TRUE(holds(error(pickle(bytes + "N")), {"texts that are made of texts"}));
}

}  // namespace
}  // namespace limpid::torch
