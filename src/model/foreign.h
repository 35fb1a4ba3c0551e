// Models of other programs, as they keep them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "limpid/model.h"
#include "limpid/tensor_source.h"

namespace limpid {

class HubConfig;

/// Another program's model, under our names.
struct ForeignModel {
  NetworkConfig config;
  std::map<std::string, Tensor> parameters;
  std::shared_ptr<const Tokenizer> tokenizer;  // the file's own, or none
  std::string title;
  std::vector<std::string> notes;
  ModelTasks tasks = {};
  std::map<std::string, StoredMatrix> stored = {};  // parameters as the file has them: no others' names
  std::shared_ptr<const Tokenizer> source_tokenizer = nullptr;  // of an encoder with a vocabulary of its own
};

/// Fills in what a folder says of sentences: modules.json, the configuration of its pooling, the longest
/// text.  What cannot be read becomes pooling_problem: the network runs without it.
void read_pooling(const std::string& folder, ModelTasks&);

/// Fills in how a folder's network wants its images: preprocessor_config.json, or what stands for it, said in
/// a note.  What cannot be done becomes image_problem: the network runs without it, on tensors.
void read_image_processor(const std::string& folder, const HubConfig&, const PatchInputs&, ModelTasks&,
                          std::vector<std::string>& notes);

/// A folder of the hub: config.json, the tensors, the tokenizer.  Throws Error{work} naming the file and what
/// is wrong with it.
bool is_hub_folder(const std::string& path);
/// The network that a folder's config.json describes, and its tensors' names where they can be read.
Architecture hub_network(const std::string& path);
ForeignModel read_hub_folder(const std::string& path, Weights);

/// llama.cpp's files: metadata, tensors and the tokenizer in one.
ForeignModel read_gguf(const std::string& path, Weights);
/// Whether limpid runs a "general.architecture".
bool runs_gguf_architecture(std::string_view architecture);

/// State dicts of minGPT, nanoGPT and GPT-2 (h.0.attn.c_attn.weight ...).  Throws Error{call} naming what
/// neither the file nor the options say.
bool is_mingpt(const std::vector<std::string>& names);
ForeignModel read_mingpt(TensorFile, const std::string& path, const LoadOptions&);

/// llama2.c: a state dict (layers.0.attention.wq.weight ...) whose metadata says the sizes, or the program's
/// own .bin file (a header of seven numbers).
bool is_llama2c(const std::vector<std::string>& names);
ForeignModel read_llama2c(const TensorSource&);
bool is_llama2c_file(const std::string& path);
ForeignModel read_llama2c_file(const std::string& path);

/// TransformerLens: the state dict of a HookedTransformer with learned positions (blocks.0.attn.W_Q [H,C,D]
/// ...).
bool is_transformer_lens(const std::vector<std::string>& names);
ForeignModel read_transformer_lens(const TensorSource&, const LoadOptions&);

}  // namespace limpid
