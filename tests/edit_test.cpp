// Edits: heads switched off, values replaced, edges cut; and an edit that changes nothing changes no bit.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "core/threads.h"
#include "limpid/model.h"

namespace limpid {
namespace {

Model small_model() {
  GptConfig c;
  c.layers = 2;
  c.heads = 2;
  c.width = 16;
  c.context = 16;
  c.positions = Positions::rotary;
  const auto tokenizer =
      std::shared_ptr<const Tokenizer>(word_tokenizer_from("Life is short and art is long"));
  c.vocabulary = tokenizer->vocabulary();
  Model model = Model::fresh(c, tokenizer, 3);
  for (auto& [name, tensor] : model.parameters())  // far from its tame beginnings
    if (tensor.shape().rank() > 1)
      for (int64_t i = 0; i < tensor.count(); ++i) tensor.data<float>()[i] *= 15;
  return model;
}

const char* const k_text = "Life is short and art is long";

Trace traced(const std::vector<std::string>& edits, bool plain = false) {
  Model model = small_model();
  TraceOptions options;
  options.plain = plain;
  for (const std::string& edit : edits) options.edits.push_back(edit_of(edit));
  return model.trace(k_text, options);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.count() != b.count()) return false;
  for (int64_t i = 0; i < a.count(); ++i)
    if (std::bit_cast<uint32_t>(a.data<float>()[i]) != std::bit_cast<uint32_t>(b.data<float>()[i]))
      return false;
  return true;
}

std::string message_of(const std::string& edit) {
  try {
    traced({edit});
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::call);
    return error.what();
  }
  return "no error";
}

TEST(Edits, ThatChangeNothingChangeNoBit) {
  const Trace before = traced({});
  for (const char* edit :
       {"blocks.0.attn.pattern=scale:1", "blocks.0.attn.scores=cut:0>1,0>6",  // future keys: masked already
        "blocks.1.attn.z=scale:1", "blocks.*.attn.raw_scores=scale:1", "logits=scale:1"}) {
    const Trace after = traced({edit});
    for (const auto& [name, value] : before.values)
      if (value.dtype() == DType::f32) {
        EXPECT_TRUE(same_bits(value, after[name])) << edit << " changed " << name;
      }
    EXPECT_TRUE(after.notes.empty()) << after.notes.front();
  }
}

TEST(Edits, PuttingATracedValueBackChangesNoBit) {
  const Trace before = traced({});
  for (const char* name :
       {"blocks.0.attn.pattern", "blocks.0.attn.scores", "blocks.1.attn.raw_scores", "blocks.1.attn.q"}) {
    TraceOptions options;
    Edit edit;
    edit.action = Edit::Action::replace;
    edit.pattern = name;
    edit.with = before[name];
    options.edits.push_back(edit);
    const Trace after = small_model().trace(k_text, options);
    for (const auto& [value, tensor] : before.values)
      if (tensor.dtype() == DType::f32) {
        EXPECT_TRUE(same_bits(tensor, after[value])) << name << " changed " << value;
      }
    EXPECT_TRUE(after.notes.empty()) << name;
  }
}

TEST(Edits, SwitchOneHeadOff) {
  const Trace before = traced({}), after = traced({"blocks.0.attn.z[H=1]=zero"});
  const Tensor& z = after["blocks.0.attn.z"];
  for (int64_t t = 0; t < 7; ++t)
    for (int64_t d = 0; d < 8; ++d) {
      EXPECT_EQ(z.at({0, t, 1, d}), 0);
      EXPECT_EQ(z.at({0, t, 0, d}), before["blocks.0.attn.z"].at({0, t, 0, d}));
    }
  EXPECT_FALSE(same_bits(before["logits"], after["logits"]));
  EXPECT_EQ(after.edited, std::vector<std::string>{"blocks.0.attn.z[H=1]=zero"});
}

TEST(Edits, CutAnEdge) {
  for (const char* edit : {"blocks.0.attn.scores=cut:3>1", "blocks.0.attn.pattern=cut:3>1"}) {
    const Trace after = traced({edit});
    const Tensor& pattern = after["blocks.0.attn.pattern"];
    for (int64_t h = 0; h < 2; ++h) {
      double sum = 0;
      for (int64_t s = 0; s < 7; ++s) sum += pattern.at({0, h, 3, s});
      EXPECT_EQ(pattern.at({0, h, 3, 1}), 0);
      EXPECT_NEAR(sum, 1, 1e-6);
    }
    ASSERT_EQ(after.notes.size(), 1u);
    EXPECT_NE(after.notes[0].find("blocks.0.attn runs stage by stage"), std::string::npos);
    // Rows that were not touched stay as they were, up to the rounding of another order of sums.
    const Trace before = traced({});
    for (int64_t t = 0; t < 3; ++t)
      for (int64_t d = 0; d < 8; ++d)
        EXPECT_NEAR(after["blocks.0.attn.z"].at({0, t, 0, d}), before["blocks.0.attn.z"].at({0, t, 0, d}),
                    1e-5);
  }
}

TEST(Edits, OfEveryKindGiveTheSameFastAndPlain) {
  for (const char* edit :
       {"blocks.0.attn.pattern[H=0]=mean", "blocks.1.attn.v=scale:-2", "blocks.0.mlp.post=zero",
        "blocks.1.resid_pre[T=2]=zero", "blocks.0.attn.scaled_scores[H=1,T=4]=zero"}) {
    const Trace fast = traced({edit}), plain = traced({edit}, true);
    for (int64_t i = 0; i < fast["logits"].count(); ++i)
      EXPECT_NEAR(fast["logits"].data<float>()[i], plain["logits"].data<float>()[i], 2e-4) << edit;
    EXPECT_FALSE(same_bits(fast["logits"], traced({})["logits"])) << edit;
  }
}

TEST(Edits, ReplaceWithAnotherRunsValue) {
  Model model = small_model();
  const Trace other = model.trace("art is short and Life is long");
  TraceOptions options;
  std::string file;
  options.edits.push_back(edit_of("blocks.0.resid_mid=replace:somewhere", &file));
  EXPECT_EQ(file, "somewhere");
  options.edits[0].with = other["blocks.0.resid_mid"];
  const Trace patched = model.trace(k_text, options);
  EXPECT_TRUE(
      same_bits(patched["logits"], other["logits"]));  // everything after the patch is the other run's
}

TEST(Edits, NameWhatIsWrong) {
  EXPECT_NE(message_of("blocks.0.attn.zz=zero").find("'blocks.0.attn.zz'"), std::string::npos);
  EXPECT_NE(message_of("blocks.9.*=zero").find("no stage fits 'blocks.9.*'"), std::string::npos);
  EXPECT_NE(message_of("logits").find("expected NAME=ACTION"), std::string::npos);
  EXPECT_NE(message_of("logits=explode").find("'explode' is not an action"), std::string::npos);
  EXPECT_NE(message_of("logits=scale:fast").find("scale needs a finite number"), std::string::npos);
  EXPECT_NE(message_of("logits=scale:nan").find("finite"), std::string::npos);
  EXPECT_NE(message_of("logits[H=0]=zero").find("which has no axis H"), std::string::npos);
  EXPECT_NE(message_of("blocks.0.attn.z[H=2]=zero").find("H=2 is outside"), std::string::npos);
  EXPECT_NE(message_of("blocks.0.attn.z[H]=zero").find("AXIS=INDEX"), std::string::npos);
  EXPECT_NE(message_of("blocks.0.attn.scores=cut:9>0").find("edge 9>0 is outside"), std::string::npos);
  EXPECT_NE(message_of("blocks.0.attn.scores=cut:").find("cut needs edges"), std::string::npos);
  EXPECT_NE(message_of("logits=cut:0>0").find("only edges of scores"), std::string::npos);
  EXPECT_NE(message_of("embed.W_E=zero").find("not computed by a stage"), std::string::npos);
}

TEST(Gradients, AreTracedLikeValues) {
  Model model = small_model();
  TraceOptions options;
  options.gradients = true;
  const Trace trace = model.trace(k_text, options);
  EXPECT_GT(trace.metrics.at("loss"), 0);
  for (const char* name :
       {"logits", "blocks.1.attn.pattern", "blocks.0.attn.q", "blocks.0.mlp.post", "embed.W_E"})
    EXPECT_EQ(trace[std::string(name) + ".grad"].count() > 0, true) << name;
  EXPECT_EQ(trace["blocks.0.attn.pattern.grad"].shape().sizes(),
            trace["blocks.0.attn.pattern"].shape().sizes());
  EXPECT_TRUE(same_bits(trace["logits"], model.trace(k_text)["logits"]));
}

// ---- law 3 ---------------------------------------------------------------------------------------

TEST(SameBits, AtAnyThreadCountAndBesideAnyNeighbour) {
  Model model = small_model();
  const int before = threads();
  const std::vector<int64_t> ids = model.encode(k_text);
  const int64_t length = static_cast<int64_t>(ids.size());
  const auto logits = [&](int64_t batch, int64_t row) {
    Tensor tokens(DType::i64, {{Axis::B, batch}, {Axis::T, length}});
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t t = 0; t < length; ++t)
        tokens.data<int64_t>()[b * length + t] = b == row ? ids[static_cast<size_t>(t)] : (b + 3 * t) % 5;
    const Tensor all = model.run(tokens, {.keep = {"logits"}})["logits"];
    return Tensor::copy_of(all.view().window(0, row, 1));
  };
  const Tensor alone = logits(1, 0);
  for (const int count : {1, 2, 3, 8}) {
    set_threads(count);
    EXPECT_TRUE(same_bits(alone, logits(1, 0))) << count << " threads";
    EXPECT_TRUE(same_bits(alone, logits(5, 3))) << count << " threads, in a batch";
    EXPECT_TRUE(same_bits(alone, logits(64, 63))) << count << " threads, in a large batch";
  }
  set_threads(before);
}

}  // namespace
}  // namespace limpid
