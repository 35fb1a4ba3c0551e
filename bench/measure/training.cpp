// A whole step of training: forward, gradient, AdamW.  What is learned does not matter for the time it takes,
// so the text is made, and no data has to be there.
#include "bench/measure/catalogue.h"
#include "bench/measure/made_text.h"
#include "limpid/error.h"
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

}  // namespace

void add_training(std::vector<Case>& all) {
  all.push_back(training_step(shakespeare()));
  all.push_back(training_step(gpt2()));
}

}  // namespace limpid::bench
