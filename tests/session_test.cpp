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
