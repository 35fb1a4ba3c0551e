#include "draw/figures/matrix.h"

#include <algorithm>
#include <cmath>

namespace limpid::draw {

namespace {

// The matrix as a pointer and two strides: a figure of many heads reads millions of numbers.
class Numbers {
 public:
  explicit Numbers(const Matrix& m) : type_(m.tensor->dtype()), raw_(m.tensor->raw()) {
    const std::vector<int64_t> strides = contiguous_strides(m.tensor->shape());
    for (size_t i = 0; i < strides.size(); ++i)
      base_ += (static_cast<int>(i) == m.cut_axis ? m.cut_at : m.source.index[i]) * strides[i];
    if (m.row_axis >= 0) row_ = strides[static_cast<size_t>(m.row_axis)];
    if (m.column_axis >= 0) column_ = strides[static_cast<size_t>(m.column_axis)];
    if (type_ != DType::f32 && type_ != DType::f64) {
      other_ = m.tensor->to(DType::f64);
      type_ = DType::f64;
      raw_ = other_.raw();
    }
  }
  double operator()(int64_t row, int64_t column) const {
    const int64_t at = base_ + row * row_ + column * column_;
    return type_ == DType::f32 ? static_cast<double>(static_cast<const float*>(raw_)[at])
                               : static_cast<const double*>(raw_)[at];
  }

 private:
  DType type_;
  const void* raw_;
  int64_t base_ = 0, row_ = 0, column_ = 0;
  Tensor other_;
};

const Tensor* kept(const Trace& trace, const std::string& name) {
  for (const auto* map : {&trace.values, &trace.parameters})
    if (const auto found = map->find(name); found != map->end() && found->second.count() > 0)
      return &found->second;
  return nullptr;
}

std::string canonical(const Trace& trace, const std::string& name) {
  if (!trace.graph) return name;
  const int id = trace.graph->find(name);
  return id < 0 ? name : trace.graph->value(id).name;
}

}  // namespace

double Matrix::at(int64_t row, int64_t column) const {
  Index index = source_at(row, column).index;
  if (cut_axis >= 0) index[static_cast<size_t>(cut_axis)] = cut_at;
  return tensor->at(index);
}

Source Matrix::source_at(int64_t row, int64_t column) const {
  Source out = source;
  if (row_axis >= 0) out.index[static_cast<size_t>(row_axis)] += row;
  if (column_axis >= 0) out.index[static_cast<size_t>(column_axis)] += column;
  return out;
}

Source Matrix::whole(Source::Of of) const {
  Source out = source;
  out.of = of;
  out.extent.assign(out.index.size(), 1);
  if (row_axis >= 0) out.extent[static_cast<size_t>(row_axis)] = rows;
  if (column_axis >= 0) out.extent[static_cast<size_t>(column_axis)] = columns;
  return out;
}

Matrix Matrix::row(int64_t row) const {
  Matrix out = *this;
  out.source = source_at(row, 0);
  out.row_axis = -1;
  out.rows = 1;
  return out;
}

Matrix Matrix::transposed() const {
  Matrix out = *this;
  std::swap(out.row_axis, out.column_axis);
  std::swap(out.rows, out.columns);
  return out;
}

std::optional<Matrix> matrix_of(const Trace& trace, const std::string& asked, Axis rows, Axis columns,
                                int64_t head, int64_t heads) {
  Matrix out;
  out.source.stage = canonical(trace, asked);
  out.tensor = kept(trace, out.source.stage);
  if (!out.tensor) {
    out.source.stage += "@map";
    out.tensor = kept(trace, out.source.stage);
  }
  if (!out.tensor) return std::nullopt;
  const Shape& shape = out.tensor->shape();
  for (int i = 0; i < shape.rank(); ++i) {
    const auto [axis, size] = shape[i];
    int64_t at = 0;
    if (axis == rows && out.row_axis < 0)
      out.row_axis = i, out.rows = size;
    else if (axis == columns && out.column_axis < 0)
      out.column_axis = i, out.columns = size;
    else if (axis == Axis::H)
      at = head;
    else if (axis == Axis::G)
      at = heads > 0 ? head * size / heads : 0;
    else if (axis != Axis::B && size != 1)
      return std::nullopt;
    if (at < 0 || at >= size) return std::nullopt;
    out.source.index.push_back(at);
  }
  if (out.source.stage.ends_with(".pattern") || out.source.stage.ends_with(".pattern@map")) out.taken = 0;
  out.source.format = format_for(out);
  return out;
}

std::optional<Matrix> row_matrix_of(const Trace& trace, const std::string& asked, Axis rows, Axis columns,
                                    int64_t head, int64_t heads, int64_t position) {
  const std::string stage = canonical(trace, asked);
  if (kept(trace, stage)) {
    const auto whole = matrix_of(trace, asked, rows, columns, head, heads);
    if (!whole || (whole->row_axis >= 0 && (position < 0 || position >= whole->rows))) return std::nullopt;
    Matrix out = whole->row(whole->row_axis < 0 ? 0 : position);
    out.source.format = format_for(out);  // as where its row alone was kept
    return out;
  }
  const Tensor *some = kept(trace, stage + "@rows"), *index = kept(trace, stage + "@rows.index");
  if (!some || !index) return std::nullopt;
  int64_t at = 0;
  while (at < index->count() && static_cast<int64_t>(index->at({at})) != position) ++at;
  auto cut = matrix_of(trace, stage + "@rows", rows, columns, head, heads);
  if (!cut || cut->row_axis < 0 || at >= cut->rows) return std::nullopt;
  Matrix out = cut->row(at);
  out.cut_axis = cut->row_axis;
  out.cut_at = at;
  out.source.stage = stage;
  out.source.index[static_cast<size_t>(out.cut_axis)] = position;
  out.source.format = format_for(out);
  return out;
}

std::string format_for(const Matrix& m, int decimals) {
  const Numbers numbers(m);
  double most = 0;
  for (int64_t r = 0; r < m.rows; ++r)
    for (int64_t c = 0; c < m.columns; ++c)
      if (const double v = std::fabs(numbers(r, c)); std::isfinite(v)) most = std::max(most, v);
  return format_of(most, decimals);
}

std::string format_of(double most, int decimals) {
  if (most >= 1e4 || (most > 0 && most < 1e-4)) return "%.1e";
  while (most > 0 && most * std::pow(10, decimals) < 9.5 && decimals < 5) ++decimals;
  if (most >= 100) decimals = 1;
  return "%." + std::to_string(decimals) + "f";
}

std::vector<int64_t> even_bins(int64_t count, int64_t bins) {
  bins = std::clamp<int64_t>(bins, 1, std::max<int64_t>(count, 1));
  std::vector<int64_t> out;
  for (int64_t i = 0; i <= bins; ++i) out.push_back(i * count / bins);
  return out;
}

SceneGrid grid_of(const Matrix& m, const Matrix* mask, int64_t most_rows, int64_t most_columns) {
  SceneGrid grid;
  const std::vector<int64_t> rows = even_bins(m.rows, most_rows),
                             columns = even_bins(m.columns, most_columns);
  grid.rows = static_cast<int64_t>(rows.size()) - 1;
  grid.columns = static_cast<int64_t>(columns.size()) - 1;
  grid.source = m.source;
  grid.row_axis = m.row_axis;
  grid.column_axis = m.column_axis;
  if (grid.rows < m.rows || grid.columns < m.columns) grid.source.of = Source::Of::mean;
  // Places on the value's own axes.
  const auto shifted = [&](std::vector<int64_t> at, int axis) {
    for (int64_t& place : at) place += axis >= 0 ? m.source.index[static_cast<size_t>(axis)] : 0;
    return at;
  };
  grid.row_at = shifted(rows, m.row_axis);
  grid.column_at = shifted(columns, m.column_axis);
  const bool masks = mask && mask->rows == m.rows && mask->columns == m.columns;
  const Numbers numbers(m), scores(masks ? *mask : m);
  const double taken = masks ? mask->taken : -INFINITY;
  grid.low = INFINITY, grid.high = -INFINITY;
  for (int64_t r = 0; r < grid.rows; ++r)
    for (int64_t c = 0; c < grid.columns; ++c) {
      double sum = 0;
      int64_t seen = 0, count = 0;
      for (int64_t i = rows[static_cast<size_t>(r)]; i < rows[static_cast<size_t>(r) + 1]; ++i)
        for (int64_t k = columns[static_cast<size_t>(c)]; k < columns[static_cast<size_t>(c) + 1]; ++k) {
          const bool visible = !masks || scores(i, k) != taken;
          seen += visible;
          // A masked score is no number to take a mean of; a masked weight is 0, and counts.
          if (!visible && !std::isfinite(numbers(i, k))) continue;
          sum += numbers(i, k);
          ++count;
        }
      const double mean = sum / static_cast<double>(std::max<int64_t>(count, 1));
      grid.values.push_back(mean);
      grid.masked.push_back(seen == 0);
      if (seen > 0 && std::isfinite(mean))
        grid.low = std::min(grid.low, mean), grid.high = std::max(grid.high, mean);
    }
  if (!(grid.low <= grid.high)) grid.low = 0, grid.high = 1;
  return grid;
}

}  // namespace limpid::draw
