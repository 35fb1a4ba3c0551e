// Marian (Junczys-Dowmunt 2018; the opus-mt models), Pegasus (Zhang 2020) and M2M-100 (Fan 2021; NLLB):
// BART's network with sinusoidal positions and no norm behind the embedding.
#include "model/families/family.h"

namespace limpid {

namespace {

void take_waves(TokenInputs& inputs, const SinusoidalOptions& waves) {
  inputs.positions = Positions::sinusoidal;
  inputs.sinusoidal = waves;
  inputs.norm = {};
}

Architecture with_waves(const HubConfig& c, NormPlace place, const SinusoidalOptions& waves) {
  Architecture a = bart_architecture(c, place);
  take_waves(a.inputs, waves);
  take_waves(a.encoder->inputs, waves);
  return a;
}

Architecture architecture_of_marian(const HubConfig& c) {
  Architecture a = with_waves(c, NormPlace::after, {.halves = true});
  if (!c.flag("share_encoder_decoder_embeddings", true)) {
    a.encoder->inputs.vocabulary = a.inputs.vocabulary;
    a.inputs.vocabulary = c.size("decoder_vocab_size", a.inputs.vocabulary);
  }
  return a;
}

Architecture architecture_of_pegasus(const HubConfig& c) {
  return with_waves(c, NormPlace::before, {.halves = true});
}

// fairseq's waves; positions begin behind the padding's id.
Architecture architecture_of_m2m_100(const HubConfig& c) {
  Architecture a = with_waves(c, NormPlace::before,
                              {.halves = true, .ends_at_base = true, .first = c.size("pad_token_id", 1) + 1});
  a.head.bias = false;
  return a;
}

TensorTable tensors_of_marian(const HubConfig&, const Architecture&) { return bart_tensors(); }

}  // namespace

Family family_marian() { return {"marian", {}, architecture_of_marian, tensors_of_marian}; }
Family family_pegasus() { return {"pegasus", {}, architecture_of_pegasus, tensors_of_marian}; }
Family family_m2m_100() { return {"m2m_100", {}, architecture_of_m2m_100, tensors_of_marian}; }

}  // namespace limpid
