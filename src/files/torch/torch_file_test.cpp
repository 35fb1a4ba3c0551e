#include "limpid/torch_file.h"

#include <gtest/gtest.h>

#include <cmath>

#include "files/test_files.h"
#include "files/torch/pickle_builder.h"

namespace limpid {
namespace {

using namespace limpid::torch;

const std::string k_six = numbers<float>({0, 1, 2, 3, 4, 5});

TorchReader reader_of(const std::string& bytes) { return TorchReader(bytes_of(bytes), "x.pt"); }
std::string error(const std::string& bytes) {
  return error_of([&] {
    const TorchReader reader = reader_of(bytes);
    for (const auto& entry : reader.info().entries) reader.read(entry.name);
  });
}
std::vector<double> all(const Tensor& tensor) {
  const Tensor wide = tensor.to(DType::f64);
  return {wide.data<double>(), wide.data<double>() + wide.count()};
}
std::string six(int64_t offset, const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
  return tensor(storage("FloatStorage", "0", 6), offset, shape, strides);
}

TEST(TorchFile, BothForms) {
  const std::string value = dict({text("a.w"), six(0, {2, 3}, {3, 1}), text("a.b"), six(3, {}, {})});
  for (const std::string& bytes :
       {checkpoint(value, {{"0", k_six}}), old_checkpoint(value, {{"0", 6, k_six}})}) {
    const TorchReader reader = reader_of(bytes);
    ASSERT_EQ(reader.info().entries.size(), 2u);
    EXPECT_EQ(reader.info().values, "{}");
    EXPECT_EQ(reader.info().find("a.w")->shape.text(), "[2,3]");
    EXPECT_EQ(reader.info().find("a.w")->bytes, 24u);
    EXPECT_EQ(all(reader.read("a.w")), (std::vector<double>{0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(all(reader.read("a.b")), std::vector<double>{3});
    EXPECT_TRUE(holds(error_of([&] { reader.read("c"); }, Error::Kind::call), {"x.pt", "\"c\""}));
  }
}

TEST(TorchFile, AFileIsMapped) {
  const TestFolder folder;
  write_file_whole(folder / "x.bin", checkpoint(dict({text("w"), six(0, {6}, {1})}), {{"0", k_six}}));
  EXPECT_EQ(inspect_torch(folder / "x.bin").entries.at(0).name, "w");
  EXPECT_EQ(all(TorchReader(folder / "x.bin").read("w")).at(5), 5);
  EXPECT_TRUE(holds(error_of([&] { TorchReader(folder / "none.bin"); }), {"none.bin", "No such file"}));
}

TEST(TorchFile, ViewsOfAStorageBecomeContiguous) {
  const std::string value = list({six(0, {3, 2}, {1, 3}), six(1, {2}, {3}), six(2, {2, 2}, {0, 1}),
                                  six(0, {0, 3}, {3, 1}), six(4, {1, 2}, {99, 1})});
  const std::string bytes = checkpoint(value, {{"0", k_six}});
  const TorchReader reader = reader_of(bytes);
  EXPECT_EQ(all(reader.read("0")), (std::vector<double>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(all(reader.read("1")), (std::vector<double>{1, 4}));
  EXPECT_EQ(all(reader.read("2")), (std::vector<double>{2, 3, 2, 3}));
  EXPECT_EQ(reader.read("3").shape().text(), "[0,3]");
  EXPECT_EQ(all(reader.read("4")), (std::vector<double>{4, 5}));
}

TEST(TorchFile, TypesOfNumbers) {
  const auto v3 = [](const std::string& type, int64_t bytes, int64_t count) {
    return call("torch._utils", "_rebuild_tensor_v3",
                {tuple({text("storage"), global("torch.storage", "UntypedStorage"), text("8"), text("cpu"),
                        wide(bytes)}) +
                     "Q",
                 wide(0), sizes({count}), sizes({1}), "\x89", call("collections", "OrderedDict", {}),
                 global("torch", type)});
  };
  const std::string value =
      dict({text("bool"), tensor(storage("BoolStorage", "1", 2), 0, {2}, {1}), text("e5m2"),
            v3("float8_e5m2", 4, 4), text("u16"), v3("uint16", 4, 2), text("u64"), v3("uint64", 8, 1),
            text("c"), tensor(storage("ComplexFloatStorage", "8", 1), 0, {1}, {1})});
  const std::string bytes =
      checkpoint(value, {{"1", std::string("\0\7", 2)}, {"8", std::string("\x3c\xfc\x01\x80\0\0\0\0", 8)}});
  const TorchReader reader = reader_of(bytes);
  EXPECT_EQ(all(reader.read("bool")), (std::vector<double>{0, 1}));
  EXPECT_EQ(reader.info().find("e5m2")->stored, "float8_e5m2");
  EXPECT_EQ(reader.read("e5m2").dtype(), DType::bf16);
  EXPECT_EQ(all(reader.read("e5m2")), (std::vector<double>{1, -INFINITY, std::ldexp(1, -16), -0.0}));
  EXPECT_EQ(all(reader.read("u16")), (std::vector<double>{0xfc3c, 0x8001}));
  for (const char* name : {"u64", "c"}) {
    EXPECT_TRUE(holds(reader.info().find(name)->unreadable, {"limpid has no type"}));
    EXPECT_TRUE(holds(error_of([&] { reader.read(name); }), {name, "limpid has no type"}));
  }
}

TEST(TorchFile, NamesOfWhatIsNested) {
  const std::string w = six(0, {6}, {1});
  const std::string state =
      call("collections", "OrderedDict", {list({tuple({text("h.0.w"), w}), tuple({text("h.0.b"), w})})});
  const std::string parameter =
      call("torch._utils", "_rebuild_parameter", {w, "\x88", call("collections", "OrderedDict", {})});
  const std::string value = dict(
      {text("model"), state, text("optimizer"),
       dict({text("state"), dict({integer(0), dict({text("exp"), parameter, text("step"), integer(5)})})}),
       text("model_args"), dict({text("n_layer"), integer(2)}), text("parts"), list({integer(1), w})});
  const std::string bytes = checkpoint(value, {{"0", k_six}});
  const TorchReader reader = reader_of(bytes);
  std::string names;
  for (const auto& entry : reader.info().entries) names += entry.name + " ";
  EXPECT_EQ(names, "model/h.0.w model/h.0.b optimizer/state/0/exp parts/1 ");
  EXPECT_EQ(reader.info().values,
            R"({"optimizer":{"state":{"0":{"step":5}}},"model_args":{"n_layer":2},"parts":[1,null]})");
  EXPECT_EQ(model_prefix(reader.info()), "model/");
  EXPECT_TRUE(
      holds(error(checkpoint(dict({text("a/b"), w, text("a"), dict({text("b"), w})}), {{"0", k_six}})),
            {"\"a/b\"", "two tensors"}));
}

TEST(TorchFile, AStorageWithinAnother) {  // PyTorch 0.3
  const std::string inner = tuple({text("storage"), global("torch", "FloatStorage"), text("0"), text("cpu"),
                                   wide(6), tuple({text("v"), wide(2), wide(3)})}) +
                            "Q";
  const std::string value = call("torch._utils", "_rebuild_tensor", {inner, wide(1), sizes({2}), sizes({1})});
  EXPECT_EQ(all(reader_of(old_checkpoint(value, {{"0", 6, k_six}})).read("")), (std::vector<double>{3, 4}));
}

TEST(TorchFile, TensorsThatAreNotAllThere) {
  const auto one = [](const std::string& t, const std::string& content = k_six) {
    return checkpoint(dict({text("w"), t}), {{"0", content}});
  };
  const std::string claims_more = tensor(storage("FloatStorage", "0", 100), 0, {100}, {1});
  for (const auto& [bytes, words] : std::vector<std::pair<std::string, std::string>>{
           {one(six(0, {7}, {1})), "reaches beyond its storage '0' of 6 numbers"},
           {one(six(6, {}, {})), "reaches beyond"},
           {one(six(0, {2, 2}, {5, 1})), "reaches beyond"},
           {one(six(0, {2}, {INT64_MAX})), "more than any memory holds"},
           {one(six(0, {2}, {1LL << 56})), "reaches beyond"},
           {one(six(-1, {1}, {1})), "offset is -1"},
           {one(six(0, {2}, {-1})), "strides is -1"},
           {one(six(0, {-2}, {1})), "shape is -2"},
           {one(six(0, {2, 2}, {1})), "2 axes has 1 strides"},
           {one(six(0, {1LL << 40, 1LL << 40}, {0, 0})), "more than any memory holds"},
           {one(six(0, {0, 1LL << 40, 1LL << 40}, {0, 0, 0})), "more than any memory holds"},
           {one(six(0, {1LL << 40}, {0})), "so often that it takes"},
           {one(six(0, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 1})), "9 axes"},
           {one(claims_more), "tensor \"w\" needs 400 bytes of storage '0', which has 24"},
           {one(tensor(storage("FloatStorage", "1", 6), 0, {6}, {1})), "no entry 'archive/data/1'"},
           {one(tensor(storage("FloatStorage", "../byteorder", 1), 0, {1}, {1})), "no entry"},
           {checkpoint(dict({text("w"), six(0, {6}, {1})}), {{"0", k_six}}, "big"), "byte order \"big\""},
           {old_checkpoint(six(0, {6}, {1}), {{"0", 6, k_six}}, false), "big-endian"},
           {old_checkpoint(six(0, {6}, {1}), {{"0", 6, "short"}}), "6 numbers of 4 bytes, 5 bytes are left"},
           {old_checkpoint(six(0, {6}, {1}), {{"0", INT64_MAX, k_six}}), "bytes are left"},
           {old_checkpoint(six(0, {6}, {1}), {{"1", 6, k_six}}), "no tensor is of the storage '1'"},
           {old_checkpoint(six(0, {6}, {1}), {{"0", 6, k_six}, {"0", 6, k_six}}), "lists storage '0' twice"},
           {old_checkpoint(six(0, {6}, {1})), "does not hold the storage '0'"},
           {old_checkpoint(claims_more, {{"0", 6, k_six}}), "needs 400 bytes"},
       })
    EXPECT_TRUE(holds(error(bytes), {"x.pt", words}));
}

TEST(TorchFile, DamagedArchives) {
  const std::string whole = checkpoint(dict({text("w"), six(0, {6}, {1})}), {{"0", k_six}});
  for (size_t size = 0; size < whole.size(); size += 7)
    EXPECT_FALSE(error(whole.substr(0, size)).empty()) << size;
  std::string damaged = whole;
  damaged[whole.find(k_six) + 5] ^= 1;
  EXPECT_TRUE(holds(error(damaged), {"archive/data/0", "CRC"}));
  EXPECT_TRUE(holds(error(zip_of({{"a/data.pkl", pickle("N")}, {"b/data.pkl", pickle("N")}})),
                    {"two entries are called data.pkl"}));
  EXPECT_TRUE(
      holds(error(zip_of({{"a/data.pkl", pickle("N")}, {"a/constants.pkl", pickle("N")}})), {"TorchScript"}));
  EXPECT_TRUE(holds(error(zip_of({{"a/b/data.pkl", pickle("N")}})), {"no entry is called data.pkl"}));
  EXPECT_TRUE(holds(error("{}"), {"x.pt is a JSON text, expected a PyTorch checkpoint"}));
  const std::string old = old_checkpoint(six(0, {6}, {1}), {{"0", 6, k_six}});
  for (size_t size = 0; size < old.size(); size += 7)
    EXPECT_FALSE(error(old.substr(0, size)).empty()) << size;
}

}  // namespace
}  // namespace limpid
