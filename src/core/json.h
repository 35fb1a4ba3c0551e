// JSON from outside: every document limpid reads comes through parse_json, and every number, word and list in
// it through JsonValue.
//
// A document is refused, before it is built, when it nests deeper than k_json_depth (reading, printing and
// freeing a document recurse once a level), holds more than k_json_values values, gives a key twice (parsers
// disagree about which one counts), is not UTF-8, or holds a number that no double can hold.  A message says
// where: line and column of what is no JSON, the path of everything else ("stages[3].options.heads").
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "limpid/error.h"

namespace limpid {

using Json = nlohmann::ordered_json;  // keys stay in the order of the file

inline constexpr int k_json_depth = 64;             // a trace's graph, the deepest of limpid's own, has 7
inline constexpr size_t k_json_bytes = 256u << 20;  // a vocabulary of a million words is a tenth of it
inline constexpr size_t k_json_values = 16u
                                        << 20;  // a value of two bytes of text takes 16 and more in memory

inline constexpr int64_t k_json_most_size =
    (int64_t{1} << 31) - 1;  // of a dimension, a width, a count of layers
inline constexpr int64_t k_json_most_count = int64_t{1}
                                             << 53;  // beyond it a double, as JSON has them, is no count

/// Where a document came from: how its messages begin, and what they are.
struct JsonSource {
  std::string name;  // "recipe", "trace life.safetensors"
  Error::Kind kind = Error::Kind::work;

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    throw Error(kind, join(name, name.empty() ? "" : ": ", parts...));
  }
};

/// The document.  Throws Error of the source's kind.
Json parse_json(std::string_view text, const JsonSource&);

/// How a value reads in a message: a number or word as JSON, cut after some 40 columns; "a list", "an
/// object".
std::string shown(const Json&);

/// One value of a document and the way to it.  Every getter throws Error of the source's kind:
/// "recipe: train.steps is 1e300, expected a whole number from 1 to 9007199254740992".
class JsonValue {
 public:
  JsonValue(const Json& json, const JsonSource& source, std::string path = "")
      : json_(&json), source_(&source), path_(std::move(path)) {}

  const Json& json() const { return *json_; }
  const JsonSource& source() const { return *source_; }
  /// "stages[3].name"; "it" for the whole document.
  std::string path() const { return path_.empty() ? "it" : path_; }

  // ---- objects
  bool has(const std::string& key) const { return json_->is_object() && json_->contains(key); }
  JsonValue at(const std::string& key) const;
  /// Calls f(key, value) for each, in the file's order.
  template <class F>
  void each_entry(F&& f) const {
    require_object();
    for (const auto& [key, value] : json_->items()) f(key, below(key, value));
  }

  // ---- lists
  size_t size() const { return require_list(), json_->size(); }
  JsonValue at(size_t i) const;
  template <class F>
  void each_item(F&& f) const {
    require_list();
    for (size_t i = 0; i < json_->size(); ++i) f(at(i));
  }

  // ---- single values
  bool boolean() const;
  /// A whole number (1000, 1e3); both ends are allowed.
  int64_t integer(int64_t least = INT64_MIN, int64_t most = INT64_MAX) const;
  /// A finite number.
  double real() const;
  std::string text() const;

  void require_object() const;
  void require_list() const;
  /// "PATH is VALUE, expected EXPECTED"
  template <class... Parts>
  [[noreturn]] void unexpected(const Parts&... expected) const {
    fail("is ", shown(*json_), ", expected ", expected...);
  }
  /// "PATH ...": what is wrong with the value.
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    source_->fail(path(), " ", parts...);
  }

 private:
  JsonValue below(const std::string& key, const Json& value) const;
  const Json* json_;
  const JsonSource* source_;
  std::string path_;
};

}  // namespace limpid
