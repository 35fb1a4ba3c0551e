#include "model/task_inputs.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "core/label.h"
#include "core/number_text.h"

namespace limpid {

namespace {

constexpr int64_t k_most_tokens = 1 << 14;  // of a batch: its values grow with them

constexpr int64_t k_batch_cost =
    24;  // what a batch costs besides its tokens, in tokens; an estimate of reading the weights

// Where each batch ends, of texts in this order, which rises in length: every text is padded to the longest
// of its batch, so that few and long batches, and many without padding, are weighed against one another.
std::vector<size_t> ends_of_batches(const std::vector<size_t>& order, const std::vector<ModelInput>& texts,
                                    int64_t most) {
  const size_t count = order.size();
  std::vector<int64_t> cost(count + 1, INT64_MAX);  // of the first so many texts
  std::vector<size_t> begin(count + 1);             // of the last batch of these
  cost[0] = 0;
  for (size_t end = 1; end <= count; ++end) {
    const auto longest = static_cast<int64_t>(texts[order[end - 1]].ids.size());
    for (size_t first = end; first-- > 0;) {
      const auto rows = static_cast<int64_t>(end - first);
      if (rows > most || (rows > 1 && rows * longest > k_most_tokens)) break;
      if (const int64_t sum = cost[first] + rows * longest + k_batch_cost; sum < cost[end]) {
        cost[end] = sum;
        begin[end] = first;
      }
    }
  }
  std::vector<size_t> ends;
  for (size_t end = count; end > 0; end = begin[end]) ends.push_back(end);
  std::reverse(ends.begin(), ends.end());
  return ends;
}

}  // namespace

int64_t longest_text(const Model& model) {
  const int64_t context = context_of(model.config()), said = model.tasks().longest_text;
  return said > 0 ? std::min(said, context) : context;
}

std::string text_name(size_t number, size_t count) {
  return count == 1 ? "the text" : join("text ", number + 1);
}

std::string note_of_unknown(const Tokenizer& tokenizer, const std::string& text, const ModelInput& input,
                            const std::string& named) {
  constexpr size_t k_shown = 3;
  const auto unknown = tokenizer.special_ids().unk;
  if (!unknown) return "";
  const std::string own = tokenizer.token_bytes(*unknown);
  size_t all = 0, count = 0;
  std::string list;
  for (size_t i = 0; i < input.ids.size(); ++i) {
    if (input.text_of[i] < 0) continue;
    ++all;
    const Span& span = input.spans[i];
    const std::string word = text.substr(span.begin, span.end - span.begin);
    if (input.ids[i] != *unknown || word == own) continue;  // its name stands there
    if (++count <= k_shown) list += (count > 1 ? ", " : "") + in_quotes(word);
  }
  if (count == 0) return "";
  return join(named, ": the tokenizer does not know ", count, " of its ", all,
              all == 1 ? " token, " : " tokens, ", "which the model reads as ", visible(own), ": ", list,
              count > k_shown ? ", ..." : "");
}

TaskInputs task_inputs(const Model& model, const std::vector<std::string>& texts) {
  if (texts.empty()) fail_call("no texts given; give at least one");
  if (reads_series(model.config())) fail_call("this model reads series, not texts");
  if (reads_images(model.config())) fail_call("this model reads images, not texts; give image files");
  if (!model.tokenizer())
    fail_call("this model has no tokenizer; give it one: --tokenizer FILE, or LoadOptions::tokenizer");
  const int64_t longest = longest_text(model);
  TaskInputs out;
  for (size_t i = 0; i < texts.size(); ++i) {
    try {
      ModelInput input = model.encode(texts[i], Specials::as_text);
      const size_t all = input.ids.size();
      if (static_cast<int64_t>(all) > longest) {
        input = model.encode(texts[i], Specials::as_text, longest);
        out.notes.push_back(join(text_name(i, texts.size()), " was cut from ", all, " tokens to ", longest,
                                 ", as many as the model reads at a time"));
      }
      if (std::string note =
              note_of_unknown(*model.source_tokenizer(), texts[i], input, text_name(i, texts.size()));
          !note.empty())
        out.notes.push_back(std::move(note));
      out.texts.push_back(std::move(input));
    } catch (const Error& error) {
      if (texts.size() == 1) throw;
      throw Error(error.kind(), join(text_name(i, texts.size()), ": ", error.what()));
    }
  }
  return out;
}

void run_texts(const Model& model, const std::vector<ModelInput>& texts, const std::string& value,
               const BatchOptions& options,
               const std::function<void(size_t text, const float* rows, int64_t width)>& each) {
  if (options.batch < 1) fail_call("batch is ", options.batch, ", expected at least 1");
  std::vector<size_t> order(texts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return texts[a].ids.size() < texts[b].ids.size(); });
  const std::string name = model.graph().value(model.graph().require(value)).name;
  size_t first = 0;
  for (const size_t end : ends_of_batches(order, texts, options.batch)) {
    TokenBatch batch;
    for (size_t i = first; i < end; ++i) batch.ids.push_back(texts[order[i]].ids);
    RunOptions run;
    run.keep = {name};
    if (options.progress)
      run.progress = [&](double done, const std::string& next) {
        const double share = static_cast<double>(first) + done * static_cast<double>(end - first);
        options.progress(share / static_cast<double>(order.size()), next);
      };
    const RunResult result = model.run(batch, run);
    const Tensor& got = result[name];  // [B,T,width] or [B,width]
    const int64_t each_text = got.count() / static_cast<int64_t>(end - first);
    const int64_t width = got.shape()[got.shape().rank() - 1].size;
    for (size_t i = first; i < end; ++i)
      each(order[i], got.data<float>() + static_cast<int64_t>(i - first) * each_text, width);
    first = end;
  }
}

std::vector<double> softmax_of(const float* logits, int64_t count) {
  const double most = *std::max_element(logits, logits + count);
  std::vector<double> out;
  out.reserve(static_cast<size_t>(count));
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    out.push_back(std::exp(logits[i] - most));
    sum += out.back();
  }
  for (double& p : out) p /= sum;
  return out;
}

void require_finite(const float* numbers, int64_t count, const std::string& of) {
  const auto* odd = std::find_if(numbers, numbers + count, [](float x) { return !std::isfinite(x); });
  if (odd == numbers + count) return;
  fail_work(of, " holds a number that is not finite (", number_text(*odd),
            "), so it says nothing; `limpid trace` of the same text names the first stage that has one");
}

}  // namespace limpid
