// Byte pair encoding with any vocabulary (text/bpe.cpp is limpid's own, whose ids are the order of its
// merges).
//
// A piece begins as symbols: characters, or bytes.  The rule with the lowest rank joins two neighbours, the
// leftmost pair first, until no rule fits.  The symbols are a linked list, a heap holds the pairs: n log n,
// however long a piece.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "core/label.h"
#include "limpid/error.h"
#include "text/models/token_model.h"
#include "text/pair_table.h"
#include "text/pipeline/byte_alphabet.h"
#include "text/utf8.h"

namespace limpid::text {
namespace {

constexpr uint32_t k_none = ~uint32_t{0};
constexpr size_t k_longest_piece = 4096;  // of a vocabulary with scores: every cut of it is looked up

class Bpe final : public TokenModel {
 public:
  explicit Bpe(BpeModelParts parts)
      : TokenModel(std::move(parts.vocabulary)),
        prefix_(std::move(parts.continuing_prefix)),
        suffix_(std::move(parts.word_suffix)),
        fuse_unk_(parts.fuse_unk),
        of_bytes_(parts.of_bytes),
        ignore_merges_(parts.ignore_merges) {
    if (parts.unk) take_unk(*parts.unk);
    if (parts.byte_fallback) bytes_ = byte_tokens();
    if (parts.scores.empty()) {
      take_merges(parts.merges);
    } else {
      take_scores(parts.scores);
    }
    for (const bool first : {false, true}) {
      for (const bool last : {false, true}) {
        for (size_t byte = 0; byte < 256; ++byte) start_[first][last][byte] = starting(byte, first, last);
      }
    }
  }
  std::string kind() const override { return "bpe"; }
  std::unique_ptr<Encoder> encoder(const IdSet* forbidden) const override;

 private:
  class Merger;
  struct Rule {
    uint32_t rank, made;
  };

  void take_unk(const std::string& name) {
    unk_ = vocabulary().id(name);
    if (!unk_) fail_work("bpe: the vocabulary lacks its unknown token ", in_quotes(name));
  }

  void take_merges(const std::vector<std::pair<std::string, std::string>>& merges) {
    const auto id = [&](const std::string& piece, size_t merge) {
      const auto found = vocabulary().id(piece);
      if (!found)
        fail_work("bpe: merge ", merge, " has ", in_quotes(piece), ", which is not in the vocabulary");
      return *found;
    };
    rules_.reserve(merges.size());
    for (size_t i = merges.size(); i-- > 0;) {  // of two rules for one pair the later counts
      const auto& [left, right] = merges[i];
      const uint32_t a = id(left, i), b = id(right, i);
      if (right.size() < prefix_.size()) {
        fail_work("bpe: merge ", i, " has ", in_quotes(right), ", expected one that begins with ",
                  in_quotes(prefix_));
      }
      const uint32_t made = id(left + right.substr(prefix_.size()), i);
      table_.add(a, b, static_cast<uint32_t>(rules_.size()));
      rules_.push_back({static_cast<uint32_t>(i), made});
    }
  }

  // Every cut of every piece into two that a text can hold is a rule.  A character that is no piece can still
  // be a part of one: it gets a number above the vocabulary's.
  void take_scores(const std::vector<double>& scores) {
    std::vector<double> distinct;
    for (const double score : scores) {
      if (!std::isnan(score)) distinct.push_back(score);
    }
    std::sort(distinct.begin(), distinct.end(), std::greater<>());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    for (int64_t id = 0; id < vocabulary().size(); ++id) {
      const double score = scores[static_cast<size_t>(id)];
      const std::string& piece = vocabulary().piece(id);
      if (std::isnan(score) || piece.empty() || vocabulary().id(piece) != static_cast<uint32_t>(id)) continue;
      if (piece.size() > k_longest_piece) {
        fail_work("bpe: token ", id, " has ", piece.size(), " bytes, expected at most ", k_longest_piece);
      }
      const auto rank = static_cast<uint32_t>(
          std::lower_bound(distinct.begin(), distinct.end(), score, std::greater<>()) - distinct.begin());
      cut(piece, {rank, static_cast<uint32_t>(id)}, scores);
    }
  }

  void cut(std::string_view piece, const Rule& rule, const std::vector<double>& scores) {
    const auto part = [&](std::string_view text) {
      const auto id = vocabulary().id(text);
      if (id && !std::isnan(scores[*id])) return *id;
      if (character_at(text, 0).size < text.size()) return k_none;
      return extra(text);
    };
    for (size_t at = character_at(piece, 0).size; at < piece.size(); at += character_at(piece, at).size) {
      const uint32_t left = part(piece.substr(0, at));
      if (left == k_none) continue;
      const uint32_t right = part(piece.substr(at));
      if (right == k_none) continue;
      table_.add(left, right, static_cast<uint32_t>(rules_.size()));
      rules_.push_back(rule);
    }
  }

  uint32_t extra(std::string_view character) {
    const auto next = static_cast<uint32_t>(vocabulary().size()) + static_cast<uint32_t>(extra_.size());
    return extra_.try_emplace(std::string(character), next).first->second;
  }

  bool is_extra(uint32_t symbol) const { return symbol >= static_cast<uint32_t>(vocabulary().size()); }

  // The symbol that a byte (an ASCII character, where symbols are characters) begins as.
  uint32_t starting(size_t byte, bool first, bool last) const {
    if (of_bytes_) return starting(ByteAlphabet::get().character(static_cast<uint8_t>(byte)), first, last);
    return byte < 0x80 ? starting(std::string(1, static_cast<char>(byte)), first, last) : k_none;
  }
  uint32_t starting(std::string_view character, bool first, bool last) const {
    std::string name;
    std::string_view looked_up = character;
    if ((!first && !prefix_.empty()) || (last && !suffix_.empty())) {
      looked_up = name = join(first ? "" : prefix_, character, last ? suffix_ : "");
    }
    if (const auto id = vocabulary().id(looked_up)) return *id;
    const auto found = extra_.find(std::string(character));
    return found == extra_.end() ? k_none : found->second;
  }

  std::string prefix_, suffix_;
  bool fuse_unk_, of_bytes_, ignore_merges_;
  std::optional<uint32_t> unk_;
  std::vector<uint32_t> bytes_;  // the tokens of bytes, where unknown characters become these
  PairTable table_;              // two symbols -> their rule
  std::vector<Rule> rules_;
  std::unordered_map<std::string, uint32_t> extra_;  // characters that are only parts of pieces
  std::array<std::array<std::array<uint32_t, 256>, 2>, 2> start_{};  // [first][last][byte]
};

class Bpe::Merger final : public TokenModel::Encoder {
 public:
  Merger(const Bpe& model, const IdSet* forbidden) : model_(model), forbidden_(forbidden) {}

  void encode(std::string_view piece, std::vector<Token>& out) override {
    if (piece.empty()) return;
    if (model_.ignore_merges_ && whole(piece, out)) return;
    start(piece);
    merge();
    if (symbols_.empty()) return;
    size_t from = out.size();
    for (uint32_t at = 0; at < symbols_.size(); at = symbols_[at].next) {
      const Symbol& s = symbols_[at];
      if (model_.is_extra(s.token) || s.token == model_.unk_) {
        unknown(piece, s.begin, s.end, from, out);
      } else {
        out.push_back({s.token, s.begin, s.end});
      }
    }
  }

 private:
  struct Symbol {
    uint32_t token, previous, next, begin, end;
  };

  bool whole(std::string_view piece, std::vector<Token>& out) const {
    const auto id =
        model_.vocabulary().id(model_.of_bytes_ ? ByteAlphabet::get().written(piece) : std::string(piece));
    if (!id || holds(forbidden_, *id)) return false;
    out.push_back({*id, 0, static_cast<uint32_t>(piece.size())});
    return true;
  }

  void add(uint32_t token, size_t begin, size_t end) {
    const auto at = static_cast<uint32_t>(symbols_.size());
    symbols_.push_back({token, at - 1, at + 1, static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
  }

  void start(std::string_view piece) {
    symbols_.clear();
    size_t unknown_begin = piece.size();  // of a run of unknown characters that is not written yet
    size_t unknown_end = 0;
    const auto flush = [&] {
      if (unknown_begin < piece.size()) add(*model_.unk_, unknown_begin, unknown_end);
      unknown_begin = piece.size();
    };
    for (size_t at = 0; at < piece.size();) {
      const auto byte = static_cast<unsigned char>(piece[at]);
      const size_t size = model_.of_bytes_ || byte < 0x80 ? 1 : character_at(piece, at).size;
      const size_t end = at + size;
      const bool first = at == 0, last = end == piece.size();
      const uint32_t token = size == 1 && (model_.of_bytes_ || byte < 0x80)
                                 ? model_.start_[first][last][byte]
                                 : model_.starting(piece.substr(at, size), first, last);
      if (token != k_none) {
        flush();
        add(token, at, end);
      } else if (!model_.bytes_.empty()) {
        for (size_t i = at; i < end; ++i) add(model_.bytes_[static_cast<unsigned char>(piece[i])], i, i + 1);
      } else if (model_.unk_) {
        if (!model_.fuse_unk_) flush();
        if (unknown_begin == piece.size()) unknown_begin = at;
        unknown_end = end;
      }
      at = end;
    }
    flush();
  }

  // A character that is only a part of pieces was not joined.
  void unknown(std::string_view piece, uint32_t begin, uint32_t end, size_t from,
               std::vector<Token>& out) const {
    if (!model_.bytes_.empty()) {
      for (uint32_t i = begin; i < end; ++i)
        out.push_back({model_.bytes_[static_cast<unsigned char>(piece[i])], i, i + 1});
    } else if (model_.unk_) {
      const bool joins =
          model_.fuse_unk_ && out.size() > from && out.back().id == *model_.unk_ && out.back().end == begin;
      if (joins) {
        out.back().end = end;
      } else {
        out.push_back({*model_.unk_, begin, end});
      }
    }
  }

  void merge() {
    heap_.clear();
    for (uint32_t at = 0; at < symbols_.size(); ++at) push(at, false);
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      const uint64_t top = heap_.back();
      heap_.pop_back();
      const auto rank = static_cast<uint32_t>(top >> 32), at = static_cast<uint32_t>(top);
      const uint32_t rule = rule_at(at);
      // Otherwise the pair is gone by now.
      if (rule != PairTable::k_none && model_.rules_[rule].rank == rank)
        join_at(at, model_.rules_[rule].made);
    }
  }

  uint32_t rule_at(uint32_t at) const {
    const Symbol& s = symbols_[at];
    if (s.token == k_none || s.next >= symbols_.size()) return PairTable::k_none;
    return model_.table_.find(s.token, symbols_[s.next].token);
  }

  void push(uint32_t at, bool order) {
    const uint32_t rule = rule_at(at);
    if (rule == PairTable::k_none) return;
    heap_.push_back(uint64_t{model_.rules_[rule].rank} << 32 | at);
    if (order) std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

  void join_at(uint32_t at, uint32_t made) {
    Symbol& s = symbols_[at];
    Symbol& eaten = symbols_[s.next];
    s.token = made;
    s.end = eaten.end;
    s.next = eaten.next;
    eaten.token = k_none;
    if (s.next < symbols_.size()) symbols_[s.next].previous = at;
    push(at, true);
    if (s.previous != k_none) push(s.previous, true);
  }

  const Bpe& model_;
  const IdSet* forbidden_;
  std::vector<Symbol> symbols_;
  std::vector<uint64_t> heap_;  // rank above, place below
};

std::unique_ptr<TokenModel::Encoder> Bpe::encoder(const IdSet* forbidden) const {
  return std::make_unique<Merger>(*this, forbidden);
}

}  // namespace

std::unique_ptr<TokenModel> bpe_model(BpeModelParts parts) {
  if (!parts.scores.empty() && parts.scores.size() != static_cast<size_t>(parts.vocabulary.size())) {
    fail_work("bpe: ", parts.scores.size(), " scores for ", parts.vocabulary.size(), " pieces");
  }
  return std::make_unique<Bpe>(std::move(parts));
}

}  // namespace limpid::text
