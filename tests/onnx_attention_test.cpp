// The ONNX standard's Attention cases, all of them, through the public fused attention, and those without a
// mask through the public decode too.  ONNX keeps heads
// before places ([B,H,T,D]), or together in one axis ([B,T,H D]); appends K and V to a past; and gives
// numbers inside the operator (qk_matmul_output), which are windows here.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "kernels/test_helpers.h"
#include "limpid/attention.h"
#include "onnx_cases.h"

namespace limpid {
namespace {

using onnx::OnnxCase;

constexpr const char* k_cases[] = {
    "test_attention_23_boolmask_fullymasked_row_nan_robustness",
    "test_attention_23_fullymasked_qk_matmul_output_mode3_zero",
    "test_attention_24_qk_matmul_output_mode3_softmax_precision",
    "test_attention_3d",
    "test_attention_3d_attn_mask",
    "test_attention_3d_diff_heads_sizes",
    "test_attention_3d_diff_heads_sizes_attn_mask",
    "test_attention_3d_diff_heads_sizes_causal",
    "test_attention_3d_diff_heads_sizes_softcap",
    "test_attention_3d_diff_heads_with_past_and_present",
    "test_attention_3d_gqa",
    "test_attention_3d_gqa_causal",
    "test_attention_3d_gqa_scaled",
    "test_attention_3d_gqa_softcap",
    "test_attention_3d_scaled",
    "test_attention_3d_softcap",
    "test_attention_3d_transpose_verification",
    "test_attention_3d_with_past_and_present_qk_matmul",
    "test_attention_3d_with_past_and_present_qk_matmul_bias",
    "test_attention_3d_with_past_and_present_qk_matmul_softcap",
    "test_attention_4d",
    "test_attention_4d_attn_mask",
    "test_attention_4d_attn_mask_3d",
    "test_attention_4d_attn_mask_4d",
    "test_attention_4d_attn_mask_4d_causal",
    "test_attention_4d_attn_mask_bool",
    "test_attention_4d_causal",
    "test_attention_4d_causal_nonpad_attn_mask_composition",
    "test_attention_4d_causal_nonpad_batch_prefill",
    "test_attention_4d_causal_nonpad_negative_offset_structural_empty",
    "test_attention_4d_causal_with_past_and_present",
    "test_attention_4d_diff_heads_mask4d_padded_kv",
    "test_attention_4d_diff_heads_sizes_attn_mask",
    "test_attention_4d_diff_heads_sizes_causal",
    "test_attention_4d_diff_heads_sizes_scaled",
    "test_attention_4d_diff_heads_with_past_and_present",
    "test_attention_4d_diff_heads_with_past_and_present_mask3d",
    "test_attention_4d_diff_heads_with_past_and_present_mask4d",
    "test_attention_4d_gqa",
    "test_attention_4d_gqa_attn_mask",
    "test_attention_4d_gqa_causal",
    "test_attention_4d_gqa_causal_nonpad_decode_fp16",
    "test_attention_4d_gqa_scaled",
    "test_attention_4d_gqa_softcap",
    "test_attention_4d_gqa_with_past_and_present_fp16",
    "test_attention_4d_scaled",
    "test_attention_4d_softcap",
    "test_attention_4d_softcap_neginf_mask_poison",
    "test_attention_4d_with_past_and_present",
    "test_attention_4d_with_past_and_present_qk_matmul",
    "test_attention_4d_with_past_and_present_qk_matmul_bias_3d_mask",
    "test_attention_4d_with_past_and_present_qk_matmul_bias_3d_mask_causal",
    "test_attention_4d_with_past_and_present_qk_matmul_bias_4d_mask",
    "test_attention_4d_with_qk_matmul",
    "test_attention_4d_with_qk_matmul_bias",
    "test_attention_4d_with_qk_matmul_softcap",
    "test_attention_causal_boolmask_nan_robustness",
};

const std::map<std::string, OnnxCase>& cases() {
  static const std::map<std::string, OnnxCase> all = [] {
    std::map<std::string, OnnxCase> attention;
    if (!std::filesystem::exists(onnx::cases_file())) return attention;
    for (OnnxCase& c : onnx::read_cases(read_safetensors(onnx::cases_file())))
      if (c.op == "Attention") attention.emplace(c.name, std::move(c));
    return attention;
  }();
  return all;
}

// ---- saying a case in our terms ------------------------------------------------------------------

// As [B,H,T,D], whichever way it came; places and heads by the letters that q, k and v have here.
Tensor by_heads(const Tensor& x, int64_t heads, Axis head, Axis place) {
  const Shape& s = x.shape();
  if (s.rank() == 4) {
    Tensor named = x;
    named.reshape({{Axis::B, s[0].size}, {head, s[1].size}, {place, s[2].size}, {Axis::D, s[3].size}});
    return named;
  }
  Tensor split = x;
  split.reshape({{Axis::B, s[0].size}, {place, s[1].size}, {head, heads}, {Axis::D, s[2].size / heads}});
  return Tensor::copy_of(split.view().permuted({0, 2, 1, 3}));
}

// past and then x, along the places (axis 2).
Tensor appended(const Tensor& past, const Tensor& x) {
  Shape shape = x.shape();
  const int64_t before = past.shape()[2].size;
  shape[2].size += before;
  Tensor all(x.dtype(), shape);
  Tensor named = past;
  Shape past_shape = x.shape();
  past_shape[2].size = before;
  named.reshape(past_shape);
  for (int64_t i = 0; i < all.count(); ++i) {
    const int64_t d = shape[3].size, s = shape[2].size, g = shape[1].size;
    const Index at = {i / (d * s * g), i / (d * s) % g, i / d % s, i % d};
    Index from = at;
    if (at[2] >= before) from[2] -= before;
    all.set(at, at[2] < before ? named.at(from) : x.at(from));
  }
  return all;
}

// A mask that is narrower than the keys hides the rest.
Tensor widened(const Tensor& mask, int64_t keys) {
  Shape shape = mask.shape();
  const int64_t narrow = shape[shape.rank() - 1].size;
  if (narrow == keys || narrow == 1) return mask;
  shape[shape.rank() - 1].size = keys;
  Tensor wide(mask.dtype(), shape);
  const int64_t rows = narrow == 0 ? 0 : mask.count() / narrow;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t s = 0; s < keys; ++s) {
      const int64_t to = r * keys + s, from = r * narrow + s;
      if (mask.dtype() == DType::boolean)
        wide.data<bool>()[to] = s < narrow && mask.data<bool>()[from];
      else
        wide.data<float>()[to] = s < narrow ? mask.data<float>()[from] : -INFINITY;
    }
  return wide;
}

// ---- agreeing ------------------------------------------------------------------------------------

// F32 as ONNX's runner compares; F16 to one step of its last bit.
void expect_agrees(const char* what, const Tensor& ours, const Tensor& expected) {
  SCOPED_TRACE(what);
  ASSERT_EQ(ours.count(), expected.count());
  if (expected.dtype() == DType::f32) {
    ASSERT_EQ(ours.dtype(), DType::f32);
    EXPECT_LE(onnx::worst(ours, expected), 1);
    return;
  }
  ASSERT_EQ(expected.dtype(), DType::f16);
  const Tensor half = ours.to(DType::f16);
  const auto ordered = [](f16 x) { return x.bits & 0x8000 ? -(x.bits & 0x7fff) : static_cast<int>(x.bits); };
  for (int64_t i = 0; i < expected.count(); ++i) {
    const f16 a = half.data<f16>()[i], b = expected.data<f16>()[i];
    ASSERT_FALSE(std::isnan(to_float(a)));
    EXPECT_LE(std::abs(ordered(a) - ordered(b)), 1) << to_float(a) << " " << to_float(b);
  }
}

void expect_same_numbers(const char* what, const Tensor& ours, const Tensor& expected) {
  ASSERT_EQ(ours.bytes(), expected.bytes()) << what;
  EXPECT_TRUE(std::equal(static_cast<const char*>(ours.raw()),
                         static_cast<const char*>(ours.raw()) + ours.bytes(),
                         static_cast<const char*>(expected.raw())))
      << what;
}

void run(const OnnxCase& c) {
  const Tensor q = by_heads(c.in("Q"), c.integer("q_num_heads", 0), Axis::H, Axis::T);
  Tensor k = by_heads(c.in("K"), c.integer("kv_num_heads", 0), Axis::G, Axis::S),
         v = by_heads(c.in("V"), c.integer("kv_num_heads", 0), Axis::G, Axis::S);
  const int64_t past = c.has("past_key") ? c.in("past_key").shape()[2].size : 0;
  if (past > 0) {
    k = appended(c.in("past_key"), k);
    v = appended(c.in("past_value"), v);
    expect_same_numbers("present_key", k, c.outputs.at("present_key"));
    expect_same_numbers("present_value", v, c.outputs.at("present_value"));
  }
  const int64_t queries = q.shape()[2].size, keys = k.shape()[2].size;
  fused::Attention call{.q = q, .k = k, .v = v};
  call.causal = c.integer("is_causal", 0) != 0;
  call.softcap = c.real("softcap", 0);
  if (c.attributes.contains("scale")) call.scale = c.real("scale", 1);
  std::vector<int64_t> firsts, lengths;
  if (c.has("nonpad_kv_seqlen")) {
    const Tensor& given = c.in("nonpad_kv_seqlen");
    lengths.assign(given.data<int64_t>(), given.data<int64_t>() + given.count());
    for (int64_t length : lengths) firsts.push_back(length - queries);
    call.key_lengths = lengths;
    call.first_queries = firsts;
  } else {
    call.first_query = past;
  }
  Tensor mask;
  if (c.has("attn_mask")) {
    mask = c.in("attn_mask");
    mask = widened(mask.dtype() == DType::boolean ? mask : mask.to(DType::f32), keys);
    (mask.dtype() == DType::boolean ? call.allowed : call.bias) = std::as_const(mask);
  }
  ASSERT_EQ(c.integer("softmax_precision", 1), 1);  // float, as ours always is

  // z in the order that ONNX wants it.
  Shape shape = {{Axis::B, q.shape()[0].size},
                 {Axis::H, q.shape()[1].size},
                 {Axis::T, queries},
                 {Axis::D, v.shape()[3].size}};
  if (c.in("Q").shape().rank() == 3) std::swap(shape[1], shape[2]);
  Tensor z(q.dtype(), shape),
      lse(DType::f32, {{Axis::B, shape[0].size}, {Axis::H, q.shape()[1].size}, {Axis::T, queries}});
  fused::forward_into(call, z, lse);
  expect_agrees("Y", z, c.outputs.at("Y"));

  // The same by decode, where there is no mask of cells.
  if (!c.has("attn_mask")) {
    const fused::Decode decode{.q = q,
                               .keys = {k},
                               .values = {v},
                               .scale = call.scale,
                               .softcap = call.softcap,
                               .causal = call.causal,
                               .first_query = call.first_query,
                               .first_queries = firsts,
                               .key_lengths = lengths};
    Tensor decoded(q.dtype(), shape);
    fused::decode_into(decode, decoded, {});
    expect_agrees("Y by decode", decoded, c.outputs.at("Y"));
  }

  if (c.outputs.count("qk_matmul_output")) {
    static constexpr fused::Cells k_modes[] = {fused::Cells::scaled_scores, fused::Cells::capped_scores,
                                               fused::Cells::scores, fused::Cells::pattern};
    const auto mode = static_cast<size_t>(c.integer("qk_matmul_output_mode", 0));
    ASSERT_LT(mode, std::size(k_modes));
    expect_agrees("qk_matmul_output", fused::window(call, {.lse = lse}, {.cells = k_modes[mode]}),
                  c.outputs.at("qk_matmul_output"));
  }
}

class OnnxAttention : public ::testing::TestWithParam<const char*> {};

TEST_P(OnnxAttention, Agrees) {
  if (cases().empty()) GTEST_SKIP() << "no " << onnx::cases_file() << " (LIMPID_DATA names the data folder)";
  const auto found = cases().find(GetParam());
  ASSERT_NE(found, cases().end());
  kernels::testing::on_every_isa([&](const std::string&) { run(found->second); });
}

INSTANTIATE_TEST_SUITE_P(Cases, OnnxAttention, ::testing::ValuesIn(k_cases),
                         [](const auto& of) { return std::string(of.param).substr(sizeof("test_") - 1); });

TEST(OnnxAttentionCases, NoneIsLeftOut) {
  if (cases().empty()) GTEST_SKIP() << "no " << onnx::cases_file() << " (LIMPID_DATA names the data folder)";
  for (const auto& [name, c] : cases())
    EXPECT_EQ(std::count_if(std::begin(k_cases), std::end(k_cases), [&](const char* x) { return name == x; }),
              1)
        << name;
  EXPECT_EQ(cases().size(), std::size(k_cases));
}

}  // namespace
}  // namespace limpid
