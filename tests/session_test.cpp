// Texts that grow: keys and values kept from run to run give the bits of a run of the whole text.
#include <gtest/gtest.h>

#include <cstring>

#include "built_network.h"
#include "files/test_files.h"
#include "limpid/model.h"
#include "limpid/random.h"

namespace limpid {
namespace {

struct Causal {
  std::string name;
  NetworkConfig config;
};
void PrintTo(const Causal& c, std::ostream* out) { *out << c.name; }

std::vector<Causal> causal_networks() {
  std::vector<Causal> all;
  const auto gpt = [&](const char* name, auto change) {
    GptConfig c = small_gpt();
    c.context = 64;
    change(c);
    all.push_back({name, c});
  };
  const auto parts = [&](const char* name, auto change) {
    GptConfig c = small_gpt();
    c.context = 1200;
    c.positions = Positions::rotary;
    Architecture a = architecture_of(c);
    change(a, a.stack.blocks[0]);
    all.push_back({name, a});
  };
  gpt("learned", [](GptConfig&) {});
  gpt("sinusoidal", [](GptConfig& c) { c.positions = Positions::sinusoidal; });
  gpt("rotary", [](GptConfig& c) { c.positions = Positions::rotary; });
  gpt("rotary_interleaved_grouped", [](GptConfig& c) {
    c.positions = Positions::rotary;
    c.pairing = Pairing::interleaved;
    c.kv_heads = 1;
  });
  gpt("alibi", [](GptConfig& c) { c.positions = Positions::alibi; });
  gpt("relative_bias", [](GptConfig& c) { c.positions = Positions::relative_bias; });
  parts("window_softcap", [](Architecture&, BlockOptions& block) {
    block.attention.window = 7;
    block.attention.softcap = 5;
  });
  parts("clipped", [](Architecture&, BlockOptions& block) {
    block.norm.gain = false;
    block.attention.clip = 0.05;
  });
  parts("query_key_norm",
        [](Architecture&, BlockOptions& block) { block.attention.query_key_norm = block.norm; });
  parts("layers_with_and_without_window", [](Architecture& a, BlockOptions& block) {
    BlockOptions windowed = block;
    windowed.attention.window = 5;
    a.stack.blocks.push_back(windowed);
    a.stack.pattern = {0, 1};
  });
  parts("experts_sinks_and_windows", [](Architecture& a, BlockOptions& block) {
    block.attention.sinks = true;
    block.attention.kv_heads = 1;
    block.feed_forward.clamped = ClampedGateOptions{};
    block.feed_forward.experts = ExpertOptions{.count = 4, .chosen = 2, .router_bias = true};
    BlockOptions windowed = block;
    windowed.attention.window = 5;
    a.stack.blocks.push_back(windowed);
    a.stack.pattern = {1, 0};
  });
  parts("parallel", [](Architecture&, BlockOptions& block) { block.parallel = block.shared_norm = true; });
  return all;
}

std::vector<int64_t> drawn_ids(int64_t count, int64_t vocabulary, uint64_t seed) {
  Random random(seed, stream_named("ids"));
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < count; ++i)
    ids.push_back(static_cast<int64_t>(random.uniform() * static_cast<double>(vocabulary)));
  return ids;
}

// The last logits of a run of the whole text.
std::vector<float> whole(const Model& model, const std::vector<int64_t>& ids) {
  const RunResult result = model.run(TokenBatch{{ids}, {}}, {.keep = {"logits"}});
  const Tensor& logits = result["logits"];
  const int64_t vocabulary = logits.shape()[2].size;
  const float* const last = logits.data<float>() + logits.count() - vocabulary;
  return {last, last + vocabulary};
}

bool same_bits(const Tensor& a, const std::vector<float>& b) {
  return a.count() == static_cast<int64_t>(b.size()) && std::memcmp(a.raw(), b.data(), a.bytes()) == 0;
}

class ASession : public testing::TestWithParam<Causal> {};
INSTANTIATE_TEST_SUITE_P(Networks, ASession, testing::ValuesIn(causal_networks()),
                         [](const auto& network) { return network.param.name; });

TEST_P(ASession, HasTheBitsOfAWholeRunHoweverTheTextIsCut) {
  const Model model = Model::fresh(GetParam().config, nullptr, 5);
  ASSERT_TRUE(model.can_extend());
  const std::vector<int64_t> ids = drawn_ids(60, vocabulary_of(model.config()), 3);
  Session session = model.session();
  for (uint64_t round = 0; round < 4; ++round) {
    Random random(round, stream_named("cuts"));
    session.clear();
    while (session.length() < 60) {
      const int64_t first = session.length(),
                    count = std::min<int64_t>(
                        60 - first, 1 + static_cast<int64_t>(random.uniform() * (round == 0 ? 1 : 20)));
      const Tensor logits = session.extend({ids.begin() + first, ids.begin() + first + count});
      ASSERT_TRUE(same_bits(logits, whole(model, {ids.begin(), ids.begin() + first + count})))
          << "round " << round << ", tokens " << first << " to " << first + count;
    }
  }
}

TEST_P(ASession, GeneratesTheSameTokensAsWithoutOne) {
  const Model model = Model::fresh(GetParam().config, nullptr, 6);
  for (const double temperature : {0.0, 1.3}) {
    const auto generated = [&](bool cache) {
      std::vector<std::pair<int64_t, double>> out;
      GenerateOptions options;
      options.tokens = 30;
      options.sample.temperature = temperature;
      options.cache = cache;
      model.generate(std::vector<int64_t>{1, 2, 3}, options,
                     [&](const GeneratedToken& t) { out.push_back({t.id, t.probability}); });
      return out;
    };
    const auto kept = generated(true);
    EXPECT_EQ(kept.size(), 30U);
    EXPECT_EQ(kept, generated(false));
  }
}

// Of the numbers of `a` the largest distance from `b`, as a part of b's largest.
double apart(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0, difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    most = std::max<double>(most, std::abs(b[i]));
    difference = std::max<double>(difference, std::abs(a[i] - b[i]));
  }
  return difference / most;
}

// Keys and values in fewer bits: near the numbers of f32, in less memory, and the same bits however the text
// is cut.
TEST_P(ASession, KeepsKeysAndValuesInFewerBits) {
  const Model model = Model::fresh(GetParam().config, nullptr, 5);
  const std::vector<int64_t> ids = drawn_ids(60, vocabulary_of(model.config()), 3);
  const std::vector<float> exact = whole(model, ids);
  Session floats = model.session();
  floats.extend(ids);
  // Roundings of a number: 2^-9 of bf16, 2^-12 of f16, 1/254 of the largest of a row in i8.
  for (const auto& [type, bound, share] :
       {std::tuple{DType::bf16, 0.02, 0.51}, {DType::f16, 0.004, 0.51}, {DType::i8, 0.04, 0.76}}) {
    SCOPED_TRACE(name(type));
    Session session = model.session_in(type);
    const Tensor at_once = session.extend(ids);
    const std::vector<float> logits(at_once.data<float>(), at_once.data<float>() + at_once.count());
    EXPECT_LT(apart(logits, exact), bound);
    EXPECT_GT(apart(logits, exact), 0) << "rounded numbers give others";
    EXPECT_LT(static_cast<double>(session.bytes()), share * static_cast<double>(floats.bytes()));
    for (uint64_t round = 0; round < 3; ++round) {
      Random random(round, stream_named("cuts"));
      session.clear();
      Tensor last;
      while (session.length() < 60) {
        const int64_t first = session.length(),
                      count = std::min<int64_t>(
                          60 - first, 1 + static_cast<int64_t>(random.uniform() * (round == 0 ? 1 : 40)));
        last = session.extend({ids.begin() + first, ids.begin() + first + count});
      }
      EXPECT_TRUE(same_bits(last, logits)) << "round " << round;
    }
    // Where heads look changes no bit of what they give.
    session.clear();
    std::vector<HeadLook> looks;
    EXPECT_TRUE(same_bits(session.extend(ids, 3, looks), logits));
    ASSERT_FALSE(looks.empty());
    double sum = 0;
    for (double weight : looks[0].weights) sum += weight;
    EXPECT_GT(sum, 0);
    EXPECT_LT(sum, 1.001);
  }
}

// Texts of different lengths side by side: each has what it has alone, one that outgrows the context too.
TEST_P(ASession, WritesManyTextsAsEachAlone) {
  const Model model = Model::fresh(GetParam().config, nullptr, 6);
  std::vector<std::vector<int64_t>> texts;
  for (int64_t length : {3, 1, 47, 12, 64, 5, 30, 8})
    texts.push_back(drawn_ids(length, vocabulary_of(model.config()), static_cast<uint64_t>(length)));
  using Tokens = std::vector<std::pair<int64_t, double>>;
  for (const auto& [type, temperature] :
       {std::pair{DType::f32, 0.0}, {DType::f32, 1.3}, {DType::bf16, 0.0}, {DType::i8, 1.3}}) {
    SCOPED_TRACE(join(name(type), ", temperature ", temperature));
    GenerateOptions options;
    options.tokens = 25;
    options.sample.temperature = temperature;
    options.cache_type = type;
    options.ends = {2};  // some end early
    std::vector<Tokens> alone;
    std::vector<std::vector<int64_t>> ids;
    for (const std::vector<int64_t>& text : texts) {
      Tokens& tokens = alone.emplace_back();
      ids.push_back(model.generate(
          text, options, [&](const GeneratedToken& t) { tokens.push_back({t.id, t.probability}); }));
    }
    for (int64_t at_once : {1, 3, 8}) {
      std::vector<Tokens> together(texts.size());
      EXPECT_EQ(model.generate_batch(texts, options, at_once,
                                     [&](size_t text, const GeneratedToken& t) {
                                       together[text].push_back({t.id, t.probability});
                                     }),
                ids);
      EXPECT_EQ(together, alone) << at_once << " at once";
    }
  }
}

TEST(Session, ABatchSaysWhatIsWrong) {
  const auto call_error = [](auto work) { return error_of(work, Error::Kind::call); };
  const Model model = Model::fresh(small_gpt(), nullptr, 8);
  EXPECT_EQ(call_error([&] { model.generate_batch({{1}, {}}, {}); }),
            "generate: no tokens given; give at least one");
  EXPECT_EQ(call_error([&] { model.generate_batch({{1}}, {}, 0); }),
            "generate: at_once is 0, expected at least 1");
  EXPECT_TRUE(model.generate_batch({}, {}).empty());
  Built net(small_gpt(), Purpose::predict, 2, 3, 5);
  RunOptions options;
  options.keep = {"logits"};
  options.context.first_positions = {0, 1, 2};
  EXPECT_EQ(call_error([&] { Engine(net.graph).run(net.views(), options); }),
            "run: first_positions are 3 numbers, expected 2, one for each text of 'tokens' [B=2,T=3]");
}

TEST(Session, GrowsInFewerBits) {
  GptConfig c = small_gpt();
  c.context = 1200;
  const Model model = Model::fresh(c, nullptr, 9);
  const std::vector<int64_t> ids = drawn_ids(1100, c.vocabulary, 4);
  for (DType type : {DType::bf16, DType::i8}) {
    Session at_once = model.session_in(type), grown = model.session_in(type);
    const Tensor expected = at_once.extend(ids);
    Tensor last;
    for (const auto& [first, end] : {std::pair{0, 200}, {200, 300}, {300, 1099}, {1099, 1100}})
      last = grown.extend({ids.begin() + first, ids.begin() + end});
    EXPECT_EQ(std::memcmp(last.raw(), expected.raw(), expected.bytes()), 0) << name(type);
  }
}

TEST(Session, SaysWhichTypesThereAre) {
  const auto call_error = [](auto work) { return error_of(work, Error::Kind::call); };
  GptConfig c = small_gpt();
  const Model model = Model::fresh(c, nullptr, 8);
  EXPECT_EQ(call_error([&] { model.session_in(DType::i64); }),
            "session: cache_type is of i64, expected f32, bf16, f16 or i8");
  GenerateOptions options;
  options.cache_type = DType::bf16;
  options.cache = false;
  EXPECT_EQ(call_error([&] { model.generate(std::vector<int64_t>{1}, options); }),
            "generate: cache_type is bf16, but no keys and values are kept; let cache be true, or leave "
            "cache_type f32");
}

// Longer than the blocks in which a text is read, and than the room at the beginning.
TEST(Session, ReadsALongTextInBlocks) {
  for (const Causal& network : causal_networks()) {
    if (!std::holds_alternative<Architecture>(network.config)) continue;
    const Model model = Model::fresh(network.config, nullptr, 7);
    const std::vector<int64_t> ids = drawn_ids(1100, vocabulary_of(model.config()), 4);
    Session session = model.session();
    EXPECT_TRUE(same_bits(session.extend(ids), whole(model, ids))) << network.name;
    EXPECT_EQ(session.length(), 1100);
    EXPECT_GT(session.bytes(), 0U);
  }
}

// Past its context a model goes on from the latest tokens, kept or not.
TEST(Session, AWindowThatMovesIsReadAnew) {
  GptConfig c = small_gpt();
  c.context = 8;
  const Model model = Model::fresh(c, nullptr, 8);
  const auto generated = [&](bool cache) {
    int64_t slid = 0;
    GenerateOptions options;
    options.tokens = 20;
    options.cache = cache;
    options.on_slide = [&](int64_t context) { slid = context; };
    const std::vector<int64_t> ids = model.generate(std::vector<int64_t>{1, 2, 3}, options);
    EXPECT_EQ(slid, 8);
    return ids;
  };
  EXPECT_EQ(generated(true), generated(false));
}

TEST(Session, SaysWhatIsWrong) {
  const auto call_error = [](auto work) { return error_of(work, Error::Kind::call); };
  GptConfig c = small_gpt();
  c.context = 8;
  const Model model = Model::fresh(c, nullptr, 8);
  Session session = model.session();
  EXPECT_EQ(call_error([&] { session.extend({}); }), "extend: no tokens given; give at least one");
  EXPECT_EQ(
      call_error([&] { session.extend({0, c.vocabulary}); }),
      join("extend: token ", c.vocabulary, " is none of the vocabulary's, expected 0 to ", c.vocabulary - 1));
  session.extend({0, 1, 2});
  EXPECT_EQ(call_error([&] { session.extend({0, 1, 2, 3, 4, 5}); }),
            "extend: the text would have 9 tokens, but the network has positions for 8; clear() begins anew");
  EXPECT_EQ(session.length(), 3);  // as before
  session.extend({0, 1, 2, 3, 4});
  c.positions = Positions::relative_keys;
  const Model other = Model::fresh(c, nullptr, 8);
  EXPECT_FALSE(other.can_extend());
  EXPECT_EQ(call_error([&] { other.session(); }),
            "session: this network cannot keep keys and values from run to run; run() reads a whole text");
}

}  // namespace
}  // namespace limpid
