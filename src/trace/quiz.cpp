#include "trace/quiz.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "core/label.h"
#include "trace/figures.h"
#include "trace/quiz_parts.h"

namespace limpid {

namespace {

constexpr size_t k_longest_quoted = 160;  // bytes of a text that a question repeats whole

// Two decimals, more where the number is small.
std::string format_of(double value) {
  int decimals = 2;
  while (value != 0 && std::fabs(value) * std::pow(10, decimals) < 9.5 && decimals < 5) ++decimals;
  return join("%.", decimals, "f");
}

}  // namespace

Cited cited(const Trace& trace, const std::string& name, const std::map<Axis, int64_t>& at) {
  // The whole value, or the rows that were kept of it.
  const auto rows = trace.values.find(name + "@rows"), kept = trace.values.find(name + "@rows.index");
  const bool by_rows = !trace.has(name) && rows != trace.values.end() && kept != trace.values.end();
  const Tensor& tensor = by_rows ? rows->second : trace[name];
  Index index;
  std::string places;
  for (const Dim& dim : tensor.shape()) {
    const auto found = at.find(dim.axis);
    index.push_back(found == at.end() ? 0 : found->second);
    places += join(places.empty() ? "" : ",", index.back());
    if (!by_rows || dim.axis != Axis::T) continue;
    const int64_t* begin = kept->second.data<int64_t>();
    const int64_t* row = std::find(begin, begin + kept->second.count(), index.back());
    if (row == begin + kept->second.count())
      fail_call("quiz: the trace does not hold row ", index.back(), " of ", name);
    index.back() = row - begin;
  }
  const double value = tensor.at(index);
  const std::string format = format_of(value);
  char text[64];
  std::snprintf(text, sizeof text, format.c_str(), value);
  return {text, join(name, "[", places, "] ", format)};
}

void choose(Question& q, const std::vector<std::string>& labels) {
  const std::string right = labels.at(0);
  for (const std::string& each : labels)
    if (q.choices.size() < 4 && std::find(q.choices.begin(), q.choices.end(), each) == q.choices.end())
      q.choices.push_back(each);
  std::sort(q.choices.begin(), q.choices.end());
  q.right = static_cast<size_t>(std::find(q.choices.begin(), q.choices.end(), right) - q.choices.begin());
}

void choose_kinds(Question& q, const std::vector<std::pair<std::string, std::string>>& kinds_and_labels) {
  std::vector<std::string> labels;
  for (const auto& [kind, label] : kinds_and_labels) labels.push_back(label);
  choose(q, labels);
  for (const std::string& choice : q.choices) {
    const auto at = std::find(labels.begin(), labels.end(), choice) - labels.begin();
    q.choice_kinds.push_back(kinds_and_labels[static_cast<size_t>(at)].first);
  }
}

std::string label_of(const Reading& reading, Axis axis, int64_t place) {
  const std::string word = reading.label(axis, place);
  return word.empty() ? join("#", place) : word;
}

namespace {

class Quiz {
 public:
  Quiz(const Trace& trace, const QuizOptions& o) : trace_(trace), reading_(trace), o_(o) {
    query_ = o.token < 0 ? reading_.length() - 1 : o.token;
  }

  std::vector<Question> ask() {
    if (reading_.layers() > 0) {
      reading_.require_layer(o_.layer);
      reading_.require_head(o_.layer, o_.head);
      look_ = look(reading_, o_.layer, o_.head, query_);
    }
    looks_most();
    row_of_weights();
    comes_next();
    if (o_.stages && look_) ask_of_stages(reading_, o_, *look_, questions_);
    return std::move(questions_);
  }

 private:
  std::string label(Axis axis, int64_t place) const { return label_of(reading_, axis, place); }
  void add(Question q, const char* kind, std::map<std::string, std::string> facts) {
    q.kind = kind;
    q.facts = std::move(facts);
    if (q.choices.size() > 1) questions_.push_back(std::move(q));
  }

  void looks_most() {
    if (!look_ || look_->keys < 2) return;
    Question q;
    std::vector<std::string> labels = {label(Axis::S, look_->most)};
    for (int64_t s = reading_.length() - 1; s >= 0; --s)
      if (!reading_.masked(o_.layer, o_.head, query_, s)) labels.push_back(label(Axis::S, s));
    choose(q, labels);
    q.text = join("In layer ", o_.layer, ", head ", o_.head, ": which ", reading_.thing(Axis::T), " does \"",
                  label(Axis::T, query_), "\" look at most?");
    const Cited weight = cited(trace_, join("blocks.", o_.layer, ".attn.pattern"),
                               {{Axis::H, o_.head}, {Axis::T, query_}, {Axis::S, look_->most}});
    q.explanation = join("\"", labels[0], "\", with a weight of ", weight.text, ".");
    q.sources = {weight.source};
    add(std::move(q), "largest_weight",
        {{"layer", join(o_.layer)},
         {"head", join(o_.head)},
         {"query", label(Axis::T, query_)},
         {"answer", labels[0]},
         {"weight", weight.text}});
  }

  // Whether the first token may look at the last tells a causal mask from none.
  void row_of_weights() {
    if (!look_) return;
    const int64_t last = reading_.length() - 1;
    const std::string first = label(Axis::T, 0), thing = reading_.thing(Axis::T);
    Question q;
    if (last > 0 && reading_.masked(o_.layer, o_.head, 0, last)) {
      q.text = join("Why is most of the row of \"", first, "\" in the map of weights empty?");
      q.choices = {"It is the shortest " + thing,
                   join("It may only look at itself: later ", thing, "s are masked"), "Its query is zero",
                   "Softmax rounds small weights to zero"};
      q.choice_kinds = {"shortest", "masked", "zero_query", "rounded"};
      q.right = 1;
      q.explanation =
          join("A mask hides what comes later, so the first ", thing, " has nobody to look at but itself.");
      add(std::move(q), "masked_row", {{"first", first}});
    } else {
      q.text = join("What do the weights in the row of \"", first, "\" add up to?");
      q.choices = {"To the number of " + plural(thing), "To the width of a head", "To one", "To anything"};
      q.choice_kinds = {"count", "width", "one", "anything"};
      q.right = 2;
      q.explanation = "Softmax makes every row of weights add up to one, with or without a mask.";
      add(std::move(q), "sum_of_row", {{"first", first}});
    }
  }

  void comes_next() {
    const std::optional<Rows>& probs = reading_.rows(reading_.graph().find("probs"));
    const int rank = probs ? probs->numbers.shape().rank() : 0;
    if (rank < 1 || rank > 2) return;
    const bool words = rank == 2;
    const int64_t count = probs->numbers.shape()[rank - 1].size, row = words ? probs->find(query_) : 0;
    if (count < 2 || row < 0) return;
    std::vector<std::pair<double, int64_t>> best;
    for (int64_t v = 0; v < count; ++v) {
      const double p = words ? probs->numbers.at({row, v}) : probs->numbers.at({v});
      if (!std::isfinite(p)) return;
      best.emplace_back(-p, v);  // the likeliest first, of equal ones the first
    }
    const auto four = std::min<std::ptrdiff_t>(4, static_cast<std::ptrdiff_t>(best.size()));
    std::partial_sort(best.begin(), best.begin() + four, best.end());
    Question q;
    std::vector<std::string> labels;
    for (std::ptrdiff_t i = 0; i < four; ++i)
      labels.push_back(label(Axis::V, best[static_cast<size_t>(i)].second));
    choose(q, labels);
    const bool last = query_ + 1 == reading_.length();
    const std::string place = join("\"", label(Axis::T, query_), "\" (place ", query_, ")"),
                      ending =
                          join("\"... ", label(Axis::T, query_), "\", the last ", reading_.thing(Axis::T));
    const bool whole = last && reading_.sentence().size() <= k_longest_quoted;
    if (!words)
      q.text = "Which class does the network expect?";
    else if (!reading_.predicts_next())
      q.text = join("What does the network find likeliest at ", place, "?");
    else
      q.text = join("Which ", reading_.thing(Axis::T), " does the network expect after ",
                    whole  ? reading_.sentence()
                    : last ? ending
                           : place,
                    "?");
    const Cited p = cited(trace_, "probs", {{Axis::T, query_}, {Axis::V, best[0].second}});
    q.explanation = join("\"", labels[0], "\", with a probability of ", p.text, ".");
    q.sources = {p.source};
    const char* kind = !words                      ? "likeliest_class"
                       : !reading_.predicts_next() ? "likeliest_here"
                                                   : "comes_next";
    // What the sentences say, and no more.
    std::map<std::string, std::string> facts = {{"answer", labels[0]}, {"probability", p.text}};
    if (words && reading_.predicts_next() && whole) {
      facts["text"] = reading_.sentence();
    } else if (words) {
      facts["token"] = label(Axis::T, query_);
      if (!reading_.predicts_next() || !last) facts["place"] = join(query_);
    }
    add(std::move(q), kind, std::move(facts));
  }

  const Trace& trace_;
  Reading reading_;
  QuizOptions o_;
  int64_t query_ = 0;
  std::optional<Look> look_;
  std::vector<Question> questions_;
};

}  // namespace

std::string letter_of(size_t choice) { return std::string(1, static_cast<char>('A' + choice)); }

std::vector<Question> quiz(const Trace& trace, const QuizOptions& o) { return Quiz(trace, o).ask(); }

}  // namespace limpid
