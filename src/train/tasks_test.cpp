// Every task is learned from small data that is made here; each stops and goes on to the same bits.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>

#include "core/threads.h"
#include "limpid/random.h"
#include "limpid/tasks.h"
#include "limpid/train.h"
#include "train/test_helpers.h"

namespace limpid {
namespace {

BlockOptions small_block(Mask mask = Mask::none) {
  BlockOptions block;
  block.attention = {.heads = 2, .width = 8, .out_width = 16, .mask = mask};
  block.feed_forward = {.width = 32};
  return block;
}

Architecture small_network() {
  Architecture a;
  a.family = "small";
  a.inputs = {.width = 16, .positions = Positions::learned, .context = 16};
  a.stack = {.layers = 1, .blocks = {small_block()}, .final_norm = NormOptions{}};
  a.head = {.kind = Head::classes, .bias = true, .pool = Pool::mean};
  a.dropout = 0.1;
  return a;
}

struct Learned {
  Recipe recipe;
  TrainingData data;
};

Recipe task_recipe(Task task) {
  Recipe r;
  r.task = task;
  r.network = small_network();
  r.steps = 120;
  r.batch = 8;
  r.context = 16;
  r.epoch = 40;
  r.warm_up = 10;
  r.learning_rate = 1e-2;
  r.average = 0.9;
  r.seed = 3;
  return r;
}

// Texts about the weather and about food.
Learned class_texts() {
  Learned l{task_recipe(Task::classes), {}};
  l.recipe.tokenizer = "words";
  l.recipe.word_dropout = 0.1;
  const char* const things[2][4] = {{"rain", "sun", "wind", "snow"}, {"bread", "soup", "rice", "tea"}};
  Parts<LabelledTexts> parts;
  parts.training.classes = {"weather", "food"};
  Random random(1);
  for (int i = 0; i < 60; ++i) {
    const int label = i % 2;
    std::string text = "today there is";
    for (uint64_t n = random.below(3) + 1; n > 0; --n)
      text += std::string(" ") + things[label][random.below(4)];
    parts.training.texts.push_back(text + " again");
    parts.training.labels.push_back(label);
  }
  parts.held_out = parts.training;
  parts.test = parts.training;
  l.data = parts;
  return l;
}

// Images with a bright upper or lower half.
Learned images() {
  Learned l{task_recipe(Task::images), {}};
  auto& network = std::get<Architecture>(l.recipe.network);
  network.patches = PatchInputs{.size = 4};
  l.recipe.augment.shift = 0.1;
  Parts<LabelledImages> parts;
  parts.training.classes = {"above", "below"};
  parts.training.images = Tensor(DType::u8, {{Axis::B, 40}, {Axis::Y, 8}, {Axis::X, 8}, {Axis::K, 1}});
  Random random(2);
  for (int64_t i = 0; i < 40; ++i) {
    for (int64_t p = 0; p < 64; ++p)
      parts.training.images.data<uint8_t>()[i * 64 + p] =
          static_cast<uint8_t>(random.below(100) + ((p < 32) == (i % 2 == 0) ? 120 : 0));
    parts.training.labels.push_back(i % 2);
  }
  parts.held_out = parts.training;
  l.data = parts;
  return l;
}

// Two waves of unlike size.
Learned series() {
  Learned l{task_recipe(Task::forecast), {}};
  auto& network = std::get<Architecture>(l.recipe.network);
  network.series = SeriesInputs{.size = 4, .stride = 4};
  network.head = {.kind = Head::forecast, .bias = true, .flat = true};
  network.dropout = 0;
  l.recipe.forecast = {.look_back = 16, .horizon = 4, .period = 8};
  SeriesTable table;
  table.columns = {"small", "large"};
  table.values = Tensor(DType::f64, {{Axis::N, 240}, {Axis::K, 2}});
  for (int64_t r = 0; r < 240; ++r) {
    table.values.data<double>()[2 * r] = std::sin(static_cast<double>(r) * 0.785398);
    table.values.data<double>()[2 * r + 1] = 50 + 20 * std::cos(static_cast<double>(r) * 0.785398);
  }
  l.data = table;
  return l;
}

// Numbers as words of another language.
Learned pairs() {
  Learned l{task_recipe(Task::translation), {}};
  auto& network = std::get<Architecture>(l.recipe.network);
  network.encoder = Encoder{network.inputs, network.stack};
  network.stack.blocks = {small_block(Mask::causal)};
  network.stack.blocks[0].cross = small_block().attention;
  network.head = {.kind = Head::next_word, .label_smoothing = 0.05};
  l.recipe.tokenizer = "bpe";
  l.recipe.vocabulary = 300;
  l.recipe.steps = 240;
  l.recipe.average = 0;
  const char* const from[] = {"eins", "zwei", "drei", "vier"};
  const char* const to[] = {"one", "two", "three", "four"};
  Parts<TextPairs> parts;
  Random random(4);
  for (int i = 0; i < 64; ++i) {
    std::string source, target;
    for (int n = 0; n < 2; ++n) {
      const uint64_t word = random.below(4);
      source += std::string(n ? " " : "") + from[word];
      target += std::string(n ? " " : "") + to[word];
    }
    parts.training.source.push_back(source);
    parts.training.target.push_back(target);
  }
  parts.held_out = parts.training;
  l.data = parts;
  return l;
}

Learned algorithm(const char* kind) {
  Learned l{task_recipe(Task::algorithm), {}};
  GptConfig c;
  c.layers = 1, c.heads = 2, c.width = 16, c.context = 16, c.positions = Positions::learned;
  l.recipe.network = c;
  l.recipe.algorithm = {.kind = kind, .length = 3, .symbols = 5};
  return l;
}

std::vector<Learned> every_task() { return {class_texts(), images(), series(), pairs(), algorithm("copy")}; }

TEST(Tasks, AreLearned) {
  for (const Learned& l : every_task()) {
    SCOPED_TRACE(name(l.recipe.task));
    Trainer trainer(l.recipe, l.data);
    const std::vector<Epoch>& epochs = trainer.run();
    EXPECT_LT(*epochs.back().validation, 0.6 * *epochs.front().validation);
  }
}

TEST(Tasks, StoppedAndResumedGiveTheSameBits) {
  const std::string path =
      (std::filesystem::temp_directory_path() / "limpid_tasks_test.safetensors").string();
  for (Learned& l : every_task()) {
    SCOPED_TRACE(name(l.recipe.task));
    l.recipe.steps = 20;
    l.recipe.epoch = 6;
    l.recipe.accumulate = 2;
    Trainer whole(l.recipe, l.data);
    whole.run();
    for (const int stop_at : {1, 6, 13}) {
      {
        Trainer first(l.recipe, l.data);
        first.run({.stop = [&] { return first.steps_done() == stop_at; }});
        first.save(path);
      }
      Trainer second(path, l.data);
      second.run();
      EXPECT_TRUE(same_bits(whole.model().parameters(), second.model().parameters())) << stop_at;
      EXPECT_EQ(whole.history().back().validation, second.history().back().validation) << stop_at;
      EXPECT_EQ(whole.evaluate().loss, second.evaluate().loss) << stop_at;
    }
  }
  std::filesystem::remove(path);
}

TEST(Tasks, ThreadsDoNotChangeABit) {
  const int before = threads();
  for (const Learned& l : every_task()) {
    SCOPED_TRACE(name(l.recipe.task));
    std::map<std::string, Tensor> first;
    for (const int count : {1, 3}) {
      set_threads(count);
      Trainer trainer(l.recipe, l.data);
      for (int i = 0; i < 4; ++i) trainer.step();
      if (first.empty()) first = trainer.model().parameters();
      EXPECT_TRUE(same_bits(first, trainer.model().parameters())) << count << " threads";
    }
  }
  set_threads(before);
}

TEST(Tasks, AccumulatedBatchesAreOneLargeBatch) {
  // Dropout draws by batch, and the order of examples by length: without both the examples are the same.
  Learned l = images();
  std::get<Architecture>(l.recipe.network).dropout = 0;
  l.recipe.augment = {};
  l.recipe.batch = 40;
  Trainer one(l.recipe, l.data);
  l.recipe.batch = 20;
  l.recipe.accumulate = 2;
  Trainer two(l.recipe, l.data);
  one.step(), two.step();
  for (const auto& [name, tensor] : one.model().parameters())
    for (int64_t i = 0; i < tensor.count(); ++i)
      ASSERT_NEAR(tensor.data<float>()[i], two.model().parameters().at(name).data<float>()[i], 2e-4) << name;
}

// What a user does with the model in the end.
TEST(Tasks, TheModelDoesItsTask) {
  const std::string path =
      (std::filesystem::temp_directory_path() / "limpid_task_model.safetensors").string();
  const auto trained = [&](Learned l) {
    Trainer trainer(l.recipe, l.data);
    trainer.run();
    trainer.keep_best();
    trainer.model().save(path);
    return Model::load(path);
  };
  const Model classifier = trained(class_texts());
  EXPECT_EQ(classify(classifier, {"today there is soup again"}).texts[0].classes[0].name, "food");
  EXPECT_EQ(classify(classifier, {"today there is wind again"}).texts[0].classes[0].name, "weather");
  Learned few = pairs();
  few.recipe.steps = 800;
  few.recipe.epoch = 400;
  const Model translator = trained(few);
  EXPECT_EQ(translate(translator, {"drei eins"})[0].translation, "three one");
  const Learned digits = images();
  const Model seer = trained(digits);
  const auto& shown = std::get<Parts<LabelledImages>>(digits.data).training.images;
  Tensor first(DType::u8, {{Axis::Y, 8}, {Axis::X, 8}, {Axis::K, 1}});
  std::memcpy(first.data<uint8_t>(), shown.data<uint8_t>(), 64);
  EXPECT_EQ(classify_images(seer, {{"first", [&] { return first; }}}).texts[0].classes[0].name, "above");
  const Model foreteller = trained(series());
  ASSERT_TRUE(foreteller.tasks().series);
  EXPECT_NEAR(foreteller.tasks().series->mean[1], 50, 0.5);
  std::filesystem::remove(path);
}

TEST(Tasks, AreEvaluatedByTheRecipe) {
  Learned l = class_texts();
  Trainer trainer(l.recipe, l.data);
  trainer.run();
  const TaskEvaluation e = evaluate_task(trainer.model(), l.recipe, l.data);
  EXPECT_EQ(e.part, "test");
  EXPECT_EQ(e.seen.examples, 60);
  EXPECT_EQ(e.classes, (std::vector<std::string>{"weather", "food"}));
  int64_t right = e.seen.confusion.at(0) + e.seen.confusion.at(3), all = 0;
  for (const int64_t count : e.seen.confusion) all += count;
  EXPECT_EQ(all, 60);
  EXPECT_DOUBLE_EQ(e.seen.accuracy, static_cast<double>(right) / 60);
  // A wave is what it was a period ago; a linear map knows it too; the last value is wrong.
  l = series();
  Trainer waves(l.recipe, l.data);
  waves.run();
  const TaskEvaluation w = evaluate_task(waves.model(), l.recipe, l.data);
  ASSERT_EQ(w.baselines.size(), 4u);
  EXPECT_GT(w.baselines[0].mse, 0.5);
  for (size_t i = 1; i < 4; ++i) EXPECT_LT(w.baselines[i].mse, 1e-3) << w.baselines[i].name;
  EXPECT_THROW(evaluate_task(trainer.model(), l.recipe, l.data), Error);
}

// What every example has the same of (token types) is given to a network in evaluations too.
TEST(Tasks, EvaluationsAgree) {
  for (Learned& l : every_task()) {
    SCOPED_TRACE(name(l.recipe.task));
    l.recipe.steps = 10;
    l.recipe.average = 0;
    if (l.recipe.task == Task::classes) std::get<Architecture>(l.recipe.network).inputs.token_types = 2;
    Trainer trainer(l.recipe, l.data);
    trainer.run();
    const Trainer::Evaluation own = trainer.has_test() ? trainer.evaluate_test() : trainer.evaluate();
    EXPECT_EQ(evaluate_task(trainer.model(), l.recipe, l.data).seen.loss, own.loss);
  }
}

TEST(Tasks, MuonLearnsToo) {
  Learned l = class_texts();
  l.recipe.optimizer = OptimizerKind::muon;
  Trainer trainer(l.recipe, l.data);
  const std::vector<Epoch>& epochs = trainer.run();
  EXPECT_LT(*epochs.back().validation, 0.6 * *epochs.front().validation);
}

TEST(Tasks, RefuseWhatDoesNotFit) {
  const auto refused = [](Learned l) -> std::string {
    try {
      Trainer trainer(l.recipe, l.data);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  Learned l = class_texts();
  l.data = pairs().data;
  EXPECT_NE(refused(l).find("the task 'classes'"), std::string::npos) << refused(l);
  l = images();
  l.recipe.network = small_network();
  EXPECT_NE(refused(l).find("\"patches\""), std::string::npos) << refused(l);
  l = series();
  l.recipe.forecast.training = 1000;
  EXPECT_NE(refused(l).find("the table has 240"), std::string::npos) << refused(l);
  l = pairs();
  l.recipe.tokenizer = "words";
  EXPECT_NE(refused(l).find("'bpe'"), std::string::npos) << refused(l);
  l = algorithm("multiply");
  EXPECT_NE(refused(l).find("'multiply'"), std::string::npos) << refused(l);
}

// ---- data that counts its classes otherwise ---------------------------------------------------------------

TEST(Evaluation, ClassesAreThoseOfTheSameName) {
  Learned l = class_texts();
  Trainer trainer(l.recipe, l.data);
  trainer.run();
  auto parts = std::get<Parts<LabelledTexts>>(l.data);
  parts.test = parts.training;
  const TaskEvaluation right = evaluate_task(trainer.model(), l.recipe, parts);
  EXPECT_GT(right.seen.accuracy, 0.9);
  auto turned = parts;  // the same examples, with their classes in another order
  for (LabelledTexts* part : {&turned.training, &*turned.test}) {
    std::swap(part->classes[0], part->classes[1]);
    for (int64_t& label : part->labels) label = 1 - label;
  }
  if (turned.held_out) turned.held_out.reset();
  const TaskEvaluation again = evaluate_task(trainer.model(), l.recipe, turned);
  EXPECT_EQ(again.seen.confusion, right.seen.confusion);
  turned.training.classes[0] = turned.test->classes[0] = "sport";
  EXPECT_THROW(evaluate_task(trainer.model(), l.recipe, turned), Error);
}

// ---- what a trained model foretells -------------------------------------------------------------------

TEST(Forecasts, OfATableInItsOwnUnits) {
  Architecture a = small_network();
  a.inputs = {.width = 16};
  a.stack.final_norm.reset();
  a.series = SeriesInputs{.channels = 2, .length = 8, .size = 4, .stride = 2};
  a.head = {.kind = Head::forecast, .flat = true, .outputs = 3};
  Model model = Model::fresh(a, nullptr, 1);
  Tensor rows(DType::f64, Shape::unnamed({10, 2}));
  for (int64_t r = 0; r < 10; ++r)
    for (int64_t k = 0; k < 2; ++k)
      rows.set({r, k}, 100.0 * static_cast<double>(k) + static_cast<double>(r % 4));
  const Forecast plain = forecast(model, rows);
  EXPECT_EQ(plain.columns, (std::vector<std::string>{"0", "1"}));
  EXPECT_EQ(plain.values.shape()[0].size, 3);
  Tensor read(DType::f32, {{Axis::B, 1}, {Axis::X, 8}, {Axis::K, 2}});  // the last eight
  for (int64_t r = 0; r < 8; ++r)
    for (int64_t k = 0; k < 2; ++k) read.set({0, r, k}, rows.at({r + 2, k}));
  const RunResult run = model.run(read, {.keep = {"prediction"}});
  for (int64_t t = 0; t < 3; ++t)
    for (int64_t k = 0; k < 2; ++k) EXPECT_EQ(plain.values.at({t, k}), run["prediction"].at({0, t, k}));
  // Of a table that is twice as large, with the scale of one, what comes next is twice as large.
  ModelTasks tasks;
  tasks.series = SeriesScale{{"load", "heat"}, {0, 0}, {2, 2}};
  model.set_tasks(tasks);
  Tensor twice = rows;
  for (int64_t i = 0; i < twice.count(); ++i) twice.data<double>()[i] *= 2;
  const Forecast scaled = forecast(model, twice);
  EXPECT_EQ(scaled.columns, (std::vector<std::string>{"load", "heat"}));
  for (int64_t t = 0; t < 3; ++t) EXPECT_DOUBLE_EQ(scaled.values.at({t, 1}), 2 * plain.values.at({t, 1}));
}

// Three moments 4 apart are a patch: the network that hands on the last of them says what its phase was.
Architecture phases() {
  Architecture a = small_network();
  a.inputs = {.width = 16};
  a.stack.final_norm.reset();
  a.series = SeriesInputs{.channels = 2, .length = 12, .size = 3, .stride = 1, .apart = 4};
  a.series->standardize.by = StandardizeOptions::By::mean;
  a.head = {.kind = Head::forecast, .by_turns = true, .outputs = 8};
  return a;
}

TEST(Forecasts, RowsOfAPeriodsPhasesGoOnByTurns) {
  const Architecture a = std::get<Architecture>(network_from_json(to_json(phases())));
  EXPECT_EQ(a.series->count(), 4);
  Model model = Model::fresh(a, nullptr, 1);
  for (auto& [name, tensor] : model.parameters()) std::fill_n(tensor.data<float>(), tensor.count(), 0.0F);
  model.parameters().at("patch_embed.W").set({2, 0}, 1);
  Tensor& ahead = model.parameters().at("unembed.W_U");
  ASSERT_EQ(ahead.shape()[1].size, 2);  // of eight moments two are of a row
  ahead.set({0, 0}, 1);
  ahead.set({0, 1}, 3);  // three times as far from the mean
  Tensor rows(DType::f64, Shape::unnamed({12, 2}));
  double mean[2] = {0, 0};
  for (int64_t r = 0; r < 12; ++r)
    for (int64_t k = 0; k < 2; ++k) {
      rows.set({r, k}, static_cast<double>(r * 7 % 12 + 5 * k * r));
      mean[k] += rows.at({r, k}) / 12;
    }
  const Forecast seen = forecast(model, rows);
  ASSERT_EQ(seen.values.shape()[0].size, 8);
  for (int64_t o = 0; o < 8; ++o)
    for (int64_t k = 0; k < 2; ++k)
      EXPECT_NEAR(seen.values.at({o, k}), mean[k] + (o < 4 ? 1 : 3) * (rows.at({8 + o % 4, k}) - mean[k]),
                  1e-4)
          << o << " " << k;
}

TEST(Forecasts, WhatHasNoTurnsIsRefused) {
  const auto refused = [](const std::function<void(Architecture&)>& change, const std::string& said) {
    Architecture a = phases();
    change(a);
    try {
      Model::fresh(a, nullptr, 1);
      ADD_FAILURE() << said;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(said), std::string::npos) << error.what();
    }
  };
  EXPECT_NO_THROW(Model::fresh(phases(), nullptr, 1));
  refused([](Architecture& a) { a.series->length = 13; }, "expected stride 1 and a length of 12");
  refused([](Architecture& a) { a.series->stride = 2; }, "one every 2");
  refused([](Architecture& a) { a.series->length = 8; }, "3 moments, 4 apart");
  refused([](Architecture& a) { a.series->apart = 0; }, "0 apart");
  refused([](Architecture& a) { a.series->apart = INT64_MAX; }, "expected at least one patch");
  refused([](Architecture& a) { a.head.outputs = 9; }, "cannot be shared by 4 rows");
  refused([](Architecture& a) { a.head.flat = true; }, "without flat");
  refused([](Architecture& a) { a.series->tokens = {"cls_token"}; }, "5 rows");
}

TEST(Forecasts, WhatDoesNotFitIsRefused) {
  Architecture a = small_network();
  a.inputs = {.width = 16};
  a.stack.final_norm.reset();
  a.series = SeriesInputs{.channels = 2, .length = 8, .size = 4, .stride = 2};
  a.head = {.kind = Head::forecast, .flat = true, .outputs = 3};
  const Model model = Model::fresh(a, nullptr, 1);
  const auto table = [](int64_t rows, int64_t columns) {
    return Tensor(DType::f64, Shape::unnamed({rows, columns}));
  };
  EXPECT_THROW(forecast(model, table(7, 2)), Error);
  EXPECT_THROW(forecast(model, table(8, 3)), Error);
  Tensor gap = table(9, 2);
  gap.set({0, 0}, NAN);
  EXPECT_NO_THROW(forecast(model, gap));  // it is not read
  gap.set({3, 1}, NAN);
  EXPECT_THROW(forecast(model, gap), Error);
  EXPECT_THROW(forecast(Model::builtin(), table(8, 2)), Error);
}

}  // namespace
}  // namespace limpid
