// Looking at values: what is asked for, and a value in one line.
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "engine/observe.h"

namespace limpid {

namespace {

struct DepthName {
  const char* name;
  Depth depth;
  bool counted;
};
constexpr DepthName k_depths[] = {{"full", Depth::full, false},       {"shape", Depth::shape, false},
                                  {"summary", Depth::summary, false}, {"top", Depth::top, true},
                                  {"entropy", Depth::entropy, false}, {"map", Depth::map, true}};

bool is_whole(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// Digits as a number; what no number of 64 bits is as the largest, which every depth refuses.
int64_t count_of(const std::string& digits) {
  constexpr size_t k_most_digits = 18;
  return digits.size() > k_most_digits ? INT64_MAX : std::stoll(digits);
}

// "0..7,-1" as positions.
std::vector<int64_t> places_of(std::string_view text) {
  constexpr int64_t k_most_places = 1 << 20;
  std::vector<int64_t> places;
  const auto refuse = [&](std::string_view item) {
    fail_call("observe: rows '", item, "': expected positions such as rows:0..7,-1, where -1 is the last");
  };
  const auto number = [&](std::string_view word) {
    int64_t out = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
    if (error != std::errc() || end != word.data() + word.size() || std::abs(out) > (int64_t{1} << 40))
      refuse(word);
    return out;
  };
  while (true) {
    const std::string_view item = text.substr(0, text.find(','));
    const size_t dots = item.find("..");
    const int64_t first = number(item.substr(0, dots)),
                  last = dots == item.npos ? first : number(item.substr(dots + 2));
    if (last < first || (first < 0) != (last < 0) || last - first >= k_most_places) refuse(item);
    for (int64_t place = first; place <= last; ++place) places.push_back(place);
    if (item.size() == text.size()) return places;
    text.remove_prefix(item.size() + 1);
  }
}

std::string places_text(const std::vector<int64_t>& places) {
  std::string out;
  for (size_t i = 0; i < places.size();) {
    size_t end = i + 1;
    while (end < places.size() && places[end] == places[end - 1] + 1 && places[end] != 0) ++end;
    out += join(out.empty() ? "" : ",", places[i]);
    if (end - i > 1) out += join("..", places[end - 1]);
    i = end;
  }
  return out;
}

}  // namespace

Observation observation_of(const std::string& text) {
  constexpr std::string_view k_rows = ":rows:";
  if (const size_t at = text.rfind(k_rows); at != std::string::npos)
    return {text.substr(0, at), Depth::rows, 0, places_of(std::string_view(text).substr(at + k_rows.size()))};
  size_t colon = text.rfind(':');
  if (colon == std::string::npos) return {text, Depth::full};
  std::string word = text.substr(colon + 1);
  int64_t count = 0;
  const size_t before = colon == 0 ? std::string::npos : text.rfind(':', colon - 1);
  if (is_whole(word) && before != std::string::npos) {
    count = count_of(word);
    word = text.substr(before + 1, colon - before - 1);
    colon = before;
  }
  for (const DepthName& d : k_depths)
    if (word == d.name && (d.counted || count == 0) &&
        (count > 0 || !is_whole(text.substr(text.rfind(':') + 1))))
      return {text.substr(0, colon), d.depth, count};
  fail_call("observe: '", text.substr(text.find(':') + 1),
            "' is not a depth; expected NAME, NAME:full, NAME:shape, NAME:summary, ",
            "NAME:rows:0..7,-1, NAME:top:8, NAME:entropy or NAME:map:64");
}

std::string to_text(const Observation& o) {
  if (o.depth == Depth::full) return o.pattern;
  if (o.depth == Depth::rows) return o.pattern + ":rows:" + places_text(o.places);
  for (const DepthName& d : k_depths)
    if (d.depth == o.depth) return o.pattern + ":" + d.name + (o.count ? join(":", o.count) : "");
  return o.pattern;
}

namespace {

// Over the cells of x where z, if there is one, is not -inf.
template <class Real>
void add_up(Summary& s, const Real* x, const Real* z, int64_t count) {
  const auto seen = [&](int64_t i) { return !z || z[i] != -INFINITY; };
  int64_t finite = 0;
  double sum = 0, least = INFINITY, most = -INFINITY;
  for (int64_t i = 0; i < count; ++i) {
    if (!seen(i)) continue;
    ++s.count;
    const double number = static_cast<double>(x[i]);
    if (!std::isfinite(number)) {
      ++s.non_finite;
      continue;
    }
    ++finite;
    sum += number;
    least = std::min(least, number);
    most = std::max(most, number);
  }
  if (finite == 0) return;
  s.least = least;
  s.most = most;
  s.mean = sum / static_cast<double>(finite);
  double squares = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double number = static_cast<double>(x[i]);
    if (seen(i) && std::isfinite(number)) squares += (number - s.mean) * (number - s.mean);
  }
  s.spread = std::sqrt(squares / static_cast<double>(finite));
}

}  // namespace

Summary summarize(const ConstView& value, const ConstView& masked_scores) {
  Summary s;
  s.shape = value.shape();
  const int64_t count = value.shape().count();
  if (count == 0) return s;
  // Where the numbers lie as the loop reads them nothing is copied: a value of a long text has hundreds of
  // millions.
  const bool masks = !masked_scores.empty();
  const auto in_place = [&](DType type) {
    return value.dtype() == type && value.contiguous() &&
           (!masks || (masked_scores.dtype() == type && masked_scores.contiguous()));
  };
  if (in_place(DType::f32)) {
    add_up(s, value.data<float>(), masks ? masked_scores.data<float>() : nullptr, count);
    return s;
  }
  const Tensor numbers = Tensor::copy_of(value).to(DType::f64);
  const Tensor mask = masks ? Tensor::copy_of(masked_scores).to(DType::f64) : Tensor();
  add_up(s, numbers.data<double>(), masks ? mask.data<double>() : nullptr, count);
  return s;
}

Summary summarize(const ConstView& value) { return summarize(value, {}); }

int rows_axis(const Shape& shape) {
  const int t = shape.find(Axis::T);
  return t >= 0 ? t : shape.find(Axis::S);
}

}  // namespace limpid
