#include "engine/request.h"

#include <algorithm>
#include <utility>

#include "engine/edit.h"
#include "engine/observe.h"
#include "engine/rooms.h"
#include "tensor/overlap.h"

namespace limpid {

namespace {

std::vector<int> values_matching(const Graph& graph, const std::string& pattern, const char* what) {
  std::vector<int> found;
  if (pattern.find('*') == std::string::npos) {
    found.push_back(graph.require(pattern));
  } else {
    for (int i = 0; i < static_cast<int>(graph.values().size()); ++i)
      if (matches(pattern, graph.value(i).name)) found.push_back(i);
    for (const auto& [alias, value] : graph.aliases())
      if (matches(pattern, alias)) found.push_back(value);
  }
  if (found.empty()) fail_call(what, ": no stage fits '", pattern, "'");
  return found;
}

}  // namespace

Request request_of(const Graph& graph, const RunOptions& options) {
  Request w;
  for (const std::string& name : options.keep) w.full.insert(graph.require(name));
  std::map<int, std::string> named;
  for (const auto& [name, view] : options.into) {
    const int value = graph.require(name);
    const auto [other, first] = named.emplace(value, name);
    if (!first)
      fail_call("run: '", other->second, "' and '", name, "' are one value, '", graph.value(value).name,
                "', with two places to go into; give it one and copy from there");
    w.into[value] = view;
  }
  if (options.stored)
    for (const auto& [name, matrix] : *options.stored) {
      const int value = graph.find(name);
      if (value < 0) continue;  // a part of the network runs with the parameters of all of it
      if (graph.value(value).kind != Value::Kind::parameter ||
          !graph.value(value).shape.same_sizes(matrix.shape()))
        fail_call("run: '", name, "' is stored as ", matrix.shape().text(), ", expected a parameter ",
                  graph.value(value).shape.text());
      w.stored[value] = &matrix;
    }
  w.rooms = rooms_of(graph, options);
  for (const Observation& o : options.observe)
    for (int value : values_matching(graph, o.pattern, "observe")) {
      if (o.depth == Depth::shape || o.depth == Depth::full || o.depth == Depth::summary) {
        (o.depth == Depth::full ? w.full : o.depth == Depth::summary ? w.summary : w.shape).insert(value);
        continue;
      }
      if (o.depth == Depth::rows) {
        if (rows_axis(graph.value(value).shape) < 0) {
          w.full.insert(value);
          continue;
        }
        auto& places = w.rows[value];
        places.insert(places.end(), o.places.begin(), o.places.end());
        continue;
      }
      require_weights(graph, value, o.pattern);
      add(w.streamed[value], o, graph.value(value).name);
    }
  for (const Edit& edit : options.edits)
    for (int value : values_matching(graph, edit.pattern, "edit")) {
      if (graph.value(value).kind != Value::Kind::temporary)
        fail_call("edit: '", graph.value(value).name,
                  "' is not computed by a stage; change it before the run");
      w.edits[edited_value(graph, edit, value)].push_back(&edit);
    }
  return w;
}

std::vector<int64_t> resolved(const std::vector<int64_t>& places, int64_t size) {
  std::set<int64_t> out;
  for (int64_t place : places) {
    if (place < 0) place += size;
    if (place >= 0 && place < size) out.insert(place);
  }
  return {out.begin(), out.end()};
}

std::map<int, ConstView> bind(const Graph& graph, const std::map<std::string, ConstView>& values) {
  std::map<int, ConstView> bound;
  for (const auto& [name, view] : values) {
    const int id = graph.require(name);
    const Value& value = graph.value(id);
    if (value.kind == Value::Kind::temporary)
      fail_call("run: '", name, "' is computed by a stage; it cannot be given (edit it instead)");
    bool fits =
        view.shape().rank() == value.shape.rank() && is_floating(view.dtype()) == is_floating(value.dtype);
    for (int i = 0; fits && i < value.shape.rank(); ++i)
      fits = value.shape[i].size == k_symbolic || value.shape[i].size == view.shape()[i].size;
    if (!fits)
      fail_call("run: '", name, "' is ", limpid::name(view.dtype()), " ", view.shape().text(), ", expected ",
                limpid::name(value.dtype), " ", value.shape.text());
    require_addressable("run", join("'", name, "'").c_str(), view);
    bound[id] = view;
  }
  return bound;
}

void require_positions(const Graph& graph, const std::map<int, Shape>& given, const RunContext& context) {
  const auto count = static_cast<int64_t>(context.first_positions.size());
  if (count == 0) return;
  for (const auto& [id, shape] : given) {
    const int axis = graph.value(id).shape.find(Axis::B);
    if (axis >= 0 && shape[axis].size != count)
      fail_call("run: first_positions are ", count, " numbers, expected ", shape[axis].size,
                ", one for each text of '", graph.value(id).name, "' ", shape.text());
  }
}

void require_fits(const Graph& graph, const Plan& plan, int value, const View& view, DType real) {
  const Shape& shape = plan.shapes[static_cast<size_t>(value)];
  const DType type = run_dtype(graph.value(value), real);
  if (view.dtype() != type || !view.shape().same_sizes(shape) || !view.contiguous() || !view.raw())
    fail_call("run: the memory for '", graph.value(value).name, "' is ", limpid::name(view.dtype()), " ",
              view.shape().text(), ", expected ", limpid::name(type), " ", shape.text(), " without gaps");
}

void require_apart(const Graph& graph, const std::map<int, View>& into,
                   const std::map<int, ConstView>& bound) {
  if (into.empty()) return;
  std::vector<ConstView> views;
  std::vector<int> values;
  for (const auto& [value, view] : into) views.push_back(view), values.push_back(value);
  for (const auto& [value, view] : bound) views.push_back(view), values.push_back(value);
  const auto pair = find_overlap(views, into.size());
  if (!pair) return;
  const std::string &written = graph.value(values[pair->first]).name,
                    &other = graph.value(values[pair->second]).name;
  fail_call("run: the memory for '", written, "' overlaps ",
            pair->second < into.size() ? "the memory for '" : "what is given as '", other, "'; give '",
            written, "' memory of its own");
}

ConstView in_run_type(const Value& value, const ConstView& view, DType real, std::vector<Tensor>& kept) {
  Shape shape = value.shape;
  for (int i = 0; i < shape.rank(); ++i) shape[i].size = view.shape()[i].size;
  const DType dtype = run_dtype(value, real);
  if (view.dtype() == dtype && view.contiguous()) return ConstView(dtype, shape, view.raw());
  kept.push_back(Tensor::copy_of(view).to(dtype));
  kept.back().reshape(shape);
  return std::as_const(kept.back()).view();
}

}  // namespace limpid
