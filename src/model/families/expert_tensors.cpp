#include "model/families/expert_tensors.h"

#include <algorithm>
#include <cstring>

#include "core/label.h"
#include "files/mxfp4.h"
#include "model/families/tensors.h"

namespace limpid {

namespace {

[[noreturn]] void wrong_shape(const TensorSource& file, const std::string& name,
                              const std::string& expected) {
  fail_work(file.name(), ": tensor '", visible_line(name), "' is ", file.find(name)->shape.text(),
            ", expected ", expected);
}

void require_shape(const TensorSource& file, const std::string& name, const Shape& expected) {
  if (!file.find(name)->shape.same_sizes(expected)) wrong_shape(file, name, expected.text());
}

void require_dtype(const TensorSource& file, const std::string& name, const Tensor& is, bool fits,
                   const char* expected) {
  if (!fits)
    fail_work(file.name(), ": tensor '", visible_line(name), "' holds ", limpid::name(is.dtype()),
              " numbers, expected ", expected);
}

Tensor floats(const TensorSource& file, const std::string& name) {
  Tensor read = file.read(name);
  require_dtype(file, name, read, is_floating(read.dtype()), "floating ones");
  return read.dtype() == DType::f32 ? std::move(read) : read.to(DType::f32);
}

Tensor bytes_of(const TensorSource& file, const std::string& name) {
  Tensor read = file.read(name);
  require_dtype(file, name, read, read.dtype() == DType::u8, "u8, four bits a number");
  return read;
}

// [out, in] of one expert, turned, to row `to` of each input.
void turn(const float* row, int64_t in, int64_t outputs, float* to) {
  for (int64_t k = 0; k < in; ++k) to[k * outputs] = row[k];
}

}  // namespace

Tensor read_experts(const TensorSource& file, const std::string& name, const Part& part, const Shape& own) {
  const int last = own.rank() - 1;
  const int64_t outputs = own[last].size, stored = stored_outputs(part, outputs);
  Shape expected = Shape::unnamed(own.sizes());
  expected[last].size = stored;
  require_shape(file, name, expected);
  const Tensor from = floats(file, name);
  Tensor out(DType::f32, own);
  const float* x = from.data<float>();
  float* y = out.data<float>();
  const int64_t rows = out.count() / outputs;
  each_output(part, outputs, [&](int64_t to, int64_t at) {
    for (int64_t r = 0; r < rows; ++r) y[r * outputs + to] = x[r * stored + at];
  });
  return out;
}

Tensor read_turned_experts(const TensorSource& file, const std::string& name, const Part& part,
                           const Shape& own) {
  const int64_t experts = own[0].size, in = own[1].size, outputs = own[2].size,
                stored = stored_outputs(part, outputs);
  require_shape(file, name, Shape::unnamed({experts, stored, in}));
  const Tensor from = floats(file, name);
  Tensor out(DType::f32, own);
  for (int64_t m = 0; m < experts; ++m)
    each_output(part, outputs, [&](int64_t to, int64_t at) {
      turn(from.data<float>() + (m * stored + at) * in, in, outputs,
           out.data<float>() + m * in * outputs + to);
    });
  return out;
}

std::string scales_of(const std::string& name) {
  constexpr std::string_view k_blocks = "_blocks";
  const size_t end = name.ends_with(k_blocks) ? name.size() - k_blocks.size() : name.size();
  return name.substr(0, end) + "_scales";
}

Tensor read_mxfp4_experts(const TensorSource& file, const std::string& name, const Part& part,
                          const Shape& own) {
  const int64_t experts = own[0].size, in = own[1].size, outputs = own[2].size,
                stored = stored_outputs(part, outputs), blocks = in / k_mxfp4_block;
  if (in % k_mxfp4_block != 0)
    fail_work(file.name(), ": tensor '", visible_line(name), "' has rows of ", in,
              " numbers as its config.json says, expected a multiple of ", k_mxfp4_block,
              ", that share a scale");
  const std::string scales_name = scales_of(name);
  if (!file.find(scales_name))
    fail_work(file.name(), ": tensor '", visible_line(scales_name), "' is missing, the scales of '",
              visible_line(name), "'");
  const Shape four = Shape::unnamed({experts, stored, blocks, k_mxfp4_block / 2});
  if (!file.find(name)->shape.same_sizes(Shape::unnamed({experts, stored, in / 2})))
    require_shape(file, name, four);
  require_shape(file, scales_name, Shape::unnamed({experts, stored, blocks}));
  const Tensor numbers = bytes_of(file, name), scales = bytes_of(file, scales_name);
  Tensor out(DType::f32, own);
  std::vector<float> row(static_cast<size_t>(in));
  for (int64_t m = 0; m < experts; ++m)
    each_output(part, outputs, [&](int64_t to, int64_t at) {
      const int64_t which = m * stored + at;
      expand_mxfp4(numbers.data<uint8_t>() + which * in / 2, scales.data<uint8_t>() + which * blocks, blocks,
                   row.data());
      turn(row.data(), in, outputs, out.data<float>() + m * in * outputs + to);
    });
  return out;
}

Tensor read_experts_apart(const TensorSource& file, const std::vector<std::string>& names, const Shape& own) {
  const int64_t in = own[1].size, outputs = own[2].size;
  for (const std::string& name : names) {
    if (!file.find(name)) fail_work(file.name(), ": tensor '", visible_line(name), "' is missing");
    require_shape(file, name, Shape::unnamed({outputs, in}));
  }
  Tensor out(DType::f32, own);
  for (size_t m = 0; m < names.size(); ++m) {
    const Tensor from = floats(file, names[m]);
    float* to = out.data<float>() + static_cast<int64_t>(m) * in * outputs;
    for (int64_t o = 0; o < outputs; ++o) turn(from.data<float>() + o * in, in, outputs, to + o);
    file.forget(names[m]);
  }
  return out;
}

}  // namespace limpid
