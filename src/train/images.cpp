// Images, each of a class.
#include <algorithm>
#include <cmath>

#include "train/task_data.h"

namespace limpid {

namespace {

// Of the pixels that are learned from, at 0 to 1: what brings a channel to mean 0 and deviation 1.
struct Channels {
  std::vector<double> mean, deviation;
};

Channels measured(const Tensor& images) {
  const int64_t channels = images.shape()[3].size, pixels = images.count() / std::max<int64_t>(1, channels);
  const uint8_t* at = images.data<uint8_t>();
  Channels out;
  for (int64_t k = 0; k < channels; ++k) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < pixels; ++i) {
      const double x = at[i * channels + k] / 255.0;
      sum += x, squares += x * x;
    }
    const double mean = sum / static_cast<double>(pixels);
    out.mean.push_back(mean);
    out.deviation.push_back(std::sqrt(std::max(1e-6, squares / static_cast<double>(pixels) - mean * mean)));
  }
  return out;
}

class Images final : public TaskData {
 public:
  Images(const Recipe& recipe, const Parts<LabelledImages>& from)
      : recipe_(recipe),
        from_(from),
        order_(std::vector<int64_t>(from.training.labels.size(), 1), recipe.batch, recipe.seed) {
    channels_ = measured(from_.training.images);
    digest_ = digest_of(from_.training.images.raw(), from_.training.images.bytes());
    digest_ =
        digest_of(from_.training.labels.data(), from_.training.labels.size() * sizeof(int64_t), digest_);
  }

  Batch batch(int64_t step, bool) const override {
    const std::vector<size_t> chosen = order_.batch(step);
    return made(from_.training, chosen, step);
  }
  int64_t steps_per_pass() const override { return order_.steps_per_pass(); }
  bool has(Part part) const override {
    return part == Part::test ? from_.test.has_value() : from_.held_out.has_value();
  }
  int64_t evaluation_batches(Part part) const override { return batches_of(count(part), k_rows); }
  Batch evaluation_batch(Part part, int64_t number) const override {
    return made(evaluated(part), places_in_batch(number, count(part), k_rows), -1);
  }
  ModelTasks tasks() const override {
    const Shape& shape = from_.training.images.shape();
    ImageProcessor processor;
    processor.channels = shape[3].size;
    processor.resize = ImageProcessor::Size{shape[1].size, shape[2].size};
    processor.rescale = 1 / 255.0;
    processor.mean = channels_.mean;
    processor.std = channels_.deviation;
    ModelTasks tasks;
    tasks.classes = from_.training.classes;
    tasks.image = processor;
    return tasks;
  }
  uint64_t digest() const override { return digest_; }

 private:
  static constexpr int64_t k_rows = 100;  // of an evaluation's batch

  int64_t count(Part part) const { return static_cast<int64_t>(evaluated(part).labels.size()); }
  const LabelledImages& evaluated(Part part) const {
    if (part == Part::test) return *from_.test;
    return from_.held_out ? *from_.held_out : from_.training;
  }

  // Changed at random for a step; as they are where `step` is below 0.
  Batch made(const LabelledImages& from, const std::vector<size_t>& chosen, int64_t step) const {
    const Shape& shape = from.images.shape();  // [N,Y,X,K]
    const int64_t height = shape[1].size, width = shape[2].size, channels = shape[3].size;
    const int64_t size = height * width * channels, count = static_cast<int64_t>(chosen.size());
    Tensor read(DType::u8, {{Axis::B, count}, shape[1], shape[2], shape[3]});
    std::vector<int64_t> labels, rows;
    for (int64_t b = 0; b < count; ++b) {
      const auto i = static_cast<int64_t>(chosen[static_cast<size_t>(b)]);
      std::copy_n(from.images.data<uint8_t>() + i * size, size, read.data<uint8_t>() + b * size);
      labels.push_back(from.labels[static_cast<size_t>(i)]);
      rows.push_back(i);
    }
    if (step >= 0) read = augment(read, recipe_.augment, {recipe_.seed, static_cast<uint32_t>(step), rows});
    Tensor pixels(DType::f32, {{Axis::B, count}, {Axis::K, channels}, {Axis::Y, height}, {Axis::X, width}});
    for (int64_t b = 0; b < count; ++b) {
      const uint8_t* image = read.data<uint8_t>() + b * size;
      float* to = pixels.data<float>() + b * size;
      for (int64_t k = 0; k < channels; ++k) {
        const double mean = channels_.mean[static_cast<size_t>(k)],
                     deviation = channels_.deviation[static_cast<size_t>(k)];
        for (int64_t p = 0; p < height * width; ++p)
          to[k * height * width + p] =
              static_cast<float>((image[p * channels + k] / 255.0 - mean) / deviation);
      }
    }
    Batch batch;
    batch.examples = count;
    batch.positions = count * context_of(recipe_.network);
    batch.inputs["pixels"] = std::move(pixels);
    batch.inputs["targets"] = Tensor::of<int64_t>({{Axis::B, count}}, labels);
    return batch;
  }

  const Recipe recipe_;
  const Parts<LabelledImages> from_;
  ExampleOrder order_;
  Channels channels_;
  uint64_t digest_ = 0;
};

}  // namespace

PreparedTask prepare_images(const Recipe& recipe, const Parts<LabelledImages>& data) {
  PreparedTask out{recipe, nullptr, nullptr};
  auto* parts = std::get_if<Architecture>(&out.recipe.network);
  if (!parts || !parts->patches)
    fail_call("train: the task 'images' needs a network of parts that reads patches; add \"patches\" to it");
  PatchInputs& patches = *parts->patches;
  const Shape& shape = data.training.images.shape();
  patches.height = shape[1].size;
  patches.width = shape[2].size;
  patches.channels = shape[3].size;
  require_classes(data.training.classes);
  set_outputs(out.recipe.network, static_cast<int64_t>(data.training.classes.size()));
  out.data = std::make_unique<Images>(out.recipe, data);
  return out;
}

}  // namespace limpid
