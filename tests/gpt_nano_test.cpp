// gpt-nano-sort: a real model somebody else trained, with the intermediates that somebody else's program
// recorded.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "data.h"
#include "limpid/model.h"

namespace limpid {
namespace {

class GptNanoSort : public testing::Test {
 protected:
  void SetUp() override {
    folder = data_folder("models/gpt-nano-sort");
    if (folder.empty()) GTEST_SKIP() << "no LIMPID_DATA: gpt-nano-sort is not here";
  }
  std::string folder;
};

// Ours [B,T,H,D] as minGPT has it [B,H,T,D].
Tensor heads_first(const Tensor& x) { return Tensor::copy_of(x.view().permuted({0, 2, 1, 3})); }

double worst_difference(const Tensor& ours, const Tensor& theirs) {
  EXPECT_EQ(ours.count(), theirs.count());
  double worst = 0;
  for (int64_t i = 0; i < ours.count(); ++i) {
    const double a = ours.data<float>()[i], b = theirs.data<float>()[i];
    if (std::isinf(b)) {
      EXPECT_EQ(a, b);
      continue;
    }
    worst = std::max(worst, std::abs(a - b) / std::max(1.0, std::abs(b)));
  }
  return worst;
}

TEST_F(GptNanoSort, EveryRecordedIntermediateIsOurs) {
  Model model = Model::load(folder + "/model.safetensors");
  const TensorFile recorded = read_safetensors(folder + "/partials.safetensors");
  const Tensor tokens = recorded.tensors.at("idx").to(DType::i64);
  for (const bool plain : {false, true}) {
    RunOptions options;
    options.plain = plain;
    options.observe = {{"*"}};
    const RunResult ours = model.run(tokens, options);
    const std::string b = "blocks.0.";
    Tensor joined = ours[b + "attn.joined"];
    const std::vector<std::pair<std::string, Tensor>> pairs = {
        {"tok_emb", ours["embed"]},
        {"x", ours[b + "resid_pre"]},
        {"ln1", ours[b + "ln1.normalized"]},
        {"q", heads_first(ours[b + "attn.q"])},
        {"k", heads_first(ours[b + "attn.k"])},
        {"v", heads_first(ours[b + "attn.v"])},
        {"att", ours[b + "attn.scores"]},
        {"attSm", ours[b + "attn.pattern"]},
        {"y", joined},
        {"yProj", ours[b + "attn_out"]},
        {"attnResid", ours[b + "resid_mid"]},
        {"ln2", ours[b + "ln2.normalized"]},
        {"fc", ours[b + "mlp.pre"]},
        {"gelu", ours[b + "mlp.post"]},
        {"mlp", ours[b + "mlp_out"]},
        {"mlpResid", ours[b + "resid_post"]},
        {"block0", ours[b + "resid_post"]},
        {"block1", ours["blocks.1.resid_post"]},
        {"block2", ours["blocks.2.resid_post"]},
        {"ln_f", ours["ln_final.normalized"]},
        {"lm_head", ours["logits"]},
        {"probs", ours["probs"]},
    };
    double worst = 0;
    for (const auto& [name, mine] : pairs) {
      const double d = worst_difference(mine, recorded.tensors.at(name));
      EXPECT_LT(d, 5e-6) << name << (plain ? " (plain)" : "");
      worst = std::max(worst, d);
    }
    // The position rows are recorded once for the whole batch; q, k and v also joined, as qkv [B,T,3C].
    const Tensor position = Tensor::copy_of(ours["pos_embed"].view().window(0, 0, 1));
    EXPECT_LT(worst_difference(position, recorded.tensors.at("pos_emb")), 5e-6);
    const char* const parts[] = {"attn.q", "attn.k", "attn.v"};
    for (int i = 0; i < 3; ++i) {
      const Tensor theirs = Tensor::copy_of(recorded.tensors.at("qkv").view().window(2, 48 * i, 48));
      EXPECT_LT(worst_difference(ours[b + parts[i]], theirs), 5e-6);
    }
    std::cout << "gpt-nano-sort, " << pairs.size() + 4 << " intermediates" << (plain ? ", plain" : "")
              << ": worst difference " << worst << " of max(1, |value|)\n";
  }
}

TEST_F(GptNanoSort, SortsEveryInput) {
  Model model = Model::load(folder + "/model.safetensors");
  int sorted = 0;
  for (int n = 0; n < 729; ++n) {
    std::vector<int64_t> letters;
    for (int i = 0, rest = n; i < 6; ++i, rest /= 3) letters.push_back(rest % 3);
    std::vector<int64_t> fed = letters, answer;
    for (int i = 0; i < 6; ++i) {
      const Tensor tokens =
          Tensor::of<int64_t>({{Axis::B, 1}, {Axis::T, static_cast<int64_t>(fed.size())}}, fed);
      const RunResult result = model.run(tokens, {.keep = {"logits"}});
      const float* last = result["logits"].data<float>() + (result["logits"].count() - 3);
      answer.push_back(std::max_element(last, last + 3) - last);
      fed.push_back(answer.back());
    }
    std::sort(letters.begin(), letters.end());
    sorted += answer == letters;
  }
  EXPECT_EQ(sorted, 729);
  std::cout << "gpt-nano-sort sorts " << sorted << " of 729 inputs\n";
}

}  // namespace
}  // namespace limpid
