#include "limpid/trace.h"

namespace limpid {

namespace {

// The one name of a value: an alias gives the name that the value is stored by.
std::string stored_name(const Trace& trace, const std::string& name) {
  if (trace.values.count(name)) return name;
  const int id = trace.graph ? trace.graph->find(name) : -1;
  return id < 0 ? canonical_name(name) : trace.graph->value(id).name;
}

std::string list_of(const std::map<std::string, Tensor>& values) {
  constexpr size_t k_most = 12;
  std::string out;
  size_t n = 0;
  for (const auto& [name, tensor] : values)
    if (n++ < k_most) out += (n > 1 ? ", " : "") + name;
  if (n > k_most) out += join(", and ", n - k_most, " more");
  return out.empty() ? "nothing" : out;
}

}  // namespace

bool Trace::has(const std::string& name) const {
  const std::string stored = stored_name(*this, name);
  return values.count(stored) || parameters.count(stored);
}

const Tensor& Trace::operator[](const std::string& name) const {
  const std::string stored = stored_name(*this, name);
  if (const auto found = values.find(stored); found != values.end()) return found->second;
  if (const auto found = parameters.find(stored); found != parameters.end()) return found->second;
  if (summaries.count(stored)) fail_call("trace: '", name, "' was observed as a summary only, not in full");
  fail_call("trace: there is no value '", name, "'; it holds ", list_of(values));
}

}  // namespace limpid
