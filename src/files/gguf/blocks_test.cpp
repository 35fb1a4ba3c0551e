// Blocks of every type: numbers worked out by hand from the layouts, what is written reads back, and wrong
// calls.
#include <cmath>
#include <limits>

#include "files/test_files.h"
#include "limpid/gguf.h"
#include "limpid/random.h"

namespace limpid {
namespace {

// A block's bytes that are not 0, and its numbers that are not `rest` (only named ones are looked at without
// it).
struct HandMade {
  GgufType type;
  std::vector<std::pair<size_t, unsigned>> bytes;
  std::vector<std::pair<size_t, float>> numbers;
  std::optional<float> rest;
};

// f16: 0x3800 is 0.5, 0x3C00 is 1, 0x4000 is 2, 0xC000 is -2.
const HandMade k_blocks[] = {
    {GgufType::q8_0, {{1, 0x38}, {2, 127}, {3, 0x80}, {33, 3}}, {{0, 63.5f}, {1, -64}, {31, 1.5f}}, 0.0f},
    {GgufType::q4_0, {{1, 0x40}, {2, 0xF0}, {17, 0x29}}, {{0, -16}, {16, 14}, {15, 2}, {31, -12}}, -16.0f},
    {GgufType::q4_1, {{1, 0x38}, {3, 0xC0}, {4 + 3, 0xA5}}, {{3, 0.5f}, {19, 3}}, -2.0f},
    // fifth bits of numbers 0 and 17
    {GgufType::q5_0,
     {{1, 0x3C}, {2, 1}, {4, 2}, {6, 0x3F}, {7, 0x20}},
     {{0, 15}, {16, -13}, {17, 2}},
     -16.0f},
    {GgufType::q5_1, {{1, 0x38}, {3, 0x3C}, {7, 0x80}, {8 + 15, 0x4C}}, {{15, 7}, {31, 11}}, 1.0f},
    // 2^(129 - 128) times 1, -12 and 6; and no -0
    {GgufType::mxfp4, {{0, 129}, {1, 0xF1}, {2, 0x08}, {16, 0x50}}, {{0, 2}, {16, -24}, {31, 12}}, 0.0f},
    // scale and min of sub-blocks 0, 1, 2, 6, 8: (1, 2), (3, 1), (15, 0), (2, 4), (5, 0)
    {GgufType::q2_k,
     {{0, 0x21},
      {1, 0x13},
      {2, 0x0F},
      {6, 0x42},
      {8, 0x05},
      {16, 0xE4},
      {16 + 16, 3},
      {16 + 32, 2},
      {81, 0x38},
      {83, 0x3C}},
     {{0, -2},
      {1, -2},
      {16, 3.5f},
      {17, -1},
      {32, 7.5f},
      {33, 0},
      {64, 0},
      {96, -1},
      {97, -4},
      {128, 5},
      {129, 0},
      {255, 0}},
     {}},
    // scale of sub-block 0: 33 - 32, of 9: 30 - 32, of the others -32
    {GgufType::q3_k,
     {{0, 1},
      {16, 0x10},
      {32, 2},
      {32 + 48, 3},
      {96, 1},
      {97, 0xE0},
      {96 + 8, 2},
      {96 + 9, 0x10},
      {109, 0x3C}},
     {{0, 2}, {1, -4}, {15, -4}, {16, 128}, {144, -6}, {145, 8}, {159, 8}, {160, 128}, {255, 128}},
     {}},
    // pairs 0, 1 and 4: (5, 3), (2, 1), (1 + 16, 2 + 32)
    {GgufType::q4_k,
     {{1, 0x38}, {3, 0x3C}, {4, 0x45}, {5, 2}, {8, 0x83}, {9, 1}, {12, 0x21}, {16, 0x7C}, {16 + 64, 9}},
     {{0, 27}, {1, -3}, {32, 6}, {33, -1}, {64, 0}, {128, 42.5f}, {129, -34}, {160, 0}, {255, 0}},
     {}},
    {GgufType::q5_k,
     {{1, 0x38},
      {3, 0x3C},
      {4, 0x45},
      {5, 2},
      {8, 0x83},
      {9, 1},
      {12, 0x21},
      {16, 0x11},
      {48, 0x7C},
      {48 + 64, 9}},
     {{0, 67}, {1, -3}, {32, 6}, {33, -1}, {64, 0}, {128, 178.5f}, {129, -34}, {160, 0}, {255, 0}},
     {}},
    // scales of sub-blocks 0, 4 and 14: 2, -1, 127
    {GgufType::q6_k,
     {{0, 0x3F}, {96, 0x50}, {128, 0x24}, {160, 0xC0}, {192, 2}, {196, 0xFF}, {206, 127}, {209, 0x38}},
     {{0, -17}, {1, -32}, {16, 0}, {64, -1.5f}, {65, 16}, {224, 1333.5f}, {225, -2032}, {240, 0}},
     {}},
    {GgufType::f32, {{3, 0xC0}}, {{0, -2}}, {}},
    {GgufType::f16, {{1, 0xC0}}, {{0, -2}}, {}},
    {GgufType::bf16, {{1, 0xC0}}, {{0, -2}}, {}},
    {GgufType::f64, {{7, 0xC0}}, {{0, -2}}, {}},
    {GgufType::i8, {{0, 0xFE}}, {{0, -2}}, {}},
    {GgufType::i16, {{0, 0xFE}, {1, 0xFF}}, {{0, -2}}, {}},
    {GgufType::i32, {{1, 1}}, {{0, 256}}, {}},
    {GgufType::i64, {{4, 1}}, {{0, 4294967296.0f}}, {}},
};

TEST(GgufBlocks, NumbersByHand) {
  for (const HandMade& made : k_blocks) {
    const GgufBlock& block = block_of(made.type);
    // the second of two blocks, at an odd address
    std::vector<std::byte> bytes(1 + 2 * block.bytes);
    for (const auto& [at, value] : made.bytes) bytes.at(1 + block.bytes + at) = static_cast<std::byte>(value);
    const auto numbers = static_cast<size_t>(block.numbers);
    std::vector<float> out(2 * numbers, 99.0f);
    dequantize(made.type, Bytes(bytes).subspan(1), out);
    std::map<size_t, float> expected(made.numbers.begin(), made.numbers.end());
    if (made.rest)
      for (size_t i = 0; i < numbers; ++i) expected.emplace(i, *made.rest);
    for (const auto& [at, value] : expected)
      EXPECT_EQ(out[numbers + at], value) << block.name << ", number " << at;
    for (size_t i = 0; i < numbers; ++i)
      EXPECT_EQ(std::fabs(out[i]), 0) << block.name << ": a block of zeros, " << i;
  }
}

TEST(GgufBlocks, EveryReadableTypeIsLookedAt) {
  size_t readable = 0;
  for (uint32_t type = 0; type < 64; ++type) {
    if (!error_of([&] { name(static_cast<GgufType>(type)); }, Error::Kind::call).empty()) continue;
    const auto known = static_cast<GgufType>(type);
    readable += block_of(known).readable;
    if (!block_of(known).readable) {
      std::vector<std::byte> bytes(block_of(known).bytes);
      std::vector<float> out(static_cast<size_t>(block_of(known).numbers));
      EXPECT_TRUE(holds(error_of([&] { dequantize(known, bytes, out); }, Error::Kind::call),
                        {std::string(name(known)), "not supported", "Q4_K"}));
    }
  }
  EXPECT_EQ(readable, std::size(k_blocks));
}

std::vector<float> blocks_back(GgufType type, const std::vector<float>& numbers) {
  std::vector<float> back(numbers.size());
  dequantize(type, quantize(type, numbers), back);
  return back;
}

TEST(GgufBlocks, WritesAsTheReferenceRounds) {
  std::vector<float> x(32, 0.0f);
  x[0] = 127, x[1] = 0.5f, x[2] = -0.5f, x[3] = 1.49f, x[31] = -127;  // d = 1; halves away from zero
  EXPECT_EQ(blocks_back(GgufType::q8_0, x)[0], 127);
  EXPECT_EQ(blocks_back(GgufType::q8_0, x)[1], 1);
  EXPECT_EQ(blocks_back(GgufType::q8_0, x)[2], -1);
  EXPECT_EQ(blocks_back(GgufType::q8_0, x)[3], 1);
  EXPECT_EQ(blocks_back(GgufType::q8_0, x)[31], -127);

  x.assign(32, 0.0f);
  x[0] = -8, x[1] = 7, x[2] = 0.5f, x[3] = 7.6f, x[16] = -0.6f,
  x[17] = 8;  // d = 1: the first of the largest is -8
  std::vector<float> back = blocks_back(GgufType::q4_0, x);
  EXPECT_EQ(back[0], -8);
  EXPECT_EQ(back[1], 7);
  EXPECT_EQ(back[2], 1);
  EXPECT_EQ(back[3], 7);  // 8 has no code
  EXPECT_EQ(back[16], -1);
  EXPECT_EQ(back[17], 7);
  x[0] = 8;  // d = -1
  EXPECT_EQ(blocks_back(GgufType::q4_0, x)[0], 8);
  EXPECT_EQ(blocks_back(GgufType::q4_0, x)[1], 7);

  x.assign(32, 0.0f);
  x[0] = -1, x[1] = 14, x[2] = 0.5f, x[31] = 0.4f;  // d = 1, m = -1
  back = blocks_back(GgufType::q4_1, x);
  EXPECT_EQ(back[0], -1);
  EXPECT_EQ(back[1], 14);
  EXPECT_EQ(back[2], 1);
  EXPECT_EQ(back[31], 0);
}

TEST(GgufBlocks, WhatIsWrittenReadsBackWithinAStep) {
  Random random(7);
  for (const GgufType type : {GgufType::q8_0, GgufType::q4_0, GgufType::q4_1})
    for (int draw = 0; draw < 200; ++draw) {
      std::vector<float> x(64);
      const float size = std::ldexp(1.0f, draw % 20 - 10);
      for (float& value : x) value = size * static_cast<float>(random.normal());
      const std::vector<float> back = blocks_back(type, x);
      for (size_t block = 0; block < 64; block += 32) {
        float least = x[block], most = x[block];
        for (size_t i = block; i < block + 32; ++i)
          least = std::min(least, x[i]), most = std::max(most, x[i]);
        const float largest = std::max(-least, most);
        const float step = type == GgufType::q8_0   ? largest / 127 * 0.5f
                           : type == GgufType::q4_0 ? largest / 8  // the far end has no code
                                                    : (most - least) / 15 * 0.5f;
        // and a scale, and a least number, that were rounded to f16 (its smallest step is 2^-24)
        for (size_t i = block; i < block + 32; ++i)
          ASSERT_NEAR(back[i], x[i], step * 1.001f + largest * 0.001f + 127 * 0x1p-25f)
              << name(type) << " " << draw;
      }
    }
  for (const GgufType type : {GgufType::q8_0, GgufType::q4_0, GgufType::q4_1}) {
    EXPECT_EQ(blocks_back(type, std::vector<float>(32)), std::vector<float>(32));
    const float tiny = std::numeric_limits<float>::denorm_min();  // 1 / its scale is infinite
    for (const float value : blocks_back(type, std::vector<float>(32, tiny))) EXPECT_EQ(value, 0);
    EXPECT_TRUE(quantize(type, {}).empty());
  }
}

TEST(GgufBlocks, WrongCallsSayWhatIsExpected) {
  std::vector<float> numbers(40);
  std::vector<std::byte> bytes(34);
  const auto wrong = [](const std::function<void()>& work) { return error_of(work, Error::Kind::call); };
  EXPECT_TRUE(holds(wrong([&] { dequantize(GgufType::q8_0, bytes, numbers); }),
                    {"34 bytes", "40 numbers", "34 bytes for each 32"}));
  EXPECT_TRUE(
      holds(wrong([&] { dequantize(GgufType::q8_0, Bytes(bytes).first(33), std::span(numbers).first(32)); }),
            {"33 bytes"}));
  EXPECT_TRUE(
      holds(wrong([&] { dequantize(static_cast<GgufType>(4), bytes, numbers); }), {"no type of tensor 4"}));
  EXPECT_TRUE(holds(wrong([&] { quantize(GgufType::q8_0, numbers); }), {"40 numbers", "multiple of 32"}));
  EXPECT_TRUE(holds(wrong([&] { quantize(GgufType::q4_k, numbers); }), {"Q4_K", "Q8_0"}));
  numbers.resize(32);
  numbers[5] = NAN;
  EXPECT_TRUE(holds(wrong([&] { quantize(GgufType::q8_0, numbers); }), {"number 5", "finite"}));
  numbers[5] = -3e38f;
  for (const GgufType type : {GgufType::q8_0, GgufType::q4_0, GgufType::q4_1})
    EXPECT_TRUE(holds(wrong([&] { quantize(type, numbers); }), {"beyond f16"}));
}

}  // namespace
}  // namespace limpid
