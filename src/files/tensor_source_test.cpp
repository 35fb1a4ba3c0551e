#include "limpid/tensor_source.h"

#include <gtest/gtest.h>

#include "files/test_files.h"
#include "files/torch/pickle_builder.h"

namespace limpid {
namespace {

using Tensors = std::map<std::string, Tensor>;

Tensor row(std::vector<float> values) {
  return Tensor::of<float>(Shape::unnamed({static_cast<int64_t>(values.size())}), values);
}
void write(const std::filesystem::path& path, const Tensors& tensors,
           std::map<std::string, std::string> metadata = {}) {
  write_safetensors(path, TensorFile{tensors, std::move(metadata)});
}
void write_torch(const std::filesystem::path& path, const std::string& key) {
  write_file_whole(
      path,
      torch::checkpoint(
          torch::dict({torch::text(key), torch::tensor(torch::storage("FloatStorage", "0", 2), 0, {2}, {1})}),
          {{"0", torch::numbers<float>({7, 8})}}));
}
std::string error(const std::filesystem::path& path) {
  return error_of([&] { open_tensors(path); });
}

TEST(TensorSource, OneFile) {
  const TestFolder folder;
  write(folder / "m.safetensors", {{"b", row({1, 2})}, {"a", row({3})}}, {{"format", "pt"}});
  const auto source = open_tensors(folder / "m.safetensors");
  EXPECT_EQ(source->names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(source->find("b")->shape.text(), "[2]");
  EXPECT_EQ(source->find("c"), nullptr);
  EXPECT_EQ(source->read("b").at({1}), 2);
  EXPECT_EQ(source->metadata().at("format"), "pt");
  EXPECT_TRUE(holds(error_of([&] { source->read("c"); }, Error::Kind::call), {"m.safetensors", "\"c\""}));
}

TEST(TensorSource, ACheckpointIsItsModel) {
  const TestFolder folder;
  const std::string w = torch::tensor(torch::storage("FloatStorage", "0", 2), 0, {2}, {1});
  write_file_whole(
      folder / "ckpt.pt",
      torch::checkpoint(
          torch::dict({torch::text("model"), torch::dict({torch::text("a.w"), w}), torch::text("optimizer"),
                       torch::dict({torch::text("s"), w}), torch::text("model_args"),
                       torch::dict({torch::text("n_head"), torch::integer(4)}), torch::text("note"),
                       torch::text("x")}),
          {{"0", torch::numbers<float>({7, 8})}}));
  const auto source = open_tensors(folder / "ckpt.pt");
  EXPECT_EQ(source->names(), std::vector<std::string>{"a.w"});
  EXPECT_EQ(source->read("a.w").at({1}), 8);
  EXPECT_EQ(source->metadata(),
            (std::map<std::string, std::string>{{"model_args", R"({"n_head":4})"}, {"note", "x"}}));
}

TEST(TensorSource, AFolderOfTheHub) {
  const TestFolder folder;
  EXPECT_TRUE(holds(
      error(folder.path()),
      {"holds no model",
       "model.safetensors, model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json"}));
  write_torch(folder / "part-1.bin", "y");
  write_torch(folder / "part-2.bin", "z");
  write_file_whole(folder / "pytorch_model.bin.index.json",
                   R"({"weight_map":{"y":"part-1.bin","z":"part-2.bin"}})");
  EXPECT_EQ(open_tensors(folder.path())->names(), (std::vector<std::string>{"y", "z"}));
  write_torch(folder / "pytorch_model.bin", "x");
  EXPECT_EQ(open_tensors(folder.path())->names(), std::vector<std::string>{"x"});
  write(folder / "1.safetensors", {{"v", row({1})}, {"more", row({5})}});
  write(folder / "2.safetensors", {{"w", row({2})}});
  write_file_whole(folder / "model.safetensors.index.json",
                   R"({"metadata":{"total_size":8},"weight_map":{"v":"1.safetensors","w":"2.safetensors"}})");
  const auto sharded = open_tensors(folder.path());
  EXPECT_EQ(sharded->names(), (std::vector<std::string>{"more", "v", "w"}));
  EXPECT_EQ(sharded->read("w").at({0}), 2);
  EXPECT_EQ(sharded->find("w")->file.filename(), "2.safetensors");
  write(folder / "model.safetensors", {{"u", row({1})}});
  EXPECT_EQ(open_tensors(folder.path())->names(), std::vector<std::string>{"u"});
}

TEST(TensorSource, WrongIndexes) {
  const TestFolder folder;
  write(folder / "1.safetensors", {{"v", row({1})}});
  write(folder / "2.safetensors", {{"v", row({2})}, {"w", row({2})}});
  write_file_whole(folder / "page.safetensors", "<!doctype html><html></html>");
  std::filesystem::create_directory(folder / "inner");
  write(folder / "inner" / "3.safetensors", {{"v", row({1})}});
  for (const auto& [map, words] : std::vector<std::pair<std::string, std::string>>{
           {R"({"v":"9.safetensors"})", "\"v\" is in \"9.safetensors\", which is not there"},
           {R"({"x":"1.safetensors"})", "\"x\" is in \"1.safetensors\", which has no such tensor"},
           {R"({"v":"../1.safetensors"})", "expected the name of a file beside it"},
           {R"({"v":"inner/3.safetensors"})", "expected the name of a file beside it"},
           {R"({"v":"/etc/passwd"})", "expected the name of a file beside it"},
           {R"({"v":".."})", "expected the name of a file beside it"},
           {R"({"v":""})", "expected the name of a file beside it"},
           {R"({"v":"1.safetensors\u0000"})", "expected the name of a file beside it"},
           {R"({"v":"inner"})", "which is not there"},
           {R"({"v":"1.safetensors","w":"2.safetensors"})",
            "\"v\" is in 1.safetensors and in 2.safetensors, expected it once"},
           {R"({"v":"1.safetensors","v":"1.safetensors"})", "given twice"},
           {R"({"v":7})", "weight_map.v is 7"},
           {R"([])", "weight_map is a list"},
           {R"({"v":"page.safetensors"})", "an HTML page"},
           {R"({"v":"model.safetensors.index.json"})", "is a JSON text"},
       }) {
    write_file_whole(folder / "model.safetensors.index.json", R"({"weight_map":)" + map + "}");
    EXPECT_TRUE(holds(error(folder.path()), {words})) << map;
  }
  write_file_whole(folder / "model.safetensors.index.json", "{}");
  EXPECT_TRUE(holds(error(folder.path()), {"weight_map"}));
  write_file_whole(folder / "model.safetensors.index.json", "{");
  EXPECT_FALSE(error(folder.path()).empty());
  EXPECT_TRUE(holds(error(folder / "nothing"), {"nothing"}));
}

}  // namespace
}  // namespace limpid
