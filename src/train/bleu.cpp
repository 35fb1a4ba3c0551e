#include "train/bleu.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "limpid/train.h"
#include "text/utf8.h"

namespace limpid {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_point(char c) { return c == '.' || c == ','; }
// [\{-\~\[-\` -\&\(-\+\:-\@\/] of mteval-v13a.
bool is_sign(char c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
         (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

// Pairs of neighbours for which `fits` holds, from left to right and none twice, as `written`.
template <class Fits>
std::string pairs_replaced(const std::string& text, const Fits& fits, const char* before, const char* between,
                           const char* behind) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && fits(text[i], text[i + 1])) {
      out += before + std::string(1, text[i]) + between + text[i + 1] + behind;
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

constexpr size_t k_order = 4;  // the longest run of words that is counted

using Counts = std::map<std::vector<std::string>, int64_t>;

Counts counts_of(const std::vector<std::string>& words, size_t size) {
  Counts counts;
  for (size_t i = 0; i + size <= words.size(); ++i)
    ++counts[{words.begin() + static_cast<int64_t>(i), words.begin() + static_cast<int64_t>(i + size)}];
  return counts;
}

}  // namespace

std::vector<std::string> bleu_tokens(std::string_view line) {
  std::string text(line);
  replace_all(text, "<skipped>", "");
  replace_all(text, "-\n", "");
  replace_all(text, "\n", " ");
  for (const auto& [name, sign] : {std::pair{"&quot;", "\""}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}})
    replace_all(text, name, sign);
  text = " " + text + " ";
  std::string apart;
  for (const char c : text) is_sign(c) ? apart += std::string(" ") + c + " " : apart += c;
  text = pairs_replaced(apart, [](char a, char b) { return !is_digit(a) && is_point(b); }, "", " ", " ");
  text = pairs_replaced(text, [](char a, char b) { return is_point(a) && !is_digit(b); }, " ", " ", "");
  text = pairs_replaced(text, [](char a, char b) { return is_digit(a) && b == '-'; }, "", " ", " ");
  std::vector<std::string> words;
  for (const Span& word : text::words_in(text))
    words.push_back(text.substr(word.begin, word.end - word.begin));
  return words;
}

double bleu(const std::vector<std::string>& said, const std::vector<std::string>& references) {
  if (said.size() != references.size())
    fail_call("bleu: ", said.size(), " texts and ", references.size(), " references, expected one each");
  std::array<int64_t, k_order> matches{}, totals{};
  int64_t said_words = 0, reference_words = 0;
  for (size_t i = 0; i < said.size(); ++i) {
    const std::vector<std::string> ours = bleu_tokens(said[i]), theirs = bleu_tokens(references[i]);
    said_words += static_cast<int64_t>(ours.size());
    reference_words += static_cast<int64_t>(theirs.size());
    for (size_t n = 1; n <= k_order; ++n) {
      const Counts want = counts_of(theirs, n);
      for (const auto& [run, count] : counts_of(ours, n)) {
        totals[n - 1] += count;
        const auto found = want.find(run);
        if (found != want.end()) matches[n - 1] += std::min(count, found->second);
      }
    }
  }
  double logs = 0, smoothing = 1;
  for (size_t n = 0; n < k_order; ++n) {
    if (totals[n] == 0) return 0;
    if (matches[n] == 0) smoothing *= 2;
    const auto right = matches[n] > 0 ? static_cast<double>(matches[n]) : 1 / smoothing;
    logs += std::log(right / static_cast<double>(totals[n])) / k_order;
  }
  const double shorter = 1 - static_cast<double>(reference_words) / static_cast<double>(said_words);
  return 100 * std::exp(logs + std::min(0.0, shorter));
}

}  // namespace limpid
