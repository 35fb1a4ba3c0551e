// Names, handles, the explanation of a number, and graphs as text.
#include "limpid/graph.h"

#include <gtest/gtest.h>

#include <cmath>

namespace limpid {
namespace {

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// y = x + x, under the name the test gives it: enough of an operation to build graphs with.
class Twice final : public Operation {
 public:
  explicit Twice(const Options& options) { options.flag("loud"); }
  std::string label() const override { return "Twice"; }
  std::string equation() const override { return "y = x + x"; }
  std::string caption() const override { return "Adds a number to itself."; }
  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    if (in.size() != 1) fail_call(in.size(), " inputs given, expected 1");
    return {{"sum", in[0]}, {"copy", in[0]}};
  }
  void run(Inputs, Outputs, const RunContext&) const override {}
  Expr explain(Inputs, const Cell&, const RunContext&) const override { return Expr(0); }
};

const Registry& registry() {
  static const Registry all = [] {
    Registry r;
    r.add<Twice>("twice", {});
    return r;
  }();
  return all;
}

TEST(Names, AreAcceptedAsTheFieldWritesThem) {
  EXPECT_EQ(canonical_name("blocks.0.attn.hook_q"), "blocks.0.attn.q");
  EXPECT_EQ(canonical_name("blocks.11.hook_resid_pre"), "blocks.11.resid_pre");
  EXPECT_EQ(canonical_name("hook_embed"), "embed");
  EXPECT_EQ(canonical_name("ln_final.hook_normalized"), "ln_final.normalized");
  EXPECT_EQ(canonical_name("blocks.2.attn.hook_attn_scores"), "blocks.2.attn.scores");
  EXPECT_EQ(canonical_name("(\"q\", 6)"), "blocks.6.attn.q");
  EXPECT_EQ(canonical_name("q6"), "blocks.6.attn.q");
  EXPECT_EQ(canonical_name("pattern0"), "blocks.0.attn.pattern");
  EXPECT_EQ(canonical_name("logits"), "logits");
  EXPECT_EQ(canonical_name("blocks.0.attn.q"), "blocks.0.attn.q");
}

TEST(Names, PatternsFit) {
  EXPECT_TRUE(matches("blocks.*.attn.pattern", "blocks.3.attn.pattern"));
  EXPECT_TRUE(matches("*", "anything"));
  EXPECT_TRUE(matches("*.hook_q", "blocks.0.attn.q"));
  EXPECT_TRUE(matches("hook_embed", "embed"));
  EXPECT_FALSE(matches("blocks.*.attn.pattern", "blocks.3.attn.scores"));
  EXPECT_FALSE(matches("blocks.1.*", "blocks.10.attn.q"));
  EXPECT_TRUE(matches("*a*b", "xaxbxb"));
}

TEST(GraphNames, UnknownOnesListTheNearest) {
  Graph graph(registry());
  graph.input("tokens", {{Axis::B, k_symbolic}});
  graph.input("targets", {{Axis::B, k_symbolic}});
  EXPECT_EQ(
      message_of([&] { graph.require("token"); }).find("no stage is called 'token'; near it are 'tokens'"),
      0u);
  EXPECT_NE(message_of([&] { graph.input("tokens", {}); }).find("'tokens' is taken"), std::string::npos);
}

TEST(GraphNames, AnAliasIsASecondName) {
  Graph graph(registry());
  const Stage x = graph.input("x", {{Axis::B, 2}});
  graph.alias("also_x", x);
  EXPECT_EQ(graph.find("also_x"), x.value);
  EXPECT_NE(message_of([&] { graph.alias("x", x); }).find("taken"), std::string::npos);
}

TEST(GraphErrors, NameTheStage) {
  Graph graph(registry());
  const Stage x = graph.input("x", {{Axis::B, 2}});
  EXPECT_NE(message_of([&] {
              graph.add(graph.scope("a.b"), "twice", {}, {x, x});
            }).find("stage 'a.b' (twice): 2 inputs"),
            std::string::npos);
  EXPECT_NE(message_of([&] { graph.add(graph.scope("a"), "thrice", {}, {x}); }).find("'thrice' is not known"),
            std::string::npos);
  EXPECT_NE(message_of([&] {
              graph.add(graph.scope("a"), "twice", {{"loud", std::string("very")}}, {x});
            }).find("option 'loud' must be true or false"),
            std::string::npos);
  EXPECT_NE(message_of([&] { graph.add(graph.scope("a"), "twice", {}, {Stage{}}); }).find("missing"),
            std::string::npos);
}

TEST(Scopes, BuildNames) {
  Graph graph(registry());
  const Scope attn = graph.scope() / "blocks.0" / "attn";
  EXPECT_EQ((attn / "q").path, "blocks.0.attn.q");
  EXPECT_EQ(attn.beside("attn_out").path, "blocks.0.attn_out");
  const Stage sum = graph.add((attn / "q").as(Role::query), "twice", {}, {graph.input("x", {{Axis::B, 2}})});
  EXPECT_EQ(sum.name(), "blocks.0.attn.q.sum");
  EXPECT_EQ(sum.output("copy").name(), "blocks.0.attn.q.copy");
  EXPECT_NE(message_of([&] { sum.output("other"); }).find("has no output 'other'"), std::string::npos);
  EXPECT_EQ(graph.stages()[0].role, Role::query);
}

TEST(GraphText, ComesBackTheSame) {
  Graph graph(registry());
  const Stage x = graph.input("x", {{Axis::B, k_symbolic}, {Axis::T, 3}}, DType::i64);
  graph.parameter("w", {{Axis::C, 4}}, {});
  Group g(graph.scope("g"), "attention", {{"scale", 0.5}, {"window", int64_t{3}}}, {x});
  const Stage y =
      graph.add((g / "y").saying({"Label", "y = 2 x", "A caption."}), "twice", {{"loud", true}}, {x});
  g.gives({y});
  graph.alias("why", y);
  const std::string text = to_json(graph);
  EXPECT_EQ(to_json(graph_from_json(text, registry())), text);
}

TEST(GraphText, BrokenTextIsAnError) {
  Graph graph(registry());
  graph.add(graph.scope("y"), "twice", {}, {graph.input("x", {{Axis::B, 2}})});
  const std::string text = to_json(graph);
  for (size_t cut = 0; cut < text.size(); ++cut)
    EXPECT_NE(message_of([&] { graph_from_json(text.substr(0, cut), registry()); }), "no error");
  const auto replaced = [&](const std::string& what, const std::string& with) {
    std::string other = text;
    other.replace(other.find(what), what.size(), with);
    return message_of([&] { graph_from_json(other, registry()); });
  };
  EXPECT_NE(replaced("\"twice\"", "\"thrice\"").find("'thrice' is not known"), std::string::npos);
  EXPECT_NE(replaced("[\"x\"]", "[\"z\"]").find("no stage is called 'z'"), std::string::npos);
  EXPECT_NE(replaced("\"plain\"", "\"odd\"").find("'odd'"), std::string::npos);
}

TEST(Explanations, CountAndReadWell) {
  const Expr weight = Expr::cell(0, {0, 1}, 0.299), value = Expr::cell(1, {1, 0}, 0.521);
  const Expr sum = weight * value + Expr::cell(0, {0, 2}, 0.321) * Expr::cell(1, {2, 0}, 0.871);
  EXPECT_DOUBLE_EQ(sum.value(), 0.299 * 0.521 + 0.321 * 0.871);
  EXPECT_EQ(sum.text(), "0.299 x 0.521 + 0.321 x 0.871");
  EXPECT_EQ(sum.cells().size(), 4u);
  EXPECT_EQ((exp(Expr(1)) / Expr::sum({Expr(2), Expr(3)})).text(1), "exp(1.0) / (2.0 + 3.0)");
  std::vector<Expr> many(20, Expr(1));
  EXPECT_EQ(Expr::sum(many).text(0, 4), "1 + 1 + ... 16 more ... + 1 + 1");
  EXPECT_TRUE(std::isnan(maximum({Expr(1), Expr(NAN), Expr(2)}).value()));
  EXPECT_EQ(maximum({Expr(1), Expr(3), Expr(2)}).value(), 3);
}

}  // namespace
}  // namespace limpid
