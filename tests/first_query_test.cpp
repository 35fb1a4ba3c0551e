// Where query 0 stands when there are fewer queries than keys: the graph's attention by its kernel, by its
// stages, and the public fused attention agree.
#include "limpid/attention.h"
#include "limpid/network.h"
#include "one_stage.h"

namespace limpid {
namespace {

using kernels::testing::Draw;
using testing::on_every_path;
using testing::SmallGraph;

Tensor numbers(Draw& draw, const Shape& shape) { return Tensor::of<float>(shape, draw.reals(shape.count())); }

struct Network {
  SmallGraph g;
  Network(Draw& draw, const AttentionOptions& options, int64_t queries, int64_t keys) {
    const Stage x = g.input(numbers(draw, {{Axis::B, 2}, {Axis::T, queries}, {Axis::C, 8}})),
                memory = g.input(numbers(draw, {{Axis::B, 2}, {Axis::S, keys}, {Axis::C, 8}}));
    attention(g / "attn", x, memory, options);
    for (const Value& value : g.graph.values())
      if (value.kind == Value::Kind::parameter) g.bind(value.name, numbers(draw, value.shape));
  }
  Stage named(const char* name) { return g.graph.handle(g.graph.require(name)); }
};

TEST(FirstQuery, OfTheGraphsAttention) {
  on_every_path([](const RunOptions& how) {
    for (int64_t first : {0, 3, -2, 10}) {
      for (Positions positions :
           {Positions::none, Positions::alibi, Positions::relative_bias, Positions::relative_keys}) {
        for (int64_t window : {0, 3}) {
          SCOPED_TRACE(join("first query at ", first, ", ", name(positions), ", window ", window));
          Draw draw(1);
          AttentionOptions options;
          options.heads = 2, options.width = 4;
          options.mask = Mask::causal, options.window = window;
          options.positions = positions, options.first_query = first;
          Network n(draw, options, 4, 7);
          const Tensor z = n.g.run(n.named("attn.z"), how), exact = n.g.exact(n.named("attn.z"));
          for (int64_t i = 0; i < z.count(); ++i)
            ASSERT_NEAR(z.data<float>()[i], exact.data<double>()[i], 1e-5);
          const Tensor pattern = n.g.exact(n.named("attn.pattern"));
          for (int64_t t = 0; t < 4; ++t)
            for (int64_t s = 0; s < 7; ++s)
              EXPECT_EQ(pattern.at({0, 0, t, s}) > 0,
                        s <= t + first && (window == 0 || s > t + first - window))
                  << t << " " << s;
        }
      }
    }
  });
}

TEST(FirstQuery, IsThatOfFused) {
  Draw draw(2);
  AttentionOptions options;
  options.heads = 2, options.width = 4, options.mask = Mask::causal, options.first_query = 3;
  Network n(draw, options, 4, 7);
  const auto run = n.g.run({"attn.q", "attn.k", "attn.v", "attn.z"}, {});
  fused::Attention call{.q = run.at("attn.q"), .k = run.at("attn.k"), .v = run.at("attn.v"), .causal = true};
  for (int i = 0; i < 2; ++i) {  // 3 is S - T
    const Tensor z = fused::forward(call).z;
    for (int64_t j = 0; j < z.count(); ++j)
      EXPECT_NEAR(z.data<float>()[j], run.at("attn.z").data<float>()[j], 1e-6);
    call.first_query = 3;
  }
}

TEST(FirstQuery, NotWithRotaryPositions) {
  Draw draw(3);
  AttentionOptions options;
  options.heads = 2, options.width = 4, options.first_query = 3;
  options.positions = Positions::rotary, options.rotary.width = 4;
  try {
    Network n(draw, options, 4, 7);
    FAIL() << "queries would be turned as if they stood at 0";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("expected first_query 0, not 3"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace limpid
