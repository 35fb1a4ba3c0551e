// What limpid generate is asked for: of one text (generate.cpp) and of many (generate_lines.cpp).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "limpid/input.h"
#include "limpid/model.h"
#include "limpid/terminal.h"

namespace limpid::command {

struct GenerateCall {
  std::optional<std::string> text;
  std::string lines;   // a file of texts
  int64_t batch = 16;  // of these side by side
  ModelCall model;
  bool json = false, stats = false, watch = false;
  std::string out;  // where the trace is kept
  bool chat = false;
  std::optional<std::string> system;  // message of a chat
  int64_t samples = 1;
  std::string cache = "f32";
  GenerateOptions options;
};

/// What the model reads, and what is written behind it or beside it.
struct Written {
  std::string shown;  // the text that is printed before what is written
  std::vector<int64_t> prompt, source, text;
};

Written begun(const Model&, const GenerateCall&, const std::string& given);

/// JSON is UTF-8; bytes that are not are written as numbers.
Json json_of_text(const std::string& text);
/// How tokens are chosen.
Json settings_json(const GenerateOptions&);

/// Writes each line's text, in the order of the file.
void generate_lines(const GenerateCall&, const Model&, const std::vector<std::string>& lines,
                    GenerateOptions options, const Terminal&);

}  // namespace limpid::command
