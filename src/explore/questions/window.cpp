// window: a rectangle of any value of the run, or of any parameter.
#include <algorithm>

#include "core/label.h"
#include "engine/observe.h"
#include "explore/attentions.h"
#include "explore/state.h"

namespace limpid::explore {

namespace {

constexpr int64_t k_read_whole = 1 << 20;  // numbers: a smaller value is read once, a larger one by rows

struct Rectangle {
  Index from, size;
};

Rectangle asked_rectangle(Request& request, const Shape& shape) {
  Rectangle out;
  const auto list = [&](const char* key, Index otherwise) {
    if (!request.has(key)) return otherwise;
    Index given = request.integers(key, 0, INT64_MAX, static_cast<size_t>(k_max_rank));
    if (given.size() != otherwise.size())
      fail_call("window: ", key, " has ", given.size(), " items, expected ", otherwise.size(),
                ", one for each of ", shape.text());
    return given;
  };
  out.from = list("from", Index(static_cast<size_t>(shape.rank()), 0));
  Index rest;
  for (int i = 0; i < shape.rank(); ++i)
    rest.push_back(std::max<int64_t>(0, shape[i].size - out.from[static_cast<size_t>(i)]));
  out.size = list("size", rest);
  for (int i = 0; i < shape.rank(); ++i) {
    const int64_t first = out.from[static_cast<size_t>(i)], count = out.size[static_cast<size_t>(i)];
    if (first >= shape[i].size || count < 1 || count > shape[i].size - first)
      fail_call("window: place ", i, " from ", first, ", ", count, " long, is outside ", shape.text());
  }
  return out;
}

Shape shape_of(const Rectangle& window, const Shape& whole) {
  Shape out = whole;
  for (int i = 0; i < whole.rank(); ++i) out[i].size = window.size[static_cast<size_t>(i)];
  return out;
}

Tensor part_of(ConstView numbers, const Rectangle& window, int skipped_axis = -1, int64_t first = 0) {
  for (int i = 0; i < numbers.shape().rank(); ++i) {
    const auto at = static_cast<size_t>(i);
    numbers = numbers.window(i, i == skipped_axis ? first : window.from[at], window.size[at]);
  }
  return Tensor::copy_of(numbers);
}

// Of a value that is read by rows.
Tensor rows_part(Run& run, const Value& value, int axis, const Rectangle& window) {
  const auto at = static_cast<size_t>(axis);
  Observation rows = {value.name, Depth::rows};
  for (int64_t i = 0; i < window.size[at]; ++i) rows.places.push_back(window.from[at] + i);
  const Trace& trace = run.read({rows});
  if (const auto whole = trace.values.find(value.name); whole != trace.values.end())
    return part_of(whole->second.view(), window);
  const Tensor& places = trace.values.at(value.name + "@rows.index");
  const int64_t* const begin = places.data<int64_t>();
  const int64_t first = std::find(begin, begin + places.count(), window.from[at]) - begin;
  return part_of(trace.values.at(value.name + "@rows").view(), window, axis, first);
}

Tensor numbers_of(Run& run, const Value& value, const Shape& shape, const Rectangle& window) {
  if (value.kind == Value::Kind::parameter) return part_of(run.parameter(value.name).view(), window);
  const bool square = shape.rank() == 4 && shape[2].axis == Axis::T && shape[3].axis == Axis::S;
  const int group = value.stage < 0 ? -1 : run.graph().stage(value.stage).group;
  if (square && group >= 0) {
    const std::string& name = run.graph().groups()[static_cast<size_t>(group)].name;
    const SquareCells cells(run, attention_named(run.graph(), name), value.name.substr(name.size() + 1));
    if (!cells.whole().empty()) return part_of(cells.whole(), window);
    const auto span = [&](size_t i) { return Span{window.from[i], window.from[i] + window.size[i]}; };
    Tensor out(DType::f32, shape_of(window, shape));
    for (int64_t b = 0; b < window.size[0]; ++b) {
      const Tensor one = cells.window(span(1), span(2), span(3), window.from[0] + b);
      std::copy_n(one.data<float>(), one.count(), out.data<float>() + b * one.count());
    }
    return out;
  }
  const int axis = rows_axis(shape);
  if (axis >= 0 && shape.count() > k_read_whole) return rows_part(run, value, axis, window);
  return part_of(run.read(value.name)[value.name].view(), window);
}

}  // namespace

void ask_window(State& state, Request& request, Answer& answer) {
  const std::string asked = request.text("name");
  request.has("from"), request.has("size");
  Run& run = asked_run(state, request, answer);
  const Value& value = run.graph().value(run.graph().require(asked));
  const Shape shape = value.kind == Value::Kind::parameter
                          ? value.shape
                          : run.read({{value.name, Depth::shape}}).summaries.at(value.name).shape;
  const Rectangle window = asked_rectangle(request, shape);
  require_room(value.name, shape_of(window, shape).count(), DType::f32);
  answer.fields["name"] = value.name;
  answer.fields["axes"] = letters_of(shape);
  answer.fields["sizes"] = sizes_of(shape);
  answer.add("numbers", numbers_of(run, value, shape, window));
}

}  // namespace limpid::explore
