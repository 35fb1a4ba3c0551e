// The classes of texts, of their tokens and of images; and which text an image is most like, classes that
// nobody trained.
#include <algorithm>
#include <cmath>

#include "core/label.h"
#include "limpid/tasks.h"
#include "model/task_inputs.h"

namespace limpid {

namespace {

Head head_of(const Model& model) {
  const auto* parts = std::get_if<Architecture>(&model.config());
  const bool known = parts && (parts->head.kind == Head::classes || parts->head.kind == Head::token_classes);
  if (known && !model.tasks().classes.empty()) return parts->head.kind;
  fail_call(
      "this model tells no classes apart; give one that was trained to (\"architectures\" of its "
      "config.json: ...ForSequenceClassification, ...ForTokenClassification or ...ForImageClassification)");
}

// Every class, by its number.
std::vector<ClassScore> scores_of(const ModelTasks& tasks, const float* logits) {
  const auto count = static_cast<int64_t>(tasks.classes.size());
  std::vector<double> probabilities;
  if (!tasks.independent_classes) probabilities = softmax_of(logits, count);
  std::vector<ClassScore> out;
  for (int64_t i = 0; i < count; ++i) {
    const double logit = logits[i];
    const double p =
        tasks.independent_classes ? 1 / (1 + std::exp(-logit)) : probabilities[static_cast<size_t>(i)];
    out.push_back({i, visible_line(tasks.classes[static_cast<size_t>(i)]), logit, p});
  }
  return out;
}

bool likelier(const ClassScore& a, const ClassScore& b) { return a.logit > b.logit; }

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Tokens whose bytes touch no white space between them are one word; a token may begin or end with some.
std::vector<LabelledWord> words_of(const std::string& text, const std::vector<LabelledToken>& tokens) {
  std::vector<LabelledWord> words;
  for (const LabelledToken& token : tokens) {
    size_t begin = token.place.begin, end = token.place.end;
    while (begin < end && is_blank(text[begin])) ++begin;
    while (begin < end && is_blank(text[end - 1])) --end;
    if (begin == end) continue;
    const bool goes_on = !words.empty() && words.back().place.end >= begin;
    if (goes_on)
      words.back().place.end = std::max(words.back().place.end, end);
    else
      words.push_back({"", {begin, end}, token.best});
  }
  for (LabelledWord& word : words)
    word.text = text.substr(word.place.begin, word.place.end - word.place.begin);
  return words;
}

}  // namespace

Classes classify(const Model& model, const std::vector<std::string>& texts, const BatchOptions& options) {
  const Head head = head_of(model);
  const TaskInputs inputs = task_inputs(model, texts);
  Classes out;
  out.notes = inputs.notes;
  out.texts.resize(texts.size());
  const auto each = [&](size_t i, const float* rows, int64_t width) {
    Classified& text = out.texts[i];
    const ModelInput& input = inputs.texts[i];
    const int64_t tokens = head == Head::classes ? 1 : static_cast<int64_t>(input.ids.size());
    text.text = texts[i];
    require_finite(rows, tokens * width, "what the model says of " + text_name(i, texts.size()));
    if (head == Head::classes) {
      text.classes = scores_of(model.tasks(), rows);
      std::stable_sort(text.classes.begin(), text.classes.end(), likelier);
      return;
    }
    for (size_t t = 0; t < input.ids.size(); ++t) {
      const std::vector<ClassScore> scores = scores_of(model.tasks(), rows + static_cast<int64_t>(t) * width);
      text.tokens.push_back({input.ids[t], model.source_tokenizer()->label(input.ids[t]), input.spans[t],
                             *std::min_element(scores.begin(), scores.end(), likelier)});
    }
    text.words = words_of(text.text, text.tokens);
  };
  run_texts(model, inputs.texts, "logits", options, each);
  return out;
}

Classes classify_images(const Model& model, const std::vector<ImageSource>& images,
                        const BatchOptions& options) {
  require_images(model, images);
  head_of(model);
  Classes out;
  out.texts.resize(images.size());
  run_images(model, images, "logits", options, [&](size_t i, const float* logits, int64_t width) {
    require_finite(logits, width, "what the model says of " + images[i].name);
    out.texts[i].text = images[i].name;
    out.texts[i].classes = scores_of(model.tasks(), logits);
    std::stable_sort(out.texts[i].classes.begin(), out.texts[i].classes.end(), likelier);
  });
  return out;
}

namespace {

double dot(const float* a, const float* b, int64_t width) {
  double sum = 0;
  for (int64_t c = 0; c < width; ++c) sum += static_cast<double>(a[c]) * b[c];
  return sum;
}

// At length 1; `name` gives what vector i is of.
template <class Name>
Tensor units(const Embeddings& made, Name&& name) {
  const int64_t width = made.vectors.shape()[1].size;
  for (int64_t i = 0; i < made.vectors.shape()[0].size; ++i) {
    const float* const row = made.vectors.data<float>() + i * width;
    if (std::all_of(row, row + width, [](float x) { return x == 0; }))
      fail_work("the vector of ", name(static_cast<size_t>(i)), " is all 0, so it has no direction");
  }
  return made.vectors;
}

}  // namespace

Classes match_texts(const Model& model, const std::vector<ImageSource>& images,
                    const std::vector<std::string>& texts, const BatchOptions& options) {
  if (!has_towers(model.config()))
    fail_call(
        "this model does not read texts and images, so it cannot choose among texts of yours; give one that "
        "does, such as CLIP");
  if (texts.empty()) fail_call("no texts given to choose among; give at least one");
  const Embeddings read = embed(model, texts, {.normalize = true, .run = {options.batch, {}}}),
                   seen = embed_images(model, images, {.normalize = true, .run = options});
  const Tensor of_texts = units(read, [&](size_t i) { return text_name(i, texts.size()); }),
               of_images = units(seen, [&](size_t i) { return images[i].name; });
  ModelTasks labels;
  labels.classes = texts;
  labels.independent_classes = std::get<Architecture>(model.config()).images->sigmoid;
  const double factor = std::exp(model.parameter("pairs.log_scale").at({})),
               bias = labels.independent_classes ? model.parameter("pairs.bias").at({}) : 0.0;
  const int64_t width = of_texts.shape()[1].size;
  Classes out;
  out.notes = read.notes;
  for (size_t i = 0; i < images.size(); ++i) {
    const float* const image = of_images.data<float>() + static_cast<int64_t>(i) * width;
    std::vector<float> logits;
    for (size_t j = 0; j < texts.size(); ++j) {
      const float* const text = of_texts.data<float>() + static_cast<int64_t>(j) * width;
      logits.push_back(static_cast<float>(factor * dot(image, text, width) + bias));
    }
    require_finite(logits.data(), static_cast<int64_t>(logits.size()),
                   "how alike texts are to " + images[i].name);
    Classified& found = out.texts.emplace_back();
    found.text = images[i].name;
    found.classes = scores_of(labels, logits.data());
    std::stable_sort(found.classes.begin(), found.classes.end(), likelier);
  }
  return out;
}

}  // namespace limpid
