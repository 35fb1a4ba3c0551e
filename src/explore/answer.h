// An answer: JSON fields, and arrays beside them; docs/explore-protocol.md has its bytes.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "limpid/tensor.h"

namespace limpid::explore {

inline constexpr size_t k_most_answer_bytes = 64u << 20;  // of arrays

class Answer {
 public:
  Json fields = Json::object();

  /// Throws Error{call} where the answer's arrays would hold more than k_most_answer_bytes.
  void add(const std::string& name, Tensor array);
  /// One axis, without a name or with one.
  void add(const std::string& name, const std::vector<int64_t>& numbers, Axis axis = Axis::none);
  void add(const std::string& name, const std::vector<double>& numbers, Axis axis = Axis::none);
  /// The bytes of a file.
  void add_file(const std::string& bytes);

  /// The message.
  std::string bytes() const;

 private:
  std::vector<std::pair<std::string, Tensor>> arrays_;
  size_t held_ = 0;
};

/// Throws Error{call} where an array of so many numbers would be too large for an answer.
void require_room(const std::string& what, int64_t numbers, DType);

/// A number by itself: one that is not finite is a text.
Json number(double value);
/// "BTHD"; "." for an axis without a name.
std::string letters_of(const Shape&);
Json sizes_of(const Shape&);

}  // namespace limpid::explore
