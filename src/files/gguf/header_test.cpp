// What a right file says, in both versions; from files and from memory.
#include "files/gguf/test_gguf.h"
#include "files/inspect.h"
#include "files/test_files.h"

namespace limpid {
namespace {

using V = GgufValueType;

TestGguf small_file() {
  TestGguf file;
  file.keys = {gguf_key("general.architecture", V::string, gguf_string("llama")),
               gguf_key("llama.block_count", V::u32, le<uint32_t>(30)),
               gguf_array("tokenizer.ggml.tokens", V::string, 3,
                          gguf_string("a") + gguf_string("") + gguf_string("\xff\xc3")),
               gguf_array("tokenizer.ggml.scores", V::f32, 2, le(0.5f) + le(-1.0f))};
  file.tensors = {{"token_embd.weight", {32, 3}, 8, std::string(3 * 34, '\1'), {}},
                  {"norm.weight", {2}, 0, le(1.5f) + le(-2.0f), {}},
                  {"scalar", {}, 1, le<uint16_t>(0x3C00), {}},
                  {"nothing", {0, 5}, 0, "", {}},
                  {"experts", {2, 1, 3}, 24, "\1\2\3\4\5\6", {}}};
  return file;
}

TEST(GgufHeader, WhatASmallFileSays) {
  for (const uint32_t version : {2u, 3u}) {
    TestGguf file = small_file();
    file.version = version;
    const GgufInfo info = inspect_gguf(bytes_of(file.bytes()), "small.gguf");
    EXPECT_EQ(info.version, version);
    EXPECT_EQ(info.alignment, 32u);
    EXPECT_EQ(info.data_offset % 32, 0u);
    EXPECT_EQ(info.text("general.architecture"), "llama");
    EXPECT_EQ(info.integer("llama.block_count"), 30);
    EXPECT_EQ(info.parameter_count(), 96 + 2 + 1 + 0 + 6);
    ASSERT_EQ(info.entries.size(), 5u);
    EXPECT_EQ(info.entries[0].shape.text(), "[3,32]");  // row major
    EXPECT_EQ(info.entries[0].bytes, 3 * 34u);
    EXPECT_EQ(info.entries[1].offset, info.data_offset + 128);
    EXPECT_EQ(info.find("scalar")->shape.rank(), 0);
    EXPECT_EQ(info.find("nothing")->shape.text(), "[5,0]");
    EXPECT_EQ(info.find("experts")->shape.text(), "[3,1,2]");
    EXPECT_EQ(info.find("expert"), nullptr);
    const GgufValue& tokens = info.metadata.at("tokenizer.ggml.tokens");
    EXPECT_TRUE(tokens.array);
    EXPECT_EQ(tokens.count, 3u);
    EXPECT_EQ(tokens.bytes, 3 * 8 + 3u);
  }
}

TEST(GgufHeader, EveryTypeOfValue) {
  TestGguf file;
  file.keys = {gguf_key("u8", V::u8, le<uint8_t>(200)),
               gguf_key("i8", V::i8, le<int8_t>(-100)),
               gguf_key("u16", V::u16, le<uint16_t>(60000)),
               gguf_key("i16", V::i16, le<int16_t>(-30000)),
               gguf_key("u32", V::u32, le<uint32_t>(4000000000)),
               gguf_key("i32", V::i32, le<int32_t>(-2000000000)),
               gguf_key("u64", V::u64, le<uint64_t>(UINT64_MAX)),
               gguf_key("i64", V::i64, le<int64_t>(INT64_MIN)),
               gguf_key("f32", V::f32, le(0.5f)),
               gguf_key("f64", V::f64, le(0.1)),
               gguf_key("bool", V::boolean, le<uint8_t>(1)),
               gguf_key("string", V::string, gguf_string(std::string("a\0\xff", 3))),
               gguf_array("array", V::u8, 0, "")};
  const GgufInfo info = inspect_gguf(bytes_of(file.bytes()), "x.gguf");
  EXPECT_EQ(info.integer("u8"), 200);
  EXPECT_EQ(info.integer("i8"), -100);
  EXPECT_EQ(info.integer("u16"), 60000);
  EXPECT_EQ(info.integer("i16"), -30000);
  EXPECT_EQ(info.integer("u32"), 4000000000);
  EXPECT_EQ(info.integer("i32"), -2000000000);
  EXPECT_EQ(info.integer("i64"), INT64_MIN);
  EXPECT_EQ(info.number("f32"), 0.5);
  EXPECT_EQ(info.number("f64"), 0.1);
  EXPECT_EQ(info.number("u64"), 18446744073709551616.0);
  EXPECT_EQ(info.number("i8"), -100);
  EXPECT_EQ(info.boolean("bool"), true);
  EXPECT_EQ(info.text("string"), std::string("a\0\xff", 3));
  EXPECT_FALSE(info.integer("none") || info.number("none") || info.boolean("none") || info.text("none"));
  EXPECT_TRUE(holds(error_of([&] { info.integer("u64"); }),
                    {"x.gguf", "\"u64\"", "18446744073709551615", "at most"}));
  EXPECT_TRUE(
      holds(error_of([&] { info.integer("f32"); }), {"\"f32\"", "of type f32", "expected an integer"}));
  EXPECT_TRUE(holds(error_of([&] { info.integer("array"); }), {"an array of u8", "expected an integer"}));
  EXPECT_TRUE(holds(error_of([&] { info.number("string"); }), {"of type string", "expected a number"}));
  EXPECT_TRUE(holds(error_of([&] { info.number("array"); }), {"an array of u8", "expected a number"}));
  EXPECT_TRUE(holds(error_of([&] { info.boolean("u8"); }), {"of type u8", "expected a bool"}));
  EXPECT_TRUE(holds(error_of([&] { info.text("bool"); }), {"of type bool", "expected a string"}));
}

TEST(GgufHeader, ItsOwnAlignment) {
  TestGguf file = small_file();
  file.keys.push_back(gguf_key("general.alignment", V::u32, le<uint32_t>(128)));
  file.alignment = 128;
  const GgufInfo info = inspect_gguf(bytes_of(file.bytes()), "x.gguf");
  EXPECT_EQ(info.alignment, 128u);
  EXPECT_EQ(info.data_offset % 128, 0u);
  EXPECT_EQ(info.find("norm.weight")->offset, info.data_offset + 128);
}

TEST(GgufHeader, MetadataAloneIsAFile) {
  TestGguf file;
  file.keys = {gguf_key("a", V::u8, "\1")};
  std::string bytes = file.bytes();
  bytes.resize(bytes.size() - 5);  // nobody pads before data that is not there
  EXPECT_EQ(inspect_gguf(bytes_of(bytes), "x.gguf").entries.size(), 0u);
}

TEST(GgufHeader, AnArrayLongerThanAPieceIsSteppedOver) {
  TestGguf file;
  std::string tokens;
  for (int i = 0; i < 50'000; ++i) tokens += gguf_string(std::string(static_cast<size_t>(i % 37), 'x'));
  file.keys = {gguf_array("tokens", V::string, 50'000, tokens),
               gguf_array("long", V::string, 1, gguf_string(std::string(300'000, 'y'))),
               gguf_array("flags", V::boolean, 70'000, std::string(70'000, '\1')),
               gguf_key("after", V::u16, le<uint16_t>(7))};
  EXPECT_EQ(inspect_gguf(bytes_of(file.bytes()), "x.gguf").integer("after"), 7);
}

// Of a file of 10 GB only the header is read; most of this one takes no place on the disk.
TEST(GgufHeader, OfALargeFileOnlyTheHeaderIsRead) {
  const TestFolder folder;
  TestGguf file;
  constexpr uint64_t k_rows = 280'000;
  file.tensors = {{"large", {32'768, k_rows}, 8, "", {}}};
  write_file_whole(folder / "large.gguf", file.bytes());
  const uint64_t header = file.bytes().size();
  std::error_code failed;
  std::filesystem::resize_file(folder / "large.gguf", header + k_rows * 1024 * 34, failed);
  if (failed) GTEST_SKIP() << "no room for a sparse file: " << failed.message();
  const GgufInfo info = inspect_gguf(folder / "large.gguf");
  EXPECT_EQ(info.entries[0].bytes, k_rows * 1024 * 34);
  EXPECT_EQ(list_arrays(folder / "large.gguf").arrays[0].type, "Q8_0");
  const GgufReader reader(folder / "large.gguf");
  const Bytes raw = reader.raw("large");
  EXPECT_EQ(raw.size(), k_rows * 1024 * 34);
  EXPECT_EQ(raw.back(), std::byte{0});
  std::filesystem::resize_file(folder / "large.gguf", header + k_rows * 1024 * 34 - 1);
  EXPECT_TRUE(holds(error_of([&] { inspect_gguf(folder / "large.gguf"); }),
                    {"large.gguf", "\"large\"", "cut short"}));
}

}  // namespace
}  // namespace limpid
