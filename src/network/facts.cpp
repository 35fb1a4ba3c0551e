// What a description says of its network, whatever kind it is.
#include <algorithm>
#include <cstdint>

#include "network/build.h"

namespace limpid {

bool causal(const Stack& stack) {
  return std::all_of(stack.blocks.begin(), stack.blocks.end(),
                     [](const BlockOptions& block) { return block.attention.mask == Mask::causal; });
}

namespace {

// Does a token read nothing of another text's, where they stand in one row and look at their own alone?
bool packs(const AttentionOptions& o) {
  const bool by_row = o.positions == Positions::relative_keys || o.positions == Positions::disentangled ||
                      o.positions == Positions::patch_bias;
  const bool by_length = o.positions == Positions::rotary && o.rotary.dynamic_factor != 0;
  return !by_row && !by_length && o.first_query == 0;
}

bool packs(const Stack& stack) {
  return !stack.convolution &&
         std::all_of(stack.blocks.begin(), stack.blocks.end(), [](const BlockOptions& b) {
           return packs(b.attention) && (!b.cross || packs(*b.cross));
         });
}

bool packs(const TokenInputs& o) {
  return !o.token_dropout && (o.positions == Positions::none || o.positions == Positions::learned ||
                              o.positions == Positions::sinusoidal);
}

}  // namespace

bool packs(const NetworkConfig& config) {
  if (const auto* gpt = std::get_if<GptConfig>(&config)) return packs(NetworkConfig(architecture_of(*gpt)));
  const auto* parts = std::get_if<Architecture>(&config);
  if (!parts || parts->patches || parts->series || parts->images || parts->head.pool_attention) return false;
  if (parts->encoder && !(packs(parts->encoder->inputs) && packs(parts->encoder->stack))) return false;
  return packs(parts->inputs) && packs(parts->stack);
}

int64_t context_of(const NetworkConfig& config) {
  if (const auto* gpt = std::get_if<GptConfig>(&config)) return gpt->context;
  if (const auto* parts = std::get_if<Architecture>(&config))
    return parts->patches              ? parts->patches->count()
           : parts->series             ? parts->series->count()
           : parts->inputs.context > 0 ? parts->inputs.context
                                       : INT64_MAX;
  const auto& textbook = std::get<TextbookConfig>(config);
  return textbook.positions == Positions::learned ? textbook.context : INT64_MAX;
}

int64_t source_context_of(const NetworkConfig& config) {
  const auto* parts = std::get_if<Architecture>(&config);
  return parts && parts->encoder && parts->encoder->inputs.context > 0 ? parts->encoder->inputs.context
                                                                       : INT64_MAX;
}

bool has_learned_positions(const NetworkConfig& config) {
  if (const auto* gpt = std::get_if<GptConfig>(&config)) return gpt->positions == Positions::learned;
  if (const auto* parts = std::get_if<Architecture>(&config))
    return parts->inputs.positions == Positions::learned;
  return std::get<TextbookConfig>(config).positions == Positions::learned;
}

int64_t vocabulary_of(const NetworkConfig& config) {
  if (const auto* gpt = std::get_if<GptConfig>(&config)) return gpt->vocabulary;
  if (const auto* parts = std::get_if<Architecture>(&config)) return parts->inputs.vocabulary;
  return std::get<TextbookConfig>(config).vocabulary;
}

int64_t source_vocabulary_of(const NetworkConfig& config) {
  const auto* parts = std::get_if<Architecture>(&config);
  const bool own = parts && parts->encoder && parts->encoder->inputs.vocabulary > 0;
  return own ? parts->encoder->inputs.vocabulary : vocabulary_of(config);
}

void set_vocabulary(NetworkConfig& config, int64_t vocabulary) {
  if (auto* parts = std::get_if<Architecture>(&config)) parts->inputs.vocabulary = vocabulary;
  if (auto* gpt = std::get_if<GptConfig>(&config)) gpt->vocabulary = vocabulary;
  if (auto* textbook = std::get_if<TextbookConfig>(&config)) textbook->vocabulary = vocabulary;
}

void set_outputs(NetworkConfig& config, int64_t outputs) {
  if (auto* parts = std::get_if<Architecture>(&config)) parts->head.outputs = outputs;
  if (auto* textbook = std::get_if<TextbookConfig>(&config)) textbook->outputs = outputs;
}

NetworkConfig without_dropout(NetworkConfig config) {
  if (auto* parts = std::get_if<Architecture>(&config)) *parts = without_dropout(*parts);
  if (auto* gpt = std::get_if<GptConfig>(&config)) gpt->dropout = gpt->attention_dropout = 0;
  return config;
}

bool reads_images(const NetworkConfig& config) {
  const auto* parts = std::get_if<Architecture>(&config);
  return parts && parts->patches;
}

bool has_towers(const NetworkConfig& config) {
  const auto* parts = std::get_if<Architecture>(&config);
  return parts && parts->images;
}

bool reads_series(const NetworkConfig& config) {
  const auto* parts = std::get_if<Architecture>(&config);
  return parts && parts->series;
}

bool reads_source(const NetworkConfig& config) {
  const auto* parts = std::get_if<Architecture>(&config);
  return parts && parts->encoder;
}

int64_t layers_of(const NetworkConfig& config) {
  if (const auto* gpt = std::get_if<GptConfig>(&config)) return gpt->layers;
  if (const auto* parts = std::get_if<Architecture>(&config)) return parts->stack.layers;
  return 1;
}

int64_t heads_of(const NetworkConfig& config) {
  if (const auto* gpt = std::get_if<GptConfig>(&config)) return gpt->heads;
  if (const auto* parts = std::get_if<Architecture>(&config))
    return parts->stack.blocks.empty() ? 1 : parts->stack.blocks[0].attention.heads;
  return std::get<TextbookConfig>(config).heads;
}

bool predicts_next_token(const NetworkConfig& config) {
  if (const auto* textbook = std::get_if<TextbookConfig>(&config))
    return textbook->head == Head::next_word && !textbook->vectors;
  if (const auto* parts = std::get_if<Architecture>(&config))
    return parts->head.kind == Head::next_word && causal(parts->stack);
  return true;
}

}  // namespace limpid
