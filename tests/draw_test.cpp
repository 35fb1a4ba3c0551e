// The network figure over many networks: nothing overlaps, nothing is cut off, every line ends on its boxes
// and crosses no other, whatever the labels hold.
#include "limpid/draw.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "draw/text.h"
#include "limpid/network.h"

namespace limpid {
namespace {

Scene scene_of(const NetworkConfig& config, const SceneOptions& options = {},
               Purpose purpose = Purpose::predict) {
  Graph graph(operations());
  build(graph, config, purpose);
  return network_scene(graph, options);
}

SceneOptions sentence(const std::vector<std::string>& words) {
  SceneOptions options;
  for (const std::string& word : words) options.tokens.push_back({0, word, 0, 0});
  options.sizes = {{Axis::T, static_cast<int64_t>(words.size())},
                   {Axis::S, static_cast<int64_t>(words.size())}};
  options.token_word = "word";
  return options;
}

GptConfig gpt(int64_t layers, int64_t heads = 12, int64_t width = 768) {
  GptConfig c;
  c.vocabulary = 50257;
  c.context = 1024;
  c.layers = layers;
  c.heads = heads;
  c.width = width;
  return c;
}

TextbookConfig textbook() {
  TextbookConfig c;
  c.vocabulary = 3;
  return c;
}

// ---- geometry ------------------------------------------------------------------------------------

struct Labelled {
  SceneText text;
  const SceneBox* box;  // that it belongs to
};

std::vector<Labelled> all_texts(const Scene& scene) {
  std::vector<Labelled> all;
  for (const SceneBox& box : scene.boxes)
    for (const SceneText& text : box.texts) all.push_back({text, &box});
  for (const SceneFrame& frame : scene.frames) all.push_back({frame.title, nullptr});
  for (const SceneText& text : scene.texts) all.push_back({text, nullptr});
  return all;
}

// The piece from a to b, as a rectangle without width.
Rect piece(const Point& a, const Point& b) {
  return {std::min(a.x, b.x), std::min(a.y, b.y), std::abs(a.x - b.x), std::abs(a.y - b.y)};
}

bool on_border(const Point& p, const Port& port, const Rect& r) {
  if (!(port.at == p)) return false;
  switch (port.side) {
    case Side::left:
      return p.x == r.x && p.y > r.y && p.y < r.bottom();
    case Side::right:
      return p.x == r.right() && p.y > r.y && p.y < r.bottom();
    case Side::top:
      return p.y == r.y && p.x > r.x && p.x < r.right();
    case Side::bottom:
      return p.y == r.bottom() && p.x > r.x && p.x < r.right();
  }
  return false;
}

// Whether two pieces, one horizontal and one vertical, cross in the inside of both.
bool cross(const Point& a, const Point& b, const Point& c, const Point& d) {
  if ((a.x == b.x) == (c.x == d.x)) return false;
  const Rect r = piece(a, b), s = piece(c, d);
  const Rect &h = r.height == 0 ? r : s, &v = r.height == 0 ? s : r;
  return v.x > h.x + 0.01 && v.x < h.right() - 0.01 && h.y > v.y + 0.01 && h.y < v.bottom() - 0.01;
}

// Whether two parallel pieces lie on one another for more than a point.
bool overlap(const Point& a, const Point& b, const Point& c, const Point& d) {
  const Rect r = piece(a, b), s = piece(c, d);
  const double width = std::min(r.right(), s.right()) - std::max(r.x, s.x);
  const double height = std::min(r.bottom(), s.bottom()) - std::max(r.y, s.y);
  return (width > 0.01 && height >= -3) || (height > 0.01 && width >= -3) ? (r.width == 0) == (s.width == 0)
                                                                          : false;
}

std::string told(const SceneText& text) { return join("'", text.text, "' at ", text.at.x, ",", text.at.y); }

std::vector<std::string> box_faults(const Scene& scene) {
  std::vector<std::string> faults;
  const Rect page = {0, 0, scene.width, scene.height};
  std::set<std::string> names;
  for (size_t i = 0; i < scene.boxes.size(); ++i) {
    const SceneBox& box = scene.boxes[i];
    if (!names.insert(box.name).second) faults.push_back("two boxes are called " + box.name);
    if (!page.holds(box.rect, -10)) faults.push_back("box " + box.name + " leaves the page");
    if (box.texts.empty()) faults.push_back("box " + box.name + " says nothing");
    for (size_t k = 0; k < i; ++k)
      if (box.rect.meets(scene.boxes[k].rect, -8))
        faults.push_back("boxes " + box.name + " and " + scene.boxes[k].name + " meet");
    for (const SceneText& text : box.texts)
      if (!box.rect.holds(text.bounds(), box.look == SceneBox::Look::stage ? -4 : 0.01))
        faults.push_back(told(text) + " leaves box " + box.name);
  }
  return faults;
}

std::vector<std::string> frame_faults(const Scene& scene) {
  std::vector<std::string> faults;
  const Rect page = {0, 0, scene.width, scene.height};
  for (const SceneFrame& frame : scene.frames) {
    if (!page.holds(frame.rect)) faults.push_back("frame " + frame.name + " leaves the page");
    if (!frame.rect.holds(frame.title.bounds())) faults.push_back("the title leaves frame " + frame.name);
    const std::set<int> inside(frame.boxes.begin(), frame.boxes.end());
    for (size_t i = 0; i < scene.boxes.size(); ++i) {
      const bool member = inside.count(static_cast<int>(i)) > 0;
      if (member && !frame.rect.holds(scene.boxes[i].rect, -6))
        faults.push_back("box " + scene.boxes[i].name + " leaves frame " + frame.name);
      if (!member && frame.rect.meets(scene.boxes[i].rect))
        faults.push_back("box " + scene.boxes[i].name + " meets frame " + frame.name);
    }
    for (const SceneFrame& other : scene.frames)
      if (&other != &frame && frame.rect.meets(other.rect) && !frame.rect.holds(other.rect) &&
          !other.rect.holds(frame.rect))
        faults.push_back("frames " + frame.name + " and " + other.name + " overlap");
  }
  return faults;
}

std::vector<std::string> line_faults(const Scene& scene) {
  std::vector<std::string> faults;
  const Rect page = {0, 0, scene.width, scene.height};
  for (const SceneConnector& c : scene.connectors) {
    const SceneBox &from = scene.boxes[static_cast<size_t>(c.from)],
                   &to = scene.boxes[static_cast<size_t>(c.to)];
    const std::string way = from.name + " -> " + to.name;
    if (!on_border(c.points.front(), from.ports[static_cast<size_t>(c.from_port)], from.rect))
      faults.push_back(way + " starts off its box");
    if (!on_border(c.points.back(), to.ports[static_cast<size_t>(c.to_port)], to.rect))
      faults.push_back(way + " ends off its box");
    for (size_t i = 0; i + 1 < c.points.size(); ++i) {
      const Point &a = c.points[i], &b = c.points[i + 1];
      if (a.x != b.x && a.y != b.y) faults.push_back(way + " is slanted");
      if (a == b) faults.push_back(way + " stands still");
      const Rect line = piece(a, b);
      if (!page.holds(line, -4)) faults.push_back(way + " leaves the page");
      for (const SceneBox& box : scene.boxes) {
        const bool own = &box == &from || &box == &to;
        const Rect wide = {line.x - 3, line.y - 3, line.width + 6, line.height + 6};
        if (own ? box.rect.meets(line, 0.01) && line.x < box.rect.right() - 0.01 &&
                      line.right() > box.rect.x + 0.01 && line.y < box.rect.bottom() - 0.01 &&
                      line.bottom() > box.rect.y + 0.01
                : box.rect.meets(wide))
          faults.push_back(way + " crosses box " + box.name);
      }
    }
    if (c.points.size() > 1) {
      const Rect last = piece(c.points[c.points.size() - 2], c.points.back());
      if (last.width + last.height < 12) faults.push_back(way + " has no room for its arrow");
    }
  }
  return faults;
}

// Lines of different values neither cross nor run along one another.
std::vector<std::string> crossing_faults(const Scene& scene) {
  std::vector<std::string> faults;
  for (size_t i = 0; i < scene.connectors.size(); ++i)
    for (size_t k = 0; k < i; ++k) {
      const SceneConnector &x = scene.connectors[i], &y = scene.connectors[k];
      const std::string both = join(scene.boxes[static_cast<size_t>(x.from)].name, " -> ",
                                    scene.boxes[static_cast<size_t>(x.to)].name, " and ",
                                    scene.boxes[static_cast<size_t>(y.from)].name, " -> ",
                                    scene.boxes[static_cast<size_t>(y.to)].name);
      for (size_t a = 0; a + 1 < x.points.size(); ++a)
        for (size_t b = 0; b + 1 < y.points.size(); ++b) {
          if (cross(x.points[a], x.points[a + 1], y.points[b], y.points[b + 1]))
            faults.push_back(both + " cross");
          if (x.from != y.from && overlap(x.points[a], x.points[a + 1], y.points[b], y.points[b + 1]))
            faults.push_back(both + " run along one another");
        }
    }
  return faults;
}

std::vector<std::string> text_faults(const Scene& scene) {
  std::vector<std::string> faults;
  const Rect page = {0, 0, scene.width, scene.height};
  const std::vector<Labelled> texts = all_texts(scene);
  for (size_t i = 0; i < texts.size(); ++i) {
    const SceneText& text = texts[i].text;
    const Rect bounds = text.bounds();
    if (!page.holds(bounds, -4)) faults.push_back(told(text) + " leaves the page");
    if (text.text.empty()) faults.push_back("an empty text");
    for (size_t k = 0; k < i; ++k)
      if (bounds.meets(texts[k].text.bounds()))
        faults.push_back(told(text) + " meets " + told(texts[k].text));
    for (const SceneBox& box : scene.boxes)
      if (&box != texts[i].box && box.look == SceneBox::Look::stage && box.rect.meets(bounds))
        faults.push_back(told(text) + " meets box " + box.name);
    for (const SceneConnector& c : scene.connectors)
      for (size_t p = 0; p + 1 < c.points.size(); ++p) {
        const Rect line = piece(c.points[p], c.points[p + 1]);
        const Rect inner = {bounds.x + 0.5, bounds.y + 0.5, bounds.width - 1, bounds.height - 1};
        if (line.x < inner.right() && line.right() > inner.x && line.y < inner.bottom() &&
            line.bottom() > inner.y)
          faults.push_back(told(text) + " is struck through by a line to " +
                           scene.boxes[static_cast<size_t>(c.to)].name);
      }
  }
  return faults;
}

std::string faults(const Scene& scene) {
  std::string all;
  for (auto* check : {box_faults, frame_faults, line_faults, crossing_faults, text_faults})
    for (const std::string& fault : check(scene)) all += fault + "\n";
  return all;
}

// The smallest text, in points, when the figure is printed as wide as an A4 sheet in landscape between 10 mm
// margins, or as high as it is in portrait: whichever a reader would choose.
double printed_size(const Scene& scene) {
  double least = 1000;
  for (const Labelled& each : all_texts(scene)) least = std::min(least, each.text.size);
  const double landscape = std::min(785 / scene.width, 538 / scene.height),
               portrait = std::min(538 / scene.width, 785 / scene.height);
  return least * std::max(landscape, portrait);
}

// ---- many networks -------------------------------------------------------------------------------

constexpr Positions k_positions[] = {Positions::none,   Positions::learned, Positions::sinusoidal,
                                     Positions::rotary, Positions::alibi,   Positions::relative_keys};

TEST(DrawTest, TextbookWithEveryOption) {
  for (Positions positions : k_positions)
    for (Head head : {Head::next_word, Head::classes, Head::regression})
      for (int options = 0; options < 64; ++options) {
        TextbookConfig c = textbook();
        c.positions = positions;
        c.head = head;
        c.outputs = 5;
        c.heads = options & 1 ? 2 : 1;
        c.add_norm = options & 2;
        c.mask = options & 4 ? Mask::causal : Mask::none;
        c.vectors = options & 8;
        c.join = options & 16;
        const SceneOptions said = options & 32 ? sentence({"Life", "is", "short"}) : SceneOptions{};
        const Scene scene = scene_of(c, said);
        ASSERT_EQ(faults(scene), "") << to_json(NetworkConfig(c)) << " with words: " << (options & 32);
        ASSERT_GE(printed_size(scene), 7)
            << to_json(NetworkConfig(c)) << scene.width << " x " << scene.height;
      }
}

TEST(DrawTest, GptWithEveryOption) {
  for (Positions positions : k_positions)
    for (Activation activation : {Activation::gelu, Activation::swiglu})
      for (int64_t layers : {1, 2, 12})
        for (int options = 0; options < 16; ++options) {
          GptConfig c = gpt(layers);
          c.positions = positions;
          c.activation = activation;
          c.kv_heads = options & 1 ? 4 : 0;
          c.norm = options & 2 ? Norm::rms : Norm::layer;
          c.dropout = c.attention_dropout = options & 4 ? 0.1 : 0;
          SceneOptions said;
          if (options & 8) said = sentence(std::vector<std::string>(1024, "token"));
          const Scene scene = scene_of(c, said, options & 4 ? Purpose::train : Purpose::predict);
          ASSERT_EQ(faults(scene), "") << to_json(NetworkConfig(c)) << options;
          ASSERT_GE(12 * 785 / scene.width, 7) << to_json(NetworkConfig(c)) << options;
        }
}

TEST(DrawTest, BlocksCollapse) {
  const Scene one = scene_of(gpt(1)), two = scene_of(gpt(2)), many = scene_of(gpt(96));
  EXPECT_EQ(one.boxes.size(), two.boxes.size());
  EXPECT_EQ(two.boxes.size(), many.boxes.size());
  EXPECT_EQ(two.width, many.width);
  EXPECT_EQ(two.height, many.height);
  ASSERT_EQ(many.frames.size(), 2u);
  EXPECT_EQ(many.frames[0].title.text, "Block \xc3\x97 96");
  EXPECT_EQ(many.frames[0].repeats, 96);
  EXPECT_EQ(many.frames[1].title.text, "Self-Attention, 12 heads");
  EXPECT_EQ(one.frames.size(), 1u);
}

TEST(DrawTest, BlocksThatDifferAreNotCollapsed) {
  // Two blocks of one kind, then two of another: x -> scale a -> scale a -> scale b -> scale b.
  Graph graph(operations());
  Stage x = graph.input("tokens", {{Axis::B, k_symbolic}, {Axis::T, k_symbolic}, {Axis::C, 4}});
  for (int i = 0; i < 4; ++i)
    x = relu(graph.scope(join("blocks.", i, ".bend")),
             scale(graph.scope(join("blocks.", i, ".scaled")), x, i < 2 ? 0.5 : 2));
  const Scene scene = network_scene(graph);
  ASSERT_EQ(scene.frames.size(), 2u);
  EXPECT_EQ(scene.frames[0].repeats, 2);
  EXPECT_EQ(scene.frames[1].repeats, 2);
  EXPECT_EQ(faults(scene), "");
}

TEST(DrawTest, AlternatingBlocksCollapseInPairs) {
  Graph graph(operations());
  Stage x = graph.input("tokens", {{Axis::B, k_symbolic}, {Axis::T, k_symbolic}, {Axis::C, 4}});
  for (int i = 0; i < 8; ++i) x = scale(graph.scope(join("blocks.", i, ".scaled")), x, i % 2 ? 0.5 : 2);
  const Scene scene = network_scene(graph);
  ASSERT_EQ(scene.frames.size(), 1u);
  EXPECT_EQ(scene.frames[0].title.text, "2 Blocks \xc3\x97 4");
  EXPECT_EQ(faults(scene), "");
}

RC_GTEST_PROP(DrawTest, AnyGpt, ()) {
  GptConfig c = gpt(*rc::gen::inRange<int64_t>(1, 97));
  c.heads = *rc::gen::element<int64_t>(1, 2, 3, 8, 12, 16, 64);
  c.kv_heads = *rc::gen::element<int64_t>(0, 1, c.heads);
  c.width = c.heads * 2 * *rc::gen::inRange<int64_t>(1, 129);
  c.positions = *rc::gen::elementOf(std::vector<Positions>(std::begin(k_positions), std::end(k_positions)));
  c.activation = *rc::gen::element(Activation::gelu, Activation::relu, Activation::silu, Activation::swiglu);
  c.norm = *rc::gen::element(Norm::layer, Norm::rms);
  c.tied = *rc::gen::arbitrary<bool>();
  c.bias = *rc::gen::arbitrary<bool>();
  const int64_t length = *rc::gen::inRange<int64_t>(0, 513);
  const std::string word(*rc::gen::inRange<size_t>(1, 40), 'w');
  SceneOptions options = sentence(std::vector<std::string>(static_cast<size_t>(length), word));
  if (length == 0) options.sizes.clear();
  const Scene scene = scene_of(c, options);
  RC_ASSERT(faults(scene) == "");
  RC_ASSERT(12 * 785 / scene.width >= 7);
}

RC_GTEST_PROP(DrawTest, AnyWidth, ()) {
  SceneOptions options;
  options.width = *rc::gen::inRange(300, 3000);
  RC_ASSERT(faults(scene_of(gpt(3), options)) == "");
}

// Layouts must hold for graphs nobody has seen: chains with side ways of any length.
RC_GTEST_PROP(DrawTest, AnySmallGraphKeepsItsBoxesApart, ()) {
  Graph graph(operations());
  std::vector<Stage> values = {
      graph.input("tokens", {{Axis::B, k_symbolic}, {Axis::T, k_symbolic}, {Axis::C, 4}})};
  const int count = *rc::gen::inRange(1, 14);
  for (int i = 0; i < count; ++i) {
    const Stage a =
        values[*rc::gen::inRange<size_t>(values.size() > 4 ? values.size() - 4 : 0, values.size())];
    const Stage b = values[*rc::gen::inRange<size_t>(0, values.size())];
    values.push_back(*rc::gen::arbitrary<bool>() ? relu(graph.scope(join("s", i)), a)
                                                 : add(graph.scope(join("s", i)), a, b));
  }
  const Scene scene = network_scene(graph);
  std::string bad;
  for (auto* check : {box_faults, frame_faults})
    for (const std::string& fault : check(scene)) bad += fault + "\n";
  RC_ASSERT(bad == "");
}

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
                            "Q 3\xc3\x97"
                            "4",
                            "residual path", "weights"})
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
                                            "\xe2\x80\xae"
                                            "abc",
                                            "\xef\xbf\xbe",
                                            "",
                                            "   "};

TEST(DrawTest, HostileLabels) {
  for (const std::string& word : k_hostile) {
    SceneOptions options = sentence({word, word, word});
    options.title = options.token_word = word;
    const Scene scene = scene_of(textbook(), options);
    EXPECT_EQ(faults(scene), "") << word;
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
  write_svg(scene, path);
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  EXPECT_EQ(content.str(), to_svg(scene));
  if (std::system("command -v xmllint > /dev/null 2>&1") == 0) {
    EXPECT_EQ(std::system(("xmllint --noout " + path.string()).c_str()), 0);
  }
  std::filesystem::remove(path);
  EXPECT_THROW(write_svg(scene, "/no/such/folder/net.svg"), Error);
}

TEST(DrawTest, NinetySixLayersInLessThanASecond) {
  GptConfig c = gpt(96, 96, 12288);
  Graph graph(operations());
  build(graph, c);
  const auto start = std::chrono::steady_clock::now();
  const std::string svg = to_svg(network_scene(graph));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_LT(took.count(), 1.0);
  RecordProperty("seconds", std::to_string(took.count()));
}

TEST(DrawTest, ThemesHaveNames) {
  for (Theme theme : {Theme::automatic, Theme::light, Theme::dark})
    EXPECT_EQ(theme_named(name(theme)), theme);
  EXPECT_THROW(theme_named("sepia"), Error);
}

// ---- text ----------------------------------------------------------------------------------------

TEST(DrawTextTest, WidthsAreTheFonts) {
  EXPECT_DOUBLE_EQ(draw::text_width("A", 2048), 1401);  // DejaVu Sans 2.37, hmtx
  EXPECT_DOUBLE_EQ(draw::text_width("Ab", 2048), 1401 + 1300);
  EXPECT_DOUBLE_EQ(draw::text_width("\xc3\x97", 2048), 1716);
  EXPECT_DOUBLE_EQ(draw::text_width("e\xcc\x81", 2048), draw::text_width("e", 2048));
}

TEST(DrawTextTest, CleanTextIsOneLine) {
  EXPECT_EQ(draw::clean("a\tb\n c "), "a b c");
  EXPECT_EQ(draw::clean(std::string("a\0b", 3)), "ab");
  EXPECT_EQ(draw::clean("\xe2\x80\xae"
                        "abc"),
            "abc");
  EXPECT_EQ(draw::clean("a\xff"), "a\xef\xbf\xbd");
}

TEST(DrawTextTest, CutAndWrapped) {
  EXPECT_EQ(draw::elided("short", 12, 100), "short");
  const std::string cut = draw::elided(std::string(300, 'm'), 12, 100);
  EXPECT_LE(draw::text_width(cut, 12), 100);
  EXPECT_TRUE(cut.ends_with("\xe2\x80\xa6"));
  EXPECT_EQ(draw::wrapped("Linear Transform (Q)", 14, 104),
            (std::vector<std::string>{"Linear", "Transform (Q)"}));
  for (const std::string& line : draw::wrapped("one two three four five six " + std::string(80, 'x'), 14, 90))
    EXPECT_LE(draw::text_width(line, 14), 90);
  EXPECT_EQ(draw::subscript(12), "\xe2\x82\x81\xe2\x82\x82");
}

}  // namespace
}  // namespace limpid
