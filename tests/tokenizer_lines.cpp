// What a tokenizer makes of texts, for tests/tokenizer_folders.py to compare:
//
//   tokenizer_lines FOLDER [target] < texts     texts, each with a NUL behind it; for each
//     a line of ids, a line of ids as the model takes them, a line of them with the text twice,
//     and what the first ids say without special tokens, with a NUL behind it
//
// Names of special tokens in the texts are tokens.  "target": the tokenizer of what the folder's model
// writes.
#include <iostream>
#include <string>

#include "limpid/text.h"

namespace {

void write_ids(const std::vector<int64_t>& ids) {
  for (const int64_t id : ids) std::cout << id << ' ';
  std::cout << '\n';
}

}  // namespace

int main(int count, char** arguments) {
  using namespace limpid;
  try {
    const bool of_target = count == 3 && std::string(arguments[2]) == "target";
    if (count != 2 && !of_target) fail_call("give a folder, and \"target\" or nothing behind it");
    const auto tokenizer = of_target ? load_target_tokenizer(arguments[1]) : load_tokenizer(arguments[1]);
    if (!tokenizer) fail_work("the folder has one tokenizer for what is read and what is written");
    const auto again = tokenizer_from_json(tokenizer->to_json());
    const EncodeOptions as_model{true, Specials::as_tokens};
    for (std::string text; std::getline(std::cin, text, '\0');) {
      const std::vector<int64_t> ids = tokenizer->encode(text, Specials::as_tokens);
      if (again->encode(text, Specials::as_tokens) != ids) fail_work("to_json gave another tokenizer");
      write_ids(ids);
      write_ids(tokenizer->encode_for_model(text, as_model).ids);
      write_ids(tokenizer->encode_for_model(text, text, as_model).ids);
      std::cout << tokenizer->decode(ids, DecodeSpecials::skip) << '\0';
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
