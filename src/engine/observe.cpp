// Looking at values: what is asked for, and a value in one line.
#include <cmath>

#include "engine/observe.h"

namespace limpid {

namespace {

struct DepthName {
  const char* name;
  Depth depth;
  bool counted;
};
constexpr DepthName k_depths[] = {{"full", Depth::full, false},
                                  {"summary", Depth::summary, false},
                                  {"top", Depth::top, true},
                                  {"entropy", Depth::entropy, false},
                                  {"map", Depth::map, true}};

bool is_whole(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// Digits as a number; what no number of 64 bits is as the largest, which every depth refuses.
int64_t count_of(const std::string& digits) {
  constexpr size_t k_most_digits = 18;
  return digits.size() > k_most_digits ? INT64_MAX : std::stoll(digits);
}

}  // namespace

Observation observation_of(const std::string& text) {
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
            "' is not a depth; expected NAME, NAME:full, NAME:summary, ",
            "NAME:top:8, NAME:entropy or NAME:map:64");
}

std::string to_text(const Observation& o) {
  if (o.depth == Depth::full) return o.pattern;
  for (const DepthName& d : k_depths)
    if (d.depth == o.depth) return o.pattern + ":" + d.name + (o.count ? join(":", o.count) : "");
  return o.pattern;
}

Summary summarize(const ConstView& value, const ConstView& masked_scores) {
  Summary s;
  s.shape = value.shape();
  const int64_t count = value.shape().count();
  if (count == 0) return s;
  const Tensor numbers = Tensor::copy_of(value).to(DType::f64);
  const Tensor mask = masked_scores.empty() ? Tensor() : Tensor::copy_of(masked_scores).to(DType::f64);
  const double* x = numbers.data<double>();
  const double* z = masked_scores.empty() ? nullptr : mask.data<double>();
  const auto looked_at = [&](int64_t i) { return !z || z[i] != -INFINITY; };
  int64_t finite = 0;
  double sum = 0;
  s.least = INFINITY;
  s.most = -INFINITY;
  for (int64_t i = 0; i < count; ++i) {
    if (!looked_at(i)) continue;
    ++s.count;
    if (!std::isfinite(x[i])) {
      ++s.non_finite;
      continue;
    }
    ++finite;
    sum += x[i];
    s.least = std::min(s.least, x[i]);
    s.most = std::max(s.most, x[i]);
  }
  if (finite == 0) {
    s.least = s.most = 0;
    return s;
  }
  s.mean = sum / static_cast<double>(finite);
  double squares = 0;
  for (int64_t i = 0; i < count; ++i)
    if (looked_at(i) && std::isfinite(x[i])) squares += (x[i] - s.mean) * (x[i] - s.mean);
  s.spread = std::sqrt(squares / static_cast<double>(finite));
  return s;
}

Summary summarize(const ConstView& value) { return summarize(value, {}); }

}  // namespace limpid
