// A text beside another: translation, and whatever else an encoder-decoder writes.
#include <algorithm>

#include "core/label.h"
#include "limpid/tasks.h"
#include "model/beam.h"
#include "model/task_inputs.h"

namespace limpid {

namespace {

// Of the text that is read, where nothing else ends one.
constexpr int64_t k_most_for_each = 3, k_most_besides = 20;

Translated translate_one(const Model& model, const std::string& text, const TranslateOptions& options) {
  const Writing& writing = *model.tasks().writing;
  Translated out;
  out.text = text;
  const int64_t reads = source_context_of(model.config());
  const ModelInput source = model.encode(text, Specials::as_text);
  out.source = source.ids;
  if (static_cast<int64_t>(source.ids.size()) > reads)
    fail_call("the text has ", source.ids.size(), " tokens, and the model reads ", reads,
              " at a time; give a shorter one, such as one sentence at a time");
  BeamOptions beam;
  beam.beams = options.beams > 0 ? options.beams : writing.beams;
  beam.length_penalty = options.length_penalty.value_or(writing.length_penalty);
  const int64_t most = options.tokens > 0
                           ? options.tokens
                           : k_most_besides + k_most_for_each * static_cast<int64_t>(source.ids.size());
  beam.tokens = std::min(most, context_of(model.config()) - 1);
  const BeamText best = beam_search(model, writing, source.ids, beam);
  out.ids = best.ids;
  out.log_probability = best.log_probability;
  out.ended = best.ended;
  out.translation = model.tokenizer()->decode(best.ids, DecodeSpecials::skip);
  return out;
}

}  // namespace

std::vector<Translated> translate(const Model& model, const std::vector<std::string>& texts,
                                  const TranslateOptions& options) {
  if (texts.empty()) fail_call("no texts given; give at least one");
  if (!reads_source(model.config()))
    fail_call("this model writes no text beside another; translate takes an encoder-decoder (T5, BART, Marian)");
  if (!model.tasks().writing)
    fail_call("this model does not say which token its text begins with (decoder_start_token_id of its folder)");
  if (!model.can_extend() || !model.tokenizer())
    fail_call(model.tokenizer() ? "this network cannot keep keys and values" : "this model has no tokenizer",
              ", which translate needs");
  if (options.beams < 0 || options.beams > 64)
    fail_call("beams is ", options.beams, ", expected 1 to 64, or 0 for the model's own");
  std::vector<Translated> out;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (options.progress)
      options.progress(static_cast<double>(i) / static_cast<double>(texts.size()), text_name(i, texts.size()));
    try {
      out.push_back(translate_one(model, texts[i], options));
    } catch (const Error& error) {
      if (texts.size() == 1) throw;
      throw Error(error.kind(), join(text_name(i, texts.size()), ": ", error.what()));
    }
  }
  return out;
}

}  // namespace limpid
