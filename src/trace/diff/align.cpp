#include "trace/diff/align.h"

#include <algorithm>
#include <map>
#include <set>

namespace limpid {

namespace {

// ---- shapes --------------------------------------------------------------------------------------

std::vector<int64_t> without_ones(const Shape& shape) {
  std::vector<int64_t> out;
  for (const Dim& dim : shape)
    if (dim.size != 1) out.push_back(dim.size);
  return out;
}

// Whether one list of sizes is the other with neighbours multiplied.
bool joins(const std::vector<int64_t>& fine, const std::vector<int64_t>& coarse) {
  size_t at = 0;
  for (const int64_t size : coarse) {
    int64_t product = 1;
    while (product < size && at < fine.size()) product *= fine[at++];
    if (product != size) return false;
  }
  return at == fine.size();
}

bool same_order(const Shape& a, const Shape& b) {
  const std::vector<int64_t> x = without_ones(a), y = without_ones(b);
  return x == y || joins(x, y) || joins(y, x);
}

Tensor in_double(const ConstView& view) { return Tensor::copy_of(view).to(DType::f64); }

// Axis `axis` of a contiguous tensor, every place `times` times.
Tensor repeated(const Tensor& x, int axis, int64_t times) {
  Shape shape = x.shape();
  const int64_t rows = shape.part(0, axis).count(), places = shape[axis].size,
                width = shape.part(axis + 1, shape.rank() - axis - 1).count();
  shape[axis].size *= times;
  Tensor out(DType::f64, shape);
  const double* from = x.data<double>();
  double* to = out.data<double>();
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t p = 0; p < places; ++p)
      for (int64_t n = 0; n < times; ++n, to += width)
        std::copy_n(from + (r * places + p) * width, width, to);
  return out;
}

// The place of the one axis by which two lists of sizes differ, or -1.
int one_difference(const Shape& a, const Shape& b) {
  if (a.rank() != b.rank()) return -1;
  int found = -1;
  for (int i = 0; i < a.rank(); ++i) {
    if (a[i].size == b[i].size) continue;
    if (found >= 0) return -1;
    found = i;
  }
  return found;
}

Shape with_batch(const Shape& shape) {
  std::vector<Dim> dims = {{Axis::B, 1}};
  dims.insert(dims.end(), shape.begin(), shape.end());
  return Shape(dims);
}

// ---- names ---------------------------------------------------------------------------------------

// Every name of a value, its own first.
std::map<int, std::vector<std::string>> names_of(const Graph& graph) {
  std::map<int, std::vector<std::string>> out;
  for (size_t i = 0; i < graph.values().size(); ++i)
    out[static_cast<int>(i)].push_back(graph.values()[i].name);
  for (const auto& [alias, value] : graph.aliases()) out[value].push_back(alias);
  return out;
}

// B's arrays by A's names; a trace's second names stand for arrays too.
std::map<std::string, std::vector<std::pair<NamedValue, const Tensor*>>> named_arrays(
    const Graph& graph, const Activations& b, std::vector<std::string>& unknown) {
  std::map<std::string, std::vector<std::pair<NamedValue, const Tensor*>>> out;
  for (const auto& [given, tensor] : b.arrays) {
    NamedValue named = value_named(graph, given);
    if (named.name.empty()) {
      unknown.push_back(given);
      continue;
    }
    if (b.graph) named.maybe_before_gain = false;  // limpid's own
    out[named.name].emplace_back(named, &tensor);
  }
  if (!b.graph) return out;
  for (const auto& [alias, value] : b.graph->aliases()) {
    const auto found = b.arrays.find(b.graph->value(value).name);
    if (found == b.arrays.end() || graph.find(alias) < 0) continue;
    auto& list = out[alias];
    if (list.empty()) list.emplace_back(NamedValue{alias, alias, false}, &found->second);
  }
  return out;
}

// The gain of a norm of two inputs (x, w): an RMS norm's.
const Tensor* gain_of(const Trace& a, int value) {
  const Value& v = a.graph->value(value);
  if (v.stage < 0 || v.output != 0) return nullptr;
  const StageInfo& stage = a.graph->stage(v.stage);
  if (stage.inputs.size() != 2 || a.graph->value(stage.inputs[1]).kind != Value::Kind::parameter)
    return nullptr;
  const auto found = a.parameters.find(a.graph->value(stage.inputs[1]).name);
  return found == a.parameters.end() ? nullptr : &found->second;
}

// What rounding left of the log of a sum: no two programs round alike, and its size says nothing.
bool is_rounding_rest(const Value& v) { return v.name.ends_with(".lse_rest"); }

bool has_gain(const Trace& a, int value) {
  const Value& v = a.graph->value(value);
  return v.stage >= 0 && v.output == 0 && a.graph->stage(v.stage).inputs.size() == 2;
}

Tensor times_gain(const ConstView& x, const Tensor& gain) {
  Tensor out = in_double(x);
  const int64_t width = gain.count();
  const Tensor w = gain.to(DType::f64);
  for (int64_t i = 0; i < out.count(); ++i) out.data<double>()[i] *= w.data<double>()[i % width];
  return out;
}

class PairFinder {
 public:
  PairFinder(const Trace& a, const Activations& b) : a_(a), graph_(*a.graph) {
    arrays_ = named_arrays(graph_, b, out_.unknown);
    for (const auto& [value, names] : names_of(graph_)) add(value, names);
  }
  Pairs take() { return std::move(out_); }

 private:
  void add(int value, const std::vector<std::string>& names) {
    const Value& v = graph_.value(value);
    const auto held = a_.values.find(v.name);
    if (held == a_.values.end() || v.kind == Value::Kind::parameter || is_rounding_rest(v)) return;
    std::set<const Tensor*> seen;
    for (const std::string& name : names) {
      const auto found = arrays_.find(name);
      if (found == arrays_.end()) continue;
      for (const auto& [named, tensor] : found->second)
        if (seen.insert(tensor).second) add(value, name, named, held->second, *tensor);
    }
    if (seen.empty()) out_.missing.push_back(v.name);
  }

  void add(int value, const std::string& name, const NamedValue& named, const Tensor& here,
           const Tensor& there) {
    Pair pair{name, named.given, value, &here, {}, &there};
    if (named.maybe_before_gain && has_gain(a_, value)) {
      const Tensor* gain = gain_of(a_, value);
      if (!gain || gain->count() == 0 || there.count() % gain->count() != 0) {
        out_.notes.push_back(join(named.given, " is left out: it is taken before the norm's gain, which ",
                                  "the trace did not keep (--params)"));
        return;
      }
      pair.there = times_gain(there, *gain);
      pair.given = nullptr;
    }
    out_.pairs.push_back(std::move(pair));
  }

  const Trace& a_;
  const Graph& graph_;
  std::map<std::string, std::vector<std::pair<NamedValue, const Tensor*>>> arrays_;
  Pairs out_;
};

}  // namespace

std::optional<AlignedNumbers> aligned(const ConstView& here, const ConstView& there) {
  const Shape &a = here.shape(), &b = there.shape();
  AlignedNumbers out;
  if (a.same_sizes(b) || same_order(a, b)) {
    out.here = in_double(here);
    out.there = in_double(there);
    out.there.reshape(a);
    return out;
  }
  const Shape full = b.rank() + 1 == a.rank() && a[0].size == 1 ? with_batch(b) : b;
  if (a.rank() != full.rank()) return std::nullopt;
  if (a.rank() == 4 && a[1].size == full[2].size && a[2].size == full[1].size && a[0].size == full[0].size &&
      a[3].size == full[3].size) {  // [B,H,T,D]
    out.here = in_double(here);
    Tensor turned = in_double(there);
    turned.reshape(full);
    out.there = Tensor::copy_of(turned.view().permuted({0, 2, 1, 3}));
    out.there.reshape(a);
    return out;
  }
  const int axis = one_difference(a, full);
  if (axis < 0 || a[axis].axis != Axis::G || a[axis].size < 1 || full[axis].size % a[axis].size != 0)
    return std::nullopt;
  out.repeated_axis = axis;
  out.repeats = full[axis].size / a[axis].size;
  out.here = repeated(in_double(here), axis, out.repeats);
  out.there = in_double(there);
  out.there.reshape(out.here.shape());
  return out;
}

Pairs pairs_of(const Trace& a, const Activations& b) { return PairFinder(a, b).take(); }

}  // namespace limpid
