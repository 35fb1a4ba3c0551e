// A training run: its log, how far it is, and its model, which changes while it learns.
#include <gtest/gtest.h>

#include <cmath>

#include "explore/test_helpers.h"

namespace limpid::explore {
namespace {

TEST(Training, IsTheLogOfTheHost) {
  Asking asking;
  EXPECT_NE(asking.ask(R"({"ask":"training"})").error().find("no training run"), std::string::npos);
  asking.host.log = "{\"epoch\": 1, \"loss\": 2.5}\n{\"epoch\": 2, \"loss\": 2.25, \"accuracy\": 0.5}\n";
  const Reply reply = asking.told(R"({"ask":"training"})");
  EXPECT_EQ(reply.arrays.at("loss").numbers, (std::vector<double>{2.5, 2.25}));
  EXPECT_TRUE(std::isnan(reply.arrays.at("accuracy").numbers[0]));
  EXPECT_EQ(reply.arrays.at("accuracy").numbers[1], 0.5);
  EXPECT_NE(asking.told(R"({"ask":"figure","figure":"training"})").arrays.at("file").bytes.find("<svg"),
            std::string::npos);
  EXPECT_EQ(asking.told(R"({"ask":"tokens"})").json["training"], "a run");
}

TEST(Training, SaysHowFarItIs) {
  Asking asking;
  asking.host.log = "{\"epoch\": 0, \"step\": 0, \"loss\": 2.5}\n";
  asking.host.progress = {40, false};
  Reply reply = asking.told(R"({"ask":"training"})");
  EXPECT_EQ(reply.json["steps"], 40);
  EXPECT_EQ(reply.json["finished"], false);
  asking.host.log += "{\"epoch\": 1, \"step\": 40, \"loss\": 1.5}\n";
  asking.host.progress.finished = true;
  reply = asking.told(R"({"ask":"training"})");
  EXPECT_EQ(reply.json["finished"], true);
  EXPECT_EQ(reply.arrays.at("step").numbers, (std::vector<double>{0, 40}));
}

TEST(Training, SaysThatItWasStopped) {
  Asking asking;
  asking.host.log = "{\"epoch\": 0, \"step\": 0, \"loss\": 2.5}\n";
  asking.host.progress = {40, false};
  EXPECT_FALSE(asking.told(R"({"ask":"training"})").json.contains("stopped"));
  asking.host.progress = {40, false, true, 7, "limpid train sayings.json --resume"};
  const Json stopped = asking.told(R"({"ask":"training"})").json["stopped"];
  EXPECT_EQ(stopped["step"], 7);
  EXPECT_EQ(stopped["command"], "limpid train sayings.json --resume");
}

// The same name, other parameters: no number of the run before is told as one of the new model.
TEST(Training, AModelThatHasLearnedIsOpenedAnew) {
  Asking asking;
  const std::string window = R"({"ask":"window","name":"logits"})",
                    open = R"({"ask":"open","model":"built-in"})";
  const std::string before = asking.told(window).arrays.at("numbers").bytes;
  asking.told(R"({"ask":"heads"})");
  asking.told(open);
  EXPECT_EQ(asking.told(window).arrays.at("numbers").bytes, before);
  auto learned = std::make_shared<Model>(Model::builtin());
  for (auto& [name, tensor] : learned->parameters())
    if (name.ends_with("W_in")) tensor.data<float>()[0] += 1;
  asking.host.replace("built-in", learned);
  EXPECT_EQ(asking.told(window).arrays.at("numbers").bytes, before) << "it is not opened by itself";
  EXPECT_EQ(asking.told(open).json["model"]["hash"], learned->hash());
  expect_same(asking.told(window).arrays.at("numbers"), learned->trace("Life is short")["logits"].view(),
              "logits");
}

}  // namespace
}  // namespace limpid::explore
