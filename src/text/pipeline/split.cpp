#include "text/pipeline/pre_tokenizers.h"
#include "text/pipeline/unicode.h"

namespace limpid::text {
namespace {

struct Match {
  Cut place;
  bool hit;
};

// Everything between the places found, and them, with `invert` the other way round.
void fill_in(const std::vector<Cut>& found, uint32_t size, bool invert, std::vector<Match>& all) {
  all.clear();
  uint32_t done = 0;
  for (const Cut& cut : found) {
    if (cut.begin > done) all.push_back({{done, cut.begin}, invert});
    all.push_back({cut, !invert});
    done = cut.end;
  }
  if (done < size) all.push_back({{done, size}, invert});
}

// Joins neighbours as the behaviour wants; in place, the rest keeps its order.
void merge_forward(std::vector<Match>& all, bool contiguous) {
  size_t kept = 0;
  bool before = false;
  for (const Match& match : all) {
    const bool joins = kept > 0 && (contiguous ? match.hit == before : match.hit && !before);
    if (joins) {
      all[kept - 1].place.end = match.place.end;
    } else {
      all[kept++] = match;
    }
    before = match.hit;
  }
  all.resize(kept);
}

void merge_with_next(std::vector<Match>& all) {
  size_t kept = all.size();
  bool after = false;
  for (size_t i = all.size(); i-- > 0;) {
    const Match match = all[i];
    if (match.hit && !after && kept < all.size()) {
      all[kept].place.begin = match.place.begin;
    } else {
      all[--kept] = match;
    }
    after = match.hit;
  }
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept));
}

class RegexFinder final : public Finder {
 public:
  explicit RegexFinder(const Regex& regex) : matcher_(regex) {}
  void find(std::string_view piece, std::vector<Cut>& found) override {
    Regex::each_match(matcher_, piece, [&](size_t begin, size_t end) {
      found.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
    });
  }

 private:
  Regex::Matcher matcher_;
};

class TextFinder final : public Finder {
 public:
  explicit TextFinder(const std::string& what) : what_(what) {}
  void find(std::string_view piece, std::vector<Cut>& found) override {
    for (size_t at = 0; !what_.empty() && (at = piece.find(what_, at)) != piece.npos; at += what_.size()) {
      found.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(at + what_.size())});
    }
  }

 private:
  const std::string& what_;
};

class CharacterFinder final : public Finder {
 public:
  explicit CharacterFinder(CharacterTest test) : test_(test) {}
  void find(std::string_view piece, std::vector<Cut>& found) override {
    each_character(piece, [&](const Character& c, size_t at) {
      if (test_(c.point)) found.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(at + c.size)});
    });
  }

 private:
  CharacterTest test_;
};

template <class What, class By>
class Split final : public PreTokenizer {
 public:
  Split(What what, SplitBehavior behavior, bool invert)
      : what_(std::move(what)), behavior_(behavior), invert_(invert) {}
  void apply(Pieces& pieces) const override {
    By finder(what_);
    split(pieces, finder, behavior_, invert_);
  }

 private:
  What what_;
  SplitBehavior behavior_;
  bool invert_;
};

}  // namespace

void split(Pieces& pieces, Finder& finder, SplitBehavior behavior, bool invert) {
  std::vector<Cut> cuts, found;
  std::vector<Match> all;
  cuts.reserve(pieces.cuts.size());
  for (const Cut& piece : pieces.cuts) {
    found.clear();
    finder.find(pieces.text.text().substr(piece.begin, piece.end - piece.begin), found);
    fill_in(found, piece.end - piece.begin, invert, all);
    if (behavior == SplitBehavior::contiguous) merge_forward(all, true);
    if (behavior == SplitBehavior::merged_with_previous) merge_forward(all, false);
    if (behavior == SplitBehavior::merged_with_next) merge_with_next(all);
    for (const Match& match : all) {
      if (match.hit && behavior == SplitBehavior::removed) continue;
      if (match.place.begin == match.place.end) continue;
      cuts.push_back({piece.begin + match.place.begin, piece.begin + match.place.end});
    }
  }
  pieces.cuts = std::move(cuts);
}

std::unique_ptr<PreTokenizer> split_pre_tokenizer(Regex what, SplitBehavior behavior, bool invert) {
  return std::make_unique<Split<Regex, RegexFinder>>(std::move(what), behavior, invert);
}
std::unique_ptr<PreTokenizer> split_pre_tokenizer(std::string what, SplitBehavior behavior, bool invert) {
  return std::make_unique<Split<std::string, TextFinder>>(std::move(what), behavior, invert);
}
std::unique_ptr<PreTokenizer> split_pre_tokenizer(CharacterTest test, SplitBehavior behavior) {
  return std::make_unique<Split<CharacterTest, CharacterFinder>>(test, behavior, false);
}

}  // namespace limpid::text
