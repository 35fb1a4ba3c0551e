// Law 1 for pictures: every number that an SVG shows is written again from exactly the cell it names.
#include <gtest/gtest.h>

#include "draw_source_helpers.h"

namespace limpid {
namespace {

std::vector<Scene> figures(const Trace& trace) {
  std::vector<Scene> out = {matrices_scene(trace), token_scene(trace), head_scene(trace)};
  for (const Slide& page : lecture(trace)) out.push_back(page.scene);
  return out;
}

// The same trace with its numbers in another order.
Trace shuffled(Trace trace) {
  for (auto* map : {&trace.values, &trace.parameters})
    for (auto& [name, tensor] : *map) {
      if (tensor.dtype() == DType::f64)
        std::reverse(tensor.data<double>(), tensor.data<double>() + tensor.count());
      if (tensor.dtype() == DType::f32)
        std::reverse(tensor.data<float>(), tensor.data<float>() + tensor.count());
    }
  return trace;
}

TEST(DrawSourcesTest, EveryNumberIsThatOfItsCell) {
  GptConfig c;
  c.layers = 2;
  c.heads = 2;
  c.width = 8;
  TextbookConfig causal = textbook();
  causal.mask = Mask::causal;
  causal.add_norm = true;
  causal.heads = 2;
  const std::vector<Trace> traces = {textbook_run(), textbook_run(causal), run_of(c, 4), run_of(c, 40)};
  for (const Trace& trace : traces) {
    int with_numbers = 0;
    for (const Scene& scene : figures(trace)) {
      const std::string svg = to_svg(scene);
      if (svg.find("data-source") == svg.npos) continue;
      ++with_numbers;
      // Lines and bars have sources too, but say nothing; a figure without a written number is fine.
      if (svg.find("data-kind=\"number\"") == svg.npos) continue;
      EXPECT_EQ(told_all(lies(svg, trace)), "") << scene.title;
    }
    EXPECT_GE(with_numbers, 3);
  }
}

TEST(DrawSourcesTest, AnotherTracesNumbersAreFound) {
  const Trace trace = textbook_run(), other = shuffled(trace);
  for (const Scene& scene : {matrices_scene(trace), token_scene(trace)})
    EXPECT_GT(lies(to_svg(scene), other).size(), 10u) << scene.title;
}

// What has no source is of a kind that says so: whatever looks like a number elsewhere is found.
TEST(DrawSourcesTest, NothingElseHasANumberWithAPoint) {
  const Trace trace = textbook_run();
  for (const Scene& scene : figures(trace))
    for (const std::string& lie : lies(to_svg(scene), trace))
      EXPECT_EQ(lie.find("with a number"), lie.npos) << lie << " in " << scene.title;
}

TEST(DrawSourcesTest, CellsOfGridsNameTheirNumbers) {
  const Trace trace = textbook_run();
  for (const SceneGrid& grid : matrices_scene(trace).grids)
    for (int64_t i = 0; i < grid.rows * grid.columns; ++i)
      EXPECT_EQ(number_of(grid.source_of(i / grid.columns, i % grid.columns), trace),
                grid.values[static_cast<size_t>(i)])
          << grid.name;
}

TEST(DrawSourcesTest, LinesAndBarsNameWhatTheyShow) {
  const Trace trace = textbook_run();
  const Scene scene = token_scene(trace);
  for (const SceneLine& line : scene.lines) {
    ASSERT_TRUE(line.source);
    EXPECT_NEAR(line.width, 0.8 + 6 * number_of(*line.source, trace), 1e-9);
  }
  ASSERT_EQ(scene.bars.size(), 3u);
  for (const SceneBar& bar : scene.bars)
    EXPECT_NEAR(bar.rect.width / 70, number_of(*bar.source, trace), 1e-9);
}

}  // namespace
}  // namespace limpid
