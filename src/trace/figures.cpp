#include "trace/figures.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace limpid {

Figures::Figures(const std::vector<double>& values, int decimals) : decimals_(std::clamp(decimals, 0, 17)) {
  double most = 0;
  for (double value : values)
    if (std::isfinite(value)) most = std::max(most, std::fabs(value));
  exponent_ = most >= 1e6 && decimals > 0;
  // Two figures that mean something, where all would be 0.000 otherwise.
  if (decimals > 0 && most > 0) {
    const int room = decimals_ + 4;
    while (decimals_ < room && most * std::pow(10, decimals_) < 9.5) ++decimals_;
    if (most * std::pow(10, decimals_) < 9.5) {
      exponent_ = true;
      decimals_ = decimals;
    }
  }
  for (double value : values) width_ = std::max(width_, text(value).size());
}

std::string Figures::text(double value) const {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[400];
  std::snprintf(buffer, sizeof buffer, exponent_ ? "%.*e" : "%.*f", decimals_, value);
  const bool zero = std::string_view(buffer).find_first_not_of("-0.e+") == std::string_view::npos;
  if (!zero) return buffer;
  if (value == 0 || decimals_ == 0) return "0";
  std::string least = buffer[0] == '-' ? buffer + 1 : buffer;  // "<0.001": smaller than these digits can show
  least[std::min(least.find('e'), least.size()) - 1] = '1';
  return (value < 0 ? ">-" : "<") + least;
}

std::string bar(double share, size_t columns) {
  static const char* const k_eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  if (!(share > 0)) return "";
  const auto eighths =
      static_cast<size_t>(std::lround(std::min(share, 1.0) * 8 * static_cast<double>(columns)));
  std::string out;
  for (size_t i = 0; i < eighths / 8; ++i) out += "█";
  return out + k_eighths[eighths % 8];
}

std::string level(double share) {
  static const char* const k_levels[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (!(share > 0)) return " ";
  return k_levels[std::lround(std::min(share, 1.0) * 8)];
}

std::vector<int64_t> kept(int64_t count, int64_t most) {
  most = std::max<int64_t>(most, 2);
  std::vector<int64_t> out;
  const int64_t first = count <= most ? count : most / 2, last = count <= most ? 0 : most - 1 - first;
  for (int64_t i = 0; i < first; ++i) out.push_back(i);
  if (count > most) out.push_back(k_gap);
  for (int64_t i = count - last; i < count; ++i) out.push_back(i);
  return out;
}

std::string grouped(int64_t number) {
  std::string digits = std::to_string(number);
  for (auto at = static_cast<int64_t>(digits.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3)
    digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

std::string plural(const std::string& word) {
  const bool hisses = word.ends_with('s') || word.ends_with('x') || word.ends_with("ch");
  return word + (hisses ? "es" : "s");
}

std::string counted(int64_t count, const std::string& word) {
  return count == 1 ? "1 " + word : grouped(count) + " " + plural(word);
}

}  // namespace limpid
