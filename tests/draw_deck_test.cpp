// The deck for one sentence: in teaching order, one step a page, everything readable, a quiz about this very
// run.
#include <gtest/gtest.h>

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

void expect_good_deck(const std::vector<Slide>& pages, const std::string& which) {
  for (const Slide& page : pages) {
    EXPECT_EQ(page.scene.width, 1280) << which;
    EXPECT_EQ(page.scene.height, 720) << which;
    EXPECT_GE(printed_size(page.scene), 7) << which << ": " << page.title;
    EXPECT_FALSE(page.notes.empty()) << which << ": " << page.title;
    EXPECT_FALSE(page.scene.description.empty()) << which << ": " << page.title;
    std::string all = page.scene.connectors.empty() ? number_faults(page.scene) : faults(page.scene);
    EXPECT_EQ(all, "") << which << ": " << page.title;
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
                           "The numbers: scores",
                           "The numbers: the output",
                           "way",
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
    if (page.scene.connectors.empty() && boxes == 0) continue;
    if (page.title.rfind("The network", 0) != 0) continue;
    const size_t now = page.scene.boxes.size();
    if (boxes > 0) {
      EXPECT_TRUE(now == boxes + 1 || now == boxes + 2) << page.title;  // the result comes with the last
    }
    boxes = now;
    ++steps;
    int lit = 0;
    for (const SceneBox& box : page.scene.boxes) lit += box.lit;
    EXPECT_EQ(lit, 1) << page.title;
  }
  EXPECT_GE(steps, 8u);
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
