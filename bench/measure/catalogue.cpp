#include "bench/measure/catalogue.h"

#include <algorithm>
#include <sstream>

#include "limpid/error.h"

namespace limpid::bench {
namespace {

std::vector<std::string> words_of(const std::string& text, char gap = ' ') {
  std::vector<std::string> words;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, gap);)
    if (!word.empty()) words.push_back(word);
  return words;
}

std::vector<std::string> words_of(const Case& c) {
  std::vector<std::string> words = {c.what, c.type, c.mask, c.layout};
  for (const std::string& word : words_of(c.what, '_')) words.push_back(word);
  for (const std::string& word : words_of(c.shape)) words.push_back(word);
  return words;
}

bool matches(const Case& c, const std::string& pattern) {
  const std::vector<std::string> known = words_of(c);
  const std::vector<std::string> asked = words_of(pattern);
  return std::all_of(asked.begin(), asked.end(), [&](const std::string& word) {
    return std::find(known.begin(), known.end(), word) != known.end();
  });
}

void add_once(std::vector<std::string>& list, const std::string& word) {
  if (std::find(list.begin(), list.end(), word) == list.end()) list.push_back(word);
}

[[noreturn]] void fail_pattern(const std::vector<Case>& all, const std::string& pattern) {
  std::vector<std::string> words;
  for (const Case& c : all) add_once(words, c.what);
  for (const Case& c : all)
    for (const std::string& word : {c.type, c.mask, c.layout}) add_once(words, word);
  for (const Case& c : all) add_once(words, words_of(c.shape).front());
  std::string list;
  for (const std::string& word : words) list += (list.empty() ? "" : ", ") + word;
  fail_call("--only \"", pattern, "\" matches nothing that can be timed; the words are ", list);
}

}  // namespace

std::vector<Case> catalogue() {
  std::vector<Case> all;
  add_attention(all);
  add_decode(all);
  add_products(all);
  add_token(all);
  add_rows(all);
  add_training(all);
  return all;
}

std::vector<Case> select(std::vector<Case> all, const std::vector<std::string>& only) {
  if (only.empty()) return all;
  for (const std::string& pattern : only)
    if (words_of(pattern).empty() ||
        std::none_of(all.begin(), all.end(), [&](const Case& c) { return matches(c, pattern); }))
      fail_pattern(all, pattern);
  std::erase_if(all, [&](const Case& c) {
    return std::none_of(only.begin(), only.end(), [&](const std::string& p) { return matches(c, p); });
  });
  return all;
}

}  // namespace limpid::bench
