// Sequences that are made, and what stands behind each: a small network can learn these to the last example.
#include <algorithm>

#include "limpid/random.h"
#include "train/task_data.h"

namespace limpid {

namespace {

// Symbols are numbers from 0; three more tokens stand behind them.
struct Sequence {
  std::vector<int64_t> asked, answer;
};

using Make = Sequence (*)(const AlgorithmOptions&, Random&);

std::vector<int64_t> drawn(const AlgorithmOptions& o, Random& random) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < o.length; ++i)
    out.push_back(static_cast<int64_t>(random.below(static_cast<uint64_t>(o.symbols))));
  return out;
}

Sequence copy_of(const AlgorithmOptions& o, Random& random) {
  const std::vector<int64_t> x = drawn(o, random);
  return {x, x};
}

Sequence reversed(const AlgorithmOptions& o, Random& random) {
  const std::vector<int64_t> x = drawn(o, random);
  return {x, {x.rbegin(), x.rend()}};
}

Sequence sorted(const AlgorithmOptions& o, Random& random) {
  Sequence out{drawn(o, random), {}};
  out.answer = out.asked;
  std::sort(out.answer.begin(), out.answer.end());
  return out;
}

// Two numbers with a plus between them, and their sum with its last digit first, as it is worked out by hand.
Sequence added(const AlgorithmOptions& o, Random& random) {
  std::vector<int64_t> a = drawn(o, random), b = drawn(o, random), sum;
  int64_t carry = 0;
  for (size_t i = a.size(); i-- > 0;) {
    const int64_t digit = a[i] + b[i] + carry;
    sum.push_back(digit % o.symbols);
    carry = digit / o.symbols;
  }
  sum.push_back(carry);
  a.push_back(o.symbols + 1);
  a.insert(a.end(), b.begin(), b.end());
  return {a, sum};
}

// Symbols of which the last one has stood before: the answer goes on as it went on there, what stood behind
// each symbol when it stood before, for as many symbols as were asked of.
Sequence induced(const AlgorithmOptions& o, Random& random) {
  std::vector<int64_t> order(static_cast<size_t>(o.symbols));
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  random.shuffle(order);
  order.resize(static_cast<size_t>(o.length));
  const auto at = static_cast<size_t>(random.below(order.size() - 1));
  Sequence out{order, {}};
  out.asked.push_back(order[at]);
  const size_t again = order.size() - at;  // behind the last symbol stands the one asked for
  for (size_t i = 1; i <= order.size(); ++i) out.answer.push_back(order[at + i % again]);
  return out;
}

constexpr std::pair<std::string_view, Make> k_kinds[] = {
    {"copy", copy_of}, {"reverse", reversed}, {"sort", sorted}, {"add", added}, {"induction", induced}};

Make kind_of(const AlgorithmOptions& o) {
  if (o.kind == "induction" && (o.length > o.symbols || o.length < 2))
    fail_call("train: induction needs 2 to ", o.symbols, " symbols of a sequence, all different; length is ",
              o.length);
  for (const auto& [name, make] : k_kinds)
    if (o.kind == name) return make;
  fail_call("recipe: the algorithm is '", o.kind, "', expected sort, reverse, copy, add or induction");
}

class Algorithm final : public TaskData {
 public:
  explicit Algorithm(const Recipe& recipe) : recipe_(recipe), make_(kind_of(recipe.algorithm)) {}

  Batch batch(int64_t step, bool) const override { return made(static_cast<uint64_t>(step), "training"); }
  int64_t steps_per_pass() const override { return k_steps; }
  bool has(Part) const override { return true; }  // both are drawn: none of them is learned from on purpose
  int64_t evaluation_batches(Part) const override { return k_evaluated; }
  Batch evaluation_batch(Part part, int64_t number) const override {
    return made(static_cast<uint64_t>(number), part == Part::test ? "test" : "held_out");
  }
  uint64_t digest() const override { return digest_of({recipe_.algorithm.kind}); }

 private:
  static constexpr int64_t k_steps = 200;     // between two reports: there is no end of examples to pass over
  static constexpr int64_t k_evaluated = 10;  // batches

  // The answer's tokens alone count.
  Batch made(uint64_t number, const char* part) const {
    const AlgorithmOptions& o = recipe_.algorithm;
    Random random(recipe_.seed + number, stream_named(part));
    std::vector<std::vector<int64_t>> tokens, targets;
    for (int64_t b = 0; b < recipe_.batch; ++b) {
      const Sequence s = make_(o, random);
      std::vector<int64_t> row = s.asked;
      row.push_back(o.symbols);  // "="
      row.insert(row.end(), s.answer.begin(), s.answer.end());
      std::vector<int64_t> next(row.begin() + 1, row.end());
      std::fill_n(next.begin(), s.asked.size(), -1);
      row.pop_back();
      tokens.push_back(std::move(row));
      targets.push_back(std::move(next));
    }
    Batch batch;
    batch.examples = recipe_.batch;
    batch.inputs["tokens"] = rows_of(tokens, 0);
    batch.inputs["targets"] = rows_of(targets, -1);
    batch.positions = batch.inputs["tokens"].count();
    return batch;
  }

  const Recipe recipe_;
  const Make make_;
};

}  // namespace

PreparedTask prepare_algorithm(const Recipe& recipe, std::shared_ptr<const Tokenizer> tokenizer) {
  PreparedTask out{recipe, std::move(tokenizer), nullptr};
  if (!out.tokenizer) {
    std::vector<std::string> words;
    for (int64_t i = 0; i < recipe.algorithm.symbols; ++i) words.push_back(std::to_string(i));
    words.insert(words.end(), {"=", "+"});
    out.tokenizer = word_tokenizer(words);
  }
  set_vocabulary(out.recipe.network, out.tokenizer->vocabulary());
  out.data = std::make_unique<Algorithm>(out.recipe);
  return out;
}

}  // namespace limpid
