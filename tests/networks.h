// Small networks of every kind, for tests of what all of them promise.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "built_network.h"
#include "limpid/network.h"

namespace limpid {

struct Named {
  std::string name;
  NetworkConfig config;
};
inline void PrintTo(const Named& n, std::ostream* out) { *out << n.name; }

// DeBERTa-v2 with all that it may have: shared and normed rows of distances in buckets, a narrow embedding, a
// convolution.
inline Architecture small_deberta() {
  Architecture a = architecture_of(small_gpt());
  a.inputs.positions = Positions::none;
  a.inputs.embedding_width = 6;
  a.inputs.projects_sum = a.inputs.norm_after_projection = true;
  a.inputs.projection_bias = false;
  a.inputs.token_types = 2;
  a.inputs.norm = NormOptions{};
  BlockOptions& block = a.stack.blocks[0];
  block.norms = NormPlace::after;
  block.attention.mask = Mask::none;
  block.attention.positions = Positions::disentangled;
  block.attention.disentangled =
      DisentangledOptions{.buckets = {.span = 4, .buckets = 4, .max_distance = 8}, .norm = NormOptions{}};
  a.stack.final_norm.reset();
  a.stack.convolution = ConvolutionOptions{3, Activation::gelu, {}};
  a.head = {.kind = Head::masked_word, .bias = true, .transform = true, .transform_norm = NormOptions{}};
  return a;
}

inline std::vector<Named> networks() {
  std::vector<Named> all;
  const auto gpt = [&](const char* name, auto change) {
    GptConfig c = small_gpt();
    change(c);
    all.push_back({std::string("gpt_") + name, c});
  };
  gpt("learned", [](GptConfig&) {});
  gpt("rotary", [](GptConfig& c) { c.positions = Positions::rotary; });
  gpt("rotary_interleaved_swiglu_rms", [](GptConfig& c) {
    c.positions = Positions::rotary;
    c.pairing = Pairing::interleaved;
    c.activation = Activation::swiglu;
    c.norm = Norm::rms;
    c.bias = false;
  });
  gpt("grouped_untied_tanh", [](GptConfig& c) {
    c.kv_heads = 1;
    c.tied = false;
    c.activation = Activation::gelu_tanh;
  });
  gpt("sinusoidal_relu", [](GptConfig& c) {
    c.positions = Positions::sinusoidal;
    c.activation = Activation::relu;
  });
  gpt("alibi", [](GptConfig& c) { c.positions = Positions::alibi; });
  gpt("relative_bias", [](GptConfig& c) { c.positions = Positions::relative_bias; });
  gpt("relative_keys", [](GptConfig& c) { c.positions = Positions::relative_keys; });
  gpt("disentangled", [](GptConfig& c) { c.positions = Positions::disentangled; });
  gpt("dropout", [](GptConfig& c) { c.dropout = c.attention_dropout = 0.3; });
  const auto textbook = [&](const char* name, auto change) {
    TextbookConfig c = small_textbook();
    change(c);
    all.push_back({std::string("textbook_") + name, c});
  };
  textbook("plain", [](TextbookConfig&) {});
  textbook("heads_norm_positions", [](TextbookConfig& c) {
    c.heads = 2;
    c.add_norm = true;
    c.positions = Positions::learned;
    c.mask = Mask::causal;
  });
  textbook("classes", [](TextbookConfig& c) {
    c.head = Head::classes;
    c.outputs = 3;
  });
  textbook("regression_of_vectors", [](TextbookConfig& c) {
    c.head = Head::regression;
    c.outputs = 2;
    c.vectors = true;
    c.pool = Pool::last;
  });
  const auto parts = [&](const char* name, auto change) {
    Architecture a = architecture_of(small_gpt());
    a.inputs.positions = a.stack.blocks[0].attention.positions = Positions::none;
    change(a, a.stack.blocks[0], a.stack.blocks[0].attention);
    all.push_back({std::string("parts_") + name, a});
  };
  using Block = BlockOptions;
  using Attention = AttentionOptions;
  parts("bert", [](Architecture& a, Block& block, Attention& attention) {
    a.inputs.token_types = 2;
    a.inputs.norm = NormOptions{};
    a.inputs.positions = Positions::learned;
    a.stack.final_norm.reset();
    block.norms = NormPlace::after;
    attention.mask = Mask::none;
    a.head = {.kind = Head::masked_word, .bias = true, .transform = true, .transform_norm = NormOptions{}};
  });
  parts("shared_narrow_embedding", [](Architecture& a, Block&, Attention& attention) {
    a.inputs.embedding_width = 6;
    a.inputs.projects_sum = a.stack.shared = true;
    a.inputs.norm = NormOptions{};
    attention.mask = Mask::none;
    a.head = {.kind = Head::token_classes, .transform = true, .outputs = 3};
  });
  parts("norms_around_caps_and_windows", [](Architecture& a, Block& block, Attention& attention) {
    a.inputs.scale = 1.5;
    block.norms = NormPlace::both;
    attention.softcap = 2;
    attention.scale = 0.3;
    attention.query_key_norm = NormOptions{Norm::rms, 1e-6};
    attention.positions = Positions::rotary;
    attention.rotary =
        scaled({attention.width, 10000}, {.kind = RotaryScaling::yarn, .factor = 4, .original_context = 16});
    Block local = block;
    local.attention.window = 2;
    a.stack.blocks.push_back(local);
    a.stack.pattern = {1, 0};
    a.head.softcap = 3;
  });
  parts("norms_of_the_output", [](Architecture& a, Block& block, Attention& attention) {
    block.norms = NormPlace::output;
    block.residual_scale = 0.5;
    attention.query_key_norm = NormOptions{Norm::rms, 1e-6};
    attention.query_key_norm_joins_heads = true;
    a.head.scale = 0.25;
  });
  parts("parallel_quick_gelu", [](Architecture&, Block& block, Attention&) {
    block.parallel = true;
    block.feed_forward.activation = Activation::quick_gelu;
  });
  parts("parallel_shared_norm_gated", [](Architecture& a, Block& block, Attention&) {
    block.parallel = block.shared_norm = true;
    block.feed_forward.gated = true;
    block.feed_forward.activation = Activation::gelu_tanh;
    a.head.tied = false;
    a.head.bias = true;
  });
  parts("shared_relative_bias_and_classes", [](Architecture& a, Block&, Attention& attention) {
    attention.mask = Mask::none;
    attention.positions = Positions::relative_bias;
    attention.bias_table = "relative_attention_bias";
    a.head = {
        .kind = Head::classes, .bias = true, .transform = true, .activation = Activation::tanh, .outputs = 3};
  });
  parts("clipped_with_norms_without_parameters", [](Architecture& a, Block& block, Attention& attention) {
    block.norm = {.bias = false, .gain = false};
    a.stack.final_norm = block.norm;
    attention.clip = 0.03;  // about half of what the projections give
    attention.bias = true;
  });
  parts("symmetric_window", [](Architecture& a, Block& block, Attention& attention) {
    block.feed_forward.activation = Activation::relu_squared;
    attention.mask = Mask::none;
    attention.window = 2;
    attention.window_after = 1;
    attention.positions = Positions::rotary;
    attention.rotary = {attention.width, 160000};
    a.head.kind = Head::masked_word;
  });
  all.push_back({"parts_deberta", small_deberta()});
  parts("disentangled_from_one_side", [](Architecture& a, Block&, Attention& attention) {
    attention.mask = Mask::none;
    attention.positions = Positions::disentangled;
    attention.disentangled =
        DisentangledOptions{.content_to_position = false, .shared = false, .buckets = {.span = 3}};
    a.inputs.token_dropout = TokenDropout{2, 0.2};
    a.head = {.kind = Head::classes, .bias = true, .outputs = 3};
  });
  parts("experts_with_sinks", [](Architecture& a, Block& block, Attention& attention) {
    attention.sinks = attention.bias = attention.out_bias = true;
    attention.kv_heads = 1;
    block.feed_forward.width = 5;
    block.feed_forward.clamped = ClampedGateOptions{.limit = 0.7, .slope = 1.5};
    block.feed_forward.experts = ExpertOptions{.count = 4, .chosen = 2, .router_bias = true};
    Block local = block;
    local.attention.window = 2;
    a.stack.blocks.push_back(local);
    a.stack.pattern = {1, 0};
  });
  parts("experts_by_shares_of_all", [](Architecture&, Block& block, Attention&) {
    block.feed_forward = {.width = 5, .activation = Activation::silu, .gated = true, .bias = false};
    block.feed_forward.experts = ExpertOptions{.count = 5, .chosen = 2, .share_of_all = true};
  });
  parts("experts_that_are_not_gated_and_sinks_that_see_all",
        [](Architecture& a, Block& block, Attention& attention) {
          attention.mask = Mask::none;
          attention.sinks = true;
          block.feed_forward = {.width = 5};
          block.feed_forward.experts = ExpertOptions{.count = 3, .chosen = 1, .share_of_all = true};
          a.head.kind = Head::masked_word;
        });
  return all;
}

}  // namespace limpid
