#include "limpid/token.h"

#include "core/label.h"
#include "limpid/text.h"

namespace limpid::command {

namespace {

Encoding encoding_of(const Trace& trace) {
  Encoding encoding;
  for (const Token& token : trace.tokens) {
    encoding.ids.push_back(token.id);
    encoding.spans.push_back({token.begin, token.end});
  }
  return encoding;
}

// The tokens that the page calls by this label.
std::vector<int> labelled(const Trace& trace, const std::string& label) {
  std::vector<int> found;
  for (size_t i = 0; i < trace.tokens.size(); ++i)
    if (trace.tokens[i].label == label) found.push_back(static_cast<int>(i));
  return found;
}

}  // namespace

std::vector<int> positions_of(const Trace& trace, const std::string& argument) {
  const TokenChoice choice = parse_token_choice(argument);
  const auto count = static_cast<int64_t>(trace.tokens.size());
  const std::string words = trace.token_word + (trace.token_word == "patch" ? "es" : "s");
  if (choice.index) {
    const int64_t index = *choice.index < 0 ? *choice.index + count : *choice.index;
    if (index < 0 || index >= count)
      fail_call("--token ", argument, ": there are ", count, " ", words, ", 0 to ", count - 1);
    return {static_cast<int>(index)};
  }
  std::vector<int> found;
  if (trace.text.empty() || trace.token_word == "patch") {  // bare ids, vectors, patches: by their labels
    found = labelled(trace, choice.word);
    if (found.empty())
      fail_call("--token ", argument, ": not here; there are ", count, " ", words, ", from ",
                in_quotes(trace.tokens.front().label), " to ", in_quotes(trace.tokens.back().label));
    if (choice.number && *choice.number > static_cast<int64_t>(found.size()))
      fail_call("--token ", argument, ": it is there ", found.size(), " times");
    return {found[static_cast<size_t>(choice.number.value_or(1) - 1)]};
  }
  const std::vector<int> pieces = labelled(trace, choice.word);
  if (!choice.number && pieces.size() == 1)
    return pieces;  // as the page writes it: "·short", or a piece of a word
  const WordPlace place = find_word(trace.text, encoding_of(trace), argument).front();
  for (int64_t i = place.first_token; i < place.end_token; ++i) found.push_back(static_cast<int>(i));
  return found;
}

}  // namespace limpid::command
