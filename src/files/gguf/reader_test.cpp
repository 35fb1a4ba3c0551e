// Reading tensors and arrays of metadata, from a file and from memory; what a listing of arrays says of the
// file.
#include "files/gguf/test_gguf.h"
#include "files/inspect.h"
#include "files/test_files.h"

namespace limpid {
namespace {

using V = GgufValueType;

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

uint32_t number_of(GgufType type) { return static_cast<uint32_t>(type); }

TestGguf file_of_many() {
  std::vector<float> steps(64);
  for (size_t i = 0; i < 64; ++i) steps[i] = static_cast<float>(i) - 31;  // -31 to 32
  TestGguf file;
  file.tensors = {{"q8", {32, 2}, number_of(GgufType::q8_0), text_of(quantize(GgufType::q8_0, steps)), {}},
                  {"f32",
                   {2, 3},
                   number_of(GgufType::f32),
                   le(1.f) + le(2.f) + le(3.f) + le(4.f) + le(5.f) + le(-6.f),
                   {}},
                  {"f16", {1}, number_of(GgufType::f16), le<uint16_t>(0x3C01), {}},
                  {"bf16", {1}, number_of(GgufType::bf16), le<uint16_t>(0x3F81), {}},
                  {"i64", {2}, number_of(GgufType::i64), le<int64_t>(INT64_MAX) + le<int64_t>(-1), {}},
                  {"f64", {1}, number_of(GgufType::f64), le(0.1), {}},
                  {"iq", {256}, number_of(GgufType::iq2_xxs), std::string(66, '\5'), {}},
                  {"none", {0}, number_of(GgufType::q4_k), "", {}}};
  file.keys = {
      gguf_array("tokens", V::string, 3, gguf_string("Life") + gguf_string("") + gguf_string("\xff")),
      gguf_array("types", V::i32, 3, le<int32_t>(1) + le<int32_t>(-2) + le<int32_t>(3)),
      gguf_array("large", V::u64, 1, le<uint64_t>(UINT64_MAX)),
      gguf_array("scores", V::f32, 2, le(0.5f) + le(-1.f)),
      gguf_array("flags", V::boolean, 2, std::string("\0\1", 2)),
      gguf_key("one", V::u8, "\1")};
  return file;
}

void check_many(const GgufReader& reader) {
  const Tensor q8 = reader.read("q8");
  EXPECT_EQ(q8.dtype(), DType::f32);
  EXPECT_EQ(q8.shape().text(), "[2,32]");
  EXPECT_NEAR(q8.at({0, 0}), -31, 0.01);
  EXPECT_NEAR(q8.at({1, 31}), 32, 0.02);
  const Tensor f32 = reader.read("f32");
  EXPECT_EQ(f32.shape().text(), "[3,2]");
  EXPECT_EQ(f32.at({0, 1}), 2);
  EXPECT_EQ(f32.at({2, 1}), -6);
  EXPECT_EQ(reader.read("f16").data<f16>()->bits, 0x3C01);
  EXPECT_EQ(reader.read("bf16").data<bf16>()->bits, 0x3F81);
  EXPECT_EQ(reader.read("i64").data<int64_t>()[0], INT64_MAX);
  EXPECT_EQ(reader.read("f64").at({0}), 0.1);
  EXPECT_EQ(reader.read("none").count(), 0);
  const Bytes raw = reader.raw("iq");
  EXPECT_EQ(raw.size(), 66u);
  EXPECT_EQ(raw[65], std::byte{5});
  EXPECT_TRUE(holds(error_of([&] { reader.read("iq"); }), {"\"iq\"", "IQ2_XXS", "not supported", "Q4_K"}));
  EXPECT_TRUE(holds(error_of([&] { reader.read("nosuch"); }, Error::Kind::call), {"no tensor \"nosuch\""}));
  EXPECT_TRUE(holds(error_of([&] { reader.raw(""); }, Error::Kind::call), {"no tensor"}));
}

TEST(GgufReader, FromAFileAndFromMemory) {
  const TestFolder folder;
  const std::string bytes = file_of_many().bytes();
  write_file_whole(folder / "many.gguf", bytes);
  check_many(GgufReader(bytes_of(bytes), "many.gguf"));
  GgufReader first(folder / "many.gguf");
  GgufReader moved = std::move(first);
  check_many(moved);
  EXPECT_TRUE(holds(error_of([&] { GgufReader(folder / "nosuch.gguf"); }), {"cannot read", "nosuch.gguf"}));
  EXPECT_TRUE(holds(error_of([&] { GgufReader(folder.path()); }), {"is a folder"}));
}

TEST(GgufReader, ArraysOfMetadata) {
  const std::string bytes = file_of_many().bytes();
  const GgufReader reader(bytes_of(bytes), "x.gguf");
  EXPECT_EQ(reader.strings("tokens"), (std::vector<std::string>{"Life", "", "\xff"}));
  EXPECT_EQ(reader.integers("types"), (std::vector<int64_t>{1, -2, 3}));
  EXPECT_EQ(reader.integers("flags"), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(reader.numbers("types"), (std::vector<double>{1, -2, 3}));
  EXPECT_EQ(reader.numbers("scores"), (std::vector<double>{0.5, -1}));
  EXPECT_EQ(reader.numbers("large"), std::vector<double>{18446744073709551616.0});
  EXPECT_TRUE(
      holds(error_of([&] { reader.integers("large"); }), {"\"large\"", "18446744073709551615", "at most"}));
  EXPECT_TRUE(holds(error_of([&] { reader.integers("scores"); }), {"an array of f32", "expected integers"}));
  EXPECT_TRUE(
      holds(error_of([&] { reader.integers("tokens"); }), {"an array of string", "expected integers"}));
  EXPECT_TRUE(holds(error_of([&] { reader.numbers("tokens"); }), {"an array of string", "expected numbers"}));
  EXPECT_TRUE(holds(error_of([&] { reader.strings("types"); }), {"an array of i32", "expected strings"}));
  EXPECT_TRUE(
      holds(error_of([&] { reader.strings("one"); }), {"\"one\"", "of type u8", "expected an array"}));
  EXPECT_TRUE(holds(error_of([&] { reader.strings("nosuch"); }), {"x.gguf", "no metadata \"nosuch\""}));
}

TEST(GgufReader, AListingOfArrays) {
  const TestFolder folder;
  write_file_whole(folder / "many.gguf", file_of_many().bytes());
  std::map<std::string, ArrayInfo> listed;
  for (const ArrayInfo& array : list_arrays(folder / "many.gguf").arrays) listed[array.name] = array;
  ASSERT_EQ(listed.size(), 8u);
  EXPECT_EQ(listed["q8"].type, "Q8_0");
  EXPECT_EQ(listed["q8"].dtype, DType::f32);
  EXPECT_EQ(listed["f16"].type, "f16");
  EXPECT_EQ(listed["iq"].type, "IQ2_XXS");
  EXPECT_TRUE(holds(listed["iq"].unreadable, {"IQ2_XXS"}));
  std::map<std::string, ArrayNumbers> measured;
  measure_arrays(
      folder / "many.gguf", [](const std::string&) { return true; },
      [&](const ArrayInfo& array, const ArrayNumbers& numbers) { measured[array.name] = numbers; });
  EXPECT_EQ(measured["f32"].least, -6);
  EXPECT_EQ(measured["f32"].mean, 1.5);
  EXPECT_EQ(measured["q8"].count, 64);
  EXPECT_NEAR(static_cast<double>(measured["q8"].most), 32, 0.02);
  EXPECT_EQ(static_cast<int64_t>(measured["i64"].most), INT64_MAX);
  EXPECT_EQ(measured["iq"].count, 0);
}

// More than a piece of blocks: the numbers of a tensor are counted as it is read whole.
TEST(GgufReader, CountsALongTensorInPieces) {
  const TestFolder folder;
  std::vector<float> numbers(3 * 32'768 * 16);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i % 1000);
  TestGguf file;
  file.tensors = {
      {"w", {32'768, 48}, number_of(GgufType::q8_0), text_of(quantize(GgufType::q8_0, numbers)), {}}};
  write_file_whole(folder / "w.gguf", file.bytes());
  const Tensor whole = GgufReader(folder / "w.gguf").read("w");
  double sum = 0;
  for (int64_t i = 0; i < whole.count(); ++i) sum += whole.data<float>()[i];
  measure_arrays(
      folder / "w.gguf", [](const std::string&) { return true; },
      [&](const ArrayInfo&, const ArrayNumbers& seen) {
        EXPECT_EQ(seen.count, whole.count());
        EXPECT_NEAR(seen.mean, sum / static_cast<double>(whole.count()), 1e-9);
        EXPECT_EQ(seen.least, 0);
      });
}

}  // namespace
}  // namespace limpid
