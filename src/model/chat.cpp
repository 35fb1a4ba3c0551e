#include "limpid/chat.h"

#include <algorithm>

#include "core/label.h"

namespace limpid {

namespace {

// What a format is known by: every one of these stands in its template.
struct Known {
  ChatFormat format;
  const char* name;
  std::vector<std::string_view> marks;
  const char* end;  // the token that ends a turn; empty: the tokenizer's own
};

// In this order: an earlier one is more particular.
const std::vector<Known>& formats() {
  static const std::vector<Known> all = {
      {ChatFormat::chatml, "chatml", {"<|im_start|>"}, "<|im_end|>"},
      {ChatFormat::llama3, "llama3", {"<|start_header_id|>", "<|eot_id|>"}, "<|eot_id|>"},
      {ChatFormat::gemma, "gemma", {"<start_of_turn>"}, "<end_of_turn>"},
      {ChatFormat::llama2, "llama2", {"[INST]", "<<SYS>>"}, ""},
      {ChatFormat::mistral, "mistral", {"[INST]"}, ""},
      {ChatFormat::phi3, "phi3", {"<|user|>", "<|end|>"}, "<|end|>"},
      {ChatFormat::zephyr, "zephyr", {"<|user|>"}, ""}};
  return all;
}

const Known& known(ChatFormat format) {
  return *std::find_if(formats().begin(), formats().end(),
                       [&](const Known& each) { return each.format == format; });
}

std::string_view without_ends(std::string_view text) {
  constexpr std::string_view k_blank = " \t\r\n";
  const size_t first = text.find_first_not_of(k_blank);
  return first == text.npos ? "" : text.substr(first, text.find_last_not_of(k_blank) - first + 1);
}

// The system message that a template of this format puts into a conversation without one: written out between
// the marks, with nothing of the program inside.
std::string own_system(std::string_view chat_template) {
  constexpr std::string_view k_begin = "<|im_start|>system", k_end = "<|im_end|>";
  for (size_t at = chat_template.find(k_begin); at != chat_template.npos;
       at = chat_template.find(k_begin, at + 1)) {
    size_t from = at + k_begin.size();
    // A line end, as the program writes it or as it is.
    if (chat_template.substr(from).starts_with("\\n"))
      from += 2;
    else if (chat_template.substr(from).starts_with("\n"))
      from += 1;
    else
      continue;
    const size_t end = chat_template.find(k_end, from);
    if (end == chat_template.npos) break;
    const std::string_view said = chat_template.substr(from, end - from);
    if (!said.empty() && said.find_first_of("'\"{}%+\\") == said.npos) return std::string(said);
  }
  return "";
}

struct Conversation {
  std::string system;
  std::vector<ChatMessage> turns;  // of user and assistant in turn, from the user to the user
};

Conversation checked(const std::vector<ChatMessage>& messages) {
  Conversation out;
  for (size_t i = 0; i < messages.size(); ++i) {
    const ChatMessage& m = messages[i];
    if (m.role == "system" && i == 0) {
      out.system = m.content;
      continue;
    }
    const char* const wanted = out.turns.size() % 2 == 0 ? "user" : "assistant";
    if (m.role != wanted)
      fail_call("chat: message ", i, " is of '", m.role, "', expected '", wanted,
                "': a conversation is one of user and assistant in turn, behind a system message or none");
    out.turns.push_back(m);
  }
  if (out.turns.size() % 2 == 0)
    fail_call("chat: the last message is not the user's, so there is nothing to answer");
  return out;
}

// What the format needs of the model.
struct Names {
  std::string bos, eos, own_system;
};

std::string chatml(const Conversation& c, const Names& n) {
  std::string out;
  const auto turn = [&](const std::string& role, const std::string& content) {
    out += join("<|im_start|>", role, "\n", content, "<|im_end|>\n");
  };
  if (const std::string& system = c.system.empty() ? n.own_system : c.system; !system.empty())
    turn("system", system);
  for (const ChatMessage& m : c.turns) turn(m.role, m.content);
  return out + "<|im_start|>assistant\n";
}

std::string llama3(const Conversation& c, const Names& n) {
  std::string out = n.bos;
  const auto head = [&](const std::string& role) {
    out += join("<|start_header_id|>", role, "<|end_header_id|>\n\n");
  };
  const auto turn = [&](const std::string& role, const std::string& content) {
    head(role);
    out += join(without_ends(content), "<|eot_id|>");
  };
  if (!c.system.empty()) turn("system", c.system);
  for (const ChatMessage& m : c.turns) turn(m.role, m.content);
  head("assistant");
  return out;
}

std::string gemma(const Conversation& c, const Names& n) {
  std::string out = n.bos;
  for (size_t i = 0; i < c.turns.size(); ++i) {
    // A system message stands before the user's first.
    const std::string before = i == 0 && !c.system.empty() ? c.system + "\n\n" : "";
    out += join("<start_of_turn>", i % 2 == 0 ? "user" : "model", "\n", before,
                without_ends(c.turns[i].content), "<end_of_turn>\n");
  }
  return out + "<start_of_turn>model\n";
}

std::string instructions(const Conversation& c, const Names& n, bool llama2) {
  std::string out = llama2 ? "" : n.bos;
  for (size_t i = 0; i < c.turns.size(); ++i) {
    std::string content(without_ends(c.turns[i].content));
    if (i % 2 == 1) {
      out += join(" ", content, llama2 ? " " : "", n.eos);
      continue;
    }
    if (i == 0 && !c.system.empty())
      content =
          llama2 ? join("<<SYS>>\n", c.system, "\n<</SYS>>\n\n", content) : join(c.system, "\n\n", content);
    out += join(llama2 ? n.bos : "", "[INST] ", content, " [/INST]");
  }
  return out;
}

std::string named_roles(const Conversation& c, const std::string& end) {
  std::string out;
  const auto turn = [&](const std::string& role, const std::string& content) {
    out += join("<|", role, "|>\n", content, end, "\n");
  };
  if (!c.system.empty()) turn("system", c.system);
  for (const ChatMessage& m : c.turns) turn(m.role, m.content);
  return out + "<|assistant|>\n";
}

const Tokenizer& tokenizer_for_chat(const Model& model) {
  if (model.tasks().chat_template.empty())
    fail_call(
        "this model has no chat template; it was trained to go on with texts, or its folder lacks "
        "tokenizer_config.json");
  if (!model.tokenizer()) fail_call("this model has no tokenizer; give it as --tokenizer FILE");
  return *model.tokenizer();
}

// Whoever wrote a message must not end its turn: the text has as many special tokens as the empty one.
void refuse_special_names(const Tokenizer& tokenizer, const std::vector<ChatMessage>& messages) {
  for (size_t i = 0; i < messages.size(); ++i) {
    const std::string& said = messages[i].content;
    const auto as_tokens = tokenizer.encode_for_model(said, {false, Specials::as_tokens}).ids;
    if (as_tokens != tokenizer.encode_for_model(said, {false, Specials::as_text}).ids)
      fail_call("chat: message ", i,
                " holds the name of a special token of this model, which would end or begin a "
                "turn; leave it out");
  }
}

}  // namespace

std::string_view name(ChatFormat format) { return known(format).name; }

ChatFormat chat_format_of(std::string_view chat_template) {
  std::string list;
  for (const Known& each : formats()) {
    if (std::all_of(each.marks.begin(), each.marks.end(),
                    [&](std::string_view mark) { return chat_template.find(mark) != chat_template.npos; }))
      return each.format;
    list += (list.empty() ? "" : ", ") + std::string(each.name);
  }
  fail_call("chat: the model's template writes none of the formats that limpid knows (", list,
            "); write the turns into the text yourself, with --special");
}

std::string chat_text(const Model& model, const std::vector<ChatMessage>& messages) {
  const Tokenizer& tokenizer = tokenizer_for_chat(model);
  const std::string& given = model.tasks().chat_template;
  const ChatFormat format = chat_format_of(given);
  const Conversation c = checked(messages);
  refuse_special_names(tokenizer, messages);
  const SpecialIds special = tokenizer.special_ids();
  const auto bytes = [&](const std::optional<int64_t>& id) {
    return id ? tokenizer.token_bytes(*id) : std::string();
  };
  const Names names = {bytes(special.bos), bytes(special.eos), own_system(given)};
  switch (format) {
    case ChatFormat::chatml:
      return chatml(c, names);
    case ChatFormat::llama3:
      return llama3(c, names);
    case ChatFormat::gemma:
      return gemma(c, names);
    case ChatFormat::llama2:
      return instructions(c, names, true);
    case ChatFormat::mistral:
      return instructions(c, names, false);
    case ChatFormat::phi3:
      return named_roles(c, "<|end|>");
    case ChatFormat::zephyr:
      return named_roles(c, names.eos);
  }
  fail_call("chat: format ", static_cast<int>(format), " does not exist");
}

std::vector<int64_t> chat_tokens(const Model& model, const std::vector<ChatMessage>& messages) {
  return tokenizer_for_chat(model)
      .encode_for_model(chat_text(model, messages), {false, Specials::as_tokens})
      .ids;
}

std::vector<int64_t> chat_ends(const Model& model) {
  const Tokenizer& tokenizer = tokenizer_for_chat(model);
  const std::string end = known(chat_format_of(model.tasks().chat_template)).end;
  if (end.empty()) return {};
  const std::vector<int64_t> ids = tokenizer.encode_for_model(end, {false, Specials::as_tokens}).ids;
  return ids.size() == 1 ? ids : std::vector<int64_t>();
}

}  // namespace limpid
