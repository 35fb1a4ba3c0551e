#include "files/inspect.h"

#include <cmath>
#include <limits>

#include "files/test_files.h"

namespace limpid {
namespace {

std::map<std::string, ArrayInfo> listed(const std::filesystem::path& path) {
  std::map<std::string, ArrayInfo> out;
  for (ArrayInfo& array : list_arrays(path).arrays) out[array.name] = array;
  return out;
}

std::map<std::string, ArrayNumbers> measured(const std::filesystem::path& path) {
  std::map<std::string, ArrayNumbers> out;
  measure_arrays(
      path, [](const std::string&) { return true; },
      [&](const ArrayInfo& array, const ArrayNumbers& numbers) { out[array.name] = numbers; });
  return out;
}

std::string npy(const std::string& descr, const std::string& shape, const std::string& data) {
  std::string text = "{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + ", }";
  return std::string("\x93NUMPY\1\0", 8) + static_cast<char>(text.size()) + '\0' + text + data;
}

TEST(Inspect, OneArrayOfAnUnknownTypeDoesNotHideTheOthers) {
  const TestFolder folder;
  const std::string header =
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"f8":{"dtype":"F8_E8M0","shape":[2,3],"data_offsets":[8,14]},)"
      R"("z":{"dtype":"I32","shape":[1],"data_offsets":[14,18]}})";
  std::string bytes = std::string(1, static_cast<char>(header.size())) + std::string(7, '\0') + header;
  bytes += std::string("\0\0\x80\x3f\0\0\0\x40", 8) + "123456" + std::string("\7\0\0\0", 4);
  write_file_whole(folder / "mixed.safetensors", bytes);
  const auto arrays = listed(folder / "mixed.safetensors");
  ASSERT_EQ(arrays.size(), 3u);
  EXPECT_EQ(arrays.at("a").unreadable, "");
  EXPECT_EQ(arrays.at("f8").type, "F8_E8M0");
  EXPECT_EQ(arrays.at("f8").shape.text(), "[2,3]");
  EXPECT_TRUE(holds(arrays.at("f8").unreadable, {"F8_E8M0"}));
  const auto numbers = measured(folder / "mixed.safetensors");
  EXPECT_EQ(numbers.at("a").mean, 1.5);
  EXPECT_EQ(numbers.at("f8").count, 0);
  EXPECT_EQ(numbers.at("z").most, 7);
  SafetensorsReader reader(folder / "mixed.safetensors");
  EXPECT_EQ(reader.read("a").at({1}), 2);
  EXPECT_TRUE(holds(error_of([&] { reader.read("f8"); }), {"'f8'", "F8_E8M0", "not supported"}));
  EXPECT_TRUE(
      holds(error_of([&] { read_safetensors(folder / "mixed.safetensors"); }), {"'f8'", "not supported"}));
}

TEST(Inspect, NumPyTypesThatAreNotOurs) {
  const TestFolder folder;
  for (const auto& [descr, type] : std::map<std::string, std::string>{
           {"'<c16'", "<c16"},
           {"'|O'", "|O"},
           {"[('a', '<f4'), ('b]', '<i4', (2,))]", "[('a', '<f4'), ('b]', '<i4', (2,))]"}}) {
    write_file_whole(folder / "x.npy", npy(descr, "(3,)", std::string(48, '\0')));
    const auto arrays = listed(folder / "x.npy");
    EXPECT_EQ(arrays.at("").type, type);
    EXPECT_EQ(arrays.at("").shape.text(), "[3]");
    EXPECT_FALSE(arrays.at("").unreadable.empty());
    EXPECT_EQ(measured(folder / "x.npy").at("").count, 0);
  }
}

TEST(Inspect, CountsWhatIsNotFinite) {
  const TestFolder folder;
  const float inf = std::numeric_limits<float>::infinity();
  const Tensor odd = Tensor::of<float>(Shape::unnamed({2, 4}), {1, NAN, -3, inf, -inf, NAN, 0, 4});
  const Tensor none = Tensor::of<float>(Shape::unnamed({1}), {NAN});
  write_npz(folder / "x.npz", std::map<std::string, Tensor>{{"odd", odd}, {"none", none}});
  write_npy(folder / "x.npy", odd);
  write_safetensors(folder / "x.safetensors", TensorFile{{{"odd", odd}, {"none", none}}, {}});
  for (const char* file : {"x.npz", "x.safetensors", "x.npy"}) {
    auto numbers = measured(folder / file);
    const ArrayNumbers seen = numbers.at(std::string(file) == "x.npy" ? "" : "odd");
    EXPECT_EQ(seen.count, 8) << file;
    EXPECT_EQ(seen.nan, 2);
    EXPECT_EQ(seen.infinite, 2);
    EXPECT_EQ(seen.least, -3);
    EXPECT_EQ(seen.most, 4);
    EXPECT_EQ(seen.mean, 0.5);
    if (std::string(file) != "x.npy") {
      EXPECT_EQ(numbers.at("none").finite(), 0);
    }
  }
}

TEST(Inspect, EveryTypeInPiecesAndAtItsEnds) {
  const TestFolder folder;
  const int64_t many = (1 << 18) + 3;  // more than one piece, not a whole number of them
  std::map<std::string, Tensor> arrays;
  for (DType dtype : {DType::f64, DType::f32, DType::f16, DType::bf16, DType::i64, DType::i32, DType::i16,
                      DType::i8, DType::u8, DType::u16, DType::u32, DType::boolean}) {
    Tensor numbers(DType::f64, Shape::unnamed({many}));
    for (int64_t i = 0; i < many; ++i) numbers.data<double>()[i] = static_cast<double>(i % 3);
    arrays[std::string(name(dtype))] = numbers.to(dtype);
  }
  arrays["big"] = Tensor::of<int64_t>(Shape::unnamed({2}), {INT64_MAX, INT64_MIN});
  arrays["huge"] = Tensor::of<double>(Shape::unnamed({2}), {1.7e308, 1.7e308});
  write_safetensors(folder / "x.safetensors", TensorFile{arrays, {}});
  std::map<std::string, ConstView> views;
  for (const auto& [name, tensor] : arrays)
    if (tensor.dtype() != DType::bf16) views.emplace(name, tensor.view());
  write_npz(folder / "x.npz", views);
  for (const char* file : {"x.npz", "x.safetensors"})
    for (const auto& [name, seen] : measured(folder / file)) {
      if (name == "big") {
        EXPECT_EQ(static_cast<int64_t>(seen.most), INT64_MAX);
        EXPECT_EQ(static_cast<int64_t>(seen.least), INT64_MIN);
      } else if (name == "huge") {
        EXPECT_EQ(seen.mean, 1.7e308);
      } else {
        EXPECT_EQ(seen.count, many) << name;
        EXPECT_EQ(seen.least, 0) << name;
        EXPECT_EQ(seen.most, name == "bool" || name == "boolean" ? 1 : 2) << name;
      }
    }
}

TEST(Inspect, ADamagedFileIsAnErrorAndOtherKindsAreNamed) {
  const TestFolder folder;
  write_file_whole(folder / "short.npy", npy("'<f4'", "(3,)", std::string(8, '\0')));
  EXPECT_TRUE(holds(error_of([&] { measured(folder / "short.npy"); }), {"8 bytes of data", "expected 12"}));
  write_file_whole(folder / "x.npz", std::string("version https://git-lfs.github.com/spec/v1\nsize 3\n"));
  EXPECT_TRUE(holds(error_of([&] { list_arrays(folder / "x.npz"); }), {"Git LFS pointer", "git lfs pull"}));
}

}  // namespace
}  // namespace limpid
