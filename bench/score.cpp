#include "bench/score.h"

#include <algorithm>
#include <cmath>

#include "train/task_data.h"

namespace limpid::bench {

namespace {

// Whatever byte of a code point is its first counts it: tokens may cut characters.
int64_t code_points(const std::string& utf8) {
  return std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

std::string name_of(const Recipe& recipe, size_t text) {
  if (text >= recipe.data.size()) return join("text ", text + 1);
  const std::string& file = recipe.data[text].file;
  return file.substr(file.rfind('/') + 1);
}

double nats_of(const float* logits, int64_t vocabulary, int64_t target) {
  const double top = *std::max_element(logits, logits + vocabulary);
  double sum = 0;
  for (int64_t v = 0; v < vocabulary; ++v) sum += std::exp(logits[v] - top);
  return top + std::log(sum) - logits[target];
}

struct Window {
  int64_t first, scored, end;  // reads tokens [first, end), predicts tokens (scored, end]
};

std::vector<Window> windows(int64_t predicted, int64_t context, int64_t step) {
  std::vector<Window> all;
  for (int64_t done = 0; done < predicted;) {
    const int64_t end = std::min(predicted, done == 0 ? context : done + step);
    all.push_back({step == context ? done : std::max<int64_t>(0, end - context), done, end});
    done = end;
  }
  return all;
}

}  // namespace

std::vector<SplitText> split(const Recipe& recipe, const Tokenizer& tokenizer,
                             const std::vector<std::string>& texts) {
  if (recipe.examples != Examples::stream)
    fail_call("held-out loss: the recipe learns line by line, expected a stream");
  std::vector<SplitText> all;
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string_view text = texts[i];
    const size_t cut = training_bytes(recipe, texts[i]);
    SplitText one{name_of(recipe, i), tokenizer.encode(text.substr(0, cut)),
                  tokenizer.encode(text.substr(cut))};
    if (one.held_out.size() < 2)
      fail_call("held-out loss: ", one.held_out.size(), " tokens of ", one.name,
                " are held out, expected 2 or more");
    for (size_t t = 1; t < one.held_out.size(); ++t)
      one.characters += code_points(tokenizer.token_bytes(one.held_out[t]));
    all.push_back(std::move(one));
  }
  if (all.empty()) fail_call("held-out loss: no text given");
  return all;
}

Score& Score::operator+=(const Score& other) {
  nats += other.nats;
  tokens += other.tokens;
  characters += other.characters;
  return *this;
}

Score score_model(Model& model, const SplitText& text, int64_t context, int64_t step) {
  if (step < 1 || step > context)
    fail_call("held-out loss: step is ", step, ", expected 1 to the context, ", context);
  const auto predicted = static_cast<int64_t>(text.held_out.size()) - 1;
  Score score{0, predicted, text.characters};
  const std::vector<Window> all = windows(predicted, context, step);
  constexpr size_t k_rows = 16;  // windows a run, of the same length
  for (size_t first = 0, last = 0; first < all.size(); first = last) {
    const int64_t width = all[first].end - all[first].first;
    std::vector<int64_t> ids;
    for (last = first; last < std::min(first + k_rows, all.size()); ++last) {
      const Window& w = all[last];
      if (w.end - w.first != width) break;
      ids.insert(ids.end(), text.held_out.begin() + w.first, text.held_out.begin() + w.end);
    }
    const auto rows = static_cast<int64_t>(last - first);
    const RunResult result =
        model.run(Tensor::of<int64_t>({{Axis::B, rows}, {Axis::T, width}}, ids), {.keep = {"logits"}});
    const Tensor& logits = result["logits"];
    const int64_t vocabulary = logits.shape().size(Axis::V);
    for (int64_t r = 0; r < rows; ++r) {
      const Window& w = all[first + static_cast<size_t>(r)];
      for (int64_t t = w.scored; t < w.end; ++t)
        score.nats += nats_of(logits.data<float>() + (r * width + t - w.first) * vocabulary, vocabulary,
                              text.held_out[static_cast<size_t>(t) + 1]);
    }
  }
  return score;
}

}  // namespace limpid::bench
