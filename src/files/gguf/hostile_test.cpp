// Files that are wrong, on purpose or by accident: each is one line that names the file, the place and what
// was expected.
#include "files/gguf/test_gguf.h"
#include "files/test_files.h"

namespace limpid {
namespace {

using V = GgufValueType;

struct Hostile {
  const char* what;
  std::string bytes;
  std::vector<std::string> words;  // of the message, besides the name of the file
};

TestTensor floats(const std::string& name, std::vector<uint64_t> dimensions, const std::string& data) {
  return {name, std::move(dimensions), 0, data, {}};
}

std::string with_key(const std::string& key) {
  TestGguf file;
  file.keys = {key};
  return file.bytes();
}

std::string with_tensor(TestTensor tensor) {
  TestGguf file;
  file.tensors = {std::move(tensor)};
  return file.bytes();
}

// The file with everything from `at` on replaced.
std::string changed(std::string bytes, size_t at, const std::string& with) {
  return bytes.replace(at, with.size(), with);
}

std::vector<Hostile> first_bytes() {
  TestGguf right;
  right.keys = {gguf_key("a", V::u8, "\1")};
  right.tensors = {floats("w", {2}, std::string(8, '\0'))};
  const std::string bytes = right.bytes();
  return {
      {"nothing", "", {"empty (0 bytes)", "expected a .gguf file"}},
      {"a page", "<!doctype html><html></html>", {"an HTML page", "expected a .gguf file"}},
      {"three bytes", "GGU", {"expected a .gguf file"}},
      {"the magic alone", "GGUF", {"a version of 4 bytes", "only 0 follow", "cut short"}},
      {"cut within the counts", bytes.substr(0, 20), {"a count of 8 bytes", "only 4 follow", "cut short"}},
      {"another magic",
       changed(bytes, 0, std::string("GG\1\2", 4)),
       {"begins with \"GG", "expected \"GGUF\""}},
      {"version 0", changed(bytes, 4, le<uint32_t>(0)), {"at byte 8", "version 0", "expected 2 or 3"}},
      {"version 1", changed(bytes, 4, le<uint32_t>(1)), {"version 1", "convert the model anew"}},
      {"version 4", changed(bytes, 4, le<uint32_t>(4)), {"version 4", "expected 2 or 3"}},
      {"version 3, big endian", changed(bytes, 4, std::string("\0\0\0\3", 4)), {"big-endian", "version 3"}},
      {"2^64 - 1 tensors",
       changed(bytes, 8, le(UINT64_MAX)),
       {"18446744073709551615 tensors", "at most 262144"}},
      {"more tensors than there is room for",
       changed(bytes, 8, le<uint64_t>(1000)),
       {"1000 tensors", "bytes that follow"}},
      {"2^63 keys",
       changed(bytes, 16, le(uint64_t{1} << 63)),
       {"9223372036854775808 metadata keys", "at most 16384"}},
      {"more keys than there is room for",
       changed(bytes, 16, le<uint64_t>(16'000)),
       {"16000 metadata keys", "bytes that follow"}},
  };
}

std::vector<Hostile> metadata() {
  const std::string right = with_key(gguf_key("a", V::u8, "\1"));
  TestGguf twice;
  twice.keys = {gguf_key("a", V::u8, "\1"), gguf_key("a", V::u16, "\1\1")};
  const auto nested =
      gguf_key("a", V::array, le<uint32_t>(9) + le<uint64_t>(1) + le<uint32_t>(0) + le<uint64_t>(0));
  return {
      {"a key longer than the file",
       changed(right, 24, le<uint64_t>(60'000)),
       {"key 1 of 1", "byte 32", "60000 bytes", "cut short"}},
      {"a key of 2^64 - 1 bytes",
       changed(right, 24, le(UINT64_MAX)),
       {"18446744073709551615", "at most 65535"}},
      {"a key without a letter", with_key(gguf_key("", V::u8, "\1\1\1")), {"the key is empty"}},
      {"a key that is not UTF-8", with_key(gguf_key("a\xff", V::u8, "\1")), {"not UTF-8", "at byte 1 of it"}},
      {"a key twice", twice.bytes(), {"\"a\"", "given twice"}},
      {"a value of type 13",
       with_key(gguf_key("a", 13, "\1")),
       {"\"a\"", "value of type 13", "expected 0 to 12"}},
      {"a value of type 2^32 - 1", with_key(gguf_key("a", UINT32_MAX, "\1")), {"value of type 4294967295"}},
      {"a bool of 2", with_key(gguf_key("a", V::boolean, "\2")), {"a bool of 2", "expected 0 or 1"}},
      {"a bool of 255 in an array", with_key(gguf_array("a", V::boolean, 2, "\1\xff")), {"a bool of 255"}},
      {"a string longer than the file",
       with_key(gguf_key("a", V::string, le<uint64_t>(1'000'000))),
       {"\"a\"", "1000000 bytes", "cut short"}},
      {"a string of 2^64 - 1 bytes",
       with_key(gguf_key("a", V::string, le(UINT64_MAX))),
       {"at most 67108864"}},
      {"an array of arrays", with_key(nested), {"an array of arrays"}},
      {"an array of type 99", with_key(gguf_array("a", static_cast<V>(99), 1, "\1")), {"value of type 99"}},
      {"an array of 2^64 - 1 bytes",
       with_key(gguf_array("a", V::u8, UINT64_MAX, "\1")),
       {"18446744073709551615 values of type u8"}},
      {"an array whose bytes overflow",
       with_key(gguf_array("a", V::u64, uint64_t{1} << 61, "\1")),
       {"2305843009213693952 values of type u64"}},
      {"an array of strings that are not there",
       with_key(gguf_array("a", V::string, 1'000'000, "")),
       {"1000000 values of type string"}},
      {"a string of an array beyond the file",
       with_key(gguf_array("a", V::string, 2, gguf_string("x") + le(UINT64_MAX))),
       {"18446744073709551615 bytes", "cut short"}},
      {"an alignment of 0",
       with_key(gguf_key("general.alignment", V::u32, le<uint32_t>(0))),
       {"general.alignment", "is 0", "a power of two"}},
      {"an alignment of 24",
       with_key(gguf_key("general.alignment", V::u32, le<uint32_t>(24))),
       {"is 24", "a power of two"}},
      {"an alignment that is text",
       with_key(gguf_key("general.alignment", V::string, gguf_string("32"))),
       {"is string", "expected u32"}},
      {"an array of alignments",
       with_key(gguf_array("general.alignment", V::u32, 1, le<uint32_t>(32))),
       {"is an array", "expected u32"}},
      {"a line break and an escape in a key",
       with_key(gguf_key("a\n\x1b[2J", 77, "\1")),
       {"value of type 77", "\\n"}},
  };
}

std::vector<Hostile> tensors() {
  const std::string eight(8, '\0');
  TestGguf twice, overlapping, inside, unaligned, far;
  twice.tensors = {floats("w", {2}, eight), floats("w", {2}, eight)};
  overlapping.tensors = {floats("v", {10}, std::string(40, '\0')), floats("w", {2}, eight)};
  overlapping.tensors[1].offset = 32;
  inside = overlapping;
  inside.tensors[0].offset = 0, inside.tensors[1].offset = 0;
  unaligned.tensors = {floats("w", {2}, std::string(64, '\0'))};
  unaligned.tensors[0].offset = 4;
  far.tensors = {floats("w", {2}, eight)};
  far.tensors[0].offset = UINT64_MAX - 31;
  TestGguf raised;  // the data of the tensors would begin beyond the file
  raised.keys = {gguf_key("general.alignment", V::u32, le(uint32_t{1} << 31))};
  raised.tensors = {floats("w", {2}, eight)};
  const std::string cut = with_tensor(floats("w", {2}, eight));
  return {
      {"a name without a letter",
       with_tensor(floats("", {2}, eight)),
       {"tensor 1 of 1", "the name is empty"}},
      {"a name of 2,000 bytes",
       with_tensor(floats(std::string(2'000, 'n'), {2}, eight)),
       {"2000 bytes", "at most 1024"}},
      {"a name that is not UTF-8", with_tensor(floats("\xc3(", {2}, eight)), {"not UTF-8"}},
      {"a name twice", twice.bytes(), {"\"w\"", "given twice"}},
      {"five dimensions",
       with_tensor(floats("w", {1, 1, 1, 1, 1}, eight)),
       {"\"w\"", "5 dimensions", "at most 4"}},
      {"a dimension of 2^63", with_tensor(floats("w", {uint64_t{1} << 63}, eight)), {"9223372036854775808"}},
      {"a shape that overflows",
       with_tensor(floats("w", {uint64_t{1} << 40, uint64_t{1} << 40}, eight)),
       {"overflows"}},
      {"a shape that overflows beside a 0",
       with_tensor(floats("w", {uint64_t{1} << 40, 0, uint64_t{1} << 40}, "")),
       {"overflows"}},
      {"a shape whose bytes overflow", with_tensor(floats("w", {uint64_t{1} << 62}, eight)), {"overflows"}},
      {"a type of ggml's past",
       with_tensor({"w", {32}, 4, std::string(32, '\0'), {}}),
       {"type 4", "none of ggml's"}},
      {"a type of 2^32 - 1",
       with_tensor({"w", {32}, UINT32_MAX, std::string(32, '\0'), {}}),
       {"type 4294967295"}},
      {"rows that are no blocks",
       with_tensor({"w", {33}, 8, std::string(68, '\0'), {}}),
       {"rows of 33", "multiple of 32", "Q8_0"}},
      {"blocks across rows",
       with_tensor({"w", {128, 2}, 12, std::string(144, '\0'), {}}),
       {"rows of 128", "multiple of 256", "Q4_K"}},
      {"an offset that is not aligned", unaligned.bytes(), {"begins at 4", "multiple of the alignment, 32"}},
      {"an offset of nearly 2^64", far.bytes(), {"18446744073709551584", "cut short"}},
      {"two tensors that overlap", overlapping.bytes(), {"\"v\" and \"w\"", "overlap"}},
      {"two tensors in one place", inside.bytes(), {"overlap"}},
      {"a tensor longer than the file",
       with_tensor(floats("w", {1'000'000}, eight)),
       {"\"w\"", "4000000 bytes", "which has 8", "cut short"}},
      {"the last byte missing", cut.substr(0, cut.size() - 1), {"8 bytes", "which has 7", "cut short"}},
      {"the data missing", cut.substr(0, cut.size() - 40), {"cut short"}},
      {"an alignment beyond the file", raised.bytes(), {"\"w\"", "which has 0"}},
  };
}

TEST(GgufHostile, EachIsOneClearLine) {
  const TestFolder folder;
  size_t cases = 0;
  for (const auto& group : {first_bytes(), metadata(), tensors()})
    for (const Hostile& hostile : group) {
      ++cases;
      const std::string name = "bad" + std::to_string(cases) + ".gguf";
      write_file_whole(folder / name, hostile.bytes);
      const std::string from_file = error_of([&] { inspect_gguf(folder / name); });
      const std::string from_memory = error_of([&] { GgufReader(bytes_of(hostile.bytes), name); });
      const std::string mapped = error_of([&] { GgufReader(folder / name); });
      for (const std::string& message : {from_file, from_memory, mapped}) {
        EXPECT_TRUE(holds(message, {name})) << hostile.what;
        for (const std::string& word : hostile.words) EXPECT_TRUE(holds(message, {word})) << hostile.what;
        EXPECT_EQ(message.find_first_of("\n\x1b"), message.npos) << hostile.what;
        EXPECT_LT(message.size(), folder.path().string().size() + 300) << hostile.what;
      }
    }
  EXPECT_GE(cases, 50u);
}

// Every byte of a header with another value, and every place where the file may end: an error or a file,
// nothing else.
TEST(GgufHostile, AnyByteAndAnyLength) {
  TestGguf file;
  file.keys = {gguf_key("general.architecture", V::string, gguf_string("llama")),
               gguf_key("f", V::f32, le(1.f)),
               gguf_array("t", V::string, 2, gguf_string("ab") + gguf_string("")),
               gguf_array("b", V::boolean, 2, "\1\1")};
  file.tensors = {floats("v", {3, 2}, std::string(24, '\0')), {"w", {32}, 8, std::string(34, '\0'), {}}};
  const std::string bytes = file.bytes();
  int errors = 0;
  const auto read = [&](const std::string& what) {
    try {
      const GgufReader reader(bytes_of(what), "x.gguf");
      for (const auto& entry : reader.info().entries) reader.read(entry.name);
      for (const auto& [key, value] : reader.info().metadata)
        if (value.array && value.type == V::string) reader.strings(key);
    } catch (const Error& error) {
      ++errors;
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  };
  for (size_t at = 0; at < bytes.size(); ++at)
    for (const int value : {0, 1, 0x7f, 0x80, 0xff})
      read(changed(bytes, at, std::string(1, static_cast<char>(value))));
  const int of_bytes = errors;
  EXPECT_GT(of_bytes, 500);
  for (size_t length = 0; length < bytes.size(); ++length) read(bytes.substr(0, length));
  EXPECT_EQ(errors - of_bytes, static_cast<int>(bytes.size()));  // the last tensor ends with the file
}

}  // namespace
}  // namespace limpid
