// Numbers as text and back, without a locale: the same text on every machine.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace limpid {

/// The shortest text that reads back as the same number ("0.1", "-2.5e-07", "3", "nan", "inf", "-inf").
/// Written plainly from 1e-5 to below 1e16 and with an exponent outside.
std::string number_text(double value);
/// Shortest for a float: 0.1f is "0.1".
std::string number_text(float value);

/// The number that the whole text stands for, spaces and tabs around it allowed; nothing if it is anything
/// else, or beyond what a double can hold.
std::optional<double> parse_number(std::string_view text);

}  // namespace limpid
