// diff, held to networks that are wrong in one known way: the first stage named must be that one.
//
// Each case is a network drawn from a seed and the same network with one thing wrong: a setting of its
// architecture, one parameter, or one stage whose numbers are computed here in the wrong way and put in its
// place (an edit).  The other's numbers come without a graph, under the names of its stages, as a stranger
// has them.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "core/width.h"
#include "limpid/diff.h"
#include "limpid/model.h"

namespace limpid {
namespace {

// ---- networks ------------------------------------------------------------------------------------

Architecture decoder() {
  Architecture a;
  a.family = "llama";
  a.inputs = {.vocabulary = 23, .width = 16};
  a.stack.layers = 2;
  BlockOptions block;
  block.norm = {.kind = Norm::rms, .epsilon = 1e-5};
  block.attention = {.heads = 4, .kv_heads = 2, .width = 4, .out_width = 16, .mask = Mask::causal};
  block.attention.positions = Positions::rotary;
  block.attention.rotary = {.width = 4, .base = 10000};
  block.feed_forward = {.width = 20, .activation = Activation::silu, .gated = true, .bias = false};
  a.stack.blocks = {block};
  a.stack.final_norm = block.norm;
  a.head = {.kind = Head::next_word, .tied = false};
  return a;
}

Architecture gpt2() {
  Architecture a = decoder();
  a.family = "gpt2";
  a.inputs.positions = Positions::learned;
  a.inputs.context = 16;
  BlockOptions& block = a.stack.blocks[0];
  block.norm = {.kind = Norm::layer, .epsilon = 1e-5};
  block.attention.kv_heads = 0;
  block.attention.positions = Positions::none;
  block.attention.bias = block.attention.out_bias = true;
  block.feed_forward = {.width = 20, .activation = Activation::gelu_tanh};
  a.stack.final_norm = block.norm;
  a.head.tied = true;
  return a;
}

Architecture gemma2() {
  Architecture a = decoder();
  a.family = "gemma2";
  a.inputs.scale = 4;  // sqrt(16)
  BlockOptions& block = a.stack.blocks[0];
  block.norms = NormPlace::both;
  block.attention.softcap = 2;
  block.attention.window = 3;
  block.feed_forward.activation = Activation::gelu_tanh;
  a.head.softcap = 3;
  return a;
}

Architecture bloom() {
  Architecture a = gpt2();
  a.family = "bloom";
  a.inputs.positions = Positions::none;
  a.inputs.norm = NormOptions{};
  a.stack.blocks[0].attention.positions = Positions::alibi;
  return a;
}

Architecture bert() {
  Architecture a = gpt2();
  a.family = "bert";
  a.inputs.norm = NormOptions{.epsilon = 1e-12};
  BlockOptions& block = a.stack.blocks[0];
  block.norms = NormPlace::after;
  block.norm.epsilon = 1e-12;
  block.attention.mask = Mask::none;
  block.feed_forward.activation = Activation::gelu;
  a.stack.final_norm = {};
  a.head = {.kind = Head::masked_word,
            .tied = true,
            .bias = true,
            .transform = true,
            .transform_norm = NormOptions{}};
  return a;
}

Architecture qwen3() {
  Architecture a = decoder();
  a.stack.blocks[0].attention.query_key_norm = NormOptions{.kind = Norm::rms};
  return a;
}

Architecture with(Architecture a, const std::function<void(Architecture&)>& change) {
  change(a);
  return a;
}
Architecture with_block(Architecture a, const std::function<void(BlockOptions&)>& change) {
  change(a.stack.blocks[0]);
  return a;
}
Architecture with_attention(Architecture a, const std::function<void(AttentionOptions&)>& change) {
  change(a.stack.blocks[0].attention);
  return a;
}

// Parameters drawn so that attention is sharp and no bias is zero: by name, so that two networks that share a
// parameter have the same one.
Model drawn(const Architecture& a) {
  Model model = Model::fresh(a, nullptr, 1);
  for (auto& [name, tensor] : model.parameters()) {
    std::mt19937_64 random(std::hash<std::string>()(name));
    const bool gain = name.ends_with(".w");
    const double deviation = tensor.shape().rank() == 1 ? 0.2 : 0.4;
    for (int64_t i = 0; i < tensor.count(); ++i)
      tensor.data<float>()[i] =
          static_cast<float>((gain ? 1 : 0) + std::normal_distribution<>(0, deviation)(random));
  }
  return model;
}

const std::vector<int64_t> k_tokens = {3, 7, 1, 22, 5, 9, 2};

Trace run(const Model& model, std::vector<Edit> edits = {}, const std::vector<int64_t>& tokens = k_tokens) {
  TraceOptions options;
  options.parameters = true;
  options.edits = std::move(edits);
  return model.trace(tokens, options);
}

// The numbers of a run as another program's: by name, with the second names, without a graph.
Activations foreign(const Trace& trace) {
  Activations out{"other", {}, nullptr, {}, {}};
  for (const auto& [name, tensor] : trace.values) out.arrays.emplace(name, tensor);
  for (const auto& [alias, value] : trace.graph->aliases())
    if (const auto found = trace.values.find(trace.graph->value(value).name); found != trace.values.end())
      out.arrays.emplace(alias, found->second);
  return out;
}

// ---- wrong stages --------------------------------------------------------------------------------

Edit put(const std::string& name, Tensor numbers) {
  return {.action = Edit::Action::replace, .pattern = name, .with = std::move(numbers)};
}

// One number of the stage by its place.
Tensor made(const Tensor& like, const std::function<double(const Index&)>& number) {
  Tensor out(like.dtype(), like.shape());
  Index at(static_cast<size_t>(like.shape().rank()), 0);
  for (int64_t i = 0; i < out.count(); ++i) {
    int64_t left = i;
    for (int axis = like.shape().rank() - 1; axis >= 0; --axis) {
      at[static_cast<size_t>(axis)] = left % like.shape()[axis].size;
      left /= like.shape()[axis].size;
    }
    out.set(at, number(at));
  }
  return out;
}

using Wrong = std::function<std::vector<Edit>(const Trace&)>;

std::vector<Edit> tiled_heads(const Trace& t) {
  const Tensor &q = t["blocks.0.attn.rot_q"], &k = t["blocks.0.attn.rot_k"];
  return {put("blocks.0.attn.raw_scores", made(t["blocks.0.attn.raw_scores"], [&](const Index& i) {
                double sum = 0;
                for (int64_t d = 0; d < 4; ++d)
                  sum += q.at({i[0], i[2], i[1], d}) * k.at({i[0], i[3], i[1] % 2, d});
                return sum;
              }))};
}

std::vector<Edit> positions_from_one(const Trace& t) {
  std::vector<Edit> out;
  for (const bool sine : {false, true}) {
    const std::string name =
        t.graph
            ->value(t.graph->stage(t.graph->value(t.graph->require("blocks.0.attn.rot_q")).stage)
                        .inputs[sine ? 2 : 1])
            .name;
    out.push_back(put(name, made(t[name], [&](const Index& i) {
                        const double angle = static_cast<double>(i[0] + 1) *
                                             std::pow(10000, -2.0 * static_cast<double>(i[1]) / 4);
                        return sine ? std::sin(angle) : std::cos(angle);
                      })));
  }
  return out;
}

std::vector<Edit> cap_before_scale(const Trace& t) {
  const Tensor& raw = t["blocks.0.attn.raw_scores"];
  return {put("blocks.0.attn.capped_scores",
              made(raw, [&](const Index& i) { return 2 * std::tanh(raw.at(i) / 2) / 2; }))};
}

std::vector<Edit> slopes_of_the_head_before(const Trace& t) {
  const Tensor& x = t["blocks.0.attn.scaled_scores"];
  return {put("blocks.0.attn.biased_scores", made(x, [&](const Index& i) {
                return x.at(i) -
                       std::exp2(-8.0 * static_cast<double>(i[1]) / 4) * static_cast<double>(i[2] - i[3]);
              }))};
}

std::vector<Edit> positions_from_two(const Trace& t) {
  const Tensor& table = t.parameters.at("pos_embed.W_pos");
  return {put("pos_embed", made(t["pos_embed"], [&](const Index& i) { return table.at({i[1] + 2, i[2]}); }))};
}

// [H,D,C] with its heads and their numbers changed round: here there are as many heads as numbers.
void interleave_heads(Tensor& w) {
  const Tensor own = w;
  for (int64_t h = 0; h < 4; ++h)
    for (int64_t d = 0; d < 4; ++d)
      for (int64_t c = 0; c < 16; ++c) w.set({d, h, c}, own.at({h, d, c}));
}

std::vector<Edit> unbiased_variance(const Trace& t) {
  const Tensor &x = t["blocks.1.resid_pre"], &w = t.parameters.at("blocks.1.ln1.w"),
               &b = t.parameters.at("blocks.1.ln1.b");
  return {put("blocks.1.ln1.normalized", made(x, [&](const Index& i) {
                double mean = 0, squares = 0;
                for (int64_t c = 0; c < 16; ++c) mean += x.at({i[0], i[1], c}) / 16;
                for (int64_t c = 0; c < 16; ++c) squares += std::pow(x.at({i[0], i[1], c}) - mean, 2);
                return (x.at(i) - mean) / std::sqrt(squares / 15 + 1e-5) * w.at({i[2]}) + b.at({i[2]});
              }))};
}

using Spoil = std::function<void(std::map<std::string, Tensor>&)>;

void swap_parameters(std::map<std::string, Tensor>& p, const std::string& a, const std::string& b) {
  const Tensor kept = p.at(a);
  copy(p.at(b).view(), p.at(a).view());
  copy(kept.view(), p.at(b).view());
}

void transpose(Tensor& w, int64_t n) {
  const Tensor own = w;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) w.data<float>()[i * n + j] = own.data<float>()[j * n + i];
}

// ---- the cases -----------------------------------------------------------------------------------

struct Case {
  std::string what;  // what is wrong
  Architecture right, wrong;
  std::string first;  // the stage that must be named
  std::string says;   // a part of the hypothesis that must give the other's numbers; empty: none can
  Wrong edits = {};
  Spoil spoil = {};
};

std::vector<Case> cases() {
  const Architecture llama = decoder(), gpt = gpt2(), gemma = gemma2(), alibi = bloom(), encoder = bert(),
                     normed = qwen3();
  const std::string b0 = "blocks.0.", b1 = "blocks.1.", a0 = "blocks.0.attn.";
  std::vector<Case> all;
  const auto add = [&](Case c) { all.push_back(std::move(c)); };
  // Rotary positions.
  add({"rotary base 500000", llama, with_attention(llama, [](auto& o) { o.rotary.base = 500000; }),
       a0 + "rotary.cos", "rotary base 500000"});
  add({"rotary pairs interleaved", llama,
       with_attention(llama, [](auto& o) { o.rotary.pairing = Pairing::interleaved; }), a0 + "rot_q",
       "neighbours"});
  add({"rotary positions begin at 1", llama, llama, a0 + "rotary.cos", "begin at 1", positions_from_one});
  add({"rotary positions left out", llama,
       with_attention(llama, [](auto& o) { o.positions = Positions::none; }), a0 + "raw_scores", "left out"});
  // Scores.
  add({"scale left out", gpt, with_attention(gpt, [](auto& o) { o.scale = 1; }), a0 + "scaled_scores",
       "left out"});
  add({"scale 1/D in place of 1/sqrt(D)", llama, with_attention(llama, [](auto& o) { o.scale = 0.25; }),
       a0 + "scaled_scores", "applied twice"});
  add({"soft cap of scores left out", gemma, with_attention(gemma, [](auto& o) { o.softcap = 0; }),
       a0 + "scores", "soft cap of 2 is left out"});
  add({"soft cap before the scale", gemma, gemma, a0 + "capped_scores", "before the scale",
       cap_before_scale});
  add({"a soft cap that A has not", llama, with_attention(llama, [](auto& o) { o.softcap = 1.5; }),
       a0 + "scores", "soft cap of 1.5"});
  add({"mask off by one", llama, llama, a0 + "scores", "one key more",
       [](const Trace& t) -> std::vector<Edit> {
         const Tensor& x = t["blocks.0.attn.scaled_scores"];
         return {put("blocks.0.attn.scores",
                     made(x, [&](const Index& i) { return i[3] <= i[2] + 1 ? x.at(i) : -INFINITY; }))};
       }});
  add({"window off by one", gemma, with_attention(gemma, [](auto& o) { o.window = 4; }), a0 + "scores",
       "off by one: 4"});
  add({"no window", gemma, with_attention(gemma, [](auto& o) { o.window = 0; }), a0 + "scores", "no window"});
  add({"no causal mask", gpt, with_attention(gpt, [](auto& o) { o.mask = Mask::none; }), a0 + "scores",
       "no causal mask"});
  add({"a causal mask on an encoder", encoder,
       with_attention(encoder, [](auto& o) { o.mask = Mask::causal; }), a0 + "scores", "a causal mask"});
  add({"grouped heads tiled", llama, llama, a0 + "raw_scores", "tiled", tiled_heads});
  add({"ALiBi slopes of the head before", alibi, alibi, a0 + "biased_scores", "head h - 1",
       slopes_of_the_head_before});
  add({"ALiBi left out", alibi, with_attention(alibi, [](auto& o) { o.positions = Positions::none; }),
       a0 + "scores", "left out"});
  // Norms.
  add({"RMS epsilon 1e-3", llama, with_block(llama, [](auto& o) { o.norm.epsilon = 1e-3; }),
       b0 + "ln1.normalized", "epsilon 0.001"});
  add({"layer norm epsilon 1e-3 (1e-12)", encoder,
       with(encoder, [](auto& a) { a.inputs.norm->epsilon = 1e-3; }), "ln_embed.normalized",
       "epsilon 0.001"});
  add({"gain 1 + w", llama, llama, b0 + "ln1.normalized", "1 + w", {}, [](auto& p) {
         for (int64_t i = 0; i < 16; ++i) p.at("blocks.0.ln1.w").template data<float>()[i] += 1;
       }});
  add({"variance over C - 1", gpt, gpt, b1 + "ln1.normalized", "C - 1", unbiased_variance});
  add({"RMS norm in place of layer norm", gpt, with_block(gpt, [](auto& o) { o.norm.kind = Norm::rms; }),
       b0 + "ln1.normalized", "an RMS norm in place"});
  add({"norm before attention left out", llama, with_block(llama, [](auto& o) { o.first_norm = false; }),
       a0 + "q", "left out"});
  add({"norms after in place of before", gpt, with_block(gpt, [](auto& o) { o.norms = NormPlace::after; }),
       b0 + "ln1.normalized", "reads blocks.0.resid_mid"});
  add({"query and key norm left out", normed, llama, a0 + "rot_q", "left out"});
  add({"parallel block in place of one after the other", gpt,
       with_block(gpt, [](auto& o) { o.parallel = true; }), b0 + "ln2.normalized", "resid_pre"});
  add({"embedding norm left out", alibi, with(alibi, [](auto& a) { a.inputs.norm.reset(); }),
       "blocks.0.resid_pre", "left out"});
  // Embedding and residual.
  add({"embedding scale left out", gemma, with(gemma, [](auto& a) { a.inputs.scale = 1; }),
       "blocks.0.resid_pre", "left out"});
  add({"embedding times sqrt(C)", llama, with(llama, [](auto& a) { a.inputs.scale = 4; }),
       "blocks.0.resid_pre", "sqrt(C)"});
  add({"learned positions begin at 2", gpt, gpt, "pos_embed", "begin at 2", positions_from_two});
  add({"residual scale left out", with_block(llama, [](auto& o) { o.residual_scale = 0.22; }), llama,
       b0 + "resid_mid", "left out"});
  // Feed-forward.
  add({"exact GELU in place of tanh's", gpt,
       with_block(gpt, [](auto& o) { o.feed_forward.activation = Activation::gelu; }), b0 + "mlp.post",
       "exact GELU"});
  add({"GELU in place of SiLU", llama,
       with_block(llama, [](auto& o) { o.feed_forward.activation = Activation::gelu; }), b0 + "mlp.gate",
       "exact GELU"});
  add({"gate and up swapped", llama, llama, b0 + "mlp.pre", "mlp.W_up in place", {}, [](auto& p) {
         swap_parameters(p, "blocks.0.mlp.W_in", "blocks.0.mlp.W_up");
       }});
  // Products and heads.
  add({"W_Q transposed", gpt, gpt, a0 + "q", "transposed", {}, [](auto& p) {
         transpose(p.at("blocks.0.attn.W_Q"), 16);
       }});
  add({"query and key weights swapped",
       gpt,
       gpt,
       b1 + "attn.q",
       "reads blocks.1.attn.W_K in place of blocks.1.attn.W_Q",
       {},
       [](auto& p) { swap_parameters(p, "blocks.1.attn.W_Q", "blocks.1.attn.W_K"); }});
  add({"bias of the values left out", gpt, gpt, a0 + "v", "bias is left out", {}, [](auto& p) {
         for (int64_t i = 0; i < 16; ++i) p.at("blocks.0.attn.b_V").template data<float>()[i] = 0;
       }});
  add({"heads joined interleaved", gpt, gpt, b1 + "attn_out", "interleaved", {}, [](auto& p) {
         interleave_heads(p.at("blocks.1.attn.W_O"));
       }});
  add({"head tied", llama, with(llama, [](auto& a) { a.head.tied = true; }), "logits", "tied"});
  add({"soft cap of the logits left out", gemma, with(gemma, [](auto& a) { a.head.softcap = 0; }), "logits",
       "soft cap of 3 is left out"});
  return all;
}

Activations wrong_run(const Case& c, const Trace& right) {
  Model model = drawn(c.wrong);
  if (c.spoil) c.spoil(model.parameters());
  return foreign(run(model, c.edits ? c.edits(right) : std::vector<Edit>{}));
}

TEST(Diff, NamesTheFirstStageOfEverySeededMistake) {
  int named = 0, named_first = 0, explained = 0, explainable = 0;
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.what);
    const Trace right = run(drawn(c.right));
    const Diff d = diff(right, wrong_run(c, right));
    ASSERT_TRUE(d.parts());
    const StageDifference& first = d.stages[static_cast<size_t>(d.first)];
    EXPECT_EQ(first.name, c.first);
    named += first.name == c.first;
    const std::string best = d.hypotheses.empty() ? "" : d.hypotheses[0].what;
    const std::string where = d.hypotheses.empty() ? "" : d.hypotheses[0].where;
    std::printf("| %s | `%s` | %s (`%s`) |\n", c.what.c_str(), first.name.c_str(), best.c_str(),
                where.c_str());
    named_first += best.find(c.says) != std::string::npos;
    if (c.says.empty()) continue;
    ++explainable;
    bool found = false;
    for (const Hypothesis& h : d.hypotheses)
      found = found || (h.reproduces && h.what.find(c.says) != std::string::npos);
    EXPECT_TRUE(found) << d.verdict << " best: " << best << " of " << d.tried;
    explained += found;
  }
  const int all = static_cast<int>(cases().size());
  std::printf("%d of %d at the right stage, %d with the right cause, %d of them named first\n", named, all,
              explained, named_first);
  EXPECT_EQ(named, all);
  EXPECT_EQ(explained, explainable);
  EXPECT_EQ(named_first, explainable);
}

TEST(Diff, AgreesWithItselfAndWithWhatIsRoundedOtherwise) {
  for (const Architecture& a : {decoder(), gpt2(), gemma2(), bloom(), bert(), qwen3()}) {
    const Model model = drawn(a);
    const Trace trace = run(model);
    const Diff same = diff(trace, foreign(trace));
    EXPECT_FALSE(same.parts());
    EXPECT_TRUE(same.missing.empty());
    TraceOptions plain;
    plain.real = DType::f64;
    const Diff rounded = diff(trace, activations_of(model.trace(k_tokens, plain)));
    EXPECT_FALSE(rounded.parts()) << rounded.verdict;
  }
}

// No cause is named for what is rounding alone: at a tolerance below it runs part, without a mistake.
TEST(Diff, NamesNoMistakeForRounding) {
  for (const Architecture& a : {decoder(), gpt2(), gemma2(), bloom(), bert(), qwen3()}) {
    const Model model = drawn(a);
    TraceOptions plain;
    plain.real = DType::f64;
    const Activations doubled = activations_of(model.trace(k_tokens, plain));
    for (const double tolerance : {1e-7, 1e-8, 1e-9}) {
      const Diff d = diff(run(model), doubled, {.tolerance = tolerance});
      for (const Hypothesis& h : d.hypotheses) EXPECT_FALSE(h.reproduces) << a.family << ": " << d.verdict;
    }
  }
}

// A edited, B not: A's own stage gives B's numbers, and no mistake is looked for in B.
TEST(Diff, SaysThatAWasEdited) {
  const Model model = drawn(gpt2());
  const Diff d = diff(run(model, {edit_of("blocks.1.attn.z[H=2]=zero")}), foreign(run(model)));
  ASSERT_TRUE(d.parts());
  EXPECT_TRUE(d.recomputed);
  EXPECT_TRUE(d.hypotheses.empty());
  EXPECT_NE(d.verdict.find("A's were rounded or edited"), std::string::npos) << d.verdict;
}

TEST(Diff, KnowsTheNamesOfOtherPrograms) {
  const Trace trace = run(drawn(decoder()));
  Activations b{"hub", {}, nullptr, {}, {}};
  const auto add = [&](const std::string& name, const std::string& own) { b.arrays[name] = trace[own]; };
  add("out.hidden_states.0", "blocks.0.resid_pre");
  add("hidden_states_1", "blocks.1.resid_pre");
  add("hidden_states[2]", "last_hidden_state");
  add("attentions.1", "blocks.1.attn.pattern");
  add("logits", "logits");
  add("in.input_ids", "tokens");
  add("blocks.0.attn.hook_q", "blocks.0.attn.q");
  add("blocks.0.hook_resid_mid", "blocks.0.resid_mid");
  add("blocks.1.attn.q.hook_out", "blocks.1.attn.q");
  add("blocks.1.hook_out", "blocks.1.resid_post");
  add("nonsense", "logits");
  // No batch; heads joined with their numbers; grouped heads repeated; keepdim.
  Tensor q = trace["blocks.1.attn.q"];
  q.reshape(Shape::unnamed({7, 16}));
  b.arrays["blocks.1.attn.q.hook_out"] = q;
  const Tensor& k = trace["blocks.0.attn.k"];
  Tensor repeated(DType::f32, Shape::unnamed({1, 7, 4, 4}));
  for (int64_t t = 0; t < 7; ++t)
    for (int64_t h = 0; h < 4; ++h)
      for (int64_t d = 0; d < 4; ++d) repeated.set({0, t, h, d}, k.at({0, t, h / 2, d}));
  b.arrays["blocks.0.attn.hook_k"] = repeated;
  Tensor scale = trace["blocks.0.ln1.scale"];
  scale.reshape(Shape::unnamed({1, 7, 1}));
  b.arrays["blocks.0.ln1.hook_scale"] = scale;
  const Diff d = diff(trace, b);
  EXPECT_FALSE(d.parts()) << d.verdict;
  EXPECT_EQ(d.stages.size(), 12u);
  EXPECT_EQ(d.unknown, std::vector<std::string>{"nonsense"});
}

// TransformerLens takes an RMS norm's hook_normalized before the gain.
TEST(Diff, NormalizedBeforeTheGain) {
  const Trace trace = run(drawn(decoder()));
  Tensor before = trace["blocks.0.ln1.normalized"];
  const Tensor& w = trace.parameters.at("blocks.0.ln1.w");
  for (int64_t i = 0; i < before.count(); ++i) before.data<float>()[i] /= w.data<float>()[i % 16];
  Activations b{"lens", {{"blocks.0.ln1.hook_normalized", before}}, nullptr, {}, {}};
  EXPECT_FALSE(diff(trace, b).parts());
}

// Few stages of B: the difference lies between two of them, and the mistake is found all the same.
TEST(Diff, FindsTheMistakeBetweenHiddenStates) {
  const Trace right = run(drawn(decoder()));
  const Trace wrong = run(drawn(with_attention(decoder(), [](auto& o) { o.rotary.base = 500000; })));
  Activations b{"hub", {}, nullptr, {}, {}};
  b.arrays["hidden_states.0"] = wrong["blocks.0.resid_pre"];
  b.arrays["hidden_states.1"] = wrong["blocks.1.resid_pre"];
  b.arrays["hidden_states.2"] = wrong["last_hidden_state"];
  const Diff d = diff(right, b);
  ASSERT_TRUE(d.parts());
  EXPECT_EQ(d.inputs, std::vector<std::string>{"embed"});
  EXPECT_GT(d.between.size(), 10u);
  ASSERT_FALSE(d.hypotheses.empty());
  EXPECT_TRUE(d.hypotheses[0].reproduces) << d.verdict;
  EXPECT_EQ(d.hypotheses[0].what, "rotary base 500000 in place of 10000");
}

// The logits alone, and a setting that is wrong in every layer.
TEST(Diff, FindsAMistakeOfAllLayersFromTheLogitsAlone) {
  const Trace right = run(drawn(gpt2()));
  const Trace wrong =
      run(drawn(with_block(gpt2(), [](auto& o) { o.feed_forward.activation = Activation::relu; })));
  const Diff d = diff(right, {"logits.npy", {{"logits", wrong["logits"]}}, nullptr, {}, {}});
  ASSERT_TRUE(d.parts());
  ASSERT_FALSE(d.hypotheses.empty());
  EXPECT_TRUE(d.hypotheses[0].reproduces) << d.verdict;
  EXPECT_EQ(d.hypotheses[0].what, "ReLU in place of GELU's tanh form");
  EXPECT_EQ(d.hypotheses[0].where, "blocks.0.mlp.post and 1 more");
}

TEST(Diff, SaysWhatIsNotTheSame) {
  const Model model = drawn(gpt2());
  const Trace trace = run(model);
  EXPECT_NE(diff(trace, activations_of(run(model, {}, {3, 7, 1, 21, 5, 9, 2})))
                .verdict.find("tokens[B=0,T=3] is 22 here and 21 there"),
            std::string::npos);
  EXPECT_NE(diff(trace, activations_of(run(model, {}, {3, 7})))
                .verdict.find("tokens is [B=1,T=7] here and [B=1,T=2] there"),
            std::string::npos);
  Activations b = foreign(trace);
  b.arrays["blocks.0.attn.z"].set({0, 2, 1, 3}, std::nan(""));
  const Diff d = diff(trace, b);
  ASSERT_TRUE(d.parts());
  const StageDifference& first = d.stages[static_cast<size_t>(d.first)];
  EXPECT_EQ(first.name, "blocks.0.attn.z");
  EXPECT_EQ(first.cell, (Index{0, 2, 1, 3}));
  EXPECT_TRUE(std::isinf(first.largest));
  EXPECT_NE(to_json(trace, d).find("\"there\":\"nan\""), std::string::npos);
  b.arrays["blocks.0.attn.z"] = Tensor(DType::f32, Shape::unnamed({5, 3}));
  EXPECT_NE(diff(trace, b).verdict.find("the shapes do not fit"), std::string::npos);
  EXPECT_THROW(diff(trace, {"x", {{"nothing", trace["logits"]}}, nullptr, {}, {}}), Error);
  EXPECT_THROW(diff(trace, b, {.tolerance = -1}), Error);
}

// The worst cell comes with its arithmetic, and no line of the page is too wide.
TEST(Diff, ThePageExplainsTheWorstCell) {
  const Trace right = run(drawn(gpt2()));
  const Trace wrong = run(drawn(with_attention(gpt2(), [](auto& o) { o.scale = 1; })));
  const Diff d = diff(right, foreign(wrong));
  ASSERT_EQ(d.explanation.size(), 1u);
  EXPECT_NEAR(d.explanation[0].arithmetic.value(), d.stages[static_cast<size_t>(d.first)].here, 1e-6);
  for (const int columns : {40, 80, 160}) {
    PageOptions options;
    options.columns = columns;
    const std::string text = page(right, d, options);
    size_t begin = 0;
    for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
      EXPECT_LE(display_width(text.substr(begin, end - begin)), static_cast<size_t>(columns))
          << text.substr(begin, end - begin);
    EXPECT_NE(text.find("> blocks"), std::string::npos);
  }
}

}  // namespace
}  // namespace limpid
