// generate: the text grows by the model's tokens, or by one chosen by hand; or tokens are taken back.
#include <algorithm>

#include "core/label.h"
#include "explore/next_tokens.h"
#include "explore/state.h"
#include "limpid/random.h"
#include "model/sample.h"

namespace limpid::explore {

namespace {

struct GenerateCall {
  int64_t tokens = 1, back = 0, watch = 0;
  std::optional<int64_t> token;
  SampleOptions sample;
  uint64_t seed = 0;
};

struct Written {
  std::vector<int64_t> ids;
  std::vector<double> probabilities;
  std::vector<std::vector<HeadLook>> looks;
  bool ended = false;
};

// The tokens that decide what comes next: of an encoder-decoder those that it writes.
std::vector<int64_t>& growing(Opened& opened) { return opened.target ? *opened.target : opened.tokens; }

// The logits after the last token.  Without edits, from keys and values that are kept; else by a run.
std::vector<float> logits_of(State& state, Opened& opened, int64_t watch, std::vector<HeadLook>& looks) {
  const std::vector<int64_t> tokens = opened.target ? *opened.target : opened.swapped();
  const bool keeps =
      opened.edits.empty() && opened.patches.empty() && opened.model().can_extend() && !opened.target;
  if (!keeps) {
    if (watch > 0)
      fail_call(
          "generate: watch needs a decoder that keeps keys and values, and a run without edits; leave it "
          "out");
    Run& run = state.runs.of(opened);
    const std::vector<double> row = next_logits(run, run.length() - 1);
    return {row.begin(), row.end()};
  }
  const bool goes_on = state.writing && state.written.size() < tokens.size() &&
                       std::equal(state.written.begin(), state.written.end(), tokens.begin());
  if (!goes_on) {
    state.writing.emplace(opened.model().session());
    state.written.clear();
  }
  const std::vector<int64_t> more(tokens.begin() + static_cast<std::ptrdiff_t>(state.written.size()),
                                  tokens.end());
  const Tensor logits = watch > 0 ? state.writing->extend(more, watch, looks) : state.writing->extend(more);
  state.written = tokens;
  return {logits.data<float>(), logits.data<float>() + logits.count()};
}

bool ends_text(const Opened& opened, int64_t id) {
  const Model& model = opened.model();
  if (opened.target && model.tasks().writing) {
    const std::vector<int64_t>& ends = model.tasks().writing->ends;
    return std::find(ends.begin(), ends.end(), id) != ends.end();
  }
  return model.tokenizer() && model.tokenizer()->special_ids().eos == id;
}

Written write(State& state, Opened& opened, const GenerateCall& call) {
  Written out;
  const NetworkConfig& config = opened.model().config();
  // The number that is drawn for a token is the one that Model::generate draws there.
  const auto drawn = static_cast<uint64_t>(growing(opened).size() - opened.given);
  Random random(Random::State{call.seed, stream_named("generate"), drawn});
  const int64_t steps = call.token ? 1 : call.tokens;
  for (int64_t i = 0; i < steps && !out.ended; ++i) {
    state.host.check();
    const auto length = static_cast<int64_t>(growing(opened).size());
    if (length >= context_of(config))
      fail_call("generate: the text has ", length,
                " tokens, as many as the model reads; take some back, or open a shorter one");
    std::vector<HeadLook> looks;
    const std::vector<float> logits = logits_of(state, opened, call.watch, looks);
    const int64_t id = call.token ? *call.token : choose(logits, growing(opened), call.sample, random);
    out.ids.push_back(id);
    out.probabilities.push_back(probability(logits, id));
    out.looks.push_back(std::move(looks));
    growing(opened).push_back(id);
    opened.as_text = opened.as_text && opened.target;
    out.ended = ends_text(opened, id);
  }
  return out;
}

void take_back(Opened& opened, int64_t count) {
  std::vector<int64_t>& tokens = growing(opened);
  if (count >= static_cast<int64_t>(tokens.size()))
    fail_call("generate: back is ", count, ", and the text has ", tokens.size(),
              " tokens, of which one stays");
  tokens.resize(tokens.size() - static_cast<size_t>(count));
  opened.given = std::min(opened.given, tokens.size());
  opened.as_text = opened.as_text && (count == 0 || opened.target);
  std::erase_if(opened.swaps,
                [&](const auto& swap) { return swap.first >= static_cast<int64_t>(opened.tokens.size()); });
}

void tell_looks(const Written& written, int64_t watch, Answer& answer) {
  Json& heads = answer.fields["looks"] = Json::array();
  for (const HeadLook& look : written.looks.front())
    heads.push_back({{"attention", look.attention}, {"head", look.head}});
  const auto count = static_cast<int64_t>(written.looks.front().size()),
             steps = static_cast<int64_t>(written.looks.size());
  const Shape shape = Shape::unnamed({steps, count, watch});
  Tensor keys(DType::i64, shape), weights(DType::f64, shape);
  std::fill_n(keys.data<int64_t>(), keys.count(), -1);
  for (int64_t i = 0; i < steps * count; ++i) {
    const HeadLook& look = written.looks[static_cast<size_t>(i / count)][static_cast<size_t>(i % count)];
    std::copy(look.keys.begin(), look.keys.end(), keys.data<int64_t>() + i * watch);
    std::copy(look.weights.begin(), look.weights.end(), weights.data<double>() + i * watch);
  }
  answer.add("look_keys", std::move(keys));
  answer.add("look_weights", std::move(weights));
}

}  // namespace

void ask_generate(State& state, Request& request, Answer& answer) {
  GenerateCall call;
  call.tokens = request.integer_or("tokens", 1, 0, 64);
  call.back = request.integer_or("back", 0, 0, INT32_MAX);
  call.watch = request.integer_or("watch", 0, 0, 64);
  if (request.has("token"))
    call.token = request.integer("token", 0, vocabulary_of(state.opened.model().config()) - 1);
  if (call.token && request.has("tokens"))
    fail_call("generate: token and tokens are given; give one of them");
  if (call.back > 0 && !request.has("tokens") && !call.token) call.tokens = 0;  // a step back alone
  call.sample = sample_options(request, 0);
  call.seed = static_cast<uint64_t>(request.integer_or("seed", 0, 0, INT64_MAX));
  request.finish();
  Opened opened = state.opened;
  if (!predicts_next_token(opened.model().config()) && !opened.target)
    fail_call("generate: this network does not predict the next token");
  take_back(opened, call.back);
  const Written written = write(state, opened, call);
  Run& run = state.runs.of(opened);
  opened.text = run.trace().source_text.empty() ? run.trace().text : opened.text;
  state.opened = std::move(opened);
  if (state.opened.changed()) answer.fields["edited"] = state.opened.edit_texts;
  tell_open(state, run, answer);
  Json& pieces = answer.fields["pieces"] = Json::array();
  for (const int64_t id : written.ids) pieces.push_back(label_of(run, id));
  answer.fields["ended"] = written.ended;
  answer.add("new_ids", written.ids);
  answer.add("probabilities", written.probabilities);
  if (call.watch > 0 && !written.looks.empty()) tell_looks(written, call.watch, answer);
}

}  // namespace limpid::explore
