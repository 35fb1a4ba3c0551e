#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "files/test_files.h"
#include "limpid/files.h"

namespace limpid {
namespace {

namespace fs = std::filesystem;

// A file of this header text and this many bytes of data, 0, 1, 2, ...
std::string file_of(std::string_view header, size_t data_bytes) {
  std::string out;
  for (size_t i = 0; i < 8; ++i) out += static_cast<char>(header.size() >> (8 * i) & 0xff);
  out += header;
  for (size_t i = 0; i < data_bytes; ++i) out += static_cast<char>(i);
  return out;
}

TensorFile read(const std::string& bytes) { return read_safetensors(bytes_of(bytes), "x.safetensors"); }

std::string error_reading(std::string_view header, size_t data_bytes) {
  return error_of([&] { read(file_of(header, data_bytes)); });
}

bool same(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

// One small tensor of every type, with an empty one, a scalar and names that need escapes.
TensorFile every_type() {
  TensorFile file;
  for (DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32, DType::i16,
                      DType::i8, DType::u8, DType::u16, DType::u32, DType::boolean}) {
    Tensor t(dtype, Shape::unnamed({2, 3}));
    for (int64_t i = 0; i < 6; ++i) t.set({i / 3, i % 3}, static_cast<double>(i));
    file.tensors.emplace("of " + std::string(name(dtype)), t);
  }
  file.tensors.emplace("empty", Tensor(DType::f32, Shape::unnamed({2, 0, 3})));
  file.tensors.emplace("scalar", Tensor::of<double>(Shape{}, {2.5}));
  file.tensors.emplace("\"quoted\" caf\xc3\xa9\n", Tensor::of<int8_t>(Shape::unnamed({1}), {-1}));
  file.metadata = {{"format", "pt"}, {"json", "{\"a\": [1, \"\\u00e9\"]}"}};
  return file;
}

// ---- conformance ---------------------------------------------------------------------------------

class Conformance : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(folder)) GTEST_SKIP() << "no " << folder << " (LIMPID_DATA names the data folder)";
  }
  fs::path folder = data_folder() / "conformance/safetensors";
};

TEST_F(Conformance, every_case_gives_what_the_reference_gives) {
  // the reference implementation's error, and the words by which our message says the same
  const std::map<std::string, std::vector<std::string>> words = {
      {"MetadataIncompleteBuffer", {"test", "bytes"}},
      {"HeaderTooLarge", {"header too large", "100000000"}},
      {"HeaderTooSmall", {"is empty", "0 bytes"}},
      {"InvalidHeaderLength", {"invalid header length", "60 bytes", "0 follow"}},
      {"InvalidHeader", {"not UTF-8", "byte 0"}},
      {"InvalidHeaderDeserialization", {"header is not JSON", "byte 2"}},
      {"TensorInvalidInfo", {"tensor 'test'", "[0, 4]", "expected 16", "I32 [2,2]"}},
      {"ValidationOverflow", {"tensor 'test'", "shape", "overflows"}},
      {"InvalidOffset", {"tensor '", "data_offsets", "expected to begin at"}},
  };
  std::ifstream table(folder / "cases/EXPECTED.tsv");
  std::string line;
  std::getline(table, line);
  int cases = 0;
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string file, size, expected;
    fields >> file >> size >> expected;
    const fs::path path = folder / "cases" / file;
    SCOPED_TRACE(file);
    ++cases;
    const std::string whole = error_of([&] { read_safetensors(path); });
    const std::string inspected = error_of([&] { inspect_safetensors(path); });
    const std::string content = read_file(path);
    const std::string in_memory = error_of([&] { read_safetensors(bytes_of(content), path.string()); });
    if (whole.find("not supported") == whole.npos) {  // such a tensor is listed, not read
      EXPECT_EQ(whole, inspected);
    }
    EXPECT_EQ(whole, in_memory);
    if (expected == "ok") {
      EXPECT_EQ(whole, "");
      continue;
    }
    ASSERT_TRUE(words.count(expected)) << expected;
    EXPECT_TRUE(holds(whole, {path.string()}));
    if (expected == "MetadataIncompleteBuffer") {
      EXPECT_TRUE(holds(
          whole, {content.size() > 84 ? "34 bytes after the last tensor" : "take 16 bytes, 14 are there"}));
      continue;
    }
    for (const std::string& word : words.at(expected)) EXPECT_TRUE(holds(whole, {word}));
  }
  EXPECT_EQ(cases, 18);
}

TEST_F(Conformance, every_sample_loads) {
  std::set<std::string> names;  // some differ only in case
  for (const auto& entry : fs::directory_iterator(folder / "samples")) {
    if (entry.path().extension() != ".safetensors") continue;
    SCOPED_TRACE(entry.path());
    const TensorFile file = read_safetensors(entry.path());
    const SafetensorsInfo info = inspect_safetensors(entry.path());
    EXPECT_FALSE(file.tensors.empty());
    EXPECT_EQ(file.tensors.size(), info.entries.size());
    for (const auto& e : info.entries) {
      ASSERT_TRUE(file.tensors.count(e.name));
      EXPECT_EQ(file.tensors.at(e.name).shape(), e.shape);
      EXPECT_EQ(file.tensors.at(e.name).dtype(), e.dtype);
      EXPECT_EQ(file.tensors.at(e.name).bytes(), e.bytes);
    }
    names.insert(entry.path().filename());
  }
  EXPECT_EQ(names.size(), 10u);
  EXPECT_TRUE(names.count("b.safetensors") && names.count("B.safetensors"));
}

// ---- headers that are wrong ----------------------------------------------------------------------

TEST(Safetensors, a_wrong_header_is_named) {
  struct Case {
    const char* header;
    std::initializer_list<std::string> words;
  };
  const Case cases[] = {
      {R"([])", {"the header is [...]", "expected {...}"}},
      {R"(7)", {"the header is 7"}},
      {R"("a")", {"the header is \"a\""}},
      {R"({} x)", {"not JSON"}},
      {R"({}{})", {"not JSON"}},
      {R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})", {"not JSON"}},
      {R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4],}})", {"not JSON"}},
      {R"({"t":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}})", {"not JSON"}},
      {R"({"\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", {"not JSON"}},
      {R"({"t":{"dtype":"F32","shape":[1e999],"data_offsets":[0,4]}})", {"not JSON", "1e999"}},
      {"\xef\xbb\xbf{}", {"byte order mark"}},
      {R"({"t":5})", {"tensor 't'", "5", "expected {...}"}},
      {R"({"t":null})", {"tensor 't'", "null"}},
      {R"({"t":{"shape":[1],"data_offsets":[0,4]}})", {"tensor 't'", "no dtype"}},
      {R"({"t":{"dtype":"F32","data_offsets":[0,4]}})", {"tensor 't'", "no shape"}},
      {R"({"t":{"dtype":"F32","shape":[1]}})", {"tensor 't'", "no data_offsets"}},
      {R"({"t":{"dtype":"U64","shape":[1],"data_offsets":[0,4]}})",
       {"tensor 't'", "U64", "not supported", "BF16"}},
      {R"({"t":{"dtype":"F8_E8M0","shape":[4],"data_offsets":[0,4]}})",
       {"tensor 't'", "F8_E8M0", "not supported"}},
      {R"({"t":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}})", {"tensor 't'", "f32", "not supported"}},
      {R"({"t":{"dtype":32,"shape":[1],"data_offsets":[0,4]}})", {"tensor 't'", "dtype", "32"}},
      {R"({"t":{"dtype":["F32"],"shape":[1],"data_offsets":[0,4]}})", {"tensor 't'", "dtype"}},
      {R"({"t":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})",
       {"tensor 't'", "shape", "-1", "whole numbers"}},
      {R"({"t":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})",
       {"tensor 't'", "shape", "1.0", "whole numbers"}},
      {R"({"t":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}})", {"tensor 't'", "shape", "\"1\""}},
      {R"({"t":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", {"tensor 't'", "shape", "[...]"}},
      {R"({"t":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", {"tensor 't'", "shape is 1", "list"}},
      {R"({"t":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4]}})",
       {"tensor 't'", "shape"}},
      {R"({"t":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})",
       {"tensor 't'", "more than 8 axes"}},
      {R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0]}})",
       {"tensor 't'", "data_offsets", "1 numbers"}},
      {R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})",
       {"tensor 't'", "data_offsets", "more than 2"}},
      {R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,-4]}})", {"tensor 't'", "data_offsets", "-4"}},
      {R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4.0]}})", {"tensor 't'", "data_offsets", "4.0"}},
      {R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}})",
       {"tensor 't'", "[8, 4]", "end before they begin"}},
      {R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})", {"tensor 't'", "hole", "begin at 0"}},
      {R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}})",
       {"tensor 't'", "expected 4"}},
      {R"({"t":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}})",
       {"tensor 't'", "overflows"}},
      {R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
       {"tensor 't'", "given twice"}},
      {R"({"t":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
       {"tensor 't'", "dtype", "given twice"}},
      {R"({"__metadata__":{"a":"1","a":"2"}})", {"__metadata__ 'a'", "given twice"}},
      {R"({"__metadata__":{},"__metadata__":{}})", {"__metadata__", "given twice"}},
      {R"({"__metadata__":{"a":1}})", {"__metadata__ 'a'", "1", "expected text"}},
      {R"({"__metadata__":{"a":{"b":"c"}}})", {"__metadata__ 'a'", "expected text"}},
      {R"({"__metadata__":"text"})", {"__metadata__", "text", "expected {...}"}},
      {R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
       {"tensor 'b'", "overlap tensor 'a'", "begin at 3"}},
  };
  for (const Case& c : cases) {
    const std::string message = error_reading(c.header, 4);
    SCOPED_TRACE(c.header);
    EXPECT_TRUE(holds(message, {"x.safetensors"}));
    for (const auto& word : c.words) EXPECT_TRUE(holds(message, {word}));
  }
  EXPECT_TRUE(holds(error_reading(std::string_view("{}\0", 3), 0), {"zero byte"}));
  EXPECT_TRUE(holds(error_reading("{\"\xc3\x28\":1}", 0), {"not UTF-8", "byte 2"}));
}

TEST(Safetensors, what_the_reference_allows_loads) {
  EXPECT_TRUE(read(file_of("{}", 0)).tensors.empty());
  EXPECT_TRUE(read(file_of(R"({"__metadata__":null})", 0)).metadata.empty());
  // a field that the format does not define is passed over, whatever it holds
  const auto extra = read(file_of(
      R"({"t":{"x":{"dtype":[1,{"shape":2}]},"dtype":"U8","y":[[]],"shape":[2],"z":-1.5,"data_offsets":[0,2],"w":null}})",
      2));
  EXPECT_EQ(extra.tensors.at("t").at({1}), 1);
  // tensors may stand in any order, empty ones between
  const auto mixed = read(file_of(
      R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},"e":{"dtype":"F64","shape":[0],"data_offsets":[2,2]},)"
      R"("a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"":{"dtype":"U8","shape":[],"data_offsets":[3,4]}})",
      4));
  EXPECT_EQ(mixed.tensors.at("a").at({1}), 1);
  EXPECT_EQ(mixed.tensors.at("b").at({0}), 2);
  EXPECT_EQ(mixed.tensors.at("").at({}), 3);
  EXPECT_EQ(mixed.tensors.at("e").count(), 0);
}

TEST(Safetensors, a_deep_header_does_not_exhaust_the_stack) {
  const std::string deep(1'000'000, '[');
  EXPECT_TRUE(holds(error_reading(R"({"t":{"x":)" + deep, 0), {"nested more than 64 deep"}));
  EXPECT_TRUE(holds(error_reading(deep, 0), {"the header is [...]"}));
}

TEST(Safetensors, a_header_of_100_MB_is_the_limit) {
  const TestFolder folder;
  const auto write = [&](size_t length) {  // a sparse file: the header would be zeros
    std::ofstream out(folder / "big");
    for (size_t i = 0; i < 8; ++i) out.put(static_cast<char>(length >> (8 * i) & 0xff));
    out.close();
    fs::resize_file(folder / "big", 8 + length);
    return error_of([&] { inspect_safetensors(folder / "big"); });
  };
  EXPECT_TRUE(holds(write(100'000'000), {"zero byte"}));  // within the limit: read, and found wrong
  EXPECT_TRUE(holds(write(100'000'001), {"header too large", "100000001"}));
}

TEST(Safetensors, booleans_other_than_0_and_1_are_true) {
  const auto file = read(file_of(R"({"t":{"dtype":"BOOL","shape":[4],"data_offsets":[0,4]}})", 4));
  for (int64_t i = 0; i < 4; ++i) EXPECT_EQ(file.tensors.at("t").at({i}), i > 0);
}

// ---- writing -------------------------------------------------------------------------------------

TEST(Safetensors, what_is_written_reads_back) {
  const TensorFile file = every_type();
  const TestFolder folder;
  write_safetensors(folder / "a", file);
  for (const TensorFile& back : {read(safetensors_bytes(file)), read_safetensors(folder / "a")}) {
    EXPECT_EQ(back.metadata, file.metadata);
    ASSERT_EQ(back.tensors.size(), file.tensors.size());
    for (const auto& [name, tensor] : file.tensors) EXPECT_TRUE(same(back.tensors.at(name), tensor)) << name;
  }
}

TEST(Safetensors, the_same_tensors_give_the_same_bytes) {
  EXPECT_EQ(safetensors_bytes(every_type()), safetensors_bytes(every_type()));
  TensorFile file;
  file.tensors.emplace("b", Tensor::of<uint8_t>(Shape::unnamed({2}), {1, 2}));
  file.tensors.emplace("a", Tensor::of<uint8_t>(Shape::unnamed({}), {3}));
  file.tensors.emplace("w", Tensor::of<float>(Shape::unnamed({1, 1}), {1.0f}));
  file.metadata["k"] = "values";
  const std::string header =
      R"({"__metadata__":{"k":"values"},"w":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},)"
      R"("a":{"dtype":"U8","shape":[],"data_offsets":[4,5]},"b":{"dtype":"U8","shape":[2],"data_offsets":[5,7]}})";
  ASSERT_EQ(header.size() % 8, 5u);
  EXPECT_EQ(safetensors_bytes(file), file_of(header + "   ", 0) + std::string("\0\0\x80\x3f\3\1\2", 7));
}

TEST(Safetensors, data_is_aligned_and_ordered_by_alignment) {
  EXPECT_TRUE(rc::check([](const std::map<std::string, uint8_t>& kinds) {
    TensorFile file;
    for (const auto& [key, kind] : kinds) {
      std::string name = "t";
      for (char c : key) name += static_cast<char>('a' + (static_cast<unsigned char>(c) % 26));
      file.tensors.emplace(name, Tensor(static_cast<DType>(kind % 12), Shape::unnamed({kind % 5})));
    }
    const std::string bytes = safetensors_bytes(file);
    const SafetensorsReader reader(bytes_of(bytes), "x");
    size_t before = 8;
    for (const auto& entry : reader.info().entries) {
      RC_ASSERT(entry.offset % byte_size(entry.dtype) == 0u);
      RC_ASSERT(byte_size(entry.dtype) <= before || entry.bytes == 0);
      if (entry.bytes > 0) before = byte_size(entry.dtype);
    }
  }));
}

TEST(Safetensors, bits_of_a_nan_are_kept) {
  Tensor t(DType::f32, Shape::unnamed({2}));
  const std::array<uint32_t, 2> bits = {0x7f800001, 0xffc12345};
  std::memcpy(t.raw(), bits.data(), sizeof bits);
  TensorFile file;
  file.tensors.emplace("t", t);
  EXPECT_TRUE(same(read(safetensors_bytes(file)).tensors.at("t"), t));
}

TEST(Safetensors, views_are_written_as_they_look) {
  const TestFolder folder;
  const auto t = Tensor::of<float>(Shape::unnamed({2, 3}), {0, 1, 2, 3, 4, 5});
  write_safetensors(folder / "v", std::map<std::string, ConstView>{{"turned", t.view().permuted({1, 0})},
                                                                   {"part", t.view().window(1, 1, 2)}});
  const TensorFile back = read_safetensors(folder / "v");
  EXPECT_TRUE(same(back.tensors.at("turned"), Tensor::of<float>(Shape::unnamed({3, 2}), {0, 3, 1, 4, 2, 5})));
  EXPECT_TRUE(same(back.tensors.at("part"), Tensor::of<float>(Shape::unnamed({2, 2}), {1, 2, 4, 5})));
}

TEST(Safetensors, what_the_format_cannot_hold_is_a_wrong_call) {
  const TestFolder folder;
  const auto refused = [&](const TensorFile& file) {
    const std::string message = error_of([&] { write_safetensors(folder / "no", file); }, Error::Kind::call);
    EXPECT_EQ(folder.files(), 0);
    return message;
  };
  TensorFile file;
  file.tensors.emplace("__metadata__", Tensor(DType::f32, Shape{}));
  EXPECT_TRUE(holds(refused(file), {"__metadata__"}));
  file = {};
  file.tensors.emplace("bad\xff", Tensor(DType::f32, Shape{}));
  EXPECT_TRUE(holds(refused(file), {"tensor name", "UTF-8"}));
  file = {};
  file.metadata["k"] = "\xc3";
  EXPECT_TRUE(holds(refused(file), {"metadata value", "UTF-8"}));
  file = {};
  file.tensors.emplace("none", Tensor());
  EXPECT_TRUE(holds(refused(file), {"'none'", "no numbers"}));
}

TEST(Safetensors, one_tensor_at_a_time) {
  const TestFolder folder;
  write_safetensors(folder / "a", every_type());
  SafetensorsReader reader(folder / "a");
  EXPECT_EQ(reader.info().entries.size(), every_type().tensors.size());
  EXPECT_EQ(reader.info().metadata.at("format"), "pt");
  EXPECT_TRUE(same(reader.read("of bf16"), every_type().tensors.at("of bf16")));
  SafetensorsReader moved = std::move(reader);
  EXPECT_TRUE(same(moved.read("of i64"), every_type().tensors.at("of i64")));
  EXPECT_TRUE(
      holds(error_of([&] { moved.read("of u64"); }, Error::Kind::call), {"no tensor 'of u64'", "/a"}));
  EXPECT_EQ(moved.info().find("of u64"), nullptr);
}

TEST(Safetensors, plain_python_reads_it) {
  if (!numpy_here()) GTEST_SKIP() << "no /usr/bin/python3 with numpy";
  const TestFolder folder;
  write_safetensors(folder / "a.safetensors", every_type());
  EXPECT_TRUE(python_agrees(folder.path(), R"(
import json, struct, numpy as np
raw = open('a.safetensors', 'rb').read()
n, = struct.unpack('<Q', raw[:8])
assert n % 8 == 0
header = json.loads(raw[8:8 + n])
assert header.pop('__metadata__') == {'format': 'pt', 'json': '{"a": [1, "\\u00e9"]}'}
types = dict(F64='f8', F32='f4', F16='f2', I64='i8', I32='i4', I16='i2', I8='i1', U8='u1', U16='u2', U32='u4', BOOL='?')
seen = 0
for name, entry in header.items():
    begin, end = entry['data_offsets']
    data = raw[8 + n + begin:8 + n + end]
    if entry['dtype'] == 'BF16':
        values = (np.frombuffer(data, '<u2').astype('<u4') << 16).view('<f4')
    else:
        values = np.frombuffer(data, '<' + types[entry['dtype']])
    values = values.reshape(entry['shape'])
    if name.startswith('of '):
        expected = np.arange(6).reshape(2, 3).astype(values.dtype)
        assert np.array_equal(values, expected), name
        seen += 1
assert seen == 12 and header['scalar']['shape'] == [] and '"quoted" café\n' in header
)"));
}

// ---- robustness ----------------------------------------------------------------------------------

TEST(Safetensors, a_file_cut_off_anywhere_is_an_error) {
  const std::string whole = safetensors_bytes(every_type());
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(error_of([&] { read(whole.substr(0, length)); }), "") << "cut to " << length;
}

TEST(Safetensors, a_flipped_bit_never_crashes) {
  TensorFile file;
  file.tensors.emplace("a", Tensor(DType::boolean, Shape::unnamed({2, 3})));
  file.tensors.emplace("b", Tensor(DType::f32, Shape::unnamed({2})));
  file.metadata["k"] = "v";
  const std::string whole = safetensors_bytes(file);
  int refused = 0;
  for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string broken = whole;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << (bit % 8)));
    refused += !error_of([&] { read(broken); }).empty();
  }
  EXPECT_GT(refused, 400);
}

}  // namespace
}  // namespace limpid
