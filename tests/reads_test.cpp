// What a reading says that it reads: with that alone observed, pages and figures are those of the whole
// trace.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "byte_gpt.h"
#include "limpid/draw.h"

namespace limpid {
namespace {

std::string text_of_length(int64_t length) {
  std::string text;
  for (int64_t i = 0; i < length; ++i) text += static_cast<char>('a' + (i * 7 + i / 5) % 26);
  return text;
}

using Reads = std::function<std::vector<Observation>(const Trace&)>;

Trace read_by(Model& model, const std::string& text, const Reads& reads) {
  TraceOptions options;
  options.reads = reads;
  return model.trace(text, options);
}

int64_t length_of(const Trace& trace) { return static_cast<int64_t>(trace.tokens.size()); }

TEST(Reads, APageOfWhatItReadsIsThatOfTheWholeTrace) {
  Model model = byte_model(byte_gpt(3));
  for (const int64_t length : {1, 2, 8, 23, 24, 25, 26, 40, 130})
    for (const int layer : {-1, 0, 2})
      for (const int rows : {2, 8, 30}) {
        const std::string text = text_of_length(length);
        PageOptions options;
        options.layer = layer;
        options.most_rows = rows;
        const Trace some =
            read_by(model, text, [&](const Trace& t) { return page_reads(*t.graph, length_of(t), options); });
        EXPECT_EQ(page(some, options), page(model.trace(text), options))
            << length << " " << layer << " " << rows;
      }
}

TEST(Reads, APageOfALongTextKeepsNothingThatGrowsWithItsSquare) {
  Model model = byte_model(byte_gpt(3));
  const PageOptions options;
  size_t bytes[2];
  for (const int64_t length : {400, 800}) {
    const Trace some = read_by(model, text_of_length(length),
                               [&](const Trace& t) { return page_reads(*t.graph, length_of(t), options); });
    size_t& sum = bytes[length == 800] = 0;
    for (const auto& [name, tensor] : some.values) sum += tensor.bytes();
  }
  EXPECT_LT(bytes[1], 2.1 * static_cast<double>(bytes[0]));
}

TEST(Reads, ATokensPageReadsItsOwnRow) {
  Model model = byte_model(byte_gpt(3));
  for (const int64_t length : {1, 5, 90})
    for (const int token : {0, static_cast<int>(length) - 1}) {
      const std::string text = text_of_length(length);
      const Trace some =
          read_by(model, text, [&](const Trace& t) { return token_page_reads(*t.graph, 1, {token}); });
      EXPECT_EQ(token_page(some, 1, 2, {token}, {}), token_page(model.trace(text), 1, 2, {token}, {}));
    }
}

// The bytes of the figure from what it reads, and from everything.
void expect_same_figure(const std::string& text, const Reads& reads,
                        const std::function<std::vector<Slide>(const Trace&)>& figure) {
  Model model = byte_model(byte_gpt(3));
  const Format& svg = format_named("svg");
  const std::vector<Slide> some = figure(read_by(model, text, reads)), all = figure(model.trace(text));
  ASSERT_EQ(some.size(), all.size());
  for (size_t i = 0; i < some.size(); ++i)
    EXPECT_EQ(paint(some[i].scene, svg), paint(all[i].scene, svg)) << "page " << i;
}

std::vector<Slide> one(Scene scene) {
  Slide slide;
  slide.scene = std::move(scene);
  return {std::move(slide)};
}

TEST(Reads, AFigureOfWhatItReadsIsThatOfTheWholeTrace) {
  FigureOptions o;
  o.layer = 1;
  o.head = 3;
  for (const int64_t length : {1, 4, 60}) {
    const std::string text = text_of_length(length);
    expect_same_figure(
        text, [&](const Trace& t) { return network_reads(*t.graph); },
        [&](const Trace& t) { return one(network_scene(t)); });
    expect_same_figure(
        text, [&](const Trace& t) { return network_reads(*t.graph); },
        [&](const Trace& t) { return one(attention_scene(t, 1)); });
    expect_same_figure(
        text, [&](const Trace& t) { return matrices_reads(*t.graph, length_of(t), o); },
        [&](const Trace& t) { return one(matrices_scene(t, o)); });
    expect_same_figure(
        text, [&](const Trace& t) { return heads_reads(*t.graph, length_of(t), o); },
        [&](const Trace& t) { return heads_pages(t, o); });
    expect_same_figure(
        text, [&](const Trace& t) { return head_reads(*t.graph, length_of(t), o); },
        [&](const Trace& t) { return one(head_scene(t, o)); });
    expect_same_figure(
        text, [&](const Trace& t) { return token_reads(*t.graph, length_of(t), o); },
        [&](const Trace& t) { return one(token_scene(t, o)); });
    expect_same_figure(
        text, [&](const Trace& t) { return lecture_reads(*t.graph, length_of(t), o); },
        [&](const Trace& t) { return lecture(t, o); });
  }
}

// Every number of a figure, written again from the trace that holds only what the figure reads.
void expect_numbers(const Scene& scene, const Trace& trace) {
  for (const SceneText& text : scene.texts)
    for (const Source& source : text.sources)
      EXPECT_NE(text.text.find(written(source, trace)), std::string::npos)
          << text.text << " " << to_string(source);
  for (const SceneLine& line : scene.lines)
    if (line.source) {
      EXPECT_NO_THROW(number_of(*line.source, trace)) << to_string(*line.source);
    }
}

TEST(Reads, EveryFigureOfALongTextIsDrawnFromWhatItReads) {
  Model model = byte_model(byte_gpt(3));
  FigureOptions o;
  o.layer = 2;
  const std::string text = text_of_length(700);
  const auto run = [&](const Reads& reads) { return read_by(model, text, reads); };
  const Trace token = run([&](const Trace& t) { return token_reads(*t.graph, length_of(t), o); });
  expect_numbers(token_scene(token, o), token);
  const Trace matrices = run([&](const Trace& t) { return matrices_reads(*t.graph, length_of(t), o); });
  expect_numbers(matrices_scene(matrices, o), matrices);
  const Trace head = run([&](const Trace& t) { return head_reads(*t.graph, length_of(t), o); });
  expect_numbers(head_scene(head, o), head);
  EXPECT_FALSE(head_scene(head, o).lines.empty());
  const Trace heads = run([&](const Trace& t) { return heads_reads(*t.graph, length_of(t), o); });
  for (const Slide& page : heads_pages(heads, o)) expect_numbers(page.scene, heads);
  const Trace deck = run([&](const Trace& t) { return lecture_reads(*t.graph, length_of(t), o); });
  for (const Slide& page : lecture(deck, o)) expect_numbers(page.scene, deck);
}

// ---- the engine's depths --------------------------------------------------------------------------------

TEST(Rows, HaveTheBitsOfTheWholeValue) {
  Model model = byte_model(byte_gpt(3));
  const std::string text = text_of_length(37);
  const Trace all = model.trace(text);
  const std::vector<int64_t> places = {0, 1, 2, 17, -2, -1, 99};  // what is not there is left out
  TraceOptions options;
  options.observe = {{"*", Depth::rows, 0, places}};
  const Trace some = model.trace(text, options);
  const std::vector<int64_t> expected = {0, 1, 2, 17, 35, 36};
  int checked = 0;
  for (const auto& [name, whole] : all.values) {
    int axis = whole.shape().find(Axis::T);
    if (axis < 0) axis = whole.shape().find(Axis::S);
    if (axis < 0) {
      EXPECT_TRUE(some.has(name)) << name;
      continue;
    }
    const Tensor& rows = some[name + "@rows"];
    const Tensor& index = some[name + "@rows.index"];
    ASSERT_EQ(std::vector<int64_t>(index.data<int64_t>(), index.data<int64_t>() + index.count()), expected)
        << name;
    for (size_t i = 0; i < expected.size(); ++i) {
      const Tensor a = Tensor::copy_of(whole.view().window(axis, expected[i], 1)),
                   b = Tensor::copy_of(rows.view().window(axis, static_cast<int64_t>(i), 1));
      ASSERT_EQ(a.bytes(), b.bytes()) << name;
      EXPECT_EQ(std::memcmp(a.raw(), b.raw(), a.bytes()), 0) << name << " row " << expected[i];
      ++checked;
    }
  }
  EXPECT_GT(checked, 100);
}

TEST(Rows, OfAnEditedGroupAreThoseOfTheEditedValue) {
  Model model = byte_model(byte_gpt(3));
  const std::string text = text_of_length(20);
  TraceOptions options;
  options.edits = {edit_of("blocks.0.attn.scores[H=1]=scale:0.5")};
  const Trace all = model.trace(text, options);
  options.observe = {{"blocks.0.attn.pattern", Depth::rows, 0, {19}}};
  const Trace some = model.trace(text, options);
  const Tensor& whole = all["blocks.0.attn.pattern"];
  for (int64_t h = 0; h < 4; ++h)
    for (int64_t s = 0; s < 20; ++s)
      EXPECT_EQ(some["blocks.0.attn.pattern@rows"].at({0, h, 0, s}), whole.at({0, h, 19, s}));
}

TEST(Rows, AreKeptInAFile) {
  Model model = byte_model(byte_gpt(3));
  TraceOptions options;
  options.observe = {{"blocks.1.attn.*", Depth::rows, 0, {3, -1}}, {"*resid_post", Depth::shape}};
  const Trace before = model.trace(text_of_length(30), options);
  const auto path = std::filesystem::temp_directory_path() / join("limpid-rows-", ::getpid(), ".safetensors");
  save(before, path.string());
  const Trace after = load_trace(path.string());
  std::filesystem::remove(path);
  for (const auto& [name, tensor] : before.values) {
    if (after.parameters.count(name)) continue;  // a parameter that was observed
    ASSERT_TRUE(after.values.count(name)) << name;
    EXPECT_EQ(after.values.at(name).shape().text(), tensor.shape().text()) << name;
    EXPECT_EQ(std::memcmp(after.values.at(name).raw(), tensor.raw(), tensor.bytes()), 0) << name;
  }
  EXPECT_EQ(after.observed, before.observed);
}

TEST(Shape, NeedsNoRun) {
  Model model = byte_model(byte_gpt(3));
  TraceOptions options;
  int steps = 0;
  options.progress = [&](double, const std::string&) { ++steps; };
  options.observe = {{"*", Depth::shape}};
  const Trace trace = model.trace(text_of_length(11), options);
  EXPECT_EQ(steps, 0);
  EXPECT_EQ(trace.summaries.at("blocks.0.attn.pattern").shape.text(), "[B=1,H=4,T=11,S=11]");
  EXPECT_EQ(trace.summaries.at("logits").count, 0);
}

TEST(Progress, RisesFromNothingToNearlyAll) {
  Model model = byte_model(byte_gpt(3));
  TraceOptions options;
  double last = -1;
  std::vector<std::string> names;
  options.progress = [&](double done, const std::string& next) {
    EXPECT_GE(done, last);
    EXPECT_LE(done, 1);
    last = done;
    names.push_back(next);
  };
  model.trace("abc", options);
  EXPECT_EQ(names.front(), "embed");
  EXPECT_EQ(names.back(), "probs");
}

TEST(Observation, OfRowsIsReadAndWritten) {
  const Observation o = observation_of("blocks.0.attn.q:rows:0..3,7,-2..-1");
  EXPECT_EQ(o.pattern, "blocks.0.attn.q");
  EXPECT_EQ(o.depth, Depth::rows);
  EXPECT_EQ(o.places, (std::vector<int64_t>{0, 1, 2, 3, 7, -2, -1}));
  EXPECT_EQ(to_text(o), "blocks.0.attn.q:rows:0..3,7,-2..-1");
  EXPECT_EQ(observation_of("x:shape").depth, Depth::shape);
  for (const char* wrong :
       {"x:rows:", "x:rows:3..1", "x:rows:-1..2", "x:rows:a", "x:rows:0..999999999999", "x:rows:1,"})
    EXPECT_THROW(observation_of(wrong), Error) << wrong;
}

}  // namespace
}  // namespace limpid
