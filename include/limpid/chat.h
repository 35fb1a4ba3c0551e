// Conversations, as a model that was trained for them expects them.
//
//   Model model = Model::load("SmolLM2-135M-Instruct.gguf");
//   const std::vector<int64_t> prompt = chat_tokens(model, {{"user", "What is attention?"}});
//   model.generate(prompt, options, on_token);
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "limpid/api.h"
#include "limpid/model.h"

namespace LIMPID_API limpid {

struct ChatMessage {
  std::string role;  // system, user or assistant
  std::string content;
};

/// How turns are written.  A model's file holds a program for it (Jinja); limpid runs none, but knows the
/// formats that these programs write by the names of special tokens in them.
enum class ChatFormat {
  chatml,   // <|im_start|>user ... <|im_end|>              SmolLM2, Qwen
  llama3,   // <|start_header_id|>user<|end_header_id|>     Llama 3
  llama2,   // [INST] <<SYS>> ... [/INST]                   Llama 2
  mistral,  // [INST] ... [/INST]                           Mistral
  gemma,    // <start_of_turn>user ... <end_of_turn>        Gemma
  phi3,     // <|user|> ... <|end|>                         Phi 3
  zephyr,   // <|user|> ... </s>                            Zephyr, TinyLlama
};
std::string_view name(ChatFormat);

/// The format that a template writes; throws Error{call} naming the formats there are, where it is none of
/// them.
ChatFormat chat_format_of(std::string_view chat_template);

/// The text that stands before the model's answer.  A conversation without a system message gets the one that
/// the model's template puts there, where it is written out in it.  Throws Error{call} for a model without a
/// template or with an unknown one, for roles that do not take turns, and for a message that holds the name
/// of a special token.
std::string chat_text(const Model&, const std::vector<ChatMessage>&);
/// Its tokens: nothing is added to them.
std::vector<int64_t> chat_tokens(const Model&, const std::vector<ChatMessage>&);
/// The tokens that end a turn of this model, beside the one that ends its texts.
std::vector<int64_t> chat_ends(const Model&);

}  // namespace LIMPID_API limpid
