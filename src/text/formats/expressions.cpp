// The regular expressions that well-known byte-level tokenizers cut a text with.  Sources: openai/gpt-2
// (encoder.py), openai/tiktoken (openai_public.py), the tokenizer.json files of the models,
// ggml-org/llama.cpp (src/llama-vocab.cpp) for the names and for what is applied one after another.
#include "text/formats/document.h"

namespace limpid::text {
namespace {

#define ENDINGS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define UPPER R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define LOWER R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define BLANKS R"(\s*[\r\n]+|\s+(?!\S)|\s+)"

constexpr const char* k_gpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr const char* k_llama3 =
    ENDINGS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|)" BLANKS;
constexpr const char* k_qwen2 =
    ENDINGS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)" BLANKS;
constexpr const char* k_gpt4o = R"([^\r\n\p{L}\p{N}]?)" UPPER "*" LOWER "+" ENDINGS
                                "?"
                                R"(|[^\r\n\p{L}\p{N}]?)" UPPER "+" LOWER "*" ENDINGS
                                "?"
                                R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" BLANKS;
constexpr const char* k_tekken = R"([^\r\n\p{L}\p{N}]?)" UPPER "*" LOWER
                                 "+"
                                 R"(|[^\r\n\p{L}\p{N}]?)" UPPER "+" LOWER
                                 "*"
                                 R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" BLANKS;
constexpr const char* k_bloom = R"( ?[^(\s|.,!?…。，、।۔،)]+)";
constexpr const char* k_deepseek3 =
    R"re([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)re"
    R"(| ?[\p{P}\p{S}]+[\r\n]*|)" BLANKS;

#undef ENDINGS
#undef UPPER
#undef LOWER
#undef BLANKS

struct Known {
  std::vector<std::string_view> names;
  std::vector<std::string> expressions;
};

const std::vector<Known>& table() {
  static const std::vector<Known> k_table = {
      {{"gpt-2", "phi-2", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "jina-v2-code", "mpt", "olmo",
        "jais", "roberta-bpe", "trillion", "r50k_base", "p50k_base", "gpt2"},
       {k_gpt2}},
      {{"llama-bpe", "llama3", "llama-v3", "dbrx", "smaug-bpe", "chatglm-bpe", "glm4", "pixtral", "falcon3",
        "cl100k_base"},
       {k_llama3}},
      {{"qwen2", "stablelm2", "hunyuan", "megrez", "deepseek-r1-qwen", "qwen"}, {k_qwen2}},
      {{"gpt-4o", "llama4", "o200k_base"}, {k_gpt4o}},
      {{"tekken"}, {k_tekken}},
      {{"starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b"},
       {R"(\p{N})", k_gpt2}},
      {{"bloom", "poro-chat", "gpt3-finnish"}, {k_bloom}},
      {{"viking"}, {k_bloom, R"(\p{N})"}},
      {{"falcon"}, {R"([\p{P}\$\+<=>\^~\|`]+)", k_gpt2, "[0-9][0-9][0-9]"}},
      {{"deepseek-coder"},
       {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", R"([一-龥ࠀ-一가-퟿]+)", R"(\p{N})"}},
      {{"deepseek-v3"}, {R"(\p{N}{1,3})", R"([一-龥぀-ゟ゠-ヿ]+)", k_deepseek3}},
      {{"default"}, {R"([\p{P}\$\+<=>\^~\|]+)", k_gpt2, R"(\p{N}+)", "[0-9][0-9][0-9]"}},
  };
  return k_table;
}

}  // namespace

std::vector<std::string> known_expressions(std::string_view name) {
  for (const Known& known : table()) {
    for (const std::string_view each : known.names) {
      if (each == name) return known.expressions;
    }
  }
  return {};
}

std::string known_expression_names() {
  std::string names;
  for (const Known& known : table()) {
    for (const std::string_view each : known.names) names += (names.empty() ? "" : ", ") + std::string(each);
  }
  return names;
}

}  // namespace limpid::text
