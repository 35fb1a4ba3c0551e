// Sources: where drawn numbers come from, as text and back, and the numbers themselves.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>
#include <regex>

#include "limpid/scene.h"

namespace limpid {

namespace {

struct Word {
  Source::Of of;
  std::string_view word;
};
constexpr Word k_words[] = {{Source::Of::cell, "cell"},         {Source::Of::mean, "mean"},
                            {Source::Of::least, "least"},       {Source::Of::largest, "largest"},
                            {Source::Of::evenness, "evenness"}, {Source::Of::length, "length"},
                            {Source::Of::mass, "mass"}};

int64_t whole(std::string_view text, std::string_view of) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0)
    fail_work("source '", of, "': '", text, "' is not a place");
  return number;
}

// One conversion of a double, and nothing else that printf would act on.
bool safe(const std::string& format) {
  static const std::regex k_form("%[+]?\\.[0-9]{1,2}[feg]");
  return format == "text" || std::regex_match(format, k_form);
}

// Adds `index` of each cell of the window to `each`.
template <class Each>
void over(const Source& source, Each each) {
  Index at = source.index;
  while (true) {
    each(at);
    size_t axis = at.size();
    while (axis-- > 0) {
      const int64_t size = axis < source.extent.size() ? source.extent[axis] : 1;
      if (++at[axis] < source.index[axis] + size) break;
      at[axis] = source.index[axis];
    }
    if (axis == static_cast<size_t>(-1)) return;
  }
}

void check(const Source& source, const Shape& shape) {
  bool good = static_cast<int>(source.index.size()) == shape.rank() &&
              (source.extent.empty() || source.extent.size() == source.index.size());
  for (size_t i = 0; good && i < source.index.size(); ++i) {
    const int64_t size = source.extent.empty() ? 1 : source.extent[i];
    good = source.index[i] >= 0 && size >= 1 && source.index[i] + size <= shape[static_cast<int>(i)].size;
  }
  if (!good) fail_work("source '", to_string(source), "': the trace's value is ", shape.text());
}

double reduced(const Source& source, const std::vector<double>& cells) {
  double sum = 0, squares = 0, entropy = 0;
  double least = INFINITY, largest = -INFINITY;
  for (double v : cells) {
    sum += v;
    squares += v * v;
    if (std::isfinite(v)) least = std::min(least, v), largest = std::max(largest, v);
    if (v > 0) entropy -= v * std::log(v);
  }
  switch (source.of) {
    case Source::Of::cell:
      return cells.at(0);
    case Source::Of::mean:
      return sum / static_cast<double>(cells.size());
    case Source::Of::least:
      return least;
    case Source::Of::largest:
      return largest;
    case Source::Of::evenness:
      return cells.size() > 1 ? entropy / std::log(static_cast<double>(cells.size())) : 1;
    case Source::Of::length:
      return std::sqrt(squares);
    case Source::Of::mass: {
      const int64_t last = source.extent.empty() ? 1 : source.extent.back();
      return sum / (static_cast<double>(cells.size()) / static_cast<double>(last));
    }
  }
  return 0;
}

}  // namespace

std::string_view name(Source::Of of) {
  for (const Word& known : k_words)
    if (known.of == of) return known.word;
  return "?";
}

std::string to_string(const Source& source) {
  std::string text = source.of == Source::Of::cell ? "" : std::string(name(source.of)) + " ";
  text += source.stage + "[";
  for (size_t i = 0; i < source.index.size(); ++i) {
    text += (i ? "," : "") + std::to_string(source.index[i]);
    if (i < source.extent.size() && source.extent[i] != 1)
      text += ":" + std::to_string(source.index[i] + source.extent[i]);
  }
  return text + "] " + source.format;
}

Source source_from(std::string_view text) {
  Source out;
  std::string_view rest = text;
  for (const Word& known : k_words)
    if (rest.starts_with(known.word) && rest.size() > known.word.size() && rest[known.word.size()] == ' ') {
      out.of = known.of;
      rest.remove_prefix(known.word.size() + 1);
      break;
    }
  const size_t close = rest.rfind("] "), open = rest.substr(0, close).rfind('[');
  if (close == rest.npos || open == rest.npos || open == 0)
    fail_work("source '", text, "': expected STAGE[INDEX,...] FORMAT");
  out.stage = rest.substr(0, open);
  out.format = rest.substr(close + 2);
  if (!safe(out.format))
    fail_work("source '", text, "': the format '", out.format, "' is not one of a number");
  std::string_view list = rest.substr(open + 1, close - open - 1);
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    const std::string_view item = list.substr(0, comma);
    const size_t colon = item.find(':');
    out.index.push_back(whole(item.substr(0, colon), text));
    const int64_t end = colon == item.npos ? out.index.back() + 1 : whole(item.substr(colon + 1), text);
    out.extent.push_back(end - out.index.back());
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  if (std::all_of(out.extent.begin(), out.extent.end(), [](int64_t size) { return size == 1; }))
    out.extent.clear();
  return out;
}

namespace {

// The cells of a value of which only some rows were kept (NAME@rows, their positions NAME@rows.index).
std::vector<double> cells_of_rows(const Source& source, const Trace& trace) {
  const auto rows = trace.values.find(source.stage + "@rows"),
             index = trace.values.find(source.stage + "@rows.index");
  if (rows == trace.values.end() || index == trace.values.end())
    fail_work("source '", to_string(source), "': the trace does not hold ", source.stage);
  const Tensor& tensor = rows->second;
  int axis = tensor.shape().find(Axis::T);
  if (axis < 0) axis = tensor.shape().find(Axis::S);
  if (axis < 0) fail_work("source '", to_string(source), "': ", source.stage, " has no rows");
  std::map<int64_t, int64_t> stands;  // position -> where its row stands
  for (int64_t i = 0; i < index->second.count(); ++i) stands[static_cast<int64_t>(index->second.at({i}))] = i;
  Shape shape = tensor.shape();
  shape[axis].size = stands.empty() ? 0 : stands.rbegin()->first + 1;
  check(source, shape);
  std::vector<double> cells;
  over(source, [&](Index at) {
    const auto found = stands.find(at[static_cast<size_t>(axis)]);
    if (found == stands.end())
      fail_work("source '", to_string(source), "': the trace does not hold row ",
                at[static_cast<size_t>(axis)], " of ", source.stage);
    at[static_cast<size_t>(axis)] = found->second;
    cells.push_back(tensor.at(at));
  });
  return cells;
}

}  // namespace

double number_of(const Source& source, const Trace& trace) {
  const Tensor* tensor = nullptr;
  if (const auto found = trace.values.find(source.stage); found != trace.values.end())
    tensor = &found->second;
  if (const auto found = trace.parameters.find(source.stage); !tensor && found != trace.parameters.end())
    tensor = &found->second;
  if (!tensor) return reduced(source, cells_of_rows(source, trace));
  check(source, tensor->shape());
  std::vector<double> cells;
  over(source, [&](const Index& at) { cells.push_back(tensor->at(at)); });
  return reduced(source, cells);
}

std::string written(const Source& source, double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  if (!safe(source.format)) fail_call("source: the format '", source.format, "' is not one of a number");
  char text[400];
  std::snprintf(text, sizeof text, source.format.c_str(), number);
  const bool zero = std::string_view(text).find_first_not_of("-+0.e") == std::string_view::npos;
  if (!zero) return text;
  if (number == 0) return "0";
  // "<0.01": smaller than these digits can show.
  std::string least = text[0] == '-' || text[0] == '+' ? text + 1 : text;
  const size_t last = std::min(least.find('e'), least.size()) - 1;
  least[last] = '1';
  return (number < 0 ? ">-" : "<") + least;
}

std::string written(const Source& source, const Trace& trace) {
  return written(source, number_of(source, trace));
}

}  // namespace limpid
