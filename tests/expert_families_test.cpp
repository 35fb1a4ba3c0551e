// Families with experts, in the forms that their files have: gpt-oss in floats and in 4 bits with scales, and
// a tensor for each expert.  The files are made here.
#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <tuple>
#include <vector>

#include "files/gguf/test_gguf.h"
#include "limpid/files.h"
#include "limpid/model.h"

namespace limpid {
namespace {

namespace fs = std::filesystem;

constexpr int64_t k_width = 64, k_wide = 32, k_experts = 3, k_heads = 4, k_head = 8, k_words = 20;

class ExpertFamilies : public testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / join("limpid-experts-", ::getpid());
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  Tensor drawn(const std::vector<int64_t>& sizes) {
    Tensor t(DType::f32, Shape::unnamed(sizes));
    for (int64_t i = 0; i < t.count(); ++i)
      t.data<float>()[i] = static_cast<float>(std::normal_distribution<>(0, 0.2)(random));
    return t;
  }
  Tensor bytes(const std::vector<int64_t>& sizes, int low, int high) {
    Tensor t(DType::u8, Shape::unnamed(sizes));
    for (int64_t i = 0; i < t.count(); ++i)
      t.data<uint8_t>()[i] = static_cast<uint8_t>(std::uniform_int_distribution<int>(low, high)(random));
    return t;
  }

  void write(const std::string& config) {
    std::ofstream(folder / "config.json") << config;
    write_safetensors(folder / "model.safetensors", file);
  }
  void write_gpt_oss(int64_t layers = 1) {
    write(join(R"({"model_type":"gpt_oss","architectures":["GptOssForCausalLM"],"hidden_size":)", k_width,
               R"(,"intermediate_size":)", k_wide, R"(,"num_hidden_layers":)", layers,
               R"(,"num_attention_heads":)", k_heads, R"(,"num_key_value_heads":2,"head_dim":)", k_head,
               R"(,"vocab_size":)", k_words, R"(,"num_local_experts":)", k_experts,
               R"(,"num_experts_per_tok":2,"sliding_window":4})"));
  }
  Model load() const { return Model::load(folder.string()); }
  std::string message() const {
    try {
      load();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Error::Kind::work);
      return error.what();
    }
    return "no error";
  }

  // All but the experts' matrices.
  void add_gpt_oss() {
    const auto add = [&](const std::string& name, const std::vector<int64_t>& sizes) {
      file.tensors["model." + name] = drawn(sizes);
    };
    add("embed_tokens.weight", {k_words, k_width});
    file.tensors["lm_head.weight"] = drawn({k_words, k_width});
    add("norm.weight", {k_width});
    const std::string in = "layers.0.";
    add(in + "input_layernorm.weight", {k_width});
    add(in + "post_attention_layernorm.weight", {k_width});
    for (const auto& [name, out] : {std::pair{"q", k_heads}, {"k", int64_t{2}}, {"v", int64_t{2}}}) {
      add(in + "self_attn." + name + "_proj.weight", {out * k_head, k_width});
      add(in + "self_attn." + name + "_proj.bias", {out * k_head});
    }
    add(in + "self_attn.o_proj.weight", {k_width, k_heads * k_head});
    add(in + "self_attn.o_proj.bias", {k_width});
    add(in + "self_attn.sinks", {k_heads});
    add(in + "mlp.router.weight", {k_experts, k_width});
    add(in + "mlp.router.bias", {k_experts});
    add(in + "mlp.experts.gate_up_proj_bias", {k_experts, 2 * k_wide});
    add(in + "mlp.experts.down_proj_bias", {k_experts, k_width});
  }

  // Blocks and scales [M,out,in / 32,...] of a matrix, and the same numbers in floats [M,in,out], by the
  // definition: sign, two bits of exponent, one of mantissa, times 2^(scale - 127).
  struct Both {
    Tensor blocks, scales, floats;
  };
  Both packed(int64_t in, int64_t out) {
    Both both{bytes({k_experts, out, in / 32, 16}, 0, 255), bytes({k_experts, out, in / 32}, 120, 130),
              Tensor(DType::f32, Shape::unnamed({k_experts, in, out}))};
    for (int64_t m = 0; m < k_experts; ++m)
      for (int64_t o = 0; o < out; ++o)
        for (int64_t k = 0; k < in; ++k) {
          const int64_t row = (m * out + o) * in / 2, scale = (m * out + o) * in / 32 + k / 32;
          const int two = both.blocks.data<uint8_t>()[row + k / 2], bits = k % 2 ? two >> 4 : two & 15;
          const int exponent = bits >> 1 & 3;
          const double magnitude =
              exponent ? std::ldexp(1 + 0.5 * (bits & 1), exponent - 1) : 0.5 * (bits & 1);
          both.floats.data<float>()[(m * in + k) * out + o] = static_cast<float>(
              std::ldexp(bits & 8 ? -magnitude : magnitude, both.scales.data<uint8_t>()[scale] - 127));
        }
    return both;
  }

  static void expect_same_logits(const Model& a, const Model& b) {
    for (const std::vector<int64_t>& ids :
         {std::vector<int64_t>{3}, {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3}}) {
      const RunResult x = a.run(TokenBatch{{ids}, {}}, {.keep = {"logits"}}),
                      y = b.run(TokenBatch{{ids}, {}}, {.keep = {"logits"}});
      ASSERT_EQ(std::memcmp(x["logits"].raw(), y["logits"].raw(), x["logits"].bytes()), 0);
    }
  }
  Model load_floats() const {
    LoadOptions options;
    options.weights = Weights::f32;
    return Model::load(folder.string(), options);
  }
  static int64_t kept_experts(const Model& model) {
    int64_t count = 0;
    for (const auto& [name, matrix] : model.stored()) count += name.find(".experts.") != std::string::npos;
    return count;
  }

  std::mt19937_64 random{7};
  fs::path folder;
  TensorFile file;
  const std::string at = "model.layers.0.mlp.experts.";
};

TEST_F(ExpertFamilies, FourBitsWithScalesAreTheFloatsThatTheyStandFor) {
  const Both wide = packed(k_width, 2 * k_wide), narrow = packed(k_wide, k_width);
  add_gpt_oss();
  TensorFile shared = file;
  file.tensors[at + "gate_up_proj"] = wide.floats;
  file.tensors[at + "down_proj"] = narrow.floats;
  write_gpt_oss();
  const Model floats = load();
  file = shared;
  file.tensors[at + "gate_up_proj_blocks"] = wide.blocks;
  file.tensors[at + "gate_up_proj_scales"] = wide.scales;
  file.tensors[at + "down_proj_blocks"] = narrow.blocks;
  file.tensors[at + "down_proj_scales"] = narrow.scales;
  write_gpt_oss();
  const Model packed_model = load();
  ASSERT_EQ(floats.parameters().size(), packed_model.parameters().size());
  for (const auto& [name, tensor] : floats.parameters()) {
    const Tensor& other = packed_model.parameters().at(name);
    EXPECT_EQ(tensor.shape(), other.shape()) << name;
    EXPECT_EQ(std::memcmp(tensor.raw(), other.raw(), tensor.bytes()), 0) << name;
  }
  EXPECT_EQ(floats.hash(), load_floats().hash());  // a hash is of the bytes that are kept
  // Kept in these bits, and multiplied so.
  const StoredMatrix& kept = packed_model.stored().at("blocks.0.mlp.experts.W_in");
  EXPECT_EQ(kept.blocks(), BlockType::mxfp4);
  EXPECT_EQ(kept.bytes(), static_cast<size_t>(k_experts * k_wide * k_width / 32 * 17));
  EXPECT_TRUE(floats.stored().empty());
  expect_same_logits(packed_model, floats);
  // Gate and up stand in turn.
  const Tensor &gate = packed_model.parameters().at("blocks.0.mlp.experts.W_in"),
               &up = packed_model.parameters().at("blocks.0.mlp.experts.W_up");
  EXPECT_EQ(gate.at({2, 5, 3}), wide.floats.at({2, 5, 6}));
  EXPECT_EQ(up.at({2, 5, 3}), wide.floats.at({2, 5, 7}));
}

TEST_F(ExpertFamilies, SixteenBitsAreKept) {
  add_gpt_oss();
  file.tensors[at + "gate_up_proj"] = drawn({k_experts, k_width, 2 * k_wide});
  file.tensors[at + "down_proj"] = drawn({k_experts, k_wide, k_width});
  for (DType dtype : {DType::bf16, DType::f16}) {
    for (auto& [name, tensor] : file.tensors) tensor = tensor.to(dtype);
    write_gpt_oss();
    const Model kept = load(), floats = load_floats();
    EXPECT_EQ(kept_experts(kept), 3);
    EXPECT_TRUE(floats.stored().empty());
    EXPECT_LT(kept.parameter_bytes(), floats.parameter_bytes() * 55 / 100);
    expect_same_logits(kept, floats);
    kept.save((folder / "own.safetensors").string(), dtype);
    const Model again = Model::load((folder / "own.safetensors").string());
    EXPECT_EQ(kept_experts(again), 3);
    expect_same_logits(again, floats);
    fs::remove(folder / "own.safetensors");
  }
}

// llama.cpp's file of the same model: gate and up apart, experts turned, in 4 bits, 8 bits and bf16.
TEST_F(ExpertFamilies, GgufHasTheSameNumbers) {
  const Both gate = packed(k_width, k_wide), up = packed(k_width, k_wide), down = packed(k_wide, k_width);
  add_gpt_oss();
  Tensor joined(DType::f32, Shape::unnamed({k_experts, k_width, 2 * k_wide})),
      bias = file.tensors.at(at + "gate_up_proj_bias");
  for (int64_t i = 0; i < gate.floats.count(); ++i) {
    joined.data<float>()[2 * i] = gate.floats.data<float>()[i];
    joined.data<float>()[2 * i + 1] = up.floats.data<float>()[i];
  }
  file.tensors[at + "gate_up_proj"] = joined;
  file.tensors[at + "down_proj"] = down.floats;
  write_gpt_oss();
  const Model hub = load();

  TestGguf gguf;
  const auto number = [&](const char* key, uint32_t value) {
    gguf.keys.push_back(gguf_key(std::string("gpt-oss.") + key, GgufValueType::u32, le(value)));
  };
  gguf.keys.push_back(gguf_key("general.architecture", GgufValueType::string, gguf_string("gpt-oss")));
  number("block_count", 1), number("embedding_length", k_width), number("feed_forward_length", k_wide);
  number("expert_feed_forward_length", k_wide), number("expert_count", k_experts);
  number("expert_used_count", 2), number("attention.head_count", k_heads);
  number("attention.head_count_kv", 2), number("attention.key_length", k_head);
  number("attention.sliding_window", 4);
  const auto add = [&](const std::string& name, const Tensor& tensor) {
    TestTensor t{name, {}, static_cast<uint32_t>(GgufType::f32), "", {}};
    for (int i = tensor.shape().rank(); i-- > 0;)
      t.dimensions.push_back(static_cast<uint64_t>(tensor.shape()[i].size));
    t.data.assign(static_cast<const char*>(tensor.raw()), tensor.bytes());
    gguf.tensors.push_back(t);
  };
  const std::string layer = "model.layers.0.";
  for (const auto& [theirs, ours] :
       {std::pair{"token_embd.weight", std::string("model.embed_tokens.weight")},
        {"output.weight", "lm_head.weight"},
        {"output_norm.weight", "model.norm.weight"},
        {"blk.0.attn_norm.weight", layer + "input_layernorm.weight"},
        {"blk.0.post_attention_norm.weight", layer + "post_attention_layernorm.weight"},
        {"blk.0.attn_q.weight", layer + "self_attn.q_proj.weight"},
        {"blk.0.attn_q.bias", layer + "self_attn.q_proj.bias"},
        {"blk.0.attn_k.weight", layer + "self_attn.k_proj.weight"},
        {"blk.0.attn_k.bias", layer + "self_attn.k_proj.bias"},
        {"blk.0.attn_v.weight", layer + "self_attn.v_proj.weight"},
        {"blk.0.attn_v.bias", layer + "self_attn.v_proj.bias"},
        {"blk.0.attn_output.weight", layer + "self_attn.o_proj.weight"},
        {"blk.0.attn_output.bias", layer + "self_attn.o_proj.bias"},
        {"blk.0.attn_sinks.weight", layer + "self_attn.sinks"},
        {"blk.0.ffn_gate_inp.weight", layer + "mlp.router.weight"},
        {"blk.0.ffn_gate_inp.bias", layer + "mlp.router.bias"},
        {"blk.0.ffn_down_exps.bias", at + "down_proj_bias"}})
    add(theirs, file.tensors.at(ours));
  for (const int64_t half : {0, 1}) {
    Tensor part(DType::f32, Shape::unnamed({k_experts, k_wide}));
    for (int64_t i = 0; i < part.count(); ++i) part.data<float>()[i] = bias.data<float>()[2 * i + half];
    add(half ? "blk.0.ffn_up_exps.bias" : "blk.0.ffn_gate_exps.bias", part);
  }
  const TestGguf others = gguf;
  const auto add_experts = [&](GgufType type) {
    for (const auto& [name, both, in, out] : {std::tuple{"gate", &gate, k_width, k_wide},
                                              {"up", &up, k_width, k_wide},
                                              {"down", &down, k_wide, k_width}}) {
      std::vector<float> turned;
      for (int64_t m = 0; m < k_experts; ++m)
        for (int64_t o = 0; o < out; ++o)
          for (int64_t k = 0; k < in; ++k) turned.push_back(both->floats.at({m, k, o}));
      TestTensor t{join("blk.0.ffn_", name, "_exps.weight"),
                   {static_cast<uint64_t>(in), static_cast<uint64_t>(out), static_cast<uint64_t>(k_experts)},
                   static_cast<uint32_t>(type),
                   "",
                   {}};
      if (type == GgufType::mxfp4) {
        for (int64_t row = 0; row < k_experts * out; ++row)
          for (int64_t block = 0; block < in / 32; ++block) {
            const int64_t which = row * (in / 32) + block;
            t.data += static_cast<char>(both->scales.template data<uint8_t>()[which]);
            const uint8_t* from = both->blocks.template data<uint8_t>() + which * 16;
            const auto code = [&](int64_t i) { return from[i / 2] >> (i % 2 * 4) & 15; };
            for (int64_t j = 0; j < 16; ++j) t.data += static_cast<char>(code(j) | code(16 + j) << 4);
          }
      } else if (type == GgufType::bf16) {
        for (const float x : turned) t.data += le(to_bf16(x).bits);
      } else {
        const std::vector<std::byte> blocks = quantize(type, turned);
        t.data.assign(reinterpret_cast<const char*>(blocks.data()), blocks.size());
      }
      gguf.tensors.push_back(t);
    }
    std::ofstream(folder / "model.gguf", std::ios::binary) << gguf.bytes();
    gguf = others;
  };
  for (const GgufType type : {GgufType::mxfp4, GgufType::bf16, GgufType::q8_0, GgufType::q4_0}) {
    SCOPED_TRACE(name(type));
    add_experts(type);
    const Model kept = Model::load((folder / "model.gguf").string());
    LoadOptions in_floats;
    in_floats.weights = Weights::f32;
    const Model floats = Model::load((folder / "model.gguf").string(), in_floats);
    EXPECT_EQ(kept_experts(kept), 3);
    expect_same_logits(kept, floats);
    // 4 bits with a scale are exact in all but Q4_0, whose numbers end at 7.
    if (type == GgufType::mxfp4 || type == GgufType::bf16) expect_same_logits(kept, hub);
  }
}

TEST_F(ExpertFamilies, WrongFourBitsAreNamed) {
  const Both wide = packed(k_width, 2 * k_wide), narrow = packed(k_wide, k_width);
  add_gpt_oss();
  file.tensors[at + "gate_up_proj_blocks"] = wide.blocks;
  file.tensors[at + "gate_up_proj_scales"] = wide.scales;
  file.tensors[at + "down_proj_blocks"] = narrow.blocks;
  file.tensors[at + "down_proj_scales"] = narrow.scales;
  const TensorFile good = file;
  const auto said = [&](const std::function<void()>& change) {
    file = good;
    change();
    write_gpt_oss();
    return message();
  };
  const auto expect = [&](const std::string& is, const std::string& words) {
    EXPECT_NE(is.find(words), std::string::npos) << is;
  };
  expect(said([&] { file.tensors.erase(at + "down_proj_scales"); }),
         "'model.layers.0.mlp.experts.down_proj_scales' is missing");
  expect(said([&] { file.tensors[at + "down_proj_scales"] = bytes({k_experts, k_width, 2}, 0, 9); }),
         "down_proj_scales' is [3,64,2], expected [3,64,1]");
  expect(said([&] { file.tensors[at + "gate_up_proj_blocks"] = bytes({k_experts, 2 * k_wide, 2, 8}, 0, 9); }),
         "gate_up_proj_blocks' is [3,64,2,8], expected [3,64,2,16]");
  expect(said([&] { file.tensors[at + "gate_up_proj_blocks"] = drawn({k_experts, 2 * k_wide, 2, 16}); }),
         "holds f32 numbers, expected u8");
  expect(said([&] {
           file.tensors.erase(at + "gate_up_proj_blocks");
           file.tensors.erase(at + "gate_up_proj_scales");
         }),
         "experts.gate_up_proj' is missing");
  expect(said([&] { file.tensors[at + "gate_up_proj"] = wide.floats; }), "belongs to nothing");
}

TEST_F(ExpertFamilies, FloatsOfAnotherShapeAreNamed) {
  add_gpt_oss();
  file.tensors[at + "gate_up_proj"] = drawn({k_experts, k_width, k_wide});
  file.tensors[at + "down_proj"] = drawn({k_experts, k_wide, k_width});
  write_gpt_oss();
  EXPECT_NE(message().find("gate_up_proj' is [3,64,32], expected [3,64,64]"), std::string::npos) << message();
}

TEST_F(ExpertFamilies, ATensorForEachExpert) {
  add_gpt_oss();
  for (auto name : {"mlp.router.weight", "mlp.router.bias", "mlp.experts.gate_up_proj_bias",
                    "mlp.experts.down_proj_bias", "self_attn.sinks", "self_attn.q_proj.bias",
                    "self_attn.k_proj.bias", "self_attn.v_proj.bias", "self_attn.o_proj.bias"})
    file.tensors.erase(std::string("model.layers.0.") + name);
  const std::string in = "model.layers.0.block_sparse_moe.";
  file.tensors[in + "gate.weight"] = drawn({k_experts, k_width});
  for (int64_t m = 0; m < k_experts; ++m)
    for (const auto& [name, out, from] :
         {std::tuple{"w1", k_wide, k_width}, {"w3", k_wide, k_width}, {"w2", k_width, k_wide}})
      file.tensors[join(in, "experts.", m, ".", name, ".weight")] = drawn({out, from});
  const auto config = [&](int64_t experts) {
    write(join(R"({"model_type":"mixtral","architectures":["MixtralForCausalLM"],"hidden_size":)", k_width,
               R"(,"intermediate_size":)", k_wide, R"(,"num_hidden_layers":1,"num_attention_heads":)",
               k_heads, R"(,"num_key_value_heads":2,"head_dim":)", k_head, R"(,"vocab_size":)", k_words,
               R"(,"num_local_experts":)", experts, "}"));
  };
  config(k_experts);
  const Model m = load();
  EXPECT_EQ(m.parameters().at("blocks.0.mlp.experts.W_up").at({2, 7, 5}),
            file.tensors.at(in + "experts.2.w3.weight").at({5, 7}));
  const TensorFile before = file;
  for (auto& [name, tensor] : file.tensors) tensor = tensor.to(DType::bf16);
  config(k_experts);
  EXPECT_EQ(kept_experts(load()), 3);
  expect_same_logits(load(), load_floats());
  file = before;
  file.tensors[in + "gate.weight"] = drawn({2, k_width});
  config(2);  // one expert is left over
  EXPECT_NE(message().find("experts.2.w1.weight' [32,64] belongs to nothing"), std::string::npos)
      << message();
  file.tensors[in + "gate.weight"] = drawn({4, k_width});
  config(4);
  EXPECT_NE(message().find("experts.3.w1.weight' is missing"), std::string::npos) << message();
  config(5000);
  EXPECT_NE(message().find("2 of 5000 experts"), std::string::npos) << message();
}

TEST_F(ExpertFamilies, AreSavedAsLimpidsOwnAndTraced) {
  add_gpt_oss();
  file.tensors[at + "gate_up_proj"] = drawn({k_experts, k_width, 2 * k_wide});
  file.tensors[at + "down_proj"] = drawn({k_experts, k_wide, k_width});
  write_gpt_oss();
  const Model m = load();
  m.save((folder / "own.safetensors").string());
  const Model again = Model::load((folder / "own.safetensors").string());
  EXPECT_EQ(again.hash(), m.hash());
  TraceOptions options;
  options.gradients = true;
  const Trace trace = again.trace(std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7}, options);
  const Tensor &weights = trace["blocks.0.mlp.router_weights"],
               &chosen = trace["blocks.0.mlp.router_weights.chosen"];
  for (int64_t t = 0; t < 7; ++t) {
    double sum = 0;
    for (int64_t e = 0; e < k_experts; ++e) {
      const bool is_chosen = chosen.at({0, t, 0}) == e || chosen.at({0, t, 1}) == e;
      EXPECT_EQ(weights.at({0, t, e}) != 0, is_chosen);
      sum += weights.at({0, t, e});
    }
    EXPECT_NEAR(sum, 1, 1e-6);
  }
  EXPECT_GT(trace["blocks.0.mlp.router_logits.grad"].count(), 0);
}

}  // namespace
}  // namespace limpid
