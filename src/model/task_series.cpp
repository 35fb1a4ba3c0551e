// What comes next in a series.
#include <cmath>

#include "limpid/tasks.h"
#include "model/task_inputs.h"

namespace limpid {

namespace {

// The last rows at the size that the model was trained on: [1,length,columns].
Tensor last_rows(const ConstView& rows, int64_t length, const SeriesScale* scale) {
  const int64_t columns = rows.shape()[1].size, first = rows.shape()[0].size - length;
  Tensor out(DType::f32, {{Axis::B, 1}, {Axis::X, length}, {Axis::K, columns}});
  for (int64_t r = 0; r < length; ++r)
    for (int64_t k = 0; k < columns; ++k) {
      double x = rows.at({first + r, k});
      if (!std::isfinite(x))
        fail_call("forecast: row ", first + r, " of column ", k, " is ", std::isnan(x) ? "NaN" : "infinite",
                  "; fill the gap");
      if (scale) x = (x - scale->mean[static_cast<size_t>(k)]) / scale->deviation[static_cast<size_t>(k)];
      out.data<float>()[r * columns + k] = static_cast<float>(x);
    }
  return out;
}

}  // namespace

Forecast forecast(const Model& model, const ConstView& rows) {
  const auto* network = std::get_if<Architecture>(&model.config());
  if (!network || !network->series) fail_call("forecast: this model reads no series");
  if (network->head.kind != Head::forecast) fail_call("forecast: this model foretells nothing");
  const int64_t columns = network->series->channels, length = network->series->length;
  if (rows.shape().rank() != 2 || rows.shape()[1].size != columns)
    fail_call("forecast: the rows are ", rows.shape().text(), ", expected [rows,", columns,
              "], a column for each that the model reads");
  if (rows.shape()[0].size < length)
    fail_call("forecast: ", rows.shape()[0].size, " rows, the model reads ", length);
  const SeriesScale* scale = model.tasks().series ? &*model.tasks().series : nullptr;
  const std::string name = model.graph().value(model.graph().require("prediction")).name;
  RunOptions run;
  run.keep = {name};
  const RunResult result = model.run(last_rows(rows, length, scale), run);
  const Tensor& ahead = result[name];  // [1,moments,columns]
  const Tensor numbers = ahead.to(DType::f32);
  require_finite(numbers.data<float>(), numbers.count(), "the forecast");
  Forecast out;
  const int64_t moments = ahead.shape()[1].size;
  out.values = Tensor(DType::f64, Shape::unnamed({moments, columns}));
  for (int64_t k = 0; k < columns; ++k) {
    const auto i = static_cast<size_t>(k);
    out.columns.push_back(scale ? scale->columns[i] : std::to_string(k));
    for (int64_t t = 0; t < moments; ++t) {
      const double y = ahead.at({0, t, k});
      out.values.set({t, k}, scale ? y * scale->deviation[i] + scale->mean[i] : y);
    }
  }
  return out;
}

}  // namespace limpid
