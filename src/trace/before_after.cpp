#include "trace/before_after.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/label.h"
#include "core/number_text.h"
#include "core/width.h"
#include "trace/edits.h"
#include "trace/figures.h"
#include "trace/paper.h"
#include "trace/reading.h"

namespace limpid {

namespace {

constexpr int64_t k_most_tokens = 2048;  // whose T x S values are compared whole
constexpr size_t k_most_values = 12, k_candidates = 5;

// One value in both runs, and where it moved most.
struct Moved {
  int value = -1;
  std::string edit;  // what the edit made of it; empty: it follows from what was edited
  Index cell;        // with the batch
  double before = 0, after = 0;
  int64_t changed = 0, count = 0;  // numbers
};

double distance(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  const double d = std::fabs(b - a);
  return std::isnan(d) ? INFINITY : d;
}

const Tensor* held(const Trace& trace, const std::string& name) {
  const auto found = trace.values.find(name);
  return found == trace.values.end() || found->second.count() == 0 ? nullptr : &found->second;
}

Moved moved_of(const Tensor& before, const Tensor& after, int value, const std::string& edit) {
  Moved out;
  out.value = value;
  out.edit = edit;
  out.count = before.count();
  const Tensor a = before.to(DType::f64), b = after.to(DType::f64);
  double most = -1;
  int64_t at = 0;
  for (int64_t i = 0; i < out.count; ++i) {
    const double d = distance(a.data<double>()[i], b.data<double>()[i]);
    out.changed += d > 0;
    if (d > most) most = d, at = i;
  }
  out.before = a.data<double>()[at];
  out.after = b.data<double>()[at];
  const std::vector<int64_t> strides = contiguous_strides(before.shape());
  for (size_t i = 0; i < strides.size(); ++i)
    out.cell.push_back(at / strides[i] % std::max<int64_t>(before.shape()[static_cast<int>(i)].size, 1));
  return out;
}

// Edited values first, in the graph's order; then what follows from them.
std::vector<Moved> all_moved(const Trace& before, const Trace& after) {
  std::vector<Moved> out;
  const Edits edits(after);
  const Graph& graph = *after.graph;
  for (bool edited : {true, false})
    for (size_t i = 0; i < graph.values().size() && out.size() < k_most_values; ++i) {
      const int id = static_cast<int>(i);
      const std::string words = edits.of(id);
      const Tensor *a = held(before, graph.value(id).name), *b = held(after, graph.value(id).name);
      if (words.empty() == edited || !a || !b || !a->shape().same_sizes(b->shape()) ||
          !is_floating(a->dtype()))
        continue;
      out.push_back(moved_of(*a, *b, id, words));
    }
  return out;
}

struct Candidate {
  int64_t place = 0;
  double before = 0, after = 0;
};

// The likeliest of both runs, by what they are after the edit.
std::vector<Candidate> candidates_of(const Trace& before, const Trace& after) {
  const Reading a(before), b(after);
  const auto last_row = [](const Reading& reading) {
    std::vector<double> row;
    const auto probs = reading.numbers("probs");
    const int rank = probs ? probs->shape().rank() : 0;
    if (rank < 1 || rank > 2 || probs->shape()[rank - 1].axis != Axis::V) return row;
    for (int64_t v = 0; v < probs->shape()[rank - 1].size; ++v)
      row.push_back(rank == 2 ? probs->at({probs->shape()[0].size - 1, v}) : probs->at({v}));
    return row;
  };
  const std::vector<double> x = last_row(a), y = last_row(b);
  std::vector<Candidate> out;
  if (x.size() != y.size() || x.empty()) return out;
  std::vector<int64_t> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::vector<bool> named(x.size(), false);
  for (const std::vector<double>* row : {&y, &x}) {
    const size_t most = std::min(k_candidates, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(most), order.end(),
                      [&](int64_t i, int64_t k) {
                        const double p = (*row)[static_cast<size_t>(i)], q = (*row)[static_cast<size_t>(k)];
                        return p != q && !std::isnan(p) && !std::isnan(q) ? p > q : i < k;
                      });
    for (size_t i = 0; i < most; ++i)
      if (const auto v = static_cast<size_t>(order[i]); !named[v]) {
        named[v] = true;
        out.push_back({order[i], x[v], y[v]});
      }
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Candidate& p, const Candidate& q) { return p.after > q.after; });
  return out;
}

std::string with_sign(const Figures& figures, double change) {
  if (change == 0) return "0";
  return (change > 0 ? "+" : "") + figures.text(change);
}

// "head 2, token 3 "·short", number 17"
std::string cell_words(const Reading& reading, const Moved& m) {
  const Shape& shape = held(reading.trace(), reading.graph().value(m.value).name)->shape();
  std::string out;
  for (int i = 0; i < shape.rank(); ++i) {
    const auto [axis, size] = shape[i];
    const int64_t place = m.cell[static_cast<size_t>(i)];
    if (size == 1 && (axis == Axis::B || axis == Axis::H || axis == Axis::G)) continue;
    std::string label = reading.label(axis, place);
    if (axis == Axis::T || axis == Axis::S)
      label = join(axis == Axis::S ? "key " : "", "\"", label, "\" (", place, ")");
    else if (axis == Axis::V && !label.empty())
      label = "\"" + label + "\"";
    if (label.empty()) label = join(reading.thing(axis), " ", place);
    out += (out.empty() ? "" : ", ") + label;
  }
  return out;
}

void print_next(Paper& paper, const Reading& reading, const std::vector<Candidate>& next, int decimals) {
  std::vector<double> numbers, changes;
  size_t label = 0;
  for (const Candidate& c : next) {
    numbers.insert(numbers.end(), {c.before, c.after});
    changes.push_back(c.after - c.before);
    label = std::max(label, display_width(reading.label(Axis::V, c.place)));
  }
  label = std::min(label, std::max<size_t>(8, paper.columns() / 3));
  const Figures figures(numbers, decimals);
  const size_t width = std::max<size_t>(figures.width() + 1, 6) + 2;
  Line& heading = paper.line(4).add(reading.predicts_next() ? "likeliest next" : "likeliest", Ink::faint);
  size_t end = 4 + std::max<size_t>(label, 14);
  for (const char* title : {"before", "after", "change"}) heading.right(title, end += width, Ink::faint);
  for (const Candidate& c : next) {
    end = 4 + std::max<size_t>(label, 14);
    paper.line(4)
        .add(clip_to_width(reading.label(Axis::V, c.place), label))
        .right(figures.text(c.before), end + width)
        .right(figures.text(c.after), end + 2 * width, Ink::heading)
        .right(with_sign(figures, c.after - c.before), end + 3 * width, Ink::weights);
  }
}

}  // namespace

std::vector<Observation> compared(const Trace& edited, const std::vector<std::string>& chosen) {
  std::vector<Observation> out;
  if (!edited.graph) return out;
  const Edits edits(edited);
  const auto length = static_cast<int64_t>(edited.tokens.size());
  for (size_t i = 0; i < edited.graph->values().size(); ++i) {
    const Value& value = edited.graph->values()[i];
    if (value.kind != Value::Kind::temporary) continue;
    const bool square = value.shape.find(Axis::T) >= 0 && value.shape.find(Axis::S) >= 0;
    if (square && length > k_most_tokens) continue;
    const auto fits = [&](const std::string& pattern) { return matches(pattern, value.name); };
    if (value.name == "probs" || value.name == "logits" || !edits.of(static_cast<int>(i)).empty() ||
        std::any_of(chosen.begin(), chosen.end(), fits))
      out.push_back({value.name, Depth::full});
  }
  return out;
}

std::string before_after(const Trace& before, const Trace& after, const PageOptions& options) {
  const Reading reading(after);
  Paper paper(options);
  paper.blank();
  paper.line().add("What the edit changed", Ink::heading, true);
  paper.paragraph(Edits(after).line(), 0, Ink::faint);
  const std::vector<Candidate> next = candidates_of(before, after);
  if (!next.empty()) {
    paper.blank();
    print_next(paper, reading, next, options.decimals);
  }
  for (const Moved& m : all_moved(before, after)) {
    paper.blank();
    const std::string name = visible_line(after.graph->value(m.value).name);
    paper.line(4).add(name, Ink::heading, true).add(m.edit.empty() ? "" : "  ✎ " + m.edit, Ink::alarm);
    if (m.changed == 0) {
      paper.line(4).add(join("did not move: none of its ", counted(m.count, "number"), " changed"),
                        Ink::faint);
      continue;
    }
    const double change = m.after - m.before;
    const Figures figures({m.before, m.after, change}, options.decimals);
    paper.paragraph(
        join("moved most at ", cell_words(reading, m), ": ", figures.text(m.before), " → ",
             figures.text(m.after), std::isfinite(change) ? " (" + with_sign(figures, change) + ")" : "",
             "; ", grouped(m.changed), " of ", counted(m.count, "number"), " changed"),
        4);
  }
  return paper.text();
}

std::string before_after_json(const Trace& before, const Trace& after) {
  using Json = nlohmann::ordered_json;
  const auto number = [](double value) -> Json {
    if (std::isfinite(value)) return value;
    return number_text(value);
  };
  const Reading reading(after);
  Json next = Json::array(), values = Json::array();
  for (const Candidate& c : candidates_of(before, after))
    next.push_back({{"place", c.place},
                    {"label", reading.label(Axis::V, c.place)},
                    {"before", number(c.before)},
                    {"after", number(c.after)},
                    {"change", number(c.after - c.before)}});
  for (const Moved& m : all_moved(before, after))
    values.push_back({{"name", after.graph->value(m.value).name},
                      {"edit", m.edit},
                      {"changed", m.changed},
                      {"count", m.count},
                      {"cell", m.cell},
                      {"before", number(m.before)},
                      {"after", number(m.after)},
                      {"change", number(m.after - m.before)}});
  return Json({{"next", next}, {"values", values}}).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace limpid
