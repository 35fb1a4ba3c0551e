// The words kind: one token per run of non-space characters, out of a known list.
#include <algorithm>
#include <unordered_map>

#include "core/label.h"
#include "limpid/text.h"
#include "text/json_text.h"
#include "text/utf8.h"

namespace limpid {
namespace {

// How many single-byte insertions, deletions, replacements and swaps of neighbours part two words
// (optimal string alignment), or `limit` + 1 where it is more than `limit`.
size_t edit_distance(std::string_view a, std::string_view b, size_t limit) {
  const size_t more = limit + 1;
  if (a.size() > b.size() + limit || b.size() > a.size() + limit) return more;
  std::vector<size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1])});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    if (*std::min_element(row.begin(), row.end()) > limit) return more;
    std::swap(before, above);
    std::swap(above, row);
  }
  return std::min(above[b.size()], more);
}

// Words of the list that the unknown one may have been meant as: nearest first, at most three.
std::vector<std::string> close_words(const std::vector<std::string>& list, std::string_view word) {
  const size_t limit = word.size() <= 3 ? 1 : word.size() <= 7 ? 2 : 3;
  std::vector<std::pair<size_t, size_t>> found;  // distance, index
  for (size_t i = 0; i < list.size(); ++i) {
    const size_t distance = edit_distance(word, list[i], limit);
    if (distance <= limit && distance < word.size()) found.emplace_back(distance, i);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> words;
  for (size_t i = 0; i < found.size() && i < 3; ++i) words.push_back(in_quotes(list[found[i].second]));
  return words;
}

std::string comma_list(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) {
    if (!out.empty()) out += ", ";
    out += item;
  }
  return out;
}

class Words final : public Tokenizer {
 public:
  explicit Words(std::vector<std::string> list) : list_(std::move(list)) {
    if (list_.empty()) fail_call("words: no words; expected at least one");
    for (size_t i = 0; i < list_.size(); ++i) {
      const std::vector<Span> runs = text::words_in(list_[i]);
      if (runs.size() != 1 || runs[0] != Span{0, list_[i].size()}) {
        fail_call("words: entry ", i, " is ", in_quotes(list_[i]), ", expected a word without white space");
      }
      const auto [at, fresh] = ids_.emplace(list_[i], static_cast<int64_t>(i));
      if (!fresh) fail_call("words: entry ", i, ", ", in_quotes(list_[i]), ", repeats entry ", at->second);
    }
  }
  std::string kind() const override { return "words"; }
  int64_t vocabulary() const override { return static_cast<int64_t>(list_.size()); }
  std::string to_json() const override {
    nlohmann::json words = nlohmann::json::array();
    for (const std::string& word : list_) words.push_back(text::json_text(word));
    return nlohmann::json{{"kind", "words"}, {"words", std::move(words)}}.dump();
  }

 private:
  void append(std::string_view text, Specials, Encoding& out) const override {
    for (const Span& place : text::words_in(text)) {
      const std::string word(text.substr(place.begin, place.end - place.begin));
      const auto known = ids_.find(word);
      if (known == ids_.end()) fail_unknown(word, place.begin, out.ids.size());
      out.ids.push_back(known->second);
      out.spans.push_back(place);
    }
  }

  [[noreturn]] void fail_unknown(const std::string& word, size_t byte, size_t number) const {
    const std::vector<std::string> close = close_words(list_, word);
    std::string hint = "; close to it: " + comma_list(close);
    if (close.empty()) {
      std::vector<std::string> some;
      for (size_t i = 0; i < list_.size() && i < 12; ++i) some.push_back(in_quotes(list_[i]));
      hint = (list_.size() <= 12 ? "; they are: " : "; the first are: ") + comma_list(some);
    }
    fail_call("words: ", in_quotes(word), ", word ", number + 1, " of the text (byte ", byte,
              "), is not one of the ", list_.size(), " words of the vocabulary", hint);
  }

  std::string bytes_of(int64_t id) const override { return list_[static_cast<size_t>(id)]; }
  std::string_view between() const override { return " "; }

  std::vector<std::string> list_;
  std::unordered_map<std::string, int64_t> ids_;
};

}  // namespace

std::unique_ptr<Tokenizer> word_tokenizer(std::vector<std::string> words) {
  return std::make_unique<Words>(std::move(words));
}

std::unique_ptr<Tokenizer> word_tokenizer_from(std::string_view text) {
  std::vector<std::string> list;
  std::unordered_map<std::string_view, size_t> seen;
  for (const Span& place : text::words_in(text)) {
    const std::string_view word = text.substr(place.begin, place.end - place.begin);
    if (seen.emplace(word, list.size()).second) list.emplace_back(word);
  }
  if (list.empty()) fail_call("words: the text holds no words; expected text to take the words from");
  return word_tokenizer(std::move(list));
}

}  // namespace limpid
