// What a figure says, and that its SVG is whole, alone and the same each time, whatever the labels hold.
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "draw_helpers.h"

namespace limpid {
namespace {

// ---- what is drawn -------------------------------------------------------------------------------

bool has_box(const Scene& scene, const std::string& label) {
  for (const SceneBox& box : scene.boxes) {
    std::string text;
    for (const SceneText& line : box.texts) text += (text.empty() ? "" : " ") + line.text;
    if (text == label) return true;
  }
  return false;
}

bool has_text(const Scene& scene, const std::string& words) {
  for (const Labelled& each : all_texts(scene))
    if (each.text.text == words) return true;
  return false;
}

TEST(DrawTest, TextbookSaysTheTextbooksWords) {
  TextbookConfig c = textbook();
  c.add_norm = true;
  const Scene scene = scene_of(c, sentence({"Life", "is", "short"}));
  for (const char* label :
       {"Embedding Layer", "Linear Transform (Q)", "Linear Transform (K)", "Linear Transform (V)",
        "Dot Product", "Scale", "Softmax", "Weighted Sum", "Add & Norm", "Output Layer"})
    EXPECT_TRUE(has_box(scene, label)) << label;
  for (const char* words : {"X\xe2\x82\x81", "Life", "is", "X\xe2\x82\x83", "short", "Self-Attention, 1 head",
                            "Q 3×4", "residual path", "weights"})
    EXPECT_TRUE(has_text(scene, words)) << words;
  EXPECT_FALSE(has_box(scene, "Mask"));
  EXPECT_FALSE(has_box(scene, "Concatenate Heads"));
  c.mask = Mask::causal;
  c.heads = 2;
  const Scene more = scene_of(c);
  EXPECT_TRUE(has_box(more, "Mask"));
  EXPECT_TRUE(has_box(more, "Concatenate Heads"));
  EXPECT_TRUE(has_text(more, "H\xc3\x97T\xc3\x97S"));
}

TEST(DrawTest, ColoursFollowRoles) {
  const Scene scene = scene_of(textbook());
  std::set<Role> roles;
  for (const SceneBox& box : scene.boxes) roles.insert(box.role);
  EXPECT_EQ(roles, (std::set<Role>{Role::plain, Role::query, Role::key, Role::value, Role::weights}));
  const std::string light = to_svg(scene, {Theme::light});
  for (const char* colour : {"#0072b2", "#d55e00", "#009e73", "#8a4fb0"})
    EXPECT_NE(light.find(colour), std::string::npos) << colour;
}

TEST(DrawTest, PositionsThatNobodyAsksForAreNotWired) {
  TextbookConfig c = textbook();
  c.positions = Positions::sinusoidal;
  const Scene scene = scene_of(c);
  for (const SceneConnector& connector : scene.connectors) {
    EXPECT_NE(scene.boxes[static_cast<size_t>(connector.to)].name, "pos_embed");
    EXPECT_FALSE(connector.residual);
  }
}

TEST(DrawTest, GradientsAreNotDrawn) {
  Graph plain(operations()), trained(operations());
  build(plain, textbook(), Purpose::train);
  build(trained, textbook(), Purpose::train);
  differentiate(trained, trained.handle(trained.require("loss")));
  EXPECT_EQ(to_svg(network_scene(plain)), to_svg(network_scene(trained)));
}

TEST(DrawTest, LongSentencesAreElided) {
  const Scene six = scene_of(textbook(), sentence(std::vector<std::string>(6, "w")));
  const Scene many = scene_of(textbook(), sentence(std::vector<std::string>(512, "w")));
  EXPECT_TRUE(has_text(six, "X\xe2\x82\x86"));
  EXPECT_FALSE(has_text(six, "\xe2\x8b\xae"));
  EXPECT_TRUE(has_text(many, "\xe2\x8b\xae"));
  EXPECT_TRUE(has_text(many, "X\xe2\x82\x85\xe2\x82\x81\xe2\x82\x82"));
  EXPECT_LT(many.height, six.height + 20);  // a further line of the legend
}

TEST(DrawTest, TheLegendStandsInAFreeCorner) {
  const auto legend_ends = [](const Scene& scene) {
    double y = 0;
    for (const SceneText& text : scene.texts)
      if (text.kind == SceneText::Kind::legend) y = std::max(y, text.at.y);
    return y;
  };
  const Scene rows = scene_of(gpt(12));  // beside the first, which is short
  ASSERT_FALSE(rows.frames.empty());
  EXPECT_LT(legend_ends(rows), rows.frames[0].rect.y);
  const Scene row = scene_of(textbook());
  EXPECT_GT(legend_ends(row), row.frames[0].rect.bottom());
}

TEST(DrawTest, SizesGiveWayToLettersLast) {
  const std::vector<std::string> words(1024, "token");
  const std::string sizes = "12×1024×1024", letters = "H×T×S";
  const Scene roomy = scene_of(gpt(12), sentence(words));
  EXPECT_TRUE(has_text(roomy, sizes));
  SceneOptions asked = sentence(words);
  asked.letters = true;
  const Scene lettered = scene_of(gpt(12), asked);
  EXPECT_TRUE(has_text(lettered, letters));
  EXPECT_FALSE(has_text(lettered, sizes));
  EXPECT_TRUE(has_text(lettered, "T words (1024)"));  // what the letters stand for
  // The most that a network here can hold: dense, with letters, and still not under 7 pt.
  GptConfig c = gpt(12);
  c.positions = Positions::relative_keys;
  c.activation = Activation::swiglu;
  c.dropout = c.attention_dropout = 0.1;
  SceneOptions all = sentence(words);
  all.parameters = true;
  const Scene dense = scene_of(c, all, Purpose::train);
  EXPECT_TRUE(has_text(dense, letters));
  EXPECT_TRUE(has_text(dense, "T words (1024)"));
  EXPECT_GE(printed_size(dense), 7);
}

TEST(DrawTest, VectorsAreNamedOnce) {
  const Scene scene = scene_of(textbook(), sentence({"X1", "X2", "is"}));
  EXPECT_TRUE(has_text(scene, "X\xe2\x82\x82"));
  EXPECT_FALSE(has_text(scene, "X2"));
  EXPECT_TRUE(has_text(scene, "is"));
}

TEST(DrawTest, DescriptionGoesFromLeftToRight) {
  const std::string words = scene_of(textbook(), sentence({"Life", "is", "short"})).description;
  size_t last = 0;
  for (const char* part : {"3 words: Life, is, short", "Embedding Layer", "Linear Transform (Q)",
                           "Dot Product", "Scale", "Weighted Sum", "probs"}) {
    const size_t at = words.find(part);
    ASSERT_NE(at, std::string::npos) << part << " in " << words;
    EXPECT_GT(at, last) << part;
    last = at;
  }
}

TEST(DrawTest, AnEmptyGraphIsAnError) {
  const Graph graph(operations());
  EXPECT_THROW(network_scene(graph), Error);
}

TEST(DrawTest, ATraceGivesItsWordsAndSizes) {
  auto graph = std::make_shared<Graph>(operations());
  build(*graph, textbook());
  Trace trace;
  trace.graph = graph;
  trace.title = "textbook network";
  trace.tokens = {{0, "Life", 0, 4}, {1, "is", 5, 7}, {2, "short", 8, 13}};
  const Scene scene = network_scene(trace);
  EXPECT_EQ(scene.title, "textbook network");
  EXPECT_TRUE(has_text(scene, "short"));
  EXPECT_TRUE(has_text(scene,
                       "3\xc3\x97"
                       "4"));
}

// ---- SVG -----------------------------------------------------------------------------------------

// Enough of XML to find what a parser would refuse: tags that do not match, attributes that are not quoted,
// stray signs. Returns what is wrong, or nothing.
std::string xml_fault(const std::string& xml) {
  std::vector<std::string> open;
  for (size_t at = 0; at < xml.size();) {
    const auto c = static_cast<unsigned char>(xml[at]);
    if (c == '<') {
      const size_t end = xml.find('>', at);
      if (end == std::string::npos) return "a tag without end";
      std::string tag = xml.substr(at + 1, end - at - 1);
      if (std::count(tag.begin(), tag.end(), '"') % 2) return "an open quote in " + tag;
      if (tag.find('<') != std::string::npos) return "< in " + tag;
      const std::string name = tag.substr(tag[0] == '/', tag.find_first_of(" /", 1) - (tag[0] == '/'));
      if (tag[0] == '/') {
        if (open.empty() || open.back() != name) return "</" + name + "> closes nothing";
        open.pop_back();
      } else if (tag.back() != '/') {
        open.push_back(name);
      }
      at = end + 1;
    } else if (c == '&') {
      const std::string rest = xml.substr(at, 6);
      if (rest.rfind("&amp;", 0) && rest.rfind("&lt;", 0) && rest.rfind("&gt;", 0) && rest.rfind("&quot;", 0))
        return "a bare &";
      ++at;
    } else {
      if (c < 0x20 && c != '\n') return "a control character";
      ++at;
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> stays open";
}

const std::vector<std::string> k_hostile = {"<script>alert(\"x\")</script>",
                                            "a & b",
                                            "\"quoted\" 'single'",
                                            "]]>",
                                            "\xf0\x9f\x98\x80\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7",
                                            "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d",
                                            "\xe4\xb8\xad\xe6\x96\x87",
                                            "e\xcc\x81\xcc\x82",
                                            std::string("nul\0bell\a", 9),
                                            "tab\tline\nend\r",
                                            "\xff\xfe broken \xc3",
                                            std::string(300, 'm'),
                                            std::string("\xe2\x80\xae") + "abc",
                                            "\xef\xbf\xbe",
                                            "",
                                            "   "};

TEST(DrawTest, HostileLabels) {
  for (const std::string& word : k_hostile) {
    SceneOptions options = sentence({word, word, word});
    options.title = options.token_word = word;
    const Scene scene = scene_of(textbook(), options);
    EXPECT_EQ(faults(scene), "") << word;
    EXPECT_GE(printed_size(scene), 7) << word;
    for (Theme theme : {Theme::automatic, Theme::light, Theme::dark})
      EXPECT_EQ(xml_fault(to_svg(scene, {theme})), "") << word;
  }
  SceneOptions all = sentence(k_hostile);
  EXPECT_EQ(xml_fault(to_svg(scene_of(textbook(), all))), "");
  EXPECT_EQ(to_svg(scene_of(textbook(), sentence({"<script>"}))).find("<script"), std::string::npos);
}

TEST(DrawTest, HostileNotes) {
  for (const std::string& word : k_hostile) {
    Graph graph(operations());
    Stage x = graph.input("tokens", {{Axis::B, k_symbolic}, {Axis::T, k_symbolic}, {Axis::C, 4}});
    x = relu(graph.scope("a").saying({word, word, word}), x);
    x = relu(graph.scope("b").saying({word + " " + word + " " + word, "", ""}), x);
    const Scene scene = network_scene(graph);
    EXPECT_EQ(faults(scene), "") << word;
    EXPECT_EQ(xml_fault(to_svg(scene)), "") << word;
  }
}

TEST(DrawTest, SvgStandsAlone) {
  const std::string svg = to_svg(scene_of(gpt(12)));
  EXPECT_EQ(svg.rfind("<svg ", 0), 0u);
  for (const char* part : {"<title", "<desc", "role=\"img\"", "prefers-color-scheme", "<text"})
    EXPECT_NE(svg.find(part), std::string::npos) << part;
  for (const char* part : {"<script", "href", "url(", "@import", "<image", "<foreignObject", "onload"})
    EXPECT_EQ(svg.find(part), std::string::npos) << part;
  size_t at = 0, outside = 0;
  while ((at = svg.find("http", at)) != std::string::npos) ++outside, ++at;
  EXPECT_EQ(outside, 1u);  // the name space
  EXPECT_EQ(to_svg(scene_of(gpt(12)), {Theme::dark}).find("prefers-color-scheme"), std::string::npos);
}

TEST(DrawTest, SameCallSameBytes) {
  const SceneOptions options = sentence({"Life", "is", "short"});
  EXPECT_EQ(to_svg(scene_of(gpt(12), options)), to_svg(scene_of(gpt(12), options)));
}

TEST(DrawTest, FileIsWholeAndWellFormed) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / "limpid_draw_test.svg";
  const Scene scene = scene_of(gpt(12), sentence(k_hostile));
  write_figure(scene, path);
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  EXPECT_EQ(content.str(), to_svg(scene));
  if (std::system("command -v xmllint > /dev/null 2>&1") == 0) {
    EXPECT_EQ(std::system(("xmllint --noout " + path.string()).c_str()), 0);
  }
  std::filesystem::remove(path);
  EXPECT_THROW(write_figure(scene, "/no/such/folder/net.svg"), Error);
}

TEST(DrawTest, NinetySixLayersInLessThanASecond) {
  GptConfig c = gpt(96, 96, 12288);
  Graph graph(operations());
  build(graph, c);
  const std::clock_t start = std::clock();  // of this process: others may keep the machine busy
  const std::string svg = to_svg(network_scene(graph));
  const double took = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  EXPECT_LT(took, 1.0);
  EXPECT_GT(svg.size(), 10000u);
  RecordProperty("seconds", std::to_string(took));
}

TEST(DrawTest, ThemesHaveNames) {
  for (Theme theme : {Theme::automatic, Theme::light, Theme::dark})
    EXPECT_EQ(theme_named(name(theme)), theme);
  EXPECT_THROW(theme_named("sepia"), Error);
}

}  // namespace
}  // namespace limpid
