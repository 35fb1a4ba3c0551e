#include "files/torch/contents.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <unordered_set>

#include "core/label.h"

namespace limpid::torch {

namespace {

constexpr int k_depth = 60;                            // the door of JSON takes 64 (core/json.h)
constexpr uint64_t k_most_text = uint64_t{256} << 20;  // of names and values, each wherever it stands

class Walk {
 public:
  Walk(const Pickled& pickled, const std::string& file) : pickled_(pickled), file_(file) {}

  Contents all() {
    if (!value(pickled_.root, "", 0)) contents_.values = "{}";
    return std::move(contents_);
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail(const std::string& path, const Parts&... parts) const {
    fail_work(file_, ": ", path.empty() ? "" : in_quotes(path) + ": ", parts...);
  }
  const Value& at(Ref ref) const { return pickled_.values[ref]; }
  std::string& out() { return contents_.values; }

  // Each writes the value and says whether it did: tensors, and what holds tensors alone, are not written.
  bool value(Ref ref, const std::string& path, int depth);
  bool dict(const Value&, const std::string& path, int depth);
  bool list(const Value&, const std::string& path, int depth);
  void tensor(const Value&, const std::string& path);

  void scalar(const Value&);
  void spend(uint64_t text, const std::string& path) {
    text_ += text;
    if (text_ > k_most_text)
      fail(path, "names and values take more than ", k_most_text, " bytes when written out");
  }
  std::string key(const Value&, const std::string& path) const;
  static std::string quoted(std::string_view text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  static std::string below(const std::string& path, std::string_view key) {
    return path.empty() ? std::string(key) : path + "/" + std::string(key);
  }

  const Pickled& pickled_;
  const std::string& file_;
  Contents contents_;
  std::unordered_set<std::string> names_;
  size_t visited_ = 0;
  uint64_t text_ = 0;
};

// A key as a part of a name: text as it is, other keys as Python prints them.
std::string Walk::key(const Value& value, const std::string& path) const {
  switch (value.kind) {
    case Kind::text:
    case Kind::word:
    case Kind::bytes:
      return std::string(value.text);
    case Kind::integer:
      return std::to_string(value.number);
    case Kind::boolean:
      return value.number ? "True" : "False";
    case Kind::none:
      return "None";
    case Kind::real:
      return nlohmann::json(value.real).dump();
    case Kind::tuple: {
      if (value.items.size() > 8) break;
      std::string all = "(";
      for (const Ref item : value.items) {
        if (at(item).kind == Kind::tuple)
          fail(path, "a key is a tuple of tuples, expected a text or a number");
        const char* quote = at(item).kind == Kind::text ? "'" : "";
        all += (all.size() > 1 ? ", " : "") + join(quote, key(at(item), path), quote);
      }
      return all + ")";
    }
    default:
      break;
  }
  fail(path, "a key is ", torch::name(value.kind), ", expected a text or a number");
}

bool Walk::value(Ref ref, const std::string& path, int depth) {
  if (depth > k_depth)
    fail(path.substr(0, 60), "nested more than ", k_depth, " deep; perhaps it holds itself");
  if (++visited_ > k_most_values)
    fail("", "more than ", k_most_values, " values when each is counted wherever it stands");
  const Value& held = at(ref);
  spend(16 + held.text.size(), path);
  switch (held.kind) {
    case Kind::tensor:
      return tensor(held, path), false;
    case Kind::dict:
      return dict(held, path, depth);
    case Kind::list:
    case Kind::tuple:
    case Kind::set:
      return list(held, path, depth);
    default:
      return scalar(held), true;
  }
}

bool Walk::dict(const Value& held, const std::string& path, int depth) {
  struct Entry {
    std::string key;
    Kind kind;
    Ref value;
  };
  std::vector<Entry> entries;
  std::unordered_map<std::string, size_t> places;
  for (size_t i = 0; i < held.items.size(); i += 2) {
    const Value& held_key = at(held.items[i]);
    spend(16 + 4 * held_key.text.size(), path);
    Entry entry{key(held_key, path), held_key.kind, held.items[i + 1]};
    const auto [place, is_new] = places.emplace(entry.key, entries.size());
    if (is_new)
      entries.push_back(std::move(entry));
    else if (entries[place->second].kind == entry.kind)
      entries[place->second].value = entry.value;
    else
      fail(path, "two keys are written ", in_quotes(entry.key));
  }
  const size_t start = out().size();
  bool some = entries.empty();
  out() += "{";
  for (const Entry& entry : entries) {
    const size_t before = out().size();
    out() += (out().size() > start + 1 ? "," : "") + quoted(entry.key) + ":";
    spend(path.size(), path);
    if (value(entry.value, below(path, entry.key), depth + 1))
      some = true;
    else
      out().resize(before);
  }
  out() += "}";
  if (!some) out().resize(start);
  return some;
}

bool Walk::list(const Value& held, const std::string& path, int depth) {
  const size_t start = out().size();
  bool some = held.items.empty();
  out() += "[";
  for (size_t i = 0; i < held.items.size(); ++i) {
    if (i > 0) out() += ",";
    spend(path.size(), path);
    if (value(held.items[i], below(path, std::to_string(i)), depth + 1))
      some = true;
    else
      out() += "null";  // the others keep their places
  }
  out() += "]";
  if (!some) out().resize(start);
  return some;
}

void Walk::tensor(const Value& held, const std::string& path) {
  spend(2 * path.size(), path);
  if (!names_.insert(path).second) fail(path, "two tensors have this name");
  contents_.tensors.push_back({path, static_cast<size_t>(held.number)});
}

void Walk::scalar(const Value& held) {
  switch (held.kind) {
    case Kind::boolean:
      out() += held.number ? "true" : "false";
      break;
    case Kind::integer:
      out() += std::to_string(held.number);
      break;
    case Kind::real:
      if (std::isfinite(held.real))
        out() += nlohmann::json(held.real).dump();
      else
        out() += std::isnan(held.real) ? "\"NaN\"" : held.real > 0 ? "\"Infinity\"" : "\"-Infinity\"";
      break;
    case Kind::text:
    case Kind::word:
    case Kind::function:
      out() += quoted(held.text);
      break;
    case Kind::bytes: {
      out() += "{\"bytes\":\"";
      for (const char c : held.text)
        for (const int shift : {4, 0})
          out() += "0123456789abcdef"[static_cast<unsigned char>(c) >> shift & 15];
      out() += "\"}";
      break;
    }
    default:  // None, and a storage of which no tensor is made
      out() += "null";
  }
}

}  // namespace

Contents contents_of(const Pickled& pickled, const std::string& file) { return Walk(pickled, file).all(); }

}  // namespace limpid::torch
