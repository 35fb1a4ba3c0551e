// A table of series: what comes next in each column, from the rows before.
#include <algorithm>
#include <cmath>

#include "train/task_data.h"

namespace limpid {

namespace {

// A window of a later part may look back into the part before: what it foretells lies in its own.
void part(const ForecastOptions& o, int64_t rows, SeriesWindows& out) {
  const auto share = [&](double part) { return static_cast<int64_t>(part * static_cast<double>(rows)); };
  const int64_t training = o.training > 0 ? o.training : share(0.7), test = o.test > 0 ? o.test : share(0.2),
                held_out = o.held_out > 0   ? o.held_out
                           : o.training > 0 ? 0
                                            : rows - share(0.7) - share(0.2);
  if (training + held_out + test > rows)
    fail_call("train: the recipe asks for ", training, " + ", held_out, " + ", test,
              " rows of series, the table has ", rows);
  const int64_t before = o.look_back;
  out.training = {0, training};
  out.held_out = {training - before, training + held_out};
  out.test = {training + held_out - before, training + held_out + test};
}

class Windows final : public TaskData {
 public:
  Windows(const Recipe& recipe, const SeriesTable& table) : recipe_(recipe), columns_(table.columns) {
    const int64_t rows = table.values.shape()[0].size, channels = table.values.shape()[1].size;
    part(recipe.forecast, rows, split_);
    split_.channels = channels;
    split_.look_back = recipe.forecast.look_back;
    split_.horizon = recipe.forecast.horizon;
    split_.period = recipe.forecast.period;
    const double* at = table.values.data<double>();
    split_.values.resize(static_cast<size_t>(rows * channels));
    for (int64_t k = 0; k < channels; ++k) {
      double sum = 0, squares = 0;
      const auto count = static_cast<double>(split_.training.end);
      for (int64_t r = 0; r < split_.training.end; ++r) sum += at[r * channels + k];
      const double mean = sum / count;
      for (int64_t r = 0; r < split_.training.end; ++r)
        squares += (at[r * channels + k] - mean) * (at[r * channels + k] - mean);
      const double deviation = squares > 0 ? std::sqrt(squares / count) : 1;
      for (int64_t r = 0; r < rows; ++r)
        split_.values[static_cast<size_t>(r * channels + k)] =
            static_cast<float>((at[r * channels + k] - mean) / deviation);
      mean_.push_back(mean), deviation_.push_back(deviation);
    }
    const int64_t windows = count(split_.training);
    if (windows < 1)
      fail_call("train: ", split_.training.end, " rows to learn from are too few for windows of ",
                recipe.forecast.look_back, " and ", recipe.forecast.horizon, " rows");
    order_ = ExampleOrder(std::vector<int64_t>(static_cast<size_t>(windows), 1), recipe.batch, recipe.seed);
    digest_ = digest_of(split_.values.data(), split_.values.size() * sizeof(float));
  }

  Batch batch(int64_t step, bool) const override {
    std::vector<int64_t> first;
    for (const size_t i : order_.batch(step)) first.push_back(static_cast<int64_t>(i));
    return made(first);
  }
  int64_t steps_per_pass() const override { return order_.steps_per_pass(); }
  bool has(Part part) const override { return count(rows(part)) > 0; }
  int64_t evaluation_batches(Part part) const override {
    return batches_of(count(read(part)), recipe_.batch);
  }
  Batch evaluation_batch(Part part, int64_t number) const override {
    const RowRange from = read(part);
    std::vector<int64_t> first;
    for (const size_t i : places_in_batch(number, count(from), recipe_.batch))
      first.push_back(from.first + static_cast<int64_t>(i));
    return made(first);
  }
  ModelTasks tasks() const override {
    ModelTasks tasks;
    tasks.series = SeriesScale{columns_, mean_, deviation_};
    return tasks;
  }
  const SeriesWindows* series() const override { return &split_; }
  uint64_t digest() const override { return digest_; }

 private:
  RowRange rows(Part part) const { return part == Part::test ? split_.test : split_.held_out; }
  RowRange read(Part part) const { return has(part) ? rows(part) : split_.training; }
  int64_t count(RowRange r) const {
    return std::max<int64_t>(0, r.end - r.first - recipe_.forecast.look_back - recipe_.forecast.horizon + 1);
  }

  // The windows that begin at these rows.
  Batch made(const std::vector<int64_t>& first) const {
    const auto size = static_cast<int64_t>(first.size()), channels = static_cast<int64_t>(columns_.size());
    const int64_t back = recipe_.forecast.look_back, ahead = recipe_.forecast.horizon;
    const Shape shape = {{Axis::B, size}, {Axis::X, back}, {Axis::K, channels}};
    Tensor values(DType::f32, shape), observed(DType::i64, shape),
        targets(DType::f32, {{Axis::B, size}, {Axis::V, ahead}, {Axis::K, channels}});
    std::fill_n(observed.data<int64_t>(), observed.count(), 1);
    for (int64_t b = 0; b < size; ++b) {
      const float* at = split_.values.data() + first[static_cast<size_t>(b)] * channels;
      std::copy_n(at, back * channels, values.data<float>() + b * back * channels);
      std::copy_n(at + back * channels, ahead * channels, targets.data<float>() + b * ahead * channels);
    }
    Batch batch;
    batch.examples = size;
    batch.positions = size * channels * context_of(recipe_.network);
    batch.inputs["values"] = std::move(values);
    batch.inputs["observed"] = std::move(observed);
    batch.inputs["targets"] = std::move(targets);
    return batch;
  }

  const Recipe recipe_;
  std::vector<std::string> columns_;
  SeriesWindows split_;
  std::vector<double> mean_, deviation_;
  ExampleOrder order_{{0}, 1, 0};
  uint64_t digest_ = 0;
};

}  // namespace

PreparedTask prepare_forecast(const Recipe& recipe, const SeriesTable& table) {
  PreparedTask out{recipe, nullptr, nullptr};
  auto* parts = std::get_if<Architecture>(&out.recipe.network);
  if (!parts || !parts->series)
    fail_call("train: the task 'forecast' needs a network of parts that reads series; add \"series\" to it");
  parts->series->channels = static_cast<int64_t>(table.columns.size());
  parts->series->length = recipe.forecast.look_back;
  set_outputs(out.recipe.network, recipe.forecast.horizon);
  out.data = std::make_unique<Windows>(out.recipe, table);
  return out;
}

}  // namespace limpid
