#include "model/eight_bits.h"

#include <cstring>

#include "limpid/gguf.h"

namespace limpid {

namespace {

constexpr int64_t k_block = 32;
constexpr size_t k_scale_bytes = 2;

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

}  // namespace

std::string scales_name(const std::string& parameter) { return parameter + ".scale"; }

bool fits_eight_bits(const StorableMatrix& m) {
  return m.matrices == 1 && m.rows > 0 && m.columns > 0 && lines_of(m).length % k_block == 0;
}

EightBits to_eight_bits(const Tensor& parameter, const StorableMatrix& m) {
  const Lines lines = lines_of(m);
  EightBits out{Tensor(DType::i8, parameter.shape()), Tensor(DType::f16, scales_shape(m))};
  const float* const from = parameter.data<float>();
  std::vector<float> line(static_cast<size_t>(lines.length));
  for (int64_t l = 0; l < lines.count; ++l) {
    for (int64_t i = 0; i < lines.length; ++i)
      line[static_cast<size_t>(i)] = from[l * lines.across + i * lines.along];
    const std::vector<std::byte> blocks = quantize(GgufType::q8_0, line);
    const std::byte* at = blocks.data();
    for (int64_t i = 0; i < lines.length; ++i) {
      if (i % k_block == 0) {
        const int64_t scale = m.turned ? i / k_block * lines.count + l : (l * lines.length + i) / k_block;
        std::memcpy(out.scales.data<f16>() + scale, at, k_scale_bytes);
        at += k_scale_bytes;
      }
      out.numbers.data<int8_t>()[l * lines.across + i * lines.along] = static_cast<int8_t>(*at++);
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
  for (int64_t l = 0; l < lines.count; ++l) {
    std::byte* at = out.row(l);
    for (int64_t i = 0; i < lines.length; ++i) {
      if (i % k_block == 0) {
        const int64_t scale = m.turned ? i / k_block * lines.count + l : (l * lines.length + i) / k_block;
        std::memcpy(at, bits.scales.data<f16>() + scale, k_scale_bytes);
        at += k_scale_bytes;
      }
      *at++ = static_cast<std::byte>(bits.numbers.data<int8_t>()[l * lines.across + i * lines.along]);
    }
  }
  return out;
}

}  // namespace limpid
