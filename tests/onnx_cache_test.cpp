// The ONNX standard's cases of TensorScatter, by the kernel that writes rows to a cache, to the bit.
// shared/data/conformance/onnx/SOURCE.txt tells how the cases are stored.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "kernels/cache.h"
#include "kernels/isa.h"
#include "kernels/kernel.h"
#include "limpid/files.h"

namespace limpid::kernels {
namespace {

void expect_case(const TensorFile& file, const std::string& name, bool circular) {
  const auto tensor = [&](const std::string& rest) { return file.tensors.at(name + "/" + rest); };
  Tensor cache = tensor("input_0/past_cache");
  const Tensor update = tensor("input_1/update"), expected = tensor("output_0/present_cache");
  const Tensor indices = tensor("input_2/write_indices");
  const Shape& shape = cache.shape();  // [batch, ..., rows, width]
  const int rank = shape.rank();
  CacheWrite write;
  write.batch = shape[0].size;
  write.heads = rank == 4 ? shape[1].size : 1;
  write.capacity = shape[rank - 2].size, write.width = shape[rank - 1].size;
  write.rows = update.shape()[rank - 2].size;
  const auto strides = [&](int64_t rows) {
    return HeadStrides{write.heads * rows * write.width, write.width, rows * write.width};
  };
  write.to.data = cache.data<float>(), write.to.at = strides(write.capacity);
  write.from = update.data<float>(), write.from_at = strides(write.rows);
  write.write_indices = indices.data<int64_t>();
  write.circular = circular;
  const Tensor before = tensor("input_0/past_cache");
  for (const std::string& isa : isa_names()) {
    force_isa(isa);
    std::copy_n(before.data<float>(), before.count(), cache.data<float>());
    launch(write);
    const size_t bytes = sizeof(float) * static_cast<size_t>(expected.count());
    EXPECT_EQ(std::memcmp(cache.data<float>(), expected.data<float>(), bytes), 0) << name << " " << isa;
  }
  force_isa("");
}

TEST(Onnx, TensorScatter) {
  const char* named = std::getenv("LIMPID_DATA");
  const std::filesystem::path data = named ? named : LIMPID_SOURCE_DIR "/../shared/data";
  const std::filesystem::path path = data / "conformance" / "onnx" / "cases.safetensors";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no " << path << " (LIMPID_DATA names the data folder)";
  const TensorFile file = read_safetensors(path);
  expect_case(file, "test_tensorscatter", false);
  expect_case(file, "test_tensorscatter_3d", false);
  expect_case(file, "test_tensorscatter_circular", true);
}

}  // namespace
}  // namespace limpid::kernels
