#include "limpid/graph.h"

namespace limpid {

namespace {

constexpr std::string_view k_roles[] = {"plain", "query", "key", "value", "weights"};

// The option as T, `otherwise` when absent.
template <class T>
T read(const Options& options, const std::string& name, T otherwise, const char* expected) {
  const auto found = options.all().find(name);
  if (found == options.all().end()) return otherwise;
  if (const T* value = std::get_if<T>(&found->second)) return *value;
  fail_call("option '", name, "' must be ", expected);
}

}  // namespace

std::string_view name(Role role) { return k_roles[static_cast<size_t>(role)]; }

Role role_named(std::string_view wanted) {
  for (size_t i = 0; i < std::size(k_roles); ++i)
    if (k_roles[i] == wanted) return static_cast<Role>(i);
  fail_call("role '", wanted, "' is not known; expected plain, query, key, value or weights");
}

bool Options::flag(const std::string& name, bool otherwise) const {
  return read<bool>(*this, name, otherwise, "true or false");
}
int64_t Options::integer(const std::string& name, int64_t otherwise) const {
  return read<int64_t>(*this, name, otherwise, "a whole number");
}
std::string Options::word(const std::string& name, const std::string& otherwise) const {
  return read<std::string>(*this, name, otherwise, "a word");
}
double Options::real(const std::string& name, double otherwise) const {
  const auto found = values_.find(name);
  if (found != values_.end())
    if (const int64_t* whole = std::get_if<int64_t>(&found->second)) return static_cast<double>(*whole);
  return read<double>(*this, name, otherwise, "a number");
}

void Operation::gradient(GradientContext&) const { fail_call("operation '", kind_, "' has no gradient"); }

void Registry::add(Entry entry) {
  for (const Entry& known : entries_)
    if (known.kind == entry.kind) fail_call("operation '", entry.kind, "' is registered twice");
  entries_.push_back(std::move(entry));
}

std::shared_ptr<const Operation> Registry::make(const std::string& kind, const Options& options) const {
  for (const Entry& entry : entries_) {
    if (entry.kind != kind) continue;
    std::unique_ptr<Operation> made = entry.make(options);
    made->kind_ = kind;
    made->options_ = options;
    return made;
  }
  fail_call("operation '", kind, "' is not known to this build");
}

}  // namespace limpid
