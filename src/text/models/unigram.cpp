// Unigram (Kudo 2018): the cut whose tokens' scores (logarithms of probabilities) have the greatest sum,
// found by Viterbi's algorithm in one pass.
#include <cmath>
#include <limits>

#include "core/label.h"
#include "limpid/error.h"
#include "text/models/token_model.h"
#include "text/trie.h"
#include "text/utf8.h"

namespace limpid::text {
namespace {

constexpr double k_unk_penalty = 10;

class Unigram final : public TokenModel {
 public:
  explicit Unigram(UnigramParts parts)
      : TokenModel(std::move(parts.vocabulary)),
        scores_(std::move(parts.scores)),
        unk_(parts.unk),
        in_float_(parts.in_float) {
    double least = std::numeric_limits<double>::infinity();
    for (int64_t id = 0; id < vocabulary().size(); ++id) {
      const double score = scores_[static_cast<size_t>(id)];
      const std::string& piece = vocabulary().piece(id);
      if (std::isnan(score) || piece.empty()) continue;
      least = std::min(least, score);
      if (vocabulary().id(piece) == static_cast<uint32_t>(id)) trie_.add(piece, static_cast<uint32_t>(id));
    }
    unk_score_ = (parts.least_score ? *parts.least_score : std::isinf(least) ? 0 : least) - k_unk_penalty;
    if (parts.byte_fallback) bytes_ = byte_tokens();
  }
  std::string kind() const override { return "unigram"; }
  std::unique_ptr<Encoder> encoder(const IdSet* forbidden) const override {
    return std::make_unique<Viterbi>(*this, forbidden);
  }

 private:
  static constexpr uint32_t k_none = ~uint32_t{0};
  static constexpr uint32_t k_unknown = k_none - 1;

  // The best way to a place: its score, and its last token.
  struct Node {
    double score = 0;
    uint32_t begin = k_none, id = k_none;
  };

  class Viterbi final : public Encoder {
   public:
    Viterbi(const Unigram& model, const IdSet* forbidden) : model_(model), forbidden_(forbidden) {}

    void encode(std::string_view text, std::vector<Token>& out) override {
      forward(text);
      path_.clear();
      for (auto end = static_cast<uint32_t>(text.size()); end > 0; end = nodes_[end].begin) {
        const Node& node = nodes_[end];
        // A run of unknown characters is one.
        if (node.id == k_unknown && !path_.empty() && path_.back().id == k_unknown) {
          path_.back().begin = node.begin;
        } else {
          path_.push_back({node.id, node.begin, end});
        }
      }
      for (size_t i = path_.size(); i-- > 0;) write(path_[i], text, out);
    }

   private:
    double sum(double a, double b) const {
      return model_.in_float_ ? static_cast<double>(static_cast<float>(a) + static_cast<float>(b)) : a + b;
    }

    void offer(size_t begin, size_t end, uint32_t id, double score) {
      Node& node = nodes_[end];
      if (node.begin != k_none && score <= node.score) return;
      node = {score, static_cast<uint32_t>(begin), id};
    }

    void forward(std::string_view text) {
      nodes_.assign(text.size() + 1, Node{});
      for (size_t at = 0; at < text.size();) {
        const double score = nodes_[at].score;
        const size_t character = character_at(text, at).size;
        bool has_one = false;
        model_.trie_.each_prefix(text.substr(at), [&](size_t size, uint32_t id) {
          if (holds(forbidden_, id) || size < character) return;
          if (at + size < text.size() && (static_cast<unsigned char>(text[at + size]) & 0xC0) == 0x80) return;
          offer(at, at + size, id, sum(model_.scores_[id], score));
          has_one |= size == character;
        });
        if (!has_one) offer(at, at + character, k_unknown, sum(model_.unk_score_, score));
        at += character;
      }
    }

    void write(const Token& token, std::string_view text, std::vector<Token>& out) const {
      if (token.id != k_unknown) return out.push_back(token);
      if (!model_.bytes_.empty()) {
        for (uint32_t at = token.begin; at < token.end; ++at) {
          out.push_back({model_.bytes_[static_cast<unsigned char>(text[at])], at, at + 1});
        }
        return;
      }
      if (!model_.unk_) {
        fail_call("tokenizer: it has no token for ",
                  in_quotes(text.substr(token.begin, token.end - token.begin)),
                  " and none for what is unknown");
      }
      out.push_back({*model_.unk_, token.begin, token.end});
    }

    const Unigram& model_;
    const IdSet* forbidden_;
    std::vector<Node> nodes_;
    std::vector<Token> path_;
  };

  std::vector<double> scores_;
  std::optional<uint32_t> unk_;
  bool in_float_;
  double unk_score_ = 0;
  Trie trie_;
  std::vector<uint32_t> bytes_;
};

}  // namespace

std::unique_ptr<TokenModel> unigram_model(UnigramParts parts) {
  if (parts.scores.size() != static_cast<size_t>(parts.vocabulary.size())) {
    fail_work("unigram: ", parts.scores.size(), " scores for ", parts.vocabulary.size(), " pieces");
  }
  if (parts.unk && !parts.vocabulary.has(*parts.unk)) {
    fail_work("unigram: the unknown token is ", *parts.unk, ", expected an id below ",
              parts.vocabulary.size());
  }
  return std::make_unique<Unigram>(std::move(parts));
}

}  // namespace limpid::text
