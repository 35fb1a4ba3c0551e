// The textbook's network in the explorer: made for the words of each text, with NumPy's random numbers.
#pragma once

#include <string>
#include <string_view>

#include "explore/host.h"
#include "limpid/network.h"

namespace limpid::explore {

/// What its model is called.
inline constexpr const char* k_textbook_name = "textbook";

struct Textbook {
  TextbookConfig config;  // its vocabulary and context are each text's
  uint32_t seed = 7;
};

/// The network for one text.  Throws Error{call} for one without a word.
Model textbook_of(const Textbook&, const std::string& text);
Subject textbook_subject(const Textbook&);

/// As a page carries it: {"textbook": {...}, "seed": 7}; and back, throwing Error{call} naming what is wrong.
std::string to_json(const Textbook&);
Textbook textbook_from_json(std::string_view json);

}  // namespace limpid::explore
