// The key insight: what this run shows, in one or two sentences.
#include <algorithm>
#include <cmath>

#include "core/label.h"
#include "trace/figures.h"
#include "trace/looks.h"

namespace limpid {

namespace {

std::string quoted(const std::string& label) { return "\"" + label + "\""; }
std::string hundredths(double value) { return Figures({value}, 2).text(value); }
std::string percent(double share) { return Figures({100}, 0).text(100 * share) + "%"; }

std::string times(double ratio) {
  return ratio < 10 ? Figures({1}, 1).text(ratio) : grouped(std::lround(std::min(ratio, 1e15)));
}

// What an entropy says to a newcomer.
std::string sharpness(double evenness) {
  if (evenness > 0.97) return "it hardly chooses";
  if (evenness > 0.75) return "it leans, but hears everyone";
  if (evenness > 0.4) return "it chooses";
  return "it hears almost nobody else";
}

std::string in_quotes_of(const Reading& reading, Axis axis, int64_t place) {
  return quoted(reading.label(axis, place));
}

// One head: "short" looks at "short" most (0.38), at "Life" least (0.30); ...
std::string looking_of_one(const Reading& reading, const Look& at) {
  return join(in_quotes_of(reading, Axis::T, at.query), " looks at ", in_quotes_of(reading, Axis::S, at.most),
              " most (", hundredths(at.most_weight), "), at ", in_quotes_of(reading, Axis::S, at.least),
              " least (", hundredths(at.least_weight), "); the entropy of its weights is ",
              percent(at.evenness), " of looking everywhere alike: ", sharpness(at.evenness), ".");
}

// Many heads: the one that chooses most, beside the average.
std::string looking_of_many(const Reading& reading, const Look& at, const std::vector<Look>& looks) {
  double mean = 0;
  for (const Look& one : looks) mean += one.evenness / static_cast<double>(looks.size());
  return join("For ", in_quotes_of(reading, Axis::T, at.query), ", the sharpest of ", looks.size(),
              " heads is head ", at.head, reading.layers() > 1 ? join(" of layer ", at.layer) : "",
              ": it looks at ", in_quotes_of(reading, Axis::S, at.most), " most (",
              hundredths(at.most_weight), "), with an entropy of ", percent(at.evenness),
              " of looking everywhere alike: ", sharpness(at.evenness), " (all heads: ", percent(mean), ").");
}

std::string looking(const Reading& reading, const std::vector<Look>& looks) {
  const Look& best = *std::min_element(looks.begin(), looks.end(), [](const Look& a, const Look& b) {
    if ((a.keys > 1) != (b.keys > 1)) return a.keys > 1;
    return a.evenness < b.evenness;
  });
  if (best.keys < 2)
    return in_quotes_of(reading, Axis::T, best.query) +
           " can only look at itself: there is nothing else it may attend to.";
  return looks.size() == 1 ? looking_of_one(reading, best) : looking_of_many(reading, best, looks);
}

// What attention did to the row of the last word: with a residual path it moved it, without one it is all
// there is.
std::string moved(const Reading& reading, int64_t query) {
  const int64_t layer = reading.layers() - 1;
  const auto before = row_length(reading, reading.graph().find("blocks.0.resid_pre"), query);
  double added = 0;
  int64_t counted_layers = 0;
  for (int64_t l = 0; l <= layer; ++l) {
    if (reading.in_layer(l, "resid_mid") < 0) continue;
    const int out = reading.in_layer(l, "attn_out");
    const auto length = row_length(reading, out >= 0 ? out : reading.in_layer(l, "attn.z"), query);
    const auto pre = row_length(reading, reading.in_layer(l, "resid_pre"), query);
    if (!length || !pre || !(*pre > 0) || !std::isfinite(*length / *pre)) continue;
    added += *length / *pre;
    ++counted_layers;
  }
  if (!before || counted_layers == 0) return "";
  const double share = added / static_cast<double>(counted_layers);
  return join("What it gathered is ", percent(share), " as long as the row it was added to",
              counted_layers > 1 ? ", on average over the layers" : "", ".");
}

// Where a candidate's score came from, when nothing but sums lies between the values and it: logit = sum over
// keys of weight x (value . W_U).  Nothing where the network has more in between, or the parameters were not
// kept.
struct Source {
  int64_t key = 0;
  double share = 0;  // of the score
  double score = 0;
};
std::optional<Source> source(const Reading& reading, int64_t query, int64_t candidate) {
  const Graph& graph = reading.graph();
  const int logits = graph.find("logits");
  if (reading.layers() != 1 || reading.heads(0) != 1 || logits < 0 || graph.value(logits).stage < 0)
    return std::nullopt;
  const StageInfo& stage = graph.stage(graph.value(logits).stage);
  if (stage.inputs.size() != 2) return std::nullopt;
  int from = stage.inputs[0];
  while (graph.value(from).stage >= 0 && graph.stage(graph.value(from).stage).operation->is_view())
    from = graph.stage(graph.value(from).stage).inputs[0];
  const auto table = reading.numbers(stage.inputs[1]), weights = reading.numbers("blocks.0.attn.pattern"),
             values = reading.numbers("blocks.0.attn.v"), scores = reading.numbers(logits);
  if (from != reading.in_layer(0, "attn.z") || !table || !weights || !values || !scores) return std::nullopt;
  if (table->shape().rank() != 2 || values->shape().rank() != 3 || scores->shape().rank() != 2 ||
      table->shape()[0].size != values->shape()[2].size)
    return std::nullopt;
  Source best;
  best.score = scores->at({query, candidate});
  double most = -1;
  for (int64_t key = 0; key < values->shape()[0].size; ++key) {
    double part = 0;
    for (int64_t d = 0; d < values->shape()[2].size; ++d)
      part += values->at({key, 0, d}) * table->at({d, candidate});
    part *= weights->at({0, query, key});
    if (part > most) most = part, best.key = key;
  }
  if (!(best.score > 0) || !(most > 0)) return std::nullopt;
  best.share = most / best.score;
  return best;
}

std::string predicted(const Reading& reading) {
  const std::optional<Rows>& probs = reading.rows(reading.graph().find("probs"));
  const int rank = probs ? probs->numbers.shape().rank() : 0;
  if (rank < 1 || rank > 2) return "";
  const bool words = rank == 2;
  const int64_t count = probs->numbers.shape()[rank - 1].size, last = words ? probs->length - 1 : 0,
                row = words ? probs->find(last) : 0;
  if (row < 0) return "";
  const auto at = [&](int64_t v) { return words ? probs->numbers.at({row, v}) : probs->numbers.at({v}); };
  int64_t best = 0, second = -1;
  for (int64_t v = 0; v < count; ++v)
    if (!std::isfinite(at(v))) return "The probabilities are not finite.";
  for (int64_t v = 1; v < count; ++v)
    if (at(v) > at(best)) best = v;
  for (int64_t v = 0; v < count; ++v)
    if (v != best && (second < 0 || at(v) > at(second))) second = v;
  std::string out = reading.likeliest(quoted(reading.label(Axis::T, last)), reading.thing(Axis::T)) + " is ";
  out += quoted(reading.label(Axis::V, best)) + " (" + hundredths(at(best)) + ")";
  if (second >= 0 && at(second) > 0)
    out += join(", ", times(at(best) / at(second)), " times as likely as ",
                quoted(reading.label(Axis::V, second)));
  if (words)
    if (const auto from = source(reading, last, best))
      out += join("; ", percent(from->share), " of its score came by way of ",
                  quoted(reading.label(Axis::S, from->key)));
  return out + ".";
}

}  // namespace

std::string key_insight(const Trace& trace) {
  const Reading reading(trace);
  const int64_t last = reading.length() - 1;
  const std::vector<Look> looks = looks_of(reading, last);
  std::string out;
  const auto say = [&](const std::string& sentence) {
    if (!sentence.empty()) out += (out.empty() ? "" : " ") + sentence;
  };
  if (!looks.empty()) {
    say(looking(reading, looks));
    say(moved(reading, last));
  }
  say(predicted(reading));
  return out;
}

}  // namespace limpid
