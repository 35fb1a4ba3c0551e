// What limpid/threads.h promises of calls from several threads, seen by a user: one model, one engine, fused
// calls; after fork; and on a number of threads of one's own choice.  Always against the bits of calls made
// one after another.
#include "limpid/threads.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "limpid/attention.h"
#include "limpid/model.h"

namespace limpid {
namespace {

// Numbers that differ in a bit, or are missing, in either.
int64_t differences(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b) {
  int64_t count = a.size() == b.size() ? 0 : 1;
  for (const auto& [name, x] : a) {
    const auto found = b.find(name);
    if (found == b.end() || found->second.bytes() != x.bytes()) {
      ++count;
      continue;
    }
    const auto *p = static_cast<const char*>(x.raw()), *q = static_cast<const char*>(found->second.raw());
    const size_t each = byte_size(x.dtype());
    for (size_t i = 0; i < x.bytes(); i += each) count += std::memcmp(p + i, q + i, each) != 0;
  }
  return count;
}

void beside_each_other(int threads, const std::function<void(int)>& call) {
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i) all.emplace_back(call, i);
  for (std::thread& each : all) each.join();
}

const std::vector<std::string> k_texts = {
    "Life is short", "The sun is hot and the day is long, and nobody knows where the river ends.",
    "We eat bread",
    "Once upon a time there was a small house at the edge of a wood, and in it lived a king."};

TEST(SeveralThreads, OneModelTracesDifferentTexts) {
  const Model model = Model::builtin();
  TraceOptions options;
  options.observe = {{"*"}};
  std::vector<std::map<std::string, Tensor>> alone;
  for (const std::string& text : k_texts) alone.push_back(model.trace(text, options).values);
  std::vector<int64_t> wrong(k_texts.size());
  beside_each_other(static_cast<int>(k_texts.size()), [&](int i) {
    const auto at = static_cast<size_t>(i);
    for (int round = 0; round < 5; ++round)
      wrong[at] += differences(model.trace(k_texts[at], options).values, alone[at]);
  });
  for (size_t i = 0; i < k_texts.size(); ++i)
    EXPECT_EQ(wrong[i], 0) << "numbers differ of '" << k_texts[i] << "'";
}

TEST(SeveralThreads, GradientsEditsAndGenerationToo) {
  const Model model = Model::builtin();
  TraceOptions backward, edited;
  backward.gradients = true;
  backward.observe = {{"blocks.*.resid_post.grad"}};
  edited.edits = {edit_of("blocks.0.attn.z[H=0]=zero")};
  edited.observe = {{"logits"}};
  const auto gradients = model.trace(k_texts[0], backward).values;
  const auto without_head = model.trace(k_texts[1], edited).values;
  const std::string written = model.generate("The ", {.tokens = 12});
  int64_t wrong = 0, wrong_edited = 0;
  std::string written_beside;
  beside_each_other(3, [&](int i) {
    for (int round = 0; round < 3; ++round) {
      if (i == 0) wrong += differences(model.trace(k_texts[0], backward).values, gradients);
      if (i == 1) wrong_edited += differences(model.trace(k_texts[1], edited).values, without_head);
      if (i == 2) written_beside = model.generate("The ", {.tokens = 12});
    }
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(wrong_edited, 0);
  EXPECT_EQ(written_beside, written);
}

// A run that fails gives its memory back, and those beside it do not notice.
TEST(SeveralThreads, RunsThatFailBesideRunsThatDoNot) {
  const Model model = Model::builtin();
  const std::map<std::string, Tensor> right = model.trace("Life is short").values;
  int64_t wrong = 0;
  int refused = 0;
  beside_each_other(2, [&](int i) {
    for (int round = 0; round < 20; ++round) {
      if (i == 0) {
        wrong += differences(model.trace("Life is short").values, right);
        continue;
      }
      try {
        model.trace(std::vector<int64_t>{1, 2, 1 << 30});
      } catch (const Error&) {
        ++refused;
      }
    }
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(refused, 20);
}

struct Made {
  Tensor q, k, v;
  explicit Made(uint64_t seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal;
    const auto drawn = [&](Shape shape) {
      Tensor t(DType::f32, std::move(shape));
      for (int64_t i = 0; i < t.count(); ++i) t.data<float>()[i] = normal(random);
      return t;
    };
    q = drawn({{Axis::B, 1}, {Axis::T, 150}, {Axis::H, 4}, {Axis::D, 32}});
    k = drawn({{Axis::B, 1}, {Axis::S, 150}, {Axis::G, 2}, {Axis::D, 32}});
    v = drawn({{Axis::B, 1}, {Axis::S, 150}, {Axis::G, 2}, {Axis::D, 32}});
  }
  std::map<std::string, Tensor> attend() const {
    const fused::Attention call{.q = q, .k = k, .v = v, .causal = true};
    const fused::Attended out = fused::forward(call, {.top = 2, .entropy = true});
    std::map<std::string, Tensor> all;
    all["z"] = out.z, all["lse"] = out.lse;
    all["top"] = out.seen.top_weights, all["entropy"] = out.seen.entropy;
    const fused::Gradients d = fused::gradient(call, {.z = out.z, .lse = out.lse, .dz = out.z});
    all["dq"] = d.dq, all["dk"] = d.dk, all["dv"] = d.dv;
    return all;
  }
};

TEST(SeveralThreads, FusedCalls) {
  std::vector<Made> made;
  std::vector<std::map<std::string, Tensor>> alone;
  for (uint64_t seed = 0; seed < 3; ++seed) alone.push_back(made.emplace_back(seed).attend());
  std::vector<int64_t> wrong(3);
  beside_each_other(3, [&](int i) {
    const auto at = static_cast<size_t>(i);
    const ScopedThreads scoped(i + 1);  // each on another number of threads
    for (int round = 0; round < 10; ++round) wrong[at] += differences(made[at].attend(), alone[at]);
  });
  EXPECT_EQ(wrong, std::vector<int64_t>(3));
}

// set_threads while others compute: each call keeps the number that it began with, and its scratch is enough.
TEST(SeveralThreads, TheirNumberChangesWhileOthersCompute) {
  const int before = threads();
  const Made made(7);
  const auto right = made.attend();
  int64_t wrong = 0;
  beside_each_other(2, [&](int i) {
    for (int round = 0; round < 60; ++round) {
      if (i == 0)
        wrong += differences(made.attend(), right);
      else
        set_threads(1 + round % 7);
    }
  });
  set_threads(before);
  EXPECT_EQ(wrong, 0);
}

TEST(SeveralThreads, AForkedChildTracesAsItsParent) {
  const Model model = Model::builtin();
  const ScopedThreads scoped(3);
  const Made made(5);
  const auto right = made.attend();
  const std::map<std::string, Tensor> traced = model.trace("Life is short").values;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(60);
    const bool same = differences(made.attend(), right) == 0 &&
                      differences(model.trace("Life is short").values, traced) == 0;
    _exit(same ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace limpid
