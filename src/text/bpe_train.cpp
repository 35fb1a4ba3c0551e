// Training byte pair encoding: which pairs to merge, in which order.
//
// The texts become distinct pieces with how often each stands in them.  All pieces lie one after another
// in one array of nodes, a linked list of tokens each.  For each pair of neighbours there is a count and
// the list of places where it may stand; a merge visits only those, and changes the counts of the pairs
// around each.  So the work is the number of merged places, not merges x text.
#include <algorithm>
#include <queue>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "core/json.h"
#include "limpid/text.h"
#include "text/pair_table.h"
#include "text/pieces.h"
#include "text/pipeline/unicode.h"

namespace limpid {
namespace {

using text::PairTable;

struct PieceCount {
  std::string_view piece;
  int64_t count = 0;
  bool whole = false;  // is to be one token
};

// The distinct pieces of the texts, without the special names, in the order they first appear; then those of
// options.whole that the texts lack, seen 0 times.
std::vector<PieceCount> count_pieces(std::span<const std::string_view> texts, const BpeOptions& options) {
  std::vector<PieceCount> counts;
  std::unordered_map<std::string_view, size_t> index;
  const auto find = [&](std::string_view piece) -> PieceCount& {
    const auto [at, fresh] = index.try_emplace(piece, counts.size());
    if (fresh) counts.push_back({piece});
    return counts[at->second];
  };
  const auto add = [&](std::string_view piece) { ++find(piece).count; };
  for (const std::string_view text : texts) {
    text::SpecialFinder finder(text, options.special);
    size_t done = 0;
    while (const auto found = finder.next(done)) {
      text::for_each_piece(text.substr(done, found->place.begin - done), add);
      done = found->place.end;
    }
    text::for_each_piece(text.substr(done), add);
  }
  for (const std::string& text : options.whole)
    text::for_each_piece(text, [&](std::string_view piece) { find(piece).whole = true; });
  return counts;
}

class Trainer {
 public:
  Trainer(const std::vector<PieceCount>& pieces, const BpeOptions& options) : options_(options) {
    for (int byte = 0; byte < 256; ++byte) tokens_.emplace_back(1, static_cast<char>(byte));
    seen_.insert(tokens_.begin(), tokens_.end());
    size_t total = 0;
    for (const PieceCount& piece : pieces) total += piece.piece.size();
    if (total >= k_end) {
      fail_call("train_bpe: the distinct pieces of the texts have ", total, " bytes, expected less than ",
                k_end);
    }
    nodes_.reserve(total);
    for (const PieceCount& piece : pieces) add_piece(piece);
    push_pairs_from(0);
  }

  std::vector<std::pair<int64_t, int64_t>> run(size_t merges) {
    if (const size_t needed = joins_to_come(); needed > merges) {
      fail_call("train_bpe: ", whole_.size(), " whole words take up to ", needed,
                " merges, and the vocabulary has room for ", merges,
                "; give a larger vocabulary or fewer words");
    }
    merge_often_seen(merges);
    for (const uint32_t first : whole_) join_whole(first);
    merge_often_seen(merges);  // joins that several words shared left room
    return std::move(made_);
  }

 private:
  static constexpr uint32_t k_end = ~uint32_t{0};  // no node; no token
  struct Node {
    uint32_t token, previous, next;
    int64_t count;  // of its piece
  };
  struct Pair {
    uint32_t left, right;
    int64_t count = 0;
    std::vector<uint32_t> places;  // nodes of `left`, ascending; some may have changed since
  };
  struct Candidate {
    int64_t count;
    uint32_t left, right, pair;
    bool operator<(const Candidate& other) const {  // worse
      if (count != other.count) return count < other.count;
      return std::tie(left, right) > std::tie(other.left, other.right);
    }
  };

  // Until no more than what the whole words need is left of so many merges.
  void merge_often_seen(size_t merges) {
    while (made_.size() + joins_to_come() < merges && !best_.empty()) {
      const Candidate top = best_.top();
      best_.pop();
      const int64_t count = pairs_[top.pair].count;
      if (count < options_.min_count) continue;
      if (count < top.count) {  // merges nearby took some: it goes back to where it belongs now
        best_.push({count, top.left, top.right, top.pair});
        continue;
      }
      take(top);
    }
  }

  // Merges of two neighbours each that the whole words need at most, as they are divided by now.
  size_t joins_to_come() const {
    size_t joins = 0;
    for (const uint32_t first : whole_)
      for (uint32_t at = nodes_[first].next; at != k_end; at = nodes_[at].next) ++joins;
    return joins;
  }

  // The first two neighbours that can be joined, until the word is one token.
  void join_whole(uint32_t first) {
    while (nodes_[first].next != k_end) {
      bool joined = false;
      uint32_t at = first;
      while (!joined && nodes_[at].next != k_end) {
        const uint32_t left = nodes_[at].token, right = nodes_[nodes_[at].next].token;
        joined = take({0, left, right, index_.find(left, right)});
        if (!joined) at = nodes_[at].next;
      }
      if (joined) continue;
      std::string word;
      for (at = first; at != k_end; at = nodes_[at].next) word += tokens_[nodes_[at].token];
      fail_call("train_bpe: '", word, "' cannot become one token; leave it out of the whole words");
    }
  }

  // Merges the pair everywhere; false where its token would be too long or is there already.
  bool take(const Candidate& chosen) {
    if (!take_token(chosen.left, chosen.right)) return false;
    const size_t known = pairs_.size();
    merge(chosen, static_cast<uint32_t>(tokens_.size() - 1));
    push_pairs_from(known);  // a pair's count only falls after the merge that made it
    made_.emplace_back(chosen.left, chosen.right);
    return true;
  }

  void add_piece(const PieceCount& piece) {
    const auto first = static_cast<uint32_t>(nodes_.size());
    if (piece.whole) whole_.push_back(first);
    const auto end = static_cast<uint32_t>(first + piece.piece.size());
    for (uint32_t at = first; at < end; ++at) {
      const auto byte = static_cast<unsigned char>(piece.piece[at - first]);
      nodes_.push_back({byte, at == first ? k_end : at - 1, at + 1 == end ? k_end : at + 1, piece.count});
    }
    for (uint32_t at = first; at + 1 < end; ++at) add_place(nodes_[at].token, nodes_[at + 1].token, at);
  }

  void add_place(uint32_t left, uint32_t right, uint32_t at) {
    const uint32_t pair = index_.add(left, right, static_cast<uint32_t>(pairs_.size()));
    if (pair == pairs_.size()) pairs_.push_back({left, right, 0, {}});
    pairs_[pair].count += nodes_[at].count;
    pairs_[pair].places.push_back(at);
  }

  void drop_place(uint32_t left, uint32_t right, int64_t count) {
    pairs_[index_.find(left, right)].count -= count;
  }

  void push_pairs_from(size_t first) {
    for (size_t i = first; i < pairs_.size(); ++i) {
      best_.push({pairs_[i].count, pairs_[i].left, pairs_[i].right, static_cast<uint32_t>(i)});
    }
  }

  // Makes the joined token, unless it is too long or a token already.
  bool take_token(uint32_t left, uint32_t right) {
    if (tokens_[left].size() + tokens_[right].size() > options_.longest_token) return false;
    std::string joined = tokens_[left] + tokens_[right];
    if (!seen_.insert(joined).second) return false;
    tokens_.push_back(std::move(joined));
    return true;
  }

  void merge(const Candidate& chosen, uint32_t made) {
    // Moved out: adding pairs moves pairs_.
    const std::vector<uint32_t> places = std::move(pairs_[chosen.pair].places);
    for (const uint32_t at : places) {
      Node& node = nodes_[at];
      if (node.token != chosen.left || node.next == k_end) continue;
      Node& eaten = nodes_[node.next];
      if (eaten.token != chosen.right) continue;  // in "aaa" the first two are one token by now
      if (node.previous != k_end) drop_place(nodes_[node.previous].token, chosen.left, node.count);
      if (eaten.next != k_end) drop_place(chosen.right, nodes_[eaten.next].token, node.count);
      node.token = made;
      node.next = eaten.next;
      eaten.token = k_end;
      if (node.previous != k_end) add_place(nodes_[node.previous].token, made, node.previous);
      if (node.next != k_end) {
        nodes_[node.next].previous = at;
        add_place(made, nodes_[node.next].token, at);
      }
    }
    pairs_[chosen.pair].count = 0;
  }

  const BpeOptions& options_;
  std::vector<std::string> tokens_;
  std::unordered_set<std::string> seen_;  // their bytes
  std::vector<Node> nodes_;
  PairTable index_;  // two tokens -> place in pairs_
  std::vector<Pair> pairs_;
  std::priority_queue<Candidate> best_;  // counts as they were when pushed: never less than they are
  std::vector<uint32_t> whole_;          // the first node of each word that is to be one token
  std::vector<std::pair<int64_t, int64_t>> made_;
};

}  // namespace

namespace {

std::string lower_case(std::string_view utf8) {
  std::string out;
  text::each_character(utf8, [&](const Character& c, size_t at) {
    if (c.valid)
      text::append_lower(c.point, out);
    else
      out.append(utf8.substr(at, c.size));
  });
  return out;
}

std::unique_ptr<Tokenizer> train_in_lower_case(std::span<const std::string_view> texts, int64_t vocabulary,
                                               BpeOptions options) {
  options.lower = false;
  for (std::string& text : options.whole) text = lower_case(text);
  std::vector<std::string> lowered;
  for (const std::string_view text : texts) lowered.push_back(lower_case(text));
  const std::vector<std::string_view> views(lowered.begin(), lowered.end());
  const auto plain = train_bpe(views, vocabulary, options);
  const auto written = hub_tokenizer_json(*plain);
  if (!written) fail_call("train_bpe: with lower, names of special tokens must be UTF-8");
  Json document = parse_json(*written, {"train_bpe", Error::Kind::call});
  document["normalizer"] = {{"type", "Lowercase"}};
  return tokenizer_from_json(document.dump());
}

}  // namespace

std::unique_ptr<Tokenizer> train_bpe(std::span<const std::string_view> texts, int64_t vocabulary,
                                     const BpeOptions& options) {
  if (options.lower) return train_in_lower_case(texts, vocabulary, options);
  const auto least = static_cast<int64_t>(256 + options.special.size());
  if (vocabulary < least || vocabulary >= int64_t{1} << 31) {
    fail_call("train_bpe: vocabulary is ", vocabulary, ", expected at least ", least, " (256 bytes and ",
              options.special.size(), " special tokens) and less than 2^31");
  }
  if (options.min_count < 1)
    fail_call("train_bpe: min_count is ", options.min_count, ", expected at least 1");
  BpeParts parts;
  parts.special = options.special;
  bpe_tokenizer(parts);  // the names are checked before the work, not after it
  Trainer trainer(count_pieces(texts, options), options);
  parts.merges = trainer.run(static_cast<size_t>(vocabulary - least));
  return bpe_tokenizer(std::move(parts));
}

std::unique_ptr<Tokenizer> train_bpe(std::string_view text, int64_t vocabulary, const BpeOptions& options) {
  return train_bpe(std::span(&text, 1), vocabulary, options);
}

}  // namespace limpid
