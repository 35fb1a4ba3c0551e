// Training: it learns, it stops and goes on to the same bits, it says what is true.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "core/threads.h"
#include "limpid/train.h"
#include "train/test_helpers.h"

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

TEST(Training, Learns) {
  Trainer trainer(small_recipe(), texts());
  const std::vector<Epoch>& epochs = trainer.run();
  ASSERT_EQ(epochs.size(), 5u);  // the state before the first step, too
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

TEST(Training, ActivationsInBf16LearnAsWellAndResumeToTheSameBits) {
  Recipe narrow = small_recipe();
  narrow.activations = Activations::bf16;
  Trainer exact(small_recipe(), texts()), whole(narrow, texts());
  const Epoch expected = exact.run().back(), found = whole.run().back();
  EXPECT_FALSE(same_bits(exact.model().parameters(), whole.model().parameters()));
  EXPECT_NEAR(*found.validation, *expected.validation, 0.01 * *expected.validation);
  const std::string path = temporary("limpid_bf16_test.safetensors");
  Trainer first(narrow, texts());
  first.run({.stop = [&] { return first.steps_done() == 13; }});
  first.save(path);
  Trainer second(path, texts());
  second.run();
  EXPECT_TRUE(same_bits(whole.model().parameters(), second.model().parameters()));
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
  std::vector<Epoch> h = {epoch(0, 4.0, 4.0, true)};
  EXPECT_EQ(observe(h), "before learning: a validation loss of 4.000, as unsure as among 54.6 alike");
  const auto next = [&](double loss, double validation, double accuracy, bool best) {
    h.push_back(epoch(h.back().number + 1, loss, validation, best));
    h.back().step = 50 * h.back().number;
    h.back().accuracy = accuracy;
    return observe(h);
  };
  EXPECT_EQ(
      next(3.0, 3.1, 0.2, true),
      "improving: the validation loss fell by 0.900 (1.800 every 100 steps), right 20.0 points more often");
  EXPECT_EQ(
      next(2.0, 1.9, 0.3, true),
      "improving: the validation loss fell by 1.200 (2.400 every 100 steps, the fastest so far), to less "
      "than half of where it began, right 10.0 points more often");
  EXPECT_EQ(
      next(1.9, 1.6, 0.301, true),
      "surer, not righter: the validation loss fell by 0.300 (0.600 every 100 steps, 0.2 times as fast as "
      "before), 30.1% right since epoch 2");
  EXPECT_EQ(next(1.89, 1.601, 0.3, false),
            "flat since epoch 3: in 50 steps the validation loss moved by 0.0010; best was epoch 3");
  EXPECT_EQ(next(1.88, 1.599, 0.3, true),
            "flat since epoch 3: in 100 steps the validation loss moved by 0.0010; still the best so far");
  EXPECT_EQ(next(1.9, 1.7, 0.3, false), "worse by 0.101 since epoch 5, the best (1.599)");
  EXPECT_EQ(next(1.8, 1.65, 0.3, false), "improving again by 0.050, but epoch 5 was better (1.599)");
  next(1.5, 1.8, 0.3, false);
  EXPECT_EQ(
      next(1.0, 2.2, 0.3, false),
      "overfitting since epoch 7: the validation loss rose by 0.550, the training loss fell by 0.800; best "
      "was epoch 5");
}

TEST(Training, TheStateBeforeTheFirstStepIsAReport) {
  Trainer trainer(small_recipe(), texts());
  const Trainer::Evaluation before = trainer.evaluate();
  std::vector<int64_t> steps;
  const std::vector<Epoch>& reports =
      trainer.run({.on_epoch = [&](const Epoch& e) { steps.push_back(e.step); }});
  ASSERT_EQ(steps.size(), reports.size());
  EXPECT_EQ(reports[0].number, 0);
  EXPECT_EQ(reports[0].step, 0);
  EXPECT_EQ(reports[0].validation, before.loss);
  EXPECT_EQ(reports[0].accuracy, before.accuracy);
  EXPECT_EQ(reports[1].number, 1);
  EXPECT_GT(reports[1].step, 0);
}

TEST(Training, ALossThatIsNoNumberStopsItAndNamesTheStage) {
  Recipe r = small_recipe();
  Trainer trainer(r, texts());
  trainer.step();
  trainer.model().parameters().at("blocks.0.ln1.w").data<float>()[2] = 3e38f;
  trainer.model().parameters().at("blocks.0.attn.W_K").data<float>()[0] = 3e38f;
  const std::map<std::string, Tensor> before = trainer.model().parameters();
  try {
    trainer.run();
    FAIL() << "the keys overflow";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::work);
    const std::string what = error.what();
    EXPECT_NE(what.find(" at step 2: the first stage that is not finite is blocks.0."), std::string::npos)
        << what;
  }
  EXPECT_TRUE(trainer.not_finite());
  EXPECT_EQ(trainer.steps_done(), 1);
  EXPECT_TRUE(same_bits(before, trainer.model().parameters()));  // the step was not taken
  // A parameter itself.
  Trainer other(r, texts());
  other.model().parameters().at("blocks.0.attn.W_K").data<float>()[0] = NAN;
  try {
    other.run();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("blocks.0.attn.W_K"), std::string::npos) << error.what();
  }
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
