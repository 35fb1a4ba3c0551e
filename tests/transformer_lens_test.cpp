// State dicts of TransformerLens: a network of ours in its layout gives the same bits.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "built_network.h"
#include "limpid/files.h"
#include "limpid/model.h"

namespace limpid {
namespace {

using Tensors = std::map<std::string, Tensor>;

GptConfig untied() {
  GptConfig c = small_gpt();
  c.tied = false;
  c.activation = Activation::gelu_tanh;
  return c;
}

// As HookedTransformer.state_dict() has it.
Tensors hooked(const Model& model) {
  Tensors out;
  for (const auto& [name, tensor] : model.parameters()) {
    const bool projects = name.ends_with(".W_Q") || name.ends_with(".W_K") || name.ends_with(".W_V");
    out[name] = projects ? Tensor::copy_of(std::as_const(tensor).view().permuted({1, 0, 2})) : tensor;
  }
  out["unembed.b_U"] = Tensor(DType::f32, Shape::unnamed({7}));
  std::fill_n(out["unembed.b_U"].data<float>(), 7, 0.f);
  for (const char* block : {"blocks.0.", "blocks.1."}) {
    out[std::string(block) + "attn.mask"] = Tensor(DType::boolean, Shape::unnamed({6, 6}));
    std::memset(out[std::string(block) + "attn.mask"].raw(), 1, 36);
    out[std::string(block) + "attn.IGNORE"] = Tensor::of<float>(Shape::unnamed({1}), {-1e5f});
  }
  return out;
}

struct Stored {
  explicit Stored(const Tensors& tensors)
      : path(std::filesystem::temp_directory_path() / join("limpid-hooked-", ::getpid(), ".safetensors")) {
    TensorFile file;
    file.tensors = tensors;
    write_safetensors(path, file);
  }
  ~Stored() { std::filesystem::remove(path); }
  std::filesystem::path path;
};

Tensor logits(const Model& model) {
  const RunResult result = model.run(TokenBatch{{{3, 1, 4, 1, 5}}, {}}, {.keep = {"logits"}});
  return result["logits"];
}

TEST(TransformerLens, GivesTheSameBits) {
  const Model model = Model::fresh(untied(), nullptr, 3);
  const Stored file(hooked(model));
  const Model read = Model::load(file.path.string());
  EXPECT_TRUE(same_bits(logits(read), logits(model)));
  ASSERT_EQ(read.notes().size(), 1U);
  EXPECT_NE(read.notes()[0].find("gelu_new"), std::string::npos);
  const Model exact = Model::load(file.path.string(), {.activation = Activation::gelu});
  EXPECT_TRUE(exact.notes().empty());
  EXPECT_FALSE(same_bits(logits(exact), logits(model)));
}

// Gains that are 1 and biases that are 0 are what folding leaves.
TEST(TransformerLens, NormsMayBeFolded) {
  const Model model = Model::fresh(untied(), nullptr, 4);
  Tensors tensors = hooked(model);
  std::erase_if(tensors, [](const auto& entry) { return entry.first.find("ln") != std::string::npos; });
  const Stored file(tensors);
  const Model read = Model::load(file.path.string());
  EXPECT_TRUE(same_bits(logits(read), logits(model)));
  EXPECT_EQ(read.notes().size(), 2U);
}

TEST(TransformerLens, SaysWhatIsWrong) {
  const Model model = Model::fresh(untied(), nullptr, 5);
  const auto error = [&](auto change) -> std::string {
    Tensors tensors = hooked(model);
    change(tensors);
    const Stored file(tensors);
    try {
      Model::load(file.path.string());
    } catch (const Error& e) {
      const std::string what = e.what(), path = file.path.string() + ": ";
      EXPECT_TRUE(what.starts_with(path)) << what;
      return what.substr(std::min(what.size(), path.size()));
    }
    return "(no error)";
  };
  const auto of = [](std::vector<int64_t> sizes) {
    Tensor t(DType::f32, Shape::unnamed(sizes));
    std::fill_n(t.data<float>(), t.count(), 0.f);
    return t;
  };
  EXPECT_EQ(
      error([&](Tensors& t) { t["blocks.0.attn.rotary_sin"] = of({6, 4}); }),
      "it has 'blocks.0.attn.rotary_sin', rotary positions, whose base and pairing the file does not say; "
      "load the model that it was made from");
  EXPECT_EQ(error([&](Tensors& t) { t["blocks.1.attn.W_Q"] = of({2, 4, 8}); }),
            "tensor 'blocks.1.attn.W_Q' is [2,4,8], expected [2,8,4]");
  EXPECT_EQ(error([&](Tensors& t) { t.erase("blocks.1.mlp.b_out"); }),
            "tensor 'blocks.1.mlp.b_out' is missing");
  EXPECT_EQ(error([&](Tensors& t) { t["blocks.1.more"] = of({2}); }),
            "tensor 'blocks.1.more' is no part of the networks of TransformerLens that limpid reads");
  EXPECT_EQ(error([&](Tensors& t) { t["embed.W_E"] = of({7}); }),
            "tensor 'embed.W_E' is [7], expected 2 axes");
  EXPECT_EQ(error([&](Tensors& t) {
              std::erase_if(t,
                            [](const auto& entry) { return entry.first.find(".mlp.") != std::string::npos; });
            }),
            "it has no 'blocks.0.mlp.W_in'; limpid has no blocks of attention alone");
}

}  // namespace
}  // namespace limpid
