// Training: it learns, it stops and goes on to the same bits, it says what is true.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "core/threads.h"
#include "limpid/train.h"

namespace limpid {
namespace {

Recipe small_recipe() {
  Recipe r;
  GptConfig c;
  c.layers = 2;
  c.heads = 2;
  c.width = 16;
  c.context = 16;
  c.positions = Positions::rotary;
  c.dropout = 0.1;
  r.network = c;
  r.steps = 24;
  r.batch = 4;
  r.context = 16;
  r.epoch = 6;
  r.warm_up = 4;
  r.learning_rate = 1e-2;
  return r;
}

const std::vector<std::string>& texts() {
  static const std::vector<std::string> text = {[] {
    std::string t;
    for (int i = 0; i < 80; ++i) t += "Life is short and art is long. ";
    return t;
  }()};
  return text;
}

std::string temporary(const char* name) { return (std::filesystem::temp_directory_path() / name).string(); }

bool same_bits(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a)
    if (std::memcmp(tensor.raw(), b.at(name).raw(), tensor.bytes()) != 0) return false;
  return true;
}

TEST(Training, Learns) {
  Trainer trainer(small_recipe(), texts());
  const std::vector<Epoch>& epochs = trainer.run();
  ASSERT_EQ(epochs.size(), 4u);
  EXPECT_LT(*epochs.back().validation, 0.8 * *epochs.front().validation);
  EXPECT_GT(epochs.back().accuracy, epochs.front().accuracy);
}

TEST(Training, StoppedAndResumedGivesTheSameBits) {
  Trainer whole(small_recipe(), texts());
  whole.run();
  const std::string path = temporary("limpid_resume_test.safetensors");
  for (const int stop_at : {1, 6, 13}) {  // in an epoch, at its end, in another
    {
      Trainer first(small_recipe(), texts());
      first.run({.stop = [&] { return first.steps_done() == stop_at; }});
      first.save(path);
    }
    Trainer second(path, texts());
    second.run();
    EXPECT_EQ(second.steps_done(), 24);
    EXPECT_TRUE(same_bits(whole.model().parameters(), second.model().parameters()))
        << "stopped at " << stop_at;
    EXPECT_EQ(whole.run().back().loss, second.run().back().loss);
  }
  std::filesystem::remove(path);
}

TEST(Training, ThreadsDoNotChangeABit) {
  const int before = threads();
  std::map<std::string, Tensor> first;
  for (const int count : {1, 2, 3}) {
    set_threads(count);
    Trainer trainer(small_recipe(), texts());
    for (int i = 0; i < 5; ++i) trainer.step();
    if (first.empty()) first = trainer.model().parameters();
    EXPECT_TRUE(same_bits(first, trainer.model().parameters())) << count << " threads";
  }
  set_threads(before);
}

TEST(Training, AnotherSeedGivesOtherBits) {
  Recipe other = small_recipe();
  other.seed = 8;
  Trainer a(small_recipe(), texts()), b(other, texts());
  a.step();
  b.step();
  EXPECT_FALSE(same_bits(a.model().parameters(), b.model().parameters()));
}

TEST(Training, RefusesACheckpointOfAnotherText) {
  const std::string path = temporary("limpid_other_text_test.safetensors");
  Trainer trainer(small_recipe(), texts());
  trainer.save(path);
  EXPECT_THROW(Trainer(path, {"another text " + texts()[0]}), Error);
  std::filesystem::remove(path);
}

TEST(Training, RefusesATextThatIsTooShort) {
  try {
    Trainer trainer(small_recipe(), {"short"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("too short"), std::string::npos) << error.what();
  }
}

TEST(Training, SentencesAreLearnedWhole) {
  Recipe r;
  TextbookConfig c;
  c.width = 16;
  c.heads = 2;
  c.mask = Mask::causal;
  c.positions = Positions::learned;
  c.add_norm = true;
  r.network = c;
  r.tokenizer = "words";
  r.examples = Examples::lines;
  r.validation = 0;
  r.steps = 200;
  r.warm_up = 10;
  r.epoch = 50;
  r.learning_rate = 1e-2;
  Trainer trainer(r, {"Life is short\nArt is long\n"});
  const std::vector<Epoch>& epochs = trainer.run();
  EXPECT_GT(epochs.back().accuracy, 0.7);  // "is" is followed by two different words
  EXPECT_FALSE(epochs.back().validation.has_value());
}

TEST(Training, PatienceStopsIt) {
  Recipe r = small_recipe();
  r.patience = 1;
  r.learning_rate = 3;  // gets worse and worse
  r.least_rate = 3;
  r.steps = 600;
  Trainer trainer(r, texts());
  trainer.run();
  EXPECT_LT(trainer.steps_done(), 600);
}

Epoch epoch(int64_t number, double loss, double validation, bool best) {
  Epoch e;
  e.number = number;
  e.loss = loss;
  e.validation = validation;
  e.best = best;
  return e;
}

TEST(Observation, SaysWhatTheNumbersShow) {
  std::vector<Epoch> h = {epoch(1, 3.0, 3.1, true), epoch(2, 2.0, 2.2, true)};
  EXPECT_EQ(observe(h).rfind("improving: the validation loss fell by 0.900", 0), 0u) << observe(h);
  h.push_back(epoch(3, 1.99, 2.2001, false));
  EXPECT_EQ(observe(h).rfind("flat", 0), 0u) << observe(h);
  h.push_back(epoch(4, 1.5, 2.4, false));
  h.push_back(epoch(5, 1.0, 2.6, false));
  EXPECT_NE(observe(h).find("overfitting"), std::string::npos) << observe(h);
  EXPECT_NE(observe(h).find("best was epoch 2"), std::string::npos) << observe(h);
}

TEST(Recipes, NameWhatIsWrong) {
  const auto message = [](const char* json) -> std::string {
    try {
      recipe_from_json(json);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message("{").find("not JSON"), std::string::npos);
  EXPECT_NE(message(R"({"network":{"network":"gpt"},"stepz":3})").find("'stepz'"), std::string::npos);
  EXPECT_NE(message(R"({"network":{"network":"gpt"},"steps":0})").find("steps is 0"), std::string::npos);
  EXPECT_NE(message(R"({"network":{"network":"gpt"},"steps":"many"})")
                .find("steps is \"many\", expected a whole number from 1"),
            std::string::npos);
  EXPECT_NE(message(R"({"network":{"network":"gtp"}})").find("'gtp'"), std::string::npos);
}

TEST(Recipes, SurviveTheTrip) {
  const Recipe r = small_recipe();
  EXPECT_EQ(to_json(recipe_from_json(to_json(r))), to_json(r));
}

}  // namespace
}  // namespace limpid
