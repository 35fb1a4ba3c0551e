#include "data/classes.h"

#include <algorithm>
#include <charconv>

#include "core/label.h"
#include "limpid/error.h"

namespace limpid::data {

namespace {

std::optional<int64_t> whole_number(const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::vector<std::string> in_class_order(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (std::all_of(names.begin(), names.end(),
                  [](const auto& name) { return whole_number(name).has_value(); }))
    std::stable_sort(names.begin(), names.end(),
                     [](const auto& a, const auto& b) { return *whole_number(a) < *whole_number(b); });
  return names;
}

ClassNumbers::ClassNumbers(const std::vector<std::string>& classes) {
  for (const std::string& name : classes)
    if (!numbers_.emplace(name, static_cast<int64_t>(numbers_.size())).second)
      fail_call("the class ", in_quotes(name), " is given twice");
}

std::optional<int64_t> ClassNumbers::find(const std::string& name) const {
  const auto at = numbers_.find(name);
  if (at == numbers_.end()) return std::nullopt;
  return at->second;
}

std::string unknown_class(const std::string& name, const std::vector<std::string>& classes) {
  constexpr size_t k_most = 6;
  std::string known;
  for (size_t i = 0; i < classes.size() && i < k_most; ++i) known += (i ? ", " : "") + in_quotes(classes[i]);
  return join("is ", in_quotes(name), ", which is not among the ", classes.size(), " classes (", known,
              classes.size() > k_most ? ", ...)" : ")");
}

}  // namespace limpid::data
