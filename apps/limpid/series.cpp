#include "limpid/series.h"

#include <filesystem>

#include "core/label.h"
#include "limpid/data.h"

namespace limpid::command {

namespace {

namespace fs = std::filesystem;

constexpr const char* k_give = "this model reads series; give a table of numbers (.csv, .tsv)";

std::string path_of(const std::string& argument) {
  const std::string path = argument.starts_with('@') && argument.size() > 1 ? argument.substr(1) : argument;
  std::error_code none;
  if (path.empty() || path == "-") fail_call(k_give, " by its name");
  if (!fs::exists(path, none)) fail_call(k_give, "; there is none that is called ", in_quotes(path));
  if (fs::is_directory(path, none)) fail_call(k_give, "; ", path, " is a folder");
  return path;
}

// How many moments the model foretells; 0: it foretells none.
int64_t horizon_of(const Architecture& network) {
  return network.head.kind == Head::forecast ? network.head.outputs : 0;
}

// Rows [first, first + count) of a table, scaled: [count, columns].
Tensor scaled_rows(const Tensor& values, int64_t first, int64_t count, const SeriesRead& scale) {
  const int64_t columns = values.shape()[1].size;
  Tensor out(DType::f32, {{Axis::X, count}, {Axis::K, columns}});
  for (int64_t r = 0; r < count; ++r)
    for (int64_t k = 0; k < columns; ++k) {
      const auto i = static_cast<size_t>(k);
      out.data<float>()[r * columns + k] = static_cast<float>(
          (values.data<double>()[(first + r) * columns + k] - scale.mean[i]) / scale.deviation[i]);
    }
  return out;
}

}  // namespace

SeriesRead read_series_for(const Model& model, const std::string& argument, bool hold_back) {
  const auto& network = std::get<Architecture>(model.config());
  const std::string path = path_of(argument);
  const std::optional<SeriesScale>& scale = model.tasks().series;
  SeriesOptions options;
  if (scale) options.columns = scale->columns;
  const SeriesTable table = read_series(path, options);
  const int64_t rows = table.values.shape()[0].size, columns = table.values.shape()[1].size;
  const int64_t length = network.series->length, held = hold_back ? horizon_of(network) : 0;
  if (columns != network.series->channels)
    fail_call(path, " has ", columns, " columns of numbers, the model reads ", network.series->channels);
  if (hold_back && held == 0) fail_call("--truth: this model foretells nothing; leave it out");
  if (rows < length + held)
    fail_call(path, " has ", rows, " rows, the model reads ", length,
              held > 0 ? join(" before the ", held, " that are held back") : "");
  SeriesRead out;
  out.name = fs::path(path).filename().string();
  out.columns = table.columns;
  out.mean = scale ? scale->mean : std::vector<double>(static_cast<size_t>(columns), 0.0);
  out.deviation = scale ? scale->deviation : std::vector<double>(static_cast<size_t>(columns), 1.0);
  const int64_t first = rows - held - length;
  out.values = scaled_rows(table.values, first, length, out);
  out.values.reshape({{Axis::B, 1}, {Axis::X, length}, {Axis::K, columns}});
  if (held > 0) out.truth = scaled_rows(table.values, first + length, held, out);
  if (!table.times.empty()) out.times.assign(table.times.begin() + first, table.times.end());
  if (table.gaps > 0)
    out.notes.push_back(join(path, ": ", table.gaps, " gaps, each filled with the value before it"));
  return out;
}

}  // namespace limpid::command
