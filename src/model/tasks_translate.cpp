// A text beside another: translation, and whatever else an encoder-decoder writes.
#include <algorithm>

#include "limpid/tasks.h"
#include "model/beam.h"
#include "model/task_inputs.h"

namespace limpid {

namespace {

// Of the text that is read, where nothing else ends one.
constexpr int64_t k_most_for_each = 3, k_most_besides = 20;

void check(const Model& model, const TranslateOptions& options) {
  if (!reads_source(model.config()))
    fail_call(
        "this model writes no text beside another; translate takes an encoder-decoder (T5, BART, Marian)");
  if (!model.tasks().writing)
    fail_call(
        "this model does not say which token its text begins with (decoder_start_token_id of its folder)");
  const int64_t vocabulary = vocabulary_of(model.config());
  if (const auto& first = model.tasks().writing->first; first && *first >= vocabulary)
    fail_work("this model's first token (forced_bos_token_id of its folder) is ", *first,
              ", none of the vocabulary's, expected 0 to ", vocabulary - 1);
  if (!model.can_extend()) fail_call("this network cannot keep keys and values, which translate needs");
  if (options.beams < 0 || options.beams > k_most_beams)
    fail_call("beams is ", options.beams, ", expected 1 to ", k_most_beams, ", or 0 for the model's own");
  if (options.tokens < 0)
    fail_call("tokens is ", options.tokens, ", expected at least 1, or 0 for the usual");
}

}  // namespace

Translated translate(const Model& model, const std::vector<int64_t>& source,
                     const TranslateOptions& options) {
  check(model, options);
  if (source.empty()) fail_call("the source is empty; give at least one token");
  for (int64_t id : source)
    if (id < 0 || id >= vocabulary_of(model.config()))
      fail_call("token ", id, " is none of the vocabulary's, expected 0 to ",
                vocabulary_of(model.config()) - 1);
  const int64_t reads = source_context_of(model.config()), count = static_cast<int64_t>(source.size());
  if (count > reads)
    fail_call("the text has ", count, " tokens, and the model reads ", reads,
              " at a time; give a shorter one, such as one sentence at a time");
  const Writing& writing = *model.tasks().writing;
  BeamOptions beam;
  beam.beams = options.beams > 0 ? options.beams : writing.beams;
  beam.length_penalty = options.length_penalty.value_or(writing.length_penalty);
  beam.tokens = options.tokens > 0 ? options.tokens : k_most_besides + k_most_for_each * count;
  beam.tokens = std::min(beam.tokens, context_of(model.config()) - 1);
  const BeamText best = beam_search(model, writing, source, beam);
  Translated out;
  out.source = source;
  out.ids = best.ids;
  out.log_probability = best.log_probability;
  out.ended = best.ended;
  if (model.tokenizer()) out.translation = model.tokenizer()->decode(best.ids, DecodeSpecials::skip);
  return out;
}

std::vector<Translated> translate(const Model& model, const std::vector<std::string>& texts,
                                  const TranslateOptions& options) {
  check(model, options);
  if (texts.empty()) fail_call("no texts given; give at least one");
  if (!model.tokenizer()) fail_call("this model has no tokenizer; give token ids instead of texts");
  std::vector<Translated> out;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (options.progress)
      options.progress(static_cast<double>(i) / static_cast<double>(texts.size()),
                       text_name(i, texts.size()));
    try {
      out.push_back(translate(model, model.encode(texts[i]), options));
      out.back().text = texts[i];
    } catch (const Error& error) {
      if (texts.size() == 1) throw;
      throw Error(error.kind(), join(text_name(i, texts.size()), ": ", error.what()));
    }
  }
  return out;
}

}  // namespace limpid
