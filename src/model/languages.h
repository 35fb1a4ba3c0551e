// The tokens by which a translation model's tokenizer says languages.
#pragma once

#include <string>
#include <vector>

#include "limpid/text.h"

namespace limpid {

struct Language {
  std::string token;  // "__en__" (M2M-100), "en_XX" (mBART), "eng_Latn" (NLLB), ">>fra<<" (Marian)
  std::string code;   // without the marks round it: "en", "en_XX", "eng_Latn", "fra"
  int64_t id = 0;
  bool in_source = false;  // the language to translate into stands before the text that is read (Marian)
};

/// By their ids; empty: the tokenizer has none.
std::vector<Language> languages_of(const Tokenizer&);

/// The one that `name` is the token or the code of, or the code's part before "_" where no other begins so
/// ("en" of "en_XX").  Throws Error{call} listing those that there are; `what` is "to", "from".
const Language& language_named(const std::vector<Language>&, const std::string& what,
                               const std::string& name);

}  // namespace limpid
