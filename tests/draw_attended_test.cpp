// The figures of what a prediction looks at, and of what a classifier gets wrong: every number from its cell,
// nothing over anything else, and by hand what they say.
#include <gtest/gtest.h>

#include "draw_source_helpers.h"
#include "limpid/rollout.h"

namespace limpid {
namespace {

// Two layers over what `inputs` reads, and a head.
Model model_of(const std::string& inputs, const std::string& head, int heads,
               const std::string& mask = "none") {
  return Model::fresh(network_from_json(join(R"({"network":"parts",)", inputs,
                                             R"(,"stack":{"layers":2,"blocks":[{"attention":{"heads":)",
                                             heads, R"(,"width":4,"out_width":8,"mask":")", mask,
                                             R"("},"feed_forward":{"width":8}}]},"head":)", head, "}")),
                      inputs.find("vocabulary") == inputs.npos ? nullptr : byte_tokenizer(), 3);
}

constexpr const char* k_texts =
    R"("inputs":{"vocabulary":256,"width":8,"positions":"learned","context":1024})";
constexpr const char* k_next = R"({"kind":"next_word"})";

std::string classes(const std::string& pool) {
  return R"({"kind":"classes","outputs":3,"pool":")" + pool + R"("})";
}

// Weights in place of those that an untrained network has, which are all alike.
void sharpen(Trace& trace, const std::string& ending) {
  for (auto& [name, tensor] : trace.values) {
    if (!name.ends_with(ending)) continue;
    float* at = tensor.data<float>();
    const int64_t keys = tensor.shape()[3].size;
    for (int64_t row = 0; row < tensor.count() / keys; ++row) {
      double sum = 0;
      for (int64_t s = 0; s < keys; ++s) sum += at[row * keys + s] > 0 ? 1 + (row * 5 + s * 3) % 7 : 0;
      for (int64_t s = 0; s < keys; ++s)
        if (at[row * keys + s] > 0)
          at[row * keys + s] = static_cast<float>((1 + (row * 5 + s * 3) % 7) / sum);
    }
  }
}

void expect_good(const Scene& scene, const Trace& trace) {
  EXPECT_EQ(number_faults(scene), "") << scene.title;
  EXPECT_EQ(told_all(lies(to_svg(scene), trace)), "") << scene.title;
  EXPECT_FALSE(scene.description.empty());
  for (const Format& format : formats())
    EXPECT_TRUE(format.graph || !paint(scene, format).empty()) << format.ending;
}

// ---- alignment -----------------------------------------------------------------------------------

Trace translated(const std::string& source, const std::string& target, int heads = 2) {
  const std::string block =
      join(R"({"attention":{"heads":)", heads, R"(,"width":4,"out_width":8},"feed_forward":{"width":8}})");
  const std::string json = join(
      R"({"network":"parts","inputs":{"vocabulary":256,"width":8,"positions":"learned","context":512},
          "encoder":{"inputs":{"vocabulary":256,"width":8,"positions":"learned","context":512},
                     "stack":{"layers":1,"blocks":[)",
      block, R"(]}},"stack":{"layers":2,"blocks":[{"attention":{"heads":)", heads,
      R"(,"width":4,"out_width":8,"mask":"causal"},"cross":{"heads":)", heads,
      R"(,"width":4,"out_width":8},"feed_forward":{"width":8}}]},"head":{"kind":"next_word"}})");
  const std::shared_ptr<const Tokenizer> tokenizer = byte_tokenizer();
  const Model model = Model::fresh(network_from_json(json), tokenizer, 3);
  TraceOptions options;
  options.target = {0};
  const std::vector<int64_t> written = tokenizer->encode(target);
  options.target->insert(options.target->end(), written.begin(), written.end());
  Trace trace = model.trace(source, options);
  sharpen(trace, ".cross_attn.pattern");
  return trace;
}

// The weights from what chose the bytes [t, t_end) of the text to the bytes [s, s_end) of the source, by
// hand.
double by_hand(const Tensor& pattern, int64_t head, std::pair<int64_t, int64_t> t,
               std::pair<int64_t, int64_t> s) {
  double sum = 0;
  for (int64_t i = t.first; i < t.second; ++i)
    for (int64_t j = s.first; j < s.second; ++j) sum += pattern.at({0, head, i, j});
  return sum / static_cast<double>(t.second - t.first);
}

TEST(Alignment, AddsPiecesThatAreLookedAtAndAveragesThoseThatLook) {
  const Trace trace = translated("ein Hund rennt.", "a dog runs");
  const Scene scene = alignment_scene(trace);
  expect_good(scene, trace);
  ASSERT_FALSE(scene.grids.empty());
  const SceneGrid& grid = scene.grids[0];
  const Tensor& pattern = trace["blocks.1.cross_attn.pattern"];
  // A blank belongs to the word behind it.  A byte of the text was chosen by the row before it: the start's
  // is row 0.
  const std::pair<int64_t, int64_t> texts[] = {{0, 1}, {1, 5}, {5, 10}},
                                    sources[] = {{0, 3}, {3, 8}, {8, 14}, {14, 15}};
  ASSERT_EQ(std::pair(grid.rows, grid.columns), std::pair(int64_t{3}, int64_t{4}));
  for (int64_t t = 0; t < 3; ++t)
    for (int64_t s = 0; s < 4; ++s) {
      const double mean =
          (by_hand(pattern, 0, texts[t], sources[s]) + by_hand(pattern, 1, texts[t], sources[s])) / 2;
      EXPECT_NEAR(grid.values[static_cast<size_t>(t * 4 + s)], mean, 1e-12) << t << " " << s;
      EXPECT_NEAR(number_of(grid.source_of(t, s), trace), mean, 1e-12) << t << " " << s;
    }
  const Scene one = alignment_scene(trace, {.layer = 0, .head = 1});
  EXPECT_NEAR(one.grids[0].values[0], by_hand(trace["blocks.0.cross_attn.pattern"], 1, {0, 1}, {0, 3}),
              1e-12);
}

TEST(Alignment, MarksTheStrongestWordAndMosesHasItToo) {
  Trace trace = translated("ein Hund", "a dog");
  Tensor& pattern = trace.values.at("blocks.1.cross_attn.pattern");  // 5 rows behind the start's, 8 bytes
  std::fill_n(pattern.data<float>(), pattern.count(), 0.01F);
  for (int64_t h = 0; h < 2; ++h) {
    pattern.set({0, h, 0, 1}, 0.9);                                     // "a" -> "ein"
    for (int64_t row : {1, 2, 3, 4}) pattern.set({0, h, row, 6}, 0.9);  // " dog" -> " Hund"
  }
  EXPECT_EQ(moses_alignment(trace), "0-0 1-1\n");
  const Scene scene = alignment_scene(trace);
  ASSERT_EQ(scene.lines.size(), 2u);
  const Rect dog = scene.grids[0].cell(1, 1);
  EXPECT_TRUE(dog.holds({scene.lines[1].points[0].x, scene.lines[1].points[0].y, 0, 0}));
  EXPECT_NE(scene.description.find("\"dog\" looked most at \"Hund\" (0.94)"), std::string::npos)
      << scene.description;  // 0.9 + 4 * 0.01
}

TEST(Alignment, OfLongTextsAndManyHeadsStaysReadable) {
  std::string source, target;
  for (int i = 0; i < 20; ++i)
    source += join(i ? " " : "", "Wort", i), target += join(i ? " " : "", "word", i);
  source += " Donaudampfschifffahrtsgesellschaftskapit\xc3\xa4nsm\xc3\xbctzenabzeichen";
  const Trace trace = translated(source, target, 8);
  const Scene scene = alignment_scene(trace);
  expect_good(scene, trace);
  EXPECT_TRUE(scene.grids[0].texts.empty());  // too many for numbers: a scale says what the colours are
  EXPECT_GE(scene.grids.size(), 2u);
  EXPECT_LE(scene.width, 1300);
}

TEST(Alignment, IsRefusedWhereThereIsNone) {
  EXPECT_THROW(alignment_scene(textbook_run()), Error);
  const Trace trace = translated("a", "b");
  EXPECT_THROW(alignment_scene(trace, {.layer = 2}), Error);
  EXPECT_THROW(alignment_scene(trace, {.head = 2}), Error);
  EXPECT_THROW(alignment_scene(translated("a", "")), Error);  // nothing was written
}

// ---- text ----------------------------------------------------------------------------------------

Trace read_text(const Model& model, const std::string& text, const LookOptions& o = {}) {
  TraceOptions options;
  options.reads = [&](const Trace& begun) {
    return attended_reads(*begun.graph, static_cast<int64_t>(begun.tokens.size()), o);
  };
  Trace trace = model.trace(text, options);
  sharpen(trace, ".attn.pattern");
  return o.layer < 0 ? with_rollout(trace) : trace;
}

TEST(AttentionOnText, ShadesWordsByTheMeanOverAllQueriesWhereTheMeanIsRead) {
  const Trace trace = read_text(model_of(k_texts, classes("mean"), 2), "to win");
  const Scene scene = attention_on_text_scene(trace);
  expect_good(scene, trace);
  const Tensor& rollout = trace["rollout"];
  double sum = 0;
  for (int64_t t = 0; t < 6; ++t)
    for (int64_t s = 2; s < 6; ++s) sum += rollout.at({0, t, s});  // " win"
  EXPECT_NEAR(scene.grids[1].values[0], sum / 6, 1e-12);
  EXPECT_EQ(scene.bars.size(), 3u);  // of three classes
  double all = 0;
  for (size_t i = 0; i < 2; ++i) all += scene.grids[i].values[0];
  EXPECT_NEAR(all, 1, 1e-9);
}

TEST(AttentionOnText, TakesTheRowThatIsPooledAndOfADecoderTheLast) {
  const LookOptions look = {.layer = 1, .head = 1};
  const Trace first = read_text(model_of(k_texts, classes("first"), 2), "to win", look);
  EXPECT_NEAR(
      attention_on_text_scene(first, look).grids[0].values[0],
      first["blocks.1.attn.pattern"].at({0, 1, 0, 0}) + first["blocks.1.attn.pattern"].at({0, 1, 0, 1}),
      1e-7);
  const Trace last = read_text(model_of(k_texts, k_next, 2, "causal"), "to win", look);
  const Scene scene = attention_on_text_scene(last, look);
  expect_good(scene, last);
  EXPECT_NEAR(scene.grids[0].values[0],
              last["blocks.1.attn.pattern"].at({0, 1, 5, 0}) + last["blocks.1.attn.pattern"].at({0, 1, 5, 1}),
              1e-7);
  EXPECT_EQ(scene.lines.size(), 1u);  // the frame of the word that predicts
  EXPECT_NE(scene.description.find("What comes next"), std::string::npos);
}

TEST(AttentionOnText, OfManyWordsAndHeadsStaysReadable) {
  std::string text = "Donaudampfschifffahrtsgesellschaftskapitaensmuetzenabzeichenfabrik";
  for (int i = 0; i < 40; ++i) text += join(" word", i % 7);
  for (const auto& [heads, width] : {std::pair(1, 1240.0), {8, 1240.0}, {8, 480.0}}) {
    const Trace trace = read_text(model_of(k_texts, k_next, heads, "causal"), text);
    expect_good(attention_on_text_scene(trace, {.width = width}), trace);
  }
}

TEST(AttentionOnText, SaysThatARunWasEdited) {
  const Model model = model_of(k_texts, classes("mean"), 2);
  TraceOptions options;
  options.edits = {edit_of("blocks.1.attn.pattern[H=0]=zero", nullptr)};
  const Trace trace = with_rollout(model.trace("to win", options));
  const Scene scene = attention_on_text_scene(trace, {.layer = 1, .head = 0});
  const std::string svg = to_svg(scene);
  EXPECT_NE(svg.find("Edited run"), svg.npos);
  EXPECT_NE(svg.find("\xe2\x9c\x8e layer 1, head 0"), svg.npos);
}

TEST(AttentionOnText, NeedsWhatItShows) {
  const Trace trace = model_of(k_texts, k_next, 2, "causal").trace("to win");
  EXPECT_THROW(attention_on_text_scene(trace), Error);  // no rollout
  EXPECT_THROW(attention_on_text_scene(trace, {.head = 1}), Error);
  EXPECT_THROW(attention_on_text_scene(trace, {.layer = 2}), Error);
  EXPECT_NO_THROW(attention_on_text_scene(trace, {.layer = 1}));
}

// ---- images --------------------------------------------------------------------------------------

Trace seen_image(int channels, int height, int width, int size, const std::string& tokens, int heads = 2) {
  const Model model = model_of(
      join(R"("each":"patch","inputs":{"width":8},"patches":{"channels":)", channels, R"(,"height":)", height,
           R"(,"width":)", width, R"(,"size":)", size, R"(,"tokens":[)", tokens, "]}"),
      classes(tokens.empty() ? "mean" : "first"), heads);
  Tensor pixels(DType::f32, {{Axis::B, 1}, {Axis::K, channels}, {Axis::Y, height}, {Axis::X, width}});
  for (int64_t i = 0; i < pixels.count(); ++i)
    pixels.data<float>()[i] = static_cast<float>(i * 37 % 101) / 50 - 1;
  Trace trace = model.trace(pixels, {}, "picture.png");
  sharpen(trace, ".attn.pattern");
  return with_rollout(trace);
}

TEST(AttentionOnImage, TintsEachPatchByTheClassTokensWeight) {
  const Trace trace = seen_image(1, 12, 8, 4, R"("cls_token")");
  const Scene scene = attention_on_image_scene(trace);
  expect_good(scene, trace);
  const Tensor& pattern = trace["blocks.1.attn.pattern"];
  const auto head = std::find_if(scene.grids.begin(), scene.grids.end(),
                                 [](const SceneGrid& grid) { return grid.name.starts_with("head 1"); });
  ASSERT_NE(head, scene.grids.end());
  ASSERT_EQ(std::pair(head->rows, head->columns), std::pair(int64_t{12}, int64_t{8}));
  for (int64_t y = 0; y < 12; ++y)
    for (int64_t x = 0; x < 8; ++x) {
      const double weight = pattern.at({0, 1, 0, 1 + y / 4 * 2 + x / 4});
      EXPECT_NEAR(head->values[static_cast<size_t>(y * 8 + x)], weight, 1e-7);
      EXPECT_EQ(number_of(head->source_of(y, x), trace), head->values[static_cast<size_t>(y * 8 + x)]);
    }
  // The image itself: the darkest number black, the lightest white.
  const SceneGrid& picture = scene.grids[0];
  const auto [least, most] = std::minmax_element(picture.values.begin(), picture.values.end());
  EXPECT_EQ(picture.picture[static_cast<size_t>(least - picture.values.begin())], 0x000000u);
  EXPECT_EQ(picture.picture[static_cast<size_t>(most - picture.values.begin())], 0xffffffu);
  EXPECT_EQ(number_of(picture.source_of(5, 3), trace), trace["pixels"].at({0, 0, 5, 3}));
}

TEST(AttentionOnImage, OfColoursOfManyHeadsAndWithoutAClassToken) {
  for (const Trace& trace :
       {seen_image(3, 96, 96, 16, R"("cls_token","distillation_token")", 8), seen_image(3, 8, 24, 4, "", 1)})
    for (double width : {1240.0, 420.0})
      expect_good(attention_on_image_scene(trace, {.width = width}), trace);
  const Trace mean = seen_image(3, 8, 24, 4, "", 1);
  const Scene scene = attention_on_image_scene(mean);
  double sum = 0;
  for (int64_t t = 0; t < 12; ++t) sum += mean["rollout"].at({0, t, 3});
  EXPECT_NEAR(scene.grids[1].values[12], sum / 12, 1e-12);  // the patch of line 0, column 3
}

TEST(AttentionOnImage, IsOfImages) {
  EXPECT_THROW(attention_on_image_scene(with_rollout(model_of(k_texts, k_next, 1).trace("to win"))), Error);
  EXPECT_THROW(attention_on_text_scene(seen_image(1, 8, 8, 4, "")), Error);
}

// ---- series --------------------------------------------------------------------------------------

Trace seen_series(int channels, int length, int size, int stride, const std::string& head = R"("flat":true)",
                  int apart = 1) {
  const Model model =
      model_of(join(R"("each":"patch","inputs":{"width":8},"series":{"channels":)", channels, R"(,"length":)",
                    length, R"(,"size":)", size, R"(,"stride":)", stride, R"(,"apart":)", apart, "}"),
               R"({"kind":"forecast","outputs":4,)" + head + "}", 2);
  Tensor values(DType::f32, {{Axis::B, 1}, {Axis::X, length}, {Axis::K, channels}});
  for (int64_t i = 0; i < values.count(); ++i) values.data<float>()[i] = static_cast<float>(i * 13 % 29) / 10;
  Trace trace = model.trace(values, {}, "hours.csv");
  sharpen(trace, ".attn.pattern");
  return with_rollout(trace);
}

TEST(AttentionOnSeries, ShadesThePatchesOfOneColumn) {
  const Trace trace = seen_series(3, 32, 8, 4);
  SeriesLook look;
  look.layer = 1;
  look.column = 1;
  const Scene scene = attention_on_series_scene(trace, look);
  expect_good(scene, trace);
  const Tensor& pattern = trace["blocks.1.attn.pattern"];  // a column is a row of the batch
  const int64_t queries = pattern.shape()[2].size;
  ASSERT_EQ(queries, 7);
  for (int64_t s = 0; s < queries; ++s) {
    double sum = 0;
    for (int64_t h = 0; h < 2; ++h)
      for (int64_t t = 0; t < queries; ++t) sum += pattern.at({1, h, t, s});
    EXPECT_NEAR(scene.grids[static_cast<size_t>(s)].values[0], sum / 14, 1e-9) << s;
  }
  // Patches of 8 moments, 4 apart, in two lines: the third stands right of the first.
  EXPECT_EQ(scene.grids[2].rect.y, scene.grids[0].rect.y);
  EXPECT_GT(scene.grids[1].rect.y, scene.grids[0].rect.y);
  EXPECT_NEAR(scene.grids[2].rect.x, scene.grids[0].rect.right(), 1e-9);
}

TEST(AttentionOnSeries, NamesMomentsThatLieApart) {
  const auto labels = [](const Trace& trace) {
    std::vector<std::string> out;
    for (const Token& token : trace.tokens) out.push_back(token.label);
    return out;
  };
  using Words = std::vector<std::string>;
  EXPECT_EQ(labels(seen_series(1, 9, 3, 4)), (Words{"2-4", "6-8"}));
  EXPECT_EQ(labels(seen_series(1, 4, 1, 2)), (Words{"1", "3"}));
  EXPECT_EQ(labels(seen_series(1, 4, 2, 1, R"("by_turns":true)", 2)), (Words{"0,2", "1,3"}));
  const Trace trace = seen_series(2, 12, 3, 1, R"("by_turns":true)", 4);
  EXPECT_EQ(labels(trace), (Words{"0,4..8", "1,5..9", "2,6..10", "3,7..11"}));
  const Scene scene = attention_on_series_scene(trace);
  expect_good(scene, trace);
  const double moment = scene.grids[1].rect.x - scene.grids[0].rect.x;
  for (size_t t = 0; t < 4; ++t) {
    EXPECT_NEAR(scene.grids[t].rect.x, scene.grids[0].rect.x + static_cast<double>(t) * moment, 1e-9);
    EXPECT_NEAR(scene.grids[t].rect.width, 9 * moment, 1e-9);  // from the first to the last
    EXPECT_EQ(scene.grids[t].name, join("moments ", t, " to ", t + 8, ", one in 4"));
  }
  const std::string svg = to_svg(scene);
  for (const char* last : {">-4<", ">-3<", ">-2<", ">-1<"}) EXPECT_NE(svg.find(last), svg.npos) << last;
  EXPECT_NE(scene.description.find(", one in 4: "), std::string::npos);
}

TEST(AttentionOnSeries, DrawsInTheFilesUnitsWithTruthAndTimes) {
  const Trace trace = seen_series(1, 24, 8, 8, R"("pool":"mean")");
  SeriesLook look;
  look.mean = 100;
  look.deviation = 10;
  look.truth = {1, 2, 3, 2};
  look.name = "passengers";
  for (int i = 0; i < 28; ++i) look.times.push_back(join("1949-", i + 10));
  for (double width : {1240.0, 480.0}) {
    look.width = width;
    const Scene scene = attention_on_series_scene(trace, look);
    expect_good(scene, trace);
    const auto named = [&](const std::string& name) {
      return std::count_if(scene.lines.begin(), scene.lines.end(),
                           [&](const SceneLine& line) { return line.name == name; });
    };
    EXPECT_EQ(named("what came"), 1);
    EXPECT_EQ(named("the forecast"), 1);
    EXPECT_NE(to_svg(scene).find(">1949-10<"), std::string::npos);
  }
  look.truth.pop_back();
  EXPECT_THROW(attention_on_series_scene(trace, look), Error);
  EXPECT_THROW(attention_on_series_scene(textbook_run()), Error);
}

// ---- confusion -----------------------------------------------------------------------------------

Confusion confused(size_t classes) {
  Confusion out;
  for (size_t r = 0; r < classes; ++r) {
    out.classes.push_back(join("a class with a long name, number ", r));
    out.counts.emplace_back(classes, 0);
    out.counts[r][r] = 30 + static_cast<int64_t>(r % 7);
    out.counts[r][(r * 5 + 1) % classes] += static_cast<int64_t>(r % 4);
  }
  return out;
}

Trace counts_of(const Confusion& of) {
  Trace trace;
  const auto count = static_cast<int64_t>(of.counts.size());
  Tensor counts(DType::f64, Shape::unnamed({count, count}));
  for (int64_t r = 0; r < count; ++r)
    for (int64_t c = 0; c < count; ++c)
      counts.set({r, c}, static_cast<double>(of.counts[static_cast<size_t>(r)][static_cast<size_t>(c)]));
  trace.values.emplace("confusion", std::move(counts));
  return trace;
}

TEST(ConfusionFigure, CountsStandInTheirCellsAndRowsGiveTheShade) {
  const Confusion of = confusion_from(R"({"title":"x","classes":["ham","spam"],"confusion":[[8,2],[0,5]]})");
  const Scene scene = confusion_scene(of);
  expect_good(scene, counts_of(of));
  EXPECT_EQ(scene.grids[0].values, (std::vector<double>{0.8, 0.2, 0, 1}));
  EXPECT_EQ(scene.grids[0].texts.size(), 3u);  // none where there is none
  EXPECT_NE(to_svg(scene).find("13 of 15 right"), std::string::npos);
  EXPECT_NE(scene.description.find("2 of 10 times \"ham\" was taken for \"spam\""), std::string::npos);
}

TEST(ConfusionFigure, UpToEightyClassesAndOfMoreThoseThatAreConfusedMost) {
  for (size_t classes : {1u, 2u, 10u, 77u, 80u}) {
    const Scene scene = confusion_scene(confused(classes));
    expect_good(scene, counts_of(confused(classes)));
    EXPECT_EQ(scene.grids[0].rows, static_cast<int64_t>(classes));
    EXPECT_EQ(to_svg(scene).find("Shown are"), std::string::npos);
  }
  const Scene many = confusion_scene(confused(120));
  expect_good(many, counts_of(confused(120)));
  EXPECT_EQ(many.grids[0].rows, 80);
  EXPECT_NE(many.description.find("Shown are the 80 classes of 120"), std::string::npos);
  const Scene narrow = confusion_scene(confused(77), "", 640);
  expect_good(narrow, counts_of(confused(77)));
  EXPECT_LE(narrow.width, 700);
  EXPECT_LT(narrow.grids[0].rows, 40);
}

TEST(ConfusionFigure, AnotherFileIsRefused) {
  for (const char* json :
       {"[]", "{}", R"({"confusion":1})", R"({"confusion":[]})", R"({"confusion":[[1,2],[3]]})",
        R"({"confusion":[[1]],"classes":["a","b"]})", R"({"confusion":[[-1]]})", R"({"confusion":[[0.5]]})",
        R"({"confusion":[["1"]]})", R"({"confusion":[[1e300]]})"})
    EXPECT_THROW(confusion_scene(confusion_from(json)), Error) << json;
}

}  // namespace
}  // namespace limpid
