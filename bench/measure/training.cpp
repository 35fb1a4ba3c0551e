// A whole step of training: forward, gradient, AdamW.  What is learned does not matter for the time it takes,
// so the text is made, and no data has to be there.
#include "bench/measure/catalogue.h"
#include "bench/measure/made_text.h"
#include "limpid/error.h"
#include "limpid/random.h"
#include "limpid/train.h"

namespace limpid::bench {
namespace {

struct Setting {
  std::string name;
  GptConfig network;
  int64_t batch = 0, context = 0, vocabulary = 0;
  bool quick = false;

  int64_t feed_forward() const { return 4 * network.width; }
  // Operations: 6 a weight and token (2 forward, 4 backward) of the matrices, the tied one of the logits with
  // them; attention's two products on the half of the cells that is seen, 3 times; rebuilding is not counted.
  double operations() const {
    const auto tokens = static_cast<double>(batch * context), width = static_cast<double>(network.width);
    const double weights = static_cast<double>(network.layers) *
                               (4 * width * width + 2 * width * static_cast<double>(feed_forward())) +
                           static_cast<double>(vocabulary) * width;
    return 6 * weights * tokens +
           3 * 4 * static_cast<double>(network.layers) * tokens * static_cast<double>(context) * width / 2;
  }
};

Setting shakespeare() {  // nanoGPT's small setting, recipes/shakespeare_char.json
  Setting s{"shakespeare", {}, 12, 64, 65, true};
  s.network.layers = 4, s.network.heads = 4, s.network.width = 128, s.network.context = 64;
  s.network.bias = false;
  return s;
}

Setting gpt2() {  // GPT-2's smallest, 124M parameters
  Setting s{"gpt2-124m", {}, 4, 256, 50257};
  s.network.layers = 12, s.network.heads = 12, s.network.width = 768, s.network.context = 1024;
  return s;
}

Case training_step(const Setting& s) {
  Case c;
  c.what = "training_step";
  c.shape = join(s.name, " (", s.batch, ",", s.context, ")");
  c.mask = "causal";
  c.layout = "heads";
  c.sizes = {{"B", s.batch},          {"T", s.context},
             {"L", s.network.layers}, {"H", s.network.heads},
             {"C", s.network.width},  {"F", s.feed_forward()},
             {"V", s.vocabulary},     {"context", s.network.context},
             {"bias", s.network.bias}};
  c.bounds = {{{LimitKey::Kind::multiply_adds}, s.operations()}};
  c.quick = s.quick;
  c.prepare = [=]() -> std::function<void()> {
    Recipe recipe;
    recipe.network = s.network;
    recipe.batch = s.batch;
    recipe.context = s.context;
    recipe.validation = 0;   // or the made text would be cut inside a word
    recipe.steps = 1000000;  // the rate's schedule; nothing is evaluated
    const bool characters = s.vocabulary < 1000;
    recipe.tokenizer = characters ? "characters" : "words";
    const std::string text = characters ? made_text(400000) : made_words(s.vocabulary, 200000);
    const auto trainer = std::make_shared<Trainer>(recipe, std::vector<std::string>{text});
    if (trainer->model().tokenizer()->vocabulary() != s.vocabulary)
      fail_work("bench: the made text has ", trainer->model().tokenizer()->vocabulary(), " tokens, expected ",
                s.vocabulary);
    return [trainer] { trainer->step(); };
  };
  return c;
}

// ---- images and translations: the networks of recipes/mnist.json and recipes/multi30k.json --------------

BlockOptions block(int64_t heads, int64_t width, int64_t feed_forward, Activation activation) {
  BlockOptions b;
  b.attention = {.heads = heads, .width = width / heads, .out_width = width, .bias = true, .out_bias = true};
  b.feed_forward = {.width = feed_forward, .activation = activation};
  return b;
}

// Of a block's weights, and attention between `rows` and `seen` rows, forward and backward, for so many rows.
double operations_of(const BlockOptions& b, double rows, double seen) {
  const auto width = static_cast<double>(b.attention.out_width),
             f = static_cast<double>(b.feed_forward.width);
  return 6 * rows * (4 * width * width + 2 * width * f) + 12 * rows * seen * width;
}

constexpr int64_t k_images = 128, k_patch = 4, k_side = 28, k_classes = 10;

Architecture digits() {
  Architecture a;
  a.family = "patches";
  a.inputs.width = 96;
  a.patches = PatchInputs{.size = k_patch, .tokens = {"cls_token"}};
  a.stack = {.layers = 6, .blocks = {block(4, 96, 384, Activation::gelu)}, .final_norm = NormOptions{}};
  a.head = {.kind = Head::classes, .bias = true, .pool = Pool::first, .label_smoothing = 0.1};
  return a;
}

std::function<void()> digit_steps() {
  Recipe recipe;
  recipe.task = Task::images;
  recipe.network = digits();
  recipe.batch = k_images;
  recipe.validation = 0;
  recipe.steps = 1000000;
  Parts<LabelledImages> data;
  data.training.images =
      Tensor(DType::u8, {{Axis::B, 8 * k_images}, {Axis::Y, k_side}, {Axis::X, k_side}, {Axis::K, 1}});
  Random random(1, stream_named("bench images"));
  auto* pixels = data.training.images.data<uint8_t>();
  for (int64_t i = 0; i < data.training.images.count(); ++i)
    pixels[i] = static_cast<uint8_t>(random.below(256));
  for (int64_t i = 0; i < 8 * k_images; ++i) data.training.labels.push_back(i % k_classes);
  for (int64_t i = 0; i < k_classes; ++i) data.training.classes.push_back(std::to_string(i));
  const auto trainer = std::make_shared<Trainer>(recipe, TrainingData(data));
  return [trainer] { trainer->step(); };
}

// Sentences as long as those of Multi30k, 14 tokens in the mean and from 8 to 20.
constexpr int64_t k_pairs = 128, k_least_words = 8, k_most_words = 20, k_words = 8000;
constexpr int64_t k_mean_words = (k_least_words + k_most_words) / 2;

Architecture translator() {
  Architecture a;
  a.family = "transformer";
  a.inputs = {.vocabulary = k_words,
              .width = 128,
              .scale = 11.3137,
              .positions = Positions::sinusoidal,
              .context = 128};
  a.stack = {.layers = 4, .blocks = {block(4, 128, 256, Activation::relu)}, .final_norm = NormOptions{}};
  a.encoder = Encoder{a.inputs, a.stack};
  a.encoder->inputs.vocabulary = 0;  // one table for both
  BlockOptions& writes = a.stack.blocks[0];
  writes.cross = writes.attention;
  writes.attention.mask = Mask::causal;
  a.head = {.kind = Head::next_word, .tied = true, .label_smoothing = 0.1};
  a.dropout = 0.3;
  return a;
}

std::function<void()> translation_steps() {
  std::vector<std::string> words = {"<s>", "</s>"};
  while (static_cast<int64_t>(words.size()) < k_words) words.push_back("w" + std::to_string(words.size()));
  Random random(1, stream_named("bench pairs"));
  const auto sentence = [&](int64_t taken) {  // `taken`: tokens that are added to it
    std::string text;
    const auto count =
        static_cast<int64_t>(random.below(k_most_words - k_least_words + 1)) + k_least_words - taken;
    for (int64_t i = 0; i < count; ++i) text += (i ? " " : "") + words[2 + random.below(words.size() - 2)];
    return text;
  };
  Parts<TextPairs> data;
  for (int64_t i = 0; i < 32 * k_pairs; ++i) {
    data.training.source.push_back(sentence(0));
    data.training.target.push_back(sentence(1));
  }
  Model base = Model::fresh(translator(), word_tokenizer(words), 1);
  ModelTasks tasks;
  tasks.writing = Writing{.start = 0, .ends = {1}};
  base.set_tasks(tasks);
  Recipe recipe;
  recipe.task = Task::translation;
  recipe.network = base.config();
  recipe.batch = k_pairs;
  recipe.context = 64;
  recipe.validation = 0;
  recipe.steps = 1000000;
  const auto trainer = std::make_shared<Trainer>(recipe, TrainingData(data), &base);
  return [trainer] { trainer->step(); };
}

Case image_step() {
  const Architecture a = digits();
  const int64_t patches = (k_side / k_patch) * (k_side / k_patch), rows = k_images * (patches + 1);
  const BlockOptions& b = a.stack.blocks[0];
  const double operations =
      static_cast<double>(a.stack.layers) *
          operations_of(b, static_cast<double>(rows), static_cast<double>(patches + 1)) +
      6.0 * static_cast<double>(k_images * patches * k_patch * k_patch * a.inputs.width);
  return {.what = "training_step",
          .shape = join("digits (", k_images, ",", patches + 1, ")"),
          .layout = "heads",
          .sizes = {{"B", k_images},
                    {"Y", k_side},
                    {"P", k_patch},
                    {"L", a.stack.layers},
                    {"H", b.attention.heads},
                    {"C", a.inputs.width},
                    {"F", b.feed_forward.width},
                    {"V", k_classes}},
          .bounds = {{{LimitKey::Kind::multiply_adds}, operations}},
          .prepare = digit_steps};
}

Case translation_step() {
  const Architecture a = translator();
  const BlockOptions& b = a.stack.blocks[0];
  const auto rows = static_cast<double>(k_pairs * k_mean_words), width = static_cast<double>(a.inputs.width),
             layers = static_cast<double>(a.stack.layers), words = static_cast<double>(k_mean_words);
  const double cross = 6 * rows * 4 * width * width + 12 * rows * words * width;
  const double operations =
      layers * (operations_of(b, rows, words) + operations_of(b, rows, words / 2) + cross) +
      6 * rows * static_cast<double>(k_words) * width;
  return {.what = "training_step",
          .shape = join("translation (", k_pairs, ",", k_mean_words, ",", k_mean_words, ")"),
          .layout = "heads",
          .sizes = {{"B", k_pairs},
                    {"T", k_mean_words},
                    {"S", k_mean_words},
                    {"L", a.stack.layers},
                    {"H", b.attention.heads},
                    {"C", a.inputs.width},
                    {"F", b.feed_forward.width},
                    {"V", k_words}},
          .bounds = {{{LimitKey::Kind::multiply_adds}, operations}},
          .prepare = translation_steps};
}

}  // namespace

void add_training(std::vector<Case>& all) {
  all.push_back(training_step(shakespeare()));
  all.push_back(training_step(gpt2()));
  all.push_back(image_step());
  all.push_back(translation_step());
}

}  // namespace limpid::bench
