// A text beside another: translation, and whatever else an encoder-decoder writes.
#include <algorithm>

#include "core/label.h"
#include "limpid/tasks.h"
#include "model/beam.h"
#include "model/languages.h"
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

// What the languages of a call change.
struct Languages {
  std::vector<Language> known;
  const Language *to = nullptr, *from = nullptr;

  Languages(const Model& model, const TranslateOptions& options) {
    if (options.to.empty() && options.from.empty()) return;
    if (!model.tokenizer()) fail_call("this model has no tokenizer, whose tokens languages are");
    known = languages_of(*model.source_tokenizer());
    if (!options.to.empty()) to = &language_named(known, "to", options.to);
    if (!options.from.empty()) from = &language_named(known, "from", options.from);
    if (from != nullptr && from->in_source)
      fail_call("from is ", in_quotes(options.from),
                ", but this model's texts say no language that they are in; leave it out");
  }
  bool knows(int64_t id) const {
    return std::any_of(known.begin(), known.end(), [&](const Language& each) { return each.id == id; });
  }
};

// The text's tokens, with the language that it is in in place of the one that the tokenizer puts there.
std::vector<int64_t> source_of(const Model& model, const std::string& text, const Languages& languages) {
  ModelInput input = model.encode(text, Specials::as_text);
  if (languages.from == nullptr) return input.ids;
  bool found = false;
  for (size_t i = 0; i < input.ids.size(); ++i)
    if (input.text_of[i] < 0 && languages.knows(input.ids[i])) {
      input.ids[i] = languages.from->id;
      found = true;
    }
  if (!found)
    fail_call("from is ", in_quotes(languages.from->code),
              ", but this model's tokenizer puts no language beside a text; leave it out");
  return input.ids;
}

Translated translated(const Model& model, std::vector<int64_t> source, const TranslateOptions& options,
                      const Languages& languages) {
  Writing writing = *model.tasks().writing;
  if (languages.to != nullptr && !languages.to->in_source) writing.first = languages.to->id;
  if (writing.first && *writing.first >= vocabulary_of(model.config()))
    fail_call("the language to write has the token ", *writing.first,
              ", none of the network's vocabulary, expected 0 to ", vocabulary_of(model.config()) - 1);
  if (source.empty()) fail_call("the source is empty; give at least one token");
  if (languages.to != nullptr && languages.to->in_source) {
    if (languages.knows(source[0]))
      source[0] = languages.to->id;
    else
      source.insert(source.begin(), languages.to->id);
  }
  for (int64_t id : source)
    if (id < 0 || id >= source_vocabulary_of(model.config()))
      fail_call("token ", id, " is none of the vocabulary's, expected 0 to ",
                source_vocabulary_of(model.config()) - 1);
  const int64_t reads = source_context_of(model.config()), count = static_cast<int64_t>(source.size());
  if (count > reads)
    fail_call("the text has ", count, " tokens, and the model reads ", reads,
              " at a time; give a shorter one, such as one sentence at a time");
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

}  // namespace

Translated translate(const Model& model, const std::vector<int64_t>& source,
                     const TranslateOptions& options) {
  check(model, options);
  if (!options.from.empty()) fail_call("from is of texts; token ids hold their language themselves");
  return translated(model, source, options, Languages(model, options));
}

std::vector<Translated> translate(const Model& model, const std::vector<std::string>& texts,
                                  const TranslateOptions& options) {
  check(model, options);
  if (texts.empty()) fail_call("no texts given; give at least one");
  if (!model.tokenizer()) fail_call("this model has no tokenizer; give token ids instead of texts");
  const Languages languages(model, options);
  std::vector<Translated> out;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (options.progress)
      options.progress(static_cast<double>(i) / static_cast<double>(texts.size()),
                       text_name(i, texts.size()));
    try {
      out.push_back(translated(model, source_of(model, texts[i], languages), options, languages));
      out.back().text = texts[i];
    } catch (const Error& error) {
      if (texts.size() == 1) throw;
      throw Error(error.kind(), join(text_name(i, texts.size()), ": ", error.what()));
    }
  }
  return out;
}

}  // namespace limpid
