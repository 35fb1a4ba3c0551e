// The questions of a lesson: those that the quiz of the command asks, and what a text would cost in training.
#include "trace/quiz.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "explore/test_helpers.h"
#include "limpid/explain.h"

namespace limpid::explore {
namespace {

TEST(QuizQuestions, AreThoseOfTheTrace) {
  Asking asking;
  const Trace trace = builtin()->trace("Life is short", {.parameters = true});
  QuizOptions options;
  options.layer = 1, options.head = 2, options.stages = true;
  const std::vector<limpid::Question> expected = quiz(trace, options);
  const Reply reply = asking.told(R"({"ask":"quiz","layer":1,"head":2})");
  ASSERT_EQ(reply.json["questions"].size(), expected.size());
  ASSERT_GE(expected.size(), 7u);
  std::set<std::string> kinds;
  for (size_t i = 0; i < expected.size(); ++i) {
    const Json& told = reply.json["questions"][i];
    EXPECT_EQ(told["text"], expected[i].text);
    EXPECT_EQ(told["choices"], Json(expected[i].choices));
    EXPECT_EQ(told["right"], expected[i].right);
    EXPECT_EQ(told["explanation"], expected[i].explanation);
    EXPECT_FALSE(told["kind"].get<std::string>().empty());
    EXPECT_TRUE(kinds.insert(told["kind"].get<std::string>()).second) << told["kind"];
    const size_t named = told["choice_kinds"].size();
    EXPECT_TRUE(named == 0 || named == told["choices"].size()) << told["kind"];
    ASSERT_EQ(told["cells"].size(), expected[i].sources.size());
    for (const Json& cell : told["cells"]) explain(trace, cell.get<std::string>());  // each is one
  }
}

// What stands in the facts is what the sentences say, so that a page can say it otherwise.
TEST(QuizQuestions, FactsAreWhatTheSentencesSay) {
  Asking asking;
  const Reply reply = asking.told(R"({"ask":"quiz"})");
  for (const Json& question : reply.json["questions"]) {
    const std::string said =
        question["text"].get<std::string>() + " " + question["explanation"].get<std::string>();
    for (const auto& [name, value] : question["facts"].items())
      EXPECT_NE(said.find(value.get<std::string>()), std::string::npos) << question["kind"] << " " << name;
  }
}

TEST(QuizQuestions, AnEditedRunAsksNothingThatItsNumbersDoNotFulfil) {
  Asking asking;
  asking.told(R"({"ask":"open","edits":["blocks.0.attn.scaled_scores=scale:3"]})");
  const Reply reply = asking.told(R"({"ask":"quiz"})");
  EXPECT_EQ(reply.json["edited"].size(), 1u);
  for (const Json& question : reply.json["questions"]) EXPECT_NE(question["kind"], "scaled_score");
  const Reply plain = asking.told(R"({"ask":"quiz","unedited":true})");
  EXPECT_GT(plain.json["questions"].size(), reply.json["questions"].size());
}

TEST(QuizQuestions, ALongTextIsAskedAboutWithoutItsMatrices) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "Life is short. ";
  Asking asking(builtin(), text);
  const Reply reply = asking.told(R"({"ask":"quiz"})");
  ASSERT_EQ(reply.json["questions"].size(), 1u);
  EXPECT_EQ(reply.json["questions"][0]["kind"], "comes_next");
}

TEST(Losses, AreTheNegativeLogarithmsOfTheProbabilities) {
  Asking asking(builtin(), "Life is short, art is long");
  const Trace trace = builtin()->trace("Life is short, art is long");
  const Reply reply = asking.told(R"({"ask":"losses"})");
  const auto count = static_cast<int64_t>(trace.tokens.size()) - 1;
  ASSERT_EQ(reply.arrays.at("losses").numbers.size(), static_cast<size_t>(count));
  double sum = 0;
  for (int64_t t = 0; t < count; ++t) {
    const int64_t id = trace.tokens[static_cast<size_t>(t + 1)].id;
    const double p = trace["probs"].at({0, t, id});
    EXPECT_EQ(reply.arrays.at("ids").at({t}), id);
    EXPECT_EQ(reply.arrays.at("probabilities").at({t}), p);
    EXPECT_NEAR(reply.arrays.at("losses").at({t}), -std::log(p), 1e-5);
    const auto best = static_cast<int64_t>(reply.arrays.at("likeliest").at({t}));
    EXPECT_EQ(reply.arrays.at("likeliest_probabilities").at({t}), trace["probs"].at({0, t, best}));
    EXPECT_GE(trace["probs"].at({0, t, best}), p);
    sum += reply.arrays.at("losses").at({t});
  }
  const Evaluation whole = builtin()->evaluate("Life is short, art is long");
  EXPECT_NEAR(reply.json["mean"].get<double>(), sum / static_cast<double>(count), 1e-12);
  EXPECT_NEAR(reply.json["mean"].get<double>(), whole.nats_per_token(), 1e-5);
}

TEST(Losses, OfAPartAreThatPart) {
  Asking asking;
  const Reply all = asking.told(R"({"ask":"losses"})"),
              one = asking.told(R"({"ask":"losses","from":1,"count":1})");
  ASSERT_EQ(one.arrays.at("losses").numbers.size(), 1u);
  EXPECT_EQ(one.arrays.at("losses").at({0}), all.arrays.at("losses").at({1}));
  EXPECT_EQ(one.json["mean"], one.arrays.at("losses").at({0}));
}

}  // namespace
}  // namespace limpid::explore
