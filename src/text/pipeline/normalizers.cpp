#include "text/pipeline/normalizers.h"

#include "text/pipeline/byte_alphabet.h"
#include "text/pipeline/unicode.h"

namespace limpid::text {
namespace {

// Changes characters one at a time: f(point, out) says what stands in its place; it returns false where the
// character stays.
template <class F>
AlignedText map_characters(const AlignedText& text, F&& f) {
  Rewriter out(text);
  std::string with;
  each_character(text.text(), [&](const Character& c, size_t at) {
    with.clear();
    if (f(c.point, with)) {
      out.replace(at, at + c.size, with);
    } else {
      out.keep(at, at + c.size);
    }
  });
  return out.done();
}

template <class F>
class Each final : public Normalizer {
 public:
  explicit Each(F f) : f_(std::move(f)) {}
  AlignedText apply(const AlignedText& text) const override { return map_characters(text, f_); }

 private:
  F f_;
};

template <class F>
std::unique_ptr<Normalizer> each(F f) {
  return std::make_unique<Each<F>>(std::move(f));
}

class NormalizerSequence final : public Normalizer {
 public:
  explicit NormalizerSequence(Normalizers stages) : stages_(std::move(stages)) {}
  AlignedText apply(const AlignedText& text) const override {
    AlignedText now = text;
    for (const auto& stage : stages_) now = stage->apply(now);
    return now;
  }

 private:
  Normalizers stages_;
};

class Strip final : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  AlignedText apply(const AlignedText& text) const override {
    size_t first = std::string_view::npos, last = 0;
    each_character(text.text(), [&](const Character& c, size_t at) {
      if (is_space(c.point)) return;
      if (first == std::string_view::npos) first = at;
      last = at + c.size;
    });
    const size_t size = text.text().size();
    const bool blank = first == std::string_view::npos;
    const size_t begin = !left_ ? 0 : blank ? size : first;
    const size_t end = !right_ ? size : blank ? begin : last;
    Rewriter out(text);
    out.keep(begin, std::max(begin, end));
    return out.done();
  }

 private:
  bool left_, right_;
};

class Prepend final : public Normalizer {
 public:
  explicit Prepend(std::string what) : what_(std::move(what)) {}
  AlignedText apply(const AlignedText& text) const override {
    if (text.text().empty()) return text;
    Rewriter out(text);
    out.insert(0, what_);
    out.keep(0, text.text().size());
    return out.done();
  }

 private:
  std::string what_;
};

class ReplaceText final : public Normalizer {
 public:
  ReplaceText(std::string what, std::string with) : what_(std::move(what)), with_(std::move(with)) {}
  AlignedText apply(const AlignedText& text) const override {
    const std::string_view all = text.text();
    Rewriter out(text);
    size_t done = 0;
    for (size_t at; (at = all.find(what_, done)) != all.npos && !what_.empty(); done = at + what_.size()) {
      out.keep(done, at);
      out.replace(at, at + what_.size(), with_);
    }
    out.keep(done, all.size());
    return out.done();
  }

 private:
  std::string what_, with_;
};

class ReplaceRegex final : public Normalizer {
 public:
  ReplaceRegex(Regex what, std::string with) : what_(std::move(what)), with_(std::move(with)) {}
  AlignedText apply(const AlignedText& text) const override {
    Rewriter out(text);
    size_t done = 0;
    Regex::Matcher matcher(what_);
    Regex::each_match(matcher, text.text(), [&](size_t begin, size_t end) {
      out.keep(done, begin);
      out.replace(begin, end, with_);
      done = end;
    });
    out.keep(done, text.text().size());
    return out.done();
  }

 private:
  Regex what_;
  std::string with_;
};

class ByteLevel final : public Normalizer {
 public:
  AlignedText apply(const AlignedText& text) const override {
    const ByteAlphabet& alphabet = ByteAlphabet::get();
    Rewriter out(text);
    for (size_t at = 0; at < text.text().size(); ++at) {
      const std::string& with = alphabet.character(static_cast<uint8_t>(text.text()[at]));
      if (with.size() == 1) {
        out.keep(at, at + 1);
      } else {
        out.replace(at, at + 1, with);
      }
    }
    return out.done();
  }
};

class Bert final : public Normalizer {
 public:
  explicit Bert(const BertNormalizerOptions& options)
      : options_(options), decompose_(unicode_normalizer(UnicodeForm::nfd)), lower_(lowercase_normalizer()) {}

  AlignedText apply(const AlignedText& text) const override {
    AlignedText now = text;
    if (options_.clean_text) {
      now = map_characters(now, [](char32_t c, std::string& with) {
        if (c == 0 || c == 0xFFFD || is_control(c)) return true;
        if (c != ' ' && is_space(c)) return with = " ", true;
        return false;
      });
    }
    if (options_.chinese_characters) now = set_apart(now);
    if (options_.strip_accents) {
      now = decompose_->apply(now);
      now = map_characters(now, [](char32_t c, std::string&) { return is_nonspacing_mark(c); });
    }
    return options_.lowercase ? lower_->apply(now) : now;
  }

 private:
  static AlignedText set_apart(const AlignedText& text) {
    Rewriter out(text);
    each_character(text.text(), [&](const Character& c, size_t at) {
      const bool apart = is_cjk_ideograph(c.point);
      if (apart) out.insert(at, " ");
      out.keep(at, at + c.size);
      if (apart) out.insert(at + c.size, " ");
    });
    return out.done();
  }

  BertNormalizerOptions options_;
  std::unique_ptr<Normalizer> decompose_, lower_;
};

bool nmt(char32_t c, std::string& with) {
  if ((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F)
    return true;
  const bool blank = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                     (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                     c == 0xFEFF || c == 0xFFFD;
  if (blank) with = " ";
  return blank;
}

bool lower(char32_t c, std::string& with) {
  if (c < 0x80 && (c < 'A' || c > 'Z')) return false;
  append_lower(c, with);
  return character_at(with, 0).point != c;
}

}  // namespace

std::unique_ptr<Normalizer> normalizer_sequence(Normalizers stages) {
  return std::make_unique<NormalizerSequence>(std::move(stages));
}
std::unique_ptr<Normalizer> bert_normalizer(const BertNormalizerOptions& options) {
  return std::make_unique<Bert>(options);
}
std::unique_ptr<Normalizer> lowercase_normalizer() { return each(&lower); }
std::unique_ptr<Normalizer> strip_normalizer(bool left, bool right) {
  return std::make_unique<Strip>(left, right);
}
std::unique_ptr<Normalizer> strip_accents_normalizer() {
  return each([](char32_t c, std::string&) { return is_mark(c); });
}
std::unique_ptr<Normalizer> nmt_normalizer() { return each(&nmt); }
std::unique_ptr<Normalizer> prepend_normalizer(std::string what) {
  return std::make_unique<Prepend>(std::move(what));
}
std::unique_ptr<Normalizer> replace_normalizer(std::string what, std::string with) {
  return std::make_unique<ReplaceText>(std::move(what), std::move(with));
}
std::unique_ptr<Normalizer> replace_normalizer(Regex what, std::string with) {
  return std::make_unique<ReplaceRegex>(std::move(what), std::move(with));
}
std::unique_ptr<Normalizer> byte_level_normalizer() { return std::make_unique<ByteLevel>(); }

}  // namespace limpid::text
