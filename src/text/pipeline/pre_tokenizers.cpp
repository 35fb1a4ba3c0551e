#include "text/pipeline/pre_tokenizers.h"

#include <algorithm>

#include "text/pieces.h"
#include "text/pipeline/byte_alphabet.h"
#include "text/pipeline/unicode.h"

namespace limpid::text {
namespace {

class SplitterSequence final : public PreTokenizer {
 public:
  explicit SplitterSequence(PreTokenizers stages) : stages_(std::move(stages)) {}
  void apply(Pieces& pieces) const override {
    for (const auto& stage : stages_) stage->apply(pieces);
  }

 private:
  PreTokenizers stages_;
};

// Rewrites every piece: f(piece's text, its begin, writer).
template <class F>
void rewrite(Pieces& pieces, F&& f) {
  Rewriter out(pieces.text);
  std::vector<Cut> cuts;
  cuts.reserve(pieces.cuts.size());
  for (const Cut& cut : pieces.cuts) {
    const auto begin = static_cast<uint32_t>(out.size());
    f(cut, out);
    cuts.push_back({begin, static_cast<uint32_t>(out.size())});
  }
  AlignedText made = out.done();
  pieces.text = std::move(made);
  pieces.cuts = std::move(cuts);
}

class Gpt2Finder final : public Finder {
 public:
  void find(std::string_view piece, std::vector<Cut>& found) override {
    for_each_piece(piece, [&](std::string_view part) {
      const auto begin = static_cast<uint32_t>(part.data() - piece.data());
      found.push_back({begin, begin + static_cast<uint32_t>(part.size())});
    });
  }
};

class ByteLevel final : public PreTokenizer {
 public:
  explicit ByteLevel(const ByteLevelOptions& options) : options_(options) {}

  void apply(Pieces& pieces) const override {
    if (options_.add_prefix_space) add_spaces(pieces);
    if (options_.use_regex) {
      Gpt2Finder finder;
      split(pieces, finder, SplitBehavior::isolated);
    }
    if (options_.map) map(pieces);
  }

 private:
  static void add_spaces(Pieces& pieces) {
    const auto lacks_space = [&](const Cut& cut) { return pieces.text.text()[cut.begin] != ' '; };
    if (std::none_of(pieces.cuts.begin(), pieces.cuts.end(), lacks_space)) return;
    rewrite(pieces, [&](const Cut& cut, Rewriter& out) {
      if (lacks_space(cut)) out.insert(cut.begin, " ");
      out.keep(cut.begin, cut.end);
    });
  }

  static void map(Pieces& pieces) {
    const ByteAlphabet& alphabet = ByteAlphabet::get();
    const std::string_view text = pieces.text.text();
    rewrite(pieces, [&](const Cut& cut, Rewriter& out) {
      for (size_t at = cut.begin; at < cut.end; ++at) {
        const std::string& with = alphabet.character(static_cast<uint8_t>(text[at]));
        if (with.size() == 1) {
          out.keep(at, at + 1);
        } else {
          out.replace(at, at + 1, with);
        }
      }
    });
  }

  ByteLevelOptions options_;
};

class Metaspace final : public PreTokenizer {
 public:
  Metaspace(std::string replacement, PrependScheme scheme, bool split)
      : replacement_(std::move(replacement)), scheme_(scheme), split_(split) {
    if (split_) splitter_ = split_pre_tokenizer(replacement_, SplitBehavior::merged_with_next, false);
  }

  void apply(Pieces& pieces) const override {
    const std::string_view text = pieces.text.text();
    rewrite(pieces, [&](const Cut& cut, Rewriter& out) { write(pieces, text, cut, out); });
    if (splitter_) splitter_->apply(pieces);
  }

 private:
  void write(const Pieces& pieces, std::string_view text, const Cut& cut, Rewriter& out) const {
    const bool has_one =
        text[cut.begin] == ' ' || text.substr(cut.begin, cut.end - cut.begin).starts_with(replacement_);
    const bool first = pieces.text.origin(cut.begin, cut.begin).begin == 0;
    if (!has_one && (scheme_ == PrependScheme::always || (scheme_ == PrependScheme::first && first))) {
      out.insert(cut.begin, replacement_);
    }
    for (size_t at = cut.begin; at < cut.end;) {
      const size_t blank = std::min<size_t>(text.substr(0, cut.end).find(' ', at), cut.end);
      out.keep(at, blank);
      if (blank < cut.end) out.replace(blank, blank + 1, replacement_);
      at = blank + 1;
    }
  }

  std::string replacement_;
  PrependScheme scheme_;
  bool split_;
  std::unique_ptr<PreTokenizer> splitter_;
};

// Runs of characters of one class; class 0 is left out.
template <int (*kind)(char32_t)>
class RunFinder final : public Finder {
 public:
  void find(std::string_view piece, std::vector<Cut>& found) override {
    int before = 0;
    each_character(piece, [&](const Character& c, size_t at) {
      const int now = kind(c.point);
      const auto begin = static_cast<uint32_t>(at), end = static_cast<uint32_t>(at + c.size);
      if (now != 0 && now == before) {
        found.back().end = end;
      } else if (now != 0) {
        found.push_back({begin, end});
      }
      before = now;
    });
  }
};

int word_class(char32_t c) { return is_word(c) ? 1 : is_space(c) ? 0 : 2; }

class Whitespace final : public PreTokenizer {
 public:
  void apply(Pieces& pieces) const override {
    RunFinder<word_class> finder;
    split(pieces, finder, SplitBehavior::removed, true);
  }
};

class FixedLength final : public PreTokenizer {
 public:
  explicit FixedLength(size_t length) : length_(length) {}
  void apply(Pieces& pieces) const override {
    std::vector<Cut> cuts;
    for (const Cut& piece : pieces.cuts) {
      size_t count = 0;
      each_character(pieces.text.text().substr(piece.begin, piece.end - piece.begin),
                     [&](const Character& c, size_t at) {
                       const auto begin = piece.begin + static_cast<uint32_t>(at);
                       if (count++ % length_ == 0) cuts.push_back({begin, begin});
                       cuts.back().end = begin + static_cast<uint32_t>(c.size);
                     });
    }
    pieces.cuts = std::move(cuts);
  }

 private:
  size_t length_;
};

}  // namespace

std::unique_ptr<PreTokenizer> pre_tokenizer_sequence(PreTokenizers stages) {
  return std::make_unique<SplitterSequence>(std::move(stages));
}
std::unique_ptr<PreTokenizer> bert_pre_tokenizer() {
  PreTokenizers stages;
  stages.push_back(split_pre_tokenizer(&is_space, SplitBehavior::removed));
  stages.push_back(split_pre_tokenizer(&is_punctuation, SplitBehavior::isolated));
  return pre_tokenizer_sequence(std::move(stages));
}
std::unique_ptr<PreTokenizer> byte_level_pre_tokenizer(const ByteLevelOptions& options) {
  return std::make_unique<ByteLevel>(options);
}
std::unique_ptr<PreTokenizer> metaspace_pre_tokenizer(std::string replacement, PrependScheme scheme,
                                                      bool split) {
  return std::make_unique<Metaspace>(std::move(replacement), scheme, split);
}
std::unique_ptr<PreTokenizer> whitespace_pre_tokenizer() { return std::make_unique<Whitespace>(); }
std::unique_ptr<PreTokenizer> fixed_length_pre_tokenizer(size_t length) {
  return std::make_unique<FixedLength>(length);
}

}  // namespace limpid::text
