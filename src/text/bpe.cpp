// The bpe kind: encoding with a list of merges.  (bpe_train.cpp makes such a list.)
#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "core/label.h"
#include "limpid/text.h"
#include "text/json_text.h"
#include "text/pair_table.h"
#include "text/pieces.h"

namespace limpid {
namespace {

using text::PairTable;

constexpr uint32_t k_bytes = 256;
constexpr size_t k_all_tokens = size_t{256} << 20;  // merges that double each time would fill any memory

// Merges the bytes of one piece.  Kept from piece to piece for its memory.
//
// The tokens are a linked list over the piece's bytes; a heap holds every pair of neighbours that is in
// the list of merges.  The lowest rank, then the leftmost, comes out first; a pair that is gone by then
// is recognised because the tokens at its place give another rank.  n log n, however long the piece.
class Merger {
 public:
  Merger(const PairTable& ranks, const std::array<uint32_t, k_bytes>& byte_ids)
      : ranks_(ranks), byte_ids_(byte_ids) {}

  /// The tokens of the piece and, in sizes, how many bytes each has.
  void merge(std::string_view piece, std::vector<uint32_t>& ids, std::vector<uint32_t>& sizes) {
    start(piece);
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      const uint64_t top = heap_.back();
      heap_.pop_back();
      const auto rank = static_cast<uint32_t>(top >> 32), at = static_cast<uint32_t>(top);
      if (rank_at(at) == rank) join(at, rank);
    }
    for (uint32_t at = 0; at < size_; at = nodes_[at].next) {
      ids.push_back(nodes_[at].token);
      sizes.push_back(nodes_[at].next - at);
    }
  }

 private:
  static constexpr uint32_t k_gone = ~uint32_t{0};
  struct Node {
    uint32_t token, previous, next;  // next is size_ at the end; previous is k_gone at the beginning
  };

  void start(std::string_view piece) {
    size_ = static_cast<uint32_t>(piece.size());
    nodes_.resize(size_);
    heap_.clear();
    for (uint32_t at = 0; at < size_; ++at) {
      nodes_[at] = {byte_ids_[static_cast<unsigned char>(piece[at])], at - 1, at + 1};
    }
    for (uint32_t at = 0; at < size_; ++at) push(at, false);
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

  // The rank of the token at `at` with the one after it, or PairTable::k_none.
  uint32_t rank_at(uint32_t at) const {
    const Node& node = nodes_[at];
    if (node.token == k_gone || node.next >= size_) return PairTable::k_none;
    return ranks_.find(node.token, nodes_[node.next].token);
  }

  void push(uint32_t at, bool order) {
    const uint32_t rank = rank_at(at);
    if (rank == PairTable::k_none) return;
    heap_.push_back(uint64_t{rank} << 32 | at);
    if (order) std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

  void join(uint32_t at, uint32_t rank) {
    Node& node = nodes_[at];
    Node& eaten = nodes_[node.next];
    node.token = k_bytes + rank;
    node.next = eaten.next;
    eaten.token = k_gone;
    if (node.next < size_) nodes_[node.next].previous = at;
    push(at, true);
    if (node.previous != k_gone) push(node.previous, true);
  }

  const PairTable& ranks_;
  const std::array<uint32_t, k_bytes>& byte_ids_;
  uint32_t size_ = 0;
  std::vector<Node> nodes_;
  std::vector<uint64_t> heap_;  // rank above, place below
};

class Bpe final : public Tokenizer {
 public:
  explicit Bpe(BpeParts parts) : parts_(std::move(parts)) {
    take_byte_order();
    take_merges();
    take_special();
  }
  std::string kind() const override { return "bpe"; }
  int64_t vocabulary() const override {
    return first_special() + static_cast<int64_t>(parts_.special.size());
  }

  std::optional<int64_t> special(std::string_view name) const override {
    const auto at = std::find(parts_.special.begin(), parts_.special.end(), name);
    if (at == parts_.special.end()) return std::nullopt;
    return first_special() + (at - parts_.special.begin());
  }

  std::string to_json() const override {
    nlohmann::json json{{"kind", "bpe"}, {"split", "gpt2"}, {"merges", parts_.merges}};
    nlohmann::json names = nlohmann::json::array();
    for (const std::string& name : parts_.special) names.push_back(text::json_text(name));
    json["special"] = std::move(names);
    if (!parts_.byte_order.empty()) json["byte_order"] = parts_.byte_order;
    return json.dump();
  }

 private:
  class Writer;  // one encode call

  int64_t first_special() const { return static_cast<int64_t>(tokens_.size()); }
  std::string bytes_of(int64_t id) const override {
    return id < first_special() ? tokens_[static_cast<size_t>(id)]
                                : parts_.special[static_cast<size_t>(id - first_special())];
  }
  void append(std::string_view text, Specials specials, Encoding& out) const override;

  void take_byte_order() {
    const std::vector<uint8_t>& order = parts_.byte_order;
    if (!order.empty() && std::set<uint8_t>(order.begin(), order.end()).size() != order.size()) {
      fail_call("bpe: byte_order repeats a byte, expected each of the 256 once");
    }
    if (!order.empty() && order.size() != k_bytes) {
      fail_call("bpe: byte_order has ", order.size(), " bytes, expected 256 or none");
    }
    for (uint32_t id = 0; id < k_bytes; ++id) {
      const auto byte = order.empty() ? static_cast<uint8_t>(id) : order[id];
      byte_ids_[byte] = id;
      tokens_.emplace_back(1, static_cast<char>(byte));
    }
  }

  void take_merges() {
    std::unordered_set<std::string> seen(tokens_.begin(), tokens_.end());
    size_t total = k_bytes;
    tokens_.reserve(k_bytes + parts_.merges.size());
    for (size_t i = 0; i < parts_.merges.size(); ++i) {
      const auto [left, right] = parts_.merges[i];
      const auto made = static_cast<int64_t>(k_bytes + i);
      if (left < 0 || left >= made || right < 0 || right >= made) {
        fail_call("bpe: merge ", i, " joins tokens ", left, " and ", right, " into ", made,
                  ", expected tokens from 0 to ", made - 1);
      }
      const std::string& a = tokens_[static_cast<size_t>(left)];
      const std::string& b = tokens_[static_cast<size_t>(right)];
      total += a.size() + b.size();
      if (total > k_all_tokens)
        fail_call("bpe: merge ", i, " brings the tokens to ", total, " bytes, expected at most ",
                  k_all_tokens);
      std::string joined = a + b;
      if (!seen.insert(joined).second) {
        fail_call("bpe: merge ", i, " of tokens ", left, " and ", right, " makes ", in_quotes(joined),
                  ", which is a token already");
      }
      tokens_.push_back(std::move(joined));
      ranks_.add(static_cast<uint32_t>(left), static_cast<uint32_t>(right), static_cast<uint32_t>(i));
    }
  }

  void take_special() {
    std::set<std::string> seen;
    for (const std::string& name : parts_.special) {
      if (name.empty()) fail_call("bpe: a special token has an empty name");
      if (!seen.insert(name).second) fail_call("bpe: special token ", in_quotes(name), " is named twice");
    }
  }

  BpeParts parts_;
  std::vector<std::string> tokens_;           // the bytes of each token but the special ones
  std::array<uint32_t, k_bytes> byte_ids_{};  // the token of each byte
  PairTable ranks_;                           // two tokens -> which merge joins them
};

// Encodes one text: the pieces seen in it are remembered until it ends, so nothing is shared by threads.
class Bpe::Writer {
 public:
  Writer(const Bpe& bpe, std::string_view text, Encoding& out)
      : merger_(bpe.ranks_, bpe.byte_ids_), text_(text), out_(out) {}

  void plain(size_t begin, size_t end) {
    text::for_each_piece(text_.substr(begin, end - begin), [&](std::string_view piece) { write(piece); });
  }

 private:
  struct Known {
    size_t begin = 0, count = 0;
  };

  void write(std::string_view piece) {
    const auto [at, fresh] = known_.try_emplace(piece);
    if (fresh) {
      at->second.begin = ids_.size();
      merger_.merge(piece, ids_, sizes_);
      at->second.count = ids_.size() - at->second.begin;
    }
    auto begin = static_cast<size_t>(piece.data() - text_.data());
    for (size_t i = at->second.begin; i < at->second.begin + at->second.count; ++i) {
      out_.ids.push_back(ids_[i]);
      out_.spans.push_back({begin, begin + sizes_[i]});
      begin += sizes_[i];
    }
  }

  Merger merger_;
  std::string_view text_;
  Encoding& out_;
  std::unordered_map<std::string_view, Known> known_;
  std::vector<uint32_t> ids_, sizes_;  // the tokens of the known pieces
};

void Bpe::append(std::string_view text, Specials specials, Encoding& out) const {
  Writer writer(*this, text, out);
  size_t done = 0;
  if (specials == Specials::as_tokens) {
    text::SpecialFinder finder(text, parts_.special);
    while (const auto found = finder.next(done)) {
      writer.plain(done, found->place.begin);
      out.ids.push_back(first_special() + static_cast<int64_t>(found->name));
      out.spans.push_back(found->place);
      done = found->place.end;
    }
  }
  writer.plain(done, text.size());
}

}  // namespace

std::unique_ptr<Tokenizer> bpe_tokenizer(BpeParts parts) { return std::make_unique<Bpe>(std::move(parts)); }

}  // namespace limpid
