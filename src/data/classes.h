// The names of classes and their numbers.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace limpid::data {

/// Names in the order of classes: whole numbers by value, others by their bytes; each once.
std::vector<std::string> in_class_order(std::vector<std::string> names);

/// Numbers of classes by their names.
class ClassNumbers {
 public:
  /// Throws Error{call} for a name given twice.
  explicit ClassNumbers(const std::vector<std::string>& classes);
  std::optional<int64_t> find(const std::string& name) const;
  /// Of a name that is among them.
  int64_t of(const std::string& name) const { return numbers_.at(name); }

 private:
  std::unordered_map<std::string, int64_t> numbers_;
};

/// For the name of a class that is not known: "is "eggs", which is not among the 2 classes ("ham", "spam")".
std::string unknown_class(const std::string& name, const std::vector<std::string>& classes);

}  // namespace limpid::data
