#include "limpid/heads.h"

#include <algorithm>
#include <set>

#include "limpid/random.h"
#include "model/head_scores.h"

namespace limpid {

std::string_view name(HeadKind kind) {
  switch (kind) {
    case HeadKind::mixed:
      return "mixed";
    case HeadKind::previous:
      return "previous";
    case HeadKind::first:
      return "first";
    case HeadKind::self:
      return "self";
    case HeadKind::duplicate:
      return "duplicate";
    case HeadKind::induction:
      return "induction";
    case HeadKind::positional:
      return "positional";
  }
  return "";
}

HeadKind head_kind_named(std::string_view word) {
  std::string all;
  for (const HeadKind kind : {HeadKind::mixed, HeadKind::previous, HeadKind::first, HeadKind::self,
                              HeadKind::duplicate, HeadKind::induction, HeadKind::positional}) {
    if (name(kind) == word) return kind;
    all += (all.empty() ? "" : ", ") + std::string(name(kind));
  }
  fail_call("'", word, "' is no kind of head, expected one of ", all);
}

std::string_view explanation(HeadKind kind) {
  switch (kind) {
    case HeadKind::mixed:
      return "none of these kinds; the score is the highest of theirs";
    case HeadKind::previous:
      return "looks at the token before";
    case HeadKind::first:
      return "looks at the first token";
    case HeadKind::self:
      return "looks at the token itself";
    case HeadKind::duplicate:
      return "looks at earlier tokens that are the same";
    case HeadKind::induction:
      return "looks at what stood behind an earlier token that is the same";
    case HeadKind::positional:
      return "looks at certain distances, whatever the tokens are";
  }
  return "";
}

namespace {

// ---- drawn texts ---------------------------------------------------------------------------------

// What a tokenizer puts round a text, and the tokens of a text that are not special.
struct Alphabet {
  std::vector<int64_t> before, after, usable;
};

Alphabet alphabet_of(const Tokenizer* tokenizer, int64_t vocabulary) {
  Alphabet out;
  if (tokenizer) vocabulary = std::min(vocabulary, tokenizer->vocabulary());
  for (int64_t id = 0; id < vocabulary; ++id)
    if (!tokenizer || (!tokenizer->is_special(id) && !tokenizer->token_bytes(id).empty()))
      out.usable.push_back(id);
  if (!tokenizer || tokenizer->encode_for_model("").ids.empty()) return out;
  const ModelInput around = tokenizer->encode_for_model("a");
  bool text = false;
  for (size_t i = 0; i < around.ids.size(); ++i) {
    if (around.text_of[i] >= 0)
      text = true;
    else
      (text ? out.after : out.before).push_back(around.ids[i]);
  }
  return out;
}

// `count` of them, all different while there are enough.
std::vector<int64_t> drawn(std::vector<int64_t> from, int64_t count, Random& random) {
  std::vector<int64_t> out;
  while (static_cast<int64_t>(out.size()) < count) {
    random.shuffle(from);
    const auto more = std::min(from.size(), static_cast<size_t>(count) - out.size());
    out.insert(out.end(), from.begin(), from.begin() + static_cast<int64_t>(more));
  }
  return out;
}

// Rows of 2 `block` tokens and what stands round them; the block of row r is shorter than that of the row
// before, so that no fixed distance leads to the token that is the same.
std::vector<std::vector<int64_t>> drawn_texts(const Alphabet& alphabet, int64_t rows, int64_t block,
                                              uint64_t seed) {
  Random random(seed, stream_named("heads"));
  const int64_t lengths = std::max<int64_t>(1, std::min<int64_t>(8, block / 2));
  std::vector<std::vector<int64_t>> out;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t length = std::max<int64_t>(2, block - r % lengths), more = 2 * (block - length);
    const std::vector<int64_t> tokens = drawn(alphabet.usable, length + more, random);
    std::vector<int64_t> row = alphabet.before;
    row.insert(row.end(), tokens.begin() + length, tokens.end());
    for (int i = 0; i < 2; ++i) row.insert(row.end(), tokens.begin(), tokens.begin() + length);
    row.insert(row.end(), alphabet.after.begin(), alphabet.after.end());
    out.push_back(std::move(row));
  }
  return out;
}

int64_t block_of(const MeasureHeadsOptions& o, const Alphabet& alphabet, int64_t context) {
  if (alphabet.usable.size() < 2)
    fail_call("heads: the model has ", alphabet.usable.size(),
              " tokens that are not special; a text that says something twice needs two");
  const auto round = static_cast<int64_t>(alphabet.before.size() + alphabet.after.size());
  const int64_t room = (context - round) / 2;
  if (room < 2)
    fail_call("heads: the network reads ", context, " tokens; a text that says something twice needs ",
              4 + round);
  return std::min({o.block, room, std::max<int64_t>(2, static_cast<int64_t>(alphabet.usable.size()))});
}

// ---- the run -------------------------------------------------------------------------------------

struct Layer {
  std::string attention, pattern;
  int64_t layer = 0;
};

std::vector<Layer> layers_of(const Graph& graph, const std::string& part) {
  std::vector<Layer> out;
  for (int64_t layer = 0;; ++layer) {
    const std::string attention = join(part, "blocks.", layer, ".attn");
    const int value = graph.find(attention + ".pattern");
    if (value < 0) return out;
    out.push_back({attention, graph.value(value).name, layer});
  }
}

class Measuring {
 public:
  Measuring(const Model& model, const MeasureHeadsOptions& options) : model_(model), o_(options) {
    out.rows = o_.rows;
    out.seed = o_.seed;
  }

  void texts() {
    const NetworkConfig& network = model_.config();
    const bool beside = reads_source(network);
    Alphabet alphabet = alphabet_of(model_.tokenizer(), vocabulary_of(network));
    if (beside && model_.tasks().writing) alphabet.before = {model_.tasks().writing->start};
    int64_t context = beside ? context_of(network) : std::min(context_of(network), longest_read());
    out.read = "tokens";
    TokenBatch batch;
    std::vector<std::vector<int64_t>> sources;
    if (beside) {
      const Alphabet read = alphabet_of(model_.source_tokenizer(), source_vocabulary_of(network));
      sources = drawn_texts(read, o_.rows, block_of(o_, read, source_context_of(network)), o_.seed);
      batch.sources = sources;
    }
    out.block = block_of(o_, alphabet, context);
    batch.ids = drawn_texts(alphabet, o_.rows, out.block, o_.seed);
    const std::vector<Layer> own = layers_of(model_.graph(), ""),
                             encoder = layers_of(model_.graph(), "encoder.");
    const RunResult seen = model_.run(batch, observing({own, encoder}));
    take(seen, own, {batch.ids, 0, 0});
    take(seen, encoder, {sources, 0, 0});
  }

  void images(const PatchInputs& p) {
    out.read = "images";
    const auto learned = static_cast<int64_t>(p.tokens.size());
    noise({{Axis::B, o_.rows}, {Axis::none, p.channels}, {Axis::none, p.height}, {Axis::none, p.width}},
          {{}, learned, p.width / p.size});
  }

  void series(const SeriesInputs& s) {
    out.read = "series";
    noise({{Axis::B, o_.rows}, {Axis::none, s.length}, {Axis::none, s.channels}},
          {{}, static_cast<int64_t>(s.tokens.size()), 0});
  }

  HeadReport out;

 private:
  int64_t longest_read() const {
    const int64_t said = model_.tasks().longest_text;
    return said > 0 ? said : context_of(model_.config());
  }

  RunOptions observing(const std::vector<std::vector<Layer>>& parts) const {
    RunOptions run;
    for (const std::vector<Layer>& layers : parts)
      for (const Layer& layer : layers) run.observe.push_back({layer.pattern, Depth::full});
    if (run.observe.empty()) fail_call("heads: this network has no attention (blocks.0.attn)");
    run.progress = o_.progress;
    return run;
  }

  void noise(const Shape& shape, const Places& places) {
    Tensor input(DType::f32, shape);
    Random random(o_.seed, stream_named("heads"));
    for (int64_t i = 0; i < input.count(); ++i) input.data<float>()[i] = static_cast<float>(random.normal());
    const std::vector<Layer> layers = layers_of(model_.graph(), "");
    take(model_.run(input, observing({layers})), layers, places);
  }

  void take(const RunResult& seen, const std::vector<Layer>& layers, const Places& places) {
    for (const Layer& layer : layers)
      for (HeadScores& head : head_scores(seen[layer.pattern].view(), places)) {
        head.attention = layer.attention;
        head.layer = layer.layer;
        out.heads.push_back(std::move(head));
      }
  }

  const Model& model_;
  const MeasureHeadsOptions& o_;
};

}  // namespace

HeadReport measure_heads(const Model& model, const MeasureHeadsOptions& options) {
  constexpr int64_t k_most_rows = 1024;  // they are run at once
  if (options.rows < 1 || options.rows > k_most_rows)
    fail_call("heads: rows is ", options.rows, ", expected 1 to ", k_most_rows);
  if (options.block < 2) fail_call("heads: block is ", options.block, ", expected at least 2");
  const NetworkConfig& network = model.config();
  if (has_towers(network))
    fail_call("heads: this model reads texts and images; give the tower that reads one of them");
  const auto* parts = std::get_if<Architecture>(&network);
  const auto* textbook = std::get_if<TextbookConfig>(&network);
  if (textbook && textbook->vectors) fail_call("heads: the network reads vectors, expected one of tokens");
  Measuring measuring(model, options);
  if (parts && parts->patches)
    measuring.images(*parts->patches);
  else if (parts && parts->series)
    measuring.series(*parts->series);
  else
    measuring.texts();
  return std::move(measuring.out);
}

}  // namespace limpid
