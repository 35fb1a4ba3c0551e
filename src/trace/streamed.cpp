#include "trace/streamed.h"

#include "core/label.h"
#include "core/width.h"
#include "trace/figures.h"
#include "trace/table.h"

namespace limpid {

namespace {

// The name and the numbers of NAME@DEPTH..., or null.
struct Found {
  std::string name;
  const Tensor* numbers = nullptr;
};
Found find_depth(const Trace& trace, const std::string& name, const std::string& depth,
                 const std::string& end = "") {
  const std::string start = name + "@" + depth;
  for (auto i = trace.values.lower_bound(start); i != trace.values.end(); ++i) {
    if (i->first.compare(0, start.size(), start) != 0) break;
    const size_t size = i->first.size();
    if (size >= end.size() && i->first.compare(size - end.size(), end.size(), end) == 0)
      return {i->first, &i->second};
  }
  return {};
}

void print_largest_weights(Paper& paper, const Reading& reading, const Tensor& weights, const Tensor& keys,
                           const PageOptions& options) {
  const Shape& shape = weights.shape();  // [B,H,T,N]
  const int64_t heads = shape[1].size, rows = shape[2].size, top = shape[3].size;
  if (rows == 0) return;
  const std::string last = reading.label(Axis::T, rows - 1);
  paper.line(k_indent).add(
      join("Where ", last.empty() ? "the last row" : "\"" + clip_to_width(last, 20) + "\"", " looks most:"),
      Ink::faint);
  for (int64_t h = 0; h < heads; ++h) {
    if (options.head >= 0 && options.head != h) continue;
    Line& line = paper.line(k_indent).add(reading.label(Axis::H, h), Ink::plain, true);
    for (int64_t j = 0; j < top; ++j) {
      const int64_t key = static_cast<int64_t>(keys.at({0, h, rows - 1, j}));
      if (key < 0) break;
      const double weight = weights.at({0, h, rows - 1, j});
      const std::string number = Figures({weight}, options.decimals).text(weight),
                        label = clip_to_width(reading.label(Axis::S, key), 16), place = join("#", key);
      if (!line.fits(label + place + " " + number, 2)) {
        line.add(" …", Ink::faint);
        break;
      }
      line.skip(2).add(label).add(place + " ", Ink::faint).add(number, Ink::weights);
    }
  }
}

// Mean entropy of a head's rows, in nats.
void print_entropy(Paper& paper, const Reading& reading, const Tensor& entropy, const PageOptions& options) {
  const Shape& shape = entropy.shape();  // [B,H,T]
  const int64_t rows = shape[2].size;
  if (rows == 0) return;
  Line& line = paper.line(k_indent).add("entropy of a row, mean", Ink::faint);
  for (int64_t h = 0; h < shape[1].size; ++h) {
    if (options.head >= 0 && options.head != h) continue;
    double sum = 0;
    for (int64_t t = 0; t < rows; ++t) sum += entropy.at({0, h, t});
    const double mean = sum / static_cast<double>(rows);
    const std::string number = Figures({mean}, options.decimals).text(mean),
                      label = reading.label(Axis::H, h);
    if (!line.fits(label + " " + number, 3)) {
      line.add(" …", Ink::faint);
      break;
    }
    line.skip(3).add(label + " ", Ink::faint).add(number);
  }
  line.add("  nats", Ink::faint);
}

}  // namespace

bool has_streamed(const Trace& trace, const std::string& name) {
  const auto next = trace.values.lower_bound(name + "@");
  return next != trace.values.end() && next->first.compare(0, name.size() + 1, name + "@") == 0;
}

void print_streamed(Paper& paper, const Reading& reading, const std::string& name,
                    const PageOptions& options) {
  const Trace& trace = reading.trace();
  const Found weights = find_depth(trace, name, "top", ".weight"),
              keys = find_depth(trace, name, "top", ".index");
  if (weights.numbers && keys.numbers && weights.numbers->shape().same_sizes(keys.numbers->shape()))
    print_largest_weights(paper, reading, *weights.numbers, *keys.numbers, options);
  if (const Found entropy = find_depth(trace, name, "entropy"); entropy.numbers)
    print_entropy(paper, reading, *entropy.numbers, options);
  if (const Found map = find_depth(trace, name, "map"); map.numbers) {
    const Shape& shape = map.numbers->shape();
    paper.line(k_indent).add(join("the whole pattern as ", shape[2].size, " x ", shape[3].size,
                                  " mean weights a head: ", visible_line(map.name)),
                             Ink::faint);
  }
}

}  // namespace limpid
