// Models read from memory are those read from the disk, and what is wrong with them is said in the same
// words.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "limpid/model.h"

namespace limpid {
namespace {

namespace fs = std::filesystem;

class ModelRead : public testing::Test {
 protected:
  ModelRead() : place_(fs::temp_directory_path() / join("limpid_model_read_", ::getpid())) {
    fs::create_directories(place_);
  }
  ~ModelRead() override { fs::remove_all(place_); }

  static std::string message_of(const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  fs::path place_;
};

TEST_F(ModelRead, AFileFromMemoryIsTheModelOfTheDisk) {
  const std::string path = place_ / "own.safetensors";
  Model::builtin().save(path);
  const std::string bytes = read_file(path);
  const Model loaded = Model::load(path), read = Model::read(bytes_of(bytes), "own.safetensors");
  EXPECT_EQ(read.hash(), loaded.hash());
  EXPECT_EQ(read.encode("Life is short"), loaded.encode("Life is short"));
}

TEST_F(ModelRead, AFolderFromMemoryIsTheModelOfTheDisk) {
  const fs::path folder = place_ / "exported";
  write_hub_folder(Model::builtin(), folder.string());
  std::map<std::string, std::string> contents;
  for (const auto& entry : fs::directory_iterator(folder))
    contents[entry.path().filename().string()] = read_file(entry.path());
  ASSERT_TRUE(contents.count("config.json"));
  std::map<std::string, Bytes> files;
  for (const auto& [name, content] : contents) files[name] = bytes_of(content);
  const Model loaded = Model::load(folder.string()), read = Model::read(files, "exported");
  EXPECT_EQ(read.hash(), loaded.hash());
  EXPECT_EQ(read.title(), "exported");
  EXPECT_EQ(read.encode("Time is money, 1,000!"), loaded.encode("Time is money, 1,000!"));

  files.erase("model.safetensors");
  EXPECT_EQ(message_of([&] { Model::read(files, "exported"); }).substr(0, 37),
            "exported: the folder holds no model: ");
}

TEST_F(ModelRead, WhatIsWrongIsSaidInTheWordsOfTheDisk) {
  const std::string path = place_ / "cut.safetensors";
  Model::builtin().save(path);
  const std::string whole = read_file(path);
  for (const size_t size : {size_t{0}, size_t{4}, size_t{1000}, whole.size() / 2, whole.size() - 1}) {
    const std::string cut = whole.substr(0, size);
    write_file_whole(path, cut);
    std::string disk = message_of([&] { Model::load(path); });
    ASSERT_FALSE(disk.empty()) << size;
    for (size_t at; (at = disk.find(path)) != disk.npos;) disk.replace(at, path.size(), "cut.safetensors");
    EXPECT_EQ(message_of([&] { Model::read(bytes_of(cut), "cut.safetensors"); }), disk) << size;
  }
}

TEST_F(ModelRead, MemoryIsForgottenAndHidesNothing) {
  const std::string path = place_ / "model.safetensors";
  const std::string nothing = "no model";
  Model::builtin().save(path);
  EXPECT_NE(message_of([&] { Model::read(bytes_of(nothing), path); }), "");
  EXPECT_EQ(message_of([&] { Model::load(path); }), "");
  EXPECT_NE(message_of([&] { Model::load("no model there"); }), "");
}

}  // namespace
}  // namespace limpid
