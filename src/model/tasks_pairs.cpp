// Which text an image is most like: classes that nobody trained.
#include <algorithm>
#include <cmath>

#include "core/label.h"
#include "model/task_inputs.h"

namespace limpid {

namespace {

// Vectors at length 1, a row each.
struct Units {
  std::vector<float> numbers;
  int64_t width = 0;
  const float* row(size_t i) const { return numbers.data() + static_cast<int64_t>(i) * width; }
};

void keep(Units& units, size_t i, size_t count, const float* vector, int64_t width, const std::string& of) {
  require_finite(vector, width, "the vector of " + of);
  if (units.width == 0) {
    units.width = width;
    units.numbers.resize(count * static_cast<size_t>(width));
  }
  double squares = 0;
  for (int64_t c = 0; c < width; ++c) squares += static_cast<double>(vector[c]) * vector[c];
  if (squares == 0) fail_work("the vector of ", of, " is all 0, so it has no direction");
  const double length = std::sqrt(squares);
  float* const to = units.numbers.data() + static_cast<int64_t>(i) * width;
  for (int64_t c = 0; c < width; ++c) to[c] = static_cast<float>(vector[c] / length);
}

}  // namespace

Classes match_texts(const Model& model, const std::vector<ImageSource>& images,
                    const std::vector<std::string>& texts, const BatchOptions& options) {
  if (!has_towers(model.config()))
    fail_call(
        "this model does not read texts and images, so it cannot choose among texts of yours; give one that "
        "does, such as CLIP");
  if (texts.empty()) fail_call("no texts given to choose among; give at least one");
  const auto& network = std::get<Architecture>(model.config());
  const Model &reads = model.tower(Tower::texts), &sees = model.tower(Tower::images);
  require_images(sees, images);
  const TaskInputs inputs = task_inputs(reads, texts);
  Units of_texts, of_images;
  run_texts(reads, inputs.texts, "embedding", {options.batch, {}},
            [&](size_t i, const float* row, int64_t width) {
              keep(of_texts, i, texts.size(), row, width, text_name(i, texts.size()));
            });
  run_images(sees, images, "embedding", options, [&](size_t i, const float* row, int64_t width) {
    keep(of_images, i, images.size(), row, width, images[i].name);
  });
  const bool sigmoid = network.images->sigmoid;
  const double factor = std::exp(model.parameter("pairs.log_scale").at({})),
               bias = sigmoid ? model.parameter("pairs.bias").at({}) : 0.0;
  Classes out;
  out.notes = inputs.notes;
  out.texts.resize(images.size());
  for (size_t i = 0; i < images.size(); ++i) {
    std::vector<float> logits;
    for (size_t j = 0; j < texts.size(); ++j) {
      double sum = 0;
      for (int64_t c = 0; c < of_texts.width; ++c)
        sum += static_cast<double>(of_images.row(i)[c]) * of_texts.row(j)[c];
      logits.push_back(static_cast<float>(factor * sum + bias));
    }
    require_finite(logits.data(), static_cast<int64_t>(logits.size()),
                   "how alike texts are to " + images[i].name);
    const std::vector<double> among = softmax_of(logits.data(), static_cast<int64_t>(logits.size()));
    std::vector<ClassScore>& classes = out.texts[i].classes;
    out.texts[i].text = images[i].name;
    for (size_t j = 0; j < texts.size(); ++j)
      classes.push_back({static_cast<int64_t>(j), visible_line(texts[j]), logits[j],
                         sigmoid ? 1 / (1 + std::exp(-static_cast<double>(logits[j]))) : among[j]});
    std::stable_sort(classes.begin(), classes.end(),
                     [](const ClassScore& a, const ClassScore& b) { return a.logit > b.logit; });
  }
  return out;
}

}  // namespace limpid
