// A small gpt that reads bytes: rotary positions, two query heads a key head.
#pragma once

#include "limpid/model.h"

namespace limpid {

inline GptConfig byte_gpt(int64_t layers) {
  GptConfig c;
  c.vocabulary = 256;
  c.layers = layers;
  c.heads = 4;
  c.kv_heads = 2;
  c.width = 32;
  c.context = 64;
  c.positions = Positions::rotary;
  return c;
}

inline Model byte_model(const GptConfig& config) {
  return Model::fresh(config, std::shared_ptr<const Tokenizer>(byte_tokenizer()), 3);
}

}  // namespace limpid
