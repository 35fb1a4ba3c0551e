#include "engine/edit.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

namespace limpid {

namespace {

int64_t whole_number(const std::string& text, const std::string& where) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range)
    fail_call("edit '", where, "': ", text, " is more than any axis has places");
  if (error != std::errc() || end != text.data() + text.size())
    fail_call("edit '", where, "': '", text, "' is not a whole number");
  return value;
}

// "[H=2,T=1]" -> {H: 2, T: 1}
std::map<Axis, int64_t> parse_where(const std::string& list, const std::string& all) {
  std::map<Axis, int64_t> where;
  for (size_t at = 0; at < list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    const std::string item = list.substr(at, comma - at);
    if (item.size() < 3 || item[1] != '=')
      fail_call("edit '", all, "': '", item, "' should be AXIS=INDEX, such as H=2");
    where[static_cast<Axis>(item[0])] = whole_number(item.substr(2), all);
    at = comma + 1;
  }
  return where;
}

std::vector<std::pair<int64_t, int64_t>> parse_edges(const std::string& list, const std::string& all) {
  std::vector<std::pair<int64_t, int64_t>> edges;
  for (size_t at = 0; at < list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    const std::string item = list.substr(at, comma - at);
    const size_t arrow = item.find('>');
    if (arrow == std::string::npos)
      fail_call("edit '", all, "': '", item, "' should be QUERY>KEY, such as 3>0");
    edges.push_back({whole_number(item.substr(0, arrow), all), whole_number(item.substr(arrow + 1), all)});
    at = comma + 1;
  }
  if (edges.empty()) fail_call("edit '", all, "': cut needs edges, such as cut:3>0");
  return edges;
}

// The part of a value that an edit names.
View part_of(const Edit& edit, const std::string& name, const View& value) {
  ConstView part = value;
  for (const auto& [axis, index] : edit.where) {
    const int place = value.shape().find(axis);
    if (place < 0)
      fail_call("edit of '", name, "': it is ", value.shape().text(), ", which has no axis ",
                static_cast<char>(axis));
    if (index < 0 || index >= value.shape()[place].size)
      fail_call("edit of '", name, "': ", static_cast<char>(axis), "=", index, " is outside ",
                value.shape().text());
    part = part.window(place, index, 1);
  }
  return View(part.dtype(), part.shape(), part.strides(), const_cast<void*>(part.raw()));
}

double mean_of(const Tensor& numbers) {
  double sum = 0;
  for (int64_t i = 0; i < numbers.count(); ++i) sum += numbers.data<double>()[i];
  return numbers.count() ? sum / static_cast<double>(numbers.count()) : 0;
}

// The shape without the axes that the edit names an index of.
Shape without_named(const Shape& shape, const Edit& edit) {
  Shape out;
  for (const Dim& dim : shape)
    if (!edit.where.count(dim.axis)) out.append(dim);
  return out;
}

// `from` along the last axes of `shape`, as NumPy broadcasts it; empty where it does not go.
ConstView broadcast(const ConstView& from, const Shape& shape) {
  const int missing = shape.rank() - from.shape().rank();
  if (missing < 0) return {};
  std::vector<int64_t> strides;
  for (int i = 0; i < shape.rank(); ++i) {
    const int at = i - missing;
    const int64_t size = at < 0 ? 1 : from.shape()[at].size;
    if (size != 1 && size != shape[i].size) return {};
    strides.push_back(size == 1 ? 0 : from.strides()[static_cast<size_t>(at)]);
  }
  return ConstView(from.dtype(), shape, strides, from.raw());
}

// What a replacement puts into the part: its own part where it is as large as the value, else itself,
// repeated along the axes that it lacks.
void replace(const Edit& edit, const std::string& name, const Shape& whole, Tensor& part) {
  const Tensor with = edit.with.to(DType::f64);
  if (with.shape().same_sizes(whole)) {
    Tensor all = with;
    copy(part_of(edit, name, View(DType::f64, whole, all.raw())), part.view());
    return;
  }
  const Shape named = without_named(part.shape(), edit);
  if (const ConstView from = broadcast(with.view(), named); !from.empty())
    return copy(from, View(DType::f64, named, part.raw()));
  const ConstView from = broadcast(with.view(), part.shape());
  if (from.empty())
    fail_call("edit of '", name, "': the replacement is ", edit.with.shape().text(), ", expected ",
              whole.text(), edit.where.empty() ? "" : ", or of the part that is edited " + named.text(),
              ", or what repeats to it, such as its last axes");
  copy(from, part.view());
}

// Scores at [.., t, s] become -inf.
void cut(const Edit& edit, const std::string& name, Tensor& scores) {
  const int t_axis = scores.shape().find(Axis::T), s_axis = scores.shape().find(Axis::S);
  if (t_axis < 0 || s_axis < 0)
    fail_call("edit of '", name, "': only edges of scores or of a pattern can be cut");
  const int64_t queries = scores.shape()[t_axis].size, keys = scores.shape()[s_axis].size;
  const int64_t outer = scores.count() / std::max<int64_t>(queries * keys, 1);
  for (const auto& [t, s] : edit.edges) {
    if (t < 0 || t >= queries || s < 0 || s >= keys)
      fail_call("edit of '", name, "': edge ", t, ">", s, " is outside ", scores.shape().text());
    for (int64_t o = 0; o < outer; ++o) scores.data<double>()[(o * queries + t) * keys + s] = -INFINITY;
  }
}

}  // namespace

Edit edit_of(const std::string& text, std::string* file) {
  const size_t bracket = text.find('['),
               equals = text.find('=', bracket == std::string::npos ? 0 : text.find(']'));
  const bool open = equals == std::string::npos ||
                    (bracket != std::string::npos && bracket < equals && text[equals - 1] != ']');
  if (open) fail_call("edit '", text, "': expected NAME=ACTION, such as blocks.0.attn.z[H=2]=zero");
  Edit edit;
  edit.pattern = text.substr(0, std::min(bracket, equals));
  if (bracket != std::string::npos)
    edit.where = parse_where(text.substr(bracket + 1, text.find(']') - bracket - 1), text);
  const std::string action = text.substr(equals + 1), word = action.substr(0, action.find(':'));
  const std::string rest = word.size() < action.size() ? action.substr(word.size() + 1) : "";
  if (word.size() < action.size() && word == "zero")
    fail_call("edit '", text, "': zero takes nothing after it; expected NAME=zero");
  if (word == "zero")
    edit.action = Edit::Action::zero;
  else if (action == "mean")
    edit.action = Edit::Action::mean;
  else if (word == "mean" && file && !rest.empty()) {
    edit.action = Edit::Action::replace;
    *file = rest;
  } else if (word == "mean")
    fail_call("edit '", text, "': after mean: expected positions, or a file whose values are averaged");
  else if (word == "scale") {
    edit.action = Edit::Action::scale;
    char* end = nullptr;
    edit.factor = std::strtod(rest.c_str(), &end);
    if (rest.empty() || *end != 0 || !std::isfinite(edit.factor))
      fail_call("edit '", text, "': scale needs a finite number, such as scale:0.5");
  } else if (word == "cut") {
    edit.action = Edit::Action::cut;
    edit.edges = parse_edges(rest, text);
  } else if (word == "replace" && file && !rest.empty()) {
    edit.action = Edit::Action::replace;
    *file = rest;
  } else if (word == "replace" && file) {
    fail_call("edit '", text, "': replace needs a file, such as replace:other.safetensors");
  } else {
    fail_call("edit '", text, "': '", action,
              "' is not an action; expected zero, mean, mean:positions, mean:FILE, scale:FACTOR, "
              "replace:FILE or cut:QUERY>KEY");
  }
  return edit;
}

bool apply_edit(const Edit& edit, const std::string& name, const View& value) {
  const View part = part_of(edit, name, value);
  const Tensor before = Tensor::copy_of(part);
  Tensor after = before.to(DType::f64);
  double* x = after.data<double>();
  switch (edit.action) {
    case Edit::Action::zero:
      for (int64_t i = 0; i < after.count(); ++i) x[i] = 0;
      break;
    case Edit::Action::mean: {
      const double mean = mean_of(after);
      for (int64_t i = 0; i < after.count(); ++i) x[i] = mean;
      break;
    }
    case Edit::Action::scale:
      for (int64_t i = 0; i < after.count(); ++i) x[i] *= edit.factor;
      break;
    case Edit::Action::replace:
      replace(edit, name, value.shape(), after);
      break;
    case Edit::Action::cut:
      cut(edit, name, after);
      break;
  }
  const Tensor rounded = after.to(before.dtype());
  if (std::memcmp(rounded.raw(), before.raw(), before.bytes()) == 0) return false;
  copy(std::as_const(rounded).view(), part);
  return true;
}

int edited_value(const Graph& graph, const Edit& edit, int value) {
  if (edit.action != Edit::Action::cut) return value;
  const std::string& name = graph.value(value).name;
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos || name.substr(dot) != ".pattern") return value;
  return graph.require(name.substr(0, dot) + ".scores");
}

}  // namespace limpid
