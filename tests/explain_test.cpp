// The arithmetic behind a number: of every stage it combines to what the run holds, and says what is true of
// it.
#include "limpid/explain.h"

#include <gtest/gtest.h>

#include <unistd.h>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <sstream>

#include "byte_gpt.h"

namespace limpid {
namespace {

using Json = nlohmann::json;

Trace gpt(const GptConfig& config, const TraceOptions& options) {
  return byte_model(config).trace("Life is short", options);
}

// How large the numbers are that add up: rounding is a share of this, not of a sum that cancels.
double magnitude(const Expr& e) {
  double out = 0;
  switch (e.kind()) {
    case Expr::Kind::constant:
    case Expr::Kind::cell:
      return std::fabs(e.value());
    case Expr::Kind::sum:
      for (const Expr& part : e.parts()) out += magnitude(part);
      return out;
    case Expr::Kind::product:
      out = 1;
      for (const Expr& part : e.parts()) out *= magnitude(part);
      return out;
    case Expr::Kind::quotient:
      return magnitude(e.parts()[0]) / std::fabs(e.parts()[1].value());
    case Expr::Kind::function:
      if (!std::isfinite(e.parts()[0].value())) return std::fabs(e.value());  // exp of a masked score
      for (const Expr& part : e.parts()) out += magnitude(part);
      return e.function() == Expr::Function::exp ? std::fabs(e.value()) * (1 + out) : 1 + out;
  }
  return out;
}

// Two drawn cells of every value that the trace holds.
void expect_every_stage_explained(const Trace& trace, double tolerance, size_t at_least) {
  std::mt19937_64 random(11);
  std::set<std::string> kinds;
  size_t explained = 0;
  for (const Value& value : trace.graph->values()) {
    if (value.stage < 0) continue;
    ASSERT_TRUE(trace.has(value.name)) << value.name;
    const Tensor& whole = trace[value.name];
    double largest = 0;  // what cancels by the row's own arithmetic may be left over by the fused kernel's
    for (int64_t i = 0; i < whole.count(); ++i)
      if (const double x = whole.view().reshaped(Shape::unnamed({whole.count()})).at({i}); std::isfinite(x))
        largest = std::max(largest, std::fabs(x));
    for (int draw = 0; draw < 2 && whole.count() > 0; ++draw) {
      CellName cell{value.name, {}};
      Index index;
      for (const Dim& dim : whole.shape()) {
        index.push_back(std::uniform_int_distribution<int64_t>(0, dim.size - 1)(random));
        cell.places.push_back({Axis::none, index.back()});
      }
      const Explanation why = explain(trace, cell).front();
      EXPECT_EQ(why.index, index);
      if (is_floating(whole.dtype())) {
        EXPECT_EQ(why.value, whole.at(index));
      }
      const double given = why.arithmetic.value();
      if (std::isinf(why.value))
        EXPECT_EQ(given, why.value) << value.name;
      else
        EXPECT_NEAR(given, why.value, tolerance * (magnitude(why.arithmetic) + largest)) << value.name;
      const std::string text = page(trace, {why}, {});
      EXPECT_NE(text.find(why.equation.substr(0, 10)), text.npos) << text;
      EXPECT_EQ(text.find("Edited"), text.npos);
      explained += draw == 0;
    }
    kinds.insert(trace.graph->stage(value.stage).operation->kind());
  }
  EXPECT_GE(explained, at_least);
  EXPECT_GE(kinds.size(), 10u);
}

TEST(Explain, EveryStageOfAGptWithGradientsCombinesToWhatTheRunHolds) {
  GptConfig learned = byte_gpt(2);
  learned.positions = Positions::learned;
  learned.norm = Norm::rms;
  learned.activation = Activation::swiglu;
  learned.bias = false;
  for (const GptConfig& config : {byte_gpt(2), learned})
    expect_every_stage_explained(gpt(config, {.parameters = true, .gradients = true}), 3e-6, 100);
}

TEST(Explain, EveryStageOfTheTextbookWithGradientsCombinesInDouble) {
  TextbookConfig plain, whole;
  whole.heads = 2, whole.add_norm = true, whole.mask = Mask::causal, whole.positions = Positions::sinusoidal;
  for (const TextbookConfig& config : {plain, whole})
    expect_every_stage_explained(Model::textbook_walk("to be or not to be", config, 7)
                                     .trace("to be or not to be", {.parameters = true, .gradients = true}),
                                 1e-14, 30);
}

TEST(Explain, RowsThatStreamedAreRebuilt) {
  Model model = byte_model(byte_gpt(2));
  const Trace whole = model.trace("Life is short", TraceOptions{});
  TraceOptions options;
  for (const std::string& name : values_explaining(model.graph(), "blocks.1.attn.pattern", 2, true)) {
    EXPECT_TRUE(model.graph().value(model.graph().require(name)).shape.find(Axis::S) < 0 ||
                model.graph().value(model.graph().require(name)).shape.find(Axis::T) < 0)
        << name;
    options.observe.push_back({name, Depth::full});
  }
  const Trace streamed = model.trace("Life is short", options);
  ASSERT_FALSE(streamed.has("blocks.1.attn.pattern"));
  for (const char* stage : {"pattern", "scores", "scaled_scores", "raw_scores"})
    for (int64_t t = 0; t < 13; ++t)
      for (int64_t s = 0; s < 13; ++s) {
        const CellName cell{join("blocks.1.attn.", stage), {{Axis::H, 3}, {Axis::T, t}, {Axis::S, s}}};
        const Explanation rebuilt = explain(streamed, cell).front(), kept = explain(whole, cell).front();
        ASSERT_EQ(rebuilt.value, kept.value)
            << stage << " " << t << " " << s;  // the same bits in every window
        ASSERT_EQ(rebuilt.arithmetic.value(), kept.arithmetic.value());
        ASSERT_TRUE(rebuilt.rebuilt);
        ASSERT_FALSE(kept.rebuilt);
      }
}

TEST(Explain, AStoredTraceExplainsWhatItHolds) {
  const std::string path = testing::TempDir() + join("explain_", getpid(), ".safetensors");
  const Trace trace = gpt(byte_gpt(2), {.parameters = true});
  save(trace, path);
  const Trace again = load_trace(path);
  std::filesystem::remove(path);
  for (const char* cell : {"blocks.0.attn.q[0,3,2,1]", "probs[3,7]", "blocks.1.ln2.normalized[T=-1,C=-1]"})
    EXPECT_EQ(to_json(again, explain(again, cell, 3)), to_json(trace, explain(trace, cell, 3)));
  const Trace bare = gpt(byte_gpt(2), {});
  EXPECT_NO_THROW(explain(bare, "blocks.0.attn.pattern[0,0,1,1]"));
  try {
    explain(bare, "blocks.0.attn.q[0,3,2,1]");
    FAIL() << "the parameters are missing";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("--params"), std::string::npos) << error.what();
  }
}

TEST(Explain, AnEditedNumberSaysSoAndNoEqualsSignIsDrawn) {
  const Trace trace =
      gpt(byte_gpt(2),
          {.edits = {edit_of("blocks.0.attn.z[H=2]=zero"), edit_of("blocks.1.attn.pattern=cut:3>1")}});
  const std::vector<Explanation> zero = explain(trace, "blocks.0.attn.z[T=3,H=2,D=1]");
  EXPECT_EQ(zero[0].edited, "blocks.0.attn.z[H=2]=zero");
  EXPECT_EQ(zero[0].value, 0);
  EXPECT_NE(zero[0].arithmetic.value(), 0);
  const std::string text = page(trace, zero, {});
  EXPECT_NE(text.find("Edited: blocks.0.attn.z[H=2]=zero"), std::string::npos) << text;
  EXPECT_EQ(text.find("D=1] = pattern"), std::string::npos) << text;
  EXPECT_EQ(explain(trace, "blocks.0.attn.z[T=3,H=1,D=1]")[0].edited, "");
  // Cutting an edge of the pattern changes its score; what reads the score says so.
  EXPECT_EQ(explain(trace, "blocks.1.attn.scores[H=0,T=3,S=1]")[0].edited, "blocks.1.attn.pattern=cut:3>1");
  EXPECT_EQ(explain(trace, "blocks.1.attn.scores[H=0,T=3,S=0]")[0].edited, "");
  const Explanation weight = explain(trace, "blocks.1.attn.pattern[H=0,T=3,S=0]")[0];
  EXPECT_EQ(weight.edited, "");
  ASSERT_EQ(weight.edited_inputs.size(), 1u);
  EXPECT_NEAR(weight.arithmetic.value(), weight.value, 1e-6);
}

// The count and the sum of what is left out are printed, so that all adds up.
TEST(Explain, ALongSumShowsItsLargestTermsAndAddsUpTheRest) {
  const Trace trace = gpt(byte_gpt(2), {.parameters = true});
  const std::vector<Explanation> why = explain(trace, "blocks.0.attn.q[0,3,2,1]");
  const std::string text = page(trace, why, {.columns = 120, .decimals = 6, .most_rows = 5});
  EXPECT_NE(text.find("sum 1: 33 terms, the 5 largest by magnitude"), std::string::npos) << text;
  EXPECT_NE(text.find("28 more terms, added up"), std::string::npos) << text;
  std::istringstream lines(text.substr(text.find("sum 1: ")));
  std::string line;
  std::getline(lines, line);
  std::vector<double> values;
  while (std::getline(lines, line) && !line.empty())
    values.push_back(std::stod(line.substr(line.rfind(' '))));
  ASSERT_EQ(values.size(), 7u) << text;
  double sum = 0;
  for (size_t i = 0; i < 6; ++i) sum += values[i];
  EXPECT_NEAR(sum, values[6], 1e-5) << text;
  for (size_t i = 1; i < 5; ++i) EXPECT_GE(std::fabs(values[i - 1]), std::fabs(values[i]));
  const Json all = Json::parse(to_json(trace, why));
  EXPECT_EQ(all[0]["arithmetic"]["of"].size(), 33u);
  EXPECT_EQ(all[0]["name"], "blocks.0.attn.q");
  EXPECT_NEAR(all[0]["combined"].get<double>(), all[0]["value"].get<double>(), 1e-6);
}

TEST(Explain, CellsAreNamedByOrderLettersAliasesAndFromTheEnd) {
  const Trace trace = gpt(byte_gpt(2), {});
  const double value = explain(trace, "blocks.1.attn.pattern[0,2,12,4]")[0].value;
  for (const char* cell : {"blocks.1.attn.pattern[2,12,4]", "blocks.1.attn.pattern[H=2,T=12,S=4]",
                           "blocks.1.attn.pattern[S=4, T=12, H=2]", "blocks.1.attn.hook_pattern[0,2,-1,4]",
                           "(\"pattern\", 1)[0,2,12,4]", "blocks.1.attn.pattern[B=0,H=-2,T=-1,S=4]"})
    EXPECT_EQ(explain(trace, cell)[0].value, value) << cell;
  const auto refused = [&](const std::string& cell, const std::string& expected) {
    try {
      explain(trace, cell);
      ADD_FAILURE() << cell;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Error::Kind::call);
      EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << cell << ": " << error.what();
    }
  };
  refused("blocks.1.attn.pattern[0,4,12,4]",
          "H=4 is outside, expected 0 to 3: blocks.1.attn.pattern is [B=1,H=4,T=13,S=13]");
  refused("blocks.1.attn.pattern[0,-5,12,4]", "H=-5 is outside");
  refused("blocks.1.attn.pattern[C=1]",
          "there is no axis C here: blocks.1.attn.pattern is [B=1,H=4,T=13,S=13]");
  refused("blocks.1.attn.pattern[1,2]", "[B=1,H=4,T=13,S=13]");
  refused("blocks.1.attn.pattern[H=1,H=2]", "given twice");
  refused("blocks.1.attn.pattern", "which cell?");
  refused("blocks.1.attn.pattern[9]", "1 of 4 places");
  refused("blocks.1.attn.pattern[0,0,0,0,0]", "5 places given");
  refused("blocks.1.attn.pattern[0,x,0,0]", "'x' is not a whole number");
  refused("blocks.1.attn.pattern[0,99999999999999999999,0,0]", "is not a whole number");
  refused("blocks.1.attn.pattern[0,1,2,3", "expected NAME[PLACES]");
  refused("blocks.1.attn.patern[0,1,2,3]", "near it are");
  refused("[0]", "no name");
}

TEST(Explain, DepthFollowsTheLargestNumber) {
  const Trace trace = gpt(byte_gpt(2), {.parameters = true});
  const std::vector<Explanation> chain = explain(trace, "blocks.0.attn.scaled_scores[H=1,T=5,S=2]", 3);
  ASSERT_EQ(chain.size(), 3u);
  EXPECT_EQ(chain[1].name, "blocks.0.attn.raw_scores");
  EXPECT_EQ(chain[1].index, (Index{0, 1, 5, 2}));
  EXPECT_TRUE(chain[2].name == "blocks.0.attn.rot_q" || chain[2].name == "blocks.0.attn.rot_k")
      << chain[2].name;
  EXPECT_EQ(explain(trace, "embed[0,3]", 9).size(), 1u);  // nothing computed lies before it
}

}  // namespace
}  // namespace limpid
