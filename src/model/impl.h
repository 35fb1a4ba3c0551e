// What a model is made of.
#pragma once

#include "limpid/model.h"

namespace limpid {

struct LIMPID_LOCAL Model::Impl {
  Impl(NetworkConfig, std::shared_ptr<const Tokenizer>, std::string title);

  NetworkConfig config;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::string title;
  std::shared_ptr<Graph> graph;
  std::map<std::string, Tensor> parameters;
  std::unique_ptr<Engine> engine;

  // The textbook walk's input: the words (each occurrence its own token), or the vectors.
  std::vector<std::string> words;
  Tensor vectors;  // [1,T,C]

  const char* input_name() const { return vectors.count() > 0 ? "vectors" : "tokens"; }
  std::map<std::string, ConstView> bindings(const Tensor& input) const;
  std::string hash() const;
  std::vector<std::string> candidates(const std::vector<Token>&) const;
  Trace record(const Tensor& input, std::vector<Token> tokens, const TraceOptions&) const;
};

/// Puts parameters into a model; throws Error{work} naming one that is missing, left over or of another
/// shape.
void set_parameters(const Graph&, std::map<std::string, Tensor>& into, std::map<std::string, Tensor> from,
                    const std::string& path);

/// Reads a minGPT state dict (transformer.h.0.attn.c_attn.weight ...; linear weights [out,in], configuration
/// in the metadata) into a gpt network's names.
bool is_mingpt(const std::map<std::string, Tensor>& tensors,
               const std::map<std::string, std::string>& metadata);
GptConfig mingpt_config(const std::string& json, const std::string& path);
std::map<std::string, Tensor> mingpt_parameters(const std::map<std::string, Tensor>& tensors,
                                                const GptConfig&, const std::string& path);

/// Zeros, ones or normal numbers as the graph says, from this seed and each parameter's name.
std::map<std::string, Tensor> fresh_parameters(const Graph&, uint64_t seed);
/// NumPy's np.random.seed(seed), np.random.rand in the walk's order: embeddings, W_Q, W_K, W_V, W_out, then
/// the rest.
std::map<std::string, Tensor> numpy_parameters(const Graph&, uint32_t seed);

}  // namespace limpid
