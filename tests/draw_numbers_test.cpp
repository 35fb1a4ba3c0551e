// The figures of numbers over many runs: nothing overlaps, nothing is cut off, what is too much is thinned or
// paged and says so.
#include <gtest/gtest.h>

#include <cmath>
#include <ctime>

#include "draw_number_helpers.h"

namespace limpid {
namespace {

GptConfig small(int64_t layers, int64_t heads, int64_t width) {
  GptConfig c;
  c.layers = layers;
  c.heads = heads;
  c.width = width;
  return c;
}

bool says(const Scene& scene, const std::string& words) {
  for (const Labelled& each : all_texts(scene))
    if (each.text.text.find(words) != std::string::npos) return true;
  return false;
}

void expect_good(const Scene& scene, const std::string& which) {
  EXPECT_EQ(number_faults(scene), "") << which;
  EXPECT_GE(printed_size(scene), 7) << which << " is " << scene.width << " x " << scene.height;
  EXPECT_FALSE(scene.description.empty()) << which;
  EXPECT_FALSE(scene.steps.empty()) << which;
}

void expect_all_good(const Trace& trace, const FigureOptions& o, const std::string& which) {
  expect_good(matrices_scene(trace, o), which + ", matrices");
  expect_good(token_scene(trace, o), which + ", token");
  expect_good(head_scene(trace, o), which + ", head");
  for (const Slide& page : heads_pages(trace, o)) expect_good(page.scene, which + ", heads");
}

// ---- many runs -----------------------------------------------------------------------------------

TEST(DrawNumbersTest, SentencesFromOneTokenTo512) {
  for (int64_t length : {1, 2, 3, 5, 6, 7, 12, 13, 33, 100, 512})
    for (int64_t width : {4, 64}) {
      if (length > 100 && width > 4) continue;  // said once
      GptConfig c = small(2, 2, width);
      const Trace trace = run_of(c, length);
      FigureOptions o;
      o.layer = 1;
      o.head = 1;
      expect_all_good(trace, o, join(length, " tokens, width ", width));
      o.token = 0;
      expect_good(token_scene(trace, o), "the first token");
    }
}

TEST(DrawNumbersTest, NetworksFromOneLayerTo96AndOneHeadTo64) {
  const std::pair<int64_t, int64_t> sizes[] = {{1, 1}, {3, 25}, {12, 12}, {96, 1}, {1, 64}, {96, 64}};
  for (const auto& [layers, heads] : sizes) {
    const Trace trace = run_of(small(layers, heads, 2 * heads), 4, {{"blocks.*.attn.pattern", Depth::full}});
    const std::vector<Slide> pages = heads_pages(trace);
    std::set<std::string> seen;
    for (const Slide& page : pages) {
      expect_good(page.scene, join(layers, " layers, ", heads, " heads"));
      for (const SceneGrid& grid : page.scene.grids)
        if (!grid.source.stage.empty()) seen.insert(grid.name);  // the others are keys of colours
      if (pages.size() > 1) {
        EXPECT_TRUE(says(page.scene, join(" of ", pages.size())));
      }
    }
    EXPECT_EQ(seen.size(), static_cast<size_t>(layers * heads));
  }
}

TEST(DrawNumbersTest, EveryTextbook) {
  each_textbook(
      [](const TextbookConfig& c) { expect_all_good(textbook_run(c), {}, to_json(NetworkConfig(c))); });
}

TEST(DrawNumbersTest, HostileTokens) {
  const std::vector<std::string> hostile = {"<script>alert(\"x\")</script>",
                                            "a & b",
                                            "\xf0\x9f\x98\x80",
                                            "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d",
                                            "\xe4\xb8\xad\xe6\x96\x87",
                                            "e\xcc\x81\xcc\x82",
                                            "\xff\xfe",
                                            std::string(300, 'm'),
                                            std::string(300, 'i'),
                                            "\xe2\x80\xae"
                                            "abc",
                                            "\n",
                                            ""};
  for (int64_t length : {3, 12, 40}) {
    Trace trace = run_of(small(2, 2, 8), length);
    rename_tokens(trace, hostile);
    trace.text = "<&\"> \xf0\x9f\x98\x80";
    expect_all_good(trace, {}, join(length, " hostile tokens"));
    for (size_t i = 0; i < hostile.size(); ++i) {
      rename_tokens(trace, {hostile[i]});
      expect_all_good(trace, {}, join(length, " times hostile token ", i));
    }
  }
}

// ---- what they show ------------------------------------------------------------------------------

TEST(DrawNumbersTest, MatricesShowEveryPart) {
  const Scene scene = matrices_scene(textbook_run());
  for (const char* symbol : {"X", "W_Q", "Q", "K", "V", "K\xe1\xb5\x80", "scores", "weights", "output"})
    EXPECT_TRUE(says(scene, symbol)) << symbol;
  EXPECT_EQ(scene.grids.size(), 3 * 3 + 4 + 3u);  // every number fits: no keys of colours
  for (const SceneGrid& grid : scene.grids)
    EXPECT_EQ(grid.texts.size(), static_cast<size_t>(grid.rows * grid.columns)) << grid.name;
}

TEST(DrawNumbersTest, MaskedCellsAreEmpty) {
  TextbookConfig c = textbook();
  c.mask = Mask::causal;
  for (const SceneGrid& grid : matrices_scene(textbook_run(c)).grids)
    if (grid.source.stage.ends_with("pattern")) {
      EXPECT_EQ(grid.texts.size(), 6u);
      EXPECT_FALSE(grid.shade(0, 1));
      EXPECT_TRUE(grid.shade(1, 0));
    }
}

TEST(DrawNumbersTest, WhatIsTooLargeIsPooledAndSaysSo) {
  const Scene scene = matrices_scene(run_of(small(1, 1, 8), 200));
  EXPECT_TRUE(says(scene, "pooled"));
  bool pooled = false;
  for (const SceneGrid& grid : scene.grids) {
    pooled = pooled || grid.pooled();
    EXPECT_TRUE(grid.texts.empty() || !grid.pooled());
    EXPECT_LE(grid.rows * grid.columns, 2500);
  }
  EXPECT_TRUE(pooled);
}

TEST(DrawNumbersTest, PooledCellsAreMeansOfTheirWindows) {
  const Trace trace = run_of(small(1, 1, 8), 100);
  for (const SceneGrid& grid : matrices_scene(trace).grids) {
    if (!grid.pooled()) continue;
    for (int64_t i = 0; i < grid.rows * grid.columns; ++i) {
      const double expected = number_of(grid.source_of(i / grid.columns, i % grid.columns), trace),
                   found = grid.values[static_cast<size_t>(i)];
      if (std::isfinite(expected)) {
        ASSERT_NEAR(found, expected, 1e-12 + 1e-9 * std::fabs(expected)) << grid.name;
      }
    }
  }
}

TEST(DrawNumbersTest, AMapIsDrawnWhereTheWeightsWereNotKept) {
  Trace trace = run_of(small(1, 2, 8), 6);
  Tensor map(DType::f32, {{Axis::B, 1}, {Axis::H, 2}, {Axis::T, 3}, {Axis::S, 3}});
  for (int64_t h = 0; h < 2; ++h)
    for (int64_t t = 0; t < 3; ++t) map.set({0, h, t, t}, 0.25);
  trace.values.erase("blocks.0.attn.pattern");
  trace.values["blocks.0.attn.pattern@map"] = map;
  const std::vector<Slide> pages = heads_pages(trace);
  ASSERT_EQ(pages.size(), 1u);
  ASSERT_EQ(pages[0].scene.grids.size(), 3u);  // and the key of the colours
  EXPECT_EQ(pages[0].scene.grids[0].source.stage, "blocks.0.attn.pattern@map");
  EXPECT_EQ(pages[0].scene.grids[0].values[0], 0.25);
  expect_good(matrices_scene(trace), "a map");
  EXPECT_THROW(token_scene(trace), Error);
}

TEST(DrawNumbersTest, TokenSaysWhomItAttendsTo) {
  TextbookConfig c = textbook();
  const Scene scene = token_scene(textbook_run(c));
  EXPECT_TRUE(says(scene, "\"short\" attends to \"Life\" ("));
  EXPECT_EQ(scene.lines.size(), 6u);  // to three keys, and from three values
  c.mask = Mask::causal;
  FigureOptions first;
  first.token = 0;
  EXPECT_EQ(token_scene(textbook_run(c), first).lines.size(), 2u);  // the mask leaves it alone with itself
}

TEST(DrawNumbersTest, LinesAreThinnedAndSaySo) {
  const Scene scene = head_scene(run_of(small(1, 1, 8), 512));
  EXPECT_LE(scene.lines.size(), 2000u);
  EXPECT_TRUE(says(scene, "named"));
}

TEST(DrawNumbersTest, WhatIsNotThereIsAnError) {
  const Trace trace = run_of(small(2, 2, 8), 3);
  const auto at = [](int layer, int head, int token) {
    FigureOptions o;
    o.layer = layer;
    o.head = head;
    o.token = token;
    return o;
  };
  EXPECT_THROW(matrices_scene(trace, at(2, 0, -1)), Error);
  EXPECT_THROW(matrices_scene(trace, at(0, 2, -1)), Error);
  EXPECT_THROW(token_scene(trace, at(0, 0, 3)), Error);
  EXPECT_THROW(head_scene(trace, at(-1, 0, 0)), Error);
  Trace empty = trace;
  empty.values.clear();
  EXPECT_THROW(matrices_scene(empty), Error);
  EXPECT_THROW(token_scene(empty), Error);
  EXPECT_THROW(head_scene(empty), Error);
  EXPECT_THROW(heads_pages(empty), Error);
}

TEST(DrawNumbersTest, NumbersThatAreNotFiniteDoNoHarm) {
  for (double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    Trace trace = run_of(small(1, 2, 8), 5);
    for (auto& [name, tensor] : trace.values)
      if (name.find("attn") != std::string::npos && tensor.dtype() == DType::f32)
        for (int64_t i = 0; i < tensor.count(); i += 3) tensor.data<float>()[i] = static_cast<float>(bad);
    for (const Scene& scene : {matrices_scene(trace), token_scene(trace), head_scene(trace)})
      EXPECT_EQ(number_faults(scene), "") << bad;
    EXPECT_FALSE(heads_pages(trace).empty());
  }
}

// ---- training ------------------------------------------------------------------------------------

std::string log_of(int epochs) {
  std::string lines;
  for (int i = 1; i <= epochs; ++i)
    lines +=
        join("{\"epoch\":", i, ",\"step\":", 10 * i, ",\"loss\":", 3.0 / i, ",\"accuracy\":", 1 - 0.9 / i,
             ",\"validation\":", 3.2 / i + 0.01 * i, ",\"best\":true,\"observation\":\"",
             i % 3 ? "improving" : "flat", ": the validation loss fell by 0.123\"}\n");
  return lines;
}

// Laid out anew, not made small: the plots stand below one another, and what the run said goes on below.
TEST(DrawNumbersTest, TrainingRunsInAColumn) {
  for (double points : {180.0, 240.0, 500.0}) {
    Scene scene = training_scene(training_reports(log_of(30)), "A run", layout_width(points));
    expect_good(scene, join(points, " pt"));
    fit_width(scene, points);
    EXPECT_LE(scene.height, 700 / 0.75 + 1) << points;
    EXPECT_EQ(scene.width, points / 0.75);
    EXPECT_TRUE(says(scene, "validation loss: best"));
  }
}

TEST(DrawNumbersTest, MatricesInAColumn) {
  for (int64_t length : {3, 12, 40})
    for (double points : {240.0, 345.0, 500.0}) {
      SCOPED_TRACE(join(length, " tokens, ", points, " pt"));
      FigureOptions o;
      o.width = layout_width(points);
      Scene scene = matrices_scene(run_of(small(1, 2, 16), length), o);
      EXPECT_NO_THROW(fit_width(scene, points)) << scene.width << " wide of " << o.width;
      // A narrow column may need more than a page for text of 6 pt.
      if (points >= 500) {
        EXPECT_LE(scene.height, 700 / 0.75 + 1);
      }
    }
}

// A word stands upright where it is wider than its column.
TEST(DrawNumbersTest, NoLabelOfAMapIsCutForItsNeighbour) {
  Trace trace = run_of(small(1, 2, 16), 4);
  const std::vector<std::string> words = {"sch\xc3\xb6nes", "Wetter", "tomorrow", "a"};
  rename_tokens(trace, words);
  const Scene scene = head_scene(trace);
  for (const std::string& word : words) {
    int columns = 0;
    for (const SceneText& text : scene.texts) columns += text.upright && text.text == word;
    EXPECT_EQ(columns, 1) << word;
  }
}

TEST(DrawNumbersTest, TrainingRuns) {
  for (int epochs : {1, 2, 3, 10, 100, 1000}) {
    const Scene scene = training_scene(training_reports(log_of(epochs)), "A run");
    expect_good(scene, join(epochs, " reports"));
    EXPECT_TRUE(says(scene, "validation loss: best"));
  }
  expect_good(training_scene(training_reports("{\"loss\":1e9}\n\n{\"loss\":null}\n{\"loss\":2}\n")),
              "odd numbers");
  EXPECT_THROW(training_reports(""), Error);
  EXPECT_THROW(training_reports("{\"loss\":1}\nnonsense\n"), Error);
}

// ---- time ----------------------------------------------------------------------------------------

TEST(DrawNumbersTest, AFigureOfGpt2TakesLessThanASecond) {
  // 12 layers, 12 heads, 64 tokens; narrow, for the width is not drawn.
  const Trace trace = run_of(small(12, 12, 48), 64);
  const std::clock_t start = std::clock();  // of this process: others may keep the machine busy
  const std::string heads = to_svg(heads_pages(trace)[0].scene);
  const double all = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  EXPECT_LT(all, 1.0);
  EXPECT_LT(heads.size(), 4u << 20);
  RecordProperty("heads", std::to_string(all));
}

}  // namespace
}  // namespace limpid
