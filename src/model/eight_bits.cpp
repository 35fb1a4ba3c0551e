#include "model/eight_bits.h"

#include <cstring>

#include "limpid/gguf.h"

namespace limpid {

namespace {

constexpr int64_t k_block = 32;
constexpr int64_t k_scale_bytes = 2;

// The matrix [rows,columns] as blocks lie in it: of a product's, each column is a line of blocks.
struct Lines {
  int64_t count, length;  // of lines, of numbers in each
  int64_t across, along;  // from a line to the next, from a number to the next
};

Lines lines_of(const StorableMatrix& m) {
  return m.turned ? Lines{m.columns, m.rows, 1, m.columns} : Lines{m.rows, m.columns, m.columns, 1};
}

// Of a product's [rows/32,columns], of a table's [rows,columns/32].
Shape scales_shape(const StorableMatrix& m) {
  if (m.turned) return {{Axis::N, m.rows / k_block}, {Axis::C, m.columns}};
  return {{Axis::N, m.rows}, {Axis::C, m.columns / k_block}};
}

// Where the scale of a line's block stands in the file.
int64_t scale_of(const StorableMatrix& m, const Lines& lines, int64_t l, int64_t block) {
  return m.turned ? block * lines.count + l : l * (lines.length / k_block) + block;
}

}  // namespace

std::string scales_name(const std::string& parameter) { return parameter + ".scale"; }

bool fits_eight_bits(const StorableMatrix& m) {
  return m.matrices == 1 && m.rows > 0 && m.columns > 0 && lines_of(m).length % k_block == 0;
}

EightBits to_eight_bits(const Tensor& parameter, const StorableMatrix& m) {
  const Lines lines = lines_of(m);
  EightBits out{Tensor(DType::i8, parameter.shape()), Tensor(DType::f16, scales_shape(m))};
  const Tensor numbers = parameter.to(DType::f32);
  const float* const from = numbers.data<float>();
  std::vector<float> line(static_cast<size_t>(lines.length));
  int8_t* const whole = out.numbers.data<int8_t>();  // out of the loop: each call makes a view
  f16* const scales = out.scales.data<f16>();
  for (int64_t l = 0; l < lines.count; ++l) {
    for (int64_t k = 0; k < lines.length; ++k)
      line[static_cast<size_t>(k)] = from[l * lines.across + k * lines.along];
    const std::vector<std::byte> blocks = quantize(GgufType::q8_0, line);
    for (int64_t i = 0; i < lines.length; ++i) {
      const int64_t block = i / k_block;
      const std::byte* const at = blocks.data() + block * (k_scale_bytes + k_block);
      if (i % k_block == 0) std::memcpy(scales + scale_of(m, lines, l, block), at, k_scale_bytes);
      whole[l * lines.across + i * lines.along] = static_cast<int8_t>(at[k_scale_bytes + i % k_block]);
    }
  }
  return out;
}

StoredMatrix stored_of(const EightBits& bits, const Shape& parameter, const StorableMatrix& m,
                       const std::string& where) {
  const Shape expected = scales_shape(m);
  if (bits.scales.dtype() != DType::f16 || !bits.scales.shape().same_sizes(expected))
    fail_work(where, ": its scales are ", name(bits.scales.dtype()), " ", bits.scales.shape().text(),
              ", expected f16 ", expected.text());
  const Lines lines = lines_of(m);
  StoredMatrix out(DType::f32, BlockType::q8_0, parameter, lines.count, lines.length, m.turned);
  const int8_t* const whole = bits.numbers.data<int8_t>();
  const f16* const scales = bits.scales.data<f16>();
  const auto fill = [&](int64_t l, int64_t block) {
    std::byte* const to = out.row(l) + block * (k_scale_bytes + k_block);
    std::memcpy(to, scales + scale_of(m, lines, l, block), k_scale_bytes);
    const int8_t* const from = whole + l * lines.across + block * k_block * lines.along;
    for (int64_t i = 0; i < k_block; ++i)
      to[k_scale_bytes + i] = static_cast<std::byte>(from[i * lines.along]);
  };
  const int64_t blocks = lines.length / k_block;  // of a line
  // In the order in which the numbers stand in memory.
  if (m.turned) {
    for (int64_t block = 0; block < blocks; ++block)
      for (int64_t l = 0; l < lines.count; ++l) fill(l, block);
  } else {
    for (int64_t l = 0; l < lines.count; ++l)
      for (int64_t block = 0; block < blocks; ++block) fill(l, block);
  }
  return out;
}

}  // namespace limpid
