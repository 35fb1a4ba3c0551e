// Models of images and series: what they read is given by a request, and told with what it is made of.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "explore/request.h"
#include "explore/test_helpers.h"
#include "limpid/rollout.h"
#include "limpid/tasks.h"
#include "text/formats/base64.h"

namespace limpid::explore {
namespace {

constexpr const char* k_stack =
    R"("stack":{"layers":2,"blocks":[{"attention":{"heads":2,"width":4,"out_width":8},"feed_forward":{"width":8}}]})";

// Reads 8 by 12 pixels in squares of 4, behind a class token.
Model image_network(int64_t channels, const std::string& pool = "first") {
  Model model =
      Model::fresh(network_from_json(R"({"network":"parts","inputs":{"width":8},"patches":{"channels":)" +
                                     std::to_string(channels) +
                                     R"(,"height":8,"width":12,"size":4,"tokens":["cls_token"]},)" + k_stack +
                                     R"(,"head":{"kind":"classes","outputs":3,"pool":")" + pool + R"("}})"),
                   nullptr, 3);
  ModelTasks tasks = model.tasks();
  tasks.image = ImageProcessor{
      .channels = channels, .resize = ImageProcessor::Size{8, 12}, .mean = {0.5}, .std = {0.25}};
  model.set_tasks(tasks);
  return model;
}

std::shared_ptr<const Model> image_model(int64_t channels, const std::string& pool = "first") {
  return std::make_shared<const Model>(image_network(channels, pool));
}

// 12 moments of two columns, by twos: 6 patches.
std::shared_ptr<const Model> series_model() {
  Model model = Model::fresh(
      network_from_json(
          std::string(
              R"({"network":"parts","inputs":{"width":8},"series":{"channels":2,"length":12,"size":2,"stride":2},)") +
          k_stack + R"(,"head":{"kind":"forecast","outputs":3,"flat":true}})"),
      nullptr, 3);
  ModelTasks tasks = model.tasks();
  tasks.series = SeriesScale{{"load", "heat"}, {10, -3}, {2, 0.5}};
  model.set_tasks(tasks);
  return std::make_shared<const Model>(std::move(model));
}

Tensor drawn(int64_t height, int64_t width, int64_t channels) {
  Tensor image(DType::u8, {{Axis::Y, height}, {Axis::X, width}, {Axis::K, channels}});
  for (int64_t i = 0; i < image.count(); ++i) image.data<uint8_t>()[i] = static_cast<uint8_t>(i * 37 % 256);
  return image;
}

std::string opening(const Tensor& image, bool prepared = false) {
  Json given = {{"height", image.shape()[0].size},
                {"width", image.shape()[1].size},
                {"channels", image.shape()[2].size},
                {"pixels", text::to_base64({static_cast<const char*>(image.raw()), image.bytes()})}};
  if (prepared) given["prepared"] = true;
  return Json{{"ask", "open"}, {"name", "a drawing"}, {"image", given}}.dump();
}

TEST(Inputs, AnImageIsReadAsAFileOfItsPixels) {
  for (const int64_t channels : {1, 3}) {
    const auto model = image_model(channels);
    Asking asking(model, "");
    EXPECT_EQ(asking.told(R"({"ask":"tokens"})").json["reads"], "image");
    // Of the size that the network reads, and of others, with colours and without.
    for (const auto& [height, width, given] :
         {std::tuple(8, 12, int(channels)), {8, 12, 4}, {31, 17, 3}, {5, 5, 1}}) {
      const Tensor image = drawn(height, width, given);
      const Reply opened = asking.told(opening(image));
      EXPECT_EQ(opened.json["text"], "a drawing");
      const Tensor pixels = model->image_input(image);
      const Trace trace = model->trace(pixels, {}, "a drawing");
      for (const std::string name : {"pixels", "blocks.1.attn.pattern", "probs"})
        expect_same(asking.told(R"({"ask":"window","name":")" + name + "\"}").arrays.at("numbers"),
                    trace[name].view(), name);
    }
  }
}

// A processor that crops would cut away more and more of what it has cropped itself.
TEST(Inputs, APreparedImageIsNeitherResizedNorCropped) {
  Model model = image_network(1);
  ModelTasks tasks = model.tasks();
  tasks.image->resize.reset();
  tasks.image->shortest_edge = 16;
  tasks.image->crop = ImageProcessor::Size{8, 12};
  model.set_tasks(tasks);
  Asking asking(std::make_shared<const Model>(std::move(model)), "");
  const Tensor image = drawn(8, 12, 1);
  asking.told(opening(image));
  EXPECT_NE(asking.told(R"({"ask":"picture"})").arrays.at("pixels").numbers[1], 37);  // larger, and cut
  asking.told(opening(image, true));
  expect_same(asking.told(R"({"ask":"picture"})").arrays.at("pixels"), image.view(), "pixels");
  EXPECT_NE(
      asking.ask(opening(drawn(8, 13, 1), true)).error().find("13 by 8 pixels; the network reads 12 by 8"),
      std::string::npos);
}

TEST(Inputs, APictureIsTheBytesThatTheNetworkRead) {
  Asking asking(image_model(3), "");
  const Tensor image = drawn(8, 12, 3);
  asking.told(opening(image));
  const Reply picture = asking.told(R"({"ask":"picture"})");
  expect_same(picture.arrays.at("pixels"), image.view(), "pixels");
  EXPECT_EQ(picture.arrays.at("pixels").dtype, "u8");
  EXPECT_EQ(picture.json["lines"], 2);
  EXPECT_EQ(picture.json["columns"], 3);
  EXPECT_EQ(picture.json["patch"], 4);
  EXPECT_EQ(picture.json["first"], 1);
  EXPECT_EQ(picture.json["name"], "a drawing");
}

TEST(Inputs, ABlankOneStandsThereBeforeAnyIsGiven) {
  Asking images(image_model(1), "");
  EXPECT_EQ(images.told(R"({"ask":"tokens"})").json["text"], "a blank image");
  EXPECT_EQ(images.told(R"({"ask":"picture"})").arrays.at("pixels").numbers, std::vector<double>(96, 0.0));
  Asking series(series_model(), "");
  EXPECT_EQ(series.told(R"({"ask":"tokens"})").json["text"], "a blank series");
  const Received read = series.told(R"({"ask":"series"})").arrays.at("read");
  for (int64_t i = 0; i < 12; ++i) EXPECT_EQ(read.at({i, i % 2}), i % 2 == 0 ? 10 : -3);
}

TEST(Inputs, EditsStayWithAnotherImage) {
  Asking asking(image_model(1), "");
  asking.told(R"({"ask":"open","edits":["blocks.1.attn.z[H=1]=zero"]})");
  const Reply opened = asking.told(opening(drawn(8, 12, 1)));
  EXPECT_EQ(opened.json["edited"], Json::parse(R"(["blocks.1.attn.z[H=1]=zero"])"));
  const Reply plain = asking.told(R"({"ask":"next","unedited":true})"),
              edited = asking.told(R"({"ask":"next"})");
  EXPECT_NE(plain.arrays.at("probabilities").bytes, edited.arrays.at("probabilities").bytes);
}

TEST(Inputs, WhatDoesNotFillAnImageIsRefusedAndWhatWasOpenStays) {
  Asking asking(image_model(1), "");
  asking.told(opening(drawn(8, 12, 1)));
  const std::string before = asking.told(R"({"ask":"next"})").arrays.at("probabilities").bytes;
  const auto refused = [&](const std::string& request, const std::string& words) {
    const Reply reply = asking.ask(request);
    EXPECT_EQ(reply.kind(), "call") << request;
    EXPECT_NE(reply.error().find(words), std::string::npos) << reply.error();
  };
  const std::string open = R"({"ask":"open","image":)";
  refused(open + R"({"width":2,"height":2,"channels":1,"pixels":"AAAA"}})",
          "image.pixels holds 3 bytes, expected 2 lines of 2 pixels of 1 byte: 4");
  refused(open + R"({"width":2,"height":2,"channels":1,"pixels":"A?AA"}})", "image.pixels is not base64");
  refused(open + R"({"width":0,"height":2,"channels":1,"pixels":""}})", "width");
  refused(open + R"({"width":5000,"height":2,"channels":1,"pixels":""}})", "width");
  refused(open + R"({"width":2,"height":2,"channels":5,"pixels":""}})", "channels");
  refused(open + R"({"width":2,"height":2,"pixels":""}})", "channels");
  refused(open + R"({"width":1,"height":1,"channels":1,"pixels":"AA==","line":3}})",
          "there are width, height, channels, pixels, prepared");
  refused(open + R"("AAAA"})", "image");
  refused(R"({"ask":"open","series":{"values":[[1]]}})", "this model reads images");
  refused(R"({"ask":"open","text":"a"})", "this model reads images, no texts");
  refused(R"({"ask":"open","tokens":[1]})", "this model reads images, no tokens");
  refused(R"({"ask":"open","name":"a"})", "name is of an image or a series");
  refused(R"({"ask":"series"})", "this model reads images, not series");
  Asking text;
  EXPECT_NE(text.ask(opening(drawn(2, 2, 1))).error().find("this model reads texts"), std::string::npos);
  EXPECT_NE(text.ask(R"({"ask":"picture"})").error().find("reads texts"), std::string::npos);
  EXPECT_EQ(asking.told(R"({"ask":"next"})").arrays.at("probabilities").bytes, before);
}

Json table(int64_t rows, double factor) {
  Json out = Json::array();
  for (int64_t r = 0; r < rows; ++r)
    out.push_back({10 + factor * static_cast<double>(r % 5), -3 + 0.25 * static_cast<double>(r % 3)});
  return out;
}

// As the network reads its last rows.
Tensor series_of_table(const Model& model, const Json& rows) {
  const SeriesScale& scale = *model.tasks().series;
  Tensor out(DType::f32, {{Axis::B, 1}, {Axis::X, 12}, {Axis::K, 2}});
  for (size_t i = 0; i < 24; ++i)
    out.data<float>()[i] = static_cast<float>(
        (rows[rows.size() - 12 + i / 2][i % 2].get<double>() - scale.mean[i % 2]) / scale.deviation[i % 2]);
  return out;
}

TEST(Inputs, ASeriesIsForetoldAsTheTaskDoesIt) {
  const auto model = series_model();
  Asking asking(model, "");
  const Json rows = table(15, 1.5);  // the last 12 are read
  asking.told(Json{{"ask", "open"}, {"name", "days"}, {"series", {{"values", rows}}}}.dump());
  const Reply reply = asking.told(R"({"ask":"series"})");
  EXPECT_EQ(reply.json["columns"], Json::parse(R"(["load","heat"])"));
  EXPECT_EQ(reply.json["name"], "days");
  EXPECT_EQ(reply.arrays.at("moments").numbers, (std::vector<double>{0, 2, 4, 6, 8, 10}));
  Tensor values(DType::f64, Shape::unnamed({15, 2}));
  for (int64_t r = 0; r < 15; ++r)
    for (int64_t k = 0; k < 2; ++k)
      values.set({r, k}, rows[static_cast<size_t>(r)][static_cast<size_t>(k)].get<double>());
  expect_same(reply.arrays.at("foretold"), forecast(*model, values).values.view(), "foretold");
  for (int64_t r = 0; r < 12; ++r)
    for (int64_t k = 0; k < 2; ++k)
      EXPECT_NEAR(reply.arrays.at("read").at({r, k}), values.at({r + 3, k}), 1e-5);
}

TEST(Inputs, RowsThatAreNoSeriesAreRefused) {
  Asking asking(series_model(), "");
  const auto refused = [&](const Json& values, const std::string& words) {
    const Reply reply = asking.ask(Json{{"ask", "open"}, {"series", {{"values", values}}}}.dump());
    EXPECT_EQ(reply.kind(), "call");
    EXPECT_NE(reply.error().find(words), std::string::npos) << reply.error();
  };
  refused(table(11, 1), "series.values has 11 rows, expected 12");
  Json rows = table(12, 1);
  rows[3] = {1};
  refused(rows, "series.values[3] has 1 numbers, expected 2");
  rows[3] = {1, "a"};
  refused(rows, "series.values[3][1]");
  rows[3] = {1, 1e300};
  refused(rows, "too large");
  rows[3] = {1, nullptr};
  refused(rows, "series.values[3][1]");
}

TEST(Inputs, WhatIsLookedAtIsTheMeanOfTheRowsThatArePredictedFrom) {
  for (const std::string pool : {"first", "mean"}) {
    const auto model = image_model(1, pool);
    Asking asking(model, "");
    const Tensor image = drawn(8, 12, 1);
    asking.told(opening(image));
    const Trace trace = model->trace(model->image_input(image), {}, "a drawing");
    const int64_t end = pool == "first" ? 1 : 7;
    const auto expected = [&](const Tensor& weights, explore::Span heads, explore::Span rows) {
      std::vector<double> out(7, 0.0);
      for (int64_t h = heads.first; h < heads.end; ++h)
        for (int64_t t = rows.first; t < rows.end; ++t)
          for (int64_t s = 0; s < 7; ++s)
            out[static_cast<size_t>(s)] +=
                (weights.shape().rank() == 4 ? weights.at({0, h, t, s}) : weights.at({0, t, s})) /
                static_cast<double>(heads.size() * rows.size());
      return out;
    };
    const auto same = [&](const std::string& request, const std::vector<double>& numbers) {
      const Reply reply = asking.told(request);
      ASSERT_EQ(reply.arrays.at("weights").numbers.size(), 7u);
      for (size_t s = 0; s < 7; ++s)
        EXPECT_NEAR(reply.arrays.at("weights").numbers[s], numbers[s], 1e-12) << request;
    };
    const Tensor& pattern = trace["blocks.1.attn.pattern"];
    same(R"({"ask":"attended","attention":"blocks.1.attn","head":1})", expected(pattern, {1, 2}, {0, end}));
    same(R"({"ask":"attended","attention":"blocks.1.attn"})", expected(pattern, {0, 2}, {0, end}));
    same(R"({"ask":"attended","attention":"blocks.1.attn","head":0,"query":5})",
         expected(pattern, {0, 1}, {5, 6}));
    const Reply each = asking.told(R"({"ask":"attended","attention":"blocks.1.attn","each":true})");
    for (int64_t h = 0; h < 2; ++h)
      for (int64_t s = 0; s < 7; ++s)
        EXPECT_NEAR(each.arrays.at("heads").at({h, s}),
                    expected(pattern, {h, h + 1}, {0, end})[static_cast<size_t>(s)], 1e-12);
    const Trace rolled = with_rollout(trace);
    same(R"({"ask":"attended"})", expected(rolled["rollout"], {0, 1}, {0, end}));
    same(R"({"ask":"attended","query":2})", expected(rolled["rollout"], {0, 1}, {2, 3}));
    EXPECT_EQ(asking.told(R"({"ask":"attended"})").json["rows"], (Json{0, end}));
  }
}

// Each column of a series is a row of the batch, with queries and keys of its own.
TEST(Inputs, EveryColumnHasItsCellsMapsAndEntropies) {
  const auto model = series_model();
  Asking asking(model, "");
  asking.told(Json{{"ask", "open"}, {"series", {{"values", table(12, 1.5)}}}}.dump());
  const Trace trace = model->trace(series_of_table(*model, table(12, 1.5)), {}, "a series");
  for (const std::string stage : {"scores", "pattern"}) {
    const std::string name = "blocks.1.attn." + stage;
    expect_same(asking.told(R"({"ask":"window","name":")" + name + "\"}").arrays.at("numbers"),
                trace[name].view(), name);
    for (int64_t b = 0; b < 2; ++b) {
      const std::string batch = std::to_string(b);
      expect_same(asking
                      .told(R"({"ask":"window","name":")" + name + R"(","from":[)" + batch +
                            R"(,1,2,3],"size":[1,1,3,2]})")
                      .arrays.at("numbers"),
                  trace[name].view().window(0, b, 1).window(1, 1, 1).window(2, 2, 3).window(3, 3, 2), name);
      expect_same(asking
                      .told(R"({"ask":"tile","attention":"blocks.1.attn","stage":")" + stage +
                            R"(","head":1,"queries":[0,6],"keys":[0,6],"batch":)" + batch + "}")
                      .arrays.at("cells"),
                  trace[name].view().window(0, b, 1).window(1, 1, 1), name);
    }
  }
  const Tensor& pattern = trace["blocks.0.attn.pattern"];
  for (int64_t b = 0; b < 2; ++b) {
    const std::string batch = R"(,"batch":)" + std::to_string(b) + "}";
    const Received map = asking.told(R"({"ask":"maps")" + batch).arrays.at("blocks.0.attn");
    for (int64_t t = 0; t < 6; ++t) EXPECT_NEAR(map.at({1, t, 3}), pattern.at({b, 1, t, 3}), 1e-6);
    const Reply heads = asking.told(R"({"ask":"heads","measured":false)" + batch);
    for (int64_t h = 0; h < 2; ++h) {
      double entropy = 0, first = 0;
      for (int64_t t = 0; t < 6; ++t) {
        first += pattern.at({b, h, t, 0}) / 6;
        for (int64_t s = 0; s < 6; ++s)
          entropy -= pattern.at({b, h, t, s}) * std::log(pattern.at({b, h, t, s})) / 6;
      }
      EXPECT_NEAR(heads.arrays.at("entropy").numbers[static_cast<size_t>(h)], entropy, 1e-5);
      EXPECT_NEAR(heads.arrays.at("first_token").numbers[static_cast<size_t>(h)], first, 1e-6);
    }
  }
  EXPECT_NE(asking.ask(R"({"ask":"maps","batch":2})").error().find("batch is 2"), std::string::npos);
}

TEST(Inputs, WhatCannotBeLookedAtIsRefused) {
  Asking asking(series_model(), "");
  EXPECT_EQ(asking.told(R"({"ask":"attended","attention":"blocks.0.attn","batch":1})")
                .arrays.at("weights")
                .numbers.size(),
            6u);
  for (const auto& [request, words] : std::vector<std::pair<std::string, std::string>>{
           {R"({"ask":"attended","head":0})", "give attention"},
           {R"({"ask":"attended","attention":"blocks.0.attn","head":2})", "head is 2, expected 0 to 1"},
           {R"({"ask":"attended","attention":"blocks.0.attn","query":6})", "query is 6, expected 0 to 5"},
           {R"({"ask":"attended","batch":2})", "batch is 2, expected a whole number from 0 to 1"},
           {R"({"ask":"attended","attention":"blocks.7.attn"})", "blocks.7.attn"}})
    EXPECT_NE(asking.ask(request).error().find(words), std::string::npos) << asking.ask(request).error();
}

}  // namespace
}  // namespace limpid::explore
