// A text that grows token by token.
#include "limpid/text.h"
#include "text/utf8.h"

namespace limpid {
namespace {

constexpr size_t k_window = 48;  // tokens; past these the older half is forgotten

// How many bytes at the end are the beginning of a character.
size_t unfinished(std::string_view text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const size_t size = byte >= 0xF0 && byte < 0xF5 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 1;
    return byte < 0xF5 && size > back ? back : 0;
  }
  return 0;
}

bool says_something(std::string_view text) {
  size_t at = 0;
  while (at < text.size() && (text[at] == ' ' || text[at] == '\n')) ++at;
  return at < text.size();
}

}  // namespace

std::string StreamDecoder::push(int64_t id) {
  ids_.push_back(id);
  std::string text;
  try {
    text = tokenizer_->decode(ids_, specials_);
  } catch (...) {
    ids_.pop_back();
    throw;
  }
  const size_t whole = text.size() - unfinished(text);
  std::string out;
  if (whole > given_) {
    out = text.substr(given_, whole - given_);
    given_ = whole;
  }
  // How a token reads depends at most on whether something stands before it.
  if (ids_.size() > k_window && given_ == text.size()) {
    std::vector<int64_t> last(ids_.end() - k_window / 2, ids_.end());
    const std::string tail = tokenizer_->decode(last, specials_);
    if (says_something(tail) && is_utf8(tail) == is_utf8(text)) {
      ids_ = std::move(last);
      given_ = tail.size();
    }
  }
  return out;
}

std::string StreamDecoder::finish() {
  const std::string text = tokenizer_->decode(ids_, specials_);
  std::string out = text.size() > given_ ? text.substr(given_) : "";
  ids_.clear();
  given_ = 0;
  return out;
}

}  // namespace limpid
