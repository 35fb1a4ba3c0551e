#include "explore/request.h"

#include <algorithm>

#include "core/label.h"

namespace limpid::explore {

Request::Request(const Json& json, std::string ask)
    : source_{std::move(ask), Error::Kind::call}, root_(json, source_), known_{"id", "ask"} {}

bool Request::has(const std::string& key) {
  known_.push_back(key);
  return root_.has(key);
}

std::optional<JsonValue> Request::value(const std::string& key) {
  if (!has(key)) return std::nullopt;
  return root_.at(key);
}

JsonValue Request::required(const std::string& key) {
  if (const auto found = value(key)) return *found;
  source_.fail("the field \"", key, "\" is missing");
}

int64_t Request::integer(const std::string& key, int64_t least, int64_t most) {
  return required(key).integer(least, most);
}

int64_t Request::integer_or(const std::string& key, int64_t otherwise, int64_t least, int64_t most) {
  const auto found = value(key);
  return found ? found->integer(least, most) : otherwise;
}

double Request::real_or(const std::string& key, double otherwise) {
  const auto found = value(key);
  return found ? found->real() : otherwise;
}

bool Request::flag(const std::string& key) {
  const auto found = value(key);
  return found && found->boolean();
}

std::string Request::text(const std::string& key) { return required(key).text(); }

std::string Request::text_or(const std::string& key, const std::string& otherwise) {
  const auto found = value(key);
  return found ? found->text() : otherwise;
}

std::vector<int64_t> Request::integers(const std::string& key, int64_t least, int64_t most,
                                       size_t most_items) {
  const JsonValue list = required(key);
  if (list.size() > most_items) list.fail("has ", list.size(), " items, at most ", most_items, " are read");
  std::vector<int64_t> out;
  list.each_item([&](const JsonValue& item) { out.push_back(item.integer(least, most)); });
  return out;
}

std::vector<std::string> Request::texts(const std::string& key, size_t most_items) {
  const JsonValue list = required(key);
  if (list.size() > most_items) list.fail("has ", list.size(), " items, at most ", most_items, " are read");
  std::vector<std::string> out;
  list.each_item([&](const JsonValue& item) { out.push_back(item.text()); });
  return out;
}

Span Request::span(const std::string& key, int64_t size) {
  const JsonValue list = required(key);
  if (list.size() != 2) list.fail("has ", list.size(), " items, expected [first, end]");
  const Span out = {list.at(size_t{0}).integer(0, size), list.at(size_t{1}).integer(0, size)};
  if (out.first >= out.end) list.fail("is [", out.first, ", ", out.end, "], expected an end after the first");
  return out;
}

void Request::finish() const {
  root_.each_entry([&](const std::string& key, const JsonValue&) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) return;
    std::string list;
    for (size_t i = 2; i < known_.size(); ++i) list += (list.empty() ? "" : ", ") + known_[i];
    source_.fail("there is no field ", in_quotes(key),
                 list.empty() ? std::string("; the question has none") : "; there are " + list);
  });
}

int64_t place_of(Request& request, const std::string& key, int64_t otherwise, int64_t size) {
  const int64_t given = request.integer_or(key, otherwise, -size, size - 1);
  return given < 0 ? given + size : given;
}

}  // namespace limpid::explore
