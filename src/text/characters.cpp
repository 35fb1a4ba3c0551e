// The characters kind: one token per Unicode code point of a known list.
#include <algorithm>
#include <set>
#include <unordered_map>

#include "core/label.h"
#include "core/width.h"
#include "limpid/text.h"
#include "text/json_text.h"
#include "text/utf8.h"

namespace limpid {
namespace {

[[noreturn]] void fail_not_utf8(std::string_view text, size_t at, size_t number) {
  fail_call("characters: ", visible(text.substr(at, 1)), " at byte ", at, " (character ", number + 1,
            ") of the text is not UTF-8; expected UTF-8 text (the bytes kind takes any file)");
}

class Characters final : public Tokenizer {
 public:
  explicit Characters(std::vector<std::string> list) : list_(std::move(list)) {
    if (list_.empty()) fail_call("characters: no characters; expected at least one");
    for (size_t i = 0; i < list_.size(); ++i) {
      const std::string& entry = list_[i];
      const bool one =
          !entry.empty() && character_at(entry, 0).valid && character_at(entry, 0).size == entry.size();
      if (!one)
        fail_call("characters: entry ", i, " is ", in_quotes(entry), ", expected one UTF-8 character");
      const auto [at, fresh] = ids_.emplace(character_at(entry, 0).point, static_cast<int64_t>(i));
      if (!fresh) fail_call("characters: entry ", i, ", ", in_quotes(entry), ", repeats entry ", at->second);
    }
  }
  std::string kind() const override { return "characters"; }
  int64_t vocabulary() const override { return static_cast<int64_t>(list_.size()); }
  std::string to_json() const override {
    return nlohmann::json{{"kind", "characters"}, {"characters", list_}}.dump();
  }

 private:
  void append(std::string_view text, Specials, Encoding& out) const override {
    for (size_t at = 0; at < text.size();) {
      const Character c = character_at(text, at);
      if (!c.valid) fail_not_utf8(text, at, out.ids.size());
      const auto known = ids_.find(c.point);
      if (known == ids_.end()) fail_unknown(text, at, out.ids.size());
      out.ids.push_back(known->second);
      out.spans.push_back({at, at + c.size});
      at += c.size;
    }
  }

  [[noreturn]] void fail_unknown(std::string_view text, size_t at, size_t number) const {
    const Character c = character_at(text, at);
    char point[16];
    std::snprintf(point, sizeof point, "U+%04X", static_cast<unsigned>(c.point));
    std::string known;
    for (const std::string& entry : list_) known += visible(entry);
    fail_call("characters: ", in_quotes(text.substr(at, c.size)), " (", point, "), character ", number + 1,
              " of the text (byte ", at, "), is not one of the ", list_.size(),
              " characters of the vocabulary: ", clip_to_width(known, 100));
  }

  std::string bytes_of(int64_t id) const override { return list_[static_cast<size_t>(id)]; }

  std::vector<std::string> list_;
  std::unordered_map<char32_t, int64_t> ids_;
};

}  // namespace

std::unique_ptr<Tokenizer> character_tokenizer(std::vector<std::string> characters) {
  return std::make_unique<Characters>(std::move(characters));
}

std::unique_ptr<Tokenizer> character_tokenizer_from(std::string_view text) {
  std::set<char32_t> points;
  size_t number = 0;
  for (size_t at = 0; at < text.size(); ++number) {
    const Character c = character_at(text, at);
    if (!c.valid) fail_not_utf8(text, at, number);
    points.insert(c.point);
    at += c.size;
  }
  if (points.empty()) fail_call("characters: the text is empty; expected text to take the characters from");
  std::vector<std::string> list;
  for (const char32_t point : points) list.push_back(text::utf8(point));
  return character_tokenizer(std::move(list));
}

}  // namespace limpid
