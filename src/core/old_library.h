// What C++20's library has and the one of Debian 12's emscripten lacks (its libc++ is LLVM 13's).  The preset
// `web` puts this before every source (cmake/web.cmake), and nothing else includes it: where the library has
// a thing, it is the library's.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <version>

namespace std {

#ifndef __cpp_lib_bit_cast
template <class To, class From>
constexpr To bit_cast(const From& from) noexcept {
  static_assert(sizeof(To) == sizeof(From));
  return __builtin_bit_cast(To, from);
}
#endif

#ifndef __cpp_lib_smart_ptr_for_overwrite
template <class Array>
unique_ptr<Array> make_unique_for_overwrite(size_t size) {
  return unique_ptr<Array>(new remove_extent_t<Array>[size]);
}
template <class Array>
shared_ptr<Array> make_shared_for_overwrite(size_t size) {
  return shared_ptr<Array>(new remove_extent_t<Array>[size]);
}
#endif

}  // namespace std

#if defined(_LIBCPP_VERSION) && _LIBCPP_VERSION < 200000

namespace limpid::old_library {

inline double read(const char* text, char** end, double) { return std::strtod(text, end); }
inline float read(const char* text, char** end, float) { return std::strtof(text, end); }

// The fewest digits that read back as the same number, and where the point stands behind the first of them.
template <class Real>
struct Digits {
  explicit Digits(Real value) {
    char text[64];
    for (int digits = 1; digits <= 17; ++digits) {
      std::snprintf(text, sizeof text, "%.*e", digits - 1, static_cast<double>(value));
      if (read(text, nullptr, Real()) == value) break;
    }
    const char* at = text;
    negative = *at == '-';
    if (negative) ++at;
    for (; *at && *at != 'e'; ++at)
      if (*at != '.') all += *at;
    exponent = std::atoi(at + 1);
  }
  std::string all;
  int exponent = 0;
  bool negative = false;
};

template <class Real>
std::string written(Real value, bool scientific) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  Digits<Real> digits(value);
  std::string out = digits.negative ? "-" : "", &all = digits.all;
  if (scientific) {
    out += all[0];
    if (all.size() > 1) out += "." + all.substr(1);
    char tail[16];
    std::snprintf(tail, sizeof tail, "e%c%02d", digits.exponent < 0 ? '-' : '+', std::abs(digits.exponent));
    return out + tail;
  }
  if (digits.exponent < 0)
    return out + "0." + std::string(static_cast<size_t>(-digits.exponent - 1), '0') + all;
  const auto whole = static_cast<size_t>(digits.exponent) + 1;
  if (all.size() > whole) return out + all.substr(0, whole) + "." + all.substr(whole);
  char exact[400];  // a large whole number is written with all its own digits
  std::snprintf(exact, sizeof exact, "%.0f", static_cast<double>(value));
  return exact;
}

template <class Real>
std::to_chars_result put(char* first, char* last, Real value, bool scientific) {
  const std::string text = written(value, scientific);
  if (static_cast<size_t>(last - first) < text.size()) return {last, std::errc::value_too_large};
  std::memcpy(first, text.data(), text.size());
  return {first + text.size(), std::errc()};
}

// The numbers that from_chars takes, which are fewer than strtod's: no blanks, no +, no hexadecimal.
template <class Real>
std::from_chars_result take(const char* first, const char* last, Real& value) {
  const char* at = first;
  const auto digits = [&] {
    const char* begin = at;
    while (at < last && *at >= '0' && *at <= '9') ++at;
    return at - begin;
  };
  const auto word = [&](const char* text) {
    const size_t size = std::strlen(text);
    if (static_cast<size_t>(last - at) < size) return false;
    for (size_t i = 0; i < size; ++i)
      if ((at[i] | 0x20) != text[i]) return false;
    at += size;
    return true;
  };
  if (at < last && *at == '-') ++at;
  if (!word("infinity") && !word("inf") && !word("nan")) {
    auto count = digits();
    if (at < last && *at == '.') ++at, count += digits();
    if (count == 0) return {first, std::errc::invalid_argument};
    const char* before = at;
    if (at < last && (*at | 0x20) == 'e') {
      ++at;
      if (at < last && (*at == '-' || *at == '+')) ++at;
      if (digits() == 0) at = before;
    }
  }
  const std::string text(first, at);
  const Real read_back = read(text.c_str(), nullptr, Real());
  const bool said_infinite = text.find_first_of("iInN") != text.npos;
  if (std::isinf(read_back) && !said_infinite) return {at, std::errc::result_out_of_range};
  if (read_back == 0 && text.find_first_of("123456789") < text.find_first_of("eE"))
    return {at, std::errc::result_out_of_range};
  value = read_back;
  return {at, std::errc()};
}

}  // namespace limpid::old_library

namespace std {
#if _LIBCPP_VERSION < 14000
inline to_chars_result to_chars(char* first, char* last, double value, chars_format format) {
  return limpid::old_library::put(first, last, value, format == chars_format::scientific);
}
inline to_chars_result to_chars(char* first, char* last, float value, chars_format format) {
  return limpid::old_library::put(first, last, value, format == chars_format::scientific);
}
#endif
inline from_chars_result from_chars(const char* first, const char* last, double& value) {
  return limpid::old_library::take(first, last, value);
}
inline from_chars_result from_chars(const char* first, const char* last, float& value) {
  return limpid::old_library::take(first, last, value);
}
}  // namespace std
#endif
