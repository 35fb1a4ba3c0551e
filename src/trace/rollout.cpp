#include "limpid/rollout.h"

#include <algorithm>

#include "core/label.h"
#include "core/threads.h"
#include "trace/reading.h"

namespace limpid {

namespace {

constexpr int64_t k_most_numbers = 64 << 20;

std::vector<std::string> patterns_of(const Graph& graph) {
  std::vector<std::string> out;
  for (int64_t layer = 0;; ++layer) {
    const int value = graph.find(join("blocks.", layer, ".attn.pattern"));
    if (value < 0) break;
    out.push_back(graph.value(value).name);
  }
  if (out.empty()) fail_call("rollout: this network has no layer blocks.0.attn, whose weights it is made of");
  return out;
}

// 0.5 of the heads' mean, its row scaled to the sum 1, and 0.5 of the row itself: [T,T].
std::vector<double> mixed(const Tensor& pattern, int64_t b) {
  const int64_t heads = pattern.shape()[1].size, length = pattern.shape()[2].size;
  const Tensor numbers = pattern.to(DType::f64);
  std::vector<double> out(static_cast<size_t>(length * length), 0.0);
  for (int64_t h = 0; h < heads; ++h) {
    const double* from = numbers.data<double>() + (b * heads + h) * length * length;
    for (size_t i = 0; i < out.size(); ++i) out[i] += from[i];
  }
  for (int64_t t = 0; t < length; ++t) {
    double* row = out.data() + t * length;
    double sum = 0;
    for (int64_t s = 0; s < length; ++s) sum += row[s];
    for (int64_t s = 0; s < length; ++s) row[s] = (sum != 0 ? 0.5 * row[s] / sum : 0) + (s == t ? 0.5 : 0);
  }
  return out;
}

// a b, both [n,n].  Some rows at a time, so that b is read once for all of them: it is what takes the time.
std::vector<double> product(const std::vector<double>& a, const std::vector<double>& b, int64_t n) {
  constexpr int64_t k_rows = 8;
  std::vector<double> out(a.size(), 0.0);
  parallel_for((n + k_rows - 1) / k_rows, [&](int64_t block, int) {
    const int64_t first = block * k_rows, end = std::min(n, first + k_rows);
    for (int64_t k = 0; k < n; ++k) {
      const double* from = b.data() + k * n;
      for (int64_t t = first; t < end; ++t) {
        const double by = a[static_cast<size_t>(t * n + k)];
        if (by == 0) continue;
        double* to = out.data() + t * n;
        for (int64_t s = 0; s < n; ++s) to[s] += by * from[s];
      }
    }
  });
  return out;
}

}  // namespace

Trace with_rollout(const Trace& trace) {
  if (!trace.graph) fail_call("rollout: the trace has no graph, so there is nothing to show");
  std::vector<const Tensor*> layers;
  for (const std::string& name : patterns_of(*trace.graph)) {
    const auto kept = trace.values.find(name);
    if (kept == trace.values.end())
      fail_call("rollout: the trace does not hold ", name,
                "; trace with --observe \"blocks.*.attn.pattern\"");
    const Shape& shape = kept->second.shape();
    if (shape.rank() != 4 || shape[2].size != shape[3].size || shape[2].size < 1 ||
        (!layers.empty() && !shape.same_sizes(Shape{layers[0]->shape()[0], shape[1], layers[0]->shape()[2],
                                                    layers[0]->shape()[3]})))
      fail_call("rollout: ", name, " is ", shape.text(),
                ", expected [B,H,T,S] with as many keys as queries, the same in each layer");
    layers.push_back(&kept->second);
  }
  const int64_t batch = layers[0]->shape()[0].size, length = layers[0]->shape()[2].size;
  Tensor out(DType::f64, {{Axis::B, batch}, {Axis::T, length}, {Axis::S, length}});
  for (int64_t b = 0; b < batch; ++b) {
    std::vector<double> rolled = mixed(*layers[0], b);
    for (size_t layer = 1; layer < layers.size(); ++layer)
      rolled = product(mixed(*layers[layer], b), rolled, length);
    std::copy(rolled.begin(), rolled.end(), out.data<double>() + b * length * length);
  }
  Trace with = trace;
  with.values["rollout"] = std::move(out);
  return with;
}

std::vector<Observation> rollout_reads(const Graph& graph, int64_t length) {
  std::vector<Observation> out;
  int64_t numbers = 0;
  for (const std::string& name : patterns_of(graph)) {
    const Shape& shape = graph.value(graph.require(name)).shape;
    const int axis = shape.find(Axis::H);
    numbers += length * length * std::max<int64_t>(1, axis < 0 ? 1 : shape[axis].size);
    out.push_back({name, Depth::full});
  }
  if (numbers > k_most_numbers)
    fail_call("a rollout reads the weights of all ", out.size(), " layers, for ", length, " tokens ", numbers,
              " numbers, at most ", k_most_numbers, "; give a shorter text, or one layer: --layer 0");
  return out;
}

}  // namespace limpid
