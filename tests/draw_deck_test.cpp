// The deck for one sentence: in teaching order, one step a page, everything readable, a quiz about this very
// run.
#include <gtest/gtest.h>

#include <regex>

#include "draw_number_helpers.h"

namespace limpid {
namespace {

std::vector<std::string> titles(const std::vector<Slide>& pages) {
  std::vector<std::string> out;
  for (const Slide& page : pages) out.push_back(page.title);
  return out;
}

bool has_title(const std::vector<Slide>& pages, const std::string& part) {
  for (const std::string& title : titles(pages))
    if (title.find(part) != std::string::npos) return true;
  return false;
}

bool says(const Scene& scene, const std::string& part) {
  for (const SceneText& text : scene.texts)
    if (text.text.find(part) != std::string::npos) return true;
  for (const SceneBox& box : scene.boxes)
    for (const SceneText& text : box.texts)
      if (text.text.find(part) != std::string::npos) return true;
  return false;
}

// 18 pt on a page of 13.333 inches are 24 units; of the numbers in cells 12 pt.
void expect_good_deck(const std::vector<Slide>& pages, const std::string& which) {
  for (const Slide& page : pages) {
    const std::string where = which + ": " + page.title;
    EXPECT_EQ(page.scene.width, 1280) << where;
    EXPECT_EQ(page.scene.height, 720) << where;
    EXPECT_FALSE(page.notes.empty()) << where;
    EXPECT_FALSE(page.scene.description.empty()) << where;
    for (const SceneGrid& grid : page.scene.grids)
      for (const SceneText& text : grid.texts) EXPECT_GE(text.size, 16 - 1e-6) << where << ", " << text.text;
    for (const SceneBox& box : page.scene.boxes)
      for (const SceneText& text : box.texts) EXPECT_GE(text.size, 24 - 1e-6) << where << ", " << text.text;
    for (const SceneText& text : page.scene.texts)
      EXPECT_GE(text.size, 24 - 1e-6) << where << ", " << text.text;
    EXPECT_EQ(number_faults(page.scene), "") << where;
    for (const SceneConnector& c : page.scene.connectors) {
      const SceneBox &from = page.scene.boxes[static_cast<size_t>(c.from)],
                     &to = page.scene.boxes[static_cast<size_t>(c.to)];
      EXPECT_TRUE(on_border(c.points.front(), from.ports[static_cast<size_t>(c.from_port)], from.rect))
          << where;
      EXPECT_TRUE(on_border(c.points.back(), to.ports[static_cast<size_t>(c.to_port)], to.rect)) << where;
    }
    for (const SceneLine& line : page.scene.lines)
      for (const LineEnd& end : {line.from, line.to})
        if (end.on == LineEnd::On::box) {
          EXPECT_LT(static_cast<size_t>(end.index), page.scene.boxes.size()) << where;
        }
  }
}

TEST(DrawDeckTest, TextbookInTeachingOrder) {
  TextbookConfig c = textbook();
  c.add_norm = true;
  const std::vector<Slide> pages = lecture(textbook_run(c));
  expect_good_deck(pages, "textbook");
  size_t at = 0;
  const std::vector<std::string> all = titles(pages);
  for (const char* part : {"Life is short",
                           "Embedding",
                           "(Q)",
                           "(K)",
                           "(V)",
                           "Dot Product",
                           "Scale",
                           "Softmax",
                           "Weighted Sum",
                           "Add & Norm",
                           "The numbers: queries",
                           "The numbers: keys",
                           "The numbers: values",
                           "The numbers: scores",
                           "The numbers: weights",
                           "The numbers: the output",
                           "who it looks at",
                           "what it gathers",
                           "who looks at whom",
                           "What comes after",
                           "Key insight",
                           "Question 1",
                           "Question 2",
                           "Question 3"}) {
    while (at < all.size() && all[at].find(part) == std::string::npos) ++at;
    ASSERT_LT(at, all.size()) << part;
  }
  EXPECT_EQ(at + 1, all.size());
}

TEST(DrawDeckTest, EveryTextbook) {
  each_textbook(
      [](const TextbookConfig& c) { expect_good_deck(lecture(textbook_run(c)), to_json(NetworkConfig(c))); });
}

TEST(DrawDeckTest, NetworksOfManyBlocks) {
  GptConfig c;
  c.width = 12;
  for (int64_t layers : {1, 4, 12})
    for (int64_t length : {1, 4, 60}) {
      c.layers = layers;
      c.heads = layers == 12 ? 6 : 2;
      c.positions = layers == 4 ? Positions::rotary : Positions::learned;
      const std::vector<Slide> pages = lecture(run_of(c, length));
      expect_good_deck(pages, join(layers, " layers, ", length, " tokens"));
      EXPECT_TRUE(has_title(pages, "Every head"));
      EXPECT_TRUE(has_title(pages, "Dot Product"));
    }
}

TEST(DrawDeckTest, OneStepAPage) {
  const std::vector<Slide> pages = lecture(textbook_run());
  size_t boxes = 0, steps = 0;
  for (const Slide& page : pages) {
    if (page.title.rfind("The network", 0) != 0) continue;
    size_t now = 0;
    std::vector<std::string> lit;
    for (const SceneBox& box : page.scene.boxes) {
      now += box.name.rfind("map: ", 0) == 0;
      if (box.lit) lit.push_back(box.name);
    }
    if (boxes > 0) {
      EXPECT_TRUE(now == boxes + 1 || now == boxes + 2) << page.title;  // the result comes with the last
    }
    boxes = now;
    ++steps;
    ASSERT_EQ(lit.size(), 2u) << page.title;  // itself, and its place on the map
    EXPECT_EQ(lit[1], "map: " + lit[0]);
    EXPECT_EQ(page.notes.rfind(join("Step ", steps, " of "), 0), 0u) << page.notes;
  }
  EXPECT_GE(steps, 8u);
}

// Of 26 words the title is as large as it fits, and nothing of it is lost; of 200 its end is.
// What the network reads are tokens: no page claims its steps for words.
TEST(DrawDeckTest, WholeWords) {
  Model model = Model::builtin();
  const std::vector<Slide> pages = lecture(in_words(model.trace("Das Leben ist sch\xc3\xb6n, don't worry")));
  expect_good_deck(pages, "words");
  EXPECT_TRUE(has_title(pages, "Every head"));
  EXPECT_TRUE(has_title(pages, "What comes after \"worry\""));
  EXPECT_TRUE(says(pages[0].scene, "sch\xc3\xb6n"));
  EXPECT_NE(pages[0].notes.find("averaged where it looks"), std::string::npos);
  const std::regex as_many_as_words("\\b7\\b");
  for (const Slide& page : pages)
    for (const SceneText& text : page.scene.texts) {
      const bool size = text.kind == SceneText::Kind::shape && std::regex_search(text.text, as_many_as_words);
      EXPECT_FALSE(size) << page.title << ": " << text.text;
    }
}

TEST(DrawDeckTest, LongTitlesWrap) {
  std::string text;
  for (int i = 0; i < 26; ++i) text += join(i ? " " : "", "word", i);
  const Slide page = lecture(textbook_run(textbook(), text))[0];
  std::string heading;
  for (const SceneText& line : page.scene.texts)
    if (line.kind == SceneText::Kind::heading) heading += (heading.empty() ? "" : " ") + line.text;
  EXPECT_NE(heading.find("word25"), heading.npos) << heading;
}

TEST(DrawDeckTest, FollowsTokenLayerAndHead) {
  GptConfig c;
  c.width = 12;
  c.layers = 2;
  c.heads = 3;
  FigureOptions asked;
  asked.layer = 1;
  asked.head = 2;
  asked.token = 1;
  const Trace trace = run_of(c, 4);
  const auto words_of = [](const std::vector<Slide>& pages, const std::string& title) {
    std::string words;
    for (const Slide& page : pages)
      if (page.title.rfind(title, 0) == 0)
        for (const Labelled& each : all_texts(page.scene)) words += each.text.text + " ";
    return words;
  };
  const std::vector<Slide> pages = lecture(trace, asked);
  EXPECT_NE(words_of(pages, "Question 1").find("In layer 1, head 2"), std::string::npos);
  EXPECT_NE(words_of(pages, "Every head").find("layer 1, head 2"), std::string::npos);
  EXPECT_NE(words_of(pages, "Key insight").find("ead 2"), std::string::npos);
  // Where none is asked for, it is the head that the insight praises.
  FigureOptions free;
  free.layer = free.head = -1;
  const std::vector<Slide> chosen = lecture(trace, free);
  const std::string insight = words_of(chosen, "Key insight"), every = words_of(chosen, "Every head");
  const size_t at = insight.find("head ");
  ASSERT_NE(at, insight.npos) << insight;
  const std::string head = insight.substr(at, 6), layer = insight.substr(insight.find("layer "), 7);
  EXPECT_NE(every.find("Framed: " + layer + ", " + head), every.npos) << insight << every;
  FigureOptions beyond = asked;
  beyond.token = 4;
  EXPECT_THROW(lecture(trace, beyond), Error);
}

TEST(DrawDeckTest, AnswersStandInTheNotesOnly) {
  for (const Slide& page : lecture(textbook_run())) {
    if (page.title.rfind("Question", 0) != 0) continue;
    ASSERT_EQ(page.notes.rfind("Answer: ", 0), 0u);
    const char letter = page.notes[8];
    bool there = false;
    for (const SceneBox& box : page.scene.boxes) there = there || box.name == std::string("answer ") + letter;
    EXPECT_TRUE(there) << page.notes;
    for (const Labelled& each : all_texts(page.scene))
      EXPECT_EQ(each.text.text.find("Answer:"), std::string::npos);
  }
}

TEST(DrawDeckTest, AnotherRunAsksOtherQuestions) {
  TextbookConfig c = textbook();
  c.mask = Mask::causal;
  std::string one, two;
  for (const Slide& page : lecture(textbook_run())) one += page.notes;
  for (const Slide& page : lecture(textbook_run(c))) two += page.notes;
  EXPECT_NE(one, two);
}

TEST(DrawDeckTest, ADeckNeedsAFormatThatHoldsOne) {
  const std::vector<Slide> pages = lecture(textbook_run());
  EXPECT_THROW(paint(pages, format_named("svg")), Error);
  EXPECT_NO_THROW(paint({pages[0]}, format_named("svg")));
  EXPECT_THROW(format_named("doc"), Error);
  EXPECT_THROW(format_of("figure"), Error);
}

}  // namespace
}  // namespace limpid
