// The matrices of a layer's experts as files have them: 16-bit numbers, and blocks.
#include <algorithm>
#include <cstring>

#include "files/mxfp4.h"
#include "model/families/expert_tensors.h"
#include "model/families/tensors.h"

namespace limpid {

namespace {

bool is_small(DType dtype) { return dtype == DType::bf16 || dtype == DType::f16; }

bool is_shape(const TensorSource& file, const std::string& name, const Shape& expected) {
  const TensorSource::Entry* entry = file.find(name);
  return entry && entry->unreadable.empty() && entry->shape.same_sizes(expected);
}

bool divides(const Part& part, int64_t outputs) {
  return !part.inner || part.outer * (part.end - part.begin) * part.width == outputs;
}

// Where a row of numbers of this type ends, in bytes.
size_t row_bytes(DType dtype, BlockType blocks, int64_t columns) {
  if (blocks == BlockType::none) return static_cast<size_t>(columns) * byte_size(dtype);
  return static_cast<size_t>(columns / size_of(blocks).numbers) * size_of(blocks).bytes;
}

// The rows of a tensor of 16-bit numbers or blocks, its outermost axis: copied from the file, or read whole.
struct Slabs {
  DType dtype = DType::bf16;
  BlockType blocks = BlockType::none;
  const TensorSource* file = nullptr;
  std::string name;
  Tensor whole;
  size_t bytes = 0;

  static std::optional<Slabs> of(const TensorSource& file, const std::string& name) {
    const TensorSource::Entry& entry = *file.find(name);
    if (const auto rows = file.rows_of(name))
      return Slabs{rows->dtype, rows->blocks, &file, name, {}, rows->bytes};
    if (!is_small(entry.dtype) || entry.shape.count() == 0) return {};
    const size_t bytes = static_cast<size_t>(entry.shape.count() / entry.shape[0].size) * 2;
    return Slabs{entry.dtype, BlockType::none, &file, name, file.read(name), bytes};
  }
  void copy(int64_t r, std::byte* to) const {
    if (whole.count() == 0) return file->copy_row(name, r, to);
    std::memcpy(to, static_cast<const std::byte*>(whole.raw()) + static_cast<size_t>(r) * bytes, bytes);
  }
};

}  // namespace

std::optional<StoredMatrix> stored_experts(const TensorSource& file, const std::string& name,
                                           const Part& part, const Shape& own) {
  const int64_t experts = own[0].size, in = own[1].size, outputs = own[2].size,
                stored = stored_outputs(part, outputs);
  if (!divides(part, outputs) || !is_shape(file, name, Shape::unnamed({experts, in, stored}))) return {};
  const std::optional<Slabs> from = Slabs::of(file, name);
  if (!from || from->blocks != BlockType::none) return {};
  StoredMatrix out(from->dtype, BlockType::none, own, experts * in, outputs, false, experts);
  std::vector<std::byte> slab(from->bytes);
  for (int64_t m = 0; m < experts; ++m) {
    from->copy(m, slab.data());
    for (int64_t k = 0; k < in; ++k)
      each_output(part, outputs, [&](int64_t to, int64_t at) {
        std::memcpy(out.row(m * in + k) + 2 * to, slab.data() + 2 * (k * stored + at), 2);
      });
  }
  return out;
}

std::optional<StoredMatrix> stored_turned_experts(const TensorSource& file, const std::string& name,
                                                  const Part& part, const Shape& own) {
  const int64_t experts = own[0].size, in = own[1].size, outputs = own[2].size,
                stored = stored_outputs(part, outputs);
  if (!divides(part, outputs) || !is_shape(file, name, Shape::unnamed({experts, stored, in}))) return {};
  const std::optional<Slabs> from = Slabs::of(file, name);
  if (!from || in % size_of(from->blocks).numbers != 0) return {};
  StoredMatrix out(from->dtype, from->blocks, own, experts * outputs, in, true, experts);
  std::vector<std::byte> slab(from->bytes);
  const size_t bytes = row_bytes(from->dtype, from->blocks, in);
  for (int64_t m = 0; m < experts; ++m) {
    from->copy(m, slab.data());
    each_output(part, outputs, [&](int64_t to, int64_t at) {
      std::memcpy(out.row(m * outputs + to), slab.data() + static_cast<size_t>(at) * bytes, bytes);
    });
  }
  return out;
}

std::optional<StoredMatrix> stored_mxfp4_experts(const TensorSource& file, const std::string& name,
                                                 const Part& part, const Shape& own) {
  const int64_t experts = own[0].size, in = own[1].size, outputs = own[2].size,
                stored = stored_outputs(part, outputs), blocks = in / k_mxfp4_block;
  const std::string scales_name = scales_of(name);
  if (in % k_mxfp4_block != 0 || !divides(part, outputs) ||
      !is_shape(file, scales_name, Shape::unnamed({experts, stored, blocks})) ||
      !(is_shape(file, name, Shape::unnamed({experts, stored, in / 2})) ||
        is_shape(file, name, Shape::unnamed({experts, stored, blocks, k_mxfp4_block / 2}))))
    return {};
  const Tensor numbers = file.read(name), scales = file.read(scales_name);
  if (numbers.dtype() != DType::u8 || scales.dtype() != DType::u8 || scales.count() == 0) return {};
  const auto* scale = scales.data<uint8_t>();
  if (*std::min_element(scale, scale + scales.count()) < k_least_mxfp4_scale) return {};
  StoredMatrix out(DType::f32, BlockType::mxfp4, own, experts * outputs, in, true, experts);
  for (int64_t m = 0; m < experts; ++m)
    each_output(part, outputs, [&](int64_t to, int64_t at) {
      const int64_t which = (m * stored + at) * blocks;
      auto* const row = reinterpret_cast<uint8_t*>(out.row(m * outputs + to));
      for (int64_t i = 0; i < blocks; ++i)
        pack_mxfp4(numbers.data<uint8_t>() + (which + i) * k_mxfp4_block / 2, scale[which + i],
                   row + i * static_cast<int64_t>(size_of(BlockType::mxfp4).bytes));
    });
  return out;
}

std::optional<StoredMatrix> stored_experts_apart(const TensorSource& file,
                                                 const std::vector<std::string>& names, const Shape& own) {
  const int64_t in = own[1].size, outputs = own[2].size;
  std::optional<StoredMatrix> out;
  for (const std::string& name : names)  // before memory of their size is taken
    if (!is_shape(file, name, Shape::unnamed({outputs, in}))) return {};
  for (size_t m = 0; m < names.size(); ++m) {
    const std::optional<Slabs> from = Slabs::of(file, names[m]);
    if (!from) return {};
    if (!out) out.emplace(from->dtype, from->blocks, own, own[0].size * outputs, in, true, own[0].size);
    if (from->dtype != out->dtype() || from->blocks != out->blocks()) return {};
    for (int64_t o = 0; o < outputs; ++o) from->copy(o, out->row(static_cast<int64_t>(m) * outputs + o));
    file.forget(names[m]);
  }
  return out;
}

}  // namespace limpid
