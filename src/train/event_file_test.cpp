// Events are framed as TensorFlow frames records, and what is broken is found.
#include "train/event_file.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

#include "limpid/files.h"
#include "limpid/run_folder.h"

namespace limpid {
namespace {

// RFC 3720, appendix B.4, and the sum that everybody publishes.
TEST(EventFile, Crc32c) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(crc32c(""), 0U);
}

// The first record of any TensorFlow event file but for its time: 24 bytes of an Event.
TEST(EventFile, TheVersionIsAnEventOfTheTimeAndTheName) {
  const std::string record = event_version(1.5);
  ASSERT_EQ(record.size(), 8 + 4 + 24 + 4U);
  EXPECT_EQ(record.substr(0, 8), std::string("\x18\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(record.substr(12, 9), std::string("\x09\0\0\0\0\0\0\xf8\x3f", 9));
  EXPECT_EQ(record.substr(21, 15),
            "\x1a\x0d"
            "brain.Event:2");
}

std::string three() {
  return event_version(1) + event_of(2, 0, {{"loss/training", 3.5F}}) +
         event_of(3, 250, {{"loss/training", 2.5F}, {"accuracy", 0.25F}}) +
         event_of(4, 500, {{"accuracy", 0.5F}});
}

TEST(EventFile, WholeRecordsAreReadUpToAStep) {
  const std::string file = three();
  const EventsRead all = read_events(file, 1000);
  EXPECT_EQ(all.bytes, file.size());
  EXPECT_EQ(all.steps, (std::vector<int64_t>{0, 250, 500}));
  const EventsRead some = read_events(file, 300);
  EXPECT_EQ(some.steps, (std::vector<int64_t>{0, 250}));
  EXPECT_EQ(some.bytes, file.size() - event_of(4, 500, {{"accuracy", 0.5F}}).size());
}

TEST(EventFile, WhatIsBrokenEndsThem) {
  const std::string file = three();
  const size_t last = event_of(4, 500, {{"accuracy", 0.5F}}).size();
  for (size_t cut = 1; cut < last; ++cut)
    EXPECT_EQ(read_events(file.substr(0, file.size() - cut), 1000).bytes, file.size() - last) << cut;
  for (size_t at = file.size() - last; at < file.size(); ++at) {
    std::string other = file;
    other[at] = static_cast<char>(other[at] ^ 1);
    EXPECT_EQ(read_events(other, 1000).bytes, file.size() - last) << at;
  }
  EXPECT_EQ(read_events("no events", 1000).bytes, 0U);
}

// ---- the folder, without the command -----------------------------------------------------------------

Recipe small() {
  Recipe r;
  r.network = GptConfig{.context = 12, .layers = 1, .heads = 2, .width = 8};
  r.steps = 12;
  r.epoch = 4;
  r.batch = 2;
  r.context = 8;
  r.average = 0.9;
  r.watch = {"aba", "cab"};
  return r;
}

const std::vector<std::string> k_texts = {"abcabcabcbacbabcabcbabcabcabcacbabcabacbabcabcabc"};

struct Place {
  std::filesystem::path path = std::filesystem::temp_directory_path() / join("limpid_run_folder_", getpid());
  ~Place() { std::filesystem::remove_all(path); }
};

TEST(RunFolder, KeepsEveryReportAndGoesOn) {
  const Place place;
  RunFolder folder(place.path.string());
  {
    Trainer trainer(small(), k_texts);
    folder.begin(trainer);
    trainer.run({.on_epoch = [&](const Epoch&) { folder.report(trainer); },
                 .stop = [&] { return trainer.steps_done() == 8; }});
  }
  EXPECT_EQ(folder.watched().size(), 6U);  // of steps 0, 4 and 8
  Trainer trainer(folder.checkpoint(), k_texts);
  RunFolder again(place.path.string());
  again.begin(trainer);
  trainer.run({.on_epoch = [&](const Epoch&) { again.report(trainer); }});
  const std::vector<WatchedFile> watched = again.watched();
  ASSERT_EQ(watched.size(), 8U);
  EXPECT_EQ(watched[3].step, 12);
  EXPECT_EQ(watched[4].text, 1);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(place.path))
    if (const std::string name = entry.path().filename().string(); name.find("tfevents") != name.npos) {
      ++files;
      EXPECT_EQ(read_events(read_file(entry.path()), 1000).steps, (std::vector<int64_t>{0, 4, 8, 12}));
    }
  EXPECT_EQ(files, 1);
  again.clear();
  EXPECT_TRUE(again.watched().empty());
}

// What is watched is the model that reports judge: with `average`, the mean of the weights.
TEST(RunFolder, WatchesTheModelThatIsJudged) {
  const Place place;
  RunFolder folder(place.path.string());
  Trainer trainer(small(), k_texts);
  std::map<std::string, Tensor> judged;
  trainer.run({.on_epoch = [&](const Epoch&) {
    folder.report(trainer);
    trainer.with_judged_model([&](const Model& now) { judged = std::as_const(now).parameters(); });
  }});
  const Tensor learned = trainer.model().parameters().at("embed.W_E");
  trainer.model().parameters() = judged;
  const Trace now = trainer.model().trace("cab"), kept = load_trace(folder.watched(12, 1));
  EXPECT_EQ(kept.text, "cab");
  EXPECT_EQ(kept.numbers.at("step"), 12);
  EXPECT_EQ(kept.metrics.at("held_out_loss"), *trainer.history().back().validation);
  const Tensor& a = now["blocks.0.attn.pattern"];
  const Tensor& b = kept["blocks.0.attn.pattern"];
  ASSERT_EQ(a.count(), b.count());
  for (int64_t i = 0; i < a.count(); ++i) EXPECT_EQ(a.data<float>()[i], b.data<float>()[i]);
  EXPECT_TRUE(kept.has("probs"));
  EXPECT_NE(learned.data<float>()[0], judged.at("embed.W_E").data<float>()[0]);
}

TEST(Trainer, ASentenceThatTheNetworkCannotReadIsRefusedFirst) {
  Recipe recipe = small();
  recipe.watch = {"aba", "xyz"};
  EXPECT_THROW(Trainer(recipe, k_texts), Error);
}

}  // namespace
}  // namespace limpid
