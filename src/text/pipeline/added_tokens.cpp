#include "text/pipeline/added_tokens.h"

#include <algorithm>

#include "core/label.h"
#include "text/pipeline/unicode.h"

namespace limpid::text {
namespace {

constexpr size_t k_longest = 1024;  // at each place of a text this many bytes may be looked at

// The character that ends at byte `end`.
Character character_before(std::string_view text, size_t end) {
  size_t begin = end - 1;
  while (begin > 0 && end - begin < 4 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  return character_at(text, begin);
}

bool stands_alone(std::string_view text, size_t begin, size_t end) {
  return (begin == 0 || !is_word(character_before(text, begin).point)) &&
         (end == text.size() || !is_word(character_at(text, end).point));
}

size_t spaces_before(std::string_view text, size_t begin, size_t least) {
  while (begin > least) {
    const Character c = character_before(text, begin);
    if (!is_space(c.point)) break;
    begin -= c.size;
  }
  return std::max(begin, least);
}

size_t spaces_after(std::string_view text, size_t end) {
  while (end < text.size()) {
    const Character c = character_at(text, end);
    if (!is_space(c.point)) break;
    end += c.size;
  }
  return end;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const AddedToken& token = tokens_[i];
    if (token.content.size() > k_longest || token.match.size() > k_longest) {
      fail_work("added token ", token.id, " has ", token.content.size(), " bytes, expected at most ",
                k_longest);
    }
    const auto [at, fresh] = by_id_.try_emplace(token.id, i);
    if (!fresh && tokens_[at->second].content != token.content) {
      fail_work("added tokens ", in_quotes(tokens_[at->second].content), " and ", in_quotes(token.content),
                " have the id ", token.id);
    }
    by_content_[token.content] = i;
    if (!token.match.empty()) {
      tries_[token.normalized].add(token.match, static_cast<uint32_t>(i));
      some_[token.normalized] = true;
    }
    if (token.special) {
      if (special_.size() <= static_cast<size_t>(token.id))
        special_.resize(static_cast<size_t>(token.id) + 1);
      special_[static_cast<size_t>(token.id)] = true;
    }
  }
}

const AddedToken* AddedTokens::by_id(int64_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &tokens_[found->second];
}

const AddedToken* AddedTokens::by_content(std::string_view content) const {
  const auto found = by_content_.find(std::string(content));
  return found == by_content_.end() ? nullptr : &tokens_[found->second];
}

// The longest one that begins at a place.
const AddedToken* AddedTokens::at(std::string_view text, size_t at, bool normalized) const {
  const AddedToken* longest = nullptr;
  tries_[normalized].each_prefix(text.substr(at), [&](size_t, uint32_t found) { longest = &tokens_[found]; });
  return longest;
}

std::vector<AddedTokens::Place> AddedTokens::find(std::string_view text, bool normalized, Specials specials,
                                                  std::optional<int64_t> mask) const {
  const auto wanted = [&](const AddedToken& token) {
    return !token.special || specials == Specials::as_tokens ||
           (specials == Specials::mask_as_token && token.id == mask);
  };
  std::vector<Place> places;
  size_t done = 0;
  for (size_t from = 0; from < text.size();) {
    const AddedToken* token = at(text, from, normalized);
    if (token == nullptr) {
      ++from;
      continue;
    }
    size_t begin = from, end = from + token->match.size();
    from = end;
    if (!wanted(*token)) continue;
    if (token->single_word && !stands_alone(text, begin, end)) continue;
    if (token->left_strip) begin = spaces_before(text, begin, done);
    if (token->right_strip) end = spaces_after(text, end);
    if (done < begin) places.push_back({{done, begin}, nullptr});
    places.push_back({{begin, end}, token});
    done = end;
    from = std::max(from, done);
  }
  if (done < text.size()) places.push_back({{done, text.size()}, nullptr});
  return places;
}

}  // namespace limpid::text
