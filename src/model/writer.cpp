#include "model/writer.h"

#include <algorithm>
#include <utility>

namespace limpid {

TextWriter::TextWriter(Begun begun, const Tokenizer* tokenizer, const GenerateOptions& options, int64_t most,
                       OnToken on_token)
    : begun_(std::move(begun)),
      options_(&options),
      on_token_(std::move(on_token)),
      random_(options.seed, stream_named("generate")),
      stops_(options.stop),
      given_(begun_.ids.size()),
      most_(most),
      done_(most <= 0) {
  // The tokens given first: what follows reads as it does behind them (a space, the rest of a character).
  if (tokenizer) text_.emplace(*tokenizer);
  for (int64_t id : begun_.ids)
    if (text_ && begun_.source.empty()) text_->push(id);
}

void TextWriter::take(std::vector<float> logits, const std::vector<HeadLook>& looks) {
  exclude(logits, begun_.never);
  const int64_t chosen =
      count_ == 0 && begun_.first ? *begun_.first : choose(logits, begun_.ids, options_->sample, random_);
  if (options_->stop_at_end && std::count(begun_.ends.begin(), begun_.ends.end(), chosen) > 0) {
    // What was held back, as the beginning of a stop string, is text after all.
    if (const std::string held = stops_.finish(); on_token_ && !held.empty())
      on_token_({chosen, held, probability(logits, chosen)});
    done_ = true;
    return;
  }
  begun_.ids.push_back(chosen);
  const bool last = ++count_ == most_;
  std::string piece = text_ ? text_->push(chosen) : "";
  if (text_ && last) piece += text_->finish();
  piece = stops_.push(piece);
  if (last) piece += stops_.finish();
  if (on_token_) on_token_({chosen, piece, probability(logits, chosen), looks});
  done_ = last || stops_.stopped();
}

std::vector<int64_t> TextWriter::written() const {
  return {begun_.ids.begin() + static_cast<std::ptrdiff_t>(given_), begun_.ids.end()};
}

NextLogits::NextLogits(const Model& model, const std::vector<int64_t>& source, const GenerateOptions& options)
    : model_(model), source_(source), options_(options), context_(context_of(model.config())) {
  if (options.cache && model.can_extend()) session_.emplace(model.session_in(options.cache_type, source));
}

std::vector<float> NextLogits::operator()(const std::vector<int64_t>& ids) {
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
  return {logits.data<float>(), logits.data<float>() + logits.count()};
}

std::vector<float> NextLogits::whole(const std::vector<int64_t>& seen, int64_t first) {
  TokenBatch batch = {{seen}, {}};
  if (!source_.empty()) batch.sources = {source_};
  RunOptions run;
  run.observe = {{"logits", Depth::rows, 0, {-1}}};
  if (options_.watch > 0) observe_looks(model_.graph(), options_.watch, run.observe);
  const RunResult result = model_.run(batch, run);
  if (options_.watch > 0) looks = looks_of(model_.graph(), result, options_.watch, first);
  const Tensor& logits = result["logits@rows"];
  const int64_t vocabulary = logits.shape().size(Axis::V);
  const float* const last = logits.data<float>() + logits.count() - vocabulary;
  return {last, last + vocabulary};
}

void write_alone(const Model& model, TextWriter& writer, const GenerateOptions& options) {
  NextLogits next(model, writer.source(), options);
  while (!writer.done()) {
    std::vector<float> logits = next(writer.ids());
    writer.take(std::move(logits), next.looks);
  }
}

}  // namespace limpid
