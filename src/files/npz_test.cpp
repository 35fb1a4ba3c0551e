#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "files/test_files.h"
#include "limpid/files.h"

namespace limpid {
namespace {

namespace fs = std::filesystem;

using Arrays = std::map<std::string, Tensor>;

Arrays some_arrays() {
  Arrays arrays;
  arrays.emplace("blocks.0.attn.q", Tensor::of<float>(Shape::unnamed({2, 2}), {1, 2, 3, 4}));
  arrays.emplace("step.1/logits@top8.index", Tensor::of<int64_t>(Shape::unnamed({3}), {7, -8, 9}));
  arrays.emplace("caf\xc3\xa9", Tensor::of<bool>(Shape{}, {true}));
  arrays.emplace("empty", Tensor(DType::f64, Shape::unnamed({0})));
  return arrays;
}

bool same(const Arrays& a, const Arrays& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [key, x] : a) {
    if (!b.count(key)) return false;
    const Tensor& y = b.at(key);
    if (x.dtype() != y.dtype() || x.shape() != y.shape() || std::memcmp(x.raw(), y.raw(), x.bytes()) != 0)
      return false;
  }
  return true;
}

std::string written(const Arrays& arrays) {
  const TestFolder folder;
  write_npz(folder / "a.npz", arrays);
  EXPECT_EQ(folder.files(), 1);
  return read_file(folder / "a.npz");
}

TEST(Npz, arrays_read_back) {
  const TestFolder folder;
  write_npz(folder / "a.npz", some_arrays());
  EXPECT_TRUE(same(read_npz(folder / "a.npz"), some_arrays()));
  const std::string bytes = written(some_arrays());
  EXPECT_TRUE(same(read_npz(bytes_of(bytes), "a.npz"), some_arrays()));
  write_npz(folder / "none.npz", Arrays{});
  EXPECT_TRUE(read_npz(folder / "none.npz").empty());
}

TEST(Npz, the_same_arrays_give_the_same_bytes_in_every_time_zone) {
  const char* zone = std::getenv("TZ");
  const std::string before = zone ? zone : "";
  const std::string here = written(some_arrays());
  ::setenv("TZ", "Pacific/Kiritimati", 1);
  ::tzset();
  const std::string there = written(some_arrays());
  zone ? ::setenv("TZ", before.c_str(), 1) : ::unsetenv("TZ");
  ::tzset();
  EXPECT_TRUE(here == there);
}

TEST(Npz, views_are_written_as_they_look) {
  const TestFolder folder;
  const auto t = Tensor::of<float>(Shape::unnamed({2, 3}), {0, 1, 2, 3, 4, 5});
  write_npz(folder / "v.npz", std::map<std::string, ConstView>{{"turned", t.view().permuted({1, 0})}});
  EXPECT_EQ(read_npz(folder / "v.npz").at("turned").at({2, 1}), 5);
}

TEST(Npz, names_that_a_zip_cannot_hold_are_a_wrong_call) {
  const TestFolder folder;
  for (const std::string& name : {std::string(), std::string("bad\xff"), std::string("a\0b", 3)}) {
    Arrays arrays;
    arrays.emplace(name, Tensor(DType::f32, Shape{}));
    EXPECT_TRUE(
        holds(error_of([&] { write_npz(folder / "a.npz", arrays); }, Error::Kind::call), {"npz", "name"}));
  }
  EXPECT_EQ(folder.files(), 0);
}

TEST(Npz, what_is_no_npz_is_named) {
  const TestFolder folder;
  EXPECT_TRUE(
      holds(error_of([&] { read_npz(folder / "none.npz"); }), {"cannot read", "none.npz", "No such file"}));
  EXPECT_TRUE(holds(error_of([] { read_npz(bytes_of("no zip at all"), "x.npz"); }),
                    {"x.npz is a text", "expected a .npz file"}));
  EXPECT_TRUE(holds(error_of([] { read_npz(bytes_of(""), "x.npz"); }), {"x.npz"}));
  write_file_whole(folder / "text.npz", "no zip at all");
  EXPECT_TRUE(holds(error_of([&] { read_npz(folder / "text.npz"); }),
                    {"text.npz is a text", "expected a .npz file"}));
}

TEST(Npz, cut_off_or_flipped_never_crashes_and_never_gives_other_numbers) {
  Arrays arrays;
  arrays.emplace("a", Tensor::of<float>(Shape::unnamed({2, 3}), {1, 2, 3, 4, 5, 6}));
  const std::string whole = written(arrays);
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(error_of([&] { read_npz(bytes_of(whole.substr(0, length)), "x.npz"); }), "")
        << "cut to " << length;
  for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string broken = whole;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << (bit % 8)));
    Arrays back;
    if (!error_of([&] { back = read_npz(bytes_of(broken), "x.npz"); }).empty()) continue;
    // dates and the like may differ, a name too; the numbers are guarded by their checksum
    ASSERT_EQ(back.size(), 1u) << "bit " << bit;
    EXPECT_TRUE(same({{"a", back.begin()->second}}, arrays)) << "bit " << bit;
  }
}

TEST(Npz, numpy_reads_what_is_written) {
  if (!numpy_here()) GTEST_SKIP() << "no /usr/bin/python3 with numpy";
  const TestFolder folder;
  write_npz(folder / "a.npz", some_arrays());
  write_npz(folder / "none.npz", Arrays{});
  EXPECT_TRUE(python_agrees(folder.path(), R"(
import numpy as np, zipfile
z = np.load('a.npz', allow_pickle=False)
assert sorted(z.files) == sorted(['blocks.0.attn.q', 'step.1/logits@top8.index', 'café', 'empty']), z.files
assert z['blocks.0.attn.q'].dtype == 'f4' and z['blocks.0.attn.q'].tolist() == [[1, 2], [3, 4]]
assert z['step.1/logits@top8.index'].tolist() == [7, -8, 9]
assert z['café'] == True and z['empty'].shape == (0,)
assert zipfile.ZipFile('a.npz').testzip() is None
for info in zipfile.ZipFile('a.npz').infolist():
    assert info.date_time == (1980, 1, 1, 0, 0, 0) and info.compress_type == zipfile.ZIP_STORED
assert np.load('none.npz').files == []
)"));
}

TEST(Npz, what_numpy_writes_is_read) {
  if (!numpy_here()) GTEST_SKIP() << "no /usr/bin/python3 with numpy";
  const TestFolder folder;
  ASSERT_TRUE(python_agrees(folder.path(), R"(
import numpy as np, zipfile
a = dict(x=np.arange(100000, dtype='f4').reshape(100, 1000, order='F'), y=np.array([True, False]))
np.savez('stored.npz', **a)
np.savez_compressed('deflated.npz', **a)
class Stream:  # not seekable: sizes stand after the data
    def __init__(self, path): self.file = open(path, 'wb')
    def write(self, data): return self.file.write(data)
    def flush(self): self.file.flush()
with zipfile.ZipFile(Stream('streamed.npz'), 'w', zipfile.ZIP_DEFLATED) as z:
    for key, value in a.items():
        with z.open(key + '.npy', 'w', force_zip64=True) as out: np.lib.format.write_array(out, value)
np.savez('object.npz', o=np.array([{}], dtype=object))
with zipfile.ZipFile('text.npz', 'w') as z: z.writestr('readme.txt', 'hello')
with zipfile.ZipFile('twice.npz', 'w') as z:
    z.write('check.py', 'a.npy')
    import warnings; warnings.simplefilter('ignore')
    z.write('check.py', 'a.npy')
)"));
  for (const char* file : {"stored.npz", "deflated.npz", "streamed.npz"}) {
    SCOPED_TRACE(file);
    const Arrays arrays = read_npz(folder / file);
    ASSERT_EQ(arrays.size(), 2u);
    EXPECT_EQ(arrays.at("x").shape(), Shape::unnamed({100, 1000}));
    EXPECT_EQ(arrays.at("x").at({7, 12}), 1207);
    EXPECT_EQ(arrays.at("y").at({0}), 1);
  }
  EXPECT_LT(fs::file_size(folder / "deflated.npz"), fs::file_size(folder / "stored.npz"));
  EXPECT_TRUE(
      holds(error_of([&] { read_npz(folder / "object.npz"); }), {"object.npz: 'o.npy'", "type '|O'"}));
  EXPECT_TRUE(holds(error_of([&] { read_npz(folder / "text.npz"); }), {"text.npz", "without NumPy arrays"}));
  EXPECT_TRUE(
      holds(error_of([&] { read_npz(folder / "twice.npz"); }), {"twice.npz", "two arrays of one name"}));
}

}  // namespace
}  // namespace limpid
