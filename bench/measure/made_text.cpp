#include "bench/measure/made_text.h"

#include <cmath>
#include <vector>

#include "limpid/random.h"

namespace limpid::bench {

std::string made_text(size_t bytes) {
  Random random(1, stream_named("bench text"));
  const std::string letters = "abcdefghijklmnopqrstuvwxyz", signs = ".,;:!?-'&$3";
  std::vector<std::string> words;
  for (int i = 0; i < 4000; ++i) {
    std::string word(2 + random.below(7), ' ');
    for (char& c : word) c = letters[random.below(random.below(26) + 1)];  // early letters more often
    if (i % 9 == 0) word[0] = static_cast<char>(word[0] - 'a' + 'A');
    words.push_back(word);
  }
  std::string text;
  for (char c : letters) text += {c, static_cast<char>(c - 'a' + 'A')};
  text += signs + '\n';
  while (text.size() < bytes) {
    const auto rank = static_cast<size_t>(std::pow(4000.0, random.uniform())) - 1;  // Zipf: 1 / rank
    text += words[rank];
    if (random.below(8) == 0) text += signs[random.below(signs.size())];
    text += random.below(12) == 0 ? '\n' : ' ';
  }
  return text;
}

std::string made_words(int64_t vocabulary, int64_t count) {
  Random random(1, stream_named("bench words"));
  std::string text;
  for (int64_t i = 0; i < count; ++i)
    text += 'w' + std::to_string(i < vocabulary ? i : static_cast<int64_t>(random.below(vocabulary))) + ' ';
  return text;
}

}  // namespace limpid::bench
