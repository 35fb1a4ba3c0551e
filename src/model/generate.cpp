// A text goes on, token by token.
#include <algorithm>

#include "model/impl.h"
#include "model/look.h"
#include "model/sample.h"

namespace limpid {

namespace {

std::vector<float> numbers(const float* first, int64_t count) { return {first, first + count}; }

// The logits after the tokens of a text, of which only the latest are read where it outgrew the context.
class NextLogits {
 public:
  /// `source`: what an encoder-decoder writes beside, else nothing.
  NextLogits(const Model& model, const std::vector<int64_t>& source, const GenerateOptions& options)
      : model_(model), source_(source), options_(options), context_(context_of(model.config())) {
    if (options.cache && model.can_extend())
      session_.emplace(source.empty() ? model.session() : model.session(source));
  }

  /// Where every head looked, with GenerateOptions::watch.
  std::vector<HeadLook> looks;

  std::vector<float> operator()(const std::vector<int64_t>& ids) {
    const auto count = static_cast<int64_t>(ids.size()), window = std::min(context_, count);
    if (window < count && !std::exchange(slides_, true) && options_.on_slide) options_.on_slide(context_);
    if (!session_) return whole({ids.end() - window, ids.end()}, count - window);
    // Behind a window that has moved every position is another one: the text is read anew.
    if (slides_) session_->clear();
    const std::vector<int64_t> latest = {ids.end() - window + session_->length(), ids.end()};
    const Tensor logits =
        options_.watch > 0 ? session_->extend(latest, options_.watch, looks) : session_->extend(latest);
    for (HeadLook& look : looks)
      if (!look.attention.ends_with("cross_attn"))
        for (int64_t& key : look.keys) key += count - window;
    return numbers(logits.data<float>(), logits.count());
  }

 private:
  std::vector<float> whole(const std::vector<int64_t>& seen, int64_t first) {
    TokenBatch batch = {{seen}, {}};
    if (!source_.empty()) batch.sources = {source_};
    RunOptions run;
    run.observe = {{"logits", Depth::rows, 0, {-1}}};
    if (options_.watch > 0) observe_looks(model_.graph(), options_.watch, run.observe);
    const RunResult result = model_.run(batch, run);
    if (options_.watch > 0) looks = looks_of(model_.graph(), result, options_.watch, first);
    const Tensor& logits = result["logits@rows"];
    const int64_t vocabulary = logits.shape().size(Axis::V);
    return numbers(logits.data<float>() + logits.count() - vocabulary, vocabulary);
  }

  const Model& model_;
  const std::vector<int64_t>& source_;
  const GenerateOptions& options_;
  int64_t context_;
  std::optional<Session> session_;
  bool slides_ = false;
};

// Where a text stands when the model takes over, and where it ends.
struct Begun {
  std::vector<int64_t> ids;      // what the decoder reads
  std::vector<int64_t> source;   // what an encoder-decoder writes beside
  std::optional<int64_t> first;  // the token that comes next in any case
  std::vector<int64_t> ends, never;
};

Begun continued(const std::vector<int64_t>& tokens, const Tokenizer* tokenizer) {
  Begun out = {tokens, {}, {}, {}, {}};
  if (const auto end = tokenizer ? tokenizer->special_ids().eos : std::nullopt) out.ends.push_back(*end);
  return out;
}

// Networks whose last row says nothing of what comes next have no text to go on with.
void check_goes_on(const NetworkConfig& config) {
  const auto* parts = std::get_if<Architecture>(&config);
  if (!parts || reads_source(config) || predicts_next_token(config)) return;
  const std::string of = parts->family.empty() ? "this network" : parts->family;
  if (parts->head.kind == Head::masked_word)
    fail_call("generate: ", of,
              " predicts hidden words, not the next one (`limpid fill`); expected a decoder");
  fail_call("generate: ", of, " does not predict the next token; expected a decoder");
}

Begun beside(const std::vector<int64_t>& source, const Writing& writing) {
  return {{writing.start}, source, writing.first, writing.ends, writing.never};
}

}  // namespace

std::string Model::generate(const std::string& text, const GenerateOptions& options,
                            const std::function<void(const std::string&)>& on_token) const {
  return generate(text, options, std::function<void(const GeneratedToken&)>([&](const GeneratedToken& token) {
                    if (on_token) on_token(token.piece);
                  }));
}

std::string Model::generate(const std::string& text, const GenerateOptions& options,
                            const std::function<void(const GeneratedToken&)>& on_token) const {
  std::string written;
  generate(impl_->input_of(text, options.specials).ids, options, [&](const GeneratedToken& token) {
    written += token.piece;
    if (on_token) on_token(token);
  });
  return written;
}

std::vector<int64_t> Model::generate(const std::vector<int64_t>& tokens, const GenerateOptions& options,
                                     const std::function<void(const GeneratedToken&)>& on_token) const {
  check(options.sample);
  check_goes_on(config());
  if (options.tokens < 0) fail_call("generate: tokens is ", options.tokens, ", expected 0 or more");
  if (tokens.empty()) fail_call("generate: no tokens given; give at least one");
  if (options.watch < 0) fail_call("generate: watch is ", options.watch, ", expected 0 or more");
  for (const std::string& stop : options.stop)
    if (stop.empty()) fail_call("generate: a stop string is empty; give at least one character");
  const Tokenizer* tokenizer = impl_->tokenizer.get();
  if (!options.stop.empty() && !tokenizer)
    fail_call("generate: stop strings need a tokenizer, and this model has none");
  Begun begun = reads_source(config()) ? beside(tokens, impl_->writing()) : continued(tokens, tokenizer);
  begun.ends.insert(begun.ends.end(), options.ends.begin(), options.ends.end());
  std::vector<int64_t>& ids = begun.ids;
  const size_t given = ids.size();
  Random random(options.seed, stream_named("generate"));
  // The tokens given first: what follows reads as it does behind them (a space, the rest of a character).
  std::optional<StreamDecoder> text;
  if (tokenizer) text.emplace(*tokenizer);
  for (int64_t id : ids)
    if (text && begun.source.empty()) text->push(id);
  NextLogits next(*this, begun.source, options);
  StopStrings stops(options.stop);
  // Beside a source a text does not go on from its latest tokens: it ends with the positions there are.
  int64_t most = options.tokens;
  if (!begun.source.empty()) most = std::min(most, context_of(config()) - 1);
  for (int64_t n = 0; n < most && !stops.stopped(); ++n) {
    std::vector<float> logits = next(ids);
    exclude(logits, begun.never);
    const int64_t chosen = n == 0 && begun.first ? *begun.first : choose(logits, ids, options.sample, random);
    if (options.stop_at_end && std::count(begun.ends.begin(), begun.ends.end(), chosen) > 0) {
      // What was held back, as the beginning of a stop string, is text after all.
      if (const std::string held = stops.finish(); on_token && !held.empty())
        on_token({chosen, held, probability(logits, chosen)});
      break;
    }
    ids.push_back(chosen);
    std::string piece = text ? text->push(chosen) : "";
    if (text && n + 1 == most) piece += text->finish();
    piece = stops.push(piece);
    if (n + 1 == most) piece += stops.finish();
    if (on_token) on_token({chosen, piece, probability(logits, chosen), next.looks});
  }
  return {ids.begin() + static_cast<std::ptrdiff_t>(given), ids.end()};
}

}  // namespace limpid
