// Figures of edited runs: every one says what was edited and marks it, and draws no equation and no arrow
// that its numbers do not fulfil.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/utf8.h"
#include "draw_number_helpers.h"
#include "limpid/model.h"

namespace limpid {
namespace {

constexpr int64_t k_length = 4;

Model small_model() {
  GptConfig c;
  c.layers = 2;
  c.heads = 2;
  c.width = 8;
  c.vocabulary = 11;
  c.context = 8;
  Model model = Model::fresh(c, nullptr, 7);
  for (auto& [name, tensor] : model.parameters())  // far from its tame beginnings
    if (tensor.shape().rank() > 1)
      for (int64_t i = 0; i < tensor.count(); ++i) tensor.data<float>()[i] *= 15;
  return model;
}

Trace run(const std::vector<Edit>& edits) {
  Model model = small_model();
  TraceOptions options;
  options.parameters = true;
  options.edits = edits;
  return model.trace(std::vector<int64_t>{1, 7, 3, 9}, options);
}

struct Case {
  std::string edit, mark;  // as asked for; what the figures write
};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const char* name : {"attn.q", "attn.k", "attn.v", "attn.scores", "attn.pattern", "attn.z", "mlp_out"})
    for (const auto& [action, words] :
         std::vector<std::pair<std::string, std::string>>{{"zero", "set to 0"},
                                                          {"mean", "set to the mean"},
                                                          {"scale:0.5", "multiplied by 0.5"},
                                                          {"replace", "replaced"}})
      out.push_back({join("blocks.0.", name, "=", action), words});
  for (const char* name : {"embed", "logits"}) out.push_back({join(name, "=zero"), "set to 0"});
  out.push_back({"blocks.0.attn.pattern=cut:3>0,2>1", "edges cut: 3>0, 2>1"});
  out.push_back({"blocks.0.attn.scores=cut:3>0", "edge cut: 3>0"});
  return out;
}

// The edit; a replacement is other numbers than the run has.
Edit edit_for(const Case& c) {
  std::string file;
  Edit edit = edit_of(c.edit.ends_with("=replace") ? c.edit + ":file" : c.edit, &file);
  if (edit.action != Edit::Action::replace) return edit;
  static const Trace plain = run({});
  edit.with = plain[edit.pattern].to(DType::f32);
  for (int64_t i = 0; i < edit.with.count(); ++i)
    edit.with.data<float>()[i] = std::isfinite(edit.with.data<float>()[i])
                                     ? 0.25f + 0.5f * edit.with.data<float>()[edit.with.count() - 1 - i]
                                     : edit.with.data<float>()[i];
  for (int64_t i = 0; i < edit.with.count(); ++i)
    if (!std::isfinite(edit.with.data<float>()[i])) edit.with.data<float>()[i] = 0;
  return edit;
}

bool says(const Scene& scene, const std::string& words) {
  for (const Labelled& each : all_texts(scene))
    if (each.text.text.find(words) != std::string::npos) return true;
  return false;
}

// A legend wraps its lines.
std::string all_words(const Scene& scene) {
  std::string out;
  for (const Labelled& each : all_texts(scene)) out += each.text.text + " ";
  return out;
}

std::vector<std::pair<std::string, Scene>> figures(const Trace& trace) {
  std::vector<std::pair<std::string, Scene>> out = {{"network", network_scene(trace)},
                                                    {"attention", attention_scene(trace)},
                                                    {"token", token_scene(trace)},
                                                    {"matrices", matrices_scene(trace)},
                                                    {"head", head_scene(trace)}};
  for (const Slide& page : heads_pages(trace)) out.push_back({"heads", page.scene});
  return out;
}

TEST(DrawEditsTest, EveryFigureSaysWhatWasEdited) {
  for (const Case& c : cases()) {
    const Trace trace = run({edit_for(c)});
    for (const auto& [name, scene] : figures(trace)) {
      const std::string words = all_words(scene);
      EXPECT_NE(words.find("Edited run: "), words.npos) << name << ", " << c.edit;
      EXPECT_NE(words.find(c.mark), words.npos) << name << ", " << c.edit << "\n" << words;
      EXPECT_NE(scene.description.find("Edited run: "), std::string::npos) << name << ", " << c.edit;
      EXPECT_NE(paint({{scene, "", ""}}, format_named("md")).find("Edited run: "), std::string::npos);
      if (name == "network" || name == "attention")
        EXPECT_EQ(faults(scene), "") << name << ", " << c.edit;
      else
        EXPECT_EQ(number_faults(scene), "") << name << ", " << c.edit;
    }
  }
}

// A page of the deck of the first head, by its title.
Slide page_of(const std::vector<Slide>& pages, const std::string& title) {
  for (const Slide& page : pages)
    if (page.title.find(title) != std::string::npos) return page;
  ADD_FAILURE() << "no page " << title;
  return {};
}

TEST(DrawEditsTest, TheLineOfADecksPageMeetsNothing) {
  for (const char* edit : {"blocks.0.attn.q=zero", "blocks.0.attn.pattern=cut:3>0"})
    for (const Slide& page : lecture(run({edit_of(edit)}))) {
      const auto of = std::find_if(page.scene.texts.begin(), page.scene.texts.end(),
                                   [](const SceneText& t) { return t.kind == SceneText::Kind::legend; });
      ASSERT_NE(of, page.scene.texts.end()) << page.title;
      const Rect line = of->bounds();
      for (const Labelled& each : all_texts(page.scene)) {
        const Rect other = each.text.bounds();
        if (each.text.text == of->text) continue;
        EXPECT_FALSE(line.x < other.right() && other.x < line.right() && line.y < other.bottom() &&
                     other.y < line.bottom())
            << page.title << ": " << each.text.text;
      }
    }
}

TEST(DrawEditsTest, StepsOfTheDeckAreMarked) {
  const std::vector<Slide> pages = lecture(run({edit_of("blocks.0.attn.q=zero")}));
  const Slide page = page_of(pages, "Inside of attention: Linear Transform (Q)");
  const SceneBox& main = page.scene.boxes.at(0);
  EXPECT_TRUE(main.lit);
  EXPECT_EQ(main.edit, "set to 0");
  EXPECT_NE(main.texts.back().text.find("set to 0"), std::string::npos);
  for (const SceneConnector& c : page.scene.connectors)
    EXPECT_EQ(c.severed, !page.scene.boxes[static_cast<size_t>(c.to)].edit.empty()) << c.value;
  EXPECT_TRUE(says(page.scene, "Without the edit: Q = X W"));
  EXPECT_TRUE(says(page.scene, "A dotted line"));
  const std::string svg = to_svg(page.scene), tikz = paint({page}, format_named("tikz"));
  EXPECT_NE(svg.find("stroke-width=\"2.6\" stroke-dasharray=\"4 3\""), svg.npos);
  EXPECT_NE(tikz.find(",dotted]"), tikz.npos);
  EXPECT_NE(tikz.find(",dashed"), tikz.npos);
  for (size_t at = tikz.find(",dotted]"); at != tikz.npos; at = tikz.find(",dotted]", at + 1))
    EXPECT_EQ(tikz.substr(tikz.rfind('\n', at), at - tikz.rfind('\n', at)).find("-latex"), std::string::npos);
  // What reads it follows from the edited numbers.
  EXPECT_FALSE(says(page_of(pages, "Inside of attention: Linear Transform (K)").scene, "Without the edit"));
}

TEST(DrawEditsTest, NumbersOfTheDeckClaimNoEquation) {
  const auto all = [](const std::string& edit) { return lecture(run({edit_of(edit)})); };
  const std::vector<Slide> q = all("blocks.0.attn.q=scale:0.5");
  EXPECT_TRUE(says(page_of(q, "The numbers: queries").scene, "Without the edit: Q = X W"));
  EXPECT_FALSE(says(page_of(q, "The numbers: keys").scene, "Without the edit"));
  for (const Slide& page : q)
    for (const Labelled& each : all_texts(page.scene)) {
      EXPECT_TRUE(is_utf8(each.text.text)) << page.title;
      for (const SceneRun& run : each.text.runs) EXPECT_TRUE(is_utf8(run.text)) << page.title;
    }
  const std::vector<Slide> scores = all("blocks.0.attn.scores=scale:2");
  EXPECT_TRUE(says(page_of(scores, "The numbers: scores").scene, "Without the edit"));
  EXPECT_FALSE(says(page_of(scores, "The numbers: weights").scene, "Without the edit"));
  EXPECT_TRUE(says(page_of(scores, "who it looks at").scene, "Edited on the way"));
  const std::vector<Slide> z = all("blocks.0.attn.z=zero");
  EXPECT_TRUE(says(page_of(z, "what it gathers").scene, "is not the sum of the values"));
  EXPECT_TRUE(says(page_of(z, "what it gathers").scene, "Without the edit"));
  EXPECT_FALSE(says(page_of(z, "who it looks at").scene, "Edited on the way"));
  EXPECT_TRUE(says(page_of(all("probs=scale:0.5"), "What comes after").scene, "were edited"));
}

// A label above what the edit was stands where the scene has it, not in the middle of its node.
TEST(DrawEditsTest, LabelsInTikzStandAboveWhatTheEditWas) {
  const Scene scene = network_scene(run({edit_of("blocks.0.attn.q=zero")}));
  const std::string tikz = paint({{scene, "", ""}}, format_named("tikz"));
  EXPECT_NE(tikz.find("{Linear}; % kind label"),
            tikz.npos);  // of Q: a line each, for they are not in the middle
  EXPECT_NE(tikz.find("{Linear\\\\Transform (K)}; % kind label"), tikz.npos);
  EXPECT_NE(tikz.find("{$\\star$ "), tikz.npos);
  EXPECT_EQ(tikz.find("\\limpidletter{"), tikz.npos);
}

// Cut edges lead from token to token: of a word made of several, no cell is crossed, and no token is named.
TEST(DrawEditsTest, WordsOfAnEditedRun) {
  Model model = Model::builtin();
  TraceOptions options;
  options.edits = {edit_of("blocks.0.attn.pattern=cut:2>0"), edit_of("blocks.0.attn.q[T=2]=zero")};
  const Trace words = in_words(model.trace("Life is woodland", options));
  ASSERT_EQ(words.tokens.size(), 3u);  // of 4 tokens
  const Scene scene = head_scene(words);
  EXPECT_FALSE(says(scene, "\xc3\x97"));
  const std::string said = all_words(scene);
  EXPECT_NE(said.find("edge cut: 2>0 (of tokens)"), said.npos) << said;
  EXPECT_EQ(said.find("word 2"), said.npos) << said;
  EXPECT_NE(said.find("added where it is looked at and averaged where it looks"), said.npos) << said;
  const std::string heads = all_words(heads_pages(words)[0].scene);
  EXPECT_NE(heads.find("added where it is looked at and averaged where it looks"), heads.npos) << heads;
  EXPECT_EQ(all_words(head_scene(model.trace("Life is short"))).find("averaged"), std::string::npos);
}

TEST(DrawEditsTest, EveryPageOfTheDeckSaysIt) {
  for (const char* edit : {"blocks.0.attn.z[H=0]=zero", "blocks.1.attn.pattern=cut:3>0"}) {
    std::vector<Slide> pages = lecture(run({edit_of(edit)}));
    ASSERT_GT(pages.size(), 5u);
    for (const Slide& page : pages) {
      EXPECT_TRUE(says(page.scene, "Edited run: ")) << page.title;
      EXPECT_NE(page.notes.find("Edited run: "), std::string::npos) << page.title;
    }
  }
}

TEST(DrawEditsTest, AnUneditedRunSaysNothingOfEdits) {
  const Trace trace = run({});
  for (const auto& [name, scene] : figures(trace)) {
    EXPECT_EQ(all_words(scene).find("dited"), std::string::npos) << name;
    for (const SceneBox& box : scene.boxes) EXPECT_EQ(box.edit, "") << name;
    for (const SceneConnector& c : scene.connectors) EXPECT_FALSE(c.severed) << name;
  }
}

// ---- equations -----------------------------------------------------------------------------------

// A grid of the matrix figure as its numbers, from the trace.
struct Numbers {
  std::vector<std::vector<double>> rows;
  size_t height() const { return rows.size(); }
  size_t width() const { return rows.empty() ? 0 : rows[0].size(); }
};

Numbers numbers_of(const SceneGrid& grid, const Trace& trace) {
  Numbers out;
  for (int64_t r = 0; r < grid.rows; ++r) {
    out.rows.emplace_back();
    for (int64_t c = 0; c < grid.columns; ++c)
      out.rows.back().push_back(number_of(grid.source_of(r, c), trace));
  }
  return out;
}

double error_of_product(const Numbers& a, const Numbers& b, const Numbers& result,
                        const std::vector<double>& bias) {
  double most = 0;
  for (size_t r = 0; r < a.height(); ++r)
    for (size_t c = 0; c < b.width(); ++c) {
      double sum = bias.empty() ? 0 : bias[c];
      for (size_t i = 0; i < b.height(); ++i) sum += a.rows[r][i] * b.rows[i][c];
      most = std::max(most, std::fabs(sum - result.rows[r][c]) / (1 + std::fabs(sum)));
    }
  return most;
}

// The figure's lines: "line 1, Q".
std::vector<const SceneGrid*> line_of(const Scene& scene, int line) {
  std::vector<const SceneGrid*> out;
  for (const SceneGrid& grid : scene.grids)
    if (grid.name.starts_with(join("line ", line, ","))) out.push_back(&grid);
  return out;
}

// How many texts between two grids are an equals sign, and a bar.
std::pair<int, int> signs_between(const Scene& scene, const SceneGrid& a, const SceneGrid& b) {
  std::pair<int, int> out = {0, 0};
  for (const SceneText& text : scene.texts) {
    const Rect r = text.bounds();
    if (r.x < a.rect.right() - 1 || r.right() > b.rect.x + 1 || r.bottom() < a.rect.y ||
        r.y > a.rect.bottom())
      continue;
    out.first += text.text == "=" || text.text == "\xe2\x86\x92";
    out.second += text.text == "\xe2\x94\x8a";
  }
  return out;
}

TEST(DrawEditsTest, NoEquationIsDrawnThatItsNumbersDoNotFulfil) {
  std::vector<Case> all = cases();
  all.push_back({"none", ""});
  int drawn = 0, refused = 0;
  for (const Case& c : all) {
    const Trace trace = c.edit == "none" ? run({}) : run({edit_for(c)});
    const Scene scene = matrices_scene(trace);
    const char* const k_weights[] = {"Q", "K", "V"};
    for (int line : {1, 2, 3, 5}) {
      const std::vector<const SceneGrid*> parts = line_of(scene, line);
      ASSERT_EQ(parts.size(), 3u) << c.edit << ", line " << line;
      std::vector<double> bias;
      if (line <= 3) {
        const Tensor& b = trace.parameters.at(join("blocks.0.attn.b_", k_weights[line - 1]));
        for (int64_t i = 0; i < static_cast<int64_t>(parts[2]->columns); ++i) bias.push_back(b.at({0, i}));
      }
      const double error = error_of_product(numbers_of(*parts[0], trace), numbers_of(*parts[1], trace),
                                            numbers_of(*parts[2], trace), bias);
      const auto [equals, bars] = signs_between(scene, *parts[1], *parts[2]);
      EXPECT_EQ(equals + bars, 1) << c.edit << ", line " << line;
      if (equals > 0) {
        EXPECT_LT(error, 1e-4) << c.edit << ", line " << line;
      } else {
        EXPECT_NE(c.edit, "none");
      }
      drawn += equals, refused += bars;
    }
  }
  EXPECT_GT(drawn, 60);
  EXPECT_EQ(refused, 4 * 4);  // q, k, v and z, each by four edits; scores have a line of their own
}

TEST(DrawEditsTest, ScoresAndWeightsAreNotSoftmaxesOfEditedOnes) {
  const auto signs = [](const std::string& edit) {
    const Scene scene = matrices_scene(run({edit_of(edit)}));
    const std::vector<const SceneGrid*> parts = line_of(scene, 4);
    EXPECT_EQ(parts.size(), 4u);
    return std::pair{signs_between(scene, *parts[1], *parts[2]).second,
                     signs_between(scene, *parts[2], *parts[3]).second};
  };
  EXPECT_EQ(signs("blocks.0.attn.scores=scale:2"), (std::pair{1, 0}));
  EXPECT_EQ(signs("blocks.0.attn.raw_scores=scale:2"), (std::pair{1, 0}));
  EXPECT_EQ(signs("blocks.0.attn.pattern=cut:3>0"), (std::pair{1, 0}));
  EXPECT_EQ(signs("blocks.0.attn.pattern=zero"), (std::pair{0, 1}));
  EXPECT_EQ(signs("blocks.0.attn.q=zero"), (std::pair{0, 0}));             // they follow from the edited q
  EXPECT_EQ(signs("blocks.0.attn.pattern[H=1]=zero"), (std::pair{0, 0}));  // another head
}

TEST(DrawEditsTest, ArrowsOfTheTokenFigureEndBeforeEditedValues) {
  const auto arrows = [](const std::string& edit) {
    int count = 0;
    for (const SceneLine& line : token_scene(run({edit_of(edit)})).lines) count += line.arrow;
    return count;
  };
  EXPECT_EQ(arrows("blocks.0.attn.q=zero"), 2 * k_length);
  EXPECT_EQ(arrows("blocks.0.attn.z=zero"), k_length);
  EXPECT_EQ(arrows("blocks.0.attn.pattern=scale:0.5"), k_length);
  EXPECT_EQ(arrows("blocks.0.attn.z[H=1]=zero"), 2 * k_length);
  EXPECT_EQ(arrows("blocks.0.attn.pattern=cut:3>0"), 2 * (k_length - 1));
}

TEST(DrawEditsTest, BoxesOfTheNetworkAreMarkedAndWhatEntersThemIsSevered) {
  const auto check = [](const Scene& scene, const std::string& edit) {
    int marked = 0, severed = 0;
    for (const SceneConnector& c : scene.connectors) {
      const bool into = !scene.boxes[static_cast<size_t>(c.to)].edit.empty();
      EXPECT_EQ(c.severed, into) << edit << ", " << c.value;
      severed += c.severed;
    }
    for (const SceneBox& box : scene.boxes) marked += !box.edit.empty();
    EXPECT_EQ(marked, 1) << edit;
    EXPECT_GE(severed, 1) << edit;
    const std::string svg = to_svg(scene);
    EXPECT_NE(svg.find("stroke-dasharray=\"1.6 4\""), svg.npos) << edit;
    EXPECT_NE(paint({{scene, "", ""}}, format_named("dot")).find("dir=none"), std::string::npos) << edit;
    const std::string mermaid = paint({{scene, "", ""}}, format_named("mmd"));
    EXPECT_TRUE(mermaid.find(" -.- n") != mermaid.npos || mermaid.find(" -.-|") != mermaid.npos) << edit;
  };
  for (const char* edit : {"blocks.0.attn.q=zero", "blocks.1.attn.z[H=1]=mean", "blocks.1.mlp_out=zero",
                           "logits=scale:2", "embed=zero", "blocks.0.attn.pattern=cut:3>0"})
    check(network_scene(run({edit_of(edit)})), edit);
  check(attention_scene(run({edit_of("blocks.1.attn.q=zero")}), 1), "layer 1");
  // A repeated block says which of its repetitions it was.
  EXPECT_TRUE(says(network_scene(run({edit_of("blocks.1.attn.q=zero")})), "layer 1"));
}

TEST(DrawEditsTest, CutCellsAreCrossed) {
  const Trace trace = run({edit_of("blocks.0.attn.pattern=cut:3>0,2>1")});
  const auto crosses = [](const Scene& scene) {
    int count = 0;
    for (const SceneGrid& grid : scene.grids)
      for (const SceneText& text : grid.texts) count += text.text == "\xc3\x97";
    for (const SceneLine& line : scene.lines) count += line.name.starts_with("edge cut");
    return count;
  };
  EXPECT_EQ(crosses(head_scene(trace)), 2);
  EXPECT_EQ(crosses(matrices_scene(trace)), 3 * 2);        // scores, weights, weights
  EXPECT_EQ(crosses(heads_pages(trace)[0].scene), 2 * 2);  // of both heads
  EXPECT_TRUE(says(token_scene(trace), "edge cut"));
  for (const Slide& page : lecture(trace))
    if (page.title.starts_with("Every head")) {
      EXPECT_EQ(crosses(page.scene), 2 * 2);
    }
}

TEST(DrawEditsTest, AStoredEditThatNobodyUnderstandsIsSaidAsItIs) {
  Trace trace = run({});
  trace.edited = {"nonsense", "blocks.9.attn.q=zero", "blocks.0.attn.q=melt", "[H=]=zero"};
  for (const auto& [name, scene] : figures(trace)) {
    EXPECT_NE(scene.description.find("nonsense"), std::string::npos) << name;
    EXPECT_NE(scene.description.find("melt"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace limpid
