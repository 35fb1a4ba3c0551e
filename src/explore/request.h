// A request: its fields, each read once by the question that has it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace limpid::explore {

inline constexpr size_t k_most_request_bytes = 1u << 20;

/// [first, end) of an axis.
struct Span {
  int64_t first = 0, end = 0;
  int64_t size() const { return end - first; }
};

/// Every getter throws Error{call} naming the question, the field, what it is and what was expected.
class Request {
 public:
  /// `json` outlives it.
  Request(const Json& json, std::string ask);

  const std::string& ask() const { return source_.name; }
  bool has(const std::string& key);
  /// What a getter below has no kind for; nothing where it was not given.
  std::optional<JsonValue> value(const std::string& key);
  int64_t integer(const std::string& key, int64_t least, int64_t most);
  int64_t integer_or(const std::string& key, int64_t otherwise, int64_t least, int64_t most);
  double real_or(const std::string& key, double otherwise);
  bool flag(const std::string& key);
  std::string text(const std::string& key);
  std::string text_or(const std::string& key, const std::string& otherwise);
  std::vector<int64_t> integers(const std::string& key, int64_t least, int64_t most, size_t most_items);
  std::vector<std::string> texts(const std::string& key, size_t most_items);
  /// [first, end], of places 0 to `size`; not empty.
  Span span(const std::string& key, int64_t size);

  /// After the last getter: throws Error{call} for a field that none of them has asked for.
  void finish() const;

 private:
  JsonValue required(const std::string& key);
  JsonSource source_;
  JsonValue root_;
  std::vector<std::string> known_;
};

/// A place from 0, or from the end where it is below 0.  Throws Error{call} for one that is not there.
int64_t place_of(Request&, const std::string& key, int64_t otherwise, int64_t size);

}  // namespace limpid::explore
