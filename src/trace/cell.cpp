#include "trace/cell.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/label.h"

namespace limpid {

namespace {

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Where the place ends that begins at `at`: at a comma, or where the brackets end.  A word in quotes ends
// with the quote that a comma or the end follows, so that "," and """ are words.
size_t end_of_place(std::string_view list, size_t at) {
  size_t open = list.find_first_not_of(' ', at);
  if (open != list.npos && open + 1 < list.size() && list[open + 1] == '=') open += 2;
  if (open >= list.size() || list[open] != '"') return std::min(list.find(',', at), list.size());
  for (size_t quote = list.find('"', open + 1); quote != list.npos; quote = list.find('"', quote + 1)) {
    const size_t next = list.find_first_not_of(' ', quote + 1);
    if (next == list.npos || list[next] == ',') return std::min(next, list.size());
  }
  return std::min(list.find(',', at), list.size());
}

CellName::Place place_named(std::string_view item, const std::string& cell) {
  CellName::Place place;
  item = trimmed(item);
  if (item.size() > 2 && item[1] == '=') {
    place.axis = static_cast<Axis>(item[0]);
    item = trimmed(item.substr(2));
  }
  const bool quoted = item.size() > 2 && item.front() == '"' && item.back() == '"';
  if (quoted) item = item.substr(1, item.size() - 2);
  const std::optional<int64_t> number = quoted ? std::nullopt : whole_number(item);
  place.index = number.value_or(0);
  if (!number) place.word = item;
  if (item.empty())
    fail_call("cell '", cell, "': a place is empty; expected such as [0,2,3,1] or [H=2,T=3,S=1]");
  return place;
}

// "attn.pattern is [B=1,H=6,T=4,S=4]", and how a cell of it is written.
std::string axes_of(const std::string& name, const Shape& shape) {
  std::string numbers, letters;
  for (const Dim& dim : shape) {
    numbers += (numbers.empty() ? "" : ",") + std::to_string(std::max<int64_t>(dim.size - 1, 0));
    if (dim.axis != Axis::none && dim.size != 1)
      letters += join(letters.empty() ? "" : ",", static_cast<char>(dim.axis), "=",
                      std::max<int64_t>(dim.size - 1, 0));
  }
  if (shape.rank() == 0) return join(name, " is a single number; leave the brackets out");
  return join(name, " is ", shape.text(), "; its last cell is ", name, "[", numbers, "]",
              letters.empty() ? "" : join(" or ", name, "[", letters, "]"));
}

// ---- words as places ---------------------------------------------------------------------------------

// The labels of that axis' places; empty where they have none.
std::vector<std::string> labels_of(const std::string& name, Axis axis, int64_t size, const Trace& trace) {
  std::vector<std::string> out;
  if (axis == Axis::V) out = trace.vocabulary;
  if (axis == Axis::T || axis == Axis::S)
    for (const Token& token : counts_source(name, axis) ? trace.source : trace.tokens)
      out.push_back(token.label);
  return static_cast<int64_t>(out.size()) == size ? out : std::vector<std::string>();
}

std::vector<int64_t> places_of(const std::vector<std::string>& labels, const std::string& label) {
  std::vector<int64_t> out;
  for (size_t i = 0; i < labels.size(); ++i)
    if (labels[i] == label) out.push_back(static_cast<int64_t>(i));
  return out;
}

// "'·short' (2), 'er' (3)": at most so many, those that hold the word first.
std::string some_of(const std::vector<std::string>& labels, const std::string& word) {
  constexpr size_t k_most = 8;
  std::vector<size_t> chosen;
  for (const bool holds : {true, false})
    for (size_t i = 0; i < labels.size() && chosen.size() < k_most; ++i)
      if ((labels[i].find(word) != labels[i].npos) == holds) chosen.push_back(i);
  std::string out;
  for (const size_t i : chosen)
    out += join(out.empty() ? "" : ", ", "'", visible_line(labels[i]), "' (", i, ")");
  return labels.size() > chosen.size() ? join(out, ", ... of ", labels.size()) : out;
}

// The one place that a word stands for: a label as pages show it ("·short"), the word after a space
// ("short"), or one of several by its number ("short#2").
int64_t place_of_word(const std::string& given, const std::string& which,
                      const std::vector<std::string>& labels, const std::string& axes) {
  if (labels.empty())
    fail_call("'", visible_line(given), "' is not a whole number, and the places of ", which,
              " have no words here: ", axes);
  const auto found_as = [&](const std::string& word) {
    std::vector<int64_t> found = places_of(labels, word);
    return found.empty() ? places_of(labels, visible(" ") + word) : found;
  };
  const std::string word = visible(given);
  std::vector<int64_t> found = found_as(visible_line(given));
  if (found.empty()) found = found_as(word);
  if (const size_t mark = given.rfind('#'); found.empty() && mark != given.npos && mark > 0) {
    const std::vector<int64_t> all = found_as(visible(given.substr(0, mark)));
    const auto number = whole_number(std::string_view(given).substr(mark + 1));
    if (number && *number >= 1 && *number <= static_cast<int64_t>(all.size()))
      return all[static_cast<size_t>(*number - 1)];
    if (!all.empty()) fail_call("'", visible_line(given), "': it is there ", all.size(), " times on ", which);
  }
  if (found.size() == 1) return found.front();
  if (found.empty())
    fail_call("no place of ", which, " is called '", visible_line(given), "'; there are ",
              some_of(labels, word));
  std::string places;
  for (const int64_t place : found) places += join(places.empty() ? "" : ", ", place);
  fail_call("'", visible_line(given), "' is there ", found.size(), " times on ", which, ", at ", places,
            "; say which: its number, or ", visible_line(given), "#1");
}

}  // namespace

Index index_of(const CellName& cell, const std::string& name, const Shape& shape, const Trace& trace) {
  Index index(static_cast<size_t>(shape.rank()), 0);
  std::vector<bool> given(index.size(), false);
  // Of a single sentence the batch may be left out.
  const bool batch = shape.rank() > 0 && shape[0].axis == Axis::B && shape[0].size == 1;
  size_t next = batch && cell.places.size() + 1 == index.size() ? 1 : 0;
  for (const auto& [axis, number, word] : cell.places) {
    const int found = axis == Axis::none ? static_cast<int>(next++) : shape.find(axis);
    if (axis != Axis::none && found < 0)
      fail_call("there is no axis ", static_cast<char>(axis), " here: ", axes_of(name, shape));
    if (static_cast<size_t>(found) >= index.size())
      fail_call(cell.places.size(), " places given: ", axes_of(name, shape));
    const int64_t size = shape[found].size;
    const std::string which = shape[found].axis == Axis::none
                                  ? join("place ", found)
                                  : std::string(1, static_cast<char>(shape[found].axis));
    const int64_t place = word.empty()
                              ? number
                              : place_of_word(word, which, labels_of(name, shape[found].axis, size, trace),
                                              axes_of(name, shape));
    const int64_t at = place < 0 ? place + size : place;
    if (at < 0 || at >= size)
      fail_call(which, "=", place, " is outside, expected 0 to ", size - 1,
                axis == Axis::none && cell.places.size() < index.size()
                    ? join(" (", cell.places.size(), " of ", index.size(), " places are given)")
                    : "",
                ": ", axes_of(name, shape));
    if (given[static_cast<size_t>(found)]) fail_call(which, " is given twice: ", axes_of(name, shape));
    index[static_cast<size_t>(found)] = at;
    given[static_cast<size_t>(found)] = true;
  }
  for (int i = 0; i < shape.rank(); ++i)
    if (!given[static_cast<size_t>(i)] && shape[i].size != 1)
      fail_call(
          "which cell? ",
          shape[i].axis == Axis::none ? join("place ", i) : std::string(1, static_cast<char>(shape[i].axis)),
          " is not given: ", axes_of(name, shape));
  return index;
}

CellName cell_named(const std::string& text) {
  const size_t open = text.find('['), last = text.find_last_not_of(' ');
  if (open == std::string::npos) {
    if (text.find(']') != std::string::npos) fail_call("cell '", text, "': the bracket ] was never opened");
    return {text.substr(0, last + 1), {}};
  }
  if (text[last] != ']' || last < open)
    fail_call("cell '", text, "': expected NAME[PLACES], such as blocks.0.attn.pattern[0,2,3,1]");
  CellName cell{text.substr(0, open), {}};
  const std::string_view list = std::string_view(text).substr(open + 1, last - open - 1);
  for (size_t at = 0; at < list.size();) {
    const size_t end = end_of_place(list, at);
    cell.places.push_back(place_named(list.substr(at, end - at), text));
    at = end + 1;
  }
  if (cell.name.empty()) fail_call("cell '", text, "': no name stands before the bracket");
  return cell;
}

}  // namespace limpid
