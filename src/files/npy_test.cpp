#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "files/test_files.h"
#include "limpid/files.h"

namespace limpid {
namespace {

namespace fs = std::filesystem;

constexpr DType k_numpy_types[] = {DType::f64, DType::f32, DType::f16, DType::i64, DType::i32,    DType::i16,
                                   DType::i8,  DType::u8,  DType::u16, DType::u32, DType::boolean};

bool same(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

// A version 1 file of this header text and these bytes of data.
std::string file_of(const std::string& header, std::string_view data) {
  std::string out("\x93NUMPY\1\0", 8);
  out += static_cast<char>(header.size() & 0xff);
  out += static_cast<char>(header.size() >> 8);
  return out + header + std::string(data);
}

Tensor read(const std::string& bytes) { return read_npy(bytes_of(bytes), "x.npy"); }

std::string error_reading(const std::string& header, std::string_view data = "abcd") {
  return error_of([&] { read(file_of(header, data)); });
}

Tensor counting(DType dtype, const std::vector<int64_t>& sizes) {
  Tensor t(dtype, Shape::unnamed(sizes));
  const int64_t count = t.count();
  t.reshape(Shape::unnamed({count}));
  for (int64_t i = 0; i < count; ++i) t.set({i}, static_cast<double>(i));
  t.reshape(Shape::unnamed(sizes));
  return t;
}

TEST(Npy, every_type_and_rank_reads_back) {
  const TestFolder folder;
  for (DType dtype : k_numpy_types)
    for (const std::vector<int64_t>& sizes : std::vector<std::vector<int64_t>>{
             {}, {1}, {5}, {2, 3}, {2, 0, 3}, {2, 1, 3, 2}, {1, 1, 1, 1, 1, 1, 1, 2}}) {
      const Tensor t = counting(dtype, sizes);
      write_npy(folder / "a.npy", t);
      EXPECT_TRUE(same(read_npy(folder / "a.npy"), t)) << name(dtype) << t.shape().text();
      EXPECT_TRUE(same(read(npy_bytes(t)), t));
      EXPECT_EQ((npy_bytes(t).size() - t.bytes()) % 64, 0u);
      EXPECT_TRUE(read_file(folder / "a.npy") == npy_bytes(t));
    }
}

TEST(Npy, bf16_is_written_as_f32) {
  const Tensor t = counting(DType::bf16, {3, 2});
  EXPECT_TRUE(same(read(npy_bytes(t)), t.to(DType::f32)));
}

TEST(Npy, views_are_written_as_they_look) {
  const Tensor t = counting(DType::i32, {3, 4});
  const ConstView turned = t.view().window(1, 1, 2).permuted({1, 0});
  EXPECT_TRUE(same(read(npy_bytes(turned)), Tensor::copy_of(turned)));
}

TEST(Npy, headers_as_other_programs_write_them) {
  const std::string_view data("\1\2\3\4", 4);
  EXPECT_EQ(read(file_of("{'descr':'|u1','fortran_order':False,'shape':(4,)}", data)).at({3}), 4);
  EXPECT_EQ(
      read(file_of("{\"shape\": (2L, 2L), \"fortran_order\": True, \"descr\": \"u1\"}\n", data)).at({0, 1}),
      3);
  EXPECT_EQ(
      read(file_of("{'descr': '=i2', 'fortran_order': False, 'shape': (2, 1, ), }   \n", data)).at({1, 0}),
      0x0403);
  EXPECT_EQ(read(file_of("{'descr': '>i2', 'fortran_order': False, 'shape': (2,)}", data)).at({1}), 0x0304);
  EXPECT_EQ(read(file_of("{'descr': '<i4', 'fortran_order': False, 'shape': ()}", data)).at({}), 0x04030201);
  EXPECT_EQ(read(file_of("{'descr': '|b1', 'fortran_order': False, 'shape': (4,)}",
                         std::string_view("\0\1\2\xff", 4)))
                .at({3}),
            1);
  for (char version : {'\2', '\3'}) {
    const std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }\n";
    std::string bytes = std::string("\x93NUMPY") + version + std::string("\0", 1) +
                        static_cast<char>(header.size()) + std::string("\0\0\0", 3);
    EXPECT_EQ(read(bytes + header + std::string(data)).at({0}), 0x04030201);
  }
}

TEST(Npy, a_wrong_header_is_named) {
  const auto header = [](const std::string& descr, const std::string& order, const std::string& shape) {
    return "{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  };
  const auto shaped = [&](const std::string& shape) {
    return error_reading(header("'<f4'", "False", shape));
  };
  const auto typed = [&](const std::string& descr) { return error_reading(header(descr, "False", "(1,)")); };
  EXPECT_EQ(shaped("(1,)"), "");
  EXPECT_TRUE(holds(shaped("(2,)"), {"x.npy", "4 bytes", "expected 8", "f32 [2]"}));
  EXPECT_TRUE(holds(shaped("()  x"), {"expected"}));
  EXPECT_TRUE(holds(shaped("(1)"), {"comma"}));
  EXPECT_TRUE(holds(shaped("[1]"), {"expected ("}));
  EXPECT_TRUE(holds(shaped("(-1,)"), {"whole number"}));
  EXPECT_TRUE(holds(shaped("(1.0,)"), {"expected"}));
  EXPECT_TRUE(holds(shaped("(1,,)"), {"whole number"}));
  EXPECT_TRUE(holds(shaped("(99999999999999999999,)"), {"overflows"}));
  EXPECT_TRUE(holds(shaped("(4611686018427387904, 4)"), {"overflows"}));
  EXPECT_TRUE(holds(shaped("(1,1,1,1,1,1,1,1,1)"), {"more than 8 axes"}));
  EXPECT_TRUE(holds(typed("'|O'"), {"type '|O'", "not supported", "f8"}));
  EXPECT_TRUE(holds(typed("'<u8'"), {"type '<u8'", "not supported"}));
  EXPECT_TRUE(holds(typed("'<U3'"), {"type '<U3'", "not supported"}));
  EXPECT_TRUE(holds(typed("'<c8'"), {"type '<c8'", "not supported"}));
  EXPECT_TRUE(holds(typed("''"), {"type ''", "not supported"}));
  EXPECT_TRUE(holds(typed("[('a', '<f4')]"), {"structured", "not supported"}));
  EXPECT_TRUE(holds(typed("5"), {"quoted word"}));
  EXPECT_TRUE(holds(error_reading(header("'<f4'", "0", "(1,)")), {"expected False"}));
  EXPECT_TRUE(holds(error_reading("{'descr': '<f4', 'shape': (1,)}"), {"no fortran_order"}));
  EXPECT_TRUE(holds(error_reading("{'descr': '<f4', 'descr': '<f4'}"), {"descr is given twice"}));
  EXPECT_TRUE(holds(error_reading("{'extra': 1}"), {"key 'extra'", "not known"}));
  EXPECT_TRUE(holds(error_reading("{'descr"), {"closing quote"}));
  EXPECT_TRUE(holds(error_reading(""), {"expected {"}));
  EXPECT_TRUE(holds(error_reading(header("'<f4'", "False", "(1,)") + "{"), {"expected the end"}));
  EXPECT_TRUE(holds(error_reading(header("'<f4'", "False", "(1,)"), "abcde"), {"5 bytes", "expected 4"}));
}

TEST(Npy, what_is_no_npy_is_named) {
  EXPECT_TRUE(holds(error_of([] { read(""); }), {"x.npy", "0 bytes", "expected a .npy file"}));
  EXPECT_TRUE(holds(error_of([] { read("PK\3\4 this is a zip file"); }),
                    {"is a zip archive", "expected a .npy file"}));
  EXPECT_TRUE(holds(error_of([] { read(std::string("\x93NUMPY\4\0\1\0\0\0", 12)); }), {"version 4.0"}));
  EXPECT_TRUE(holds(error_of([] { read(std::string("\x93NUMPY\2\0\xff\xff", 10)); }), {"too short"}));
  EXPECT_TRUE(holds(error_of([] { read(std::string("\x93NUMPY\2\0\xff\xff\xff\xff", 12)); }),
                    {"header of 4294967295 bytes", "0 follow"}));
}

TEST(Npy, cut_off_or_flipped_never_crashes) {
  const std::string whole = npy_bytes(counting(DType::f32, {2, 3}));
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(error_of([&] { read(whole.substr(0, length)); }), "");
  int refused = 0;
  for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string broken = whole;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << (bit % 8)));
    refused += !error_of([&] { read(broken); }).empty();
  }
  EXPECT_GT(refused, 500);
}

TEST(Npy, numpy_reads_what_is_written) {
  if (!numpy_here()) GTEST_SKIP() << "no /usr/bin/python3 with numpy";
  const TestFolder folder;
  for (DType dtype : k_numpy_types)
    write_npy(folder / (std::string(name(dtype)) + ".npy"), counting(dtype, {2, 3}));
  write_npy(folder / "bf16.npy", counting(DType::bf16, {2, 3}));
  write_npy(folder / "scalar.npy", Tensor::of<double>(Shape{}, {2.5}));
  write_npy(folder / "special.npy", Tensor::of<float>(Shape::unnamed({3}), {INFINITY, -INFINITY, NAN}));
  write_npy(folder / "empty.npy", Tensor(DType::i16, Shape::unnamed({0, 4})));
  EXPECT_TRUE(python_agrees(folder.path(), R"(
import numpy as np
for name, kind in dict(f64='f8', f32='f4', f16='f2', i64='i8', i32='i4', i16='i2', i8='i1', u8='u1', u16='u2', u32='u4', bool='?', bf16='f4').items():
    a = np.load(name + '.npy', allow_pickle=False)
    assert a.dtype == np.dtype(kind), name
    assert np.array_equal(a, np.arange(6).reshape(2, 3).astype(kind)), name
assert np.load('scalar.npy').shape == () and np.load('scalar.npy') == 2.5
s = np.load('special.npy')
assert s[0] == np.inf and s[1] == -np.inf and np.isnan(s[2])
assert np.load('empty.npy').shape == (0, 4)
)"));
}

TEST(Npy, what_numpy_writes_is_read) {
  if (!numpy_here()) GTEST_SKIP() << "no /usr/bin/python3 with numpy";
  const TestFolder folder;
  ASSERT_TRUE(python_agrees(folder.path(), R"(
import numpy as np
from numpy.lib import format
a = (np.arange(24).reshape(2, 3, 4) * 5 - 3)
for kind in 'f8 f4 f2 i8 i4 i2 i1 u4 u2 u1 b1'.split():
    for mark, order in dict(little='<', big='>').items():
        for layout in 'CF':
            for version in (1, 0), (2, 0), (3, 0):
                with open(f'{kind}-{mark}-{layout}-{version[0]}.npy', 'wb') as f:
                    format.write_array(f, np.asarray(a.astype(order + kind), order=layout), version=version)
np.save('strided.npy', np.arange(10.0)[::2])
)"));
  int read_files = 0;
  for (const auto& entry : fs::directory_iterator(folder.path())) {
    if (entry.path().extension() != ".npy" || entry.path().stem() == "strided") continue;
    const std::string stem = entry.path().stem();
    const Tensor t = read_npy(entry.path());
    ASSERT_EQ(t.shape(), Shape::unnamed({2, 3, 4})) << stem;
    const DType expected = stem.starts_with("b1")
                               ? DType::boolean
                               : dtype_named(stem.substr(0, 1) + std::to_string(8 * (stem[1] - '0')));
    EXPECT_EQ(t.dtype(), expected) << stem;
    for (int64_t i = 0; i < 24; ++i) {
      double value = static_cast<double>(i * 5 - 3);
      if (t.dtype() == DType::boolean) value = value != 0;
      if (stem[0] == 'u' && value < 0) value += std::ldexp(1.0, static_cast<int>(8 * byte_size(t.dtype())));
      EXPECT_EQ(t.at({i / 12, i / 4 % 3, i % 4}), value) << stem;
    }
    ++read_files;
  }
  EXPECT_EQ(read_files, 11 * 2 * 2 * 3);
  EXPECT_TRUE(
      same(read_npy(folder / "strided.npy"), Tensor::of<double>(Shape::unnamed({5}), {0, 2, 4, 6, 8})));
}

}  // namespace
}  // namespace limpid
