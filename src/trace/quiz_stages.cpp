// Questions about the stages of attention: which rows are multiplied, what scaling and softmax do, which
// head.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "core/label.h"
#include "trace/quiz_parts.h"

namespace limpid {

namespace {

std::string quoted(const std::string& word) { return "\"" + word + "\""; }

bool near(double a, double b) { return std::fabs(a - b) <= 1e-4 * std::max(1.0, std::fabs(b)); }

// As many digits as tell the numbers of a question apart.
std::string written(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.3f", value);
  return text;
}

// Choices that are numbers, the right one first, in their order; false where two of them look alike.
bool choose_number(Question& q, std::vector<double> values) {
  const std::string right = written(values.at(0));
  std::sort(values.begin(), values.end());
  for (double value : values) {
    if (!std::isfinite(value)) return false;
    q.choices.push_back(written(value));
    if (q.choices.back() == right) q.right = q.choices.size() - 1;
  }
  return std::adjacent_find(q.choices.begin(), q.choices.end()) == q.choices.end();
}

class StageQuiz {
 public:
  StageQuiz(const Reading& reading, const QuizOptions& o, const Look& look, std::vector<Question>& out)
      : reading_(reading),
        o_(o),
        look_(look),
        out_(out),
        query_(label_of(reading, Axis::T, look.query)),
        key_(label_of(reading, Axis::S, look.most)) {}

  void ask() {
    query_and_key();
    largest_score();
    scaling();
    value();
    which_head();
    softmax();
  }

 private:
  std::string name(const char* stage) const { return join("blocks.", o_.layer, ".attn.", stage); }
  std::optional<ConstView> squares(const char* stage) const {
    const auto numbers = reading_.numbers(name(stage));
    return numbers && numbers->shape().rank() == 3 ? numbers : std::nullopt;
  }
  Cited cell(const char* stage, int64_t head, int64_t query, int64_t key) const {
    return cited(reading_.trace(), name(stage), {{Axis::H, head}, {Axis::T, query}, {Axis::S, key}});
  }
  void add(Question q, const char* kind, std::map<std::string, std::string> facts) {
    q.kind = kind;
    q.facts = std::move(facts);
    if (q.choices.size() > 1) out_.push_back(std::move(q));
  }

  // The rotated ones where positions turn them.
  std::pair<std::string, std::string> multiplied() const {
    const bool turned = reading_.numbers(name("rot_q")).has_value();
    return {turned ? "rot_q" : "q", turned ? "rot_k" : "k"};
  }

  void query_and_key() {
    const auto raw = squares("raw_scores");
    const auto [q_name, k_name] = multiplied();
    const auto q = reading_.numbers(name(q_name.c_str())), k = reading_.numbers(name(k_name.c_str()));
    if (!raw || !q || !k || q->shape().rank() != 3 || k->shape().rank() != 3) return;
    const int64_t share = std::max<int64_t>(1, q->shape()[1].size / std::max<int64_t>(1, k->shape()[1].size));
    double dot = 0;
    for (int64_t d = 0; d < q->shape()[2].size; ++d)
      dot += q->at({look_.query, o_.head, d}) * k->at({look_.most, o_.head / share, d});
    if (!near(raw->at({o_.head, look_.query, look_.most}), dot)) return;
    const Cited score = cell("raw_scores", o_.head, look_.query, look_.most);
    Question question;
    question.text = join("The score of ", quoted(query_), " looking at ", quoted(key_), " is ", score.text,
                         " before it is scaled. Which two rows were multiplied?");
    choose_kinds(question,
                 {{"query_key", join("the query of ", quoted(query_), " and the key of ", quoted(key_))},
                  {"query_value", join("the query of ", quoted(query_), " and the value of ", quoted(key_))},
                  {"embeddings", join("the embeddings of ", quoted(query_), " and ", quoted(key_))},
                  {"values", join("the values of ", quoted(query_), " and ", quoted(key_))}});
    question.explanation = join("Who looks asks with its query, who is looked at answers with its key: the ",
                                q->shape()[2].size, " products of their numbers add up to ", score.text, ".");
    question.sources = {score.source};
    add(std::move(question), "rows_of_score",
        {{"query", query_}, {"key", key_}, {"score", score.text}, {"width", join(q->shape()[2].size)}});
  }

  // Of the query before, where it has a choice: the weights of this one were asked for already.
  void largest_score() {
    const auto scores = squares("scores") ? squares("scores") : squares("scaled_scores");
    const char* stage = squares("scores") ? "scores" : "scaled_scores";
    if (!scores) return;
    const auto before = look_.query > 0 ? look(reading_, o_.layer, o_.head, look_.query - 1) : std::nullopt;
    const int64_t query = before && before->keys > 1 ? look_.query - 1 : look_.query;
    std::vector<std::pair<double, int64_t>> order;
    for (int64_t s = 0; s < scores->shape()[2].size; ++s)
      if (const double score = scores->at({o_.head, query, s}); std::isfinite(score))
        order.emplace_back(-score, s);
    if (order.size() < 2) return;
    std::sort(order.begin(), order.end());
    std::vector<std::string> labels;
    for (const auto& [score, s] : order) labels.push_back(label_of(reading_, Axis::S, s));
    if (labels[0] == labels[1]) return;  // the same word twice: both are right
    Question q;
    choose(q, labels);
    const Cited first = cell(stage, o_.head, query, order[0].second),
                second = cell(stage, o_.head, query, order[1].second);
    q.text = join("Before softmax, in head ", o_.head, " of layer ", o_.layer,
                  ": whose key has the largest score with the query of ",
                  quoted(label_of(reading_, Axis::T, query)), "?");
    q.explanation = join(quoted(labels[0]), " with ", first.text, ", then ", quoted(labels[1]), " with ",
                         second.text, ". Softmax keeps this order: a larger score is a larger weight.");
    q.sources = {first.source, second.source};
    add(std::move(q), "largest_score",
        {{"layer", join(o_.layer)},
         {"head", join(o_.head)},
         {"query", label_of(reading_, Axis::T, query)},
         {"answer", labels[0]},
         {"score", first.text},
         {"second", labels[1]},
         {"second_score", second.text}});
  }

  void scaling() {
    const auto raw = squares("raw_scores"), scaled = squares("scaled_scores");
    const int id = reading_.in_layer(o_.layer, "attn.q");
    const int axis = id < 0 ? -1 : reading_.graph().value(id).shape.find(Axis::D);
    if (!raw || !scaled || axis < 0) return;
    const auto width = static_cast<double>(reading_.graph().value(id).shape[axis].size);
    const Index at = {o_.head, look_.query, look_.most};
    const double before = raw->at(at);
    if (!near(scaled->at(at), before / std::sqrt(width))) return;
    Question q;
    if (!choose_number(q, {before / std::sqrt(width), before, before / width, before * std::sqrt(width)}))
      return;
    q.text = join("The dot product of a query and a key is ", written(before), ", and a head is ", width,
                  " numbers wide. What is the scaled score?");
    q.explanation =
        join("It is divided by the root of the width: ", written(before), " / sqrt(", width,
             ") = ", q.choices[q.right],
             ". Otherwise wide heads would have large scores, and softmax would see only the largest.");
    q.sources = {cell("scaled_scores", o_.head, look_.query, look_.most).source,
                 cell("raw_scores", o_.head, look_.query, look_.most).source};
    const std::string answer = q.choices[q.right];
    add(std::move(q), "scaled_score", {{"raw", written(before)}, {"width", join(width)}, {"answer", answer}});
  }

  void value() {
    const auto v = reading_.numbers(name("v"));
    if (!v || v->shape().rank() != 3 || !squares("pattern")) return;
    const int64_t share =
        std::max<int64_t>(1, reading_.heads(o_.layer) / std::max<int64_t>(1, v->shape()[1].size));
    const Cited weight = cell("pattern", o_.head, look_.query, look_.most);
    const Cited first =
        cited(reading_.trace(), name("v"), {{Axis::S, look_.most}, {Axis::G, o_.head / share}});
    Question q;
    q.text = join(quoted(query_), " looks at ", quoted(key_), " with a weight of ", weight.text,
                  ". What is multiplied by this weight and added to what ", quoted(query_), " gathers?");
    choose_kinds(q, {{"value", join("the value of ", quoted(key_))},
                     {"key", join("the key of ", quoted(key_))},
                     {"query", join("the query of ", quoted(query_))},
                     {"score", join("the score of ", quoted(key_))}});
    q.explanation = join(
        "Queries and keys only decide the weights; what is gathered are values. The first number of this "
        "value is ",
        first.text, ".");
    q.sources = {weight.source, first.source};
    add(std::move(q), "what_is_gathered",
        {{"query", query_}, {"key", key_}, {"weight", weight.text}, {"first", first.text}});
  }

  void which_head() {
    const auto pattern = squares("pattern");
    if (!pattern || pattern->shape()[0].size < 2) return;
    std::vector<std::pair<double, int64_t>> order;
    for (int64_t h = 0; h < pattern->shape()[0].size; ++h)
      order.emplace_back(-pattern->at({h, look_.query, look_.most}), h);
    std::sort(order.begin(), order.end());
    if (!(order[0].first < order[1].first)) return;
    std::vector<std::pair<std::string, std::string>> labels;
    for (const auto& [weight, head] : order) labels.emplace_back(join("head_", head), join("head ", head));
    Question q;
    choose_kinds(q, labels);
    const Cited most = cell("pattern", order[0].second, look_.query, look_.most),
                next = cell("pattern", order[1].second, look_.query, look_.most);
    q.text =
        join("Which head of layer ", o_.layer, " lets ", quoted(query_), " look at ", quoted(key_), " most?");
    q.explanation =
        join("In head ", order[0].second, " the weight is ", most.text, ", in head ", order[1].second,
             " only ", next.text, ": each head has its own queries and keys, so each looks its own way.");
    q.sources = {most.source, next.source};
    add(std::move(q), "which_head",
        {{"layer", join(o_.layer)},
         {"query", query_},
         {"key", key_},
         {"answer", join(order[0].second)},
         {"weight", most.text},
         {"second", join(order[1].second)},
         {"second_weight", next.text}});
  }

  // What a difference of logits becomes.
  void softmax() {
    const auto logits = reading_.numbers("logits"), probs = reading_.numbers("probs");
    if (!logits || !probs || logits->shape().rank() != 2 || probs->shape().rank() != 2) return;
    if (look_.query >= logits->shape()[0].size) return;
    std::vector<std::pair<double, int64_t>> order;
    for (int64_t v = 0; v < logits->shape()[1].size; ++v)
      order.emplace_back(-logits->at({look_.query, v}), v);
    if (order.size() < 2) return;
    std::partial_sort(order.begin(), order.begin() + 2, order.end());
    const double a = -order[0].first, b = -order[1].first;
    const double times =
        probs->at({look_.query, order[0].second}) / probs->at({look_.query, order[1].second});
    if (!near(times, std::exp(a - b))) return;
    Question q;
    if (!choose_number(q, {times, a / b, a - b, std::exp(a) - std::exp(b)})) return;
    const Cited first =
                    cited(reading_.trace(), "logits", {{Axis::T, look_.query}, {Axis::V, order[0].second}}),
                second =
                    cited(reading_.trace(), "logits", {{Axis::T, look_.query}, {Axis::V, order[1].second}});
    q.text =
        join("After ", quoted(query_), " the logit of ", quoted(label_of(reading_, Axis::V, order[0].second)),
             " is ", written(a), " and that of ", quoted(label_of(reading_, Axis::V, order[1].second)),
             " is ", written(b), ". How many times as likely is the first?");
    q.explanation = join("exp(", written(a), " - ", written(b), ") = ", q.choices[q.right],
                         ": softmax turns differences of scores into ratios of probabilities.");
    q.sources = {first.source, second.source};
    const std::string answer = q.choices[q.right];
    add(std::move(q), "ratio_of_probabilities",
        {{"query", query_},
         {"first", label_of(reading_, Axis::V, order[0].second)},
         {"first_logit", written(a)},
         {"second", label_of(reading_, Axis::V, order[1].second)},
         {"second_logit", written(b)},
         {"answer", answer}});
  }

  const Reading& reading_;
  const QuizOptions& o_;
  const Look& look_;
  std::vector<Question>& out_;
  const std::string query_, key_;
};

}  // namespace

void ask_of_stages(const Reading& reading, const QuizOptions& o, const Look& look,
                   std::vector<Question>& out) {
  StageQuiz(reading, o, look, out).ask();
}

}  // namespace limpid
