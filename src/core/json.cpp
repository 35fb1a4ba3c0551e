#include "core/json.h"

#include <cmath>
#include <unordered_set>

#include "core/label.h"
#include "core/utf8.h"

namespace limpid {

namespace {

// A key in a path: a plain word as it is, anything else quoted and cut.
std::string step_of(const std::string& key) {
  constexpr size_t k_longest = 60;
  const bool plain =
      !key.empty() && key.size() <= k_longest &&
      key.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.@") ==
          std::string::npos;
  return plain ? key : in_quotes(key);
}

std::string under(const std::string& path, const std::string& key) {
  return path.empty() ? step_of(key) : path + "." + step_of(key);
}

// Builds the document as it streams by.  The library's own builder keeps the last of two equal keys, and in
// an object that keeps its order looks through all keys for each one; it also nests as deep as the text says.
class Builder : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(const JsonSource& source) : source_(source) {}
  Json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // JSON has none
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    Level& level = open_.back();
    if (!level.keys.insert(name).second)
      source_.fail("the key ", under(path(open_.size() - 1), name), " is given twice");
    level.key = std::move(name);
    return true;
  }

  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) override {
    std::string_view reason = error.what();  // "[json.exception.parse_error.101] parse error at line 1, ..."
    if (const size_t at = reason.find("] "); at != reason.npos) reason.remove_prefix(at + 2);
    constexpr size_t k_longest = 200;  // the library repeats the text it stopped at, however long
    source_.fail("it is not JSON: ", visible_line(reason.substr(0, k_longest)),
                 reason.size() > k_longest ? "..." : "");
  }

 private:
  struct Level {
    Json* value;
    std::unordered_set<std::string> keys;
    std::string key;  // of the entry being read
  };

  using Entries = std::vector<Json::object_t::value_type>;  // of an object, without its search for a key
  static Entries& entries(Json& object) { return object.get_ref<Json::object_t&>(); }

  // The way to the value that is the last of the first `levels` open ones.
  std::string path(size_t levels) const {
    std::string out;
    for (size_t i = 0; i < levels; ++i) {
      Json& value = *open_[i].value;
      out =
          value.is_array() ? join(out, "[", value.size() - 1, "]") : under(out, entries(value).back().first);
    }
    return out;
  }

  Json* place(Json value) {
    if (++values_ > k_json_values)
      source_.fail("it holds more than ", k_json_values, " values, the most that is read");
    if (open_.empty()) return root_ = std::move(value), &root_;
    Json& parent = *open_.back().value;
    if (parent.is_array()) return parent.push_back(std::move(value)), &parent.back();
    return &entries(parent).emplace_back(std::move(open_.back().key), std::move(value)).second;
  }

  template <class T>
  bool add(T&& value) {
    place(Json(std::forward<T>(value)));
    return true;
  }

  bool open(Json value) {
    if (open_.size() == static_cast<size_t>(k_json_depth))
      source_.fail("it is nested more than ", k_json_depth, " deep, at ", in_quotes(path(4)), " and below");
    Json* const at = place(std::move(value));
    open_.push_back({at, {}, ""});
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const JsonSource& source_;
  Json root_;
  std::vector<Level> open_;
  size_t values_ = 0;
};

}  // namespace

Json parse_json(std::string_view text, const JsonSource& source) {
  if (text.size() > k_json_bytes)
    source.fail("it has ", text.size(), " bytes, at most ", k_json_bytes, " are read");
  if (const size_t at = first_not_utf8(text); at != text.npos)
    source.fail("it is not JSON: byte ", at, " is not UTF-8");
  if (const size_t at = text.find('\0'); at != text.npos)  // where the library takes the text to end
    source.fail("it is not JSON: byte ", at, " is zero");
  Builder builder(source);
  Json::sax_parse(text, &builder);
  return builder.take();
}

std::string shown(const Json& value) {
  if (value.is_array()) return "a list";
  if (value.is_object()) return "an object";
  if (value.is_string()) return in_quotes(value.get_ref<const std::string&>());
  return value.dump();
}

// ---- values --------------------------------------------------------------------------------------

JsonValue JsonValue::below(const std::string& key, const Json& value) const {
  return {value, *source_, under(path_, key)};
}

JsonValue JsonValue::at(const std::string& key) const {
  require_object();
  const auto found = json_->find(key);
  if (found == json_->end()) fail("has no \"", key, "\"");
  return below(key, *found);
}

JsonValue JsonValue::at(size_t i) const {
  require_list();
  if (i >= json_->size()) fail("has ", json_->size(), " items, expected at least ", i + 1);
  return {(*json_)[i], *source_, join(path_, "[", i, "]")};
}

void JsonValue::require_object() const {
  if (!json_->is_object()) unexpected("an object");
}

void JsonValue::require_list() const {
  if (!json_->is_array()) unexpected("a list");
}

bool JsonValue::boolean() const {
  if (!json_->is_boolean()) unexpected("true or false");
  return json_->get<bool>();
}

int64_t JsonValue::integer(int64_t least, int64_t most) const {
  const auto refuse = [&]() {
    if (least == INT64_MIN && most == INT64_MAX) unexpected("a whole number of 64 bits");
    if (most == INT64_MAX) unexpected("a whole number, at least ", least);
    unexpected("a whole number from ", least, " to ", most);
  };
  int64_t value = 0;
  if (json_->is_number_unsigned()) {
    if (json_->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) refuse();
    value = static_cast<int64_t>(json_->get<uint64_t>());
  } else if (json_->is_number_integer()) {
    value = json_->get<int64_t>();
  } else {
    constexpr double k_most_exact = 9007199254740992;  // 2^53: beyond it a double is no longer a count
    const double number = json_->is_number_float() ? json_->get<double>() : NAN;
    if (!(std::abs(number) <= k_most_exact) || number != std::floor(number)) refuse();
    value = static_cast<int64_t>(number);
  }
  if (value < least || value > most) refuse();
  return value;
}

double JsonValue::real() const {
  if (!json_->is_number() || !std::isfinite(json_->get<double>())) unexpected("a number");
  return json_->get<double>();
}

std::string JsonValue::text() const {
  if (!json_->is_string()) unexpected("a text");
  return json_->get<std::string>();
}

}  // namespace limpid
