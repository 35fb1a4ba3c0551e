// How well a model predicts a text, in windows as long as what it was trained on.
#include <algorithm>
#include <cmath>

#include "core/utf8.h"
#include "model/impl.h"

namespace limpid {

namespace {

constexpr int64_t k_window = 1024;  // of networks that know no context

// Whether each position sees only those before it, and predicts the next.
void check_predicts(const NetworkConfig& config) {
  const auto* textbook = std::get_if<TextbookConfig>(&config);
  if (reads_source(config))
    fail_call("eval: this network writes beside a source, so a text alone has no score; expected a decoder");
  if (!textbook && !predicts_next_token(config))
    fail_call("eval: this network does not predict the next token");
  if (!textbook) return;
  if (textbook->head != Head::next_word || textbook->vectors)
    fail_call("eval: this network does not predict the next token");
  if (textbook->mask != Mask::causal)
    fail_call(
        "eval: this network sees the words after a word too, so that what it gives the next one says "
        "nothing; "
        "expected a causal mask");
}

// log(sum exp) of a row less its target, in double.
double nats_of(const float* logits, int64_t count, int64_t target, bool& likeliest) {
  const float most = *std::max_element(logits, logits + count);
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += std::exp(static_cast<double>(logits[i]) - most);
  likeliest = std::max_element(logits, logits + count) - logits == target;
  return std::log(sum) + most - logits[target];
}

}  // namespace

double Evaluation::bits_per_byte() const { return nats / std::log(2.0) / static_cast<double>(bytes); }
double Evaluation::perplexity() const { return std::exp(nats_per_token()); }

Evaluation Model::evaluate(const std::vector<int64_t>& ids, const EvaluateOptions& options) const {
  check_predicts(impl_->config);
  if (ids.size() < 2)
    fail_call("eval: the text is ", ids.size(), ids.size() == 1 ? " token" : " tokens",
              " long; each token is predicted from those before it, so give at least two");
  const int64_t context = context_of(impl_->config);
  Evaluation e;
  e.window = options.window != 0 ? options.window : context < INT64_MAX ? context : k_window;
  e.stride = options.stride != 0 ? options.stride : std::max<int64_t>(e.window / 2, 1);
  if (e.window < 2) fail_call("eval: a window of ", e.window, " tokens, expected at least 2");
  if (has_learned_positions(impl_->config) && e.window > context)
    fail_call("eval: a window of ", e.window, " tokens, but this model has positions for ", context);
  if (e.stride < 1 || e.stride >= e.window)
    fail_call("eval: a stride of ", e.stride, " tokens, expected 1 to ", e.window - 1,
              ", less than the window of ", e.window);
  const auto length = static_cast<int64_t>(ids.size());
  const int64_t windows = 1 + (std::max<int64_t>(length - e.window, 0) + e.stride - 1) / e.stride;
  RunOptions run_options{.keep = {"logits"}};
  if (options.progress)
    run_options.progress = [&](double done, const std::string&) {
      options.progress((static_cast<double>(e.windows) + done) / static_cast<double>(windows),
                       join("window ", e.windows + 1, " of ", windows));
    };
  int64_t scored = 1;  // the first token is predicted from nothing
  for (int64_t begin = 0; scored < length; begin += e.stride) {
    const int64_t end = std::min(begin + e.window, length);
    Tensor input(DType::i64, {{Axis::B, 1}, {Axis::T, end - begin}});
    std::copy(ids.begin() + begin, ids.begin() + end, input.data<int64_t>());
    const RunResult result = run(input, run_options);
    const Tensor& logits = result["logits"];
    const int64_t vocabulary = logits.shape().size(Axis::V);
    for (; scored < end; ++scored) {
      bool likeliest = false;
      e.nats += nats_of(logits.data<float>() + (scored - 1 - begin) * vocabulary, vocabulary,
                        ids[static_cast<size_t>(scored)], likeliest);
      e.likeliest += likeliest;
      ++e.tokens;
    }
    ++e.windows;
  }
  return e;
}

Evaluation Model::evaluate(const std::string& text, const EvaluateOptions& options) const {
  const ModelInput input = impl_->input_of(text);
  Evaluation e = evaluate(input.ids, options);
  // What was predicted: the text after its first token, the white space between words included.
  const size_t begin = input.spans.front().end;
  size_t end = begin;  // a token that was added covers nothing
  for (const Span& span : input.spans) end = std::max(end, span.end);
  e.bytes = static_cast<int64_t>(end - begin);
  for (size_t at = begin; at < end; at += character_at(text, at).size) ++e.characters;
  return e;
}

}  // namespace limpid
