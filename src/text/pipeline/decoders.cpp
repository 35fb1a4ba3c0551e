#include "text/pipeline/decoders.h"

#include <algorithm>

#include "text/pipeline/byte_alphabet.h"
#include "text/utf8.h"

namespace limpid::text {
namespace {

std::string replaced(std::string_view text, std::string_view what, std::string_view with) {
  std::string out;
  size_t done = 0;
  for (size_t at; !what.empty() && (at = text.find(what, done)) != text.npos; done = at + what.size()) {
    out.append(text.substr(done, at - done)).append(with);
  }
  return out.append(text.substr(done));
}

// Undoes the blanks that English does not have before its signs and endings.
std::string cleaned_up(std::string text) {
  constexpr std::pair<std::string_view, std::string_view> k_endings[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [what, with] : k_endings) {
    if (text.find(what) != text.npos) text = replaced(text, what, with);
  }
  return text;
}

class DecoderSequence final : public Decoder {
 public:
  explicit DecoderSequence(Decoders stages) : stages_(std::move(stages)) {}
  void apply(std::vector<std::string>& tokens) const override {
    for (const auto& stage : stages_) stage->apply(tokens);
  }

 private:
  Decoders stages_;
};

// f(token, index, count) changes one token.
template <class F>
class Each final : public Decoder {
 public:
  explicit Each(F f) : f_(std::move(f)) {}
  void apply(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) f_(tokens[i], i, tokens.size());
  }

 private:
  F f_;
};
template <class F>
std::unique_ptr<Decoder> each(F f) {
  return std::make_unique<Each<F>>(std::move(f));
}

class Fuse final : public Decoder {
 public:
  void apply(std::vector<std::string>& tokens) const override {
    std::string all;
    for (const std::string& token : tokens) all += token;
    tokens.assign(1, std::move(all));
  }
};

class Ctc final : public Decoder {
 public:
  explicit Ctc(CtcOptions options) : options_(std::move(options)) {}
  void apply(std::vector<std::string>& tokens) const override {
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    for (std::string& token : tokens) {
      token = replaced(token, options_.pad, "");
      if (!options_.cleanup) continue;
      token = replaced(cleaned_up(std::move(token)), options_.word_delimiter, " ");
    }
    std::erase_if(tokens, [](const std::string& token) { return token.empty(); });
  }

 private:
  CtcOptions options_;
};

// Takes up to `most` copies of `content` off the front or the back.
void strip_front(std::string_view& text, std::string_view content, size_t most) {
  for (; most > 0 && text.starts_with(content); --most) text.remove_prefix(content.size());
}
void strip_back(std::string_view& text, std::string_view content, size_t most) {
  for (; most > 0 && text.ends_with(content); --most) text.remove_suffix(content.size());
}

}  // namespace

int byte_of_name(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  int value = 0;
  for (const char digit : token.substr(3, 2)) {
    const int v = digit >= '0' && digit <= '9'   ? digit - '0'
                  : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                  : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                                                 : -1;
    if (v < 0) return -1;
    value = 16 * value + v;
  }
  return value;
}

std::unique_ptr<Decoder> decoder_sequence(Decoders stages) {
  return std::make_unique<DecoderSequence>(std::move(stages));
}

std::unique_ptr<Decoder> byte_level_decoder() {
  return each([](std::string& token, size_t, size_t) {
    if (auto bytes = ByteAlphabet::get().bytes(token)) token = std::move(*bytes);
  });
}

std::unique_ptr<Decoder> wordpiece_decoder(std::string prefix, bool cleanup) {
  return each([prefix = std::move(prefix), cleanup](std::string& token, size_t i, size_t) {
    if (i > 0) token = token.starts_with(prefix) ? token.substr(prefix.size()) : " " + token;
    if (cleanup) token = cleaned_up(std::move(token));
  });
}

std::unique_ptr<Decoder> metaspace_decoder(std::string replacement, bool drop_first) {
  return each([replacement = std::move(replacement), drop_first](std::string& token, size_t i, size_t) {
    if (token.find(replacement) != token.npos)
      token = replaced(token, replacement, i == 0 && drop_first ? "" : " ");
  });
}

std::unique_ptr<Decoder> bpe_decoder(std::string suffix) {
  return each([suffix = std::move(suffix)](std::string& token, size_t i, size_t count) {
    token = replaced(token, suffix, i + 1 == count ? "" : " ");
  });
}

std::unique_ptr<Decoder> byte_fallback_decoder() {
  return each([](std::string& token, size_t, size_t) {
    if (const int byte = byte_of_name(token); byte >= 0) token.assign(1, static_cast<char>(byte));
  });
}

std::unique_ptr<Decoder> fuse_decoder() { return std::make_unique<Fuse>(); }

std::unique_ptr<Decoder> strip_decoder(std::string content, size_t start, size_t stop) {
  return each([content = std::move(content), start, stop](std::string& token, size_t, size_t) {
    std::string_view rest = token;
    strip_front(rest, content, start);
    strip_back(rest, content, stop);
    token = std::string(rest);
  });
}

std::unique_ptr<Decoder> replace_decoder(std::string what, std::string with) {
  return each([what = std::move(what), with = std::move(with)](std::string& token, size_t, size_t) {
    if (token.find(what) != token.npos) token = replaced(token, what, with);
  });
}

std::unique_ptr<Decoder> replace_decoder(Regex what, std::string with) {
  return each([what = std::make_shared<const Regex>(std::move(what)), with = std::move(with)](
                  std::string& token, size_t, size_t) {
    if (!is_valid_utf8(token)) return;
    std::string out;
    size_t done = 0;
    Regex::Matcher matcher(*what);
    Regex::each_match(matcher, token, [&](size_t begin, size_t end) {
      out.append(token, done, begin - done).append(with);
      done = end;
    });
    token = out.append(token, done, token.npos);
  });
}

std::unique_ptr<Decoder> ctc_decoder(CtcOptions options) { return std::make_unique<Ctc>(std::move(options)); }

std::unique_ptr<Decoder> spaces_decoder() {
  return each([](std::string& token, size_t i, size_t) {
    if (i > 0) token.insert(0, " ");
  });
}

}  // namespace limpid::text
