// NaN and infinities: which parameters hold one, and the first stage of a run that does.
#include <cmath>

#include "core/number_text.h"
#include "model/impl.h"
#include "tensor/dispatch.h"

namespace limpid {

namespace {

struct Odd {
  int64_t count = 0, first = -1;
  double value = 0;
};

// NaN and infinities of a contiguous tensor; -inf does not count where `masked`.
Odd odd_numbers(const Tensor& tensor, bool masked = false) {
  Odd odd;
  if (!is_floating(tensor.dtype())) return odd;
  visit_dtype(tensor.dtype(), [&]<class T>() {
    const T* numbers = static_cast<const T*>(tensor.raw());
    for (int64_t i = 0; i < tensor.count(); ++i) {
      const double x = load_as_double(numbers[i]);
      if (x - x == 0 || (masked && x == -INFINITY)) continue;  // finite; no call for each number
      if (odd.count++ > 0) continue;
      odd.first = i;
      odd.value = x;
    }
  });
  return odd;
}

std::vector<int64_t> cell_of(const Shape& shape, int64_t place) {
  std::vector<int64_t> cell(static_cast<size_t>(shape.rank()));
  for (int i = shape.rank() - 1; i >= 0; --i) {
    cell[static_cast<size_t>(i)] = place % shape[i].size;
    place /= shape[i].size;
  }
  return cell;
}

std::string cell_text(const std::vector<int64_t>& cell) {
  std::string out;
  for (int64_t i : cell) out += (out.empty() ? "[" : ",") + std::to_string(i);
  return out.empty() ? "" : out + "]";
}

std::string called(double value) { return std::isnan(value) ? "NaN" : number_text(value); }

// Masked scores hold -inf where a query may not look.
bool is_masked(const Value& value) { return value.name.ends_with(".scores"); }

bool any_odd(const Graph& graph, const RunResult& result) {
  for (const auto& [name, tensor] : result.values) {
    const int id = graph.find(name.substr(0, name.find('@')));  // NAME@rows is masked as NAME is
    if (odd_numbers(tensor, id >= 0 && is_masked(graph.value(id))).count > 0) return true;
  }
  for (const auto& [name, summary] : result.summaries)
    if (summary.non_finite > 0) return true;
  return false;
}

constexpr int64_t k_longest_with_squares = 1000;
constexpr int64_t k_most_cells = 64 << 20;  // of a value that is kept whole to find the cell in it

}  // namespace

std::string note_on_parameters(const std::map<std::string, Tensor>& parameters,
                               const std::map<std::string, StoredMatrix>& stored) {
  std::string first;
  int64_t count = 0, tensors = 0;
  const auto note = [&](const std::string& name, const Tensor& tensor) {
    const Odd odd = odd_numbers(tensor);
    if (odd.count == 0) return;
    if (++tensors == 1)
      first = join(called(odd.value), " at ", name, cell_text(cell_of(tensor.shape(), odd.first)));
    count += odd.count;
  };
  for (const auto& [name, tensor] : parameters) note(name, tensor);
  for (const auto& [name, matrix] : stored)
    if (!matrix.all_finite()) note(name, matrix.to_tensor());
  if (tensors == 0) return "";
  return join("its parameters hold ", count, count == 1 ? " number that is" : " numbers that are",
              " not finite, in ", tensors, tensors == 1 ? " of them" : " of them", "; the first is ", first);
}

std::optional<NotFinite> first_not_finite(Engine& engine, const Graph& graph,
                                          const std::map<std::string, ConstView>& bound,
                                          const RunOptions& options, int64_t length, const RunResult& seen) {
  if (!any_odd(graph, seen)) return std::nullopt;
  RunOptions summaries =
      options;  // every stage in one line; of long texts not the T x S ones, which would not fit
  summaries.observe.clear();
  const bool squares = length <= k_longest_with_squares;
  for (const Value& value : graph.values())
    if (value.kind == Value::Kind::temporary &&
        (squares || value.shape.find(Axis::T) < 0 || value.shape.find(Axis::S) < 0))
      summaries.observe.push_back({value.name, Depth::summary});
  const RunResult all = engine.run(bound, summaries);
  for (const StageInfo& stage : graph.stages())
    for (int output : stage.outputs) {
      const Value& value = graph.value(output);
      const auto summary = all.summaries.find(value.name);
      if (summary == all.summaries.end() || summary->second.non_finite == 0) continue;
      NotFinite first{value.name, NAN, {}};
      if (summary->second.shape.count() > k_most_cells) return first;
      RunOptions one = options;
      one.observe = {{value.name, Depth::full}};
      const Tensor whole = engine.run(bound, one)[value.name];
      const Odd odd = odd_numbers(whole, is_masked(value));
      if (odd.count == 0) continue;  // -inf alone, of a mask
      first.value = odd.value;
      first.cell = cell_of(whole.shape(), odd.first);
      return first;
    }
  return std::nullopt;
}

std::string note_on(const NotFinite& first) {
  return join("the first stage that is not finite is ", first.stage, ": ", called(first.value),
              first.cell.empty() ? "" : " at ", first.cell.empty() ? "" : first.stage, cell_text(first.cell),
              "; whatever reads it is not finite either");
}

}  // namespace limpid
