// Law 1 for pictures: every number that an SVG shows is written again from exactly the cell it names.
#include <gtest/gtest.h>

#include <cctype>
#include <regex>

#include "draw_number_helpers.h"

namespace limpid {
namespace {

struct Label {
  std::string kind, source, text;
};

std::string unescaped(std::string text) {
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>{"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&amp;", "&"}})
    for (size_t at = text.find(from); at != text.npos; at = text.find(from, at + 1))
      text.replace(at, from.size(), to);
  return text;
}

std::string attribute_of(const std::string& tag, const std::string& name) {
  const size_t at = tag.find(" " + name + "=\"");
  if (at == tag.npos) return "";
  const size_t begin = at + name.size() + 3;
  return unescaped(tag.substr(begin, tag.find('"', begin) - begin));
}

std::vector<Label> labels_of(const std::string& svg) {
  std::vector<Label> out;
  for (size_t at = svg.find("<text "); at != svg.npos; at = svg.find("<text ", at + 1)) {
    const size_t close = svg.find('>', at), end = svg.find("</text>", close);
    const std::string tag = svg.substr(at, close - at);
    static const std::regex piece("</?tspan[^>]*>");  // of a typeset text
    out.push_back({attribute_of(tag, "data-kind"), attribute_of(tag, "data-source"),
                   unescaped(std::regex_replace(svg.substr(close + 1, end - close - 1), piece, ""))});
  }
  return out;
}

std::vector<Source> sources_of(const std::string& list) {
  std::vector<Source> out;
  for (size_t at = 0; at < list.size();) {
    const size_t end = std::min(list.find("; ", at), list.size());
    out.push_back(source_from(list.substr(at, end - at)));
    at = end + 2;
  }
  return out;
}

// What is wrong with the numbers of a picture: a label whose numbers are not, in order, those of its sources;
// a number with a point that names no source.
std::vector<std::string> lies(const std::string& svg, const Trace& trace) {
  static const std::set<std::string> declared = {"shape", "count", "index", "tick", "token", "equation"};
  std::vector<std::string> out;
  int checked = 0;
  for (const Label& label : labels_of(svg)) {
    if (label.kind.empty()) out.push_back("'" + label.text + "' is of no kind");
    size_t at = 0;
    for (const Source& source : sources_of(label.source)) {
      const std::string number = written(source, trace);
      const size_t found = label.text.find(number, at);
      // The whole of a number, not the end or beginning of a longer one.
      const auto part = [&](size_t i) {
        return i < label.text.size() &&
               (std::isdigit(static_cast<unsigned char>(label.text[i])) || label.text[i] == '.');
      };
      if (found == label.text.npos || (found > 0 && part(found - 1)) ||
          (part(found + number.size()) && label.text[found + number.size()] != '.'))
        out.push_back("'" + label.text + "' does not show " + number + ", " + to_string(source));
      else
        at = found + number.size();
      ++checked;
    }
    if (label.kind == "number" && label.source.empty()) out.push_back("'" + label.text + "' names no source");
    static const std::regex decimal("[0-9]\\.[0-9]");
    if (label.source.empty() && declared.count(label.kind) == 0 && std::regex_search(label.text, decimal))
      out.push_back("'" + label.text + "' is a " + label.kind + " with a number");
  }
  if (checked == 0) out.push_back("nothing was checked");
  return out;
}

std::string told_all(const std::vector<std::string>& all) {
  std::string out;
  for (const std::string& one : all) out += one + "\n";
  return out;
}

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
