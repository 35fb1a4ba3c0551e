// Models whose matrices are kept as their file has them give the bits of the same model expanded to f32.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "files/gguf/test_gguf.h"
#include "limpid/model.h"
#include "limpid/random.h"

namespace limpid {
namespace {

namespace fs = std::filesystem;

constexpr int64_t k_width = 256, k_hidden = 512, k_vocabulary = 50, k_layers = 2, k_kv_width = 128;

std::vector<float> drawn(Random& random, int64_t count, double deviation = 0.08) {
  std::vector<float> out(static_cast<size_t>(count));
  for (float& x : out) x = static_cast<float>(deviation * random.normal());
  return out;
}

struct Matrix {
  std::string gguf, hub;
  int64_t rows, columns;
};

// Those of a small llama with grouped heads; its output table is its own, or the embedding's.
std::vector<Matrix> matrices(bool tied) {
  std::vector<Matrix> all = {{"token_embd", "model.embed_tokens", k_vocabulary, k_width}};
  if (!tied) all.push_back({"output", "lm_head", k_vocabulary, k_width});
  for (int64_t i = 0; i < k_layers; ++i) {
    const std::string blk = join("blk.", i, "."), layer = join("model.layers.", i, ".");
    all.push_back({blk + "attn_q", layer + "self_attn.q_proj", k_width, k_width});
    all.push_back({blk + "attn_k", layer + "self_attn.k_proj", k_kv_width, k_width});
    all.push_back({blk + "attn_v", layer + "self_attn.v_proj", k_kv_width, k_width});
    all.push_back({blk + "attn_output", layer + "self_attn.o_proj", k_width, k_width});
    all.push_back({blk + "ffn_gate", layer + "mlp.gate_proj", k_hidden, k_width});
    all.push_back({blk + "ffn_up", layer + "mlp.up_proj", k_hidden, k_width});
    all.push_back({blk + "ffn_down", layer + "mlp.down_proj", k_width, k_hidden});
  }
  return all;
}
std::vector<std::pair<std::string, std::string>> gains() {
  std::vector<std::pair<std::string, std::string>> all = {{"output_norm", "model.norm"}};
  for (int64_t i = 0; i < k_layers; ++i) {
    all.push_back({join("blk.", i, ".attn_norm"), join("model.layers.", i, ".input_layernorm")});
    all.push_back({join("blk.", i, ".ffn_norm"), join("model.layers.", i, ".post_attention_layernorm")});
  }
  return all;
}

std::string bytes(const void* data, size_t size) { return {static_cast<const char*>(data), size}; }

// Blocks of any type that is read: those that have no writer here by their bytes, with small scales.
std::string in_blocks(GgufType type, Random& random, int64_t count) {
  if (type == GgufType::q8_0 || type == GgufType::q4_0 || type == GgufType::q4_1) {
    const std::vector<std::byte> blocks = quantize(type, drawn(random, count));
    return bytes(blocks.data(), blocks.size());
  }
  if (type == GgufType::f32) return bytes(drawn(random, count).data(), static_cast<size_t>(count) * 4);
  if (type == GgufType::bf16 || type == GgufType::f16) {
    std::string out;
    for (float x : drawn(random, count))
      out += type == GgufType::bf16 ? le(to_bf16(x).bits) : le(to_f16(x).bits);
    return out;
  }
  const GgufBlock& block = block_of(type);
  std::string out;
  for (int64_t i = 0; i < count; i += block.numbers) {
    std::string one(block.bytes, '\0');
    for (char& each : one) each = static_cast<char>(random.bits());
    const std::string scale = le(to_f16(0.0005f).bits);
    one.replace(type == GgufType::q6_k ? 208 : 0, 2, scale);
    if (type == GgufType::q4_k) one.replace(2, 2, scale);
    out += one;
  }
  return out;
}

class StoredModel : public testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / join("limpid-stored-", ::getpid());
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  // A .gguf whose matrices are of these types in turn.
  std::string gguf(const std::vector<GgufType>& types, bool tied) const {
    Random random(5, 6);
    TestGguf file;
    const auto number = [&](const char* key, uint32_t value) {
      file.keys.push_back(gguf_key(join("llama.", key), GgufValueType::u32, le(value)));
    };
    file.keys.push_back(gguf_key("general.architecture", GgufValueType::string, gguf_string("llama")));
    number("context_length", 1024), number("embedding_length", k_width), number("block_count", k_layers);
    number("feed_forward_length", k_hidden), number("attention.head_count", 4);
    number("attention.head_count_kv", 2), number("attention.key_length", 64);
    size_t next = 0;
    for (const Matrix& m : matrices(tied)) {
      const GgufType type = types[next++ % types.size()];
      file.tensors.push_back({m.gguf + ".weight",
                              {static_cast<uint64_t>(m.columns), static_cast<uint64_t>(m.rows)},
                              static_cast<uint32_t>(type),
                              in_blocks(type, random, m.rows * m.columns),
                              {}});
    }
    for (const auto& [name, hub] : gains()) {
      const std::vector<float> ones(k_width, 1.25f);
      file.tensors.push_back({name + ".weight", {k_width}, 0, bytes(ones.data(), ones.size() * 4), {}});
    }
    const std::string path = (folder / "model.gguf").string();
    write_file_whole(path, file.bytes());
    return path;
  }

  // A folder of the hub with these numbers.
  std::string hub(DType dtype, bool tied) const {
    Random random(7, 8);
    TensorFile file;
    for (const Matrix& m : matrices(tied))
      file.tensors[m.hub + ".weight"] =
          Tensor::of<float>(Shape::unnamed({m.rows, m.columns}), drawn(random, m.rows * m.columns)).to(dtype);
    for (const auto& [name, hub] : gains())
      file.tensors[hub + ".weight"] =
          Tensor::of<float>(Shape::unnamed({k_width}), drawn(random, k_width, 1)).to(dtype);
    write_safetensors(folder / "model.safetensors", file);
    write_file_whole(
        folder / "config.json",
        join(R"({"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":)", k_width,
             R"(,"intermediate_size":)", k_hidden, R"(,"num_hidden_layers":)", k_layers,
             R"(,"num_attention_heads":4,"num_key_value_heads":2,"vocab_size":)", k_vocabulary,
             R"(,"max_position_embeddings":1024,"tie_word_embeddings":)", tied ? "true" : "false", "}"));
    return folder.string();
  }

  fs::path folder;
};

std::vector<int64_t> some_tokens(int64_t count) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back((i * i + 3 * i) % k_vocabulary);
  return ids;
}

Tensor logits_of(const Model& model, const std::vector<int64_t>& ids) {
  RunResult result = model.run(TokenBatch{{ids}, {}}, {.keep = {"logits"}});
  return std::move(result.values.at("logits"));
}

bool same(const Tensor& a, const Tensor& b) {
  return a.count() == b.count() && a.dtype() == b.dtype() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

LoadOptions as(Weights weights) {
  LoadOptions options;
  options.weights = weights;
  return options;
}

// The same bits for a whole text, token by token, and for every number that is looked at.
void expect_same(const Model& stored, const Model& expanded) {
  for (int64_t count : {1, 2, 5, 23}) {
    const std::vector<int64_t> ids = some_tokens(count);
    const Tensor whole = logits_of(stored, ids);
    ASSERT_TRUE(std::isfinite(whole.data<float>()[0]));
    EXPECT_TRUE(same(whole, logits_of(expanded, ids))) << count << " tokens";
    Session session = stored.session();
    for (int64_t i = 0; i < count; ++i) {
      const Tensor logits = session.extend({ids[static_cast<size_t>(i)]});
      ASSERT_EQ(std::memcmp(logits.raw(), whole.data<float>() + i * k_vocabulary, logits.bytes()), 0)
          << "token " << i << " of " << count;
    }
  }
  TraceOptions options;
  options.parameters = options.gradients = true;
  const Trace a = stored.trace(some_tokens(9), options), b = expanded.trace(some_tokens(9), options);
  ASSERT_EQ(a.values.size(), b.values.size());
  for (const auto& [name, tensor] : a.values) EXPECT_TRUE(same(tensor, b.values.at(name))) << name;
  for (const auto& [name, tensor] : a.parameters) EXPECT_TRUE(same(tensor, b.parameters.at(name))) << name;
  TraceOptions plain;
  plain.plain = true;
  const Trace c = stored.trace(some_tokens(4), plain), d = expanded.trace(some_tokens(4), plain);
  EXPECT_TRUE(same(c["logits"], d["logits"])) << "stage by stage";
}

TEST_F(StoredModel, SixteenBitsOfTheHub) {
  for (DType dtype : {DType::bf16, DType::f16})
    for (bool tied : {false, true}) {
      SCOPED_TRACE(join(name(dtype), tied ? ", tied" : ""));
      const std::string path = hub(dtype, tied);
      const Model stored = Model::load(path), expanded = Model::load(path, as(Weights::f32));
      EXPECT_EQ(stored.stored().size(), matrices(tied).size());
      EXPECT_TRUE(expanded.stored().empty());
      EXPECT_LT(stored.parameter_bytes(), expanded.parameter_bytes() * 52 / 100);
      EXPECT_EQ(stored.parameter_count(), expanded.parameter_count());
      expect_same(stored, expanded);
    }
}

TEST_F(StoredModel, BlocksOfGguf) {
  using T = GgufType;
  for (T type : {T::q8_0, T::q4_0, T::q4_1, T::q4_k, T::bf16, T::f16})
    for (bool tied : {false, true}) {
      SCOPED_TRACE(join(name(type), tied ? ", tied" : ""));
      const std::string path = gguf({type}, tied);
      const Model stored = Model::load(path), expanded = Model::load(path, as(Weights::f32));
      EXPECT_EQ(stored.stored().size(), matrices(tied).size());
      EXPECT_LT(stored.parameter_bytes(), fs::file_size(path));
      expect_same(stored, expanded);
    }
}

TEST_F(StoredModel, OneFileOfManyTypes) {
  using T = GgufType;
  const std::string path = gguf({T::q8_0, T::q4_k, T::f16, T::q4_1, T::bf16, T::q4_0, T::f32}, false);
  expect_same(Model::load(path), Model::load(path, as(Weights::f32)));
}

// Other kinds of blocks become bf16: rounded, by at most half of its last place.
TEST_F(StoredModel, OtherBlocksAreRounded) {
  const std::string path = gguf({GgufType::q6_k}, false);
  const Model stored = Model::load(path), expanded = Model::load(path, as(Weights::f32));
  ASSERT_EQ(stored.stored().size(), matrices(false).size());
  for (const auto& [name, matrix] : stored.stored()) {
    EXPECT_EQ(matrix.dtype(), DType::bf16);
    const Tensor rounded = matrix.to_tensor(), exact = expanded.parameter(name);
    for (int64_t i = 0; i < exact.count(); ++i)
      ASSERT_EQ(rounded.data<float>()[i], to_float(to_bf16(exact.data<float>()[i]))) << name;
  }
}

TEST_F(StoredModel, Bf16HalvesFloats) {
  const std::string path = hub(DType::f32, true);
  const Model half = Model::load(path, as(Weights::bf16)), whole = Model::load(path);
  EXPECT_TRUE(whole.stored().empty());
  EXPECT_EQ(half.stored().size(), matrices(true).size());
  for (const auto& [name, matrix] : half.stored()) {
    const Tensor rounded = matrix.to_tensor(), exact = whole.parameter(name);
    for (int64_t i = 0; i < exact.count(); ++i)
      ASSERT_EQ(rounded.data<float>()[i], to_float(to_bf16(exact.data<float>()[i]))) << name;
  }
}

TEST_F(StoredModel, IsSavedAndReadAgain) {
  const Model model = Model::load(gguf({GgufType::q8_0}, true));
  const std::vector<int64_t> ids = some_tokens(11);
  model.save((folder / "f32.safetensors").string());
  EXPECT_TRUE(
      same(logits_of(model, ids), logits_of(Model::load((folder / "f32.safetensors").string()), ids)));
  model.save((folder / "bf16.safetensors").string(), DType::bf16);
  const Model half = Model::load((folder / "bf16.safetensors").string());
  EXPECT_EQ(half.stored().size(), matrices(true).size());
  expect_same(half, Model::load((folder / "bf16.safetensors").string(), as(Weights::f32)));
}

// Blocks of Q8_0 are kept to the bit, and a parameter has its own shape in the file.
TEST_F(StoredModel, IsSavedInEightBits) {
  const Model model = Model::load(gguf({GgufType::q8_0}, true));
  const std::string path = (folder / "q8_0.safetensors").string();
  model.save(path, DType::f16, BlockType::q8_0);
  const Model again = Model::load(path);
  ASSERT_EQ(again.stored().size(), matrices(true).size());
  const TensorFile file = read_safetensors(path);
  for (const auto& [name, matrix] : again.stored()) {
    EXPECT_EQ(matrix.blocks(), BlockType::q8_0) << name;
    EXPECT_TRUE(same(matrix.to_tensor(), model.stored().at(name).to_tensor())) << name;
    EXPECT_EQ(file.tensors.at(name).dtype(), DType::i8);
    EXPECT_TRUE(file.tensors.at(name).shape().same_sizes(matrix.shape()));
    EXPECT_EQ(file.tensors.at(name + ".scale").count() * 32, matrix.count());
  }
  expect_same(again, Model::load(path, as(Weights::f32)));
  Model rounded = Model::load(gguf({GgufType::q4_0}, true));
  rounded.save(path, DType::f32, BlockType::q8_0);
  rounded.round(DType::f32, BlockType::q8_0);
  EXPECT_TRUE(same(logits_of(rounded, some_tokens(7)), logits_of(Model::load(path), some_tokens(7))));
}

TEST_F(StoredModel, EightBitsWithoutTheirScalesAreRefused) {
  const std::string path = (folder / "q8_0.safetensors").string();
  Model::load(gguf({GgufType::q8_0}, true)).save(path, DType::f16, BlockType::q8_0);
  const TensorFile whole = read_safetensors(path);
  const auto refused = [&](const char* words) {
    try {
      Model::load(path);
      ADD_FAILURE() << "was read";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
  };
  TensorFile file = whole;
  file.tensors.erase("embed.W_E.scale");
  write_safetensors(path, file);
  refused("no scales 'embed.W_E.scale'");
  file = whole;
  file.tensors["embed.W_E.scale"] = file.tensors["embed.W_E.scale"].to(DType::f32);
  write_safetensors(path, file);
  refused("expected f16");
  EXPECT_THROW(Model::load(gguf({GgufType::q8_0}, true)).save(path, DType::f16, BlockType::q4_0), Error);
}

// A model whose parameters may be changed has them all as tensors.
TEST_F(StoredModel, IsExpandedWhereItMayChange) {
  Model model = Model::load(gguf({GgufType::q4_0}, true));
  const std::vector<int64_t> ids = some_tokens(7);
  const Tensor before = logits_of(model, ids);
  const size_t all = std::as_const(model).parameters().size();
  EXPECT_FALSE(model.stored().empty());
  EXPECT_TRUE(same(before, logits_of(model, ids)));
  EXPECT_EQ(model.parameters().size(), all);
  EXPECT_TRUE(model.stored().empty());
  EXPECT_TRUE(same(before, logits_of(model, ids)));
  Tensor& table = model.parameters().at("embed.W_E");
  for (int64_t i = 0; i < table.count(); ++i) table.data<float>()[i] *= 2;
  EXPECT_FALSE(same(before, logits_of(model, ids)));
}

TEST_F(StoredModel, ScalesThatAreNotFiniteAreNoted) {
  const std::string path = gguf({GgufType::q8_0}, true);
  EXPECT_TRUE(Model::load(path).notes().empty());
  std::string content = read_file(path);
  const size_t at =
      content.size() - 64 * 1024;  // within some matrix: every place of f16 in it becomes infinite
  for (size_t i = at; i < at + 34; ++i) content[i] = i % 2 ? '\x7c' : '\x00';
  write_file_whole(path, content);
  const Model model = Model::load(path);
  ASSERT_EQ(model.notes().size(), 1u);
  EXPECT_NE(model.notes()[0].find("not finite"), std::string::npos) << model.notes()[0];
}

TEST(StoredMatrixCalls, SayWhatIsWrong) {
  const Shape shape = Shape::unnamed({4, 40});
  EXPECT_THROW(StoredMatrix(DType::f32, BlockType::q8_0, shape, 4, 40, false), Error);
  EXPECT_THROW(StoredMatrix(DType::i8, BlockType::none, shape, 4, 40, false), Error);
  EXPECT_THROW(StoredMatrix(DType::bf16, BlockType::none, shape, 5, 40, false), Error);
  EXPECT_THROW(StoredMatrix(DType::bf16, BlockType::none, shape, int64_t{1} << 40, int64_t{1} << 40, false),
               Error);
  EXPECT_THROW(weights_named("f8"), Error);
  EXPECT_EQ(weights_named("bf16"), Weights::bf16);
}

}  // namespace
}  // namespace limpid
