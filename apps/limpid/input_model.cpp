// Which model a call names, and with what its file does not say.
#include <cstdio>
#include <filesystem>

#include "core/label.h"
#include "files/recognize.h"
#include "limpid/files.h"
#include "limpid/input.h"

namespace limpid::command {

namespace {

namespace fs = std::filesystem;

// "characters:input.txt" -> "input.txt"; nothing for another kind.
std::optional<std::string> after(const std::string& text, const std::string& kind) {
  if (!text.starts_with(kind + ":")) return std::nullopt;
  return text.substr(kind.size() + 1);
}

std::shared_ptr<const Tokenizer> tokenizer_in_model(const std::string& path) {
  const Model model = Model::load(path);
  if (!model.tokenizer()) fail_work(path, " is a model without a tokenizer");
  return tokenizer_from_json(model.tokenizer()->to_json());
}

}  // namespace

std::shared_ptr<const Tokenizer> read_tokenizer(const std::string& given) {
  if (given == "bytes") return byte_tokenizer();
  if (const auto file = after(given, "characters")) return character_tokenizer_from(read_file(*file));
  if (const auto file = after(given, "words")) return word_tokenizer_from(read_file(*file));
  const fs::path path(given);
  std::error_code none;
  const RecognizedFile seen = recognize(path);
  if (seen.kind == FileKind::safetensors || seen.kind == FileKind::gguf) return tokenizer_in_model(given);
  const bool foreign =
      seen.kind != FileKind::json && seen.kind != FileKind::text && seen.kind != FileKind::binary;
  try {
    if (foreign && !fs::is_directory(path, none)) fail_work("it is ", seen.what);
    return load_tokenizer(given);
  } catch (const Error& error) {
    fail_work("--tokenizer ", given, ": ", error.what(),
              "; expected a tokenizer (tokenizer.json, vocab.json with merges.txt, vocab.txt, a "
              "SentencePiece model, "
              "limpid's JSON), a folder with one, a model that has one, characters:TEXT (nanoGPT's sorted "
              "characters "
              "of that text), words:TEXT, or bytes");
  }
}

std::shared_ptr<const Tokenizer> open_tokenizer(const ModelCall& call) {
  if (!call.tokenizer.empty()) return read_tokenizer(call.tokenizer);
  std::error_code none;
  if (fs::is_directory(call.model, none)) return load_tokenizer(call.model);
  if (!call.model.empty()) return tokenizer_in_model(call.model);
  const Model model = Model::builtin();
  return tokenizer_from_json(model.tokenizer()->to_json());
}

void add_model_options(CLI::App& sub, ModelCall& call, const std::string& group) {
  sub.add_option("--model", call.model, "The model file; without it, the built-in model.")
      ->type_name("FILE")
      ->group(group);
  sub.add_option(
         "--tokenizer", call.tokenizer,
         "The tokenizer of a model that comes without: limpid's JSON, a model that has one, a file or folder "
         "as of Hugging Face (tokenizer.json, ...), characters:TEXT, words:TEXT, or bytes.")
      ->type_name("FILE")
      ->group(group);
  sub.add_option_function<std::string>(
         "--activation",
         [&call](const std::string& word) {
           call.activation = word == "gelu" ? Activation::gelu : Activation::gelu_tanh;
         },
         "The activation of a state dict that does not say it: gelu (exact, nanoGPT) or gelu_tanh (minGPT, "
         "GPT-2).")
      ->check(CLI::IsMember({"gelu", "gelu_tanh"}).description(""))
      ->type_name("gelu|gelu_tanh")
      ->group(group);
  sub.add_option_function<std::string>(
         "--weights", [&call](const std::string& word) { call.weights = weights_named(word); },
         "How the model's large matrices are kept: stored (as the file has them: 4 and 8 bits, bf16, f16, "
         "f32; the same numbers as f32 gives), bf16 (f32 rounded to it), or f32 (all expanded).")
      ->check(CLI::IsMember({"stored", "bf16", "f32"}).description(""))
      ->type_name("stored|bf16|f32")
      ->group(group);
}

Model open_model(const std::string& path) {
  ModelCall call;
  call.model = path;
  return open_model(call);
}

Model open_model(const ModelCall& call) {
  if (call.model.empty()) {
    const char* option = !call.tokenizer.empty() ? "--tokenizer"
                         : call.activation       ? "--activation"
                         : call.weights          ? "--weights"
                                                 : nullptr;
    if (option)
      fail_call(option, " is for a model that comes without; give it as --model FILE, or leave it out");
    return Model::builtin();
  }
  LoadOptions options;
  options.heads = call.heads;
  options.activation = call.activation;
  options.weights = call.weights.value_or(Weights::stored);
  if (!call.tokenizer.empty()) options.tokenizer = read_tokenizer(call.tokenizer);
  Model model = Model::load(call.model, options);
  for (const std::string& note : model.notes())
    std::fprintf(stderr, "limpid: note: %s: %s\n", visible_line(call.model).c_str(),
                 visible_line(note).c_str());
  return model;
}

}  // namespace limpid::command
