// A text goes on, token by token.
#include <algorithm>

#include "model/impl.h"
#include "model/sample.h"

namespace limpid {

namespace {

std::vector<float> numbers(const float* first, int64_t count) { return {first, first + count}; }

// The logits after the tokens of a text, of which only the latest are read where it outgrew the context.
class NextLogits {
 public:
  NextLogits(const Model& model, const GenerateOptions& options)
      : model_(model), options_(options), context_(context_of(model.config())) {
    if (options.cache && model.can_extend()) session_.emplace(model.session());
  }

  std::vector<float> operator()(const std::vector<int64_t>& ids) {
    const auto count = static_cast<int64_t>(ids.size()), window = std::min(context_, count);
    if (window < count && !std::exchange(slides_, true) && options_.on_slide) options_.on_slide(context_);
    if (!session_) return whole({ids.end() - window, ids.end()});
    // Behind a window that has moved every position is another one: the text is read anew.
    if (slides_) session_->clear();
    const Tensor logits = session_->extend({ids.end() - window + session_->length(), ids.end()});
    return numbers(logits.data<float>(), logits.count());
  }

 private:
  std::vector<float> whole(const std::vector<int64_t>& seen) const {
    const RunResult result = model_.run(one_row(seen), {.observe = {{"logits", Depth::rows, 0, {-1}}}});
    const Tensor& logits = result["logits@rows"];
    const int64_t vocabulary = logits.shape().size(Axis::V);
    return numbers(logits.data<float>() + logits.count() - vocabulary, vocabulary);
  }

  const Model& model_;
  const GenerateOptions& options_;
  int64_t context_;
  std::optional<Session> session_;
  bool slides_ = false;
};

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
  if (options.tokens < 0) fail_call("generate: tokens is ", options.tokens, ", expected 0 or more");
  if (tokens.empty()) fail_call("generate: no tokens given; give at least one");
  for (const std::string& stop : options.stop)
    if (stop.empty()) fail_call("generate: a stop string is empty; give at least one character");
  const Tokenizer* tokenizer = impl_->tokenizer.get();
  if (!options.stop.empty() && !tokenizer)
    fail_call("generate: stop strings need a tokenizer, and this model has none");
  std::vector<int64_t> ids = tokens;
  Random random(options.seed, stream_named("generate"));
  // The tokens given first: what follows reads as it does behind them (a space, the rest of a character).
  std::optional<StreamDecoder> text;
  std::optional<int64_t> end;
  if (tokenizer) {
    text.emplace(*tokenizer);
    for (int64_t id : ids) text->push(id);
    end = tokenizer->special_ids().eos;
  }
  NextLogits next(*this, options);
  StopStrings stops(options.stop);
  for (int64_t n = 0; n < options.tokens && !stops.stopped(); ++n) {
    const std::vector<float> logits = next(ids);
    const int64_t chosen = choose(logits, ids, options.sample, random);
    if (options.stop_at_end && end == chosen) {
      // What was held back, as the beginning of a stop string, is text after all.
      if (const std::string held = stops.finish(); on_token && !held.empty())
        on_token({chosen, held, probability(logits, chosen)});
      break;
    }
    ids.push_back(chosen);
    std::string piece = text ? text->push(chosen) : "";
    if (text && n + 1 == options.tokens) piece += text->finish();
    piece = stops.push(piece);
    if (n + 1 == options.tokens) piece += stops.finish();
    if (on_token) on_token({chosen, piece, probability(logits, chosen)});
  }
  return {ids.begin() + static_cast<std::ptrdiff_t>(tokens.size()), ids.end()};
}

}  // namespace limpid
