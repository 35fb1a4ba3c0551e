#include "files/recognize.h"

#include "files/byte_source.h"
#include "files/test_files.h"
#include "limpid/files.h"

namespace limpid {
namespace {

RecognizedFile seen(std::string_view bytes) { return recognize(*memory_source(bytes_of(bytes), "x")); }

TEST(Recognize, KindsByTheirFirstBytes) {
  const auto zip_with =
      [](const std::string& entry) {  // one stored, empty entry, without the list at the end
        return std::string("PK\3\4\24\0\0\0\0\0\0\0\0\0", 14) + std::string(12, '\0') +
               static_cast<char>(entry.size()) + std::string(3, '\0') + entry;
      };
  using K = FileKind;
  const std::pair<std::string, K> cases[] = {
      {"", K::empty},
      {zip_with("archive/data.pkl"), K::pytorch},
      {zip_with("ckpt/data.pkl"), K::pytorch},
      {zip_with("a.npy"), K::npz},
      {zip_with("word/document.xml"), K::zip},
      {std::string("\x80\2\x8a\12\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15), K::pytorch_old},
      {std::string("\x80\4\x95\0\0\0\0\0\0\0\0}\x94.", 14), K::pickle},
      {"\n <!DOCTYPE html><html lang=\"en\">", K::html},
      {"<html>", K::html},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 497774208\n", K::lfs_pointer},
      {std::string("\x1f\x8b\10\0\0\0\0\0\0\3", 10), K::gzip},
      {std::string("GGUF\3\0\0\0", 8), K::gguf},
      {std::string("tjgg\3\0\0\0", 8), K::ggml},
      {"\x89HDF\r\n\x1a\n", K::hdf5},
      {"  {\"a\": 1}", K::json},
      {"[1, 2]", K::json},
      {"Life is short\n", K::text},
      {"sch\xc3\xb6n", K::text},
      {std::string("\xff\xfe"
                   "L\0i\0",
                   6),
       K::utf16},
      {"\x93NUMPY\1", K::npy},
      {std::string("\2\0\0\0\0\0\0\0{}", 10), K::safetensors},
      {std::string("\1\2\3\0\5", 5), K::binary},
      {std::string(300, '\0'), K::binary},
  };
  for (const auto& [bytes, kind] : cases) {
    const RecognizedFile file = seen(bytes);
    EXPECT_EQ(name(file.kind), name(kind)) << testing::PrintToString(bytes);
    EXPECT_FALSE(file.what.empty());
    const bool ours = kind == K::safetensors || kind == K::npy || kind == K::npz;
    EXPECT_EQ(file.advice.empty(), ours) << file.what;
  }
  EXPECT_TRUE(holds(seen("version https://git-lfs.github.com/spec/v1\nsize 497774208\n").what,
                    {"of 497774208 bytes"}));
}

// A file's name says what a zip that was cut short was to be; its reader then says that it was.
TEST(Recognize, AZipThatWasCutShort) {
  const std::string entry("PK\3\4\24\0\0\0\0\0", 10);
  for (const std::string& bytes : {std::string("PK"), std::string("PK\3"), entry.substr(0, 4), entry}) {
    const auto kind = [&](const char* name) { return recognize(*memory_source(bytes_of(bytes), name)).kind; };
    for (const char* name : {"run.pt", "run.pth", "pytorch_model.bin", "last.ckpt"})
      EXPECT_EQ(kind(name), FileKind::pytorch) << name << " of " << bytes.size() << " bytes";
    EXPECT_EQ(kind("a.npz"), FileKind::npz);
    EXPECT_EQ(kind("a.txt"), bytes == "PK"     ? FileKind::text
                             : bytes == "PK\3" ? FileKind::binary
                                               : FileKind::zip);
  }
  EXPECT_TRUE(holds(seen(entry).what, {"a zip archive that was cut short"}));
  EXPECT_EQ(recognize(*memory_source(bytes_of("P"), "run.pt")).kind, FileKind::text);
  // With a list of entries it is whole, whatever it is called.
  EXPECT_EQ(recognize(*memory_source(bytes_of(entry + "x" + std::string("PK\5\6")), "run.pt")).kind,
            FileKind::zip);
}

// A header of 559,903 bytes begins as gzip does.
TEST(Recognize, ASafetensorsFileIsOneWhateverItsLengthSpells) {
  EXPECT_EQ(seen(std::string("\x1f\x8b\10\0\0\0\0\0{\"a\":", 13)).kind, FileKind::safetensors);
}

TEST(Recognize, EventsOfATrainingRun) {
  const std::string head("\x18\0\0\0\0\0\0\0\xa3\x7f\x4b\x22", 12), time("\x09\0\0\0\0\0\0\xf8\x3f", 9);
  const RecognizedFile events = seen(head + time +
                                     "\x1a\x0d"
                                     "brain.Event:2"
                                     "\1\2\3\4\5\6\7");
  EXPECT_EQ(events.kind, FileKind::binary);
  EXPECT_TRUE(holds(events.what, {"events of a training run"}));
  EXPECT_TRUE(holds(events.advice, {"tensorboard"}));
}

TEST(Recognize, ACharacterCutAtTheEndOfWhatIsReadIsText) {
  std::string text(4095, 'a');
  text += "\xc3\xb6 and on";
  EXPECT_EQ(seen(text).kind, FileKind::text);
  text[4094] = '\1';
  EXPECT_EQ(seen(text).kind, FileKind::binary);
}

TEST(Recognize, ReadersSayWhatTheFileIsInstead) {
  const TestFolder folder;
  const auto page = folder / "model.safetensors";
  write_file_whole(page, "<!doctype html>\n<title>model.safetensors at main</title>");
  EXPECT_TRUE(holds(error_of([&] { read_safetensors(page); }),
                    {"model.safetensors is an HTML page", "expected a .safetensors file", "/resolve/"}));
  EXPECT_TRUE(holds(error_of([&] { read_npy(page); }), {"is an HTML page", "expected a .npy file"}));
  EXPECT_TRUE(holds(error_of([&] { read_npz(page); }), {"is an HTML page", "expected a .npz file"}));
  EXPECT_TRUE(holds(error_of([&] { read_safetensors(folder.path()); }), {"is a folder", "limpid info"}));
  write_npy(folder / "a.npy", Tensor::of<float>(Shape::unnamed({2}), {1, 2}));
  EXPECT_TRUE(holds(error_of([&] { read_safetensors(folder / "a.npy"); }),
                    {"is a NumPy array", "expected a .safetensors"}));
}

}  // namespace
}  // namespace limpid
