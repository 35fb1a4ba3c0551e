// What the tests of real models' families share: a folder of the data, what its reference computed, and how
// far from it something is.
#pragma once

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

#include "data.h"
#include "limpid/model.h"

namespace limpid {

/// A folder of conformance/families.
struct Case {
  std::string name;
  double logits = 2e-5;  // tolerance, of max(1, |value|)
};
inline void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class Families : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    folder = data_folder("conformance/families/" + GetParam().name);
    if (folder.empty())
      GTEST_SKIP() << "no conformance/families/" << GetParam().name << " (LIMPID_DATA names the data folder)";
    golden = read_safetensors(folder / "golden.safetensors").tensors;
    golden2 = read_safetensors(folder / "golden2.safetensors").tensors;
  }

  Model model() const { return Model::load(folder.string()); }
  // What the file of gradients holds, and the gradients under our names.
  std::pair<std::map<std::string, Tensor>, std::map<std::string, Tensor>> gradients_of(
      const std::filesystem::path& file) const;
  void expect_gradients(const Model&, const Graph&, std::map<std::string, ConstView> bound,
                        const std::map<std::string, Tensor>& expected, double loss) const;

  std::filesystem::path folder;
  std::map<std::string, Tensor> golden, golden2;
};

inline std::vector<int64_t> row_of(const Tensor& ids, int64_t row, int64_t first = 0, int64_t end = -1) {
  const int64_t width = ids.shape()[1].size;
  std::vector<int64_t> out;
  for (int64_t i = first; i < (end < 0 ? width : end); ++i)
    out.push_back(static_cast<int64_t>(ids.at({row, i})));
  return out;
}

// The row's tokens that the mask shows; padding stands on one side.
inline std::vector<int64_t> seen_of(const Tensor& ids, const Tensor& mask, int64_t row) {
  int64_t begin = 0, end = ids.shape()[1].size;
  while (mask.at({row, begin}) == 0) ++begin;
  while (mask.at({row, end - 1}) == 0) --end;
  return row_of(ids, row, begin, end);
}

// The largest difference, as a share of max(1, |expected|).
inline double difference(const ConstView& got, const ConstView& expected) {
  const Tensor a = Tensor::copy_of(got).to(DType::f64), b = Tensor::copy_of(expected).to(DType::f64);
  if (a.count() != b.count()) return 1e30;
  double worst = 0;
  for (int64_t i = 0; i < a.count(); ++i) {
    const double d =
        std::abs(a.data<double>()[i] - b.data<double>()[i]) / std::max(1.0, std::abs(b.data<double>()[i]));
    if (!(d <= worst)) worst = d;
  }
  return worst;
}

// The gradients of the reference stand in a file under the names of the weights: read as if they were
// weights.
inline std::pair<std::map<std::string, Tensor>, std::map<std::string, Tensor>> Families::gradients_of(
    const std::filesystem::path& file) const {
  namespace fs = std::filesystem;
  TensorFile content = read_safetensors(file);
  const std::map<std::string, Tensor> all = content.tensors;
  std::erase_if(content.tensors, [](const auto& e) {
    return e.first.starts_with("in.") || e.first.starts_with("out.") || e.first == "loss";
  });
  const fs::path copy = fs::temp_directory_path() / join("limpid-gradients-", ::getpid());
  fs::create_directories(copy);
  fs::copy_file(folder / "config.json", copy / "config.json", fs::copy_options::overwrite_existing);
  write_safetensors(copy / "model.safetensors", content);
  const std::map<std::string, Tensor> gradients = Model::load(copy.string()).parameters();
  fs::remove_all(copy);
  return {all, gradients};
}

inline void Families::expect_gradients(const Model& m, const Graph& graph,
                                       std::map<std::string, ConstView> bound,
                                       const std::map<std::string, Tensor>& expected, double loss) const {
  for (const auto& [name, tensor] : m.parameters()) bound[name] = tensor;
  RunOptions options;
  options.keep.push_back("loss");
  for (const auto& [name, tensor] : m.parameters()) options.keep.push_back(name + ".grad");
  const RunResult result = Engine(graph).run(bound, options);
  EXPECT_NEAR(result["loss"].at({}), loss, 1e-5);
  for (const auto& [name, tensor] : expected)
    EXPECT_LE(difference(result[name + ".grad"], tensor), 5e-6) << name;
}

inline std::string name_of(const testing::TestParamInfo<Case>& info) { return info.param.name; }

}  // namespace limpid
