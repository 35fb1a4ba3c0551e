// Asking as a page does: a request in, an answer's fields and arrays out.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "explore/explorer.h"

namespace limpid::explore {

/// Numbers of an answer's array, as doubles, and what they are of.
struct Received {
  std::string dtype, axes;
  std::vector<int64_t> shape;
  std::vector<double> numbers;
  std::string bytes;
  double at(const std::vector<int64_t>& index) const {
    int64_t place = 0;
    for (size_t i = 0; i < index.size(); ++i) place = place * shape[i] + index[i];
    return numbers.at(static_cast<size_t>(place));
  }
};

struct Reply {
  Json json;
  std::map<std::string, Received> arrays;
  std::string error() const {
    return json.contains("error") ? json["error"]["message"].get<std::string>() : "";
  }
  std::string kind() const { return json.contains("error") ? json["error"]["kind"].get<std::string>() : ""; }
};

template <class T>
std::vector<double> numbers_in(const std::string& bytes) {
  std::vector<double> out;
  for (size_t at = 0; at + sizeof(T) <= bytes.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    out.push_back(static_cast<double>(value));
  }
  return out;
}

/// What the document of the protocol says of an answer's bytes, and nothing else.
inline Reply read_reply(const std::string& bytes) {
  static const JsonSource k_source = {"answer", Error::Kind::work};
  static const std::map<std::string, std::pair<size_t, std::vector<double> (*)(const std::string&)>> k_types =
      {{"f64", {8, numbers_in<double>}},
       {"f32", {4, numbers_in<float>}},
       {"i64", {8, numbers_in<int64_t>}},
       {"i32", {4, numbers_in<int32_t>}},
       {"u8", {1, numbers_in<uint8_t>}}};
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  EXPECT_EQ(length % 8, 0u);
  Reply out;
  out.json = parse_json(std::string_view(bytes).substr(8, length), k_source);
  const std::string_view arrays = std::string_view(bytes).substr(8 + length);
  for (const auto& [name, entry] : out.json["arrays"].items()) {
    Received& array = out.arrays[name];
    array.dtype = entry["dtype"].get<std::string>();
    array.axes = entry["axes"].get<std::string>();
    size_t count = 1;
    for (const Json& size : entry["shape"]) {
      array.shape.push_back(size.get<int64_t>());
      count *= size.get<size_t>();
    }
    const size_t offset = entry["offset"].get<size_t>();
    EXPECT_EQ(offset % 8, 0u) << name;
    const auto& [width, read] = k_types.at(array.dtype);
    EXPECT_LE(offset + count * width, arrays.size()) << name;
    array.bytes = arrays.substr(offset, count * width);
    array.numbers = read(array.bytes);
    EXPECT_EQ(array.numbers.size(), count) << name;
    EXPECT_EQ(array.axes.size(), array.shape.size()) << name;
  }
  return out;
}

/// Models by name.
class TestHost : public Host {
 public:
  explicit TestHost(std::map<std::string, std::shared_ptr<const Model>> models)
      : models_(std::move(models)) {}
  std::vector<std::string> models() const override {
    std::vector<std::string> out;
    for (const auto& [name, model] : models_) out.push_back(name);
    return out;
  }
  Subject subject(const std::string& name) override { return {given_[name] = models_.at(name)}; }
  bool changed(const std::string& name) override { return given_[name] != models_.at(name); }
  /// A model that has learned.
  void replace(const std::string& name, std::shared_ptr<const Model> model) {
    models_[name] = std::move(model);
  }
  std::string training_log() override { return log; }
  std::string training_title() override { return "a run"; }
  TrainingProgress training_progress() override { return progress; }
  void check() override {
    ++checks;
    if (patience >= 0 && checks > patience) fail_work("it took too long");
  }

  std::string log;
  TrainingProgress progress;
  int64_t checks = 0, patience = -1;

 private:
  std::map<std::string, std::shared_ptr<const Model>> models_, given_;
};

inline std::shared_ptr<const Model> builtin() {
  static const auto k_model = std::make_shared<const Model>(Model::builtin());
  return k_model;
}

struct Asking {
  explicit Asking(std::shared_ptr<const Model> model = builtin(), const std::string& text = "Life is short")
      : host({{"built-in", std::move(model)}}), explorer(host, text) {}
  Reply ask(const std::string& request) { return read_reply(explorer.answer(request)); }
  /// One that has to be answered.
  Reply told(const std::string& request) {
    Reply reply = ask(request);
    EXPECT_EQ(reply.error(), "") << request;
    return reply;
  }
  TestHost host;
  Explorer explorer;
};

/// An array is a tensor of the engine's, to the bit (as doubles).
inline void expect_same(const Received& array, const ConstView& expected, const std::string& what) {
  const Tensor numbers = Tensor::copy_of(expected).to(DType::f64);
  ASSERT_EQ(array.numbers.size(), static_cast<size_t>(numbers.count())) << what;
  for (int64_t i = 0; i < numbers.count(); ++i) {
    const double a = array.numbers[static_cast<size_t>(i)], b = numbers.data<double>()[i];
    ASSERT_TRUE(a == b || (std::isnan(a) && std::isnan(b))) << what << " at " << i << ": " << a << ", " << b;
  }
}

}  // namespace limpid::explore
