#include "model/languages.h"

#include <algorithm>

#include "core/label.h"

namespace limpid {

namespace {

bool all_of(std::string_view text, size_t least, size_t most, bool (*fits)(char)) {
  return text.size() >= least && text.size() <= most && std::all_of(text.begin(), text.end(), fits);
}
bool is_small(char c) { return c >= 'a' && c <= 'z'; }
bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }

// en_XX, eng_Latn.
bool is_code(std::string_view token) {
  const size_t mark = token.find('_');
  if (mark == token.npos) return false;
  const std::string_view language = token.substr(0, mark), place = token.substr(mark + 1);
  if (all_of(language, 2, 2, is_small)) return all_of(place, 2, 2, is_capital);
  return all_of(language, 3, 3, is_small) && place.size() == 4 && is_capital(place[0]) &&
         all_of(place.substr(1), 3, 3, is_small);
}

bool is_between(std::string_view token, std::string_view begin, std::string_view end) {
  return token.size() > begin.size() + end.size() && token.starts_with(begin) && token.ends_with(end);
}

std::string list_of(const std::vector<Language>& languages, const std::string& begin) {
  std::string out;
  for (const Language& each : languages)
    if (each.code.starts_with(begin)) out += (out.empty() ? "" : ", ") + each.code;
  return out;
}

}  // namespace

std::vector<Language> languages_of(const Tokenizer& tokenizer) {
  std::vector<Language> out;
  for (int64_t id = 0; id < tokenizer.vocabulary(); ++id) {
    const std::string token = tokenizer.token_bytes(id);
    if (is_between(token, ">>", "<<")) {
      out.push_back({token, token.substr(2, token.size() - 4), id, true});
    } else if (tokenizer.is_special(id)) {
      if (is_between(token, "__", "__") &&
          all_of(std::string_view(token).substr(2, token.size() - 4), 2, 3, is_small))
        out.push_back({token, token.substr(2, token.size() - 4), id, false});
      else if (is_code(token))
        out.push_back({token, token, id, false});
    }
  }
  return out;
}

const Language& language_named(const std::vector<Language>& languages, const std::string& what,
                               const std::string& name) {
  if (languages.empty())
    fail_call(what, " is ", in_quotes(name),
              ", but this model's tokenizer has no tokens of languages; leave it out");
  for (const Language& each : languages)
    if (each.token == name || each.code == name) return each;
  const Language* found = nullptr;
  size_t count = 0;
  for (const Language& each : languages)
    if (each.code.starts_with(name + "_")) found = &each, ++count;
  if (count == 1) return *found;
  if (count > 1)
    fail_call(what, " is ", in_quotes(name), ", which ", count, " languages begin with; expected one of ",
              list_of(languages, name + "_"));
  fail_call(what, " is ", in_quotes(name),
            ", expected one of the model's languages: ", list_of(languages, ""));
}

}  // namespace limpid
