#include "model/head_scores.h"

#include <algorithm>
#include <cmath>

#include "core/threads.h"

namespace limpid {

namespace {

// ---- which cells ---------------------------------------------------------------------------------

// One query of the batch, and what its keys are.
struct Query {
  int64_t row = 0, place = 0;
  std::vector<int64_t> same, behind;  // keys of earlier equal tokens, and those behind them
};

class Cells {
 public:
  Cells(const ConstView& pattern, const Places& places)
      : batch(pattern.shape()[0].size),
        heads(pattern.shape()[1].size),
        queries_(pattern.shape()[2].size),
        keys_(pattern.shape()[3].size),
        places_(places) {
    for (int64_t b = 0; b < batch; ++b) add_queries(b);
    repeats = std::any_of(queries.begin(), queries.end(), [](const Query& q) { return !q.same.empty(); });
    if (repeats) std::erase_if(queries, [](const Query& q) { return q.same.empty(); });
  }

  int64_t batch, heads;
  std::vector<Query> queries;
  bool repeats = false;  // some token has stood before

  int64_t keys_of(int64_t b) const {
    return places_.tokens.empty() ? keys_
                                  : static_cast<int64_t>(places_.tokens[static_cast<size_t>(b)].size());
  }
  /// Whether this cell has a distance, and which; distances are numbered from 0 to distances().
  int64_t distance(int64_t t, int64_t s) const {
    if (places_.columns == 0) return t - s + keys_;
    if (s < places_.learned) return -1;
    const int64_t c = places_.columns, from = t - places_.learned, to = s - places_.learned;
    const int64_t lines = from / c - to / c + keys_ / c, columns = from % c - to % c + c;
    return lines * 2 * c + columns;
  }
  int64_t distances() const {
    const int64_t c = places_.columns;
    return c == 0 ? queries_ + keys_ + 1 : 2 * c * (2 * (keys_ / c) + 2);
  }

 private:
  void add_queries(int64_t b) {
    const int64_t first = places_.columns > 0 ? places_.learned : 1;
    const int64_t end = std::min(queries_, keys_of(b));
    for (int64_t t = first; t < end; ++t) {
      Query q{b, t, {}, {}};
      if (!places_.tokens.empty()) {
        const std::vector<int64_t>& ids = places_.tokens[static_cast<size_t>(b)];
        for (int64_t s = 0; s < t; ++s)
          if (ids[static_cast<size_t>(s)] == ids[static_cast<size_t>(t)]) {
            q.same.push_back(s);
            if (s + 1 < t) q.behind.push_back(s + 1);
          }
      }
      queries.push_back(std::move(q));
    }
  }

  int64_t queries_, keys_;
  const Places& places_;
};

// ---- what is added up ----------------------------------------------------------------------------

// How far the weights are what their distance says: sums of a weight and its square, by distance.
class ByDistance {
 public:
  explicit ByDistance(int64_t distances) : sums_(static_cast<size_t>(distances)) {}
  void add(int64_t distance, double weight) {
    Sum& sum = sums_[static_cast<size_t>(distance)];
    sum.count += 1;
    sum.weight += weight;
    sum.square += weight * weight;
  }
  double explained() const {
    Sum all;
    double within = 0;
    for (const Sum& sum : sums_) {
      if (sum.count == 0) continue;
      within += sum.spread();
      all.count += sum.count;
      all.weight += sum.weight;
      all.square += sum.square;
    }
    // Weights that differ by rounding alone are alike.
    constexpr double k_alike = 1e-10;
    if (all.count == 0 || all.spread() <= k_alike * all.square) return 0;
    return std::clamp(1 - within / all.spread(), 0.0, 1.0);
  }

 private:
  struct Sum {
    double count = 0, weight = 0, square = 0;
    double spread() const { return std::max(0.0, square - weight * weight / count); }
  };
  std::vector<Sum> sums_;
};

using Row = std::vector<double>;

double entropy_share(const Row& weights, int64_t seen) {
  double entropy = 0;
  for (const double w : weights)
    if (w > 0) entropy -= w * std::log(w);
  return std::clamp(entropy / std::log(static_cast<double>(seen)), 0.0, 1.0);
}

class Measure {
 public:
  Measure(const ConstView& pattern, const Places& places)
      : pattern_(pattern), places_(places), cells_(pattern, places), causal_(is_causal()) {}

  std::vector<HeadScores> scores() {
    std::vector<HeadScores> out(static_cast<size_t>(cells_.heads));
    parallel_for(cells_.heads, [&](int64_t h, int) { out[static_cast<size_t>(h)] = of_head(h); });
    return out;
  }

 private:
  double weight(int64_t b, int64_t h, int64_t t, int64_t s) const { return pattern_.at({b, h, t, s}); }

  // No head gives weight to what stands behind a query.
  bool is_causal() const {
    for (const Query& q : cells_.queries)
      for (int64_t s = q.place + 1; s < cells_.keys_of(q.row); ++s)
        for (int64_t h = 0; h < cells_.heads; ++h)
          if (weight(q.row, h, q.place, s) != 0) return false;
    return true;
  }

  HeadScores of_head(int64_t h) const {
    double previous = 0, first = 0, self = 0, duplicate = 0, induction = 0, entropy = 0;
    int64_t uneven = 0;  // queries that have a choice
    ByDistance by_distance(cells_.distances());
    for (const Query& q : cells_.queries) {
      Row row(static_cast<size_t>(cells_.keys_of(q.row)));
      for (size_t s = 0; s < row.size(); ++s) row[s] = weight(q.row, h, q.place, static_cast<int64_t>(s));
      const auto place = static_cast<size_t>(q.place);
      if (place > 0) previous += row[place - 1];
      first += row[0];
      self += row[place];
      for (const int64_t s : q.same) duplicate += row[static_cast<size_t>(s)];
      for (const int64_t s : q.behind) induction += row[static_cast<size_t>(s)];
      const int64_t seen = causal_ ? q.place + 1 : static_cast<int64_t>(row.size());
      for (int64_t s = 0; s < seen; ++s)
        if (const int64_t d = cells_.distance(q.place, s); d >= 0)
          by_distance.add(d, row[static_cast<size_t>(s)]);
      if (seen < 2) continue;
      entropy += entropy_share(row, seen);
      ++uneven;
    }
    const double count = std::max<double>(1, static_cast<double>(cells_.queries.size()));
    HeadScores out;
    out.head = h;
    if (places_.columns == 0) out.previous = previous / count;
    if (places_.columns == 0 || places_.learned > 0) out.first = first / count;
    out.self = self / count;
    if (cells_.repeats) {
      out.duplicate = duplicate / count;
      out.induction = induction / count;
    }
    out.positional = by_distance.explained();
    out.entropy = uneven > 0 ? entropy / static_cast<double>(uneven) : 0;
    name_kind(out);
    return out;
  }

  static void name_kind(HeadScores& head) {
    const std::pair<HeadKind, std::optional<double>> named[] = {{HeadKind::previous, head.previous},
                                                                {HeadKind::first, head.first},
                                                                {HeadKind::self, head.self},
                                                                {HeadKind::duplicate, head.duplicate},
                                                                {HeadKind::induction, head.induction}};
    HeadKind kind = HeadKind::self;
    for (const auto& [each, score] : named)
      if (score && (*score > head.score)) {
        kind = each;
        head.score = *score;
      }
    if (head.score >= k_head_threshold) {
      head.kind = kind;
    } else if (head.positional >= k_head_threshold) {
      head.kind = HeadKind::positional;
      head.score = head.positional;
    } else {
      head.score = std::max(head.score, head.positional);
    }
  }

  const ConstView& pattern_;
  const Places& places_;
  Cells cells_;
  bool causal_;
};

}  // namespace

std::vector<HeadScores> head_scores(const ConstView& pattern, const Places& places) {
  return Measure(pattern, places).scores();
}

std::vector<HeadScores> head_scores(const ConstView& pattern,
                                    const std::vector<std::vector<int64_t>>& tokens) {
  const Shape& shape = pattern.shape();
  if (shape.rank() != 4 || shape[0].size != static_cast<int64_t>(tokens.size()))
    fail_call("heads: the weights are ", shape.text(), ", expected [B=", tokens.size(),
              ",H,T,S], a row of the batch a text");
  for (size_t b = 0; b < tokens.size(); ++b)
    if (const auto length = static_cast<int64_t>(tokens[b].size());
        length < 2 || length > shape[2].size || length > shape[3].size)
      fail_call("heads: text ", b, " has ", length, " tokens, expected 2 to ",
                std::min(shape[2].size, shape[3].size), ", as many as the weights ", shape.text(), " have");
  return head_scores(pattern, Places{tokens, 0, 0});
}

}  // namespace limpid
